"""Indices of two or more bands, each with the colours in which it is shown: a fixed scale, the same everywhere.

All are normalised differences (a - b) / (a + b) of reflectance, -1..1. On L1C, which holds the light of the
atmosphere too, values lie a few hundredths off those of L2A: compare within one level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Index:
    """A normalised difference of two sums of bands, and its legend."""

    plus: tuple[str, ...]
    minus: tuple[str, ...]
    low: float
    """Value of the first colour; smaller ones look the same."""
    high: float
    """Value of the last colour; greater ones look the same."""
    colours: tuple[Colour, ...]
    """Red, green, blue (0..255), evenly spaced from `low` to `high`, blended between."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Canonical names of the bands it needs."""
        return self.plus + self.minus

    @property
    def css_colours(self) -> list[str]:
        """The colours as `#rrggbb`, for a legend."""
        return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in self.colours]

    def values(self, dn: Mapping[str, NDArray[np.uint16]]) -> NDArray[np.float32]:
        """The index of each pixel, -1..1, float32; of no meaning where one of its bands has no data."""
        plus, minus = (_sum(dn, names) for names in (self.plus, self.minus))
        found: NDArray[np.float32] = (plus - minus) / np.maximum(plus + minus, 1)
        return found

    def picture(self, dn: Mapping[str, NDArray[np.uint16]]) -> NDArray[np.uint8]:
        """RGBA (height, width, 4), uint8, clear where one of the bands has no data."""
        place = (self.values(dn) - np.float32(self.low)) * np.float32(255 / (self.high - self.low))
        level = np.clip(place, 0, 255).astype(np.uint8)
        coloured: NDArray[np.uint8] = np.take(_table(self.colours), level, axis=0)
        coloured[~_has_all(dn, self.bands), 3] = 0
        return coloured


INDICES: dict[str, Index] = {
    "ndvi": Index(
        ("B8",), ("B4",), -0.2, 0.8,
        ((70, 110, 170), (250, 245, 225), (190, 140, 80), (220, 210, 120), (90, 170, 70), (10, 80, 25)),
    ),
    "ndwi": Index(
        ("B3",), ("B8",), -0.6, 0.6,
        ((110, 70, 30), (200, 165, 110), (245, 240, 220), (110, 175, 225), (5, 45, 130)),
    ),
    "bare_soil": Index(
        ("B11", "B4"), ("B8", "B2"), -0.3, 0.3,
        ((20, 90, 60), (140, 190, 130), (250, 245, 215), (225, 150, 70), (140, 35, 20)),
    ),
}  # fmt: skip
"""The indices by kind of chip.

`ndvi`: (B8 - B4) / (B8 + B4), plants; Rouse et al., Monitoring vegetation systems in the Great Plains with ERTS,
1974. Under 0 water, near 0 to 0.2 bare ground, above 0.6 dense plants.

`ndwi`: (B3 - B8) / (B3 + B8), open water; McFeeters, Int. J. Remote Sensing 17 (7), 1996. Above 0 water; muddy
ponds lie near 0.

`bare_soil`: ((B11 + B4) - (B8 + B2)) / ((B11 + B4) + (B8 + B2)), the bare soil index BSI; Rikimaru, Roy and Miyatake,
Tropical forest cover density mapping, Tropical Ecology 43 (1), 2002. Above 0 bare ground.
"""


def _has_all(dn: Mapping[str, NDArray[np.uint16]], bands: tuple[str, ...]) -> NDArray[np.bool_]:
    """Where all of the bands have data."""
    found: NDArray[np.bool_] = dn[bands[0]] != 0
    for band in bands[1:]:
        found &= dn[band] != 0
    return found


def _sum(dn: Mapping[str, NDArray[np.uint16]], bands: tuple[str, ...]) -> NDArray[np.float32]:
    total = dn[bands[0]].astype(np.float32)
    for band in bands[1:]:
        total += dn[band]
    return total


@lru_cache(maxsize=8)
def _table(colours: tuple[Colour, ...]) -> NDArray[np.uint8]:
    """256 opaque colours, shape (256, 4)."""
    stops = np.linspace(0, 255, len(colours))
    channels = [np.interp(np.arange(256), stops, [colour[i] for colour in colours]) for i in range(3)]
    table = np.stack([*channels, np.full(256, 255)], axis=-1).astype(np.uint8)
    table.flags.writeable = False  # shared by threads
    return table
