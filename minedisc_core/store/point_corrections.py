"""What people decided about points of registers that are off target: append-only, the last word of each point counts.

An undo is an event too. Registers are told apart by the content of their file, points by their line.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from minedisc_core.errors import EventRefused
from minedisc_core.store.connection import Cursor, maybe_row
from minedisc_core.store.records import CorrectionEvent
from minedisc_core.store.text import one_line

_COLUMNS = "event_id, register_id, source, line, action, lon, lat, new_lon, new_lat, analyst, given_utc, undoes"


def record(cursor: Cursor, event: CorrectionEvent) -> None:
    """Write an event; one that is there already changes nothing.

    Raises:
        EventRefused: a move without a place, or a place nowhere on Earth.
    """
    if event.action == "moved" and not _is_on_earth(event.new_lon, event.new_lat):
        raise EventRefused(
            f"the point was moved to {event.new_lon}, {event.new_lat}", "longitude -180 to 180, latitude -90 to 90"
        )
    values = [
        event.event_id, event.register_id, one_line(event.source), event.line, event.action, event.lon, event.lat,
        event.new_lon, event.new_lat, one_line(event.analyst), event.given_at_utc, event.undoes,
    ]  # fmt: skip
    marks = ", ".join("?" * len(values))
    cursor.execute(
        f"INSERT INTO point_corrections ({_COLUMNS}) VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608  # fixed
        values,
    )


def _is_on_earth(lon: float | None, lat: float | None) -> bool:
    return lon is not None and lat is not None and -180 <= lon <= 180 and -90 <= lat <= 90


def undo(cursor: Cursor, register_id: str, analyst: str, event_id: str) -> CorrectionEvent | None:
    """Undo the analyst's last decision on a register that is not undone; gives it, or None if there is none."""
    repeated = maybe_row(cursor.execute("SELECT undoes FROM point_corrections WHERE event_id = ?", [event_id]))
    found = maybe_row(
        cursor.execute(
            f"SELECT {_COLUMNS} FROM point_corrections c WHERE "  # noqa: S608  # fixed text
            + ("event_id = ?" if repeated else
               "register_id = ? AND analyst = ? AND action <> 'undone' AND NOT EXISTS"
               " (SELECT 1 FROM point_corrections u WHERE u.undoes = c.event_id) ORDER BY event_no DESC LIMIT 1"),
            [repeated[0]] if repeated else [register_id, one_line(analyst)],
        )
    )  # fmt: skip
    if found is None:
        return None
    last = _event(found)
    now = datetime.now(UTC).replace(tzinfo=None)
    undone = CorrectionEvent(
        event_id, last.register_id, last.source, last.line, "undone", last.lon, last.lat, None, None, analyst, now,
        last.event_id,
    )  # fmt: skip
    record(cursor, undone)
    return last


def in_force(cursor: Cursor, register_id: str | None = None) -> list[CorrectionEvent]:
    """The last decision of each point that is not undone, by register and line."""
    rows = cursor.execute(
        f"SELECT {_COLUMNS} FROM point_corrections c WHERE action <> 'undone' AND (? IS NULL OR register_id = ?)"  # noqa: S608  # fixed text
        " AND NOT EXISTS (SELECT 1 FROM point_corrections u WHERE u.undoes = c.event_id)"
        " QUALIFY row_number() OVER (PARTITION BY register_id, line ORDER BY event_no DESC) = 1"
        " ORDER BY source, register_id, line",
        [register_id, register_id],
    ).fetchall()
    return [_event(row) for row in rows]


def history(cursor: Cursor, register_id: str | None = None) -> list[CorrectionEvent]:
    """All events, oldest first."""
    rows = cursor.execute(
        f"SELECT {_COLUMNS} FROM point_corrections WHERE ? IS NULL OR register_id = ? ORDER BY event_no",  # noqa: S608  # fixed text
        [register_id, register_id],
    ).fetchall()
    return [_event(row) for row in rows]


def _event(row: tuple[Any, ...]) -> CorrectionEvent:
    return CorrectionEvent(*row)
