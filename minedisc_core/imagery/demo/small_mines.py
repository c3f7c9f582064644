"""Mines of low impact: quarries, sand and clay pits, and garimpo (gold and gravel washed from a valley).

The paper classes by what 10 m pixels can show: gold diggings look like sand or gravel (section 5.2.4),
so garimpo counts as low here, whatever its mercury does.
"""

from __future__ import annotations

import math

import shapely

from minedisc_core.imagery.demo.brushes import Box, Cover, Lines, Pond, Terraces
from minedisc_core.imagery.demo.canvas import Blob, Point, Strokes, curve
from minedisc_core.imagery.demo.sites import Plan, beside
from minedisc_core.imagery.demo.spectra import Mix, blend, mix

_TRACK = mix(orange_soil=5, sand=3, straw=1)
_GRANITE = mix(granite=9, shade=0.5)
_GNEISS = mix(granite=5, asphalt=4, shade=0.6)
_WHITE_STONE = mix(granite=6, kaolin=1.5, orange_soil=1)


def plan_quarry(plan: Plan, place: Point, size: float) -> None:
    """A stone quarry: a steep grey face, a floor with stock heaps, a crusher."""
    plan.ore = "Granito" if plan.chance(0.5) else "Gnaisse"
    radius = 5.0 * 5.6**size
    stone = (_GRANITE, _GNEISS, _WHITE_STONE)[int(plan.rng.choice(3, p=(0.45, 0.35, 0.2)))]
    shape = Blob(
        *place, radius * plan.between(1.0, 1.4), radius * plan.between(0.75, 1.0), plan.turn(), plan.seed(), 0.2
    )
    back = (plan.between(0.3, 0.55) * (1 if plan.chance(0.5) else -1), plan.between(-0.3, 0.3))
    floor = blend(stone, mix(orange_soil=1, sand=1), 0.2)
    plan.paint(
        Cover(shape, mix(orange_soil=6, granite=3), _TRACK, 5, 0.8, 0.75, grow_px=1.2 + 0.1 * radius),
        Terraces(shape, stone, floor, max(1.6, radius / 5.5), relief=0.33, off_centre=back),
    )
    for _ in range(int(plan.rng.integers(1, 4))):
        at = beside(place, plan.turn(), radius * plan.between(0.1, 0.6))
        heap = Blob(*at, 1.2 + radius * 0.12, 1 + radius * 0.1, 0, plan.seed(), 0.1)
        plan.paint(Terraces(heap, floor, stone, 1, up=True, relief=0.3))
    if radius > 9 and plan.chance(0.35):
        pool = Blob(
            *beside(place, plan.turn(), radius * 0.3), radius * 0.22, radius * 0.16, plan.turn(), plan.seed(), 0.2
        )
        plan.paint(Pond(pool, mix(green_water=4, cyan_water=3), mix(muddy_water=1), stone, 0.4))
    crusher = beside(place, plan.turn(), radius * 1.15)
    plan.paint(Box(*crusher, 2.4, 1.5, plan.turn(), mix(bright_roof=5, granite=3)))
    _way_out(plan, place, radius, _TRACK)
    plan.is_at("quarry", shape.outline, "low")


def plan_sand_pit(plan: Plan, place: Point, size: float) -> None:
    """Ponds dredged in a flood plain, with heaps of washed sand and muddy returns."""
    plan.ore = "Areia"
    spread = 5.5 * 5.5**size
    shape = Blob(*place, spread * plan.between(1.1, 1.6), spread * 0.85, plan.turn(), plan.seed(), 0.22)
    bare = mix(sand=6, brown_soil=2, straw=1)
    plan.paint(Cover(shape, bare, mix(sand=5, orange_soil=2, grass=1.5), 5, 0.95, 0.55, 0.06))
    water = (mix(green_water=7, muddy_water=2), mix(cyan_water=3, green_water=5), mix(muddy_water=6, green_water=2))
    for _ in range(2 + int(5 * size)):
        at = beside(place, plan.turn(), spread * plan.between(0.1, 0.85))
        radius = spread * plan.between(0.16, 0.36) + 1.2
        pond = Blob(
            *at, radius * plan.between(1, 1.7), radius, shape.angle + plan.between(-0.4, 0.4), plan.seed(), 0.16
        )
        kind = water[int(plan.rng.integers(3))]
        plan.paint(Pond(pond, kind, mix(muddy_water=6, sand=2), mix(sand=1), 1.0, plan.turn(), plan.between(0.1, 0.6)))
    for _ in range(2 + int(4 * size)):
        at = beside(place, plan.turn(), spread * plan.between(0.3, 0.9))
        heap = Blob(*at, plan.between(1.2, 2.6), plan.between(1.0, 2.0), plan.turn(), plan.seed(), 0.1)
        plan.paint(Terraces(heap, mix(sand=8, kaolin=1), mix(sand=1), 1, up=True, relief=0.2))
    _way_out(plan, place, spread, mix(sand=5, orange_soil=3))
    plan.is_at("sand_pit", shape.outline, "low")


def plan_clay_pit(plan: Plan, place: Point, size: float) -> None:
    """Shallow pits in white or orange clay, with rain ponds and a brickworks."""
    plan.ore = "Argila"
    spread = 5.5 * 3.6**size
    white = plan.chance(0.4)
    clay = mix(kaolin=3, orange_soil=4, brown_soil=1) if white else mix(orange_soil=7, kaolin=1)
    shape = Blob(*place, spread * 1.2, spread * 0.85, plan.turn(), plan.seed(), 0.24)
    plan.paint(Terraces(shape, clay, mix(orange_soil=5, kaolin=2, brown_soil=2), 2.3, relief=0.12))
    for _ in range(1 + int(4 * size)):
        at = beside(place, plan.turn(), spread * plan.between(0.2, 0.7))
        pond = Blob(*at, plan.between(1.3, 2 + spread * 0.2), plan.between(1.2, 2.4), plan.turn(), plan.seed(), 0.15)
        plan.paint(Pond(pond, mix(muddy_water=5, cyan_water=3), mix(muddy_water=6, kaolin=1), clay, 0.4, plan.turn()))
    works = beside(place, plan.turn(), spread * 1.4 + 2)
    plan.paint(
        Box(*works, 5, 2.2, plan.turn(), mix(tile_roof=6, shade=1)), Box(*works, 2, 5, plan.turn(), mix(tile_roof=1))
    )
    _way_out(plan, place, spread, _TRACK)
    plan.is_at("clay_pit", shape.outline, "low")


def plan_garimpo(plan: Plan, place: Point, along: float, size: float) -> None:
    """A chain of washed pits along a creek: pale gravel tongues, pools of many colours, no plant."""
    plan.ore = "Ouro"
    length = 12 + 55 * size
    pale = (mix(sand=5, orange_soil=3, granite=2), mix(orange_soil=5, sand=3), mix(sand=5, dry_tailings=4))[
        int(plan.rng.integers(3))
    ]
    parts = []
    bend, width = plan.between(-0.3, 0.3), 4.0 + 6 * size
    for step in (-0.66, 0.0, 0.66):
        at = beside(beside(place, along, length * step), along + 1.57, bend * length * (step * step - 0.2))
        turned = along + 2 * bend * step
        parts.append(Blob(*at, length * 0.5, width * plan.between(0.7, 1.2), turned, plan.seed(), 0.3, 0.8))
    for part in parts:
        plan.paint(Cover(part, pale, mix(orange_soil=4, brown_soil=3, grass=2), 4, 0.95, 0.5, 0.08))
    for _ in range(5 + int(16 * size)):
        part = parts[int(plan.rng.integers(3))]
        at = beside((part.x, part.y), part.angle, part.a * plan.between(-0.9, 0.9))
        at = beside(at, part.angle + 1.57, part.b * plan.between(-0.6, 0.6))
        radius = plan.between(1.1, 2.4 + 1.4 * size)
        pool = Blob(*at, radius * plan.between(1, 1.6), radius, plan.turn(), plan.seed(), 0.2)
        plan.paint(
            Pond(pool, _pool_water(plan), mix(muddy_water=7, sand=2), pale, 0.8, plan.turn(), plan.between(0, 0.6))
        )
    plan.is_at("garimpo", shapely.union_all([part.outline for part in parts]), "low")


def _pool_water(plan: Plan) -> Mix:
    waters = (mix(muddy_water=7, orange_soil=1), mix(green_water=7, cyan_water=2), mix(cyan_water=6, muddy_water=2))
    return waters[int(plan.rng.choice(3, p=(0.5, 0.3, 0.2)))]


def _way_out(plan: Plan, place: Point, radius: float, track: Mix) -> None:
    """An earth road that leaves the mine."""
    angle = plan.turn()
    start, end = beside(place, angle, radius * 0.7), beside(place, angle + plan.between(-0.4, 0.4), radius * 2 + 30)
    line = curve(start, end, (plan.between(-0.2, 0.2), plan.between(-0.15, 0.15)))
    plan.paint(Lines(Strokes((line,), 1.0), track, 0.85, verge=mix(straw=3, orange_soil=2), verge_px=0.5))
    if math.hypot(end[0] - start[0], end[1] - start[1]) > 60 and plan.chance(0.5):
        plan.paint(Box(*end, 2.2, 1.4, angle, mix(tile_roof=4, bright_roof=2)))
