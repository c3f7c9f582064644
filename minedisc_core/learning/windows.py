"""From points to windows: which imagery holds a point's whole window, and why a point gives none."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from minedisc_core.domain import ProductLevel
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.learning.datasets import SampleEntry
from minedisc_core.learning.places import places_of

MOST_NO_DATA = 0.1
"""A window with a larger share of no data gives no sample: more than this flags a hit, too."""
SAME_POINT_M = 7.5
"""Points nearer than the smallest pixel to each other are one."""
_ID_DIGITS = 24


class Imagery(Protocol):
    """Pixels that windows are cut from: a mosaic, or a generated scene."""

    @property
    def grid(self) -> RasterGrid:
        """Its pixels on the ground."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of its bands."""

    @property
    def level(self) -> ProductLevel | None:
        """Its product."""

    @property
    def identity(self) -> str:
        """What tells it from others."""

    def read(self, window: PixelWindow, bands: Sequence[str]) -> NDArray[np.uint16]:
        """DN (height, width, band), 0 = no data."""


@dataclass(frozen=True)
class SamplePoint:
    """A place that should become a sample."""

    lon: float
    """EPSG:4326, where the window's centre pixel lies."""
    lat: float
    label: str
    reason: str | None = None
    """Stratum or reject reason of a background."""
    source: str = ""
    line: int = 0
    """Line or record in the source, from 1; 0: the point was drawn."""
    place: str = ""
    """Empty: found from the positions of all."""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A point or row that gives no sample."""

    source: str
    line: int
    reason: str
    lon: float | None = None
    lat: float | None = None


def without_duplicates(points: Sequence[SamplePoint], left_out: list[LeftOut]) -> list[SamplePoint]:
    """Each place once: later points within a pixel's side of an earlier one are listed; all, if their labels differ.

    Args:
        points: in the order of their source.
        left_out: is told what was left out and why.
    """
    groups: dict[str, list[SamplePoint]] = defaultdict(list)
    lonlat = np.array([(point.lon, point.lat) for point in points]).reshape(-1, 2)
    for point, name in zip(points, places_of(lonlat, SAME_POINT_M), strict=True):
        groups[name].append(point)
    kept = []
    for group in groups.values():
        labels = sorted({point.label for point in group})
        if len(labels) > 1:
            left_out += [_leave(p, f"is given as {' and as '.join(labels)} at the same place") for p in group]
        else:
            kept.append(group[0])
            first = group[0]
            left_out += [_leave(p, f"duplicates line {first.line} of {first.source}") for p in group[1:]]
    return kept


def _leave(point: SamplePoint, reason: str) -> LeftOut:
    return LeftOut(point.source, point.line, reason, point.lon, point.lat)


def cut_windows(
    points: Iterable[SamplePoint],
    imagery: Sequence[Imagery],
    bands: Sequence[str],
    window_px: int,
    left_out: list[LeftOut],
) -> Iterator[tuple[SampleEntry, NDArray[np.uint16]]]:
    """Samples of all points that have one; where several mosaics hold the whole window, the first counts.

    Args:
        points: where to cut.
        imagery: in the order of preference.
        bands: in the order wanted; each of `imagery` has them.
        window_px: side of the windows, odd.
        left_out: is told which points gave none and why.

    Raises:
        ImageryError: a mosaic cannot be read.
    """
    for point in points:
        found = _cut_point(point, imagery, bands, window_px)
        if isinstance(found, str):
            left_out.append(_leave(point, found))
        else:
            yield found


def window_around(grid: RasterGrid, lon: float, lat: float, window_px: int) -> PixelWindow:
    """The window whose centre pixel holds a place; it may reach past the raster."""
    row, col = grid.pixel(lon, lat)
    half = window_px // 2
    return PixelWindow(row - half, col - half, window_px, window_px)


def reach_px(grid: RasterGrid, window: PixelWindow) -> int:
    """By how many pixels a window reaches past the raster; 0 or less: it lies inside."""
    below, right = window.row + window.height - grid.height_px, window.col + window.width - grid.width_px
    return max(-window.row, -window.col, below, right)


def why_unfit(pixels: NDArray[np.uint16]) -> str:
    """Why pixels are no sample: too much of them is no data; empty if they are one."""
    is_empty = (pixels == 0).any(axis=-1)
    half = len(pixels) // 2
    if is_empty[half, half]:
        return "lies over no data"
    share = float(is_empty.mean())
    return f"{share:.0%} of its window is no data" if share > MOST_NO_DATA else ""


def _cut_point(
    point: SamplePoint, imagery: Sequence[Imagery], bands: Sequence[str], window_px: int
) -> tuple[SampleEntry, NDArray[np.uint16]] | str:
    """The sample, or why there is none: of all mosaics the reason of the one that came nearest to it."""
    reasons = {0: "lies off every mosaic"}
    for each in imagery:
        window = window_around(each.grid, point.lon, point.lat, window_px)
        over = reach_px(each.grid, window)
        if over > window_px // 2:
            continue
        if over > 0:
            reasons[1] = f"its window of {window_px} px leaves the mosaic by {over} px"
            continue
        pixels = np.ascontiguousarray(each.read(window, bands))
        problem = why_unfit(pixels)
        if not problem:
            return _entry(point, each, pixels), pixels
        reasons[2] = problem
    return reasons[max(reasons)]


def _entry(point: SamplePoint, imagery: Imagery, pixels: NDArray[np.uint16]) -> SampleEntry:
    facts = {"line": point.line, "imagery": imagery.identity, **point.facts}
    return SampleEntry(
        _sample_id(point, pixels),
        point.label,
        point.lon,
        point.lat,
        point.reason,
        point.source,
        point.place,
        facts=facts,
    )


def _sample_id(point: SamplePoint, pixels: NDArray[np.uint16]) -> str:
    """Named after its content: the same sample has the same name in every version."""
    digest = hashlib.sha256(f"{point.label} {point.lon:.6f} {point.lat:.6f} ".encode())
    digest.update(np.ascontiguousarray(pixels, "<u2").tobytes())
    return digest.hexdigest()[:_ID_DIGITS]
