"""Dated loads of registers: one GeoParquet, one list of problems and one JSON each, under HOME/registers.

The JSON is written last and whole: without it there is no snapshot, so a load that is killed leaves none.
A snapshot is named by its kind and its source's content, so the same file loaded twice is one snapshot.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import RegisterKind, Snapshot
from minedisc_core.errors import RegisterError, RunError, UsageError
from minedisc_core.registers.coverage import StatedCoverage, state_coverage
from minedisc_core.registers.readers import read_register
from minedisc_core.registers.tables import RegisterTable, RowProblem
from minedisc_core.runs import write_atomically
from minedisc_core.settings import Settings

_PROBLEMS = ".problems.json"
_HASH_DIGITS = 16
_ID = re.compile(r"[a-z]+-[0-9a-f]{16}")
_CHUNK = 1 << 20
_SIDECARS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_ONE_SOURCE = (RegisterKind.SIGBM, RegisterKind.SIGMINE)
_LOAD_AGAIN = "delete that file and load the register again"


def add_snapshot(
    settings: Settings,
    kind: RegisterKind,
    path: Path,
    *,
    as_of: date | None = None,
    coverage: str | None = None,
    coverage_polygon: BaseGeometry | None = None,
) -> tuple[Snapshot, RegisterTable]:
    """Read a register file and keep it as a dated snapshot; a file with the same content is the same snapshot.

    Args:
        settings: names HOME and the limits of zips.
        kind: kind of register.
        path: the file; see `readers.read_register`.
        as_of: date the register is from; by default today, or as stated when the file was first loaded.
        coverage: `BR`, `everywhere`, states (`MG`, `PA,MT`) or a polygon file; by default the states its rows name.
        coverage_polygon: EPSG:4326 area in which the register is complete; wins over `coverage`.

    Raises:
        RegisterError: the file cannot be used, or the snapshot cannot be written.
        UsageError: `as_of` lies in the future, or `coverage` is not known.
    """
    today = datetime.now(UTC).date()
    if as_of is not None and as_of > today + timedelta(days=1):
        raise UsageError(f"the register's date {as_of} lies in the future", f"a date up to {today}", "correct it")
    table = read_register(kind, Path(path), settings)
    sha256 = content_hash(Path(path))
    snapshot_id = f"{kind}-{sha256[:_HASH_DIGITS]}"
    known = _find(settings, snapshot_id)
    stated = state_coverage(table, coverage, coverage_polygon, settings)
    if known and not (coverage or coverage_polygon):
        stated = read_coverage(settings, snapshot_id)
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        kind=kind,
        name=Path(path).name,
        loaded_at_utc=known.loaded_at_utc if known else datetime.now(UTC).replace(tzinfo=None),
        as_of=as_of or (known.as_of if known else today),
        rows=len(table.frame),
        problems=table.left_out,
        coverage=stated.text,
        sha256=sha256,
    )
    _write(settings, snapshot, table, stated)
    return snapshot, table


def list_snapshots(settings: Settings, include_retired: bool = False) -> list[Snapshot]:
    """Snapshots by kind, newest register first.

    Raises:
        RegisterError: a snapshot's JSON is damaged.
    """
    files = sorted(settings.registers.glob("*.json")) if settings.registers.is_dir() else []
    found = [_snapshot(_read_json(file), file) for file in files if _ID.fullmatch(file.stem)]
    chosen = [snapshot for snapshot in found if snapshot.active or include_retired]
    return sorted(chosen, key=lambda s: (list(RegisterKind).index(s.kind), -s.as_of.toordinal(), s.name))


def retire_snapshot(settings: Settings, snapshot_id: str) -> Snapshot:
    """Take a snapshot out of matching; its files stay, and loading the file again brings it back.

    Raises:
        RegisterError: no such snapshot.
    """
    known = get_snapshot(settings, snapshot_id)
    retired = dataclasses.replace(known, active=False)
    _write_json(settings, retired, read_coverage(settings, snapshot_id))
    return retired


def still_beside(loaded: Snapshot, before: Sequence[Snapshot]) -> list[Snapshot]:
    """Snapshots that a load may have been meant to replace: they stay in force, and both are matched.

    Args:
        loaded: what `add_snapshot` gave.
        before: what was in force before it.

    Of dam and title registers all others of the kind; of other kinds, which have many files, those of the same
    file name. None if the same content was in force already: nothing new came in.
    """
    if any(snapshot.snapshot_id == loaded.snapshot_id for snapshot in before):
        return []
    same_kind = [snapshot for snapshot in before if snapshot.kind is loaded.kind]
    return [snapshot for snapshot in same_kind if loaded.kind in _ONE_SOURCE or snapshot.name == loaded.name]


def beside_notice(other: Snapshot) -> str:
    """What to tell of a snapshot that `still_beside` gave."""
    which = f"{other.kind} {other.as_of.isoformat()} ({other.name})"
    return f"{which} is still in force beside it: retire it if the new file replaces it"


def get_snapshot(settings: Settings, snapshot_id: str) -> Snapshot:
    """One snapshot, retired or not.

    Raises:
        RegisterError: no such snapshot.
    """
    known = _find(settings, snapshot_id)
    if known is None:
        held = ", ".join(s.snapshot_id for s in list_snapshots(settings, include_retired=True)) or "none"
        raise RegisterError(f"no register snapshot {snapshot_id!r}", f"one of: {held}", "list the registers")
    return known


def problems(settings: Settings, snapshot_id: str) -> tuple[RowProblem, ...]:
    """Rows that were left out of a snapshot, and rows with a note, by line.

    Raises:
        RegisterError: no such snapshot.
    """
    get_snapshot(settings, snapshot_id)
    found = _read_json(settings.registers / f"{snapshot_id}{_PROBLEMS}")
    return tuple(RowProblem(int(line), str(reason), bool(left_out)) for line, reason, left_out in found["problems"])


def label(snapshot: Snapshot) -> str:
    """`sigmine 2026-10-30`; with the file's name where one kind has many files."""
    return f"{snapshot.kind}{'' if snapshot.kind in _ONE_SOURCE else f' {snapshot.name}'} {snapshot.as_of.isoformat()}"


def read_coverage(settings: Settings, snapshot_id: str) -> StatedCoverage:
    """Where a snapshot is complete.

    Raises:
        RegisterError: the snapshot's JSON is missing or damaged.
    """
    file = settings.registers / f"{snapshot_id}.json"
    found = _read_json(file)
    try:
        outline = found["coverage_polygon"]
        return StatedCoverage(str(found["coverage"]), shapely.from_wkt(outline) if outline else None)
    except (KeyError, TypeError, ShapelyError) as error:
        raise RegisterError(f"{file} is damaged: {error}", "a snapshot's JSON", _LOAD_AGAIN) from error


def read_rows(settings: Settings, snapshot: Snapshot) -> gpd.GeoDataFrame:
    """The rows of a snapshot, EPSG:4326, columns as in `tables.COLUMNS`.

    Raises:
        RegisterError: the GeoParquet is missing or damaged.
    """
    file = settings.registers / f"{snapshot.snapshot_id}.parquet"
    try:
        return gpd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise RegisterError(f"{file} cannot be read: {error}", "a snapshot's rows", _LOAD_AGAIN) from error


def _find(settings: Settings, snapshot_id: str) -> Snapshot | None:
    file = settings.registers / f"{snapshot_id}.json"
    if not _ID.fullmatch(snapshot_id) or not file.is_file():
        return None
    return _snapshot(_read_json(file), file)


def content_hash(path: Path) -> str:
    """SHA-256 of the file; of all parts of a shapefile that is not zipped."""
    parts = [path]
    if path.suffix.lower() == ".shp":
        parts = sorted(p for p in path.parent.iterdir() if p.stem == path.stem and p.suffix.lower() in _SIDECARS)
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _write(settings: Settings, snapshot: Snapshot, table: RegisterTable, stated: StatedCoverage) -> None:
    rows = io.BytesIO()
    table.frame.to_parquet(rows)
    listed = {"problems": [(problem.line, problem.reason, problem.left_out) for problem in table.problems]}
    _write_bytes(settings.registers / f"{snapshot.snapshot_id}.parquet", rows.getvalue())
    _write_bytes(settings.registers / f"{snapshot.snapshot_id}{_PROBLEMS}", json.dumps(listed).encode())
    _write_json(settings, snapshot, stated)


def _write_json(settings: Settings, snapshot: Snapshot, stated: StatedCoverage) -> None:
    content = dataclasses.asdict(snapshot) | {
        "loaded_at_utc": snapshot.loaded_at_utc.isoformat(),
        "as_of": snapshot.as_of.isoformat(),
        "coverage_polygon": shapely.to_wkt(stated.polygon, rounding_precision=-1) if stated.polygon else None,
    }
    _write_bytes(settings.registers / f"{snapshot.snapshot_id}.json", json.dumps(content, indent=1).encode())


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except (RunError, OSError) as error:
        raise RegisterError(f"{path} could not be written: {error}", remedy="free disk space") from error


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RegisterError(f"{file} cannot be read: {error}", "a snapshot's JSON", _LOAD_AGAIN) from error
    if not isinstance(content, dict):
        raise RegisterError(f"{file} is damaged", "a JSON object", _LOAD_AGAIN)
    return content


def _snapshot(found: Mapping[str, Any], file: Path) -> Snapshot:
    plain = {name: value for name, value in found.items() if name != "coverage_polygon"}
    try:
        return Snapshot(
            **{
                **plain,
                "kind": RegisterKind(found["kind"]),
                "loaded_at_utc": datetime.fromisoformat(found["loaded_at_utc"]),
                "as_of": date.fromisoformat(found["as_of"]),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RegisterError(f"{file} is damaged: {error}", "a snapshot's JSON", _LOAD_AGAIN) from error
