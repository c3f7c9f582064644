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
from minedisc_core.imagery.display import CONTENT_TYPE
from minedisc_core.runs import CHIPS
from minedisc_core.store.text import one_line
from pages import addresses, answers, chip_pictures, review_routes, shared
from pages.texts import in_language, translated

CACHE_PRIVATE = {"Cache-Control": "private, max-age=43200, immutable"}
CACHE_VENDOR = {"Cache-Control": "public, max-age=86400"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}")
CHIP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}\.webp")
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
        Route(f"{base}/pairs/{{run_id}}/{{other}}/{{name}}", pair),
        Route(f"{base}/vendor/{{path:path}}", vendor),
        *review_routes.routes(base),
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
        return answers.refused()
    reader = shared.tile_reader(asked["picture"], asked["kind"]) if NAME.fullmatch(asked["picture"]) else None
    if reader is None:
        return answers.nothing()
    content = reader.tile(asked["z"], asked["x"], asked["y"])
    kind = CONTENT_TYPE if content else "image/png"
    return Response(content or EMPTY_TILE, media_type=kind, headers=CACHE_PRIVATE)


def scores(request: Request) -> Response:
    """A run's scores as a transparent picture for the map."""
    name = request.path_params["picture"]
    if not signed(request, f"tiles:{name}"):
        return answers.refused()
    overlay = shared.score_overlay(name) if NAME.fullmatch(name) else None
    return Response(overlay.png, media_type="image/png", headers=CACHE_PRIVATE) if overlay else answers.nothing()


def chip(request: Request) -> Response:
    """One small picture of a candidate."""
    run_id, name = request.path_params["run_id"], request.path_params["name"]
    if not signed(request, f"chips:{run_id}"):
        return answers.refused()
    folder = shared.house().run_folder(run_id) if NAME.fullmatch(run_id) and CHIP_NAME.fullmatch(name) else None
    path = folder / CHIPS / name if folder else None
    return FileResponse(path, headers=CACHE_PRIVATE) if path and path.is_file() else answers.nothing()


def pair(request: Request) -> Response:
    """One small picture of a candidate's ground on another date; clear if the ground is not there after all."""
    run_id, other, name = (request.path_params[key] for key in ("run_id", "other", "name"))
    if not signed(request, f"chips:{run_id}"):
        return answers.refused()
    if not (NAME.fullmatch(run_id) and NAME.fullmatch(other) and CHIP_NAME.fullmatch(name)):
        return answers.nothing()
    path = chip_pictures.pair_file(run_id, other, name)
    if path is None:
        return Response(EMPTY_TILE, media_type="image/png", headers=answers.NO_STORE)
    return FileResponse(path, headers=CACHE_PRIVATE)


def vendor(request: Request) -> Response:
    """JavaScript, style and pictures of the map library; nothing outside vendor/."""
    root, asked = addresses.VENDOR.resolve(), request.path_params["path"]
    path = root if "\0" in asked else (root / asked).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        return answers.nothing()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=kind, headers=CACHE_VENDOR)


async def verb(request: Request) -> Response:
    """The command line's door: a verb on the database that this process owns."""
    if request.client is None or request.client.host not in LOOPBACK:
        return answers.refused()
    token, body = request.headers.get(owner.TOKEN_HEADER, ""), await answers.body(request, owner.LARGEST_BODY)
    house = shared.house()
    status, answer = await run_in_threadpool(lambda: service.handle_request(house.store, house.settings, token, body))
    return JSONResponse(answer, status_code=status, headers=answers.NO_STORE)


def explain(request: Request, error: Exception) -> Response:
    """A MinediscError on its way to a script: the panel asks for a new page, the reader sees the text."""
    with in_language(getattr(request.state, "language", "")):
        problem = one_line(translated(str(error)))
    return JSONResponse({"problem": problem}, status_code=409, headers=answers.NO_STORE)
