"""Review queues that are kept while pages walk through them, so that decided candidates can be gone back to."""

from __future__ import annotations

import threading
from collections import OrderedDict
from uuid import uuid4

from minedisc_core.store import CandidateFilter, QueueOrder

QUEUES_KEPT = 64
"""A browser tab whose queue was dropped gets a new one."""
CANDIDATES_KEPT = 20_000_000
"""In all queues together, 160 MB: long queues push out old ones earlier."""


class QueueMemory:
    """Orders of candidates under names that nobody can guess. Threads may share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, QueueOrder] = OrderedDict()
        self._filters: dict[str, CandidateFilter] = {}
        self._looks: dict[str, str] = {}
        self._lock = threading.Lock()

    def keep(self, order: QueueOrder, wanted: CandidateFilter) -> str:
        """Remember an order of candidates, by their numbers, and the filter that made it; its name."""
        name = uuid4().hex
        with self._lock:
            self._kept[name] = order
            self._filters[name] = wanted
            while len(self._kept) > 1 and self._are_too_many():
                dropped, _ = self._kept.popitem(last=False)
                self._looks.pop(dropped, None)
                self._filters.pop(dropped, None)
        return name

    def get(self, name: str) -> QueueOrder | None:
        """An order; None if it is not known any more. One that is asked for is dropped later."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)

    def filter_of(self, name: str) -> CandidateFilter | None:
        """The filter of a queue; None if it is not known any more."""
        with self._lock:
            return self._filters.get(name)

    def look(self, name: str, candidate_id: str) -> None:
        """Remember which candidate is looked at in a queue."""
        with self._lock:
            if name in self._kept:
                self._looks[name] = candidate_id

    def last_look(self, name: str) -> str:
        """The candidate that was looked at last in a queue; empty if it is not known."""
        with self._lock:
            return self._looks.get(name, "")

    def _are_too_many(self) -> bool:
        return len(self._kept) > QUEUES_KEPT or sum(map(len, self._kept.values())) > CANDIDATES_KEPT
