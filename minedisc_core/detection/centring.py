"""DN minus the band mean, as both engines' first layer takes it.

The mean is subtracted in float32 (exact for the whole-number means of our cards) and pixels without data
become 0, as the net's own padding is; the division by the standard deviation is part of the first layer's
weights. Nothing is left for the bias, so that cells at the raster's edge do not shift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.networks import Tensors

ROWS_AT_ONCE = 8


def folded(tensors: Tensors, card: ModelCard) -> dict[str, NDArray[np.float32]]:
    """Weights whose first layer takes DN minus the band mean: its kernel divided by the deviation."""
    plain = {name: np.asarray(values, np.float32) for name, values in tensors.items()}
    std = np.asarray(card.std, np.float64)
    kernel = np.asarray(tensors["conv1/kernel"], np.float64) / std[None, None, :, None]
    return {**plain, "conv1/kernel": kernel.astype(np.float32)}


def centre(
    dn: NDArray[np.uint16],
    no_data: NDArray[np.bool_] | None,
    mean: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write DN minus the mean, no data 0, into `out`.

    The bands may lie one after the other in memory: a few rows at a time are brought together in the
    processor's cache, and written once.

    Args:
        dn: (h, w, band), uint16.
        no_data: mask (h, w), None if there is none.
        mean: per band, float32.
        out: (h, w, band), float32, contiguous.
    """
    height, width, bands = dn.shape
    flat, means = out.reshape(height, width * bands), np.tile(mean, width)
    for row in range(0, height, ROWS_AT_ONCE):
        part = flat[row : row + ROWS_AT_ONCE]
        part[...] = np.ascontiguousarray(dn[row : row + ROWS_AT_ONCE]).reshape(-1, width * bands)
        part -= means
    if no_data is not None:
        out[no_data] = 0
