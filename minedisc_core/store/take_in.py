"""Taking in a finished run, once: its sites, what the registers say, and what was decided of the same places."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from minedisc_core.domain import RegisterMatch, RunSummary, Site, Status
from minedisc_core.errors import StoreError
from minedisc_core.runs import REQUEST, read_json
from minedisc_core.store import resumed
from minedisc_core.store.comparison import model_identity, renew_changes
from minedisc_core.store.connection import Cursor, first_row, maybe_row
from minedisc_core.store.records import TakeIn
from minedisc_core.store.rows import (
    match_columns,
    narrow_columns,
    place_keys,
    polygons_of,
    site_table,
    summary_text,
    valid,
)
from minedisc_core.store.same_place import is_same_imagery, same_places
from minedisc_core.store.second_scores import renew_second_scores

_CARRIED = uuid.UUID("5a0d6a3e-7b0c-5f0e-9b55-1f4d3a9f5c10")
"""Namespace of the ids of carried-over events: the same take-in makes the same ids."""
STATE_COLUMNS = ("status", "reason", "notes", "analyst", "decided_utc", "impact_corrected", "moved_lon", "moved_lat",
                 "footprint", "area_drawn_ha", "event_id")  # fmt: skip


class Run(NamedTuple):
    """A run on its way in."""

    summary: RunSummary
    run_dir: Path
    identity: str
    digest: str
    polygons: NDArray[np.object_]
    """Valid, EPSG:4326, one per site."""
    rows: dict[str, pa.Table]
    """What goes into `sites`, `matches` and `states`; sites numbered from 0."""


def check_run(summary: RunSummary, run_dir: Path, sites: Sequence[Site], matches: Sequence[RegisterMatch]) -> Run:
    """Everything that can be computed before the database is locked.

    Raises:
        StoreError: sites and matches do not belong together, or an id is there twice.
    """
    if len(sites) != len(matches):
        raise StoreError(f"{len(sites)} sites came with {len(matches)} register matches", "one match per site")
    ids = [site.site_id for site in sites]
    if len(set(ids)) != len(ids):
        raise StoreError(f"Run {summary.run_id} names a site twice", "one id per site", "scan again")
    folder = run_dir.expanduser().resolve()
    rows = _rows(summary, sites, matches)
    return Run(summary, folder, mosaic_identity(folder), _digest(sites), polygons_of(sites), rows)


def _rows(summary: RunSummary, sites: Sequence[Site], matches: Sequence[RegisterMatch]) -> dict[str, pa.Table]:
    own, match = site_table(sites, summary.run_id), match_columns(matches)
    states: dict[str, Any] = {name: own[name] for name in ("site_no", "candidate_id", "run_id", "score", "discarded")}
    states["margin"] = own["score"].to_numpy() - summary.threshold
    states["place_key"] = place_keys(own["lon"].to_numpy(), own["lat"].to_numpy())
    states["machine_impact"] = own["impact"]
    states |= {name: own[name] for name in ("peak_lon", "peak_lat", "area_cells_ha")} | narrow_columns(matches)
    states["register_status"] = match["register_status"]
    states["status"] = pa.array([str(Status.UNDECIDED)] * len(sites), pa.string())
    states["notes"] = states["analyst"] = pa.array([""] * len(sites), pa.string())
    return {"sites": own, "matches": pa.table({"site_no": own["site_no"], **match}), "states": pa.table(states)}


def mosaic_identity(run_dir: Path) -> str:
    """Identity of the mosaic that was scanned, from the run's request; empty if it is not told there."""
    if not (run_dir / REQUEST).is_file():
        return ""
    return str(read_json(run_dir / REQUEST).get("mosaic_identity") or "")


def _digest(sites: Sequence[Site]) -> str:
    content = hashlib.sha256()
    for site in sites:
        content.update(f"{site.site_id} {site.score:.9g} {site.cells} {site.impact} {site.discarded}\n".encode())
        content.update(shapely.to_wkb(site.polygon))
    return content.hexdigest()


def take_in(cursor: Cursor, run: Run) -> TakeIn:
    """Insert the run, its candidates and their carried-over verdicts, inside the caller's transaction."""
    run_id = run.summary.run_id
    known = maybe_row(cursor.execute("SELECT digest FROM runs WHERE run_id = ?", [run_id]))
    if known and known[0] == run.digest:
        _renew_summary(cursor, run.summary)
        return TakeIn(run_id, 0, already_taken_in=True, carried_over=0)
    there = resumed.make_room(cursor, run_id, run.rows["sites"]) if known else {}
    numbers, is_new = _numbers(cursor, run, there)
    _check_new_ids(cursor, run, is_new)
    _write_run(cursor, run)
    carried_over = _write_sites(cursor, run, numbers, is_new) if len(numbers) else 0
    renew_changes(cursor, run_id)
    renew_second_scores(cursor, run_id)
    return TakeIn(run_id, int(is_new.sum()), already_taken_in=False, carried_over=carried_over)


def _numbers(cursor: Cursor, run: Run, there: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The number of each site, and whether it is new: candidates that are there keep theirs."""
    known = [there.get(name, 0) for name in run.rows["sites"]["candidate_id"].to_pylist()]
    numbers = np.array(known, np.int64)
    is_new = numbers == 0
    first_no = int(first_row(cursor.execute("SELECT coalesce(max(site_no), 0) + 1 FROM sites"))[0])
    numbers[is_new] = np.arange(first_no, first_no + is_new.sum())
    return numbers, is_new


def _write_sites(cursor: Cursor, run: Run, numbers: NDArray[np.int64], is_new: NDArray[np.bool_]) -> int:
    """Insert or renew the sites with all that belongs to them; gives the number of verdicts that were carried over."""
    rows = {name: table.set_column(0, "site_no", pa.array(numbers)) for name, table in run.rows.items()}
    for name, table in rows.items():
        insert(cursor, name, table.filter(pa.array(is_new)))
    if not is_new.all():
        resumed.renew_rows(cursor, {name: table.filter(pa.array(~is_new)) for name, table in rows.items()})
    _link_same_places(cursor, run, numbers)
    return _carry_over(cursor, run)


def _renew_summary(cursor: Cursor, summary: RunSummary) -> None:
    """A run that was resumed and found no more sites has seen more all the same."""
    text = summary_text(summary)
    renewed = cursor.execute(
        "UPDATE runs SET summary = ?, finished_utc = ? WHERE run_id = ? AND summary <> ? RETURNING run_id",
        [text, summary.finished_at_utc, summary.run_id, text],
    ).fetchall()
    if renewed:
        renew_changes(cursor, summary.run_id)
        renew_second_scores(cursor, summary.run_id)


def _check_new_ids(cursor: Cursor, run: Run, is_new: NDArray[np.bool_]) -> None:
    ids = run.rows["sites"]["candidate_id"].filter(pa.array(is_new)).to_pylist()
    clash = maybe_row(
        cursor.execute("SELECT candidate_id FROM states WHERE candidate_id IN (SELECT unnest(?)) LIMIT 1", [ids])
    )
    if clash:
        raise StoreError(f"Site {clash[0]} of run {run.summary.run_id} belongs to another run", "ids of its own")


def _write_run(cursor: Cursor, run: Run) -> None:
    summary = run.summary
    now = datetime.now(UTC).replace(tzinfo=None)
    cursor.execute(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [summary.run_id, str(run.run_dir), summary_text(summary), run.digest, run.identity, now,
         summary.finished_at_utc, summary.model, summary.threshold, summary.imagery_start, summary.imagery_end,
         model_identity(run.run_dir)],
    )  # fmt: skip


def insert(cursor: Cursor, name: str, rows: pa.Table) -> None:
    """Insert an Arrow table into the columns of the same names; the others get their default."""
    columns = ", ".join(rows.column_names)
    cursor.register("incoming", rows)
    try:
        cursor.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM incoming")  # noqa: S608  # our own names
    finally:
        cursor.unregister("incoming")


def _link_same_places(cursor: Cursor, run: Run, numbers: NDArray[np.int64]) -> None:
    own: list[int] = []
    earlier: list[int] = []
    for old in _earlier_runs(cursor, run):
        earlier_numbers, blobs = zip(*old, strict=True)
        for i, j in same_places(run.polygons, valid(shapely.from_wkb(np.array(blobs, object)))):
            own.append(int(numbers[i]))
            earlier.append(earlier_numbers[j])
    if own:
        insert(cursor, "same_places", pa.table({"site_no": own, "earlier_site_no": earlier}))


def _earlier_runs(cursor: Cursor, run: Run) -> list[list[tuple[int, bytes]]]:
    """Number and WKB of the sites near the new ones, one list per earlier run."""
    west, south, east, north = (float(x) for x in shapely.total_bounds(run.polygons))
    rows = cursor.execute(
        "SELECT run_id, site_no, polygon FROM sites WHERE run_id <> ? AND east >= ? AND west <= ? AND north >= ?"
        " AND south <= ? ORDER BY site_no", [run.summary.run_id, west, east, south, north]
    ).fetchall()  # fmt: skip
    groups: dict[str, list[tuple[int, bytes]]] = {}
    for run_id, number, wkb in rows:
        groups.setdefault(run_id, []).append((number, wkb))
    return list(groups.values())


def _carry_over(cursor: Cursor, run: Run) -> int:
    """Copy the newest verdict of the same place in the same imagery as an event of the new candidate."""
    imagery = (run.summary.imagery_start, run.summary.imagery_end, run.identity)
    rows = cursor.execute(
        "SELECT p.site_no, own.candidate_id, r.imagery_start, r.imagery_end, r.mosaic_identity,"
        " coalesce(e.carried_from, e.event_id), old.status, old.reason, old.notes, old.analyst, old.decided_utc,"
        " old.impact_corrected, old.moved_lon, old.moved_lat, old.footprint, old.area_drawn_ha"
        " FROM same_places p JOIN states own ON own.site_no = p.site_no JOIN states old ON"
        " old.site_no = p.earlier_site_no JOIN runs r ON r.run_id = old.run_id JOIN verdict_events e ON"
        " e.event_id = old.event_id WHERE own.run_id = ? AND NOT EXISTS (SELECT 1 FROM verdict_events v WHERE"
        " v.candidate_id = own.candidate_id) ORDER BY e.event_no", [run.summary.run_id]
    ).fetchall()  # fmt: skip
    newest = {row[0]: row for row in rows if is_same_imagery(row[2:5], imagery)}
    if newest:
        _insert_carried(cursor, list(newest.values()))
    return len(newest)


def _insert_carried(cursor: Cursor, rows: list[tuple[Any, ...]]) -> None:
    columns: dict[str, list[Any]] = {"site_no": [row[0] for row in rows]}
    columns["candidate_id"] = [row[1] for row in rows]
    columns["carried_from"] = [row[5] for row in rows]
    columns["event_id"] = [f"carried-{uuid.uuid5(_CARRIED, f'{row[5]} {row[1]}')}" for row in rows]
    for place, name in enumerate(STATE_COLUMNS[:-1], start=6):
        columns[name] = [row[place] for row in rows]
    types = {name: pa.float64() for name in ("moved_lon", "moved_lat", "area_drawn_ha")}
    types |= {name: pa.string() for name in ("reason", "impact_corrected")} | {"footprint": pa.binary()}
    table = pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})
    cursor.register("carried", table)
    try:
        cursor.execute(
            "INSERT INTO verdict_events (event_id, candidate_id, verdict, analyst, given_utc, reason, notes, impact,"
            " moved_lon, moved_lat, footprint, carried_from) SELECT event_id, candidate_id, status, analyst,"
            " decided_utc, reason, notes, impact_corrected, moved_lon, moved_lat, footprint, carried_from FROM carried"
        )
        update_states(cursor, "carried")
    finally:
        cursor.unregister("carried")


def update_states(cursor: Cursor, source: str) -> None:
    """Set the state columns of the sites in `source` (a registered table with the same column names)."""
    setting = ", ".join(f"{name} = {source}.{name}" for name in STATE_COLUMNS)
    cursor.execute(f"UPDATE states SET {setting} FROM {source} WHERE states.site_no = {source}.site_no")  # noqa: S608  # our own names
