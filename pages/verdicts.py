"""Verdicts as the browser sends them: a log with client-made ids, acknowledged once they are stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from minedisc_core.domain import Impact, Reason, Status, VerdictEvent
from minedisc_core.errors import EventRefused, UsageError
from minedisc_core.review import NOBODY, new_verdict
from pages import review_panel, shared

EVENTS_MAX = 100


def take(body: bytes) -> dict[str, Any]:
    """Store verdicts and undos in the order they were made.

    Returns:
        `acknowledged`: ids that are stored; `refused`: ids that never will be, with the problem;
        `undone`: candidates that an undo of an earlier visit's verdict opened again; `counters`.

    Raises:
        UsageError: the body is not what the panel sends.
        StoreError: the database cannot be written now. Nothing is refused: the browser keeps all events and
            sends them again, which is harmless for those that were stored.
    """
    sent = _parsed(body)
    acknowledged, refused, undone = [], [], []
    for event in sent["events"][:EVENTS_MAX]:
        with shared.Noted(EventRefused, UsageError, ValueError) as noted:
            undone += _store(event)
            acknowledged.append(event["event_id"])
        if noted.problem:
            refused.append({"event_id": event["event_id"], "problem": noted.problem})
    shared.house().cut_soon()
    run_id = _text(sent, "run") or None
    counters = review_panel.counters(run_id, _text(sent, "analyst"))
    return {"acknowledged": acknowledged, "refused": refused, "undone": undone, "counters": counters}


def _parsed(body: bytes) -> dict[str, Any]:
    with shared.Noted(ValueError):
        sent = json.loads(body)
        if isinstance(sent, dict) and isinstance(sent.get("events"), list) and all(map(_is_event, sent["events"])):
            return sent
    raise UsageError("these are not verdicts as the review panel sends them", remedy="reload the page")


def _is_event(event: object) -> bool:
    if not isinstance(event, dict) or not isinstance(event.get("event_id"), str):
        return False
    with shared.Noted(ValueError) as noted:
        UUID(event["event_id"])
    return not noted.problem


def _store(event: Mapping[str, Any]) -> list[str]:
    """Store one event; the candidate that an undo has opened again, where the browser cannot know it."""
    store, analyst = shared.store(), _text(event, "analyst").strip() or NOBODY
    if event.get("verdict") != Status.UNDECIDED:
        store.record([_verdict(event, analyst)])
        return []
    if not _text(event, "undoes"):
        made = store.undo(analyst, event["event_id"])
        return [made.candidate_id] if made else []
    candidate_id = _text(event, "candidate_id")
    now = datetime.now(UTC).replace(tzinfo=None)
    store.record(
        [VerdictEvent(event["event_id"], candidate_id, Status.UNDECIDED, analyst, now, undoes=event["undoes"])]
    )
    return []


def _verdict(event: Mapping[str, Any], analyst: str) -> VerdictEvent:
    reason, impact = _text(event, "reason"), _text(event, "impact")
    return new_verdict(
        _text(event, "candidate_id"),
        Status(_text(event, "verdict")),
        analyst,
        reason=Reason(reason) if reason else None,
        notes=_text(event, "notes"),
        impact=Impact(impact) if impact else None,
        event_id=event["event_id"],
    )


def _text(sent: Mapping[str, Any], name: str) -> str:
    value = sent.get(name)
    return value if isinstance(value, str) else ""
