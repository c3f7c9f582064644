"""Who owns the database file, and how another process reaches it.

DuckDB lets one process in. The app, which keeps the file open, writes `HOME/server.json` (port, token,
process id; mode 0600); a command line that finds the file taken sends its verb there, over loopback.
"""

from __future__ import annotations

import contextlib
import hmac
import http.client
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from minedisc_core import errors
from minedisc_core.errors import MinediscError, StoreError
from minedisc_core.settings import Settings

SERVER_FILE = "server.json"
TOKEN_HEADER = "X-Minedisc-Token"  # noqa: S105 - the name of the header, not a token
VERB_PATH = "/minedisc/api/verb"
ANSWER_SECONDS = 3600
"""Longest wait for an answer: a national title register takes minutes to load and to match."""
LARGEST_BODY = 32_000_000
"""Bytes of a request that an owner reads at most."""
SAME_START_SECONDS = 1.0
"""The system computes a process's start from its clock, which may be set while the process runs."""


@dataclass(frozen=True)
class Owner:
    """What `server.json` says of the process that owns the database."""

    port: int
    token: str
    pid: int
    started: float
    """Start of the process, seconds since 1970: a later process may get the same id."""
    path: str = VERB_PATH
    """Where verbs are posted; longer where the app runs under a base path."""


class OwnerGone(Exception):
    """The process that had announced itself does not answer any more."""


def announce(settings: Settings, port: int, base_path: str = "") -> str:
    """Say that this process owns the database and listens on loopback; the token that callers must show.

    Args:
        settings: names the home folder.
        port: port of this process on 127.0.0.1.
        base_path: the app's base path, such as `minedisc-test` (streamlit's server.baseUrlPath).

    Raises:
        StoreError: the home cannot be written.
    """
    prefix = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    started = _started(os.getpid()) or 0.0
    me = Owner(port, secrets.token_urlsafe(32), os.getpid(), started, prefix + VERB_PATH)
    _write_private(settings.home / SERVER_FILE, json.dumps(asdict(me)))
    return me.token


def withdraw(settings: Settings) -> None:
    """Take back what this process announced; another process's announcement stays."""
    found = _read(settings)
    if found and found.pid == os.getpid():
        (settings.home / SERVER_FILE).unlink(missing_ok=True)


def find_owner(settings: Settings) -> Owner | None:
    """The process that announced itself; None if there is none, or if it has died since."""
    found = _read(settings)
    started = _started(found.pid) if found else None
    if found is None or started is None or abs(started - found.started) > SAME_START_SECONDS:
        return None
    return found


def is_token(settings: Settings, given: str) -> bool:
    """Whether `given` is the token that this home's owner announced (compared in constant time)."""
    found = _read(settings)
    return found is not None and hmac.compare_digest(found.token.encode(), given.encode())


def send(owner: Owner, verb: str, arguments: Mapping[str, Any]) -> Any:
    """Let the owner run a verb; its JSON result.

    Raises:
        OwnerGone: nobody listens there, or the connection broke before the answer came.
        MinediscError: what the verb raised over there.
    """
    body = json.dumps({"verb": verb, "arguments": dict(arguments)}).encode()
    headers = {TOKEN_HEADER: owner.token, "Content-Type": "application/json"}
    # http.client knows no proxies: what goes to loopback stays there.
    connection = http.client.HTTPConnection("127.0.0.1", owner.port, timeout=ANSWER_SECONDS)
    with contextlib.closing(connection):
        try:
            connection.request("POST", owner.path, body, headers)
            answer = connection.getresponse()
            content = json.loads(answer.read())
            if answer.status == http.client.FORBIDDEN:
                raise OwnerGone("the token is an earlier one's")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise OwnerGone(str(error)) from error
    if not isinstance(content, dict) or ("result" not in content and "error" not in content):
        raise OwnerGone(f"port {owner.port} answers, but not as minedisc does")
    if "error" in content:
        raise error_from_json(content["error"])
    return content["result"]


def error_to_json(error: MinediscError) -> dict[str, str]:
    """An error as it travels between processes."""
    return {
        "type": type(error).__name__,
        "found": error.found,
        "expected": error.expected,
        "remedy": error.remedy,
    }


def error_from_json(content: Mapping[str, str]) -> MinediscError:
    """The error that `error_to_json` packed; a type unknown here becomes a StoreError."""
    kind = getattr(errors, str(content.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, MinediscError)):
        kind = StoreError
    return kind(*(str(content.get(part, "")) for part in ("found", "expected", "remedy")))


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its user may read, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(scratch).replace(path)
    except OSError as error:
        raise StoreError(f"{path} could not be written: {error.strerror or error}", remedy="free disk space") from error


def _read(settings: Settings) -> Owner | None:
    try:
        found = json.loads((settings.home / SERVER_FILE).read_text("utf-8"))
        return Owner(
            int(found["port"]), str(found["token"]), int(found["pid"]), float(found["started"]), str(found["path"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _started(pid: int) -> float | None:
    """Start time of a living process, seconds since 1970; None if there is none."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError):
        return None
