"""Nearest neighbour between two upright grids of one CRS: rows and columns are picked, no number is mixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from minedisc_core.grid import RasterGrid


def nearest(
    read: Callable[[Window], NDArray[Any]], transform: Affine, shape: tuple[int, int], target: RasterGrid
) -> NDArray[Any] | None:
    """Pixels of a raster at the centres of a grid's pixels, 0 outside the raster; None if all lie outside.

    Args:
        read: numbers of a window of the raster, shape (..., height, width). Asked once, for what the grid needs.
        transform: of the raster: north-up, in the CRS of `target`.
        shape: rows and columns of the raster.
        target: the grid to fill.

    Returns:
        shape (..., target's height, target's width), of the numbers' own type.
    """
    inverse: Affine = ~transform @ target.transform
    rows = np.floor(inverse.e * (np.arange(target.height_px) + 0.5) + inverse.f).astype(np.int64)
    cols = np.floor(inverse.a * (np.arange(target.width_px) + 0.5) + inverse.c).astype(np.int64)
    inside = (rows >= 0) & (rows < shape[0]), (cols >= 0) & (cols < shape[1])
    rows, cols = rows[inside[0]], cols[inside[1]]
    if not len(rows) or not len(cols):
        return None
    top, left = int(rows.min()), int(cols.min())
    part: NDArray[Any] = read(Window(left, top, int(cols.max()) - left + 1, int(rows.max()) - top + 1))
    filled: NDArray[Any] = part.take(rows - top, axis=-2).take(cols - left, axis=-1)
    if filled.shape[-2:] == (target.height_px, target.width_px):
        return filled
    result: NDArray[Any] = np.zeros((*filled.shape[:-2], target.height_px, target.width_px), filled.dtype)
    result[..., np.flatnonzero(inside[0])[:, None], np.flatnonzero(inside[1])] = filled
    return result
