"""Mines of high impact: pits, waste heaps, plants and tailings dams by ore."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from minedisc_core.imagery.demo.brushes import Box, Cover, Lines, Pond, Tailings, Terraces
from minedisc_core.imagery.demo.canvas import Blob, Point, Strokes, curve
from minedisc_core.imagery.demo.sites import Plan, beside
from minedisc_core.imagery.demo.spectra import Mix, blend, mix

_EARTH_ROAD = mix(orange_soil=6, red_soil=3, sand=1)
_ROCKFILL = mix(granite=4, orange_soil=3, grass=2)
_GRASSED = mix(grass=5, straw=3, orange_soil=2)


@dataclass(frozen=True)
class Ore:
    """What a mine of one ore looks like."""

    name: str
    wall: Mix
    floor: Mix
    waste: Mix
    beach: Mix
    slurry: Mix
    water: Mix
    road: Mix
    radius_px: tuple[float, float]
    """Smallest and largest mean radius of the main pit."""
    tailings: tuple[int, ...]
    """How many ponds, drawn evenly."""


ORES: Final = (
    Ore("Minério de Ferro", mix(hematite=7, goethite=2, canga=1), mix(hematite=6, manganese=2, goethite=2),
        mix(goethite=4, hematite=3, orange_soil=2), mix(iron_tailings=8, goethite=1), mix(iron_tailings=4, slurry=5),
        mix(rust_water=4, green_water=5), mix(goethite=4, hematite=4, orange_soil=1), (26, 88), (1, 1, 2)),
    Ore("Minério de Ferro", mix(goethite=6, hematite=4), mix(hematite=8, goethite=1),
        mix(hematite=5, goethite=2, canga=2), mix(hematite=4, iron_tailings=5), mix(iron_tailings=5, rust_water=3),
        mix(rust_water=8, muddy_water=1), mix(hematite=5, goethite=4), (20, 60), (0, 1, 2)),
    Ore("Fosfato", mix(goethite=4, kaolin=1.6, dry_tailings=3), mix(dry_tailings=5, goethite=2, granite=2),
        mix(orange_soil=4, dry_tailings=3, goethite=2), mix(dry_tailings=8, gypsum=0.7, goethite=1),
        mix(slurry=6, dry_tailings=2),
        mix(cyan_water=5, green_water=3), mix(dry_tailings=4, orange_soil=4), (28, 70), (1, 1, 2)),
    Ore("Calcário", mix(limestone=6, orange_soil=3), mix(limestone=5, granite=4, orange_soil=1),
        mix(limestone=3, orange_soil=5),
        mix(limestone=6, dry_tailings=3), mix(slurry=6, limestone=3), mix(cyan_water=8, clear_water=1),
        mix(limestone=5, orange_soil=3), (14, 42), (0, 0, 1)),
    Ore("Minério de Zinco", mix(dry_tailings=4, granite=3, goethite=2), mix(granite=5, dry_tailings=3, shade=1),
        mix(granite=3, dry_tailings=3, orange_soil=2), mix(dry_tailings=9), mix(slurry=7, dry_tailings=2),
        mix(green_water=5, cyan_water=3), mix(dry_tailings=4, orange_soil=3), (12, 34), (1, 1)),
    Ore("Minério de Manganês", mix(manganese=6, goethite=2, red_soil=2), mix(manganese=8, hematite=1),
        mix(red_soil=4, manganese=3, orange_soil=2), mix(manganese=5, iron_tailings=3), mix(manganese=4, slurry=5),
        mix(rust_water=3, green_water=5), mix(red_soil=5, manganese=3), (9, 26), (0, 0, 1)),
    Ore("Nióbio", mix(goethite=5, orange_soil=3, kaolin=1), mix(goethite=5, dry_tailings=3),
        mix(orange_soil=6, goethite=3), mix(dry_tailings=7, goethite=2), mix(slurry=6, goethite=1),
        mix(cyan_water=6, muddy_water=2), mix(orange_soil=5, goethite=3), (22, 55), (1, 2)),
)  # fmt: skip


ORE_SHARES: Final = (0.24, 0.20, 0.12, 0.14, 0.11, 0.09, 0.10)
"""How often each of the ores is drawn: Minas Gerais digs iron first."""


def plan_open_pit(plan: Plan, place: Point, ore: Ore, size: float) -> None:
    """A pit with benches, waste, plant, haul roads and perhaps tailings.

    Args:
        plan: takes the brushes and truths.
        place: middle of the pit, px.
        ore: what is dug.
        size: 0 for the ore's smallest, 1 for its largest radius.
    """
    radius = ore.radius_px[0] * (ore.radius_px[1] / ore.radius_px[0]) ** size
    plan.ore = ore.name
    main = _pit(plan, place, ore, radius)
    outward = plan.turn()
    heap = _heap(plan, place, ore, radius, outward)
    plant = beside(place, outward + plan.between(0.9, 1.5), radius * plan.between(1.5, 1.9) + 6)
    _plant(plan, plant, ore, max(4.0, radius * 0.22))
    if radius > 24 and plan.chance(0.5):
        second = beside(place, outward + plan.between(2.3, 3.6), radius * plan.between(1.5, 1.9))
        _pit(plan, second, ore, radius * plan.between(0.35, 0.6))
        _haul(plan, place, second, ore, radius)
    for index in range(int(plan.rng.choice(ore.tailings))):
        side = outward + math.pi * (0.95 + 0.45 * index) + plan.between(-0.35, 0.35)
        length = radius * plan.between(0.55, 0.95)
        pond = beside(place, side, radius * 1.35 + length * 1.6 + 8)
        _pond(plan, pond, ore, length)
        _haul(plan, plant, beside(pond, _toward(pond, plant), length), ore, radius)
    for goal in (heap, plant):
        _haul(plan, main, goal, ore, radius)


def plan_tailings(plan: Plan, place: Point, ore: Ore, length_px: float) -> None:
    """A tailings dam on its own, with a small plant and a road."""
    plan.ore = ore.name
    _pond(plan, place, ore, length_px)
    plant = beside(place, plan.turn(), length_px * 1.8 + 8)
    _plant(plan, plant, ore, max(3.0, length_px * 0.2))
    _haul(plan, beside(place, _toward(place, plant), length_px), plant, ore, length_px)


def plan_strip_mine(plan: Plan, place: Point, size: float) -> None:
    """Bauxite: shallow patches along a ridge, some already planted again, one with a washing pond."""
    plan.ore = "Bauxita"
    axis, spread = plan.turn(), 14 + 40 * size
    patches = 3 + int(6 * size)
    road = mix(orange_soil=6, bauxite=3)
    spots = [beside(beside(place, axis, plan.between(-1, 1) * spread), axis + 1.57, plan.between(-0.35, 0.35) * spread)
             for _ in range(patches)]  # fmt: skip
    spots.sort(key=lambda p: p[0] * math.cos(axis) + p[1] * math.sin(axis))
    plan.paint(Lines(Strokes((tuple(spots),), 1.3), road, 0.85))
    for spot in spots:
        radius = plan.between(5, 8 + 9 * size)
        shape = Blob(*spot, radius * plan.between(1.1, 1.7), radius, axis + plan.between(-0.5, 0.5), plan.seed(), 0.3)
        fresh = plan.chance(0.75)
        plan.paint(
            Terraces(shape, mix(bauxite=8, red_soil=1), mix(bauxite=5, kaolin=0.7, red_soil=2), 2.2, relief=0.1),
            Cover(shape, mix(grass=4, canopy=2), mix(straw=3, grass=2), 4, 0.75, 0.2 if not fresh else 0.85),
        )
        plan.is_at("open_pit", shape.outline, "high")
    if plan.chance(0.5):
        _pond(plan, beside(place, axis + 1.57, spread * 0.7 + 14), _WASHERY, 9 + 10 * size)


_WASHERY: Final = Ore("Bauxita", mix(bauxite=1), mix(bauxite=1), mix(bauxite=1), mix(bauxite=6, red_soil=2),
                      mix(rust_water=4, bauxite=4), mix(rust_water=6, muddy_water=3), mix(orange_soil=1),
                      (5, 9), (0,))  # fmt: skip


def _pit(plan: Plan, place: Point, ore: Ore, radius: float) -> Point:
    stretch = plan.between(1.0, 1.75)
    shape = Blob(
        *place, radius * stretch**0.5, radius / stretch**0.5, plan.turn(), plan.seed(), plan.between(0.12, 0.24)
    )
    torn = Blob(*place, shape.a * 1.28 + 2, shape.b * 1.28 + 2, shape.angle + plan.between(-0.6, 0.6), plan.seed(), 0.3)
    apron = Cover(torn, ore.waste, _EARTH_ROAD, 6, 0.82, 0.75, 0.08)
    deepest = (plan.between(-0.25, 0.25), plan.between(-0.25, 0.25))
    benches = max(2.0, radius / plan.between(5.5, 8.0))
    plan.paint(apron, Terraces(shape, ore.wall, ore.floor, benches, relief=0.27, off_centre=deepest))
    if radius > 13 and plan.chance(0.45):
        cos, sin = math.cos(shape.angle), math.sin(shape.angle)
        u, v = deepest[0] * shape.a, deepest[1] * shape.b
        at = (place[0] + u * cos - v * sin, place[1] + u * sin + v * cos)
        share = plan.between(0.13, 0.3)
        lake = Blob(*at, shape.a * share, shape.b * share, shape.angle, plan.seed(), 0.2)
        plan.paint(Pond(lake, ore.water, ore.slurry, ore.floor, 0.5, plan.turn(), plan.between(0.1, 0.5)))
    plan.is_at("open_pit", shape.outline, "high")
    ramp_end = beside(place, plan.turn(), radius * 0.9)
    line = curve(place, ramp_end, (plan.between(-0.4, 0.4), plan.between(-0.3, 0.3)))
    plan.paint(Lines(Strokes((line,), 1.5), ore.road, 0.8))
    return place


def _heap(plan: Plan, place: Point, ore: Ore, radius: float, outward: float) -> Point:
    size = radius * plan.between(0.4, 0.75)
    at = beside(place, outward, radius * 1.35 + size)
    shape = Blob(*at, size * plan.between(1.1, 1.5), size * 0.85, plan.turn(), plan.seed(), 0.16)
    plan.paint(Terraces(shape, ore.waste, _lighter(ore.waste), max(2.0, size / 5), up=True, relief=0.2))
    if plan.chance(0.4):
        plan.paint(Cover(shape, _GRASSED, mix(grass=5, canopy=2), 7, 0.8, 0.7))
    plan.is_at("waste", shape.outline, "high")
    return at


def _lighter(waste: Mix) -> Mix:
    return blend(waste, mix(orange_soil=1, granite=1), 0.25)


def _plant(plan: Plan, place: Point, ore: Ore, size: float) -> None:
    yard = Blob(*place, size * 1.5, size, plan.turn(), plan.seed(), 0.25)
    plan.paint(Cover(yard, _EARTH_ROAD, ore.road, 4, 0.95, unrest=0.08))
    for _ in range(3 + int(size)):
        at = beside(place, plan.turn(), plan.between(0, 0.9) * size)
        roof = mix(bright_roof=7, shade=1) if plan.chance(0.6) else mix(asphalt=5, bright_roof=2, shade=1)
        length, width = plan.between(1.5, 2.5 + size * 0.35), plan.between(1.0, 2.2)
        plan.paint(Box(*at, length, width, yard.angle + (1.5708 if plan.chance(0.4) else 0.0), roof, light=1.05))
    for _ in range(1 + int(size / 6)):
        at = beside(place, plan.turn(), plan.between(0.6, 1.3) * size)
        plan.paint(
            Terraces(
                Blob(*at, 2 + size * 0.14, 1.6 + size * 0.12, 0, plan.seed(), 0.1), ore.floor, ore.wall, 1, up=True
            )
        )


def _pond(plan: Plan, place: Point, ore: Ore, length: float) -> None:
    """A valley closed by a dam, filled with tailings."""
    downhill, seed = plan.turn(), plan.seed()
    stretch = plan.between(1.0, 1.5)
    cut = length * plan.between(0.35, 0.6)
    nx, ny = math.cos(downhill), math.sin(downhill)
    shape = Blob(*place, length * stretch**0.5, length / stretch**0.5, downhill + plan.between(-0.5, 0.5), seed,
                 plan.between(0.16, 0.28), 0.9, ((nx, ny, cut),))  # fmt: skip
    at_dam = plan.chance(0.6)
    flow = downhill + (0.0 if at_dam else math.pi) + plan.between(-0.5, 0.5)
    share = 1.25 if plan.chance(0.18) else plan.between(0.3, 0.85)
    plan.paint(Tailings(shape, ore.beach, ore.slurry, ore.water, flow, share, mix(orange_soil=5, grass=2, red_soil=2)))
    _dam(plan, shape, (nx, ny), cut)
    plan.is_at("tailings", shape.outline, "high")


def _dam(plan: Plan, shape: Blob, normal: tuple[float, float], cut: float) -> None:
    nx, ny = normal
    edge = shape.outline.buffer(1.5)
    foot = (shape.x + nx * (cut + 1), shape.y + ny * (cut + 1))
    half = math.sqrt(max(4.0, edge.area / math.pi)) * 1.15
    ends = ((foot[0] + ny * half, foot[1] - nx * half), (foot[0] - ny * half, foot[1] + nx * half))
    width = max(1.8, min(7.0, half * 0.13))
    wall = Strokes((curve(ends[0], ends[1], (plan.between(-0.06, 0.06),)),), width)
    face = _GRASSED if plan.chance(0.45) else _ROCKFILL
    crest = Strokes((wall.lines[0],), 1.0)
    facing = 1.0 + 0.2 * (nx * 0.66 - ny * 0.75)
    plan.paint(Lines(wall, face, 0.96, facing), Lines(crest, mix(orange_soil=5, granite=4), 0.9, 1.1))


def _toward(start: Point, end: Point) -> float:
    return math.atan2(end[1] - start[1], end[0] - start[0])


def _haul(plan: Plan, start: Point, end: Point, ore: Ore, radius: float) -> None:
    line = curve(start, end, (plan.between(-0.22, 0.22), plan.between(-0.15, 0.15)))
    width = 1.2 if radius < 20 else 1.8
    plan.paint(Lines(Strokes((line,), width), ore.road, 0.9, 1.03, mix(orange_soil=4, straw=3), 0.8))
