"""From materials to what Sentinel-2 delivers: band values at their own resolution, with air and noise."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from minedisc_core.imagery.demo.canvas import Canvas
from minedisc_core.imagery.demo.noise import Field, Window, rough, smooth
from minedisc_core.imagery.demo.spectra import BANDS, path_reflectance, reflectance_table, transmittance

L1C_ORDER: Final = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12")
L2A_ORDER: Final = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
BLOCK_PX: Final = {
    **dict.fromkeys(("B2", "B3", "B4", "B8"), 1),
    **dict.fromkeys(("B5", "B6", "B7", "B8A", "B11", "B12"), 2),
    **dict.fromkeys(("B1", "B9", "B10"), 6),
}
"""Side of a native pixel in 10 m pixels."""
_NOISE_DN: Final = {1: 9.0, 2: 7.0, 6: 4.0}
"""Standard deviation of the noise of one native pixel of a median composite, by block side."""


def observe(canvas: Canvas, seed: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """L1C and L2A digital numbers of a tile, each (12, height, width) uint16, 1..15,000.

    The tile's origin and size must be multiples of 6 px, so that blocks do not straddle tiles.
    """
    part = canvas.window
    flat = canvas.mix.reshape(len(canvas.mix), -1)
    ground = (reflectance_table() @ flat).reshape(len(BANDS), part.height, part.width) * canvas.light
    haze = 1 + np.float32(0.05) * smooth(part, 380.0, seed + 1) + np.float32(0.03) * rough(part, 90.0, seed + 2, 3)
    vapour = 1 + np.float32(0.05) * smooth(part, 300.0, seed + 3)
    top: dict[str, NDArray[np.uint16]] = {}
    bottom: dict[str, NDArray[np.uint16]] = {}
    for index, band in enumerate(BANDS):
        top[band], bottom[band] = _one_band(ground[index], haze, vapour, index, part, seed)
    return np.stack([top[b] for b in L1C_ORDER]), np.stack([bottom[b] for b in L2A_ORDER])


def _one_band(
    ground: Field, haze: Field, vapour: Field, index: int, part: Window, seed: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    band = BANDS[index]
    block = BLOCK_PX[band]
    path, through = path_reflectance()[index], transmittance()[index]
    wet = _blocks(vapour, block) if band == "B9" else np.float32(1)
    surface, air = _blocks(ground, block), _blocks(haze, block)
    noise = _noise(part, block, index, seed)
    seen = (air * path + surface * through * wet) * np.float32(10_000)
    top = seen + noise * np.float32(_NOISE_DN[block])
    left_over = (air - 1) * path * np.float32(2_500)
    bottom = surface * np.float32(10_000) + left_over + noise * np.float32(_NOISE_DN[block] / max(through, 0.3))
    return _spread(top, block), _spread(bottom, block)


def _blocks(values: Field, block: int) -> Field:
    """Means of squares of `block` pixels."""
    if block == 1:
        return values
    height, width = values.shape
    parts = values.reshape(height // block, block, width // block, block)
    total = parts[:, 0, :, 0].copy()
    for row in range(block):
        for col in range(block):
            if row or col:
                total += parts[:, row, :, col]
    return total * np.float32(1 / (block * block))


def _noise(part: Window, block: int, index: int, seed: int) -> Field:
    """Sensor noise, standard deviation 1, independent for each tile and band."""
    rng = np.random.Generator(np.random.PCG64([seed, part.row + 1_000_000, part.col + 1_000_000, index]))
    return rng.standard_normal((part.height // block, part.width // block), np.float32)


def _spread(values: Field, block: int) -> NDArray[np.uint16]:
    """Digital numbers, each native pixel repeated over its 10 m pixels (nearest neighbour)."""
    numbers = np.clip(np.floor(values + np.float32(0.5)), 1, 15_000).astype(np.uint16)
    spread: NDArray[np.uint16] = numbers if block == 1 else numbers.repeat(block, 0).repeat(block, 1)
    return spread
