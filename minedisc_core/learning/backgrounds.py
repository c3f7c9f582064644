"""Backgrounds: places that are no mine, drawn by strata, never within a stated distance of a known mine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from minedisc_core.learning.windows import Imagery, SamplePoint, reach_px, why_unfit, window_around

APART_M = 2_000.0
"""Half the diagonal of 201 px is 1.42 km: with this between its centre and a point on a mine, a background's window
holds nothing of a mine of up to 580 m around that point."""
SPACING_M = 500.0
"""Two backgrounds are not nearer than this: nearly the same window twice teaches nothing."""
RANDOM, LOOK_ALIKE = "random", "look-alike"
"""Strata, as the samples' reasons name them; a rejected verdict keeps its own reason."""
_TRIES = 60
"""Places tried for each background that is wanted."""
_MARGIN = 1.005
"""Distances are measured on a map around the mosaic's middle: true to better than this within 1,000 km of it."""


class Ground:
    """A mosaic, the known mines in and around it, and the backgrounds that were drawn from it."""

    def __init__(
        self, imagery: Imagery, known_mines: Sequence[BaseGeometry], apart_m: float, window_px: int, seed: int
    ) -> None:
        """Prepare one mosaic.

        Args:
            imagery: what windows are cut from.
            known_mines: points or outlines, EPSG:4326.
            apart_m: no background's centre is nearer to any of them.
            window_px: side of the windows.
            seed: of what is drawn at random.
        """
        self.imagery, self.window_px, self.apart_m = imagery, window_px, apart_m
        self.random = np.random.default_rng([seed, window_px])
        middle = imagery.grid.lonlat(np.array([imagery.grid.height_px / 2]), np.array([imagery.grid.width_px / 2]))[0]
        around = f"+proj=aeqd +lat_0={middle[1]:.6f} +lon_0={middle[0]:.6f} +datum=WGS84 +units=m"
        self._to_metres = Transformer.from_crs("EPSG:4326", around, always_xy=True)
        self._mines = shapely.STRtree(shapely.transform(np.array(list(known_mines), object), self._metres))
        self._taken: list[tuple[float, float]] = []

    def _metres(self, lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(self._to_metres.transform(lonlat[:, 0], lonlat[:, 1]))

    @property
    def positions(self) -> int:
        """Number of pixels around which a whole window lies."""
        height, width = (
            side - self.window_px + 1 for side in (self.imagery.grid.height_px, self.imagery.grid.width_px)
        )
        return max(0, height) * max(0, width)

    def somewhere(self) -> tuple[float, float]:
        """Longitude and latitude of the centre of a pixel drawn at random, around which a whole window lies."""
        half, grid = self.window_px // 2, self.imagery.grid
        row = int(self.random.integers(half, grid.height_px - half)) + 0.5
        col = int(self.random.integers(half, grid.width_px - half)) + 0.5
        lon, lat = grid.lonlat(np.array([row]), np.array([col]))[0]
        return float(lon), float(lat)

    def take(self, lon: float, lat: float) -> bool:
        """Whether a background may be here; if so, none comes near it any more."""
        window = window_around(self.imagery.grid, lon, lat, self.window_px)
        if reach_px(self.imagery.grid, window) > 0:
            return False
        x, y = self._to_metres.transform(lon, lat)
        if self._is_near_a_mine(x, y) or any(math.hypot(x - a, y - b) < SPACING_M for a, b in self._taken):
            return False
        if why_unfit(self.imagery.read(window, self.imagery.bands[:1])):
            return False
        self._taken.append((x, y))
        return True

    def _is_near_a_mine(self, x: float, y: float) -> bool:
        return bool(len(self._mines.query(shapely.Point(x, y), "dwithin", distance=self.apart_m * _MARGIN)))


def draw_random(grounds: Sequence[Ground], wanted: int, seed: int, label: str = "background") -> list[SamplePoint]:
    """Up to `wanted` backgrounds anywhere on the mosaics, each part of the ground as likely as another."""
    sizes = np.array([ground.positions for ground in grounds], float)
    if wanted <= 0 or not sizes.sum():
        return []
    choices = np.random.default_rng(seed).choice(len(grounds), wanted * _TRIES, p=sizes / sizes.sum())
    found = (
        SamplePoint(place[0], place[1], label, RANDOM)
        for ground in (grounds[index] for index in choices)
        if ground.take(*(place := ground.somewhere()))
    )
    return list(islice(found, wanted))


def draw_from(candidates: Iterable[SamplePoint], grounds: Sequence[Ground], wanted: int) -> list[SamplePoint]:
    """The first `wanted` candidates that may be backgrounds on one of the mosaics."""
    return list(islice(_accepted(candidates, grounds), max(0, wanted)))


def _accepted(candidates: Iterable[SamplePoint], grounds: Sequence[Ground]) -> Iterator[SamplePoint]:
    for candidate in candidates:
        if any(ground.take(candidate.lon, candidate.lat) for ground in grounds):
            yield candidate
