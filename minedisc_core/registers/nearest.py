"""The nearest register entry of each site, and how far away it is on the ellipsoid.

World Mercator is conformal, so the nearest there is close to the nearest on the ground; its geodesic
distance then bounds the search for those that are really nearer.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from minedisc_core.grid import GEOD
from minedisc_core.registers.active import Layer, to_mercator

_FROM_MERCATOR = Transformer.from_crs("EPSG:3395", "EPSG:4326", always_xy=True)
_METRES_PER_DEG = 110_000.0
"""A little less than a degree of latitude anywhere."""
_SLACK = 1.02
_EXACT_WITHIN_M = 1_000_000.0
_BATCH = 1_000
_TOUCHING_M = 1.0


def nearest_entries(sites: NDArray[np.object_], layer: Layer) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row of `layer` nearest to each site, and its geodesic distance in metres from the site's polygon.

    Args:
        sites: n geometries, EPSG:4326.
        layer: at least one entry.

    Returns:
        (n,) rows and (n,) distances, 0 where they meet. Beyond 1,000 km the nearest in Mercator is
        given. The ends are those of the shortest line in Mercator: for sites of 10 km the distance to an
        outline may come out up to 0.1 % long, to a point less.
    """
    moved = to_mercator(sites)
    rows = np.zeros(len(sites), np.int64)
    found, nearest = layer.mercator_tree.query_nearest(moved, all_matches=False)
    rows[found] = nearest
    distances = _geodesic(moved, layer.mercator[rows])
    doubtful = np.flatnonzero((distances > 0) & (distances < _EXACT_WITHIN_M))
    for batch in np.array_split(doubtful, max(1, len(doubtful) // _BATCH)):
        _improve(batch, sites, moved, layer, rows, distances)
    return rows, distances


def nearest_within(
    sites: NDArray[np.object_], layer: Layer, within_m: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row of `layer` nearest to each site (-1: none within `within_m`), and its geodesic distance (m; inf: none).

    Args:
        sites: n geometries, EPSG:4326.
        layer: lines and polygons; long ones are searched by their pieces.
        within_m: geodesic, well under 1,000 km.
    """
    rows, distances = np.full(len(sites), -1, np.int64), np.full(len(sites), np.inf)
    if not len(layer) or not len(sites):
        return rows, distances
    pieces, origins = layer.pieces
    moved = to_mercator(sites)
    farthest = np.abs(shapely.bounds(sites)[:, [1, 3]]).max(axis=1) + within_m / _METRES_PER_DEG
    reach = _SLACK * within_m / np.cos(np.radians(np.minimum(farthest, 84.0)))
    found, nearest = pieces.mercator_tree.query_nearest(moved, max_distance=float(reach.max()), all_matches=False)
    rows[found], distances[found] = nearest, _geodesic(moved[found], pieces.mercator[nearest])
    doubtful = found[(distances[found] > 0) & (distances[found] < _SLACK * within_m)]
    for batch in np.array_split(doubtful, max(1, len(doubtful) // _BATCH)):
        _improve(batch, sites, moved, pieces, rows, distances)
    is_near = distances <= within_m
    return np.where(is_near, origins[rows], -1), np.where(is_near, distances, np.inf)


def _improve(
    batch: NDArray[np.int64],
    sites: NDArray[np.object_],
    moved: NDArray[np.object_],
    layer: Layer,
    rows: NDArray[np.int64],
    distances: NDArray[np.float64],
) -> None:
    """Replace rows and distances of the batch where another entry is nearer on the ground."""
    if not len(batch):
        return
    bounds = shapely.bounds(sites[batch])
    farthest = np.abs(bounds[:, [1, 3]]).max(axis=1) + distances[batch] / _METRES_PER_DEG
    reach = _SLACK * distances[batch] / np.cos(np.radians(np.minimum(farthest, 84.0)))
    site, entry = layer.mercator_tree.query(moved[batch], predicate="dwithin", distance=reach)
    is_other = entry != rows[batch[site]]
    site, entry = site[is_other], entry[is_other]
    metres = _geodesic(moved[batch[site]], layer.mercator[entry])
    order = np.lexsort((entry, metres, site))
    first = order[np.unique(site[order], return_index=True)[1]]
    nearer = metres[first] < distances[batch[site[first]]]
    chosen = batch[site[first[nearer]]]
    rows[chosen], distances[chosen] = entry[first[nearer]], metres[first[nearer]]


def _geodesic(a: NDArray[np.object_], b: NDArray[np.object_]) -> NDArray[np.float64]:
    """Geodesic lengths of the shortest lines between pairs of geometries given in Mercator."""
    ends = shapely.get_coordinates(shapely.shortest_line(a, b)).reshape(-1, 2, 2)
    lon, lat = _FROM_MERCATOR.transform(ends[..., 0], ends[..., 1])
    _, _, metres = GEOD.inv(lon[:, 0], lat[:, 0], lon[:, 1], lat[:, 1])
    distances = np.asarray(metres, np.float64)
    close = np.flatnonzero(distances < _TOUCHING_M)  # what meets has a shortest line of no length, but for rounding
    distances[close[shapely.intersects(a[close], b[close])]] = 0.0
    return distances
