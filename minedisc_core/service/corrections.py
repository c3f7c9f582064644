"""Points of registers that are off target: what people decide about them, and what is exported of it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from minedisc_core.errors import UsageError
from minedisc_core.exports.corrections import corrections_csv
from minedisc_core.registers.points import open_points
from minedisc_core.runs import write_atomically
from minedisc_core.service.records import plain
from minedisc_core.settings import Settings
from minedisc_core.store import CorrectionAction, CorrectionEvent, Store

_ACTIONS = tuple(action for action in get_args(CorrectionAction) if action != "undone")


def correct_point(
    store: Store,
    settings: Settings,
    points: str,
    line: int,
    action: str,
    analyst: str,
    move_to: tuple[float, float] | None = None,
    event_id: str | None = None,
) -> dict[str, Any]:
    """Keep what a person decided about one point of a register; the register itself stays as it is.

    Args:
        store: the store.
        settings: names the home.
        points: a file, or the id of a loaded snapshot.
        line: of the point, as the register numbers it.
        action: moved, not_a_mine or skipped.
        analyst: who decided.
        move_to: longitude and latitude (EPSG:4326), with `moved`.
        event_id: UUID made by the caller, so that a repeated call changes nothing.

    Raises:
        UsageError: another action, no such line, or a place where none belongs.
        RegisterError: the register cannot be read.
        EventRefused: the place is nowhere on Earth.
    """
    if action not in _ACTIONS:
        raise UsageError(f"{action!r} is no decision about a point", ", ".join(_ACTIONS))
    if (action == "moved") != (move_to is not None):
        raise UsageError("a place goes with a move, and only with it", "longitude and latitude of the mine")
    read = open_points(points, settings)
    point = next((each for each in read.points if each.line == line), None)
    if point is None:
        raise UsageError(f"{read.source} has no point at line {line}", "a line that holds a usable point")
    event = CorrectionEvent(
        event_id=event_id or str(uuid.uuid4()),
        register_id=read.register_id,
        source=read.source,
        line=line,
        action=action,  # type: ignore[arg-type]  # checked above
        lon=point.lon,
        lat=point.lat,
        new_lon=move_to[0] if move_to else None,
        new_lat=move_to[1] if move_to else None,
        analyst=analyst,
        given_at_utc=datetime.now(UTC).replace(tzinfo=None, microsecond=0),
    )
    store.correct_point(event)
    found: dict[str, Any] = plain(event)
    return found


def undo_correction(
    store: Store, settings: Settings, points: str, analyst: str, event_id: str | None = None
) -> dict[str, Any] | None:
    """Undo the analyst's last decision about a point of a register; the decision, None if there was none."""
    register_id = open_points(points, settings).register_id
    undone = store.undo_correction(register_id, analyst, event_id or str(uuid.uuid4()))
    return None if undone is None else plain(undone)


def corrections(
    store: Store, settings: Settings, points: str | None = None, with_history: bool = False, out: str | None = None
) -> list[dict[str, Any]]:
    """The decision in force of each corrected point, of one register or of all; written as CSV too if asked.

    Args:
        store: the store.
        settings: names the home.
        points: a file, or the id of a loaded snapshot; None: all registers.
        with_history: all decisions and their undos instead, oldest first.
        out: CSV file to write.
    """
    register_id = open_points(points, settings).register_id if points else None
    found = store.correction_history(register_id) if with_history else store.corrections(register_id)
    if out:
        write_atomically(Path(out), corrections_csv(found))
    return [plain(event) for event in found]
