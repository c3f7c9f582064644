"""A band of tiles: its features put together, scored by the head as soon as all rows of a cell are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minedisc_core.grid import DISCOVERY_CELLS, CellGeometry, Tile, TileRead, window_fill

HEAD_COLUMNS = 512
"""Cells a side that the head scores at once, so that a very wide mosaic needs no more memory."""

Head = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def fill_blocks(
    no_data: NDArray[np.bool_], tile: Tile, read: TileRead, geometry: CellGeometry = DISCOVERY_CELLS
) -> NDArray[np.uint8]:
    """No-data pixels per block of a tile (3 x 3 px, 0..9), with what its last cells reach further (12 px).

    Args:
        no_data: mask of the pixels that were read, (h, w).
        tile: the tile, in features.
        read: what was read for it. Blocks past what could be read (the raster's edge) count as full.
        geometry: of the cells.
    """
    block = geometry.fill_block_px
    top, left = read.drop_rows * geometry.stride_px, read.drop_cols * geometry.stride_px
    height = geometry.stride_px * (tile.row1 - tile.row0) + geometry.fill_tail_blocks * block
    width = geometry.stride_px * (tile.col1 - tile.col0) + geometry.fill_tail_blocks * block
    mask = np.ones((height, width), np.uint8)
    inside = no_data[top : top + height, left : left + width]
    mask[: inside.shape[0], : inside.shape[1]] = inside
    rows = _summed([mask[start::block] for start in range(block)])
    return _summed([rows[:, start::block] for start in range(block)])


def _summed(parts: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


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
    geometry: CellGeometry = DISCOVERY_CELLS
    cols: tuple[int, int] = (0, 0)
    """Columns that this band's tiles span."""

    @classmethod
    def before_the_first(cls, columns: int, geometry: CellGeometry = DISCOVERY_CELLS) -> FeatureBand:
        """An empty band above the raster."""
        features, failed = np.zeros((0, columns, 0), np.float32), np.zeros((0, columns), bool)
        return cls(0, (0, 0), features, _no_blocks(0, columns, geometry), failed, geometry)

    @property
    def carried(self) -> int:
        """Feature rows of the band before that the first cells of a band look at; columns the same."""
        return self.geometry.head_features - 1

    def holds(self, tile: Tile) -> bool:
        """Whether the tile belongs to this band."""
        return (tile.row0, tile.row1) == self.tile_rows

    def next_band(self, row0: int, row1: int) -> FeatureBand:
        """The band of tiles with feature rows [row0, row1), with what its first cells need of this one."""
        first = max(0, row0 - self.carried)
        rows, columns = row1 - first, self.features.shape[1]
        band = FeatureBand(
            first,
            (row0, row1),
            np.zeros((rows, columns, self.features.shape[2]), np.float32),
            _no_blocks(rows, columns, self.geometry),
            np.zeros((rows, columns), bool),
            self.geometry,
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
        tail, step = self.geometry.fill_tail_blocks, self._step
        band.blocks[step * theirs.start : step * theirs.stop + tail] = self.blocks[
            step * mine.start : step * mine.stop + tail
        ]

    @property
    def _step(self) -> int:
        """Blocks a feature."""
        return self.geometry.stride_px // self.geometry.fill_block_px

    def place(self, tile: Tile, features: NDArray[np.float32], blocks: NDArray[np.uint8]) -> None:
        """Put a tile's result in its place."""
        if not self.features.shape[2]:
            self.features = np.zeros((*self.features.shape[:2], features.shape[2]), np.float32)
        row = tile.row0 - self.first_row
        self.features[row : row + features.shape[0], tile.col0 : tile.col1] = features
        top, left = self._step * row, self._step * tile.col0
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
        columns = max(0, self.features.shape[1] - self.carried)
        rows = max(0, len(self.features) - self.carried)
        scores = np.full((rows, columns), np.nan, np.float32)
        if rows and self.features.shape[2]:
            for start in range(self.cols[0], self.cols[1] - self.carried, HEAD_COLUMNS):
                stop = min(start + HEAD_COLUMNS, self.cols[1] - self.carried)
                scores[:, start:stop] = head(self.features[:, start : stop + self.carried])
        fill = np.zeros((0, columns), np.float32)
        if rows:
            fill = window_fill(self.blocks, self.geometry)[:rows, :columns]
        return self.first_row, scores, fill, _reached(self.failed, self.geometry.head_features)[:rows]


def _no_blocks(rows: int, columns: int, geometry: CellGeometry) -> NDArray[np.uint8]:
    step, tail = geometry.stride_px // geometry.fill_block_px, geometry.fill_tail_blocks
    return np.zeros((step * rows + tail, step * columns + tail), np.uint8)


def _reached(failed: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Mask over the cells whose `side` x `side` features hold a failed one."""
    rows, cols = (max(0, n - side + 1) for n in failed.shape)
    reached = np.zeros((rows, cols), bool)
    if failed.any():
        for down in range(side):
            for right in range(side):
                reached |= failed[down : down + rows, right : right + cols]
    return reached
