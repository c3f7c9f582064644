"""The masked median of whole numbers: no float copies, no invented values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NO_LOOK = np.iinfo(np.uint16).max
_STRIP_BYTES = 1 << 20
"""What is sorted at a time fits a core's cache."""


def remove_offset(numbers: NDArray[np.uint16], offset: int) -> NDArray[np.uint16]:
    """DN without the offset of newer baselines: 0 (no data) stays 0, anything else is at least 1.

    Dark water measures below the offset; clipped to 0 it would become no data.
    """
    if not offset:
        return numbers
    lowered = np.maximum(numbers, np.uint16(offset + 1)) - np.uint16(offset)
    lowered[numbers == 0] = 0
    return lowered


def masked_median(stack: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Median of the values that are not 0, and how many there were.

    Args:
        stack: DN, shape (looks, height, width), 0 = no look; used as working memory.

    Returns:
        Median and count, uint16, shape (height, width). The mean of two middle values is rounded down,
        as Earth Engine's `median().toUint16()` does.
    """
    looks, height, width = stack.shape
    median, count = np.zeros((2, height, width), np.uint16)
    rows = max(1, _STRIP_BYTES // max(1, 2 * looks * width))
    for row in range(0, height if looks else 0, rows):
        strip = np.s_[row : row + rows]
        median[strip], count[strip] = _strip_median(stack[:, strip])
    return median, count


def _strip_median(strip: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    count = np.count_nonzero(strip, axis=0)
    strip[strip == 0] = _NO_LOOK
    strip.sort(axis=0)
    lower = np.take_along_axis(strip, np.maximum((count - 1) // 2, 0)[None], 0)[0]
    upper = np.take_along_axis(strip, np.minimum(count // 2, len(strip) - 1)[None], 0)[0]
    middle = (lower.astype(np.uint32) + upper) // 2
    return np.where(count > 0, middle, 0).astype(np.uint16), count.astype(np.uint16)
