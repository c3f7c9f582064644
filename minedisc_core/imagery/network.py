"""Files on a network: how GDAL asks for them, and what of their addresses is never shown or written.

An address may carry a secret: a signature or token behind the `?`, a user and password before the `@`. Everywhere in
minedisc a file is known by its address without them (the plain address: in requests, messages, logs and tags); the
full one is kept in the memory of the process and used for nothing but reading.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import urlsplit

import rasterio
from rasterio.session import DummySession

from minedisc_core.errors import ImageryError

READ_TIMEOUT_S = 30.0
"""Longest wait for one range of a file."""
_SCHEMES = {"http://": "/vsicurl/http://", "https://": "/vsicurl/https://", "s3://": "/vsis3/"}
_CURL = "/vsicurl/"
_REMOTE = (_CURL, "/vsis3/", "/vsigs/", "/vsiaz/", "/vsioss/", "/vsiswift/", "/vsiadls/", "/vsiwebhdfs/")
_SECRET = re.compile(r"(https?://)(?:[^/@\s'\"]*@)?([^\s?'\"]*)(?:\?[^\s'\"]*)?")
_full: dict[str, str] = {}
"""Full address of each plain one that has lost something."""
_lock = threading.Lock()


def is_remote(path: str) -> bool:
    """Whether GDAL, or a reader of JSON, asks a network for this path."""
    return path.startswith((*_REMOTE, *_SCHEMES))


def gdal_path(text: str) -> str:
    """How GDAL names a file: `https://` becomes `/vsicurl/`, `s3://` `/vsis3/`; without secrets, which are kept aside.

    Raises:
        ImageryError: two addresses that were named differ only in what is not shown.
    """
    for scheme, start in _SCHEMES.items():
        if text.startswith(scheme):
            text = start + text.removeprefix(scheme)
    if not text.startswith(_CURL):
        return text
    plain = shown(text)
    if plain != text:
        with _lock:
            _full[plain] = text
        _keep_out_of_logs()
    return plain


def check_distinct(texts: Iterable[str]) -> None:
    """Check that no two addresses are one without what is behind their `?`.

    Raises:
        ImageryError: there are two.
    """
    known: dict[str, str] = {}
    for text in texts:
        other = known.setdefault(shown(text), text)
        if other != text:
            raise ImageryError(
                f"two addresses differ only in what is behind the ? of {shown(text)}",
                "a path of its own for each file: what is behind the ? is taken for a signature and not kept",
                "download the files, or serve them under paths of their own",
            )


def full_address(plain: str) -> str:
    """The address to read a plain one at; itself if nothing was secret. Never to be shown."""
    return _full.get(plain, plain)


def full_addresses() -> dict[str, str]:
    """All full addresses by their plain ones, to be handed to a process that reads too."""
    with _lock:
        return dict(_full)


def remember(addresses: Mapping[str, str]) -> None:
    """Take over what `full_addresses` gave in another process."""
    with _lock:
        _full.update(addresses)
    if addresses:
        _keep_out_of_logs()


def shown(text: str) -> str:
    """A text in which addresses have neither query nor user."""
    return _SECRET.sub(r"\1\2", text) if "://" in text else text


def host_of(path: str) -> str:
    """The server of a `/vsicurl/` path, with its port; empty for others."""
    return urlsplit(path.removeprefix(_CURL)).netloc if path.startswith(_CURL) else ""


def network_options(timeout_s: float = READ_TIMEOUT_S) -> dict[str, Any]:
    """How GDAL asks for ranges: no folder listings, bounded waits, retries of 429 and 5xx, no memory of failures.

    What the environment states (`GDAL_HTTP_TIMEOUT=120`) is left as it is.
    """
    options = {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_HTTP_MULTIRANGE": "YES",
        "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        "GDAL_HTTP_MAX_RETRY": 3,
        "GDAL_HTTP_RETRY_DELAY": 0.5,
        "GDAL_HTTP_CONNECTTIMEOUT": max(1, round(timeout_s)),
        "GDAL_HTTP_LOW_SPEED_TIME": max(1, round(timeout_s)),  # a stall ends the request, a slow line does not
        "GDAL_HTTP_LOW_SPEED_LIMIT": 1_000,  # bytes a second
        "GDAL_HTTP_TIMEOUT": max(1, round(6 * timeout_s)),
        "CPL_VSIL_CURL_NON_CACHED": ":".join(_REMOTE),  # a file that was missing may be there when asked again
    }
    return {name: value for name, value in options.items() if name not in os.environ}


def timeout_s() -> float:
    """Seconds after which a silent server is given up, as `network_options` and the environment say."""
    stated = os.environ.get("GDAL_HTTP_LOW_SPEED_TIME") or os.environ.get("GDAL_HTTP_TIMEOUT") or ""
    return float(stated) if stated.isdecimal() else READ_TIMEOUT_S


def asking(path: str) -> AbstractContextManager[object]:
    """The settings under which a path is opened and read, for the thread that does it."""
    may_ask = is_remote(path) or path.lower().endswith(".vrt")  # a VRT may name files of a network
    # Without a session: GDAL finds the keys of S3 by itself, and boto3 need not be there.
    return rasterio.Env(DummySession(), **network_options()) if may_ask else nullcontext()


class _Plain(logging.Filter):
    """Takes secrets of addresses out of log lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = shown(record.getMessage()), ()
        return True


_PLAIN = _Plain()


def _keep_out_of_logs() -> None:
    """GDAL's messages name full addresses, and rasterio hands them to its loggers."""
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] == "rasterio":
            logging.getLogger(name).addFilter(_PLAIN)
