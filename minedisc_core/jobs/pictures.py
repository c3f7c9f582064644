"""Pictures at the end of a run: map-tile pyramids of the mosaic and chips of the sites."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from minedisc_core.detection.sites import SiteGroups
from minedisc_core.errors import ImageryError
from minedisc_core.grid import CENTRE_PX, STRIDE_PX
from minedisc_core.imagery.chips import write_chips
from minedisc_core.imagery.display import available_display_kinds, write_display
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.pictures import Stretch, measure_stretch, picture_kinds
from minedisc_core.runs import CHIPS


def write_pictures(mosaic: Mosaic, groups: SiteGroups, run_dir: Path, step: Callable[[str], None]) -> list[str]:
    """Write pyramids and chips with one stretch for the run.

    Pictures are no result: what cannot be written is told, one sentence each, and the run goes on.

    Args:
        mosaic: what was scanned.
        groups: sites and their cells.
        run_dir: the run's folder.
        step: called with a sentence before each step; may raise to stop.
    """
    if not picture_kinds(mosaic.bands):
        return []
    problems: list[str] = []
    stretch = measure_stretch(mosaic)
    for kind in available_display_kinds(mosaic):
        step(f"writing map tiles ({kind.replace('_', ' ')})")
        _try(partial(write_display, mosaic, run_dir / f"{kind}.tif", kind, stretch), problems)
    step(f"writing chips of {len(groups.sites)} sites")
    _try(partial(_write_chips, mosaic, groups, run_dir, stretch), problems)
    return problems


def _write_chips(mosaic: Mosaic, groups: SiteGroups, run_dir: Path, stretch: Stretch) -> None:
    centres = {
        site.site_id: cells * STRIDE_PX + CENTRE_PX for site, cells in zip(groups.sites, groups.cells, strict=True)
    }
    write_chips(mosaic, groups.sites, run_dir / CHIPS, centres, stretch)


def _try(action: Callable[[], object], problems: list[str]) -> None:
    try:
        action()
    except ImageryError as error:
        problems.append(f"a picture is missing: {error}")
