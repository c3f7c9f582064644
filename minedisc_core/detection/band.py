"""A band of tiles: its features put together, scored by the head as soon as all rows of a cell are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minedisc_core.grid import FILL_BLOCK_PX, FILL_TAIL_BLOCKS, HEAD_FEATURES, STRIDE_PX, Tile, TileRead, window_fill

CARRIED = HEAD_FEATURES - 1
"""Feature rows of the band before that the first cells of a band look at."""
HEAD_COLUMNS = 512
"""Cells a side that the head scores at once, so that a very wide mosaic needs no more memory."""
_BLOCKS = STRIDE_PX // FILL_BLOCK_PX

Head = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def fill_blocks(no_data: NDArray[np.bool_], tile: Tile, read: TileRead) -> NDArray[np.uint8]:
    """No-data pixels (0..9) per 3 x 3 px block of a tile, with the 12 px that its last cells reach further.

    Args:
        no_data: mask of the pixels that were read, (h, w).
        tile: the tile, in features.
        read: what was read for it. Blocks past what could be read (the raster's edge) count as 9.
    """
    top, left = read.drop_rows * STRIDE_PX, read.drop_cols * STRIDE_PX
    height = STRIDE_PX * (tile.row1 - tile.row0) + FILL_TAIL_BLOCKS * FILL_BLOCK_PX
    width = STRIDE_PX * (tile.col1 - tile.col0) + FILL_TAIL_BLOCKS * FILL_BLOCK_PX
    mask = np.ones((height, width), np.uint8)
    inside = no_data[top : top + height, left : left + width]
    mask[: inside.shape[0], : inside.shape[1]] = inside
    rows = mask[0::3] + mask[1::3] + mask[2::3]
    blocks: NDArray[np.uint8] = rows[:, 0::3] + rows[:, 1::3] + rows[:, 2::3]
    return blocks


@dataclass
class FeatureBand:
    """Features of one row of tiles and of the (at most six) feature rows before it."""

    first_row: int
    """Feature row of the first row held here."""
    tile_rows: tuple[int, int]
    """Feature rows of the band's tiles."""
    features: NDArray[np.float32]
    """(rows, all columns of the raster, channels)."""
    blocks: NDArray[np.uint8]
    """(9 rows + 4, 9 columns + 4) no-data counts."""
    failed: NDArray[np.bool_]
    """(rows, columns): belongs to a failed tile."""
    cols: tuple[int, int] = (0, 0)
    """Columns that this band's tiles span."""

    @classmethod
    def before_the_first(cls, columns: int) -> FeatureBand:
        """An empty band above the raster."""
        blocks = np.zeros((FILL_TAIL_BLOCKS, _BLOCKS * columns + FILL_TAIL_BLOCKS), np.uint8)
        return cls(0, (0, 0), np.zeros((0, columns, 0), np.float32), blocks, np.zeros((0, columns), bool))

    def holds(self, tile: Tile) -> bool:
        """Whether the tile belongs to this band."""
        return (tile.row0, tile.row1) == self.tile_rows

    def next_band(self, row0: int, row1: int) -> FeatureBand:
        """The band of tiles with feature rows [row0, row1), with what its first cells need of this one."""
        first = max(0, row0 - CARRIED)
        rows, columns = row1 - first, self.features.shape[1]
        band = FeatureBand(
            first,
            (row0, row1),
            np.zeros((rows, columns, self.features.shape[2]), np.float32),
            np.zeros((_BLOCKS * rows + FILL_TAIL_BLOCKS, _BLOCKS * columns + FILL_TAIL_BLOCKS), np.uint8),
            np.zeros((rows, columns), bool),
        )
        self._hand_over(band)
        return band

    def _hand_over(self, band: FeatureBand) -> None:
        kept0, kept1 = max(self.first_row, band.first_row), min(self.tile_rows[1], band.tile_rows[0])
        if kept1 <= kept0:
            return
        mine = slice(kept0 - self.first_row, kept1 - self.first_row)
        theirs = slice(kept0 - band.first_row, kept1 - band.first_row)
        band.features[theirs], band.failed[theirs] = self.features[mine], self.failed[mine]
        tail = FILL_TAIL_BLOCKS
        band.blocks[_BLOCKS * theirs.start : _BLOCKS * theirs.stop + tail] = self.blocks[
            _BLOCKS * mine.start : _BLOCKS * mine.stop + tail
        ]

    def place(self, tile: Tile, features: NDArray[np.float32], blocks: NDArray[np.uint8]) -> None:
        """Put a tile's result in its place."""
        if not self.features.shape[2]:
            self.features = np.zeros((*self.features.shape[:2], features.shape[2]), np.float32)
        row = tile.row0 - self.first_row
        self.features[row : row + features.shape[0], tile.col0 : tile.col1] = features
        top, left = _BLOCKS * row, _BLOCKS * tile.col0
        self.blocks[top : top + blocks.shape[0], left : left + blocks.shape[1]] = blocks
        self._span(tile)

    def mark_failed(self, tile: Tile) -> None:
        """Note that a tile has no result; the cells that look at it are failed, not background."""
        row = tile.row0 - self.first_row
        self.failed[row : row + tile.row1 - tile.row0, tile.col0 : tile.col1] = True
        self._span(tile)

    def _span(self, tile: Tile) -> None:
        low, high = self.cols
        self.cols = (min(low, tile.col0) if high else tile.col0, max(high, tile.col1))

    def score(self, head: Head) -> tuple[int, NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Cells that are complete with this band.

        Returns:
            First cell row; scores, fill fractions and failed mask, each (rows, all columns). Scores are
            NaN in columns that no tile of the band spans.
        """
        columns = max(0, self.features.shape[1] - CARRIED)
        rows = max(0, len(self.features) - CARRIED)
        scores = np.full((rows, columns), np.nan, np.float32)
        if rows and self.features.shape[2]:
            for start in range(self.cols[0], self.cols[1] - CARRIED, HEAD_COLUMNS):
                stop = min(start + HEAD_COLUMNS, self.cols[1] - CARRIED)
                scores[:, start:stop] = head(self.features[:, start : stop + CARRIED])
        fill = window_fill(self.blocks)[:rows, :columns] if rows else np.zeros((0, columns), np.float32)
        return self.first_row, scores, fill, _reached(self.failed)[:rows]


def _reached(failed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask over the cells whose 7 x 7 features hold a failed one."""
    rows, cols = (max(0, n - CARRIED) for n in failed.shape)
    reached = np.zeros((rows, cols), bool)
    if failed.any():
        for down in range(HEAD_FEATURES):
            for right in range(HEAD_FEATURES):
                reached |= failed[down : down + rows, right : right + cols]
    return reached
