"""Outlines of many groups of cells at once: the union of their squares, traced along the edges of the grid.

A library's union searches for crossings; squares of one grid have none. Here every side of a cell without a
neighbour behind it is an edge, each edge knows the next one, and the rings are read off: all groups in a few
passes over arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from minedisc_core.grid import RasterGrid

_AHEAD = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
"""Along the west, south, east and north side of a cell, with the cell on the left: down, right, up, left."""
_FROM = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
"""Corner of the cell where each of these sides begins: row, column."""
Numbers = NDArray[np.int64]


class _Rings(NamedTuple):
    """Closed walks along edges; ring by ring, each in its order."""

    edges: Numbers
    """4 x cell + side."""
    starts: Numbers
    """Where each ring begins in `edges`."""


def outlines(grid: RasterGrid, cells: Numbers, starts: Numbers) -> NDArray[np.object_]:
    """The union of the cells' squares of each group, EPSG:4326.

    A Polygon, or a MultiPolygon of parts that have no common side. Every corner of a cell that lies on the outline
    is one of its vertices, so that long straight sides follow the curve that they are in degrees.

    Args:
        grid: the mosaic's pixels.
        cells: (n, 2) row and column of all cells, group by group, each once; cells with a common side or corner
            belong to one group.
        starts: where each group begins, rising from 0.
    """
    if not len(cells):
        return np.empty(0, object)
    number = np.full(np.array(grid.cells) + 2, -1, np.int32)  # a margin, so that every cell has neighbours
    number[cells[:, 0] + 1, cells[:, 1] + 1] = np.arange(len(cells))
    part = ndimage.label(number >= 0)[0][cells[:, 0] + 1, cells[:, 1] + 1].astype(np.int64)
    rings = _rings(*_edges(number, cells, part))
    corners = cells[rings.edges // 4] + _FROM[rings.edges % 4]
    polygons, first = _polygons(_lonlat(grid, corners), corners, rings, part)
    return _joined(polygons, np.searchsorted(starts, first, "right") - 1, len(starts))


def _edges(number: Numbers, cells: Numbers, part: Numbers) -> tuple[Numbers, Numbers]:
    """Edges (4 x cell + side) of all outlines, rising, and for each the position of the next one among them."""
    sides, following = [], []
    for side, ahead in enumerate(_AHEAD):
        outward = _AHEAD[(side + 3) % 4]
        behind = number[tuple((cells + 1 + outward).T)].astype(np.int64)
        own = np.flatnonzero(behind < 0)
        before, across = (
            number[tuple((cells[own] + 1 + step).T)].astype(np.int64) for step in (ahead, ahead + outward)
        )
        turns_right = (across >= 0) & ((before >= 0) | (part[across] == part[own]))
        straight = (before >= 0) & ~turns_right
        following.append(
            np.where(
                turns_right,
                4 * across + (side + 3) % 4,
                np.where(straight, 4 * before + side, 4 * own + (side + 1) % 4),
            )
        )
        sides.append(4 * own + side)
    edges = np.concatenate(sides)
    order = np.argsort(edges)
    position = np.full(4 * len(cells), -1, np.int64)
    position[edges[order]] = np.arange(len(edges))
    return edges[order], position[np.concatenate(following)[order]]


def _rings(edges: Numbers, following: Numbers) -> _Rings:
    """Read the rings off by doubling steps: after k rounds each edge knows what 2^k edges from it on say."""
    head, jump = np.arange(len(edges)), following
    while True:
        lower = np.minimum(head, head[jump])
        if np.array_equal(lower, head):
            break
        head, jump = lower, jump[jump]
    _, ring, lengths = np.unique(head, return_inverse=True, return_counts=True)
    left = (following != head).astype(np.int64)  # steps to the edge before the head
    jump = np.where(left == 1, following, np.arange(len(edges)))
    while (moves := left[jump]).any():
        left, jump = left + moves, jump[jump]
    starts = np.cumsum(lengths) - lengths
    placed = np.empty_like(edges)
    placed[starts[ring] + lengths[ring] - 1 - left] = edges
    return _Rings(placed, starts)


def _lonlat(grid: RasterGrid, corners: Numbers) -> NDArray[np.float64]:
    geometry = grid.geometry
    first = geometry.offset_px - geometry.stride_px / 2
    rows, cols = (corners * geometry.stride_px + first).T
    return grid.lonlat(rows, cols)


def _polygons(
    lonlat: NDArray[np.float64], corners: Numbers, rings: _Rings, part: Numbers
) -> tuple[NDArray[np.object_], Numbers]:
    """One polygon for each part, by its first cell, and that cell."""
    lengths = np.diff(rings.starts, append=len(rings.edges))
    lines = shapely.linearrings(lonlat, indices=np.repeat(np.arange(len(lengths)), lengths))
    ahead = _AHEAD[rings.edges % 4]
    twice_area = np.add.reduceat(corners[:, 1] * ahead[:, 0] - corners[:, 0] * ahead[:, 1], rings.starts)
    is_hole = twice_area > 0
    cell = rings.edges[rings.starts] // 4
    first = np.full(part.max() + 1, len(part))
    np.minimum.at(first, part[cell], cell)
    order = np.lexsort((cell, is_hole, first[part[cell]]))
    found, of = np.unique(first[part[cell]][order], return_inverse=True)
    polygons: NDArray[np.object_] = shapely.polygons(lines[order], indices=of)
    return polygons, found


def _joined(polygons: NDArray[np.object_], group: Numbers, groups: int) -> NDArray[np.object_]:
    """Polygons of one group as one MultiPolygon."""
    count = np.bincount(group, minlength=groups)
    joined = np.empty(groups, object)
    is_alone = count[group] == 1
    joined[group[is_alone]] = polygons[is_alone]
    several, of = np.unique(group[~is_alone], return_inverse=True)
    if len(several):
        joined[several] = shapely.multipolygons(polygons[~is_alone], indices=of)
    return joined
