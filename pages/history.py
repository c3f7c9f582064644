"""What was decided on a candidate, by whom and when, in words: all verdicts, those that were undone too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from minedisc_core.domain import Candidate, Status, VerdictEvent
from minedisc_core.grid import geodesic_area_ha
from minedisc_core.store.verdicts import CARRIED_PREFIX
from pages import words
from pages.texts import t

LINES_MAX = 50
"""Newest lines that the screen shows."""


def state(candidate: Candidate, events: Sequence[VerdictEvent]) -> dict[str, Any]:
    """All that is in force for a candidate, for the next verdict says all again; and how it came about."""
    is_moved = candidate.moved_lon is not None and candidate.moved_lat is not None
    return {
        "id": candidate.candidate_id,
        "status": str(candidate.status),
        "reason": str(candidate.reason) if candidate.reason else None,
        "notes": candidate.notes,
        "impact": str(candidate.impact),
        "moved": [candidate.moved_lon, candidate.moved_lat] if is_moved else None,
        "footprint": candidate.footprint.__geo_interface__ if candidate.footprint else None,
        "history": lines(events),
        "area_drawn": area_drawn(candidate),
    }


def area_drawn(candidate: Candidate) -> str | None:
    """The area of the drawn footprint; None where nobody drew one."""
    return None if candidate.area_drawn_ha is None else words.ha(candidate.area_drawn_ha)


def lines(events: Sequence[VerdictEvent]) -> list[dict[str, Any]]:
    """A line for each event, newest first; `undone` marks verdicts that were taken back."""
    undone = {event.undoes for event in events if event.undoes}
    verdicts = {event.event_id: event for event in events if not event.undoes}
    return [
        {
            "who": event.analyst,
            "when": words.moment(event.at_utc),
            "what": _undo(event, verdicts) if event.undoes else " · ".join(_verdict(event)),
            "undone": event.event_id in undone,
        }
        for event in reversed(events[-LINES_MAX:])
    ]


def _undo(event: VerdictEvent, verdicts: dict[str, VerdictEvent]) -> str:
    taken_back = verdicts.get(event.undoes or "")
    if taken_back is None or taken_back.analyst == event.analyst:
        return t("took it back")
    return t("took back the verdict of {who}", who=taken_back.analyst)


def _verdict(event: VerdictEvent) -> Iterator[str]:
    label = words.STATUS[event.verdict]
    because = event.verdict is Status.REJECTED and event.reason is not None
    yield f"{label}: {words.REASON[event.reason]}" if because and event.reason else label
    if event.event_id.startswith(CARRIED_PREFIX):
        yield t("carried over from the same place in the same imagery")
    if event.impact:
        yield t("class set to {label}", label=words.IMPACT[event.impact])
    if event.moved_lon is not None:
        yield t("point moved")
    if event.footprint is not None:
        yield t("footprint of {area}", area=words.ha(geodesic_area_ha(event.footprint)))
    if event.notes:
        yield f"“{event.notes}”"
