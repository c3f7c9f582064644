"""Who is looking at which candidate right now, so that two people do not decide the same one.

A lease ends by itself after a few minutes, lives in the memory of the process that owns the store, and
forbids nothing: whoever decides all the same gives a verdict like any other, and the history shows both.
"""

from __future__ import annotations

import math
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
        self._left: dict[str, tuple[float, float]] = {}
        """When each client said that it left, by its own clock, and by ours."""

    def look(self, candidate_id: str, analyst: str, client: str, said_at: float = math.inf) -> str | None:
        """Take the lease of a candidate, or renew it; the client's lease of another candidate ends.

        Args:
            candidate_id: what is looked at.
            analyst: the name that others will read.
            client: UUID of the browser tab: one person with two tabs is two clients.
            said_at: when the client said so, by any clock of its own. A look that was overtaken by the client's
                leave takes no lease: nobody would end it.

        Returns:
            None: the lease is yours. Else the name of the one who holds it.
        """
        with self._lock:
            self._forget(client, but=candidate_id)
            held = self._held.get(candidate_id)
            if held is not None and held.client != client:
                return held.analyst
            if said_at < self._left.get(client, (-math.inf, 0.0))[0]:
                return None
            name = one_line(analyst, ANALYST_LENGTH) or NOBODY
            self._held[candidate_id] = _Lease(client, name, self._now() + self._seconds)
            return None

    def others(self, client: str) -> dict[str, str]:
        """Candidates that other clients are looking at, with the names of their analysts."""
        with self._lock:
            self._forget("")
            return {name: lease.analyst for name, lease in self._held.items() if lease.client != client}

    def leave(self, client: str, said_at: float = -math.inf) -> None:
        """End the client's lease, whatever it said up to `said_at`, by its own clock."""
        with self._lock:
            self._forget(client)
            now = self._now()
            self._left = {name: left for name, left in self._left.items() if left[1] + self._seconds > now}
            self._left[client] = said_at, now

    def _forget(self, client: str, but: str = "") -> None:
        """Drop leases that have ended, and the client's own but that of one candidate."""
        now = self._now()
        self._held = {
            candidate_id: lease
            for candidate_id, lease in self._held.items()
            if lease.ends > now and (lease.client != client or candidate_id == but)
        }
