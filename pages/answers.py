"""How the app's routes take a body and say no."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from minedisc_core.errors import UsageError

NO_STORE = {"Cache-Control": "no-store"}


async def body(request: Request, most_bytes: int) -> bytes:
    """The body of a request.

    Raises:
        UsageError: it is larger than `most_bytes`; the rest is not read.
    """
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most_bytes:
            raise UsageError("the request is too large", f"at most {most_bytes:,} bytes")
    return bytes(content)


def refused() -> Response:
    """No token, or one that opens something else."""
    return Response("This address is signed and has expired: reload the page.", status_code=403, headers=NO_STORE)


def nothing() -> Response:
    """There is no such thing."""
    return Response("Nothing here.", status_code=404, headers=NO_STORE)
