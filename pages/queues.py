"""Review queues: an order of candidates as it was when the filter was chosen."""

from __future__ import annotations

from dataclasses import dataclass

from minedisc_core.store import CandidateFilter
from pages import shared


@dataclass(frozen=True)
class Queue:
    """What one browser tab walks through."""

    name: str
    """Under this name the panel asks for more candidates."""
    wanted: CandidateFilter
    total: int
    index: int
    """Where to begin."""
    start: tuple[float, float] | None
    """Latitude and longitude of the candidate to begin with."""


def new_queue(wanted: CandidateFilter, current: str | None) -> Queue:
    """The candidates that pass the filter now, beginning with `current` if it is among them."""
    store = shared.store()
    order = store.candidate_ids(wanted)
    index = order.index(current) if current in order else 0
    first = store.candidate(order[index]).site if order else None
    start = (first.peak_lat, first.peak_lon) if first else None
    return Queue(shared.house().keep_queue(order), wanted, len(order), index, start)
