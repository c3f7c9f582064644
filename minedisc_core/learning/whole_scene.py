"""What a model's scan of a whole scene says of places that people have judged, from its grid of scores.

The scores of a scan are a raster of one pixel per cell (270 m), so all is measured in cells: a site meets a judged
place if one of its cells lies within one cell of it, as a site grown by 270 m would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from minedisc_core.errors import RunError
from minedisc_core.grid import RasterGrid
from minedisc_core.learning.dense import in_pixels
from minedisc_core.runs import SCORES

REACH_CELLS = 1.0
"""A cell meets what lies within this distance of it."""
_NEIGHBOURS = np.ones((3, 3))


@dataclass(frozen=True)
class SceneScores:
    """Scores of one scan."""

    scores: NDArray[np.float32]
    """Per cell, 0..1; NaN = not seen."""
    grid: RasterGrid
    """One pixel per cell."""


def read_scores(run_dir: Path) -> SceneScores:
    """The scores that a finished scan left.

    Raises:
        RunError: there are none, or they cannot be read.
    """
    try:
        with rasterio.open(run_dir / SCORES) as raster:
            grid = RasterGrid(raster.height, raster.width, raster.transform, str(raster.crs))
            return SceneScores(raster.read(1).astype(np.float32), grid)
    except RasterioError as error:
        raise RunError(f"{run_dir / SCORES} cannot be read: {error}", "the scores of a finished scan") from error


def near_cells(scene: SceneScores, places: Sequence[BaseGeometry]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """For each place (EPSG:4326) the rows and columns of the cells that meet it."""
    rows, cols = scene.scores.shape
    found = []
    for shape in in_pixels(scene.grid, places) if places else ():
        west, north, east, south = shapely.bounds(shape)
        i = np.arange(max(0, int(north - REACH_CELLS)), min(rows, int(south + REACH_CELLS) + 1))
        j = np.arange(max(0, int(west - REACH_CELLS)), min(cols, int(east + REACH_CELLS) + 1))
        i, j = (part.ravel() for part in np.meshgrid(i, j, indexing="ij"))
        near = shapely.dwithin(shapely.box(j, i, j + 1, i + 1), shape, REACH_CELLS)
        found.append((i[near], j[near]))
    return found


def best_scores(scene: SceneScores, places: Sequence[BaseGeometry]) -> NDArray[np.float32]:
    """The highest score of the cells that meet each place: it is found at every lower threshold. NaN: not seen."""
    best = np.full(len(places), np.nan, np.float32)
    for number, cells in enumerate(near_cells(scene, places)):
        seen = scene.scores[cells]
        seen = seen[np.isfinite(seen)]
        best[number] = seen.max() if len(seen) else np.nan
    return best


def count_sites(
    scene: SceneScores, threshold: float, mines: Sequence[BaseGeometry], rejected: Sequence[BaseGeometry]
) -> tuple[int, int]:
    """Sites at a threshold that meet a rejected place and no mine, and sites that meet nothing judged."""
    labels, count = ndimage.label(scene.scores > threshold, structure=_NEIGHBOURS)
    if not count:
        return 0, 0
    on_mine, on_rejected = (_met(labels, near_cells(scene, places), count) for places in (mines, rejected))
    return int((on_rejected & ~on_mine).sum()), int((~on_rejected & ~on_mine).sum())


def _met(
    labels: NDArray[np.int32], places: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], count: int
) -> NDArray[np.bool_]:
    """Per site, whether one of its cells meets one of the places."""
    met = np.zeros(count + 1, bool)
    for cells in places:
        met[labels[cells]] = True
    return met[1:]
