"""Who is looking at which candidate right now, so that two people do not decide the same one.

A lease ends by itself after a few minutes, lives in the memory of the process that owns the store, and
forbids nothing: whoever decides all the same gives a verdict like any other, and the history shows both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from minedisc_core.review.verdicts import ANALYST_LENGTH, NOBODY
from minedisc_core.store.text import one_line


@dataclass(frozen=True)
class _Lease:
    client: str
    analyst: str
    ends: float


class Leases:
    """Leases of all candidates. Threads may share it.

    Args:
        minutes: how long a lease lasts after the last look.
        now: a clock in seconds that never goes back.
    """

    def __init__(self, minutes: float = 3.0, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = minutes * 60
        self._now = now
        self._lock = threading.Lock()
        self._held: dict[str, _Lease] = {}

    def look(self, candidate_id: str, analyst: str, client: str) -> str | None:
        """Take the lease of a candidate, or renew it; the client's lease of another candidate ends.

        Args:
            candidate_id: what is looked at.
            analyst: the name that others will read.
            client: UUID of the browser tab: one person with two tabs is two clients.

        Returns:
            None: the lease is yours. Else the name of the one who holds it.
        """
        with self._lock:
            self._forget(client, but=candidate_id)
            held = self._held.get(candidate_id)
            if held is not None and held.client != client:
                return held.analyst
            name = one_line(analyst, ANALYST_LENGTH) or NOBODY
            self._held[candidate_id] = _Lease(client, name, self._now() + self._seconds)
            return None

    def others(self, client: str) -> dict[str, str]:
        """Candidates that other clients are looking at, with the names of their analysts."""
        with self._lock:
            self._forget("")
            return {name: lease.analyst for name, lease in self._held.items() if lease.client != client}

    def leave(self, client: str) -> None:
        """End the client's lease."""
        with self._lock:
            self._forget(client)

    def _forget(self, client: str, but: str = "") -> None:
        """Drop leases that have ended, and the client's own but that of one candidate."""
        now = self._now()
        self._held = {
            candidate_id: lease
            for candidate_id, lease in self._held.items()
            if lease.ends > now and (lease.client != client or candidate_id == but)
        }
