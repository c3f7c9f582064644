"""Which titles or lands meet which sites, and which share of the site they cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from minedisc_core.registers.active import Layer

MIN_COVERED_FRACTION = 0.01
"""Less than this share of a site is an edge drawn a pixel off, not a meeting."""
_TO_EQUAL_AREA = Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)


@dataclass(frozen=True)
class Overlaps:
    """Pairs of a site and an entry that covers at least `MIN_COVERED_FRACTION` of it, by site."""

    site: NDArray[np.int64]
    entry: NDArray[np.int64]
    fraction: NDArray[np.float64]
    """Share of the site inside the entry, 0..1, of ellipsoidal areas."""
    piece: NDArray[np.object_]
    """That part of the site, EPSG:4326."""


def find_overlaps(sites: NDArray[np.object_], layer: Layer) -> Overlaps:
    """All overlaps of `sites` (valid polygons, EPSG:4326) with the polygons of `layer`."""
    site, entry = layer.tree.query(sites)
    shapely.prepare(layer.geometry[np.unique(entry)])
    meets = shapely.intersects(layer.geometry[entry], sites[site])
    site, entry = site[meets], entry[meets]
    pieces = sites[site].copy()
    partly = ~shapely.covers(layer.geometry[entry], sites[site])
    pieces[partly] = shapely.intersection(sites[site[partly]], layer.geometry[entry[partly]])
    fraction = np.ones(len(site))
    fraction[partly] = covered_fraction(pieces[partly], sites[site[partly]])
    order = np.lexsort((entry, -fraction, site))
    order = order[fraction[order] >= MIN_COVERED_FRACTION]
    return Overlaps(site[order], entry[order], fraction[order], pieces[order])


def covered_fraction(pieces: NDArray[np.object_], wholes: NDArray[np.object_]) -> NDArray[np.float64]:
    """Ellipsoidal area of each piece over that of its whole, 0..1 (both EPSG:4326)."""
    fractions: NDArray[np.float64] = np.clip(_areas(pieces) / np.maximum(_areas(wholes), 1e-9), 0.0, 1.0)
    return fractions


def _areas(geometry: NDArray[np.object_]) -> NDArray[np.float64]:
    """Square metres in the ellipsoidal equal-area projection EPSG:6933."""

    def move(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(_TO_EQUAL_AREA.transform(lonlat[:, 0], lonlat[:, 1]))

    areas: NDArray[np.float64] = shapely.area(shapely.transform(geometry, move))
    return areas
