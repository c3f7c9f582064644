"""How much was seen: geodesic areas of cells, and the coverage of a scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from minedisc_core.detection.scan import FLAGGED_FILL, ScanResult
from minedisc_core.domain import Coverage
from minedisc_core.grid import RasterGrid, geodesic_area_ha

_NODES = 9
"""Cells a side whose area is measured; in between it is interpolated (it varies by parts in 10,000)."""


def cell_areas_ha(grid: RasterGrid, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Geodesic area in hectares of each of `cells`, an (n, 2) array of (i, j)."""
    if not len(cells):
        return np.zeros(0)
    rows, cols = (_nodes(length) for length in grid.cells)
    measured = np.array([(row, col) for row in rows for col in cols])
    areas = np.array([geodesic_area_ha(square) for square in grid.cell_polygons(measured)])
    if len(rows) == 1 or len(cols) == 1:
        return _along_one_side(areas, rows, cols, np.asarray(cells))
    between = RegularGridInterpolator((rows, cols), areas.reshape(len(rows), len(cols)))
    found: NDArray[np.float64] = between(np.asarray(cells, float))
    return found


def _along_one_side(
    areas: NDArray[np.float64], rows: NDArray[np.int64], cols: NDArray[np.int64], cells: NDArray[np.int64]
) -> NDArray[np.float64]:
    nodes, axis = (rows, 0) if len(rows) > 1 else (cols, 1)
    found: NDArray[np.float64] = np.interp(cells[:, axis], nodes, areas)
    return found


def _nodes(length: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, length - 1, min(_NODES, length)).round().astype(np.int64))


def area_km2(grid: RasterGrid, mask: NDArray[np.bool_]) -> float:
    """Geodesic area in km2 of the cells in `mask`."""
    return float(cell_areas_ha(grid, np.argwhere(mask)).sum()) / 100


def coverage(grid: RasterGrid, asked: NDArray[np.bool_], result: ScanResult) -> Coverage:
    """What was asked, seen, without data, failed and flagged; cells are 270 m squares."""
    seen = np.isfinite(result.scores)
    no_data = asked & ~seen & ~result.failed
    return Coverage(
        asked_km2=area_km2(grid, asked),
        seen_km2=area_km2(grid, seen),
        cells_asked=int(asked.sum()),
        cells_seen=int(seen.sum()),
        cells_no_data=int(no_data.sum()),
        cells_failed=int(result.failed.sum()),
        cells_flagged=int((seen & (result.fill > FLAGGED_FILL)).sum()),
    )
