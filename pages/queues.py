"""Review queues: an order of candidates as it was when the filter was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minedisc_core.errors import UsageError
from minedisc_core.store import CandidateFilter
from pages import facts, sent, shared


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
    has_guest: bool = False
    """The first candidate does not pass the filter: a link asked for it."""


def new_queue(wanted: CandidateFilter, current: str, is_linked: bool = False) -> Queue:
    """The candidates that pass the filter now, beginning with `current` if it is among them.

    Args:
        wanted: the filter and the order.
        current: a candidate's id, or empty.
        is_linked: a link asks for `current`: it stands first, also where it does not pass the filter (any more).
    """
    store = shared.store()
    order = store.queue(wanted)
    number = store.number_of(current) if current else None
    has_guest = is_linked and number is not None and order.position(number) is None
    if has_guest and number is not None:
        order = order.led_by(number)
    index = order.position(number) or 0
    first = store.candidates_by_number(order.part(index, 1))
    start = (first[0].site.peak_lat, first[0].site.peak_lon) if first else None
    return Queue(shared.house().queues.keep(order, wanted), wanted, len(order), index, start, has_guest)


def window(queue: str, start: int, count: int, around: str = "") -> dict[str, Any]:
    """Candidates `start` to `start + count` of a queue, or those around one of its candidates.

    Raises:
        UsageError: the queue is not known any more.
        EventRefused: one of its candidates is gone: its run came in anew.
    """
    order = shared.house().queues.get(queue)
    if order is None:
        raise UsageError("this review queue is not known any more", remedy=sent.RELOAD)
    if around:
        position = order.position(shared.store().number_of(around))
        start = len(order) if position is None else max(0, position - 2)
    found = shared.store().candidates_by_number(order.part(start, count))
    events = shared.store().histories([each.candidate_id for each in found]) if found else {}
    made = [facts.item(each, start + k, events.get(each.candidate_id, [])) for k, each in enumerate(found)]
    return {"queue": queue, "items": made}


def counters(run_id: str | None, analyst: str) -> dict[str, Any]:
    """Decided and left in the run (or in all), and the analyst's own pace."""
    found = shared.store().counters(run_id, analyst or None)  # total and left are everybody's, whoever is asked about
    return {"decided": found.total - found.left, "left": found.left, "total": found.total, "per_hour": found.per_hour}
