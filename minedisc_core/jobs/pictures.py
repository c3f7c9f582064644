"""Pictures at the end of a run: map-tile pyramids of the mosaic and chips of the sites."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from minedisc_core.detection.sites import SiteGroups
from minedisc_core.errors import ImageryError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.chips import write_chips
from minedisc_core.imagery.display import available_display_kinds, write_display
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.pictures import Stretch, measure_stretch, picture_kinds
from minedisc_core.jobs.second_dates import DatedRun, other_dates, write_pairs
from minedisc_core.runs import CHIPS


def write_pictures(
    mosaic: Mosaic, groups: SiteGroups, run_dir: Path, step: Callable[[str], None], runs: Path | None = None,
    grid: RasterGrid | None = None,
) -> list[str]:  # fmt: skip
    """Write pyramids and chips with one stretch for the run, and chips of the same ground on other dates.

    Pictures are no result: what cannot be written is told, one sentence each, and the run goes on.

    Args:
        mosaic: what was scanned.
        groups: sites and their cells.
        run_dir: the run's folder.
        step: called with a sentence before each step; may raise to stop.
        runs: folder of all runs, whose mosaics may show the sites on other dates; None: they are not looked for.
        grid: the mosaic's pixels under the cells of the sites; None: the discovery net's.
    """
    if not picture_kinds(mosaic.bands):
        return []
    problems: list[str] = []
    mosaic = mosaic.without_faults()
    stretch = measure_stretch(mosaic)
    for kind in available_display_kinds(mosaic):
        step(f"writing map tiles ({kind.replace('_', ' ')})")
        _try(partial(write_display, mosaic, run_dir / f"{kind}.tif", kind, stretch), problems)
    step(f"writing chips of {len(groups.sites)} sites")
    _try(partial(_write_chips, mosaic, groups, run_dir, stretch, grid or mosaic.grid), problems)
    if runs is not None:
        _try(partial(_write_pairs, mosaic, groups, run_dir, runs, step), problems)
    return problems


def _write_pairs(mosaic: Mosaic, groups: SiteGroups, run_dir: Path, runs: Path, step: Callable[[str], None]) -> None:
    start, end = mosaic.imagery_start or mosaic.imagery_end, mosaic.imagery_end or mosaic.imagery_start
    folders = [path for path in runs.iterdir() if path.is_dir()] if runs.is_dir() else []
    if start is None or end is None or not folders:
        return
    own = DatedRun(
        run_dir.name, run_dir, start, end, datetime.now(UTC).replace(tzinfo=None), mosaic.identity, mosaic.grid
    )
    others = other_dates(own, folders)
    if others:
        step("writing chips of the same places on other dates")
        write_pairs(own, groups.sites, others)


def _write_chips(mosaic: Mosaic, groups: SiteGroups, run_dir: Path, stretch: Stretch, grid: RasterGrid) -> None:
    centres = {site.site_id: grid.peak_pixels(cells) for site, cells in zip(groups.sites, groups.cells, strict=True)}
    write_chips(mosaic, groups.sites, run_dir / CHIPS, centres, stretch, grid.geometry)


def _try(action: Callable[[], object], problems: list[str]) -> None:
    try:
        action()
    except ImageryError as error:
        problems.append(f"a picture is missing: {error}")
