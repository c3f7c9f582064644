"""Training tiles that differ as other places and other days do: turned, shifted, hazier, brighter.

tile, labels = cut_tile(scene, TILE_PX, random, Jitter())
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.grid import cells_along
from minedisc_core.learning.mask_labels import MINE_FREE, MaskedScene, label_windows

DARK_DN = 700.0
"""About what the air alone sends back in the visible bands of an L1C product; light and dark turn about it."""
_BRIGHTEST_DN = 20_000


@dataclass(frozen=True)
class Jitter:
    """How much tiles differ; standard deviations of normal draws. All 0: pixels stay as they are."""

    contrast: float = 0.15
    """Of the logarithm of a factor on (DN - DARK_DN), common to the bands: light, dryness."""
    gain: float = 0.05
    """The same for each band alone: colour."""
    haze_dn: float = 60.0
    """DN added to all bands."""
    band_haze_dn: float = 30.0
    """DN added to each band alone."""


def cut_tile(
    scene: MaskedScene, side_px: int, random: np.random.Generator, jitter: Jitter
) -> tuple[NDArray[np.uint16], NDArray[np.int8]]:
    """A square of a scene at a random place in one of the eight symmetries, jittered, with its labels.

    A scene that is too small is mirrored at its edges first.

    Returns:
        DN (side_px, side_px, band) and the label of each of its cells (`mask_labels`).
    """
    dn, mask = _large_enough(scene, side_px)
    which = int(random.integers(8))
    dn = _turned(dn, which)
    row, col = (int(random.integers(n - side_px + 1)) for n in dn.shape[:2])
    part = jittered(dn[row : row + side_px, col : col + side_px], random, jitter)
    cells = (cells_along(side_px), cells_along(side_px))
    if mask is None:
        return part, np.full(cells, MINE_FREE, np.int8)
    return part, label_windows(_turned(mask, which), cells, (row, col))


def jittered(dn: NDArray[np.uint16], random: np.random.Generator, jitter: Jitter) -> NDArray[np.uint16]:
    """Pixels under another light and another air; no data (0) stays no data, data stay at least 1."""
    bands = dn.shape[-1]
    factor = np.exp(random.normal(0, jitter.contrast) + random.normal(0, jitter.gain, bands))
    added = DARK_DN + random.normal(0, jitter.haze_dn) + random.normal(0, jitter.band_haze_dn, bands)
    changed = np.clip((dn.astype(np.float32) - DARK_DN) * factor + added, 1, _BRIGHTEST_DN)
    return np.where(dn == 0, 0, np.rint(changed)).astype(np.uint16)


def _turned(array: NDArray[Any], which: int) -> NDArray[Any]:
    """One of the eight symmetries (0..7) of a picture of any shape; a view."""
    turned = np.rot90(array, which % 4)
    return turned[:, ::-1] if which >= 4 else turned


def _large_enough(scene: MaskedScene, side_px: int) -> tuple[NDArray[np.uint16], NDArray[np.bool_] | None]:
    missing = [max(0, side_px - n) for n in scene.dn.shape[:2]]
    if not any(missing):
        return scene.dn, scene.mask
    edges = [(n // 2, n - n // 2) for n in missing]
    mask = None if scene.mask is None else np.pad(scene.mask, edges, mode="symmetric")
    return np.pad(scene.dn, [*edges, (0, 0)], mode="symmetric"), mask
