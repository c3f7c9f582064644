"""The ground of one mosaic's window, read from another mosaic: for pictures of the same place on two dates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.display import source_pixels
from minedisc_core.imagery.geotiff import Mosaic

_ALIGNED_PX = 0.05
"""Grids whose pixels lie closer than this are read as they are."""
_MARGIN_PX = 3
"""Pixels around the window that interpolation looks at."""
_MOST_TIMES = 4
"""A window that becomes this many times as wide elsewhere lies outside what the projections can tell."""


def read_same_ground(mosaic: Mosaic, grid: RasterGrid, window: PixelWindow, bands: Sequence[str]) -> NDArray[np.uint16]:
    """DN of `mosaic` on a window of another mosaic's pixels, shape (height, width, band), uint16, 0 = no data.

    On the same pixel grid the pixels are the file's own; else they are warped, bilinear.

    Args:
        mosaic: what is read; any CRS.
        grid: of the mosaic whose window is asked for.
        window: in pixels of `grid`; it may pass the edge.
        bands: canonical names.

    Raises:
        ImageryError: a band is missing, or a file cannot be read.
    """
    shift = _whole_shift(mosaic.grid, grid)
    if shift is not None:
        row, col = shift
        return mosaic.read(PixelWindow(window.row + row, window.col + col, window.height, window.width), bands)
    there = _around(mosaic.grid, grid, window)
    if there is None:
        return np.zeros((window.height, window.width, len(bands)), np.uint16)
    pixels = np.ascontiguousarray(np.moveaxis(mosaic.read(there, bands), -1, 0))
    out = np.zeros((len(bands), window.height, window.width), np.uint16)
    reproject(
        pixels, out, src_transform=_transform(mosaic.grid, there), src_crs=mosaic.grid.crs, src_nodata=0,
        dst_transform=_transform(grid, window), dst_crs=grid.crs, dst_nodata=0, resampling=Resampling.bilinear,
    )  # fmt: skip
    return np.moveaxis(out, 0, -1)


def _transform(grid: RasterGrid, window: PixelWindow) -> object:
    return grid.transform @ grid.transform.translation(window.col, window.row)


def _whole_shift(source: RasterGrid, target: RasterGrid) -> tuple[int, int] | None:
    """Rows and columns from `target`'s pixels to `source`'s if both lie on one pixel grid, else None."""
    if source.crs != target.crs and CRS.from_user_input(source.crs) != CRS.from_user_input(target.crs):
        return None
    a, b, col, d, e, row = (~source.transform @ target.transform)[:6]
    side = max(target.height_px, target.width_px)
    drift = max(abs(a - 1) * side, abs(e - 1) * side, abs(b) * side, abs(d) * side)
    drift = max(drift, abs(col - round(col)), abs(row - round(row)))
    return (round(row), round(col)) if drift <= _ALIGNED_PX else None


def _around(source: RasterGrid, target: RasterGrid, window: PixelWindow) -> PixelWindow | None:
    """The window of `source` that holds a window of `target`, with a margin; None if they lie apart."""
    rows, cols = source_pixels(source, target, window)
    row, col = int(rows.min()) - _MARGIN_PX, int(cols.min()) - _MARGIN_PX
    height, width = int(rows.max()) + _MARGIN_PX + 1 - row, int(cols.max()) + _MARGIN_PX + 1 - col
    too_large = max(height, width) > _MOST_TIMES * max(window.height, window.width)
    outside = row >= source.height_px or col >= source.width_px or row + height <= 0 or col + width <= 0
    return None if too_large or outside else PixelWindow(row, col, height, width)
