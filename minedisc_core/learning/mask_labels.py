"""Labels of cells by hand-drawn masks: what lies in a cell's window, and what in the middle of it.

A mask marks structures, not all of the ground: other pits of a frame are unmarked, and a cell at the rim of a
structure is neither mine nor background. So a cell is a mine only if the middle of its window holds enough
of a mask, background only if the whole window holds none, and the rest counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minedisc_core.grid import CENTRE_PX, STRIDE_PX, WINDOW_PX, cells_along

POSITIVE, NEGATIVE, IGNORED, MINE_FREE = 1, 0, -1, -2
MIDDLE_PX = 81
"""Side of the middle of a window: three strides."""
ENOUGH_PX = 150
"""Mask pixels that the middle must hold for a positive cell (1.5 ha at 10 m)."""


@dataclass(frozen=True)
class MaskedScene:
    """Pixels of a scene with its mask, and the place it belongs to."""

    name: str
    place: str
    """Scenes of one place are on one side of every split."""
    dn: NDArray[np.uint16]
    """(height, width, band), 0 = no data, no offset."""
    mask: NDArray[np.bool_] | None
    """(height, width), all masks that are known on this ground; None: there is no mine in the scene."""

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        height, width = self.dn.shape[:2]
        return cells_along(height), cells_along(width)

    def labels(self) -> NDArray[np.int8]:
        """POSITIVE, NEGATIVE or IGNORED of each cell; MINE_FREE in a scene without a mine."""
        if self.mask is None:
            return np.full(self.cells, MINE_FREE, np.int8)
        return label_windows(self.mask, self.cells)


def label_windows(mask: NDArray[np.bool_], cells: tuple[int, int]) -> NDArray[np.int8]:
    """Label of each cell of a mask.

    Args:
        mask: (height, width), True on structures.
        cells: rows and columns of cells.
    """
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
    sums[1:, 1:] = mask.cumsum(0, dtype=np.int64).cumsum(1)

    def held(side_px: int) -> NDArray[np.int64]:
        half = side_px // 2
        rows, cols = (np.arange(n) * STRIDE_PX + CENTRE_PX for n in cells)
        top, bottom = (np.clip(rows + d, 0, mask.shape[0])[:, None] for d in (-half, half + 1))
        left, right = (np.clip(cols + d, 0, mask.shape[1])[None] for d in (-half, half + 1))
        total: NDArray[np.int64] = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return total

    background = np.where(held(WINDOW_PX) == 0, NEGATIVE, IGNORED)
    return np.where(held(MIDDLE_PX) >= ENOUGH_PX, POSITIVE, background).astype(np.int8)
