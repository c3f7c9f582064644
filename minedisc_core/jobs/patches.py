"""Impact patches of the hits, cut from the tiles that were read for the scan while they are still in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from minedisc_core.grid import CENTRE_PX, PATCH_PX, STRIDE_PX, PixelWindow

KEPT_BYTES = 600_000_000
"""Pixels kept at most; of a wider mosaic the patches are read again."""
_GROUP_PX = 512
_HALF = PATCH_PX // 2

Read = Callable[[PixelWindow], NDArray[np.uint16]]


class PatchCutter:
    """Passes tiles on and keeps them for a while, so that a hit's 21 px patch need not be read again."""

    def __init__(self, read: Read, kept_bytes: int = KEPT_BYTES) -> None:
        self._read = read
        self._kept_bytes = kept_bytes
        self._kept: list[tuple[PixelWindow, NDArray[np.uint16]]] = []
        self._lock = threading.Lock()

    def read_tile(self, window: PixelWindow) -> NDArray[np.uint16]:
        """Read a tile, DN (h, w, band), and keep it."""
        dn = self._read(window)
        with self._lock:
            self._kept.append((window, dn))
            while sum(pixels.nbytes for _, pixels in self._kept) > self._kept_bytes:
                self._kept.pop(0)
        return dn

    def read_again(self, window: PixelWindow) -> NDArray[np.uint16]:
        """DN of a window, out of a tile that is kept if one holds it; what must be read is not kept."""
        with self._lock:
            kept = list(self._kept)
        for held, dn in kept:
            row, col = window.row - held.row, window.col - held.col
            is_inside = min(row, col) >= 0 and row + window.height <= held.height and col + window.width <= held.width
            if is_inside:
                return dn[row : row + window.height, col : col + window.width]
        return self._read(window)

    def forget_above(self, row_px: int) -> None:
        """Drop tiles that end at or before a row: no later hit needs them."""
        with self._lock:
            self._kept = [(window, dn) for window, dn in self._kept if window.row + window.height > row_px]

    def cut(self, cells: NDArray[np.int64]) -> NDArray[np.uint16]:
        """Patches (n, 21, 21, band) around the centres of `cells` (n, 2)."""
        corners = np.asarray(cells) * STRIDE_PX + CENTRE_PX - _HALF
        patches: NDArray[np.uint16] | None = None
        missing = np.ones(len(corners), bool)
        with self._lock:
            kept = list(self._kept)
        for window, dn in kept:
            patches = _copy(window, dn, corners, missing, patches)
        for group in _groups(corners[missing]):
            window = _around(group)
            patches = _copy(window, self._read(window), corners, missing, patches)
        return np.zeros((0, PATCH_PX, PATCH_PX, 0), np.uint16) if patches is None else patches


def _copy(
    window: PixelWindow, dn: NDArray[np.uint16], corners: NDArray[np.int64], missing: NDArray[np.bool_],
    patches: NDArray[np.uint16] | None,
) -> NDArray[np.uint16]:  # fmt: skip
    """Copy the missing patches that lie wholly in `window`; allocates on first use."""
    if patches is None:
        patches = np.zeros((len(corners), PATCH_PX, PATCH_PX, dn.shape[-1]), np.uint16)
    rows, cols = corners[:, 0] - window.row, corners[:, 1] - window.col
    is_inside = (rows >= 0) & (cols >= 0)
    is_inside &= (rows + PATCH_PX <= window.height) & (cols + PATCH_PX <= window.width)
    for index in np.flatnonzero(missing & is_inside):
        row, col = rows[index], cols[index]
        patches[index] = dn[row : row + PATCH_PX, col : col + PATCH_PX]
        missing[index] = False
    return patches


def _groups(corners: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Corners of patches of one 512 px block together: each block of the file is decompressed once."""
    if not len(corners):
        return []
    block = corners // _GROUP_PX
    order = np.lexsort((block[:, 1], block[:, 0]))
    edges = np.flatnonzero(np.any(np.diff(block[order], axis=0) != 0, axis=1)) + 1
    return np.split(corners[order], edges)


def _around(corners: NDArray[np.int64]) -> PixelWindow:
    row, col = (int(v) for v in corners.min(axis=0))
    end_row, end_col = (int(v) for v in corners.max(axis=0) + PATCH_PX)
    return PixelWindow(row, col, end_row - row, end_col - col)
