"""Register statuses that change when a snapshot is loaded or retired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa

from minedisc_core.domain import RegisterMatch, RegisterStatus
from minedisc_core.errors import StoreError
from minedisc_core.store.connection import Cursor, first_row
from minedisc_core.store.records import StatusChange
from minedisc_core.store.rows import MATCH_COLUMNS, match_columns, narrow_columns
from minedisc_core.store.text import one_line


def rematch(
    cursor: Cursor, candidate_ids: Sequence[str], matches: Sequence[RegisterMatch], note: str
) -> list[StatusChange]:
    """Replace the matches of candidates; statuses that differ become events and are returned.

    Raises:
        StoreError: ids and matches differ in number, or an id is unknown.
    """
    if len(candidate_ids) != len(matches):
        raise StoreError(f"{len(candidate_ids)} candidates came with {len(matches)} matches", "one match each")
    if not matches:
        return []
    ids = pa.array(list(candidate_ids), pa.string())
    incoming = pa.table({"candidate_id": ids, **match_columns(matches), **narrow_columns(matches)})
    cursor.register("rematched", incoming)
    try:
        return _apply(cursor, len(set(candidate_ids)), one_line(note))
    finally:
        cursor.unregister("rematched")


def _apply(cursor: Cursor, asked: int, note: str) -> list[StatusChange]:
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE renewed AS SELECT s.site_no, s.register_status AS before, m.* FROM rematched m"
        " JOIN states s ON s.candidate_id = m.candidate_id"
    )
    if first_row(cursor.execute("SELECT count(DISTINCT site_no) FROM renewed"))[0] != asked:
        raise StoreError("Some of the candidates that were matched are not in the store", "candidates taken in")
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = cursor.execute(
        "INSERT INTO status_changes (candidate_id, changed_utc, before, after, registers_as_of, note)"
        " SELECT candidate_id, ?, before, register_status, registers_as_of, ? FROM renewed"
        " WHERE before <> register_status ORDER BY site_no"
        " RETURNING candidate_id, changed_utc, before, after, registers_as_of, note",
        [now, note],
    ).fetchall()
    setting = ", ".join(f"{name} = renewed.{name}" for name in MATCH_COLUMNS)
    cursor.execute(f"UPDATE matches SET {setting} FROM renewed WHERE matches.site_no = renewed.site_no")  # noqa: S608  # our own names
    _renew_states(cursor)
    cursor.execute("DROP TABLE renewed")
    return [_change(row) for row in rows]


def _renew_states(cursor: Cursor) -> None:
    """Only what changed: a list column is written anew with its whole row."""
    for name in ("register_status", "nearness_m", "land_names"):
        cursor.execute(
            f"UPDATE states SET {name} = renewed.{name} FROM renewed WHERE states.site_no = renewed.site_no"  # noqa: S608  # our own names
            f" AND states.{name} IS DISTINCT FROM renewed.{name}"
        )


def _change(row: tuple[str, datetime, str, str, str, str]) -> StatusChange:
    candidate_id, changed, before, after, as_of, note = row
    return StatusChange(candidate_id, changed, RegisterStatus(before), RegisterStatus(after), as_of, note)


def status_changes(cursor: Cursor, limit: int) -> list[StatusChange]:
    """The last changes, newest first."""
    rows = cursor.execute(
        "SELECT candidate_id, changed_utc, before, after, registers_as_of, note FROM status_changes"
        " ORDER BY change_no DESC LIMIT ?",
        [max(0, int(limit))],
    ).fetchall()
    return [_change(row) for row in rows]
