"""Two simple rivals of the discovery net: a logistic regression on window statistics, and a rule on indices.

Both see the same cells as the net and turn them into sites in the same way. Both learn, and choose
their thresholds, on seeds that the benchmark does not measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.domain import Site
from minedisc_core.grid import STRIDE_PX, WINDOW_PX, RasterGrid
from minedisc_core.imagery.demo import Feature
from minedisc_core.learning.demo_tally import Tally, sites_above, tally, total

_BLOCK_PX = 9
_WINDOW_BLOCKS = WINDOW_PX // _BLOCK_PX
"""22 blocks (198 px) stand for the window of 201 px."""
_CENTRE_BLOCKS = 9
"""The middle 81 px, so that the regression also knows where in its window something lies."""


@dataclass(frozen=True)
class Known:
    """A scene with its truth, for one product."""

    grid: RasterGrid
    features: tuple[Feature, ...]
    dn: NDArray[np.uint16]
    """(height, width, band)."""
    labels: NDArray[np.int8]
    """Per cell 1 mine, 0 background, -1 neither."""


@dataclass(frozen=True)
class Chosen:
    """A rival ready to be measured."""

    name: str
    settings: str
    """Its thresholds, in words."""
    score: Any
    """Callable from a Known to scores per cell."""
    threshold: float

    def sites(self, scene: Known) -> list[Site]:
        """Sites of a scene."""
        return sites_above(scene.grid, self.score(scene), self.threshold)


def _blocks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 9 px blocks of (height, width, channel)."""
    height, width = (n // _BLOCK_PX for n in values.shape[:2])
    kept = values[: height * _BLOCK_PX, : width * _BLOCK_PX]
    means: NDArray[np.float32] = kept.reshape(height, _BLOCK_PX, width, _BLOCK_PX, -1).mean((1, 3))
    return means


def _windows(blocks: NDArray[np.float32], cells: tuple[int, int], size: int) -> NDArray[np.float32]:
    """(cells, channels, size, size): the blocks of each cell's window, or of its middle."""
    offset = (_WINDOW_BLOCKS - size) // 2
    step = STRIDE_PX // _BLOCK_PX
    view = np.lib.stride_tricks.sliding_window_view(blocks, (size, size), (0, 1))[offset::step, offset::step]
    return view[: cells[0], : cells[1]]


def window_statistics(dn: NDArray[np.uint16], cells: tuple[int, int]) -> NDArray[np.float32]:
    """Mean, deviation and percentiles of bands and indices in each cell's window and in its middle.

    Returns:
        float32 (rows, cols, statistics).
    """
    channels = _blocks(np.concatenate([dn.astype(np.float32) / 10_000, _indices(dn)], axis=-1))
    parts = []
    for size in (_WINDOW_BLOCKS, _CENTRE_BLOCKS):
        windows = _windows(channels, cells, size)
        flat = windows.reshape(*windows.shape[:3], -1)
        parts += [flat.mean(-1), flat.std(-1), *np.percentile(flat, (2, 10, 50, 90, 98), axis=-1)]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def _indices(dn: NDArray[np.uint16]) -> NDArray[np.float32]:
    """NDVI, MNDWI (water) and BSI (bare soil); bands 2, 3, 4, 8 and 11 stand alike in both products."""
    blue, green, red, near, short = (dn[..., k].astype(np.float32) for k in (1, 2, 3, 7, 10))
    ndvi, water = (near - red) / (near + red), (green - short) / (green + short)
    bare = ((short + red) - (near + blue)) / (short + red + near + blue)
    indices: NDArray[np.float32] = np.stack([ndvi, water, bare], axis=-1)
    return indices


def fit_regression(training: Sequence[Known], tuning: Sequence[Known]) -> Chosen:
    """Logistic regression, balanced classes, threshold chosen on `tuning`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, labels = [], []
    for scene in training:
        counted = scene.labels >= 0
        rows.append(window_statistics(scene.dn, scene.grid.cells)[counted])
        labels.append(scene.labels[counted])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=400, class_weight="balanced"))
    model.fit(np.concatenate(rows), np.concatenate(labels))

    def score(scene: Known) -> NDArray[np.float32]:
        statistics = window_statistics(scene.dn, scene.grid.cells)
        flat = model.predict_proba(statistics.reshape(-1, statistics.shape[-1]))[:, 1]
        scores: NDArray[np.float32] = flat.reshape(scene.grid.cells).astype(np.float32)
        return scores

    scored = [score(scene) for scene in tuning]
    thresholds = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998)
    best = max(thresholds, key=lambda t: _result(tuning, scored, t).preference)
    return Chosen("logistic regression on window statistics", f"threshold {best}", score, best)


def fit_rule(tuning: Sequence[Known]) -> Chosen:
    """A cell is a mine if enough of its middle is bare and enough of it water; both shares tuned."""
    shares = [_shares(scene) for scene in tuning]
    tried = {}
    for bare, water in product((0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6), (0.0, 0.005, 0.01, 0.02, 0.05, 0.1)):
        scored = [_rule(pair, bare, water) for pair in shares]
        tried[bare, water] = _result(tuning, scored, 0.5).preference
    bare, water = max(tried, key=lambda key: tried[key])
    words = f"bare share {bare}, water share {water}"
    return Chosen("bare soil and water rule", words, lambda scene: _rule(_shares(scene), bare, water), 0.5)


def _shares(scene: Known) -> NDArray[np.float32]:
    """Shares of bare and of water pixels in each cell's middle, (rows, cols, 2)."""
    indices = _indices(scene.dn)
    marks = np.stack([(indices[..., 2] > 0.06) & (indices[..., 0] < 0.32), indices[..., 1] > 0.05], axis=-1)
    windows = _windows(_blocks(marks.astype(np.float32)), scene.grid.cells, _CENTRE_BLOCKS)
    shares: NDArray[np.float32] = windows.mean((-1, -2))
    return shares


def _rule(shares: NDArray[np.float32], bare: float, water: float) -> NDArray[np.float32]:
    return ((shares[..., 0] >= bare) & (shares[..., 1] >= water)).astype(np.float32)


def _result(scenes: Sequence[Known], scored: Sequence[NDArray[np.float32]], threshold: float) -> Tally:
    return total(
        tally(scene.grid, scene.features, sites_above(scene.grid, scores, threshold))
        for scene, scores in zip(scenes, scored, strict=True)
    )
