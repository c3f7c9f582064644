"""Geometries of register rows: what is missing, of the wrong kind or out of range is listed, what can be is mended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minedisc_core.registers.tables import RowProblem

_POINTS = (0, 4)
_POLYGONS = (3, 6)
_LINES = (1, 2, 5)
_RIVERS = (*_LINES, *_POLYGONS)
_COLLECTION = 7
_NAMES = {
    -1: "nothing", 0: "a point", 1: "a line", 2: "a ring", 3: "a polygon", 4: "points", 5: "lines", 6: "polygons",
    7: "a collection",
}  # fmt: skip
MENDED = "the outline crosses or touches itself: mended"


@dataclass(frozen=True)
class Sound:
    """Geometries that can be used."""

    keep: NDArray[np.bool_]
    """Which rows are usable."""
    geometry: NDArray[np.object_]
    """All rows; the usable ones valid, EPSG:4326."""
    problems: list[RowProblem]


def sound_points(geometry: NDArray[np.object_], lines: list[int]) -> Sound:
    """Points (or groups of points) within -180..180 and -90..90 degrees; the rest is listed."""
    return _sound(geometry, lines, _POINTS, "points (load outlines as `polygons`)")


def sound_polygons(geometry: NDArray[np.object_], lines: list[int]) -> Sound:
    """Valid polygons within -180..180 and -90..90 degrees; crossings mended and noted; the rest is listed."""
    return _sound(polygons_only(geometry), lines, _POLYGONS, "polygons (load points as `points`)")


def sound_rivers(geometry: NDArray[np.object_], lines: list[int]) -> Sound:
    """Lines or valid polygons within -180..180 and -90..90 degrees; the rest is listed.

    A line that crosses itself is sound; a polygon that does is mended and noted.
    """
    return _sound(geometry, lines, _RIVERS, "lines or polygons of water")


def polygons_only(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """Replace each collection by the polygons it holds, where it holds any."""
    mixed = np.flatnonzero(shapely.get_type_id(geometry) == _COLLECTION)
    if not len(mixed):
        return geometry
    replaced = geometry.copy()
    for i in mixed:
        parts = polygon_parts(geometry[i])
        if parts is not None:
            replaced[i] = parts
    return replaced


def polygon_parts(geometry: BaseGeometry) -> BaseGeometry | None:
    """The polygons of any geometry as one, or None if it has no area."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    areas = [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]
    return shapely.union_all(areas) if areas else None


def make_area(geometry: BaseGeometry) -> BaseGeometry | None:
    """A valid polygon of what an outline means, or None if it encloses nothing."""
    return polygon_parts(shapely.make_valid(geometry))


def _sound(geometry: NDArray[np.object_], lines: list[int], types: tuple[int, ...], expected: str) -> Sound:
    problems: list[RowProblem] = []
    keep = np.ones(len(geometry), bool)
    kinds = shapely.get_type_id(geometry)

    def leave_out(rows: NDArray[np.bool_], reason: str) -> None:
        chosen = np.flatnonzero(rows & keep)
        problems.extend(RowProblem(lines[i], reason.format(_NAMES[int(kinds[i])])) for i in chosen)
        keep[chosen] = False

    leave_out(shapely.is_missing(geometry) | shapely.is_empty(geometry), "has no geometry")
    leave_out(~np.isin(kinds, types), f"holds {{}}, expected {expected}")
    leave_out(~_in_range(geometry), "lies outside -180..180, -90..90 degrees: projected metres without their CRS?")
    mended, hopeless = geometry.copy(), np.zeros(len(geometry), bool)
    for i in np.flatnonzero(keep & ~shapely.is_valid(geometry)):
        mended[i] = _mended(geometry[i], types)
        hopeless[i] = mended[i] is None
        if not hopeless[i]:
            problems.append(RowProblem(lines[i], MENDED, left_out=False))
    leave_out(hopeless & np.isin(kinds, _LINES), "the line has no length")
    leave_out(hopeless, "the outline encloses no area")
    return Sound(keep, mended, problems)


def _mended(geometry: BaseGeometry, types: tuple[int, ...]) -> BaseGeometry | None:
    """What an invalid geometry means, of the same sort; None if it means nothing."""
    if types is _POINTS:
        return None
    if shapely.get_type_id(geometry) not in _LINES:
        return make_area(geometry)
    parts = [part for part in shapely.get_parts(geometry) if part.length > 0]
    return shapely.MultiLineString(parts) if parts else None


def _in_range(geometry: NDArray[np.object_]) -> NDArray[np.bool_]:
    west, south, east, north = shapely.bounds(geometry).T
    inside: NDArray[np.bool_] = (west >= -180) & (east <= 180) & (south >= -90) & (north <= 90)
    return inside
