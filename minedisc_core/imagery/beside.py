"""What lies beside a mosaic of files: its story, and the counts of looks that Earth Engine's exports bring along."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from minedisc_core import __version__
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.composites.assembly import looks_path, looks_profile, story_path
from minedisc_core.imagery.composites.target import all_blocks
from minedisc_core.imagery.scenes import Scene
from minedisc_core.imagery.writing import atomic_raster
from minedisc_core.runs import write_json

_LOOKS = re.compile(r"_looks(?:-\d+-\d+)?$")
"""End of the name of an export's counts, whole or in pieces (`mg_looks-0000000000-0000009216.tif`)."""


def write_files_story(
    out: Path, sources: Sequence[str | Path], scenes: Sequence[Scene], grid: RasterGrid, facts: dict[str, Any]
) -> None:
    """Write `NAME.tif.json` of a mosaic of files, and `NAME.looks.tif` where the sources bring counts of looks.

    Args:
        out: the mosaic, written.
        sources: what it was made of, as asked.
        scenes: what was found in them.
        grid: of the mosaic.
        facts: what else is known: level, bands, dates.

    Raises:
        ImageryError: the disk is full, or a file of counts cannot be read.
        RunError: the same, for the JSON.
    """
    counts = _looks_files(sources, out)
    if counts:
        _merge(counts, grid, looks_path(out))
    story = {
        "path": str(out),
        "made_at_utc": datetime.now(UTC).replace(tzinfo=None),
        "minedisc": __version__,
        "source": "files",
        "files": [str(source) for source in sources],
        "scene_list": [_told(scene) for scene in scenes],
        **{name: value.isoformat() if isinstance(value, date) else value for name, value in facts.items()},
        "crs": grid.crs,
        "height_px": grid.height_px,
        "width_px": grid.width_px,
        "looks_file": looks_path(out).name if counts else None,
        "looks_note": "" if counts else "not counted: each pixel is that of the first scene that has it",
    }
    write_json(story_path(out), story)


def _told(scene: Scene) -> dict[str, Any]:
    return {"name": scene.name, "level": str(scene.level or ""), "dn_offset": scene.finest.dn_offset}


def _looks_files(sources: Sequence[str | Path], out: Path) -> list[Path]:
    found: set[Path] = set()
    for source in map(Path, sources):
        inner = source.rglob("*.tif") if source.is_dir() else [source]
        found |= {path for path in inner if path.suffix.lower() == ".tif" and _LOOKS.search(path.stem)}
    return sorted(path for path in found if path != looks_path(out))


def _merge(counts: Sequence[Path], grid: RasterGrid, out: Path) -> None:
    """All counts on the mosaic's grid, nearest neighbour; where they overlap the largest."""
    with ExitStack() as stack, atomic_raster(out) as scratch:
        parts = [_on_grid(path, grid, stack) for path in counts]
        target = stack.enter_context(rasterio.open(scratch, "w", **looks_profile(grid)))
        target.descriptions = ("valid observations",)
        for block in all_blocks(grid):
            window = Window(block.col, block.row, block.width, block.height)
            looks: NDArray[np.uint16] = np.max([part.read(1, window=window) for part in parts], axis=0)
            target.write(looks.astype(np.uint16), 1, window=window)
        target.close()


def _on_grid(path: Path, grid: RasterGrid, stack: ExitStack) -> WarpedVRT:
    dataset = stack.enter_context(rasterio.open(path))
    where = {"crs": grid.crs, "transform": grid.transform, "height": grid.height_px, "width": grid.width_px}
    return stack.enter_context(WarpedVRT(dataset, **where, src_nodata=None, nodata=0))
