"""The spread head: what a window is made of, in few numbers, instead of the paper's 7 x 7 convolution.

The paper's head has 200,000 weights and learns the places it is shown by heart. This one sees of each window (7 x 7
blocks of 27 px) and of its middle (3 x 3) only the mean and the deviation

- of the trunk's 64 features, and
- of the ground itself, at 30 m: the logarithm of each band above the darkest that was seen (the light that the air
  alone sends back: dark-object subtraction, Chavez 1988), and of the ratios of neighbouring bands. Means of the middle
  are taken against those of the window, so that light, season and soil drop out: what is left is how the ground
  stands out from its surroundings.

One weight for each says how likely the middle is a mine, and a second one whether this is land with mines at all;
the score is the product of both. (The second learns from whole scenes without a mine, `learning.spread`; without them,
as in `minedisc train`, all land may have mines.) All of it is the same in the eight symmetries.

The formulas take `keras.ops`, so that the reference engine, the training and the `.keras` file share them;
`openvino_spread` says the same to OpenVINO.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minedisc_core.grid import HEAD_FEATURES, STRIDE_PX

HeadKind = Literal["context", "spread"]
"""`context`: the paper's; `spread`: this one."""
FEATURES = 64
"""Channels of the trunk's output."""
MIDDLE_FEATURES = 3
"""Side of a window's middle in features: 81 px."""
COARSE_PX = 3
"""Side of the pixels that the ground is described in: 30 m."""
BLOCKS = STRIDE_PX // COARSE_PX
LEAST_LIGHT = 0.1
"""Of the mean light above the dark: less counts as this much, for the logarithm's sake."""
TINY = 1e-4
"""Added to variances."""
ALWAYS = 20.0
"""Log odds of land with mines where a net has not learned what other land is like."""
_NEIGHBOURS = 2


@dataclass(frozen=True)
class Ground:
    """What the ground's numbers are measured with, per band, DN."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    """For nets that take z-scores."""
    dark: NDArray[np.float32]
    """What the air alone sends back; below the mean."""

    @classmethod
    def of(cls, mean: Sequence[float], std: Sequence[float], dark: Sequence[float]) -> Ground:
        """From the numbers of a card."""
        return cls(*(np.asarray(values, np.float32) for values in (mean, std, dark)))


def band_pairs(bands: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The bands whose ratios are looked at: each with the two that follow it."""
    pairs = [(i, j) for i in range(bands) for j in range(i + 1, min(i + _NEIGHBOURS, bands - 1) + 1)]
    first, second = np.array(pairs, np.intp).reshape(-1, 2).T
    return first, second


def ground_channels(bands: int) -> int:
    """Number of the ground's channels."""
    return bands + len(band_pairs(bands)[0])


def feature_channels(head: HeadKind, bands: int) -> int:
    """Channels of what the head is given for each block: features, and for `spread` the ground's means and squares."""
    return FEATURES + (2 * ground_channels(bands) if head == "spread" else 0)


def number_count(bands: int) -> int:
    """How many numbers the head sees of a cell."""
    return 4 * (FEATURES + ground_channels(bands))


def ground_part(bands: int) -> slice:
    """Which of a cell's numbers are the ground's."""
    return slice(4 * FEATURES, number_count(bands))


def ground_levels(bands: int) -> slice:
    """Which of a cell's numbers tell how bright and of which colour the ground is, not how it stands out."""
    return slice(4 * FEATURES, 4 * FEATURES + ground_channels(bands))


def ground_blocks(ops: Any, centred: Any, ground: Ground) -> Any:
    """Mean and mean square of the ground's channels in each block of 27 px.

    Args:
        ops: `keras.ops`.
        centred: DN minus the band mean (n, h, w, band), float32, no data 0.
        ground: per band.

    Returns:
        (n, h // 27, w // 27, 2 x channels), about -2..2.
    """
    coarse = ops.average_pool(centred, COARSE_PX, COARSE_PX, "valid")
    light = ops.log(ops.maximum(coarse * (1 / (ground.mean - ground.dark)) + 1.0, LEAST_LIGHT))
    level = ops.log(ops.maximum(coarse * (1 / ground.mean) + 1.0, 1 / ground.mean))
    first, second = band_pairs(len(ground.mean))
    parts = [light]
    if len(first):
        parts.append(ops.take(level, second, axis=-1) - ops.take(level, first, axis=-1))
    channels = ops.concatenate(parts, axis=-1)
    return ops.average_pool(ops.concatenate([channels, channels * channels], axis=-1), BLOCKS, BLOCKS, "valid")


def cell_numbers(ops: Any, features: Any) -> Any:
    """What the head sees of each cell.

    Args:
        ops: `keras.ops`.
        features: (n, h, w, 64 + 2 x channels): the trunk's, then `ground_blocks`.

    Returns:
        (n, h - 6, w - 6, 4 x (64 + channels)): of the features mean and deviation in the window, then in its middle;
        of the ground mean and deviation in the window, mean of the middle against it, deviation in the middle.
    """
    channels = (features.shape[-1] - FEATURES) // 2
    trunk = features[..., :FEATURES]
    means, squares = features[..., FEATURES : FEATURES + channels], features[..., FEATURES + channels :]
    mean, spread = _moments(ops, trunk, trunk * trunk, HEAD_FEATURES)
    middle, middle_spread = _moments(ops, _middle(trunk), _middle(trunk * trunk), MIDDLE_FEATURES)
    level, uneven = _moments(ops, means, squares, HEAD_FEATURES)
    here, middle_uneven = _moments(ops, _middle(means), _middle(squares), MIDDLE_FEATURES)
    parts = [mean, spread, middle, middle_spread, level, uneven, here - level, middle_uneven]
    return ops.concatenate(parts, axis=-1)


def _middle(blocks: Any) -> Any:
    rim = (HEAD_FEATURES - MIDDLE_FEATURES) // 2
    return blocks[:, rim:-rim, rim:-rim]


def _moments(ops: Any, means: Any, squares: Any, side: int) -> tuple[Any, Any]:
    mean = ops.average_pool(means, side, 1, "valid")
    square = ops.average_pool(squares, side, 1, "valid")
    return mean, ops.sqrt(ops.maximum(square - mean * mean, 0.0) + TINY)


def score(ops: Any, odds: Any) -> Any:
    """Score 0..1 (n, h, w) of the two log odds (n, h, w, 2): a mine here, on land with mines."""
    return ops.sigmoid(odds[..., 0]) * ops.sigmoid(odds[..., 1])


def joint_odds(ops: Any, odds: Any) -> Any:
    """Log odds (...) of that score, of the two log odds (..., 2): sound where the score itself would be 0 or 1."""
    here, land = -odds[..., 0], -odds[..., 1]
    return -ops.logsumexp(ops.stack([here, land, here + land], axis=-1), axis=-1)
