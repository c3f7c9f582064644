"""Places: samples that see the same ground belong together, and no split may part them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from minedisc_core.errors import UsageError

PLACE_M = 5_000.0
"""Samples nearer than this to each other are one place, and so on in a chain."""
_TO_EARTH_CENTRED = ("EPSG:4979", "EPSG:4978")


def places_of(lonlat: NDArray[np.float64], within_m: float = PLACE_M) -> list[str]:
    """The place of each sample: chains of samples nearer than `within_m` to each other share one.

    A place is named after its most western sample (the most southern of several), as ISO 6709 writes a
    position: `-20.12345-043.54321`. Names depend on the set of samples, not on their order.

    Args:
        lonlat: longitude and latitude, EPSG:4326 degrees, (n, 2).
        within_m: straight distance in metres (5 km of it are 5 km on the ellipsoid to less than a millimetre).

    Raises:
        UsageError: a position is not on Earth.
    """
    points = np.asarray(lonlat, float).reshape(-1, 2)
    if not (np.isfinite(points).all() and (np.abs(points) <= (180, 90)).all()):
        raise UsageError("A sample lies nowhere on Earth", "longitude -180 to 180, latitude -90 to 90")
    if not len(points):
        return []
    members = _chains(points, within_m)
    order = np.lexsort((points[:, 1], points[:, 0]))
    first = {int(members[index]): index for index in order[::-1]}
    names = {member: place_name(*points[index]) for member, index in first.items()}
    return [names[int(member)] for member in members]


def _chains(points: NDArray[np.float64], within_m: float) -> NDArray[np.int64]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    tree = cKDTree(earth_centred(points))
    pairs = tree.query_pairs(within_m, output_type="ndarray")
    near = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    members: NDArray[np.int64] = connected_components(near, directed=False)[1]
    return members


def earth_centred(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Earth-centred x, y, z in metres, (n, 3): straight distances without a map projection."""
    points = np.asarray(lonlat, float).reshape(-1, 2)
    to_metres = Transformer.from_crs(*_TO_EARTH_CENTRED, always_xy=True)
    return np.column_stack(to_metres.transform(points[:, 0], points[:, 1], np.zeros(len(points))))


def place_name(lon: float, lat: float) -> str:
    """A position as ISO 6709 writes it, five decimals (about 1 m)."""
    return f"{lat:+09.5f}{lon:+010.5f}"
