"""Walking a register's points over imagery: which lie on a mosaic, where each is by now, a picture of its window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minedisc_core.grid import PATCH_PX, WINDOW_PX, RasterGrid
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.pictures import PICTURES, chip_stretch, picture_bands, picture_kinds, render, webp
from minedisc_core.learning.windows import window_around
from minedisc_core.registers.points import PointFile, RegisterPoint
from minedisc_core.store import CorrectionEvent

_SCALE = 2
"""Screen pixels of a pixel."""
_LINE = (255, 213, 74, 255)
"""Colour of what is drawn over the picture."""


@dataclass(frozen=True)
class WalkPoint:
    """A point of a register, and what people decided about it."""

    point: RegisterPoint
    correction: CorrectionEvent | None

    @property
    def lonlat(self) -> tuple[float, float]:
        """Where it is by now, EPSG:4326."""
        moved = self.correction
        if moved is None or moved.new_lon is None or moved.new_lat is None:
            return self.point.lon, self.point.lat
        return moved.new_lon, moved.new_lat


def walk(read: PointFile, corrections: Sequence[CorrectionEvent], grid: RasterGrid) -> tuple[list[WalkPoint], int]:
    """The points that the register or a correction puts on a mosaic, in the register's order; how many lie off it."""
    decided = {event.line: event for event in corrections if event.register_id == read.register_id}
    everything = [WalkPoint(point, decided.get(point.line)) for point in read.points]
    inside = [each for each in everything if _is_on(grid, each.point.lon, each.point.lat) or _is_on(grid, *each.lonlat)]
    return inside, len(everything) - len(inside)


def _is_on(grid: RasterGrid, lon: float, lat: float) -> bool:
    row, col = grid.pixel(lon, lat)
    return 0 <= row < grid.height_px and 0 <= col < grid.width_px


def first_undecided(points: Sequence[WalkPoint], after: int = -1) -> int | None:
    """Number of the first point after `after`, around the end if need be, that nobody decided about; None if none."""
    count = len(points)
    turns = ((after + step) % count for step in range(1, count + 1))
    return next((index for index in turns if points[index].correction is None), None)


def window_picture(mosaic: Mosaic, lon: float, lat: float, kind: str = "true_colour") -> bytes | None:
    """WebP of the 201 px around a place in its own stretch, twice enlarged, with a cross and the 21 px patch.

    None where the mosaic lacks the bands. Past the mosaic's edge the picture is transparent.

    Raises:
        ImageryError: the mosaic cannot be read.
    """
    if kind not in PICTURES or kind not in picture_kinds(mosaic.bands):
        return None
    bands = picture_bands((kind,))
    pixels = mosaic.read(window_around(mosaic.grid, lon, lat, WINDOW_PX), bands)
    dn = {band: np.ascontiguousarray(pixels[..., index]) for index, band in enumerate(bands)}
    drawn = render(kind, dn, chip_stretch(dn), has_table=False)
    return webp(_marked(drawn.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)))


def _marked(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cross with an open middle, and the outline of the impact patch."""
    middle, half = len(picture) // 2, PATCH_PX * _SCALE // 2
    for near, far in ((half, 3 * half), (-3 * half, -half)):
        picture[middle, middle + near : middle + far] = _LINE
        picture[middle + near : middle + far, middle] = _LINE
    low, high = middle - half, middle + half
    picture[low : high + 1, [low, high]] = _LINE
    picture[[low, high], low : high + 1] = _LINE
    return picture
