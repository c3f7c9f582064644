"""What the app serves beside its pages, on the same port: map tiles, chips, vendored JavaScript,
the review panel's queue and verdicts, and the command line's door.

Tiles, chips and the panel's calls need a token that a page has signed; the command line's door needs
the token in HOME/server.json and a caller on this machine. A name in an address never becomes a path
unless it matches a strict pattern.
"""

from __future__ import annotations

import mimetypes
import re
from base64 import b64decode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from minedisc_core import owner, service
from minedisc_core.errors import UsageError
from minedisc_core.imagery.display import CONTENT_TYPE
from minedisc_core.runs import CHIPS
from pages import addresses, review_panel, shared, verdicts

CACHE_PRIVATE = {"Cache-Control": "private, max-age=43200, immutable"}
CACHE_VENDOR = {"Cache-Control": "public, max-age=86400"}
NO_STORE = {"Cache-Control": "no-store"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}")
CHIP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}\.webp")
VERDICTS_MAX_BYTES = 1_000_000
LOOPBACK = ("127.0.0.1", "::1")
EMPTY_TILE = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgAAIAAAUAAXpeqz8AAAAASUVORK5CYII=")
"""A transparent pixel: a map asks for tiles past the mosaic's edge too."""


def routes(prefix: str) -> list[Route]:
    """All routes below `prefix` (`/base` or empty)."""
    base = f"{prefix}/minedisc"
    return [
        Route(f"{base}/tiles/{{picture}}/{{kind}}/{{z:int}}/{{x:int}}/{{y:int}}", tile),
        Route(f"{base}/scores/{{picture}}", scores),
        Route(f"{base}/chips/{{run_id}}/{{name}}", chip),
        Route(f"{base}/vendor/{{path:path}}", vendor),
        Route(f"{base}/review/items", review_items),
        Route(f"{base}/review/verdicts", review_verdicts, methods=["POST"]),
        Route(f"{base}/api/verb", verb, methods=["POST"]),
    ]


def signed(request: Request, scope: str) -> bool:
    """Whether the request carries a token for `scope`, as `t` in the address or in its header."""
    token = request.query_params.get("t") or request.headers.get("X-Minedisc-Token", "")
    return shared.house().signer.opens(token, scope)


def tile(request: Request) -> Response:
    """One 256 px map tile of a mosaic that was scanned or is looked at."""
    asked = request.path_params
    if not signed(request, f"tiles:{asked['picture']}"):
        return _refused()
    reader = shared.tile_reader(asked["picture"], asked["kind"]) if NAME.fullmatch(asked["picture"]) else None
    if reader is None:
        return _nothing()
    content = reader.tile(asked["z"], asked["x"], asked["y"])
    kind = CONTENT_TYPE if content else "image/png"
    return Response(content or EMPTY_TILE, media_type=kind, headers=CACHE_PRIVATE)


def scores(request: Request) -> Response:
    """A run's scores as a transparent picture for the map."""
    name = request.path_params["picture"]
    if not signed(request, f"tiles:{name}"):
        return _refused()
    overlay = shared.score_overlay(name) if NAME.fullmatch(name) else None
    return Response(overlay.png, media_type="image/png", headers=CACHE_PRIVATE) if overlay else _nothing()


def chip(request: Request) -> Response:
    """One small picture of a candidate."""
    run_id, name = request.path_params["run_id"], request.path_params["name"]
    if not signed(request, f"chips:{run_id}"):
        return _refused()
    folder = shared.house().run_folder(run_id) if NAME.fullmatch(run_id) and CHIP_NAME.fullmatch(name) else None
    path = folder / CHIPS / name if folder else None
    return FileResponse(path, headers=CACHE_PRIVATE) if path and path.is_file() else _nothing()


def vendor(request: Request) -> Response:
    """JavaScript, style and pictures of the map library; nothing outside vendor/."""
    root = addresses.VENDOR.resolve()
    path = (root / request.path_params["path"]).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        return _nothing()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=kind, headers=CACHE_VENDOR)


def review_items(request: Request) -> Response:
    """Candidates of a queue: `count` (at most 50) from `start` on, or around a candidate."""
    if not signed(request, review_panel.SCOPE):
        return _refused()
    asked = request.query_params
    start, count = (_whole(asked.get(name, "")) for name in ("start", "count"))
    made = review_panel.items(asked.get("queue", ""), start, min(count, 50), asked.get("around", ""))
    return JSONResponse(made, headers=NO_STORE)


async def review_verdicts(request: Request) -> Response:
    """Verdicts and undos in the order they were made; answers with those that are stored."""
    if not signed(request, review_panel.SCOPE):
        return _refused()
    body = await _body(request, VERDICTS_MAX_BYTES)
    return JSONResponse(await run_in_threadpool(verdicts.take, body), headers=NO_STORE)


async def verb(request: Request) -> Response:
    """The command line's door: a verb on the database that this process owns."""
    if request.client is None or request.client.host not in LOOPBACK:
        return _refused()
    token, body = request.headers.get(owner.TOKEN_HEADER, ""), await _body(request, owner.LARGEST_BODY)
    house = shared.house()
    status, answer = await run_in_threadpool(lambda: service.handle_request(house.store, house.settings, token, body))
    return JSONResponse(answer, status_code=status, headers=NO_STORE)


def explain(_request: Request, error: Exception) -> Response:
    """A MinediscError on its way to a script: the panel asks for a new page, the reader sees the text."""
    return JSONResponse({"problem": str(error)}, status_code=409, headers=NO_STORE)


async def _body(request: Request, most_bytes: int) -> bytes:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most_bytes:
            raise UsageError("the request is too large", f"at most {most_bytes:,} bytes")
    return bytes(content)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0


def _refused() -> Response:
    return Response("This address is signed and has expired: reload the page.", status_code=403, headers=NO_STORE)


def _nothing() -> Response:
    return Response("Nothing here.", status_code=404, headers=NO_STORE)
