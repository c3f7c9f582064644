"""Verdicts as the browser sends them: a log with client-made ids, acknowledged once they are stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from minedisc_core.domain import Impact, Reason, Status, VerdictEvent
from minedisc_core.errors import EventRefused, UsageError
from minedisc_core.review import footprint_from_geojson, new_verdict
from pages import history, queues, sent, shared
from pages.texts import translated

EVENTS_MAX = 100
NOTES_READ = 100_000
"""More than a note may hold, so that one that is too long is refused in words and not cut."""


def take(asked: dict[str, Any], bound: str) -> dict[str, Any]:
    """Store verdicts and undos in the order they were made; `bound` is who is signed in, or empty.

    Returns:
        `acknowledged`: ids that are stored; `refused`: ids that never will be, with the problem;
        `undone`: candidates that an undo of an earlier visit's verdict opened again; `counters`;
        `updates`: what the store says now of every candidate that was written to.

    Raises:
        UsageError: the body is not what the panel sends.
        StoreError: the database cannot be written now. Nothing is refused: the browser keeps all events and
            sends them again, which is harmless for those that were stored.
    """
    events = asked.get("events")
    if not isinstance(events, list) or not all(isinstance(e, dict) and sent.uuid(e, "event_id") for e in events):
        raise UsageError("these are not verdicts as the review panel sends them", remedy=sent.RELOAD)
    acknowledged, refused, undone = _store_all(events[:EVENTS_MAX], bound)
    shared.house().cut_soon()
    stored = (event for event in events if event["event_id"] in acknowledged and not _undoes_the_last(event))
    written = {sent.text(event, "candidate_id") for event in stored}
    return {
        "acknowledged": acknowledged,
        "refused": refused,
        "undone": undone,
        "counters": queues.counters(sent.text(asked, "run") or None, bound or sent.text(asked, "analyst")),
        "updates": updates(written | set(undone)),
    }


def updates(candidate_ids: Iterable[str]) -> list[dict[str, Any]]:
    """What the store says now of some candidates; ids that are empty are left out."""
    ids = sorted(filter(None, candidate_ids))
    found = shared.store().candidates_by_id(ids) if ids else []
    events = shared.store().histories(ids) if ids else {}
    return [history.state(candidate, events.get(candidate.candidate_id, [])) for candidate in found]


def _store_all(events: list[dict[str, Any]], bound: str) -> tuple[list[str], list[dict[str, str]], list[str]]:
    if len(events) > 1 and _in_one_go(events, bound):
        return [event["event_id"] for event in events], [], []
    acknowledged, refused, undone = [], [], []
    for event in events:
        with shared.Noted(EventRefused, UsageError, ValueError) as noted:
            undone += _store(event, sent.analyst(event, bound))
            acknowledged.append(event["event_id"])
        if noted.problem:
            refused.append({"event_id": event["event_id"], "problem": translated(noted.problem)})
    return acknowledged, refused, undone


def _in_one_go(events: list[dict[str, Any]], bound: str) -> bool:
    """Whether all were stored in one transaction; False stores none: one that is refused must not hold up the rest."""
    if any(map(_undoes_the_last, events)):
        return False
    with shared.Noted(EventRefused, UsageError, ValueError) as noted:
        shared.store().record([_event(event, sent.analyst(event, bound)) for event in events])
    return not noted.problem


def _undoes_the_last(event: Mapping[str, Any]) -> bool:
    """Whether it takes back the analyst's last verdict, whichever that is: the server knows."""
    return event.get("verdict") == Status.UNDECIDED and event.get("undoes") is None


def _store(event: Mapping[str, Any], analyst: str) -> list[str]:
    """Store one event; the candidates that an undo has opened again, where the browser cannot know them."""
    if _undoes_the_last(event):
        return [made.candidate_id for made in shared.store().undo(analyst, event["event_id"])]
    shared.store().record([_event(event, analyst)])
    return []


def _event(event: Mapping[str, Any], analyst: str) -> VerdictEvent:
    if event.get("verdict") != Status.UNDECIDED:
        return _verdict(event, analyst)
    candidate_id, now = sent.text(event, "candidate_id"), datetime.now(UTC).replace(tzinfo=None)
    return VerdictEvent(
        event["event_id"], candidate_id, Status.UNDECIDED, analyst, now, undoes=sent.text(event, "undoes"),
        batch_id=_batch(event),
    )  # fmt: skip


def _verdict(event: Mapping[str, Any], analyst: str) -> VerdictEvent:
    reason, impact, footprint = (event.get(name) for name in ("reason", "impact", "footprint"))
    notes = event.get("notes")
    return new_verdict(
        sent.text(event, "candidate_id"),
        Status(sent.text(event, "verdict")),
        analyst,
        reason=Reason(reason) if reason else None,
        notes=notes[:NOTES_READ] if isinstance(notes, str) else "",
        impact=Impact(impact) if impact else None,
        moved=_point(event.get("moved")),
        footprint=None if footprint is None else footprint_from_geojson(footprint),
        batch_id=_batch(event),
        event_id=event["event_id"],
    )


def _point(moved: object) -> tuple[float, float] | None:
    if moved is None:
        return None
    if not isinstance(moved, list) or len(moved) != 2 or not all(type(v) in (int, float) for v in moved):
        raise UsageError("The point was moved to what is no place", "longitude and latitude in degrees")
    return moved[0], moved[1]


def _batch(event: Mapping[str, Any]) -> str | None:
    if event.get("batch") is None:
        return None
    return sent.uuid(event, "batch") or None
