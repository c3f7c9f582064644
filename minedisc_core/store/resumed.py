"""Taking in a run again that was resumed since: it found more, and what was decided stays decided.

A resumed run keeps the numbers of its sites (`jobs.numbering`), so a candidate is known by its id: its figures and
its register match are renewed, its verdicts are left alone. A place that is no longer there (it has grown into
another) goes if nobody decided on it, and stays as it was if somebody did.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import shapely

from minedisc_core.errors import StoreError
from minedisc_core.store.connection import Cursor
from minedisc_core.store.rows import number_list

_DECIDED = (
    "EXISTS (SELECT 1 FROM verdict_events v WHERE v.candidate_id = states.candidate_id AND v.carried_from IS NULL)"
)
_OF_CANDIDATES = ("verdict_events", "status_changes", "seen_events")
_OF_SITES = ("matches", "sites", "states")
_KEPT = ("site_no", "candidate_id", "run_id", "status", "notes", "analyst")
"""Columns that a scan fills for new candidates alone; the other columns of verdicts it leaves empty."""


def make_room(cursor: Cursor, run_id: str, sites: pa.Table) -> dict[str, int]:
    """Prepare a run's return: what is gone is removed; gives the number of every candidate that stays, by its id.

    Args:
        cursor: inside the caller's transaction.
        run_id: of a run that was taken in before.
        sites: what it found now, in the columns of `sites`.

    Raises:
        StoreError: a candidate that somebody decided on now names ground elsewhere.
    """
    staying = _staying(cursor, run_id, sites)
    _drop_gone(cursor, run_id, staying)
    rows = cursor.execute("SELECT candidate_id, site_no FROM states WHERE run_id = ?", [run_id]).fetchall()
    return dict(rows)


def _staying(cursor: Cursor, run_id: str, sites: pa.Table) -> pa.Array:
    """Ids that name the same ground as before; runs from before sites kept their numbers may name other ground."""
    cursor.register("found_now", sites.select(["candidate_id", "polygon"]))
    try:
        rows = cursor.execute(
            f"SELECT candidate_id, sites.polygon, found_now.polygon, {_DECIDED} FROM states"  # noqa: S608  # fixed text
            " JOIN found_now USING (candidate_id) JOIN sites USING (site_no) WHERE states.run_id = ?", [run_id]
        ).fetchall()  # fmt: skip
    finally:
        cursor.unregister("found_now")
    before, now = (shapely.from_wkb(np.array([row[k] for row in rows], object)) for k in (1, 2))
    is_same = shapely.intersects(before, now)
    for moved, *_, is_decided in (rows[k] for k in np.flatnonzero(~is_same)):
        if is_decided:
            raise StoreError(
                f"Run {run_id} was taken in before, and {moved}, on which a verdict was given, is now elsewhere",
                "a resumed run, whose sites keep their numbers",
                "scan into a new run: its verdicts carry over where the place and the imagery are the same",
            )
    return pa.array([rows[k][0] for k in np.flatnonzero(is_same)], pa.string())


def _drop_gone(cursor: Cursor, run_id: str, ids: pa.Array) -> None:
    """Remove the undecided candidates of a run that are not among `ids`, with all that belongs to them."""
    cursor.register("there", pa.table({"candidate_id": ids}))
    try:
        gone = cursor.execute(
            "SELECT site_no, candidate_id FROM states WHERE run_id = ? AND candidate_id NOT IN"  # noqa: S608  # fixed text
            f" (SELECT candidate_id FROM there) AND NOT {_DECIDED}", [run_id]
        ).fetchall()  # fmt: skip
    finally:
        cursor.unregister("there")
    if not gone:
        return
    numbers = number_list(row[0] for row in gone)
    for table in _OF_CANDIDATES:
        cursor.execute(f"DELETE FROM {table} WHERE candidate_id IN (SELECT unnest(?))", [[row[1] for row in gone]])  # noqa: S608  # fixed names
    cursor.execute(f"DELETE FROM same_places WHERE site_no IN ({numbers}) OR earlier_site_no IN ({numbers})")  # noqa: S608  # digits
    for table in _OF_SITES:
        cursor.execute(f"DELETE FROM {table} WHERE site_no IN ({numbers})")  # noqa: S608  # fixed names, digits


def renew_rows(cursor: Cursor, rows: dict[str, pa.Table]) -> None:
    """Set the columns that a scan fills in `sites`, `matches` and `states`, of the sites with these numbers.

    Args:
        cursor: inside the caller's transaction.
        rows: a table for each, with the column `site_no`.
    """
    numbers = number_list(rows["sites"]["site_no"].to_pylist())
    cursor.execute(f"DELETE FROM same_places WHERE site_no IN ({numbers})")  # noqa: S608  # digits
    for table, values in rows.items():
        names = [name for name in values.column_names if name not in _KEPT]
        cursor.register("found_again", values)
        try:
            for name in names:  # only what differs: a row with a list is written anew as a whole
                cursor.execute(
                    f"UPDATE {table} SET {name} = f.{name} FROM found_again f WHERE {table}.site_no = f.site_no"  # noqa: S608  # our own names
                    f" AND {table}.{name} IS DISTINCT FROM f.{name}"
                )
        finally:
            cursor.unregister("found_again")
