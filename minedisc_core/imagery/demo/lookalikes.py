"""What fools a mine detector: dams, lakes, bare rock, gullies, earthworks, lagoons, burns, pivots, airstrips."""

from __future__ import annotations

import math

import shapely

from minedisc_core.imagery.demo.brushes import Box, Cover, Houses, Lines, Pond, Terraces
from minedisc_core.imagery.demo.canvas import Blob, Point, Strokes, curve
from minedisc_core.imagery.demo.sites import Plan, beside
from minedisc_core.imagery.demo.spectra import blend, mix

_DAM_EARTH = mix(orange_soil=4, grass=4, straw=2)
_WATERS = (
    mix(clear_water=6, green_water=3),
    mix(green_water=8, clear_water=1),
    mix(muddy_water=6, green_water=3),
    mix(muddy_water=4, clear_water=4),
    mix(rust_water=3, muddy_water=5),
)


def plan_irrigation_dam(plan: Plan, place: Point, size: float) -> None:
    """A farm reservoir behind a straight earth wall, its drawn-down shore bare."""
    length = 5.0 * 9.0**size
    downhill = plan.turn()
    nx, ny = math.cos(downhill), math.sin(downhill)
    cut = length * plan.between(0.3, 0.6)
    turn = downhill + plan.between(-0.3, 0.3)
    shape = Blob(*place, length * 1.25, length * plan.between(0.6, 0.95), turn, plan.seed(),
                 plan.between(0.2, 0.32), 0.7, ((nx, ny, cut),))  # fmt: skip
    shore_px = plan.between(0.0, 0.6) if plan.chance(0.55) else plan.between(1.0, 2.0 + length * 0.1)
    shore = mix(orange_soil=4, red_soil=3, straw=2) if plan.chance(0.6) else mix(sand=3, brown_soil=4, straw=2)
    water = _WATERS[int(plan.rng.integers(len(_WATERS)))]
    plan.paint(
        Pond(shape, water, mix(muddy_water=5, green_water=3), shore, shore_px, plan.turn(), plan.between(0.05, 0.5))
    )
    half = math.sqrt(max(4.0, shape.outline.area / math.pi)) * 1.05
    foot = (shape.x + nx * (cut + 0.6), shape.y + ny * (cut + 0.6))
    wall = ((foot[0] + ny * half, foot[1] - nx * half), (foot[0] - ny * half, foot[1] + nx * half))
    facing = 1 + 0.15 * (nx * 0.66 - ny * 0.75)
    plan.paint(Lines(Strokes((wall,), max(1.2, min(3.5, half * 0.1))), _DAM_EARTH, 0.95, facing))
    if plan.chance(0.35):
        borrow = Blob(
            *beside(foot, downhill, 3 + half * 0.4), 2 + half * 0.25, 1.5 + half * 0.15, plan.turn(), plan.seed(), 0.25
        )
        plan.paint(Cover(borrow, mix(orange_soil=6, red_soil=3), mix(straw=1), 4, 0.9, 0.7))
    plan.is_at("irrigation_dam", shape.outline)


def plan_lake(plan: Plan, place: Point, size: float) -> None:
    """A natural lake: round, some with a pale or boggy rim, some muddy."""
    radius = 4.5 * 8.0**size
    shape = Blob(*place, radius * plan.between(1, 1.5), radius, plan.turn(), plan.seed(), plan.between(0.08, 0.22), 0.9)
    water = _WATERS[int(plan.rng.choice(5, p=(0.4, 0.2, 0.2, 0.15, 0.05)))]
    rim = mix(sand=5, straw=3) if plan.chance(0.4) else mix(grass=6, canopy=2)
    plan.paint(
        Pond(shape, water, mix(green_water=5, grass=1), rim, plan.between(0.6, 3.5), plan.turn(), plan.between(0, 0.4))
    )
    plan.is_at("lake", shape.outline)


def plan_bare_rock(plan: Plan, place: Point, size: float) -> None:
    """Outcrops: grey granite domes, pale quartzite crests, dark iron crust (canga)."""
    radius = 6 * 7.0**size
    kind = int(plan.rng.integers(3))
    shape = Blob(*place, radius * plan.between(1.1, 2.6), radius * 0.8, plan.turn(), plan.seed(), 0.3)
    stone = (mix(granite=6, quartzite=3), mix(quartzite=8, sand=1), mix(canga=7, hematite=1, straw=1))[kind]
    scrub = mix(straw=4, grass=3, canopy=2)
    plan.paint(
        Cover(shape, scrub, stone, 9, 0.8, 0.2),
        Terraces(shape, stone, blend(stone, scrub, 0.15), 1.2, up=True, relief=0.16, grain_px=5)
        if kind == 0
        else Cover(shape, stone, scrub, 6, 0.95, 0.35, 0.1),
    )
    plan.is_at("bare_rock", shape.outline)


def plan_erosion(plan: Plan, place: Point, size: float) -> None:
    """A gully (voçoroca): branching pink and white scar in a pasture."""
    length = 8 + 26 * size
    angle = plan.turn()
    lines = [curve(place, beside(place, angle + plan.between(-0.9, 0.9), length * plan.between(0.4, 1.0)),
                   (plan.between(-0.2, 0.2), plan.between(-0.2, 0.2))) for _ in range(3 + int(4 * size))]  # fmt: skip
    scar = mix(orange_soil=6, kaolin=1.5, sand=2) if plan.chance(0.6) else mix(red_soil=5, orange_soil=4)
    width = 1.6 + 2.6 * size
    head = Blob(*place, width * 1.7, width * 1.4, angle, plan.seed(), 0.3)
    plan.paint(
        Lines(Strokes(tuple(lines), width), scar, 0.95, verge=mix(orange_soil=3, straw=3), verge_px=1.2),
        Terraces(head, scar, mix(orange_soil=5, red_soil=3), 1.3, relief=0.25),
    )
    plan.is_at("erosion", shapely.union_all([Strokes(tuple(lines), width).outline(), head.outline]))


def plan_earthworks(plan: Plan, place: Point, size: float) -> None:
    """A building site: levelled red and orange ground, a grid of new roads, first roofs, a mud basin."""
    radius = 8 * 4.0**size
    shape = Blob(*place, radius * 1.3, radius, plan.turn(), plan.seed(), 0.18)
    plan.paint(Cover(shape, mix(orange_soil=6, red_soil=3), mix(red_soil=5, sand=2), 6, 0.97, 0.8, 0.07))
    ways = []
    for k in range(-2, 3):
        across = beside(place, shape.angle + 1.5708, k * radius * 0.36)
        ways.append((beside(across, shape.angle, -radius), beside(across, shape.angle, radius)))
    plan.paint(Lines(Strokes(tuple(ways), 1.0), mix(asphalt=6, sand=2), 0.85))
    for _ in range(3 + int(9 * size)):
        at = beside(place, plan.turn(), radius * plan.between(0, 0.9))
        plan.paint(Box(*at, plan.between(1.2, 4), plan.between(1, 2.2), shape.angle, mix(bright_roof=5, tile_roof=2)))
    if plan.chance(0.4):
        basin = beside(place, plan.turn(), radius * 0.8)
        plan.paint(Box(*basin, plan.between(2, 4), 2, shape.angle, mix(muddy_water=1)))
    plan.is_at("earthworks", shape.outline)


def plan_lagoons(plan: Plan, place: Point, size: float) -> None:
    """Sewage or vinasse basins: rectangles of green, brown and black water between earth walls."""
    angle, count = plan.turn(), 2 + int(3 * size)
    length, width = 5 + 9 * size, 3 + 4 * size
    earth = mix(grass=4, orange_soil=3) if plan.chance(0.5) else mix(orange_soil=6, sand=2)
    plan.paint(Box(*place, length + 3, count * (width + 1.6) + 2, angle, earth, seed=plan.seed()))
    for k in range(count):
        at = beside(place, angle + 1.5708, (k - (count - 1) / 2) * (width + 1.6))
        water = (*_WATERS[1:], mix(char=3, clear_water=5))[int(plan.rng.integers(5))]
        plan.paint(Box(*at, length, width, angle, water, unrest=0.03, seed=plan.seed()))
    plan.is_at("lagoons", shapely.Point(place).buffer(math.hypot(length, count * (width + 1.6)) / 2))


def plan_feedlot(plan: Plan, place: Point, size: float) -> None:
    """Stock yards: rows of dark trampled pens, sheds and a slurry basin."""
    angle, length, width = plan.turn(), 8 + 22 * size, 6 + 10 * size
    pens = mix(brown_soil=6, char=3)
    plan.paint(Box(*place, length, width, angle, pens, mix(orange_soil=4, straw=3), 1.6, 0.95, seed=plan.seed()))
    basin, shed = (beside(place, angle + side, width * 0.5 + 4) for side in (1.57, -1.57))
    plan.paint(
        Box(*basin, 4 + 4 * size, 3, angle, mix(char=4, muddy_water=4)),
        Box(*shed, 3 + 6 * size, 1.6, angle, mix(bright_roof=6, shade=1)),
    )
    plan.is_at("feedlot", shapely.Point(place).buffer(length / 2))


def plan_burn(plan: Plan, place: Point, size: float) -> None:
    """A burn scar: dark, ragged, with unburnt islands."""
    radius = 12 + 45 * size
    shape = Blob(*place, radius * plan.between(1, 1.8), radius * 0.8, plan.turn(), plan.seed(), 0.34)
    plan.paint(Cover(shape, mix(char=8, straw=1), mix(char=5, brown_soil=3), 9, 0.93, 0.6))
    plan.is_at("burn", shape.outline)


def plan_bare_field(plan: Plan, place: Point, size: float) -> None:
    """A large freshly worked field: red, orange or pale, with contour banks."""
    length = 20 + 60 * size
    soils = (
        mix(red_soil=9),
        mix(orange_soil=4, red_soil=5),
        mix(sand=2, brown_soil=5, orange_soil=2),
        mix(red_soil=5, brown_soil=4),
    )
    soil = soils[int(plan.rng.integers(4))]
    stripe = plan.between(3, 7) if plan.chance(0.6) else 0.0
    other = blend(soil, mix(straw=3, grass=1), 0.14)
    angle = plan.turn()
    width = length * plan.between(0.45, 0.9)
    plan.paint(Box(*place, length, width, angle, soil, other, stripe, 0.97, unrest=0.06, seed=plan.seed()))
    plan.is_at("bare_field", shapely.Point(place).buffer(min(length, width) / 2))


def plan_pivot(plan: Plan, place: Point, size: float) -> None:
    """A centre pivot: a circle of one crop, cut in sectors, with its basin."""
    radius = 22 + 32 * size
    circle = Blob(*place, radius, radius, 0, plan.seed(), 0.0)
    crops = (
        mix(crop=9),
        mix(crop=6, red_soil=2),
        mix(straw=7, brown_soil=2),
        mix(red_soil=8, straw=1),
        mix(crop=4, straw=4),
    )
    first, second = (crops[int(plan.rng.integers(len(crops)))] for _ in range(2))
    plan.paint(Cover(circle, first, blend(first, second, 0.15), 12, 0.97))
    angle = plan.turn()
    half = Blob(*place, radius, radius, 0, plan.seed(), 0.0, cuts=((math.cos(angle), math.sin(angle), 0.0),))
    plan.paint(
        Cover(half, second, first, 16, 0.9), Lines(Strokes(((place, beside(place, angle, radius)),), 0.8), _DAM_EARTH)
    )
    plan.is_at("pivot", circle.outline)


def plan_airstrip(plan: Plan, place: Point, size: float) -> None:
    """An earth runway with an apron."""
    angle, length = plan.turn(), 60 + 60 * size
    ends = (beside(place, angle, -length / 2), beside(place, angle, length / 2))
    earth = mix(orange_soil=6, red_soil=3) if plan.chance(0.7) else mix(asphalt=1)
    apron = beside(place, angle + 1.5708, 4)
    plan.paint(Lines(Strokes((ends,), 2.6), earth, 0.95, verge=mix(grass=1)), Box(*apron, 6, 3, angle, earth))
    plan.is_at("airstrip", Strokes((ends,), 2.6).outline())


def plan_solar(plan: Plan, place: Point, size: float) -> None:
    """A solar park: rows of panels on levelled ground."""
    angle, length, width = plan.turn(), 14 + 40 * size, 10 + 25 * size
    panels = mix(asphalt=4, shade=4, bright_roof=0.4)
    plan.paint(Box(*place, length, width, angle, panels, mix(orange_soil=5, straw=3), 1.3, 0.96, seed=plan.seed()))
    plan.is_at("solar", shapely.Point(place).buffer(min(length, width) / 2))


def plan_clear_cut(plan: Plan, place: Point, size: float) -> None:
    """Eucalyptus, part of it just felled: striped bare ground beside dark stands."""
    angle, length = plan.turn(), 26 + 50 * size
    stand, felled = mix(canopy=9, shade=1.4), mix(red_soil=4, straw=4, brown_soil=3)
    plan.paint(Box(*place, length, length * 0.8, angle, stand, seed=plan.seed()))
    at = beside(place, angle, length * 0.2)
    plan.paint(
        Box(
            *at,
            length * 0.45,
            length * 0.8,
            angle,
            felled,
            mix(straw=6, canopy=1),
            1.5,
            0.95,
            unrest=0.09,
            seed=plan.seed(),
        )
    )
    plan.is_at("clear_cut", shapely.Point(at).buffer(length * 0.2))


def plan_town(plan: Plan, place: Point, size: float) -> None:
    """A town or village, with its earth margins and one industrial quarter."""
    radius = 9 * 8.0**size
    shape = Blob(*place, radius * plan.between(1, 1.4), radius * 0.9, plan.turn(), plan.seed(), 0.26)
    plan.paint(Houses(shape, plan.between(0.6, 0.9), plan.between(0.08, 0.24), plan.between(7, 11)))
    if radius > 25:
        quarter = Blob(
            *beside(place, plan.turn(), radius * 0.9), radius * 0.3, radius * 0.2, plan.turn(), plan.seed(), 0.2
        )
        plan.paint(Houses(quarter, 0.6, 0.4, 6.0, mix(asphalt=4, orange_soil=3)))
    plan.is_at("town", shape.outline)
