"""The change of every site against a scan of another date, kept in `states` and renewed when a run comes in.

Two scans are compared if one model (name and identity) made both with one cut-off, and the dates of their imagery
do not overlap. A site is compared with the nearest earlier date that found or saw its place; where there is none,
with the nearest later one. So the sites of the earliest date say what was there later, all others what had been there
before. Hidden sites ("no ore") count as found: the model found them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from minedisc_core.errors import RunError
from minedisc_core.imagery.seen_cells import Bounds, SeenCells, read_extent, read_seen_cells
from minedisc_core.runs import REQUEST, SCORES, read_json
from minedisc_core.store.connection import Cursor
from minedisc_core.store.rows import valid
from minedisc_core.store.two_dates import Places, change_between, places

CHANGE_COLUMNS = ("change", "change_run", "change_earlier_ha", "change_later_ha")
_TYPES = (pa.string(), pa.string(), pa.float64(), pa.float64())
_Row = tuple[str | None, str | None, float | None, float | None]
_NOTHING: _Row = (None, None, None, None)


class Scan(NamedTuple):
    """A run as far as comparing goes."""

    run_id: str
    folder: Path
    model: tuple[str, str, float]
    """Name, identity (empty if unknown), cut-off."""
    start: date
    end: date
    finished: datetime

    def is_comparable(self, other: Scan) -> bool:
        """Whether one known model made both, on imagery of dates that do not overlap."""
        is_apart = self.end < other.start or other.end < self.start
        return bool(self.model[1]) and self.model == other.model and is_apart

    def in_order(self, others: Iterable[Scan]) -> list[Scan]:
        """Those that it can be compared with: earlier dates from the nearest back, then later ones onwards.

        Of runs with one date the one that finished last comes first.
        """
        found = sorted(filter(self.is_comparable, others), key=lambda other: other.finished, reverse=True)
        earlier = sorted((o for o in found if o.end < self.start), key=lambda o: o.end, reverse=True)
        return earlier + sorted((o for o in found if o.start > self.end), key=lambda o: o.start)


class _Sites(NamedTuple):
    numbers: list[int]
    polygons: NDArray[np.object_]
    peaks: NDArray[np.float64]
    """Longitude, latitude."""
    sizes: NDArray[np.float64]
    """Cells, hectares."""


class _Ground:
    """What runs found and saw, each read once."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        rows = cursor.execute("SELECT run_id, min(west), min(south), max(east), max(north) FROM sites GROUP BY run_id")
        self._found: dict[str, Bounds] = {row[0]: row[1:] for row in rows.fetchall()}
        self.sites = cache(self._sites)
        self.places = cache(self._places)
        self.seen = cache(_seen_cells)
        self.extent = cache(self._extent)

    def _sites(self, run_id: str) -> _Sites:
        rows = self._cursor.execute(
            "SELECT site_no, polygon, peak_lon, peak_lat, cells, area_cells_ha FROM sites WHERE run_id = ?"
            " ORDER BY site_no", [run_id]
        ).fetchall()  # fmt: skip
        polygons = valid(shapely.from_wkb(np.fromiter((row[1] for row in rows), object, len(rows))))
        numbers = np.array([row[2:] for row in rows], np.float64).reshape(-1, 4)
        return _Sites([row[0] for row in rows], polygons, numbers[:, :2], numbers[:, 2:])

    def _places(self, earlier: str, later: str) -> Places:
        old, new = self.sites(earlier), self.sites(later)
        return places(old.polygons, new.polygons, old.sizes, new.sizes)

    def _extent(self, scan: Scan) -> Bounds | None:
        """Around all that a run saw or found, EPSG:4326."""
        boxes = [box for box in (self._found.get(scan.run_id), read_extent(scan.folder / SCORES)) if box]
        if not boxes:
            return None
        west, south, east, north = zip(*boxes, strict=True)
        return (min(west), min(south), max(east), max(north))

    def meet(self, one: Scan, other: Scan) -> bool:
        """Whether two runs may hold common ground."""
        a, b = self.extent(one), self.extent(other)
        return a is not None and b is not None and bool(shapely.box(*a).intersects(shapely.box(*b)))


def _seen_cells(folder: Path) -> SeenCells | None:
    return read_seen_cells(folder / SCORES)


def model_identity(run_dir: Path) -> str:
    """Identity of the model that scanned, from the run's request; empty if it is not told there."""
    try:
        return str(read_json(run_dir / REQUEST).get("model_identity") or "")
    except (RunError, OSError):
        return ""


def renew_changes(cursor: Cursor, run_id: str | None = None) -> None:
    """Compare the sites of a run, and of every run that it can be compared with, anew; of all runs without one.

    Inside the caller's transaction.
    """
    scans = _scans(cursor)
    before = cursor.execute("SELECT DISTINCT run_id FROM states WHERE change_run = ?", [run_id]).fetchall()
    touched = {run_id, *(row[0] for row in before)}
    ground = _Ground(cursor)
    own = next((scan for scan in scans if scan.run_id == run_id), None)
    for scan in scans:
        is_compared = own is not None and own.is_comparable(scan) and ground.meet(own, scan)
        if run_id is None or scan.run_id in touched or is_compared:
            _renew(cursor, ground, scan, [other for other in scan.in_order(scans) if ground.meet(scan, other)])


def _scans(cursor: Cursor) -> list[Scan]:
    """The runs whose imagery dates are known; where one of two is missing, the other stands for both."""
    rows = cursor.execute(
        "SELECT run_id, run_dir, model, model_identity, threshold, coalesce(imagery_start, imagery_end),"
        " coalesce(imagery_end, imagery_start), finished_utc FROM runs"
        " WHERE imagery_start IS NOT NULL OR imagery_end IS NOT NULL ORDER BY run_id"
    ).fetchall()
    return [Scan(row[0], Path(row[1]), row[2:5], *row[5:]) for row in rows]


def _renew(cursor: Cursor, ground: _Ground, own: Scan, others: Sequence[Scan]) -> None:
    if not others:  # nothing to compare with: no outline is read
        cleared = ", ".join(f"{name} = NULL" for name in CHANGE_COLUMNS)
        cursor.execute(f"UPDATE states SET {cleared} WHERE run_id = ? AND change IS NOT NULL", [own.run_id])  # noqa: S608  # our own names
        return
    numbers = ground.sites(own.run_id).numbers
    rows: list[_Row] = [_NOTHING] * len(numbers)
    left = np.arange(len(numbers))
    for other in others:
        if not len(left):
            break
        for place, row in zip(left.tolist(), _compared(ground, own, other, left), strict=True):
            rows[place] = row
        left = np.array([place for place in left.tolist() if rows[place][0] is None], np.int64)
    if numbers:
        _write(cursor, numbers, rows)


def _compared(ground: _Ground, own: Scan, other: Scan, which: NDArray[np.int64]) -> list[_Row]:
    """What the comparison with one other run says of some of a run's sites, by their positions."""
    is_later = other.end < own.start
    pair = (other.run_id, own.run_id) if is_later else (own.run_id, other.run_id)
    found = ground.places(*pair)
    labels = (found.of_later if is_later else found.of_earlier)[which]
    sizes = found.earlier_sizes[labels], found.later_sizes[labels]
    saw = _saw(ground, own, other, which[sizes[0 if is_later else 1][:, 0] == 0])
    return [
        _row(other.run_id, before, after, place in saw)
        for place, before, after in zip(which.tolist(), sizes[0].tolist(), sizes[1].tolist(), strict=True)
    ]


def _saw(ground: _Ground, own: Scan, other: Scan, which: NDArray[np.int64]) -> frozenset[int]:
    """The sites among `which` whose place the other run saw."""
    cells = ground.seen(other.folder) if len(which) else None
    if cells is None:
        return frozenset()
    sites = ground.sites(own.run_id)
    return frozenset(which[cells.saw(sites.polygons[which], sites.peaks[which])].tolist())


def _row(other: str, before: list[float], after: list[float], other_saw_it: bool) -> _Row:
    """Values of `CHANGE_COLUMNS`; `before` and `after` are cells and hectares, 0 where nothing was found."""
    change = change_between(before[0] or None, after[0] or None, other_saw_it=other_saw_it)
    return _NOTHING if change is None else (str(change), other, before[1] or None, after[1] or None)


def _write(cursor: Cursor, numbers: list[int], rows: list[_Row]) -> None:
    """Only what differs: the other rows are not written again."""
    columns: dict[str, Any] = {"site_no": pa.array(numbers, pa.int64())}
    for name, values, kind in zip(CHANGE_COLUMNS, zip(*rows, strict=True), _TYPES, strict=True):
        columns[name] = pa.array(values, kind)
    setting = ", ".join(f"{name} = compared.{name}" for name in CHANGE_COLUMNS)
    differs = " OR ".join(f"states.{name} IS DISTINCT FROM compared.{name}" for name in CHANGE_COLUMNS)
    cursor.register("compared", pa.table(columns))
    try:
        cursor.execute(
            f"UPDATE states SET {setting} FROM compared WHERE states.site_no = compared.site_no AND ({differs})"  # noqa: S608  # our own names
        )
    finally:
        cursor.unregister("compared")
