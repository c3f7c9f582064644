"""Noise for the demo area that gives the same numbers on every numpy.

Arrays are made with whole-number hashing and with + - * / and comparisons only: operations that IEEE 754
rounds in one way, so that no library version moves a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""A value per pixel, (height, width)."""

_UNIT_STD = 3.614
"""1 / standard deviation of a cubic B-spline over uniform -1..1 lattice values in two dimensions."""


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels of the scene; `row` and `col` may be negative."""

    row: int
    col: int
    height: int
    width: int

    def xy(self) -> tuple[Field, Field]:
        """Pixel centres as a row of x and a column of y, in pixels (first centre of the scene 0.5)."""
        x = np.arange(self.col, self.col + self.width, dtype=np.float32) + np.float32(0.5)
        y = np.arange(self.row, self.row + self.height, dtype=np.float32) + np.float32(0.5)
        return x[None, :], y[:, None]

    def grown(self, by: int) -> Window:
        """The window with `by` pixels more on each side."""
        return Window(self.row - by, self.col - by, self.height + 2 * by, self.width + 2 * by)


def hashed(x: NDArray[np.int64], y: NDArray[np.int64], seed: int) -> Field:
    """A value in -1..1 for each whole-number place; `x` and `y` broadcast."""
    salt = np.uint32((seed * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF)
    value = x.astype(np.uint32) * np.uint32(0x8DA6B343) ^ y.astype(np.uint32) * np.uint32(0xD8163841) ^ salt
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        value ^= value >> np.uint32(shift)
        value *= np.uint32(factor)
    value ^= value >> np.uint32(15)
    return (value >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)


def white(window: Window, seed: int, block: int = 1) -> Field:
    """Independent values -1..1 per pixel, or per square of `block` pixels."""
    rows = np.arange(window.row, window.row + window.height) // block
    cols = np.arange(window.col, window.col + window.width) // block
    return hashed(cols[None, :], rows[:, None], seed)


def smooth(window: Window, scale_px: float, seed: int) -> Field:
    """Smooth noise of mean 0 and standard deviation 1, hills about 2 x `scale_px` across."""
    rows, row_weights = _spline(window.row, window.height, scale_px)
    cols, col_weights = _spline(window.col, window.width, scale_px)
    lattice = hashed(
        np.arange(cols[0], cols[-1] + 4)[None, :], np.arange(rows[0], rows[-1] + 4)[:, None], seed
    ) * np.float32(_UNIT_STD)
    tall = _weighted(lattice, rows - rows[0], row_weights[..., None], 0)
    return _weighted(tall, cols - cols[0], col_weights[:, None, :], 1)


def _weighted(lattice: Field, first: NDArray[np.int64], weights: Field, axis: int) -> Field:
    out: Field = np.take(lattice, first, axis) * weights[0]
    for tap in range(1, 4):
        out += np.take(lattice, first + tap, axis) * weights[tap]
    return out


def _spline(start: int, length: int, scale_px: float) -> tuple[NDArray[np.int64], Field]:
    """First lattice line and the four cubic B-spline weights (4, length) for each pixel of a side."""
    place = (np.arange(start, start + length, dtype=np.float64) + 0.5) / scale_px
    first = np.floor(place)
    return first.astype(np.int64) - 1, _weights(place - first)


def _weights(t: NDArray[np.float64]) -> Field:
    s = 1 - t
    taps = (s * s * s, 3 * t * t * t - 6 * t * t + 4, 3 * s * s * s - 6 * s * s + 4, t * t * t)
    return (np.stack(taps) / 6).astype(np.float32)


def rough(window: Window, scale_px: float, seed: int, octaves: int = 4, gain: float = 0.5) -> Field:
    """Sum of `smooth` at halved scales (fractal noise), mean 0, standard deviation 1."""
    total = smooth(window, scale_px, seed)
    power, weight = 1.0, 1.0
    for octave in range(1, octaves):
        weight *= gain
        power += weight * weight
        total += smooth(window, scale_px / 2**octave, seed + 101 * octave) * np.float32(weight)
    return total * np.float32(1 / power**0.5)


def smooth_at(x: NDArray[np.float64], y: NDArray[np.float64], scale_px: float, seed: int) -> NDArray[np.float64]:
    """`smooth` at single places (pixels); equal to it at pixel centres up to rounding."""
    col, row = np.floor(x / scale_px), np.floor(y / scale_px)
    across, down = _weights(x / scale_px - col), _weights(y / scale_px - row)
    total = np.zeros(np.shape(x), np.float64)
    for j in range(4):
        for i in range(4):
            value = hashed((col - 1 + i).astype(np.int64), (row - 1 + j).astype(np.int64), seed)
            total += value * across[i] * down[j]
    return total * _UNIT_STD


def rough_at(
    x: NDArray[np.float64], y: NDArray[np.float64], scale_px: float, seed: int, octaves: int = 4
) -> NDArray[np.float64]:
    """`rough` (gain 0.5) at single places."""
    total: NDArray[np.float64] = np.zeros(np.shape(x), np.float64)
    power = 0.0
    for octave in range(octaves):
        weight = 0.5**octave
        power += weight * weight
        total += weight * smooth_at(x, y, scale_px / 2**octave, seed + 101 * octave)
    total /= power**0.5
    return total


def ramp(value: Field, low: float, high: float) -> Field:
    """0 below `low`, 1 above `high`, straight between; `low` may be the larger."""
    scaled = (value - np.float32(low)) * np.float32(1 / (high - low))
    return np.clip(scaled, 0, 1, out=scaled)
