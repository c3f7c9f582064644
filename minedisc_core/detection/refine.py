"""Scores that a quick net leaves in doubt, once more in an exact one.

A net with rounded factors scores nearly as the exact one does. Where its score lies so near the threshold that rounding
could decide between hit and no hit, the features that the cell looks at are computed again from the pixels. What a cell
scores does not depend on how the scene was tiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.band import FeatureBand
from minedisc_core.grid import Tile, needed_features

BLOCK = 12
"""Side in features of what is computed again at once."""

FeaturesOf = Callable[[Tile], NDArray[np.float32] | str]
"""The exact features of a tile; text: why there are none."""


@dataclass(frozen=True)
class Doubt:
    """When a quick net's score is not good enough."""

    margin: float
    """Most that a score may be off."""

    def of(self, scores: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
        """Mask of the scores (0..1, NaN is never in doubt) that may fall on the wrong side of the threshold."""
        with np.errstate(invalid="ignore"):
            doubt: NDArray[np.bool_] = np.abs(scores - threshold) <= self.margin
        return doubt


@dataclass(frozen=True)
class Refined:
    """Cells of a band after the second look."""

    scores: NDArray[np.float32]
    """(rows, cols): exact where there was doubt."""
    failed: NDArray[np.bool_]
    """(rows, cols): in doubt, and could not be computed again."""
    problems: tuple[tuple[Tile, str], ...]


def refined(
    band: FeatureBand,
    scores: NDArray[np.float32],
    doubt: NDArray[np.bool_],
    features_of: FeaturesOf,
    head: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    pool: ThreadPoolExecutor,
) -> Refined:
    """The scores of a band's cells, computed again where `doubt` (rows, cols) says so.

    Args:
        band: the band, whose features stay as they are.
        scores: of its complete cells, (rows, cols).
        doubt: mask over them.
        features_of: exact features; called from the threads of `pool`.
        head: the exact net's head.
        pool: threads to work in.
    """
    exact, failed, problems = band.features.copy(), np.zeros(band.failed.shape, bool), []
    blocks = list(_blocks(band.first_row, needed_features(doubt, band.geometry.head_features)))
    for tile, found in zip(blocks, pool.map(features_of, blocks), strict=True):
        place = (slice(tile.row0 - band.first_row, tile.row1 - band.first_row), slice(tile.col0, tile.col1))
        if isinstance(found, str):
            failed[place] = True
            problems.append((tile, found))
        else:
            exact[place] = found
    again = FeatureBand(band.first_row, band.tile_rows, exact, band.blocks, failed, band.geometry, band.cols)
    _, better, _, unsure = again.score(head)
    return Refined(np.where(doubt, better, scores), doubt & unsure, tuple(problems))


def _blocks(first_row: int, needed: NDArray[np.bool_]) -> Iterator[Tile]:
    """Tiles of at most `BLOCK` features a side, no larger than they must be, that hold all needed features."""
    for row in range(0, needed.shape[0], BLOCK):
        for col in range(0, needed.shape[1], BLOCK):
            rows, cols = np.nonzero(needed[row : row + BLOCK, col : col + BLOCK])
            if len(rows):
                top, left = first_row + row, col
                yield Tile(
                    int(top + rows.min()), int(top + rows.max() + 1), int(left + cols.min()), int(left + cols.max() + 1)
                )
