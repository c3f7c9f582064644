"""A file from the web, for a model: http or https only, of a stated largest size, whole or not at all."""

from __future__ import annotations

import http.client
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from minedisc_core import __version__
from minedisc_core.errors import ModelError

_SCHEMES = ("http", "https")
_TIMEOUT_S = 30
_CHUNK = 1 << 16


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows no link out of the web."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next request, if it is one of the web."""
        if urlsplit(newurl).scheme not in _SCHEMES:
            raise urllib.error.URLError(f"it leads to {newurl[:100]}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_address(text: str) -> bool:
    """Whether a text names something on the web (of any scheme), not a file."""
    return "://" in text


def fetch(address: str, path: Path, most_bytes: int) -> None:
    """Download a file to `path`.

    Args:
        address: http or https.
        path: where it goes; what is there already is replaced.
        most_bytes: a larger file is given up.

    Raises:
        ModelError: another scheme, no answer, too large, or cut off. Nothing is left at `path` then.
    """
    if urlsplit(address).scheme not in _SCHEMES or not urlsplit(address).hostname:
        raise ModelError(f"{address[:200]} is no address of the web", "http:// or https://", "give a file or address")
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _WebOnly(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", f"minedisc/{__version__}")]
    try:
        with opener.open(address, timeout=_TIMEOUT_S) as answer:
            _keep(answer, path, most_bytes)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ModelError(
            f"{address[:200]} could not be downloaded ({str(error)[:150]})",
            "an address that answers with the file",
            "try again, or download it yourself and give the file",
        ) from error


def _keep(answer: Any, path: Path, most_bytes: int) -> None:
    told = answer.headers.get("Content-Length")
    received = 0
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".download-", delete=False) as file:
        part = Path(file.name)
        try:
            while chunk := answer.read(_CHUNK):
                received += len(chunk)
                if received > most_bytes:
                    raise ValueError(f"it is larger than {most_bytes:,} bytes")
                file.write(chunk)
            if told is not None and received != int(told):
                raise ValueError(f"it broke off after {received:,} of {told} bytes")
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    part.replace(path)
