"""What the review panel's script asks the app: candidates of its queue, verdicts to keep, who looks at what.

Every request carries the panel's token; with a login it binds the name of the person who is signed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pages import analysts, answers, map_sites, queues, sent
from pages import looking as looks
from pages import verdicts as log
from pages.texts import in_language

VERDICTS_MAX_BYTES = 8_000_000
"""Forty verdicts with footprints of thousands of vertices each."""
LOOKING_MAX_BYTES, AREA_MAX_BYTES = 4_000, 500_000


Take = Callable[[dict[str, Any], str], dict[str, Any]]


def routes(base: str) -> list[Route]:
    """The panel's routes below `base`."""
    return [
        Route(f"{base}/review/items", items),
        Route(f"{base}/review/sites", sites),
        Route(f"{base}/review/verdicts", verdicts, methods=["POST"]),
        Route(f"{base}/review/looking", looking, methods=["POST"]),
        Route(f"{base}/review/area", area, methods=["POST"]),
    ]


def items(request: Request) -> Response:
    """Candidates of a queue: `count` (at most 50) from `start` on, or around a candidate."""
    if _who(request) is None:
        return answers.refused()
    asked = request.query_params
    start, count = (_whole(asked.get(name, "")) for name in ("start", "count"))
    request.state.language = asked.get("lang", "")  # for an error's text, which is written outside this function
    with in_language(request.state.language):
        made = queues.window(asked.get("queue", ""), start, min(count, 50), asked.get("around", ""))
    return JSONResponse(made, headers=answers.NO_STORE)


def sites(request: Request) -> Response:
    """The sites of a queue in a view of the map, or clusters of them."""
    if _who(request) is None:
        return answers.refused()
    asked = request.query_params
    request.state.language = asked.get("lang", "")
    with in_language(request.state.language):
        made = map_sites.in_view(asked.get("queue", ""), asked.get("view", ""))
    return JSONResponse(made, headers=answers.NO_STORE)


async def verdicts(request: Request) -> Response:
    """Verdicts and undos in the order they were made; answers with those that are stored."""
    return await _answer(request, log.take, VERDICTS_MAX_BYTES)


async def looking(request: Request) -> Response:
    """A look at a candidate: noted, and answered with who else looks at it and what was decided meanwhile."""
    return await _answer(request, looks.take, LOOKING_MAX_BYTES)


async def area(request: Request) -> Response:
    """The area of an outline that is being drawn."""
    return await _answer(request, lambda asked, _bound: looks.area(asked), AREA_MAX_BYTES)


async def _answer(request: Request, take: Take, most_bytes: int) -> Response:
    """What `take` makes of the object in the body and of the name that the token binds, in the language asked for."""
    bound = _who(request)
    if bound is None:
        return answers.refused()
    asked = sent.opened(await answers.body(request, most_bytes))
    request.state.language = sent.text(asked, "lang")
    with in_language(request.state.language):
        made = await run_in_threadpool(take, asked, bound)
    return JSONResponse(made, headers=answers.NO_STORE)


def _who(request: Request) -> str | None:
    """The name that the panel's token binds, empty for a typed one; None without a token that opens."""
    return analysts.bound_name(request.query_params.get("t") or request.headers.get("X-Minedisc-Token", ""))


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
