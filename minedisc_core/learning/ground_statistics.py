"""How the ground of a window is made up, in few numbers: order statistics of bands, band ratios and gradient.

Two views of the same numbers: `standing_out` is measured against the window's own median, so that light, season
and soil drop out and what is left is how unlike its surroundings the ground is; `levels` keeps how bright and of
which colour it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minedisc_core.grid import CENTRE_PX, STRIDE_PX, WINDOW_PX, cells_along
from minedisc_core.learning.mask_labels import MIDDLE_PX

AIR_DN = 600.0
"""About the least that the air alone sends back in the visible bands of an L1C product; bands are taken above it."""
_LEAST_DN = 50.0
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MEDIAN = _QUANTILES.index(0.5)
_SIDES = ((WINDOW_PX, 3), (MIDDLE_PX, 1))
"""Window and its middle; every third pixel of a window is enough."""


def ground_statistics(dn: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Order statistics, mean and deviation of each cell's window and of its middle.

    Args:
        dn: DN (h, w, band) of L1C without offset.

    Returns:
        (rows, columns, 2, 7, channels): window and middle; five quantiles, mean, deviation; the logarithm of each band
        above the air, of each ratio of two bands, and the gradient of the logarithm of their mean (per pixel).
    """
    channels = _channels(dn)
    rows, cols = (cells_along(side) for side in dn.shape[:2])
    found = np.empty((rows, cols, len(_SIDES), len(_QUANTILES) + 2, channels.shape[-1]), np.float32)
    for i in range(rows):
        for j in range(cols):
            for part, (side, step) in enumerate(_SIDES):
                found[i, j, part] = _described(_around(channels, i, j, side, step))
    return found


def _channels(dn: NDArray[np.uint16]) -> NDArray[np.float32]:
    bands = np.maximum(dn, 1).astype(np.float32)
    light = np.log(np.maximum(bands - AIR_DN, _LEAST_DN))
    logs = np.log(bands)
    first, second = np.triu_indices(bands.shape[-1], 1)
    down, right = np.gradient(np.log(bands.mean(axis=-1)))
    return np.concatenate([light, logs[..., second] - logs[..., first], np.hypot(down, right)[..., None]], axis=-1)


def _around(channels: NDArray[np.float32], i: int, j: int, side: int, step: int) -> NDArray[np.float32]:
    row, col, half = STRIDE_PX * i + CENTRE_PX, STRIDE_PX * j + CENTRE_PX, side // 2
    part = channels[row - half : row + half + 1 : step, col - half : col + half + 1 : step]
    return part.reshape(-1, channels.shape[-1])


def _described(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Quantiles, mean and deviation (7, channels) of pixels (n, channels)."""
    ordered = np.sort(pixels, axis=0)
    ranks = [round(share * (len(ordered) - 1)) for share in _QUANTILES]
    return np.concatenate(
        [ordered[ranks], pixels.mean(axis=0, dtype=float)[None], pixels.std(axis=0, dtype=float)[None]]
    )


def standing_out(statistics: NDArray[np.float32]) -> NDArray[np.float32]:
    """Statistics (..., 2, 7, channels) against the window's median, in a row (..., k); deviations stay as they are."""
    relative = statistics.copy()
    relative[..., :-1, :] -= statistics[..., :1, _MEDIAN : _MEDIAN + 1, :]
    return relative.reshape(*statistics.shape[:-3], -1)


def levels(statistics: NDArray[np.float32]) -> NDArray[np.float32]:
    """Statistics (..., 2, 7, channels) in a row (..., k)."""
    return statistics.reshape(*statistics.shape[:-3], -1)
