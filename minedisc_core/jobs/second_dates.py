"""The same ground on other dates: which other runs hold it, and chips of it from their mosaics.

The chips of a site from another run's mosaic lie in `RUN/pairs/<other run>/`, named as the site's own. A site
that the other mosaic does not really hold leaves `<site>.none` there, so that it is not read again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

import rasterio
import shapely
from affine import Affine

from minedisc_core.domain import RunState, Site
from minedisc_core.errors import ImageryError, MinediscError, RunError
from minedisc_core.grid import DISCOVERY_CELLS, CellGeometry, RasterGrid
from minedisc_core.imagery.chips import (
    CHIP_KINDS,
    available_chip_kinds,
    block_of,
    chip_names,
    chip_window,
    disk_problems,
    read_stretch,
    replace_file,
    write_chip_files,
)
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.network import is_remote
from minedisc_core.imagery.pictures import Stretch, measure_stretch, picture_bands
from minedisc_core.imagery.same_ground import read_same_ground
from minedisc_core.jobs.request import open_request_mosaic, read_request
from minedisc_core.runs import CHIPS, REQUEST, RESULT, SCORES, read_json, read_summary

LOG = logging.getLogger("minedisc.jobs")
PAIRS = "pairs"
"""Folder of a run with chips from other runs' mosaics."""
MOST_DATES = 2
"""Other dates shown of a site: the newest."""
MOST_SITES = 200
"""Sites whose pairs are made when a run ends, best scores first; the others' when somebody looks at them."""
_LEAST_SEEN = 0.5
"""Share of a chip's pixels that must hold data."""
_THREADS = 2
_KNOWN_S = 10.0
_KEPT_MOSAICS = 4


@dataclass(frozen=True)
class DatedRun:
    """A run whose imagery dates are known."""

    run_id: str
    folder: Path
    start: date
    end: date
    finished_at_utc: datetime
    identity: str
    """Of its mosaic when it was scanned."""
    grid: RasterGrid

    def holds(self, site: Site) -> bool:
        """Whether the site's peak lies in its mosaic."""
        return bool(shapely.contains_xy(self.grid.footprint, site.peak_lon, site.peak_lat))


def other_dates(own: DatedRun, folders: Iterable[Path]) -> tuple[DatedRun, ...]:
    """The finished runs among `folders` with other imagery dates, of ground that `own` holds too; newest first.

    A run whose dates are not known, or that cannot be read, is left out.
    """
    read = [other for folder in folders if folder != own.folder and (other := read_dated(folder))]
    found = [
        other for other in read
        if (other.start, other.end) != (own.start, own.end) and other.identity != own.identity
        and other.grid.footprint.intersects(own.grid.footprint)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda other: (other.end, other.finished_at_utc), reverse=True))


def dates_of_site(site: Site, others: Iterable[DatedRun]) -> list[DatedRun]:
    """The newest other dates that hold a site, one run for each."""
    by_date: dict[tuple[date, date], DatedRun] = {}
    for other in others:
        if (other.start, other.end) not in by_date and other.holds(site):
            by_date[other.start, other.end] = other
        if len(by_date) == MOST_DATES:
            break
    return list(by_date.values())


def run_grid(run_dir: Path) -> RasterGrid:
    """The pixel grid of the mosaic that a run scanned, from its scores: the mosaic itself may be gone.

    Raises:
        RunError: the run left no scores.
    """
    try:
        with rasterio.open(run_dir / SCORES) as scores:
            cells, shape, crs = scores.transform, scores.shape, scores.crs
    except rasterio.errors.RasterioError as error:
        raise RunError(f"{run_dir / SCORES} cannot be read: {error}", "what a run wrote", "scan again") from error
    geometry = run_geometry(run_dir)
    edge_px = geometry.offset_px - geometry.stride_px / 2
    corner = cells @ Affine.scale(1 / geometry.stride_px) @ Affine.translation(-edge_px, -edge_px)
    height, width = (geometry.size_px(side) for side in shape)
    told_crs = f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else crs.to_wkt()
    return RasterGrid(height, width, corner, told_crs, geometry)


def run_geometry(run_dir: Path) -> CellGeometry:
    """How the cells of a run lie over the pixels: the discovery net's, unless its request names others.

    Raises:
        RunError: the request cannot be read.
    """
    told = read_json(run_dir / REQUEST).get("cells")
    try:
        return CellGeometry(**told) if told else DISCOVERY_CELLS
    except TypeError as error:
        raise RunError(f"{run_dir / REQUEST} tells cells that cannot be used ({error})", remedy="scan again") from error


def read_dated(folder: Path) -> DatedRun | None:
    """What a finished run's folder says, kept until it is written again; None if it says too little."""
    try:
        return _read_dated(folder, (folder / RESULT).stat().st_mtime_ns)
    except (RunError, OSError):
        return None


@lru_cache(maxsize=1024)
def _read_dated(folder: Path, _changed_ns: int) -> DatedRun | None:
    summary = read_summary(folder)
    start = summary.imagery_start or summary.imagery_end
    end = summary.imagery_end or start
    if start is None or end is None or summary.state not in (RunState.COMPLETE, RunState.INCOMPLETE):
        return None
    identity = str(read_json(folder / REQUEST).get("mosaic_identity", ""))
    return DatedRun(summary.run_id, folder, start, end, summary.finished_at_utc, identity, run_grid(folder))


def opened(other: DatedRun) -> Mosaic | None:
    """The other run's mosaic if it is still the one that was scanned, else None."""
    try:
        request = read_request(other.folder)
        stamps = tuple(Path(path).stat().st_mtime_ns for path in request.mosaic if not is_remote(path))
        return _opened(other, stamps)
    except (MinediscError, OSError):
        return None


@lru_cache(maxsize=_KEPT_MOSAICS)
def _opened(other: DatedRun, _stamps: tuple[int, ...]) -> Mosaic | None:
    mosaic = open_request_mosaic(read_request(other.folder))
    return mosaic if mosaic.identity == other.identity else None


@lru_cache(maxsize=_KEPT_MOSAICS)
def _stretch(other: DatedRun, mosaic: Mosaic) -> Stretch:
    return read_stretch(other.folder / CHIPS) or measure_stretch(mosaic)


def pair_folder(run_dir: Path, other: DatedRun) -> Path:
    """Where the chips of a run's sites from another run's mosaic lie."""
    return run_dir / PAIRS / other.run_id


def pair_names(run_dir: Path, site_id: str, other: DatedRun) -> tuple[str, ...]:
    """File names of a site's chips from another run's mosaic: those that are there, or can be made; may be none."""
    folder = pair_folder(run_dir, other)
    if (folder / f"{site_id}.none").is_file():
        return ()
    mosaic = opened(other)
    wanted = chip_names(site_id, available_chip_kinds(mosaic.bands) if mosaic else CHIP_KINDS)
    return wanted if mosaic else tuple(name for name in wanted if (folder / name).is_file())


def make_pair(run_dir: Path, grid: RasterGrid, site: Site, other: DatedRun) -> bool:
    """Write a site's chips from another run's mosaic, in that run's stretch; whether it holds the ground.

    Raises:
        ImageryError: the mosaic cannot be read, or the disk is full.
    """
    mosaic = opened(other)
    if mosaic is None:
        return False
    bands = picture_bands(available_chip_kinds(mosaic.bands))
    pixels = read_same_ground(mosaic, grid, chip_window(site), bands)
    folder = pair_folder(run_dir, other)
    has_ground = bool((pixels != 0).any(axis=-1).mean() >= _LEAST_SEEN)
    with disk_problems(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if has_ground:
            write_chip_files(pixels, bands, folder, site.site_id, _stretch(other, mosaic))
        else:
            replace_file(folder / f"{site.site_id}.none", b"")
    return has_ground


def write_pairs(own: DatedRun, sites: Sequence[Site], others: Sequence[DatedRun]) -> int:
    """Write the pairs of a run's best sites; gives their number. The others' are made when somebody looks at them.

    Args:
        own: the run.
        sites: its sites, discarded ones among them.
        others: `other_dates` of the run.

    Raises:
        ImageryError: a mosaic cannot be read, or the disk is full.
    """
    best = sorted((site for site in sites if not site.discarded), key=lambda site: -site.score)[:MOST_SITES]

    def make(site: Site) -> int:
        return sum(make_pair(own.folder, own.grid, site, other) for other in dates_of_site(site, others))

    with ThreadPoolExecutor(_THREADS) as pool:
        return sum(pool.map(make, sorted(best, key=block_of)))


def _make_once(own: DatedRun, site: Site, other: DatedRun) -> bool:
    names, folder = pair_names(own.folder, site.site_id, other), pair_folder(own.folder, other)
    if names and all((folder / name).is_file() for name in names):
        return True
    return bool(names) and make_pair(own.folder, own.grid, site, other)


class SecondDates:
    """What a server knows of other dates, and makes of them when somebody looks: each pair once, two at a time."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[float, DatedRun | None, tuple[DatedRun, ...]]] = {}
        self._pool = ThreadPoolExecutor(_THREADS, "pairs")
        self._running: dict[tuple[Path, str], Future[bool]] = {}
        self._lock = threading.Lock()

    def of(self, run_dir: Path, folders: Callable[[], Iterable[Path]]) -> tuple[DatedRun | None, tuple[DatedRun, ...]]:
        """A run, None if its dates are not known, and `other_dates` of it; read again every 10 seconds.

        Args:
            run_dir: the run's folder.
            folders: gives those of all runs that count.
        """
        until, own, others = self._known.get(run_dir, (0.0, None, ()))
        if time.monotonic() > until:
            own = read_dated(run_dir)
            others = other_dates(own, folders()) if own else ()
            self._known[run_dir] = time.monotonic() + _KNOWN_S, own, others
        return own, others

    def forget(self) -> None:
        """Read everything again when it is asked for next."""
        self._known.clear()

    def made(self, own: DatedRun, site: Site, other: DatedRun) -> bool:
        """Wait until a site's pair is made; False if its ground is not there, or it could not be made."""
        key = pair_folder(own.folder, other), site.site_id
        with self._lock:
            if key not in self._running:
                self._running[key] = self._pool.submit(_make_once, own, site, other)
            running = self._running[key]
        try:
            return running.result()
        except ImageryError as error:
            LOG.warning("no second date of %s: %s", site.site_id, error)
            return False
        finally:
            with self._lock:
                self._running.pop(key, None)
