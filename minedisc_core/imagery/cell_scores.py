"""The greatest score that a scan gave on each of some places, from the `scores.tif` that it left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

_TOUCHES = 0.02
"""Share of a cell's side: a place that reaches less far into a cell only touches it."""


def greatest_scores(scores: Path, polygons: NDArray[np.object_]) -> NDArray[np.float64] | None:
    """The greatest score of the cells that each place overlaps.

    Args:
        scores: a scan's `scores.tif`, of any model's cells.
        polygons: n valid polygons, EPSG:4326.

    Returns:
        n scores, NaN where the scan has no score on the place; None if the file cannot be read.
    """
    try:
        with rasterio.open(scores) as raster:
            values, transform, crs = raster.read(1), raster.transform, raster.crs.to_wkt()
    except (rasterio.errors.RasterioError, OSError):
        return None
    to_grid = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    back = ~transform

    def in_cells(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = to_grid.transform(lonlat[:, 0], lonlat[:, 1])
        return np.column_stack([back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f])

    return _greatest(values, shapely.transform(polygons, in_cells))


def _greatest(values: NDArray[np.float32], places: NDArray[np.object_]) -> NDArray[np.float64]:
    """As above; the places are in columns and rows of cells."""
    found = np.full(len(places), np.nan)
    owner, rows, cols = _cells_in_boxes(places, values.shape)
    scores = values[rows, cols].astype(float)
    known = np.isfinite(scores)
    owner, rows, cols, scores = owner[known], rows[known], cols[known], scores[known]
    inner = (cols + _TOUCHES, rows + _TOUCHES, cols + 1 - _TOUCHES, rows + 1 - _TOUCHES)
    shapely.prepare(places)
    meets = shapely.intersects(places[owner], shapely.box(*inner))
    np.fmax.at(found, owner[meets], scores[meets])
    return found


def _cells_in_boxes(
    places: NDArray[np.object_], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Index of the place, row and column of each cell of the raster in the box around each place."""
    left, top, right, bottom = shapely.bounds(places).reshape(-1, 4).T
    first_row, first_col = (np.maximum(0, np.floor(edge)).astype(np.int64) for edge in (top, left))
    last_row, last_col = (
        np.minimum(size, np.ceil(edge)).astype(np.int64) for size, edge in ((shape[0], bottom), (shape[1], right))
    )
    height, width = np.maximum(0, last_row - first_row), np.maximum(0, last_col - first_col)
    counts = height * width
    owner = np.repeat(np.arange(len(places)), counts)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, first_row[owner] + step // width[owner], first_col[owner] + step % width[owner]
