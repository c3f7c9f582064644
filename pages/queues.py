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
    order = store.candidate_ids(wanted)
    guest = _candidate(current) if is_linked and current not in order else ""
    if guest:
        order = [guest, *order]
    index = order.index(current) if current in order else 0
    first_site = store.candidate(order[index]).site if order else None
    start = (first_site.peak_lat, first_site.peak_lon) if first_site else None
    return Queue(shared.house().keep_queue(order), wanted, len(order), index, start, bool(guest))


def _candidate(candidate_id: str) -> str:
    """The id, if there is such a candidate; else empty."""
    with shared.Noted():
        return shared.store().candidate(candidate_id).candidate_id
    return ""


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
        start = max(0, order.index(around) - 2) if around in order else len(order)
    ids = order[start : start + count]
    events = shared.store().histories(ids) if ids else {}
    found = shared.store().candidates_by_id(ids) if ids else []
    made = [facts.item(each, start + k, events.get(each.candidate_id, [])) for k, each in enumerate(found)]
    return {"queue": queue, "items": made}


def counters(run_id: str | None, analyst: str) -> dict[str, Any]:
    """Decided and left in the run (or in all), and the analyst's own pace."""
    found = shared.store().counters(run_id, analyst or None)  # total and left are everybody's, whoever is asked about
    return {"decided": found.total - found.left, "left": found.left, "total": found.total, "per_hour": found.per_hour}
