"""The spread head in OpenVINO: the formulas of `detection.spread`, word by word, as OpenVINO graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection import spread
from minedisc_core.detection.networks import Tensors
from minedisc_core.detection.spread import FEATURES, Ground
from minedisc_core.grid import HEAD_FEATURES


def coarse_of(strip: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centred pixels of 30 m (rows // 3, w // 3, band) of a strip (rows, w, band), while it is in cache."""
    side, width = spread.COARSE_PX, strip.shape[1] // spread.COARSE_PX
    first, second, third = (strip[start::side, : side * width] for start in range(side))
    parts = (first + second + third).reshape(-1, width, side, strip.shape[2])
    found: NDArray[np.float32] = (parts[:, :, 0] + parts[:, :, 1] + parts[:, :, 2]) * np.float32(1 / side**2)
    return found


def ground_blocks(operators: Any, coarse: Any, ground: Ground) -> Any:
    """Ground blocks (1, 2 x channels, h // 9, w // 9) of centred pixels of 30 m (1, band, h, w)."""
    light = _logarithm(operators, coarse, ground.mean - ground.dark, np.array(spread.LEAST_LIGHT))
    level = _logarithm(operators, coarse, ground.mean, 1 / ground.mean)
    first, second = spread.band_pairs(len(ground.mean))
    parts = [light]
    if len(first):
        parts.append(operators.subtract(_taken(operators, level, second), _taken(operators, level, first)))
    channels = operators.concat(parts, 1)
    both = operators.concat([channels, operators.multiply(channels, channels)], 1)
    return _averaged(operators, both, spread.BLOCKS, spread.BLOCKS)


def scores(operators: Any, features: Any, weights: Tensors) -> Any:
    """Scores (1, h - 6, w - 6) of features (1, 64 + 2 x channels, h, w)."""
    count = weights["standard/bias"].size
    channels = count // 4 - FEATURES
    trunk = _sliced(operators, features, 1, 0, FEATURES)
    means = _sliced(operators, features, 1, FEATURES, FEATURES + channels)
    squares = _sliced(operators, features, 1, FEATURES + channels, FEATURES + 2 * channels)
    square = operators.multiply(trunk, trunk)
    mean, uneven = _moments(operators, trunk, square, HEAD_FEATURES)
    middle, middle_uneven = _middle_moments(operators, trunk, square)
    level, rough = _moments(operators, means, squares, HEAD_FEATURES)
    here, middle_rough = _middle_moments(operators, means, squares)
    stands_out = operators.subtract(here, level)
    numbers = operators.concat([mean, uneven, middle, middle_uneven, level, rough, stands_out, middle_rough], 1)
    scale, shift = (np.asarray(weights[f"standard/{part}"], np.float32) for part in ("kernel", "bias"))
    standard = operators.add(
        operators.multiply(numbers, _constant(operators, scale.ravel())), _constant(operators, shift)
    )
    kernel = np.ascontiguousarray(weights["output/kernel"].transpose(3, 2, 0, 1))
    odds = operators.convolution(standard, operators.constant(kernel), [1, 1], (0, 0), (0, 0), [1, 1])
    chances = operators.sigmoid(operators.add(odds, _constant(operators, np.asarray(weights["output/bias"]))))
    return operators.reduce_prod(chances, operators.constant(np.array([1])), keep_dims=False)


def _constant(operators: Any, of_channels: NDArray[np.floating]) -> Any:
    return operators.constant(np.asarray(of_channels, np.float32).reshape(1, -1, 1, 1))


def _sliced(operators: Any, flow: Any, axis: int, start: int, stop: int) -> Any:
    numbers = (operators.constant(np.array([value])) for value in (start, stop, 1, axis))
    return operators.slice(flow, *numbers)


def _taken(operators: Any, flow: Any, channels: NDArray[np.intp]) -> Any:
    return operators.gather(flow, operators.constant(channels.astype(np.int64)), operators.constant(np.array(1)))


def _averaged(operators: Any, flow: Any, side: int, stride: int) -> Any:
    return operators.avg_pool(flow, [stride, stride], [0, 0], [0, 0], [side, side], True, "floor", "valid")


def _logarithm(operators: Any, coarse: Any, scale: NDArray[np.floating], least: NDArray[np.floating]) -> Any:
    relative = operators.add(
        operators.multiply(coarse, _constant(operators, 1 / scale)), operators.constant(np.float32(1))
    )
    return operators.log(operators.maximum(relative, _constant(operators, least)))


def _middle(operators: Any, blocks: Any) -> Any:
    rim = (HEAD_FEATURES - spread.MIDDLE_FEATURES) // 2
    return _sliced(operators, _sliced(operators, blocks, 2, rim, -rim), 3, rim, -rim)


def _middle_moments(operators: Any, means: Any, squares: Any) -> tuple[Any, Any]:
    inner = _middle(operators, means), _middle(operators, squares)
    return _moments(operators, *inner, side=spread.MIDDLE_FEATURES)


def _moments(operators: Any, means: Any, squares: Any, side: int) -> tuple[Any, Any]:
    mean, square = (_averaged(operators, each, side, 1) for each in (means, squares))
    variance = operators.subtract(square, operators.multiply(mean, mean))
    positive = operators.maximum(variance, operators.constant(np.float32(0)))
    return mean, operators.sqrt(operators.add(positive, operators.constant(np.float32(spread.TINY))))
