"""Features of samples: the trunk of a model over each window, once, so that fine-tuning only trains the head.

A window of 255 px gives 9 x 9 features of 64 numbers (with the spread head the ground's blocks behind them); the head
looks at 7 x 7 of them for a cell, the middle ones for the middle cell, which then scores exactly as in a scan. Samples
that are learned from get all eight symmetries, for the trunk does not turn with its input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.scorer import DiscoveryNet
from minedisc_core.detection.spread import feature_channels
from minedisc_core.grid import CONTEXT_PX, HEAD_FEATURES
from minedisc_core.learning.training import symmetry

SYMMETRIES = 8
SIDE = 9
"""Features along a window of 255 px; the head looks at 7 of them, so that it holds 3 x 3 cells."""
MIDDLE = (SIDE - HEAD_FEATURES) // 2
"""First feature of the middle cell."""

ReadWindow = Callable[[int], NDArray[np.uint16]]
"""The window of a sample by its number: DN (255, 255, band), 0 = no data."""


def window_features(
    net: DiscoveryNet,
    read: ReadWindow,
    symmetries: Sequence[int],
    *,
    threads: int = 1,
    on_window: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Features of each window, (windows, 8, 9, 9, channels) float32; symmetries not asked for are 0.

    A window of 201 px holds one cell alone: its 7 x 7 features stand in the middle, all others are 0.

    Args:
        net: the model whose trunk is used; safe from several threads.
        read: gives a window by its number.
        symmetries: of each window, 1 (as it is) to 8.
        threads: windows looked at at once.
        on_window: called with the number of windows that are done; may raise to stop.
    """
    channels = feature_channels(net.card.head, len(net.card.bands))
    out = np.zeros((len(symmetries), SYMMETRIES, SIDE, SIDE, channels), np.float32)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        found = pool.map(partial(_features, net, read), range(len(symmetries)), symmetries)
        for number, features in enumerate(found):
            out[number, : len(features)] = features
            if on_window:
                on_window(number + 1)
    return out


def _features(net: DiscoveryNet, read: ReadWindow, number: int, symmetries: int) -> NDArray[np.float32]:
    window = read(number)
    return np.stack([_whole(net, np.ascontiguousarray(symmetry(window, which))) for which in range(symmetries)])


def _whole(net: DiscoveryNet, window: NDArray[np.uint16]) -> NDArray[np.float32]:
    missing = (window == 0).any(axis=-1)
    features = net.trunk(window, missing if missing.any() else None)
    if window.shape[0] == CONTEXT_PX:
        return features
    whole = np.zeros((SIDE, SIDE, features.shape[-1]), np.float32)
    whole[MIDDLE : MIDDLE + HEAD_FEATURES, MIDDLE : MIDDLE + HEAD_FEATURES] = features[:HEAD_FEATURES, :HEAD_FEATURES]
    return whole


def cells_at(features: NDArray[np.float32], rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.float32]:
    """The 7 x 7 features of one cell of each window, (n, 7, 7, channels), of features (n, 9, 9, channels).

    Args:
        features: of the windows as they are turned.
        rows: first feature of the cell, 0 to 2; `MIDDLE` is the middle cell.
        cols: the same along the columns.
    """
    places = zip(features, rows.tolist(), cols.tolist(), strict=True)
    return np.stack([part[i : i + HEAD_FEATURES, j : j + HEAD_FEATURES] for part, i, j in places])
