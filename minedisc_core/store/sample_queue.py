"""The retraining queue: one row per verdict that gives a sample, written with the verdict itself.

The row follows the verdict in force: an undo or another verdict withdraws it, undoing that brings it
back. Its pixels are cut afterwards (`learning.samples`), so a verdict never waits for a mosaic.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import shapely

from minedisc_core.domain import Reason, Status, VerdictEvent
from minedisc_core.store.connection import Cursor, maybe_row
from minedisc_core.store.records import DatasetRow, Pixels, QueueRow, SampleLabel

LABELS: dict[Status, SampleLabel] = {Status.CONFIRMED: "mine", Status.REJECTED: "background"}
"""Which verdict gives which label; `unsure` gives none."""
_SAMPLES = uuid.UUID("0d9d7e1c-52a2-5b8e-8a0f-6a1f3b1f6f51")
"""Namespace of sample ids: made from the event's id, safe as a file name whatever the client sent."""


def sample_id_of(event_id: str) -> str:
    """The sample's id and file stem: 32 hexadecimal digits."""
    return uuid.uuid5(_SAMPLES, event_id).hex


def withdraw_others(cursor: Cursor, candidate_id: str, in_force: VerdictEvent | None) -> None:
    """Take every sample of a candidate out of the queue but the one of the verdict in force, which comes back."""
    wanted = in_force.event_id if in_force and in_force.verdict in LABELS else ""
    cursor.execute(
        "UPDATE samples SET withdrawn = (event_id <> ?) WHERE candidate_id = ? AND withdrawn = (event_id = ?)",
        [wanted, candidate_id, wanted],
    )


def queue_sample(cursor: Cursor, site_no: int, in_force: VerdictEvent | None, *, is_new: bool) -> None:
    """Queue the sample of the verdict in force, if it gives one and has none yet; a new event cannot have one."""
    if in_force and in_force.verdict in LABELS and (is_new or not _is_queued(cursor, in_force.event_id)):
        _insert(cursor, site_no, in_force)


def _is_queued(cursor: Cursor, event_id: str) -> bool:
    """A carried-over verdict needs no sample: the place has one of the same imagery already."""
    query = (
        "SELECT 1 FROM samples WHERE sample_id = ? UNION ALL"
        " SELECT 1 FROM verdict_events WHERE event_id = ? AND carried_from IS NOT NULL"
    )
    return maybe_row(cursor.execute(query, [sample_id_of(event_id), event_id])) is not None


def _insert(cursor: Cursor, site_no: int, event: VerdictEvent) -> None:
    lon, lat = _given_centre(event)
    reason = None if event.reason is None else str(event.reason)
    now = datetime.now(UTC).replace(tzinfo=None)
    cursor.execute(
        "INSERT INTO samples SELECT ?, ?, candidate_id, run_id, ?, ?, ?, coalesce(?, peak_lon), coalesce(?, peak_lat),"
        " ?, false, 'pending', '', '' FROM sites WHERE site_no = ?",
        [sample_id_of(event.event_id), event.event_id, LABELS[event.verdict], reason, now,
         lon, lat, lon is not None, site_no],
    )  # fmt: skip


def _given_centre(event: VerdictEvent) -> tuple[float | None, float | None]:
    """Where the person says the mine is: the moved point, else a point inside the outline drawn with a confirmation."""
    if event.moved_lon is not None and event.moved_lat is not None:
        return event.moved_lon, event.moved_lat
    if event.footprint is None or event.verdict is not Status.CONFIRMED:
        return None, None
    inside = event.footprint.representative_point()
    return inside.x, inside.y


def follow_all_verdicts(cursor: Cursor) -> None:
    """Withdraw or bring back every sample as the states say."""
    cursor.execute(
        "UPDATE samples SET withdrawn = NOT EXISTS (SELECT 1 FROM states s WHERE s.event_id = samples.event_id"
        " AND s.status IN ('confirmed', 'rejected'))"
    )


_COLUMNS = (
    "s.sample_id, s.event_id, s.candidate_id, s.run_id, s.label, s.reason, s.queued_utc, s.lon, s.lat, s.is_moved,"
    " s.withdrawn, s.pixels, s.problem, s.sha256"
)
_FIELDS = tuple(field.name for field in dataclasses.fields(QueueRow))[:14]


def queue(cursor: Cursor, include_withdrawn: bool = False) -> list[QueueRow]:
    """The queue, oldest first."""
    rows = cursor.execute(
        f"SELECT {_COLUMNS}, list(d.version ORDER BY d.version) FILTER (d.version IS NOT NULL), any_value(e.footprint)"  # noqa: S608  # fixed text
        " FROM samples s LEFT JOIN dataset_samples d USING (sample_id) LEFT JOIN verdict_events e ON"
        " e.event_id = s.event_id WHERE NOT s.withdrawn OR ? GROUP BY ALL"
        " ORDER BY s.queued_utc, s.sample_id",
        [include_withdrawn],
    ).fetchall()
    return [_row(row) for row in rows]


def _row(row: tuple[Any, ...]) -> QueueRow:
    values = dict(zip(_FIELDS, row[:14], strict=True))
    values["reason"] = Reason(row[5]) if row[5] else None
    footprint = shapely.from_wkb(row[15]) if row[15] else None
    return QueueRow(**values, datasets=tuple(row[14] or ()), footprint=footprint)


def note_pixels(cursor: Cursor, sample_id: str, pixels: Pixels, problem: str, sha256: str) -> None:
    """Write down that a sample's pixels were cut, or why not."""
    cursor.execute(
        "UPDATE samples SET pixels = ?, problem = ?, sha256 = ? WHERE sample_id = ?",
        [pixels, problem, sha256, sample_id],
    )


def add_dataset(cursor: Cursor, version: str, folder: Path, sample_ids: Sequence[str]) -> None:
    """Write down which samples a new dataset version holds."""
    now = datetime.now(UTC).replace(tzinfo=None)
    cursor.execute("INSERT INTO datasets VALUES (?, ?, ?)", [version, now, str(folder)])
    cursor.execute("INSERT INTO dataset_samples SELECT ?, unnest(?)", [version, list(sample_ids)])


def datasets(cursor: Cursor) -> list[DatasetRow]:
    """All dataset versions, newest first, with the number of samples withdrawn since."""
    rows = cursor.execute(
        "SELECT d.version, d.made_utc, d.folder, count(s.sample_id), count(*) FILTER (s.withdrawn) FROM datasets d"
        " LEFT JOIN dataset_samples USING (version) LEFT JOIN samples s USING (sample_id) GROUP BY ALL"
        " ORDER BY d.version DESC"
    ).fetchall()
    return [DatasetRow(version, made, Path(folder), total, gone) for version, made, folder, total, gone in rows]
