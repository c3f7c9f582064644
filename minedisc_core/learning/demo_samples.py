"""Datasets cut from generated scenes, through the same code as points of a register: for benches and first steps.

They prove that the code works; they say nothing about real imagery.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import IMPACT_CLASSES, Impact, ProductLevel
from minedisc_core.errors import UsageError
from minedisc_core.grid import CONTEXT_PX, PATCH_PX, WINDOW_PX, PixelWindow, RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.demo import Feature, generate_scene
from minedisc_core.learning.backgrounds import LOOK_ALIKE, Ground, draw_from, draw_random
from minedisc_core.learning.datasets import Dataset, SampleEntry, write_dataset
from minedisc_core.learning.demo_patches import patch_centres
from minedisc_core.learning.dense import in_pixels
from minedisc_core.learning.windows import SamplePoint, cut_windows, without_duplicates

DemoKind = Literal["discovery", "impact"]
MINES, BACKGROUNDS = 1_397, 1_463
"""The paper's points for the discovery net (section 5.1)."""
PATCHES = 1_275
"""The paper's points for the impact net: 425 of each class."""
COUNTS = {"discovery": MINES + BACKGROUNDS, "impact": PATCHES}
FIRST_SEED, SEEDS_EACH = 20_000, 1_000
"""Scenes of dataset seed s: 20,000 + 1,000 s and on; the demo area, the benches and the shipped models use others."""
SIDE_PX = 1_200
"""Side of a scene: the smallest in which mines have their full size."""
CROWDING = 2.4
APART_M = 1_430.0
"""A background's centre is this far from the outline of any mine: its 201 px hold none."""
_BIG_HA = 10.0
"""A larger pit, heap or dam gets two points, as registers have several for one mine."""
_OFF_PX = 10.0
"""Points lie up to 100 m off the middle of what they mark."""
_PATCHES_A_CLASS = 25
_WELL_INSIDE_PX = 3.0
"""A patch of ore is centred in its mine, this far from the edge: the paper chose representative points."""
_LEAST_PLACES = 5
"""Small datasets, too, come from this many scenes: a split by place needs some."""
_BANDS = {ProductLevel.L1C: L1C_BANDS, ProductLevel.L2A: L2A_BANDS}
_Sample = tuple[SampleEntry, NDArray[np.uint16]]


@dataclass(frozen=True)
class DemoImagery:
    """One product of a generated scene, as windows are cut from it."""

    grid: RasterGrid
    bands: tuple[str, ...]
    level: ProductLevel
    identity: str
    dn: NDArray[np.uint16]
    """(height, width, band)."""

    def read(self, window: PixelWindow, bands: Sequence[str]) -> NDArray[np.uint16]:
        """DN (height, width, band) of a window inside the scene."""
        part = self.dn[window.row : window.row + window.height, window.col : window.col + window.width]
        return part[..., [self.bands.index(band) for band in bands]]


@dataclass(frozen=True)
class _Order:
    """What one scene should give; goes to another process."""

    kind: DemoKind
    scene_seed: int
    level: ProductLevel
    window_px: int
    side_px: int


def write_demo_dataset(
    folder: Path,
    kind: DemoKind,
    *,
    count: int | None = None,
    seed: int = 0,
    level: ProductLevel = ProductLevel.L1C,
    window_px: int | None = None,
    processes: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """A dataset of generated scenes, the same for the same seed; each scene is a place.

    Args:
        folder: the version's folder, new.
        kind: `discovery` (mines and backgrounds, as many of each as the paper's shares) or `impact` (three classes).
        count: number of samples; the paper's by default.
        seed: 0 or more: other scenes.
        level: product.
        window_px: 201 (default) or 255 for discovery, 21 for impact.
        processes: scenes that are made at once; each takes about 0.6 GB.
        on_progress: is told the samples done and all.

    Raises:
        UsageError: a count, seed or window that cannot be.
        StoreError: the folder is there, or cannot be written.
    """
    side = window_px or (PATCH_PX if kind == "impact" else WINDOW_PX)
    wanted = COUNTS[kind] if count is None else count
    quota = _quota(kind, wanted)
    _check(kind, side, seed, quota)
    first = FIRST_SEED + SEEDS_EACH * seed
    orders = [_Order(kind, number, level, side, SIDE_PX) for number in range(first, first + SEEDS_EACH)]
    samples = _filled(_made(orders, processes), quota, wanted, on_progress)
    more = {"made_of": "generated scenes", "seed": seed, "kind": kind,
            "note": "It proves that the code works; it says nothing about real imagery."}  # fmt: skip
    return write_dataset(folder, samples, bands=_BANDS[level], level=level, window_px=side, more=more)


def _quota(kind: DemoKind, count: int) -> dict[str, int]:
    if kind == "discovery":
        mines = round(count * MINES / (MINES + BACKGROUNDS))
        return {"mine": mines, "background": count - mines}
    return {str(label): (count + index) // 3 for index, label in enumerate(IMPACT_CLASSES)}


def _check(kind: DemoKind, window_px: int, seed: int, quota: dict[str, int]) -> None:
    allowed = (PATCH_PX,) if kind == "impact" else (WINDOW_PX, CONTEXT_PX)
    if window_px not in allowed:
        raise UsageError(f"{kind} windows of {window_px} px", f"{' or '.join(map(str, allowed))} px")
    if seed < 0 or min(quota.values()) < 1:
        raise UsageError(f"{sum(quota.values())} samples of seed {seed}", "a sample of each class, a seed of 0 or more")


def _made(orders: Sequence[_Order], processes: int) -> Iterator[list[_Sample]]:
    """Samples of one scene after the other, in the order of the seeds; `processes` are made ahead."""
    if processes <= 1:
        yield from map(scene_samples, orders)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        coming = [pool.submit(scene_samples, order) for order in orders[: processes + 1]]
        try:
            for order in [*orders[processes + 1 :], *[None] * (processes + 1)]:
                yield coming.pop(0).result()
                if order is not None:
                    coming.append(pool.submit(scene_samples, order))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _filled(
    scenes: Iterator[list[_Sample]], quota: dict[str, int], wanted: int, on_progress: Callable[[int, int], None] | None
) -> Iterator[_Sample]:
    """Samples until every label has its number; no scene gives more than its share of a label."""
    left = dict(quota)
    for scene in scenes:
        share = {label: min(left[label], -(-number // _LEAST_PLACES)) for label, number in quota.items()}
        for entry, pixels in scene:
            if share[entry.label] > 0:
                share[entry.label] -= 1
                left[entry.label] -= 1
                yield entry, pixels
        if on_progress:
            on_progress(wanted - sum(left.values()), wanted)
        if not any(left.values()):
            return


def scene_samples(order: _Order) -> list[_Sample]:
    """All samples of one scene: mines and about as many backgrounds, or patches of the three classes."""
    scene = generate_scene(order.side_px, order.scene_seed, crowding=CROWDING)
    dn = scene.l1c if order.level is ProductLevel.L1C else scene.l2a
    name = f"demo scene {order.scene_seed}"
    imagery = DemoImagery(scene.grid, _BANDS[order.level], order.level, name, dn)
    find = _impact_points if order.kind == "impact" else _discovery_points
    found = without_duplicates(find(imagery, scene.features, order), [])  # two points of a small mine may be one
    points = [replace(point, source=name, place=name) for point in found]
    np.random.default_rng([order.scene_seed, 3]).shuffle(points)
    return list(cut_windows(points, [imagery], imagery.bands, order.window_px, []))


def _discovery_points(imagery: DemoImagery, features: Sequence[Feature], order: _Order) -> list[SamplePoint]:
    random = np.random.default_rng([order.scene_seed, 1])
    mines = [feature for feature in features if feature.is_mine]
    points = [point for feature in mines for point in _mine_points(imagery.grid, feature, random)]
    ground = Ground(imagery, [feature.polygon for feature in mines], APART_M, order.window_px, order.scene_seed)
    wanted = round(len(points) * BACKGROUNDS / MINES) + 1
    others = [feature for feature in features if not feature.is_mine]
    alike = (_look_alike(others[index], imagery.grid, random) for index in random.permutation(len(others)))
    chosen = draw_from(alike, [ground], wanted // 2)
    return [*points, *chosen, *draw_random([ground], wanted - len(chosen), order.scene_seed)]


def _mine_points(grid: RasterGrid, feature: Feature, random: np.random.Generator) -> Iterator[SamplePoint]:
    """One or two points in or near the outline of a mine."""
    (shape,) = in_pixels(grid, [feature.polygon])
    for _ in range(2 if shape.area / 100 > _BIG_HA else 1):
        yield _point(_inside(shape, random) + random.uniform(-_OFF_PX, _OFF_PX, 2), grid, "mine", None, feature)


def _look_alike(feature: Feature, grid: RasterGrid, random: np.random.Generator) -> SamplePoint:
    (shape,) = in_pixels(grid, [feature.polygon])
    return _point(_inside(shape, random), grid, "background", LOOK_ALIKE, feature)


def _inside(shape: BaseGeometry, random: np.random.Generator) -> NDArray[np.float64]:
    """A place in an outline, x and y."""
    x0, y0, x1, y1 = shape.bounds
    tried: NDArray[np.float64] = random.uniform((x0, y0), (x1, y1), (40, 2))
    inside = tried[shapely.contains_xy(shape, tried[:, 0], tried[:, 1])]
    middle = shape.representative_point()
    return inside[0] if len(inside) else np.array([middle.x, middle.y])


def _point(
    xy: NDArray[np.float64], grid: RasterGrid, label: str, reason: str | None, feature: Feature | None
) -> SamplePoint:
    """A sample's point at the centre of the pixel that holds x and y."""
    col, row = np.floor(xy) + 0.5
    lon, lat = grid.lonlat(np.array([row]), np.array([col]))[0]
    facts = {"kind": feature.kind, "ore": feature.ore} if feature else {}
    return SamplePoint(float(lon), float(lat), label, reason, facts=facts)


def _impact_points(imagery: DemoImagery, features: Sequence[Feature], order: _Order) -> list[SamplePoint]:
    random = np.random.default_rng([order.scene_seed, 2])
    centres, classes = patch_centres(imagery.grid, features, random)
    mines = in_pixels(imagery.grid, [feature.polygon for feature in features if feature.is_mine])
    inner = shapely.union_all(mines).buffer(-_WELL_INSIDE_PX)
    is_shown = shapely.contains_xy(inner, centres[:, 0] + 0.5, centres[:, 1] + 0.5)
    found: list[SamplePoint] = []
    for index, label in enumerate(IMPACT_CLASSES):
        members = random.permutation(np.flatnonzero((classes == index) & (is_shown | (label == Impact.NO_ORE))))
        points = (_point(centres[member] + 0.5, imagery.grid, str(label), None, None) for member in members)
        found += islice(points, _PATCHES_A_CLASS)
    return found
