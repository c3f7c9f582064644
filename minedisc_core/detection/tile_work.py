"""The work on one tile: its pixels are read, its no data is counted, the trunk runs over it; three attempts each.

All that is done tile by tile is here, so that it may be done in any process; what needs the tiles beside it
(the head, hits, sites) is `detection.scan`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.band import fill_blocks
from minedisc_core.errors import MinediscError
from minedisc_core.grid import PixelWindow, RasterGrid, Tile, tile_read

ATTEMPTS = 3
TILE_ERRORS = (MinediscError, OSError, MemoryError, ValueError, RuntimeError)
"""What a tile may fail with and the scan goes on: reading and scoring, not the saving of results."""

Result = TypeVar("Result")


class Net(Protocol):
    """The discovery net in two halves; of a patch model the trunk gives the scores, and the head hands them on."""

    def trunk(self, dn: NDArray[np.uint16], no_data: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Features (h // 27, w // 27, channels) of DN (h, w, band); `no_data` (h, w), None if there is none.

        Called from several threads at once.
        """

    def head(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores 0..1 (h - 6, w - 6) of features (h, w, channels)."""


@dataclass(frozen=True)
class TileResult:
    """What a tile leaves behind: enough to go on without its pixels."""

    features: NDArray[np.float32]
    """(rows, cols, channels) of the tile."""
    blocks: NDArray[np.uint8]
    """No-data pixels per 3 x 3 px block, (9 rows + 4, 9 cols + 4): see `grid.window_fill`."""


class Failure(str):
    """Why a tile could not be done."""

    __slots__ = ()


@dataclass(frozen=True)
class Pixels:
    """A tile read from the mosaic, ready for the trunk."""

    dn: NDArray[np.uint16]
    no_data: NDArray[np.bool_] | None
    blocks: NDArray[np.uint8]


@dataclass(frozen=True)
class TileWork:
    """How the tiles of a mosaic are read and scored."""

    grid: RasterGrid
    net: Net
    is_cancelled: Callable[[], bool] = lambda: False
    retry_wait_s: float = 0.5
    """Pause before a failed attempt is repeated."""

    def read(self, tile: Tile, read: Callable[[PixelWindow], NDArray[np.uint16]]) -> Pixels | Failure:
        """A tile's pixels, or why they cannot be read.

        Args:
            tile: which one.
            read: DN (h, w, band) of a window inside the raster, uint16, 0 = no data.
        """
        return self.attempts(lambda: self.pixels(tile, read))

    def pixels(self, tile: Tile, read: Callable[[PixelWindow], NDArray[np.uint16]]) -> Pixels:
        """A tile's pixels, in one attempt."""
        wanted = tile_read(tile, self.grid.height_px, self.grid.width_px, self.grid.geometry)
        dn = read(wanted.window)
        no_data = dn.min(axis=-1) == 0
        blocks = fill_blocks(no_data, tile, wanted, self.grid.geometry)
        return Pixels(dn, no_data if no_data.any() else None, blocks)

    def score(self, tile: Tile, pixels: Pixels) -> TileResult | Failure:
        """The trunk over a tile's pixels, or why it did not run."""
        features = self.attempts(lambda: self.features(self.net, tile, pixels))
        return features if isinstance(features, Failure) else TileResult(features, pixels.blocks)

    def features(self, net: Net, tile: Tile, pixels: Pixels) -> NDArray[np.float32]:
        """The features of the tile itself, without those that its neighbours have too, in one attempt."""
        wanted = tile_read(tile, self.grid.height_px, self.grid.width_px, self.grid.geometry)
        features = net.trunk(pixels.dn, pixels.no_data)
        rows, cols = tile.row1 - tile.row0, tile.col1 - tile.col0
        kept = features[wanted.drop_rows : wanted.drop_rows + rows, wanted.drop_cols : wanted.drop_cols + cols]
        return np.ascontiguousarray(kept)

    def attempts(self, action: Callable[[], Result]) -> Result | Failure:
        """What `action` gives, or the reason why it failed for the third time."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return action()
            except TILE_ERRORS as error:
                reason = Failure(f"{error}" if isinstance(error, MinediscError) else f"{type(error).__name__}: {error}")
            if attempt < ATTEMPTS and not self.is_cancelled():
                time.sleep(self.retry_wait_s)
        return reason
