"""Which places a scan saw, from the scores that it left: a cell without a score was not asked for or not seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.warp import transform_bounds

Bounds = tuple[float, float, float, float]
_LONLAT = "EPSG:4326"
_LEAST_SEEN = 0.5
"""Share of a place's cells: as much as two sites must overlap to be one place."""


@dataclass(frozen=True, eq=False)
class SeenCells:
    """The cells of one scan."""

    seen: NDArray[np.bool_]
    """Rows x columns of 270 m cells: whether the cell got a score."""
    transform: Affine
    """From columns and rows of cells to the grid's coordinates."""
    crs: str
    """Of the grid, as WKT."""

    def saw(self, polygons: NDArray[np.object_], peaks: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the scan saw each place: the cell under its peak, and at least half of the cells in it.

        Args:
            polygons: n valid polygons, EPSG:4326.
            peaks: n x 2 longitudes and latitudes of points in them.

        Returns:
            n booleans.
        """
        to_grid = Transformer.from_crs(_LONLAT, self.crs, always_xy=True)
        found = self._is_seen(*self._cell(*to_grid.transform(peaks[:, 0], peaks[:, 1])))
        near = np.flatnonzero(found)
        found[near] = self._shares(polygons[near], to_grid) >= _LEAST_SEEN
        return found

    def shares(self, polygons: NDArray[np.object_]) -> NDArray[np.float64]:
        """Share of the cells with their centre in each polygon (valid, EPSG:4326) that the scan saw, 0..1."""
        return self._shares(polygons, Transformer.from_crs(_LONLAT, self.crs, always_xy=True))

    def _cell(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rows and columns, with fractions, of points in the grid's coordinates."""
        back = ~self.transform
        return back.d * x + back.e * y + back.f, back.a * x + back.b * y + back.c

    def _is_seen(self, rows: NDArray[Any], cols: NDArray[Any]) -> NDArray[np.bool_]:
        height, width = self.seen.shape
        inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
        found = np.zeros(len(rows), bool)
        found[inside] = self.seen[rows[inside].astype(np.int64), cols[inside].astype(np.int64)]
        return found

    def _shares(self, polygons: NDArray[np.object_], to_grid: Transformer) -> NDArray[np.float64]:
        """Share of the cells with their centre in each polygon that was seen; 1 where no centre lies in it."""
        owner, rows, cols = self._cells_around(polygons, to_grid)
        x = self.transform.a * (cols + 0.5) + self.transform.b * (rows + 0.5) + self.transform.c
        y = self.transform.d * (cols + 0.5) + self.transform.e * (rows + 0.5) + self.transform.f
        shapely.prepare(polygons)
        within = shapely.contains_xy(polygons[owner], *to_grid.transform(x, y, direction="INVERSE"))
        cells = np.bincount(owner[within], minlength=len(polygons))
        seen = np.bincount(owner[within & self._is_seen(rows, cols)], minlength=len(polygons))
        return np.divide(seen, cells, out=np.ones(len(polygons)), where=cells > 0)

    def _cells_around(
        self, polygons: NDArray[np.object_], to_grid: Transformer
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Index of the polygon, row and column of each cell in the box around each polygon."""
        west, south, east, north = shapely.bounds(polygons).reshape(-1, 4).T
        corners = to_grid.transform(np.stack([west, east, east, west]), np.stack([south, south, north, north]))
        spans = [(np.floor(at.min(0)).astype(np.int64), np.floor(at.max(0)).astype(np.int64)) for at in
                 self._cell(*corners)]  # fmt: skip
        (top, bottom), (left, right) = spans
        width = right - left + 1
        counts = (bottom - top + 1) * width
        owner = np.repeat(np.arange(len(polygons)), counts)
        step = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        return owner, top[owner] + step // width[owner], left[owner] + step % width[owner]


def read_seen_cells(scores: Path) -> SeenCells | None:
    """What a scan's `scores.tif` says; None if it cannot be read."""
    try:
        with rasterio.open(scores) as raster:
            return SeenCells(~np.isnan(raster.read(1)), raster.transform, raster.crs.to_wkt())
    except (rasterio.errors.RasterioError, OSError):
        return None


def read_extent(scores: Path) -> Bounds | None:
    """West, south, east, north (EPSG:4326) of the cells of a `scores.tif`; None if it cannot be read."""
    try:
        with rasterio.open(scores) as raster:
            west, south, east, north = transform_bounds(raster.crs, _LONLAT, *raster.bounds)
            return (west, south, east, north)
    except (rasterio.errors.RasterioError, OSError):
        return None
