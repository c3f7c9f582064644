"""Whether a Dask scheduler answers at an address; asked before anything is begun, and without Dask's import."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from minedisc_core.errors import RunError

REACH_S = 10.0
"""How long a scheduler has to answer."""


def reach(address: str, within_s: float | None = None) -> None:
    """Look whether a scheduler answers; Dask's own client would wait for ever for a server that says nothing.

    Args:
        address: `settings.checked_scheduler`; over plain TCP a scheduler speaks first, with others only the
            connection is tried.
        within_s: how long to wait; None: REACH_S.

    Raises:
        RunError: nobody listens there, or somebody who is no scheduler.
    """
    parts = urlsplit(address)
    seconds = REACH_S if within_s is None else within_s
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), seconds) as connection:
            if parts.scheme == "tcp":
                connection.settimeout(seconds)
                if not connection.recv(1):
                    raise OSError("it hangs up")
    except OSError as error:
        raise no_scheduler(address, str(error)) from error


def no_scheduler(address: str, why: str) -> RunError:
    """The error for an address at which no scheduler answers."""
    return RunError(
        f"no Dask scheduler answers at {address} ({why[:150]})",
        "the address of a running scheduler",
        "start it, or correct --scheduler or MINEDISC_SCHEDULER",
    )
