"""The plain rival of `minedisc bench tailings`: logistic regression on the statistics of each window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minedisc_core.grid import CENTRE_PX, STRIDE_PX, WINDOW_PX
from minedisc_core.learning.mask_labels import MIDDLE_PX, NEGATIVE, POSITIVE, MaskedScene

PERCENTILES = (5, 25, 50, 75, 95)
STRENGTH = 1.0
"""Inverse of the regularisation: the library's default; a tenth and ten times as much gave less or the same."""


def window_statistics(scene: MaskedScene) -> NDArray[np.float32]:
    """Percentiles, mean and deviation of bands, band ratios and gradient, of the window and of its middle.

    Returns:
        (rows of cells, columns of cells, 2 x 7 x (bands + ratios + 1)), in DN and thousandths.
    """
    values = _channels(scene.dn)
    rows, cols = scene.cells
    found = [[_of_cell(values, i, j) for j in range(cols)] for i in range(rows)]
    return np.array(found, np.float32).reshape(rows, cols, -1)


def _channels(dn: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Bands, logarithms of all ratios of two bands, and the gradient of the logarithm of their mean."""
    bands = np.maximum(dn, 1).astype(np.float32)
    logs = np.log(bands) * 1000
    first, second = np.triu_indices(bands.shape[-1], 1)
    down, right = np.gradient(np.log(bands.mean(axis=-1)) * 1000)
    gradient = np.hypot(down, right)[..., None]
    return np.concatenate([bands, logs[..., second] - logs[..., first], gradient], axis=-1).astype(np.float32)


def _of_cell(values: NDArray[np.float32], i: int, j: int) -> NDArray[np.float32]:
    row, col = STRIDE_PX * i + CENTRE_PX, STRIDE_PX * j + CENTRE_PX
    parts = []
    for side, step in ((WINDOW_PX, 2), (MIDDLE_PX, 1)):  # every second pixel of a window is enough
        half = side // 2
        seen = values[row - half : row + half + 1 : step, col - half : col + half + 1 : step]
        flat = seen.reshape(-1, values.shape[-1])
        parts += [*np.percentile(flat, PERCENTILES, axis=0), flat.mean(axis=0), flat.std(axis=0)]
    return np.concatenate(parts)


def regression_scores(
    training: Sequence[tuple[NDArray[np.float32], NDArray[np.int8]]], judged: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.float64]]:
    """Log odds of each judged cell, learned on the positive and negative cells of the training scenes.

    Args:
        training: statistics and labels of each scene.
        judged: statistics of each scene to judge.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.concatenate([label.ravel() for _, label in training])
    counted = (labels == POSITIVE) | (labels == NEGATIVE)
    values = np.concatenate([stats.reshape(-1, stats.shape[-1]) for stats, _ in training])[counted]
    fit = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000, class_weight="balanced"))
    fit.fit(values, labels[counted] == POSITIVE)
    return [fit.decision_function(s.reshape(-1, s.shape[-1])).reshape(s.shape[:2]) for s in judged]
