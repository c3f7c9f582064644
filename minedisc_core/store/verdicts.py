"""The append-only log of verdicts and the states folded from it.

A verdict says all: status, reason, notes, class, point and footprint of the last verdict that was not
undone are the candidate's. An undo is an event of its own; undoing twice is harmless.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import pyarrow as pa
import shapely
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import VERDICTS, Impact, Reason, Status, VerdictEvent
from minedisc_core.errors import EventRefused
from minedisc_core.grid import geodesic_area_ha
from minedisc_core.store.connection import Cursor, maybe_row
from minedisc_core.store.sample_queue import follow_all_verdicts, queue_sample, withdraw_others
from minedisc_core.store.seen import follow_all_looks
from minedisc_core.store.take_in import STATE_COLUMNS, update_states
from minedisc_core.store.text import one_line, several_lines

EVENT_COLUMNS = (
    "event_id, candidate_id, verdict, analyst, given_utc, reason, notes, impact, moved_lon, moved_lat, undoes,"
    " footprint, batch_id"
)
_UNDONE_TOGETHER = uuid.UUID("8c3d5c52-0f0b-5d57-9a53-0c9a1f0f6a77")
"""Namespace of the ids of undos that belong to one gesture: the same undo makes the same ids."""
_NOT_UNDONE = "NOT EXISTS (SELECT 1 FROM verdict_events u WHERE u.undoes = e.event_id)"
_IN_FORCE = "EXISTS (SELECT 1 FROM states s WHERE s.event_id = e.event_id)"
CARRIED_PREFIX = "carried-"
"""Event ids of verdicts that a take-in carried over from the same place in the same imagery."""


def fold(events: Sequence[VerdictEvent]) -> VerdictEvent | None:
    """The verdict in force among one candidate's events (oldest first); None if it is undecided."""
    undone = {event.undoes for event in events if event.undoes}
    for event in reversed(events):
        if event.verdict is not Status.UNDECIDED and event.event_id not in undone:
            return event
    return None


def record(cursor: Cursor, events: Iterable[VerdictEvent]) -> tuple[str, ...]:
    """Write events that are not there yet; returns the ids of all of them.

    Raises:
        EventRefused: unknown candidate, or an undo of something that is no verdict on it.
        StoreError: the database cannot be written now; the same events can be sent again.
    """
    acknowledged = []
    for event in events:
        site_no, before = _site(cursor, event)
        if not _is_known(cursor, event):
            _append(cursor, event)
            in_force = fold(history(cursor, event.candidate_id)) if event.undoes else event
            _set_state(cursor, site_no, in_force)
            if event.undoes or before:
                withdraw_others(cursor, event.candidate_id, in_force)
            queue_sample(cursor, site_no, in_force, is_new=not event.undoes)
        acknowledged.append(event.event_id)
    return tuple(acknowledged)


def _site(cursor: Cursor, event: VerdictEvent) -> tuple[int, str | None]:
    """The candidate's number and the event in force before this one."""
    row = maybe_row(
        cursor.execute("SELECT site_no, event_id FROM states WHERE candidate_id = ?", [one_line(event.candidate_id)])
    )
    if row is None:
        raise unknown_candidate(event.candidate_id)
    return int(row[0]), row[1]


def unknown_candidate(candidate_id: str) -> EventRefused:
    """The error for an id that no candidate has."""
    return EventRefused(
        f"There is no candidate {one_line(candidate_id, 80)!r}",
        "the id of a candidate that was taken in",
        "list them with `minedisc candidates`",
    )


def _is_known(cursor: Cursor, event: VerdictEvent) -> bool:
    row = maybe_row(cursor.execute("SELECT candidate_id FROM verdict_events WHERE event_id = ?", [event.event_id]))
    if row and row[0] != event.candidate_id:
        raise EventRefused(f"Event {event.event_id} was already used for {row[0]}", "a new UUID for each verdict")
    return row is not None


def _append(cursor: Cursor, event: VerdictEvent) -> None:
    _check(cursor, event)
    cursor.execute(
        f"INSERT INTO verdict_events ({EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  # our own names
        [event.event_id, event.candidate_id, str(event.verdict), one_line(event.analyst), event.at_utc,
         _code(event.reason), several_lines(event.notes), _code(event.impact), event.moved_lon, event.moved_lat,
         event.undoes, _wkb(event.footprint), event.batch_id],
    )  # fmt: skip


def _check(cursor: Cursor, event: VerdictEvent) -> None:
    is_undo = event.undoes is not None
    if not event.event_id or is_undo == (event.verdict in VERDICTS):
        raise EventRefused(
            f"Event {event.event_id!r} says {event.verdict} and undoes {event.undoes}",
            "an id, and either a verdict or an undo",
        )
    if not is_undo:
        return
    target = maybe_row(
        cursor.execute("SELECT candidate_id FROM verdict_events WHERE event_id = ? AND undoes IS NULL", [event.undoes])
    )
    if target is None or target[0] != event.candidate_id:
        found = f"There is no verdict {event.undoes} on {event.candidate_id}"
        raise EventRefused(found, "a verdict that can be undone")


def _code(value: Reason | Impact | None) -> str | None:
    return None if value is None else str(value)


def _wkb(footprint: BaseGeometry | None) -> bytes | None:
    return None if footprint is None else bytes(shapely.to_wkb(footprint))


def _set_state(cursor: Cursor, site_no: int, event: VerdictEvent | None) -> None:
    setting = ", ".join(f"{name} = ?" for name in STATE_COLUMNS)
    cursor.execute(f"UPDATE states SET {setting} WHERE site_no = ?", [*_state_values(event), site_no])  # noqa: S608  # our own names


def _state_values(event: VerdictEvent | None) -> list[Any]:
    if event is None:
        return [str(Status.UNDECIDED), None, "", "", *[None] * (len(STATE_COLUMNS) - 4)]
    area_ha = None if event.footprint is None else geodesic_area_ha(event.footprint)
    return [str(event.verdict), _code(event.reason), several_lines(event.notes), one_line(event.analyst), event.at_utc,
            _code(event.impact), event.moved_lon, event.moved_lat, _wkb(event.footprint), area_ha,
            event.event_id]  # fmt: skip


def undo(cursor: Cursor, analyst: str, event_id: str, candidate_id: str | None) -> list[VerdictEvent]:
    """Undo the analyst's last verdict that was not undone; gives the undos, none if there is nothing to undo.

    Of verdicts given with one gesture all that are still in force are undone. With a candidate, only the
    last verdict of theirs on it, or else one that was carried over to it.
    """
    before = _events(cursor, "event_id = ?", [event_id])
    if before:
        gesture = before[0].batch_id
        return _events(cursor, "batch_id = ? AND undoes IS NOT NULL", [gesture]) if gesture else before
    name = one_line(analyst)
    target = _last_verdict(cursor, name, candidate_id)
    if target is None:
        return []
    together = [target] if candidate_id or not target.batch_id else _still_in_force(cursor, target)
    undos = _undos(together, name, event_id)
    record(cursor, undos)
    return undos


def _undos(targets: Sequence[VerdictEvent], analyst: str, event_id: str) -> list[VerdictEvent]:
    """One undo for each verdict; the first has the given id, and several share it as that of their gesture."""
    now = datetime.now(UTC).replace(tzinfo=None)
    others = [f"{uuid.uuid5(_UNDONE_TOGETHER, f'{event_id} {target.event_id}')}" for target in targets[1:]]
    gesture = event_id if others else None
    return [
        VerdictEvent(
            own_id, target.candidate_id, Status.UNDECIDED, analyst, now, undoes=target.event_id, batch_id=gesture
        )
        for own_id, target in zip([event_id, *others], targets, strict=True)
    ]


def _last_verdict(cursor: Cursor, analyst: str, candidate_id: str | None) -> VerdictEvent | None:
    given = f"e.undoes IS NULL AND {_NOT_UNDONE} AND analyst = ? AND carried_from IS NULL"
    if candidate_id is None:
        found = _events(cursor, f"{given} AND (batch_id IS NULL OR {_IN_FORCE})", [analyst], newest=True)
        return found[0] if found else None
    found = _events(cursor, f"{given} AND candidate_id = ?", [analyst, candidate_id], newest=True)
    found = found or _events(
        cursor, f"{_NOT_UNDONE} AND carried_from IS NOT NULL AND candidate_id = ?", [candidate_id], newest=True
    )
    return found[0] if found else None


def _still_in_force(cursor: Cursor, target: VerdictEvent) -> list[VerdictEvent]:
    """The verdicts of the target's gesture that nobody has changed or undone since."""
    return _events(
        cursor, f"batch_id = ? AND analyst = ? AND undoes IS NULL AND {_IN_FORCE}", [target.batch_id, target.analyst]
    )


def history(cursor: Cursor, candidate_id: str) -> list[VerdictEvent]:
    """All events of a candidate, oldest first, undone ones and undos included."""
    return _events(cursor, "candidate_id = ?", [candidate_id])


def histories(cursor: Cursor, candidate_ids: Sequence[str]) -> dict[str, list[VerdictEvent]]:
    """All events of each candidate, oldest first; an empty list where there is none."""
    found: dict[str, list[VerdictEvent]] = {candidate_id: [] for candidate_id in candidate_ids}
    for event in _events(cursor, "candidate_id IN (SELECT unnest(?))", [list(found)]):
        found[event.candidate_id].append(event)
    return found


def _events(cursor: Cursor, where: str, values: list[Any], newest: bool = False) -> list[VerdictEvent]:
    order = "DESC LIMIT 1" if newest else "ASC"
    rows = cursor.execute(
        f"SELECT {EVENT_COLUMNS} FROM verdict_events e WHERE {where} ORDER BY event_no {order}",  # noqa: S608  # fixed texts
        values,
    ).fetchall()
    return [_event(row) for row in rows]


def _event(row: tuple[Any, ...]) -> VerdictEvent:
    event_id, candidate_id, verdict, analyst, given, reason, notes, impact, lon, lat, undoes, footprint, batch = row
    return VerdictEvent(
        event_id, candidate_id, Status(verdict), analyst, given, Reason(reason) if reason else None, notes,
        Impact(impact) if impact else None, lon, lat, undoes, shapely.from_wkb(footprint) if footprint else None, batch,
    )  # fmt: skip


def rebuild_states(cursor: Cursor) -> int:
    """Fold every state, and the retraining queue, from the logs again; returns how many are decided."""
    rows = cursor.execute(f"SELECT {EVENT_COLUMNS} FROM verdict_events ORDER BY candidate_id, event_no").fetchall()  # noqa: S608  # fixed text
    events = (_event(row) for row in rows)
    folded = (fold(list(group)) for _, group in groupby(events, key=lambda event: event.candidate_id))
    in_force = [event for event in folded if event is not None]
    _set_all_undecided(cursor)
    if in_force:
        _set_states(cursor, in_force)
    follow_all_verdicts(cursor)
    follow_all_looks(cursor)
    return len(in_force)


def _set_all_undecided(cursor: Cursor) -> None:
    others = ", ".join(f"{name} = NULL" for name in STATE_COLUMNS if name not in ("status", "notes", "analyst"))
    cursor.execute(f"UPDATE states SET status = 'undecided', notes = '', analyst = '', {others}")  # noqa: S608  # our own names


_TYPES = (pa.string(), pa.string(), pa.string(), pa.string(), pa.timestamp("us"), pa.string(), pa.float64(),
          pa.float64(), pa.binary(), pa.float64(), pa.string())  # fmt: skip


def _set_states(cursor: Cursor, in_force: list[VerdictEvent]) -> None:
    values = list(zip(*(_state_values(event) for event in in_force), strict=True))
    columns = {name: pa.array(v, kind) for name, v, kind in zip(STATE_COLUMNS, values, _TYPES, strict=True)}
    columns["candidate_id"] = pa.array([event.candidate_id for event in in_force])
    cursor.register("folded_events", pa.table(columns))
    try:
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE folded AS SELECT s.site_no, f.* EXCLUDE (candidate_id) FROM folded_events f"
            " JOIN states s ON s.candidate_id = f.candidate_id"
        )
        update_states(cursor, "folded")
        cursor.execute("DROP TABLE folded")
    finally:
        cursor.unregister("folded_events")
