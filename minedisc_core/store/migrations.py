"""Numbered migrations, each in a transaction of its own. Add one at the end; never change an old one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from minedisc_core.errors import StoreError
from minedisc_core.store.comparison import model_identity, renew_changes
from minedisc_core.store.connection import Cursor, Database, first_row


def migration_001_runs_sites_and_matches(cursor: Cursor) -> None:
    """What scans found and what the registers say of it."""
    cursor.execute("CREATE SEQUENCE change_numbers START 1")
    cursor.execute("""
        CREATE TABLE runs (
            run_id TEXT PRIMARY KEY, run_dir TEXT NOT NULL, summary TEXT NOT NULL, digest TEXT NOT NULL,
            mosaic_identity TEXT NOT NULL, taken_in_utc TIMESTAMP NOT NULL, finished_utc TIMESTAMP NOT NULL,
            model TEXT NOT NULL, threshold DOUBLE NOT NULL, imagery_start DATE, imagery_end DATE)""")
    cursor.execute("""
        CREATE TABLE sites (
            site_no BIGINT PRIMARY KEY, candidate_id TEXT NOT NULL, run_id TEXT NOT NULL, polygon BLOB NOT NULL,
            west DOUBLE, south DOUBLE, east DOUBLE, north DOUBLE, lon DOUBLE, lat DOUBLE, peak_lon DOUBLE,
            peak_lat DOUBLE, peak_row_px INTEGER, peak_col_px INTEGER, score DOUBLE, mean_score DOUBLE, cells INTEGER,
            area_cells_ha DOUBLE, impact TEXT, p_high DOUBLE, p_low DOUBLE, p_no_ore DOUBLE, discarded BOOLEAN,
            flagged_fill BOOLEAN)""")
    cursor.execute("""
        CREATE TABLE matches (
            site_no BIGINT PRIMARY KEY, register_status TEXT NOT NULL, dam TEXT, titles TEXT NOT NULL,
            outside_fraction DOUBLE, lands TEXT NOT NULL, missing TEXT NOT NULL, registers_as_of TEXT NOT NULL)""")
    cursor.execute("""
        CREATE TABLE status_changes (
            change_no BIGINT DEFAULT nextval('change_numbers'), candidate_id TEXT NOT NULL,
            changed_utc TIMESTAMP NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
            registers_as_of TEXT NOT NULL, note TEXT NOT NULL)""")
    cursor.execute("CREATE TABLE same_places (site_no BIGINT NOT NULL, earlier_site_no BIGINT NOT NULL)")


def migration_002_verdicts_and_states(cursor: Cursor) -> None:
    """The append-only log of verdicts and the table folded from it."""
    cursor.execute("CREATE SEQUENCE event_numbers START 1")
    cursor.execute("""
        CREATE TABLE verdict_events (
            event_no BIGINT DEFAULT nextval('event_numbers'), event_id TEXT PRIMARY KEY, candidate_id TEXT NOT NULL,
            verdict TEXT NOT NULL, analyst TEXT NOT NULL, given_utc TIMESTAMP NOT NULL, reason TEXT,
            notes TEXT NOT NULL, impact TEXT, moved_lon DOUBLE, moved_lat DOUBLE, undoes TEXT, carried_from TEXT)""")
    cursor.execute("""
        CREATE TABLE states (
            site_no BIGINT PRIMARY KEY, candidate_id TEXT UNIQUE NOT NULL, run_id TEXT NOT NULL, score DOUBLE NOT NULL,
            margin DOUBLE NOT NULL, place_key BIGINT NOT NULL, discarded BOOLEAN NOT NULL, machine_impact TEXT NOT NULL,
            register_status TEXT NOT NULL, status TEXT NOT NULL, reason TEXT, notes TEXT NOT NULL,
            analyst TEXT NOT NULL, decided_utc TIMESTAMP, impact_corrected TEXT, moved_lon DOUBLE,
            moved_lat DOUBLE, event_id TEXT)""")


def migration_003_retraining_queue(cursor: Cursor) -> None:
    """Samples asked for by verdicts, and the dataset versions made of them."""
    cursor.execute("""
        CREATE TABLE samples (
            sample_id TEXT PRIMARY KEY, event_id TEXT NOT NULL, candidate_id TEXT NOT NULL, run_id TEXT NOT NULL,
            label TEXT NOT NULL, reason TEXT, queued_utc TIMESTAMP NOT NULL, lon DOUBLE NOT NULL, lat DOUBLE NOT NULL,
            is_moved BOOLEAN NOT NULL, withdrawn BOOLEAN NOT NULL, pixels TEXT NOT NULL, problem TEXT NOT NULL,
            sha256 TEXT NOT NULL)""")
    cursor.execute(
        "CREATE TABLE datasets (version TEXT PRIMARY KEY, made_utc TIMESTAMP NOT NULL, folder TEXT NOT NULL)"
    )
    cursor.execute("CREATE TABLE dataset_samples (version TEXT NOT NULL, sample_id TEXT NOT NULL)")


def migration_004_footprints_looks_and_filters(cursor: Cursor) -> None:
    """Drawn footprints, verdicts given in one gesture, who looked at what, and narrow columns for filters."""
    for column in ("footprint BLOB", "batch_id TEXT"):
        cursor.execute(f"ALTER TABLE verdict_events ADD COLUMN {column}")
    cursor.execute("ALTER TABLE matches ADD COLUMN river TEXT")
    for column in (
        "peak_lon DOUBLE", "peak_lat DOUBLE", "land_names TEXT[]", "area_cells_ha DOUBLE", "nearness_m DOUBLE",
        "seen BOOLEAN DEFAULT false", "footprint BLOB", "area_drawn_ha DOUBLE",
    ):  # fmt: skip
        cursor.execute(f"ALTER TABLE states ADD COLUMN {column}")
    cursor.execute(
        "CREATE TABLE seen_events (candidate_id TEXT NOT NULL, analyst TEXT NOT NULL, seen_utc TIMESTAMP NOT NULL,"
        " PRIMARY KEY (candidate_id, analyst))"
    )
    _fill_states_004(cursor)


def _fill_states_004(cursor: Cursor) -> None:
    """The narrow columns of candidates that are there already; rivers came later, so dams alone tell nearness."""
    rows = cursor.execute("SELECT site_no, dam, lands FROM matches").fetchall()
    table = pa.table({
        "site_no": pa.array([row[0] for row in rows], pa.int64()),
        "nearness_m": pa.array([json.loads(row[1])["distance_m"] if row[1] else None for row in rows], pa.float64()),
        "land_names": pa.array([[land["name"] for land in json.loads(row[2])] for row in rows], pa.list_(pa.string())),
    })  # fmt: skip
    cursor.register("narrow", table)
    try:
        cursor.execute(
            "UPDATE states SET peak_lon = s.peak_lon, peak_lat = s.peak_lat, area_cells_ha = s.area_cells_ha,"
            " nearness_m = n.nearness_m, land_names = n.land_names FROM sites s JOIN narrow n USING (site_no)"
            " WHERE states.site_no = s.site_no"
        )
    finally:
        cursor.unregister("narrow")


def migration_005_changes_between_dates(cursor: Cursor) -> None:
    """Which model scanned, and what became of each place since, or until, a scan of another date.

    It compares the runs that are there with today's rule; a step that changes these columns fills them again.
    """
    cursor.execute("ALTER TABLE runs ADD COLUMN model_identity TEXT DEFAULT ''")
    for column in ("change TEXT", "change_run TEXT", "change_earlier_ha DOUBLE", "change_later_ha DOUBLE"):
        cursor.execute(f"ALTER TABLE states ADD COLUMN {column}")
    for run_id, folder in cursor.execute("SELECT run_id, run_dir FROM runs").fetchall():
        cursor.execute("UPDATE runs SET model_identity = ? WHERE run_id = ?", [model_identity(Path(folder)), run_id])
    renew_changes(cursor)


def migration_007_champions_and_retrainings(cursor: Cursor) -> None:
    """Which model is champion and why; which samples any retraining learned from, and which it never may."""
    cursor.execute("CREATE SEQUENCE champion_numbers START 1")
    cursor.execute("""
        CREATE TABLE champion_events (
            event_no BIGINT NOT NULL, event_id TEXT PRIMARY KEY, given_utc TIMESTAMP NOT NULL, action TEXT NOT NULL,
            level TEXT NOT NULL, bands TEXT NOT NULL, model TEXT NOT NULL, model_folder TEXT NOT NULL,
            model_identity TEXT NOT NULL, previous TEXT NOT NULL, previous_folder TEXT NOT NULL,
            previous_identity TEXT NOT NULL, retraining_id TEXT NOT NULL, analyst TEXT NOT NULL, reason TEXT NOT NULL,
            report TEXT NOT NULL)""")
    cursor.execute("""
        CREATE TABLE retrainings (
            retraining_id TEXT PRIMARY KEY, begun_utc TIMESTAMP NOT NULL, folder TEXT NOT NULL,
            champion TEXT NOT NULL, champion_identity TEXT NOT NULL, out_name TEXT NOT NULL, dataset TEXT NOT NULL)""")
    cursor.execute("""
        CREATE TABLE retraining_spots (
            retraining_id TEXT NOT NULL, sample_id TEXT NOT NULL, lon DOUBLE NOT NULL, lat DOUBLE NOT NULL,
            place TEXT NOT NULL, held_out BOOLEAN NOT NULL)""")


def migration_008_corrections_of_points(cursor: Cursor) -> None:
    """The append-only log of what people decided about points of registers."""
    cursor.execute("CREATE SEQUENCE correction_numbers START 1")
    cursor.execute("""
        CREATE TABLE point_corrections (
            event_no BIGINT DEFAULT nextval('correction_numbers'), event_id TEXT PRIMARY KEY,
            register_id TEXT NOT NULL, source TEXT NOT NULL, line BIGINT NOT NULL, action TEXT NOT NULL,
            lon DOUBLE NOT NULL, lat DOUBLE NOT NULL, new_lon DOUBLE, new_lat DOUBLE, analyst TEXT NOT NULL,
            given_utc TIMESTAMP NOT NULL, undoes TEXT)""")


MIGRATIONS: tuple[Callable[[Cursor], None], ...] = (
    migration_001_runs_sites_and_matches,
    migration_002_verdicts_and_states,
    migration_003_retraining_queue,
    migration_004_footprints_looks_and_filters,
    migration_005_changes_between_dates,
    migration_007_champions_and_retrainings,
    migration_008_corrections_of_points,
)


def migrate(database: Database) -> None:
    """Bring the file to this version, one transaction per step.

    Raises:
        StoreError: the file was written by a newer minedisc.
    """
    present = database.write(_version)
    if present > len(MIGRATIONS):
        raise StoreError(
            f"{database.name} has schema {present}, made by a newer minedisc",
            f"schema {len(MIGRATIONS)} or older",
            "update minedisc; the file was not touched",
        )
    for number in range(present + 1, len(MIGRATIONS) + 1):
        database.write(lambda cursor, number=number: _apply(cursor, number))  # type: ignore[misc]  # bound default


def _version(cursor: Cursor) -> int:
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER PRIMARY KEY, name TEXT, applied_utc TIMESTAMP)"
    )
    return int(first_row(cursor.execute("SELECT coalesce(max(version), 0) FROM schema_versions"))[0])


def _apply(cursor: Cursor, number: int) -> None:
    step = MIGRATIONS[number - 1]
    step(cursor)
    now = datetime.now(UTC).replace(tzinfo=None)
    cursor.execute("INSERT INTO schema_versions VALUES (?, ?, ?)", [number, step.__name__, now])
