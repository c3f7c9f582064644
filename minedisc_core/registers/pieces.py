"""Long rivers and large waters cut into small pieces: the nearest one is then found in their index, not along them.

One river of 50,000 vertices would otherwise be walked from end to end for each site in its box.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

_LINE_VERTICES = 64
_AREA_VERTICES = 128


def cut_up(geometry: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Pieces that together are the same lines and polygons, and the row that each piece comes from.

    Args:
        geometry: lines and polygons, single or multiple, of any CRS; polygons valid.
    """
    parts, rows = shapely.get_parts(geometry, return_index=True)
    is_line = shapely.get_dimensions(parts) == 1
    vertices = shapely.get_num_coordinates(parts)
    is_long = vertices > np.where(is_line, _LINE_VERTICES, _AREA_VERTICES)
    pieces, origins = [parts[~is_long]], [rows[~is_long]]
    for part, row, line in zip(parts[is_long], rows[is_long], is_line[is_long], strict=True):
        cut = list(_stretches(part) if line else _quarters(part))
        pieces.append(np.array(cut, dtype=object))
        origins.append(np.full(len(cut), row))
    return np.concatenate(pieces), np.concatenate(origins).astype(np.int64)


def _stretches(line: BaseGeometry) -> Iterator[BaseGeometry]:
    xy = shapely.get_coordinates(line)
    step = _LINE_VERTICES - 1
    for start in range(0, len(xy) - 1, step):
        yield shapely.LineString(xy[start : start + step + 1])


def _quarters(area: BaseGeometry) -> Iterator[BaseGeometry]:
    """Parts of a polygon on both sides of the middle of its longer side, cut again while they are large."""
    if shapely.get_num_coordinates(area) <= _AREA_VERTICES:
        yield area
        return
    west, south, east, north = area.bounds
    x, y = (west + east) / 2, (south + north) / 2
    is_wide = east - west > north - south
    halves = (
        ((west, south, x, north), (x, south, east, north))
        if is_wide
        else ((west, south, east, y), (west, y, east, north))
    )
    for half in halves:
        for part in shapely.get_parts(shapely.intersection(area, shapely.box(*half))):
            if part.geom_type == "Polygon":
                yield from _quarters(part)
