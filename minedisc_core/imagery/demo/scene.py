"""The demo area: a generated piece of Minas Gerais as Sentinel-2 would deliver it, and the truth about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minedisc_core.errors import UsageError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.demo.brushes import Brush, put_on
from minedisc_core.imagery.demo.canvas import Canvas
from minedisc_core.imagery.demo.ground import Ground, paint_ground
from minedisc_core.imagery.demo.layout import Layout, lay_out
from minedisc_core.imagery.demo.noise import Window
from minedisc_core.imagery.demo.rivers import River
from minedisc_core.imagery.demo.sensor import observe
from minedisc_core.imagery.demo.sites import Plan, Truth

LARGEST_PX = 20_000
"""200 km: a larger square at this corner would leave Minas Gerais, and at 250 km the UTM zone."""
CRS = "EPSG:32723"
"""UTM zone 23 south."""
CORNER_M = (560_000.0, 7_790_000.0)
"""Easting and northing of the north-west corner: west of Belo Horizonte, Minas Gerais."""
_TILE_PX = 510
"""Tiles are painted one at a time; a multiple of 6, so that 60 m blocks do not straddle them."""
_ROOMY_PX = 1200
_REACH_PX = 190.0
"""A register point may lie 0.8 km off its mine and counts for sites up to 1 km away."""
_RIO_PX = 4.5
_STATES = ("registered", "title_without_extraction_right", "nothing_found", "registered")


@dataclass(frozen=True)
class Feature:
    """One polygon of the ground truth."""

    polygon: BaseGeometry
    """EPSG:4326, inside the scene."""
    kind: str
    """open_pit, tailings, waste, quarry, sand_pit, clay_pit, garimpo; look-alikes: irrigation_dam, lake,
    sandbar, town, bare_rock, erosion, earthworks, lagoons, feedlot, burn, bare_field, pivot, airstrip,
    solar, clear_cut."""
    is_mine: bool
    impact: str
    """`high`, `low`, or `none` for look-alikes."""
    mine: int
    """Number of the mine that the polygon is part of, from 1; 0 for look-alikes."""
    name: str
    """Name of that mine, empty for look-alikes."""
    ore: str
    registered: str
    """What the demo registers say of the mine (`registered`, `title_without_extraction_right`,
    `nothing_found`); empty for look-alikes."""


@dataclass(frozen=True)
class Watercourse:
    """The true course of a river."""

    line: BaseGeometry
    """Its middle, EPSG:4326, cut off at the scene's edge (LineString or MultiLineString)."""
    name: str
    width_m: float
    """Mean width of the water."""


@dataclass(frozen=True)
class ScenePlan:
    """A scene that can be painted tile by tile, so that large ones need little memory."""

    size_px: int
    seed: int
    grid: RasterGrid
    features: tuple[Feature, ...]
    rivers: tuple[Watercourse, ...]
    _brushes: tuple[Brush, ...] = field(repr=False)
    _ground: Ground = field(repr=False)

    def strips(self) -> Iterator[tuple[int, NDArray[np.uint16], NDArray[np.uint16]]]:
        """First row, L1C and L2A DN, each (12, rows, size_px) uint16, of one strip after the other."""
        columns = range(0, self.size_px, _TILE_PX)
        with ThreadPoolExecutor(2) as pool:
            for row in range(0, self.size_px, _TILE_PX):
                tiles = list(pool.map(partial(self._tile, row), columns))
                height = min(_TILE_PX, self.size_px - row)
                top, bottom = (
                    np.concatenate(parts, 2)[:, :height, : self.size_px] for parts in zip(*tiles, strict=True)
                )
                yield row, top, bottom

    def _tile(self, row: int, col: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        height, width = (6 * -(-min(_TILE_PX, self.size_px - start) // 6) for start in (row, col))
        canvas = Canvas(Window(row, col, height, width))
        paint_ground(self._ground, canvas)
        for brush in self._brushes:
            put_on(canvas, brush)
        return observe(canvas, self._ground.seed + 900)


@dataclass(frozen=True)
class Scene:
    """The pixels of a whole scene and the truth about it."""

    l1c: NDArray[np.uint16]
    """(height, width, 12): B1..B8, B9, B10, B11, B12; DN = reflectance x 10,000 at the top of the
    atmosphere, 1..15,000; a view of a band-first array."""
    l2a: NDArray[np.uint16]
    """(height, width, 12): B1..B8, B8A, B9, B11, B12; surface reflectance x 10,000, 1..15,000."""
    grid: RasterGrid
    features: tuple[Feature, ...]


def generate_scene(
    size_px: int = 2048, seed: int = 0, *, crowding: float = 1.0, on_progress: Callable[[float], None] | None = None
) -> Scene:
    """Generate a square of `size_px` pixels of 10 m, UTM zone 23S, the same for the same seed.

    Args:
        size_px: side, 1 to 20,000; a small area holds those features that fit.
        seed: 0 or more; the shipped demo area is 0.
        crowding: factor of the number of mines and look-alikes (1 for the demo area; more for training).
        on_progress: is told the share done, 0..1.

    Raises:
        UsageError: size or seed out of range.
    """
    plan = plan_scene(size_px, seed, crowding)
    l1c, l2a = (np.empty((12, size_px, size_px), np.uint16) for _ in range(2))
    paint_into(plan, l1c, l2a, on_progress)
    return Scene(l1c.transpose(1, 2, 0), l2a.transpose(1, 2, 0), plan.grid, plan.features)


def paint_into(
    plan: ScenePlan,
    l1c: NDArray[np.uint16],
    l2a: NDArray[np.uint16],
    on_progress: Callable[[float], None] | None = None,
) -> None:
    """Paint a scene into two (12, size_px, size_px) uint16 arrays, which may be memory maps."""
    for row, top, bottom in plan.strips():
        l1c[:, row : row + top.shape[1]] = top
        l2a[:, row : row + top.shape[1]] = bottom
        if on_progress:
            on_progress((row + top.shape[1]) / plan.size_px)


def plan_scene(size_px: int, seed: int, crowding: float = 1.0) -> ScenePlan:
    """Lay out a scene without painting it.

    Raises:
        UsageError: size or seed out of range.
    """
    if not 1 <= size_px <= LARGEST_PX:
        raise UsageError(
            f"a demo area of {size_px} px",
            f"1 to {LARGEST_PX:,} px a side (200 km: a larger square would leave Minas Gerais)",
            "choose another --size",
        )
    if seed < 0:
        raise UsageError(f"seed {seed}", "0 or a larger whole number", "choose another --seed")
    grid = RasterGrid(size_px, size_px, Affine(10, 0, CORNER_M[0], 0, -10, CORNER_M[1]), CRS)
    layout = lay_out(size_px, seed, crowding)
    plans = [*layout.backdrop, *layout.mines]
    brushes = tuple(brush for plan in plans for brush in plan.brushes)
    return ScenePlan(size_px, seed, grid, _features(layout, grid), _watercourses(brushes, grid), brushes, layout.ground)


def _watercourses(brushes: Sequence[Brush], grid: RasterGrid) -> tuple[Watercourse, ...]:
    """The rivers that meet the scene, or that pass by one of a few pixels; narrow ones are called Córrego."""
    rivers = [brush for brush in brushes if isinstance(brush, River)]
    inside = shapely.box(0, 0, grid.width_px, grid.height_px)
    whole = [shapely.LineString(river.line) for river in rivers]
    parts = [line.intersection(inside) for line in whole]
    shown = parts if any(part.length > 0 for part in parts) else whole
    return tuple(
        Watercourse(
            line=shapely.transform(line, lambda xy: grid.lonlat(xy[:, 1], xy[:, 0])),
            name=f"{'Rio' if river.width > _RIO_PX else 'Córrego'} Demo {number:02d}",
            width_m=round(10 * river.width, 1),
        )
        for number, (river, line) in enumerate(zip(rivers, shown, strict=True), 1)
        if line.length > 0
    )


def _features(layout: Layout, grid: RasterGrid) -> tuple[Feature, ...]:
    found = []
    states = _register_states(layout)
    for number, plan in enumerate(layout.mines, 1):
        state = states[number - 1]
        named = (number, f"Mina Demo {number:02d}", plan.ore, state)
        found += [f for truth in plan.truths if (f := _feature(truth, grid, *named))]
    for plan in layout.backdrop:
        found += [f for truth in plan.truths if (f := _feature(truth, grid, 0, "", "", ""))]
    return tuple(found)


def _register_states(layout: Layout) -> list[str]:
    """What the registers will say of each mine; neighbours share it, for a register point reaches 1 km."""
    shapes = [shapely.union_all([truth.outline for truth in plan.truths]) for plan in layout.mines]
    states: list[str] = []
    for number, shape in enumerate(shapes):
        near = [k for k in range(number) if layout.side_px > _ROOMY_PX and shape.distance(shapes[k]) < _REACH_PX]
        states.append(states[near[0]] if near else _STATES[number % len(_STATES)])
    return states


def _feature(truth: Truth, grid: RasterGrid, number: int, name: str, ore: str, state: str) -> Feature | None:
    inside = truth.outline.intersection(shapely.box(0, 0, grid.width_px, grid.height_px))
    if inside.area < 4:
        return None
    polygon = shapely.transform(inside, lambda xy: grid.lonlat(xy[:, 1], xy[:, 0]))
    return Feature(polygon, truth.kind, truth.is_mine, truth.impact, number, name, ore, state)


__all__ = ["Feature", "Plan", "Scene", "ScenePlan", "Watercourse", "generate_scene", "plan_scene"]
