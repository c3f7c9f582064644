"""Training patches for the impact net from generated scenes: on mines of either class, and on everything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import IMPACT_CLASSES, Impact
from minedisc_core.grid import PATCH_PX, RasterGrid
from minedisc_core.imagery.demo import Feature
from minedisc_core.learning.dense import in_pixels

Scene = tuple[RasterGrid, Sequence[Feature], NDArray[np.uint16], int]
"""Grid, truth, DN (height, width, band) and seed."""

_NO_ORE = IMPACT_CLASSES.index(Impact.NO_ORE)
_CLASS = {"high": IMPACT_CLASSES.index(Impact.HIGH), "low": IMPACT_CLASSES.index(Impact.LOW), "none": _NO_ORE}
_CLEAR_PX = 16.0
"""A patch centred this far from a mine does not touch it (half its diagonal is 15 px)."""
_TOUCHING_PX = 7.0
"""A patch centred this close to a mine shows enough of it to bear its class."""
_LANDSCAPE = 220
"""Patches of plain land in a scene."""
_RING = 5
"""Patches of plain land around each mine."""


def impact_patches(
    scenes: Iterable[Scene], seed: int
) -> tuple[NDArray[np.uint16], NDArray[np.int64], NDArray[np.int64]]:
    """Patches (n, 21, 21, band), labels (0 high, 1 low, 2 no ore) and places (the scenes' seeds)."""
    rng = np.random.default_rng(seed)
    patches, labels, places = [], [], []
    for grid, features, dn, name in scenes:
        centres, classes = patch_centres(grid, features, rng)
        patches.append(_cut(dn, centres))
        labels.append(classes)
        places.append(np.full(len(classes), name))
    return np.concatenate(patches), np.concatenate(labels), np.concatenate(places)


def patch_centres(
    grid: RasterGrid, features: Sequence[Feature], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns and rows of patch centres inside the raster, and their classes."""
    shapes = in_pixels(grid, [f.polygon for f in features])
    mines = shapely.union_all([shape for shape, f in zip(shapes, features, strict=True) if f.is_mine])
    points, classes = [], []
    for shape, feature in zip(shapes, features, strict=True):
        reach = shape.buffer(_TOUCHING_PX) if feature.is_mine else shape
        count = int(np.clip(shape.area / 40, 8, 40)) if feature.is_mine else int(np.clip(shape.area / 80, 3, 10))
        points.append(_inside(reach, count, rng))
        classes.append(np.full(len(points[-1]), _CLASS[feature.impact]))
    rings = [_inside(shape.buffer(60), _RING, rng) for shape, f in zip(shapes, features, strict=True) if f.is_mine]
    points += [*rings, rng.uniform(0, (grid.width_px, grid.height_px), (_LANDSCAPE, 2))]
    plain = sum(len(part) for part in points[len(features) :])
    xy, label = np.concatenate(points), np.concatenate([*classes, np.full(plain, _NO_ORE)])
    keep = (label != _NO_ORE) | (shapely.distance(shapely.points(xy), mines) > _CLEAR_PX)
    half = PATCH_PX // 2 + 1
    keep &= (xy > half).all(1) & (xy[:, 0] < grid.width_px - half) & (xy[:, 1] < grid.height_px - half)
    return np.floor(xy[keep]).astype(np.int64), label[keep].astype(np.int64)


def _inside(shape: BaseGeometry, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Up to `count` places inside a shape, (n, 2) x and y."""
    x0, y0, x1, y1 = shape.bounds
    tried: NDArray[np.float64] = rng.uniform((x0, y0), (x1, y1), (6 * count, 2))
    inside: NDArray[np.bool_] = shapely.contains_xy(shape, tried[:, 0], tried[:, 1])
    return tried[inside][:count]


def _cut(dn: NDArray[np.uint16], centres: NDArray[np.int64]) -> NDArray[np.uint16]:
    half = PATCH_PX // 2
    return np.stack([dn[row - half : row + half + 1, col - half : col + half + 1] for col, row in centres])
