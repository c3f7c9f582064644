"""Where everything lies: rivers first, then mines, then look-alikes kept clear of them, then roads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from minedisc_core.imagery.demo import lookalikes, mines, small_mines
from minedisc_core.imagery.demo.canvas import Point
from minedisc_core.imagery.demo.ground import Ground, creek_at, hilliness_at, make_ground
from minedisc_core.imagery.demo.rivers import plan_river, plan_road
from minedisc_core.imagery.demo.sites import Plan

FULL_PX2 = 2048.0**2
"""Pixels of the default area; counts below are for it."""
MINE_MARGIN_PX = 125
"""Mines keep this far from the edge: the net's cells begin 1 km inside. Small areas have no room for it."""
MINE_GAP_PX = 75
"""Mines lie at least this far apart; less in small areas."""
_SMALLEST_WITH_MINES_PX = 24
"""No mine is smaller."""

_MINES = (("open_pit", 4.0), ("tailings", 1.7), ("strip_mine", 1.0), ("quarry", 2.2), ("sand_pit", 1.8),
          ("garimpo", 1.3), ("clay_pit", 0.9))  # fmt: skip
"""Kinds of mines and how often each is drawn after the first of each kind."""
_Drawn = tuple[tuple[Callable[[Plan, Point, float], None], float], ...]
_SURFACES: _Drawn = (
    (lookalikes.plan_clear_cut, 7),
    (lookalikes.plan_bare_field, 13),
    (lookalikes.plan_burn, 4),
    (lookalikes.plan_pivot, 7),
)
"""What rivers and roads run over."""
_OBJECTS: _Drawn = (
    (lookalikes.plan_irrigation_dam, 30),
    (lookalikes.plan_lake, 12),
    (lookalikes.plan_bare_rock, 10),
    (lookalikes.plan_erosion, 11),
    (lookalikes.plan_earthworks, 7),
    (lookalikes.plan_lagoons, 7),
    (lookalikes.plan_feedlot, 5),
    (lookalikes.plan_airstrip, 3),
    (lookalikes.plan_solar, 2),
    (lookalikes.plan_town, 12),
)


@dataclass(frozen=True)
class _Circle:
    x: float
    y: float
    radius: float


@dataclass
class Layout:
    """All places of a scene."""

    side_px: int
    rng: np.random.Generator
    ground: Ground
    backdrop: list[Plan] = field(default_factory=list)
    """Look-alikes, rivers and roads, in the order they are painted."""
    mines: list[Plan] = field(default_factory=list)
    rivers: list[tuple[Point, ...]] = field(default_factory=list)
    taken: list[_Circle] = field(default_factory=list)

    def plan(self) -> Plan:
        """A new plan with its own random numbers, so that plans do not move each other."""
        return Plan(np.random.Generator(np.random.PCG64(int(self.rng.integers(1, 2**62)))))


def lay_out(side_px: int, seed: int, crowding: float = 1.0) -> Layout:
    """Lay out a square of `side_px` pixels.

    Args:
        side_px: pixels of 10 m.
        seed: 0 or more.
        crowding: factor of the number of mines and look-alikes; training scenes are more crowded.
    """
    rng = np.random.Generator(np.random.PCG64([seed, 20_200_722]))
    layout = Layout(side_px, rng, make_ground(rng, side_px))
    share = side_px * side_px / FULL_PX2 * crowding
    rivers = _rivers(layout)
    _mines(layout, share)
    _lookalikes(layout, share, _SURFACES)
    surfaces = len(layout.backdrop)
    _lookalikes(layout, share, _OBJECTS)
    layout.backdrop[surfaces:surfaces] = [rivers, _roads(layout)]
    return layout


def _rivers(layout: Layout) -> Plan:
    side = float(layout.side_px)
    plan = layout.plan()
    count = max(1, round(side / 2048))
    for index in range(count):
        low, high = side * index / count, side * (index + 1) / count
        a, b = (plan.between(low + 0.2 * (high - low), high - 0.2 * (high - low)) for _ in range(2))
        ends = ((-20.0, a), (side + 20, b)) if plan.chance(0.5) else ((a, -20.0), (b, side + 20))
        line = plan_river(plan, *ends, plan.between(7, 15) if side > 1000 else plan.between(5, 8))
        layout.rivers.append(line)
        for _ in range(2 if side > 1000 else 1):
            joins = line[int(plan.between(0.2, 0.8) * len(line))]
            source = (plan.between(0, side), -20.0 if plan.chance(0.5) else side + 20)
            layout.rivers.append(plan_river(plan, source, joins, plan.between(1.8, 4.2)))
    return plan


def _mines(layout: Layout, share: float) -> None:
    wanted = max(4, round(layout.plan().between(10.5, 14.4) * share))
    if layout.side_px < _SMALLEST_WITH_MINES_PX:
        return
    kinds = [kind for kind, _ in _MINES]
    if wanted < len(kinds):
        kinds = kinds[:1] + [kinds[i] for i in layout.rng.permutation(len(kinds) - 1)[: wanted - 1] + 1]
    weights = np.array([weight for _, weight in _MINES])
    while len(kinds) < wanted:
        drawn = float(layout.rng.random()) * float(weights.sum())
        kinds.append(_MINES[min(int((weights.cumsum() <= drawn).sum()), len(_MINES) - 1)][0])
    for kind in kinds:
        for _ in range(60):
            if _try_mine(layout, kind):
                break


def _try_mine(layout: Layout, kind: str) -> bool:
    place, along = _mine_place(layout, kind)
    plan = layout.plan()
    _draw_mine(layout, plan, kind, place, along)
    circle = _around(plan)
    inside = min(circle.x, circle.y, layout.side_px - circle.x, layout.side_px - circle.y)
    if inside < _margin_px(layout) * 0.8 or inside < circle.radius + 4:
        return False
    if not _is_free(layout, circle, min(MINE_GAP_PX, 0.15 * layout.side_px)):
        return False
    if kind in ("open_pit", "tailings", "strip_mine", "quarry") and _to_river(layout, circle) < circle.radius + 6:
        return False
    layout.taken.append(circle)
    layout.mines.append(plan)
    return True


def _margin_px(layout: Layout) -> float:
    return min(MINE_MARGIN_PX, layout.side_px / 4)


def _draw_mine(layout: Layout, plan: Plan, kind: str, place: Point, along: float) -> None:
    size = plan.between(0, 1) if layout.side_px >= 1200 else plan.between(0, 0.35)
    ore = mines.ORES[int(plan.rng.choice(len(mines.ORES), p=mines.ORE_SHARES))]
    if kind == "open_pit":
        mines.plan_open_pit(plan, place, ore, size)
    elif kind == "tailings":
        mines.plan_tailings(plan, place, ore, 8 * 6.5**size)
    elif kind == "strip_mine":
        mines.plan_strip_mine(plan, place, size)
    elif kind == "garimpo":
        small_mines.plan_garimpo(plan, place, along, size)
    else:
        draw = {"quarry": small_mines.plan_quarry, "sand_pit": small_mines.plan_sand_pit}
        draw.get(kind, small_mines.plan_clay_pit)(plan, place, size)


def _mine_place(layout: Layout, kind: str) -> tuple[Point, float]:
    """A place that suits the kind: ridges for pits, rivers for sand, creeks for garimpo and dams."""
    rng, side = layout.rng, float(layout.side_px)
    low, high = _margin_px(layout), side - _margin_px(layout)
    if kind == "sand_pit":
        return _by_river(layout, low, high)
    places = rng.uniform(low, high, (8, 2))
    if kind in ("garimpo", "tailings"):
        best = int(np.argmin(creek_at(layout.ground, places[:, 0], places[:, 1])))
    elif kind in ("open_pit", "strip_mine"):
        best = int(np.argmax([hilliness_at(layout.ground, x, y) for x, y in places[:3]]))
    else:
        best = 0
    x, y = (float(v) for v in places[best])
    return (x, y), _creek_direction(layout.ground, x, y)


def _creek_direction(ground: Ground, x: float, y: float) -> float:
    """Direction in which the valley runs: where creek closeness changes least."""
    turns = np.arange(12) * math.pi / 12
    away = creek_at(ground, x + 25 * np.cos(turns), y + 25 * np.sin(turns))
    back = creek_at(ground, x - 25 * np.cos(turns), y - 25 * np.sin(turns))
    return float(turns[int(np.argmin(away + back))])


def _by_river(layout: Layout, low: float, high: float) -> tuple[Point, float]:
    rng = layout.rng
    spots = [p for line in layout.rivers for p in line if low < p[0] < high and low < p[1] < high]
    if not spots:
        return (float(rng.uniform(low, high)), float(rng.uniform(low, high))), 0.0
    x, y = spots[int(rng.integers(len(spots)))]
    turn, away = rng.uniform(0, 2 * math.pi), rng.uniform(18, 45)
    return (x + math.cos(turn) * away, y + math.sin(turn) * away), 0.0


def _around(plan: Plan) -> _Circle:
    bounds = np.array([truth.outline.bounds for truth in plan.truths])
    (x0, y0), (x1, y1) = bounds[:, :2].min(0), bounds[:, 2:].max(0)
    return _Circle(float(x0 + x1) / 2, float(y0 + y1) / 2, math.hypot(float(x1 - x0), float(y1 - y0)) / 2)


def _is_free(layout: Layout, circle: _Circle, gap_px: float) -> bool:
    return all(math.hypot(circle.x - t.x, circle.y - t.y) > circle.radius + t.radius + gap_px for t in layout.taken)


def _to_river(layout: Layout, circle: _Circle) -> float:
    return min(math.hypot(circle.x - x, circle.y - y) for line in layout.rivers for x, y in line)


def _lookalikes(layout: Layout, share: float, kinds: _Drawn) -> None:
    for draw, count in kinds:
        wanted = max(1, math.floor(count * share + layout.rng.random()))
        for _ in range(wanted):
            for _ in range(12):
                if _try_lookalike(layout, draw):
                    break


def _try_lookalike(layout: Layout, draw: Callable[[Plan, Point, float], None]) -> bool:
    plan = layout.plan()
    places = plan.rng.uniform(0, layout.side_px, (5, 2))
    chosen = 0
    if draw is lookalikes.plan_irrigation_dam:
        chosen = int(np.argmin(creek_at(layout.ground, places[:, 0], places[:, 1])))
    size = plan.between(0, 1) if layout.side_px >= 1200 else plan.between(0, 0.5)
    draw(plan, (float(places[chosen, 0]), float(places[chosen, 1])), size)
    circle = _around(plan)
    small = 6 if draw is lookalikes.plan_bare_field else 14
    if not _is_free(layout, circle, small) or _to_river(layout, circle) < min(circle.radius, 12) + 4:
        return False
    layout.taken.append(circle)
    layout.backdrop.append(plan)
    return True


def _roads(layout: Layout) -> Plan:
    """Paved roads between the larger towns and out of the scene, earth roads to mines and everywhere."""
    plan, side = layout.plan(), float(layout.side_px)
    towns = [_around(p) for p in layout.backdrop if p.truths and p.truths[0].kind == "town"]
    towns.sort(key=lambda t: -t.radius)
    for town, other in pairwise(towns[:4]):
        plan_road(plan, (town.x, town.y), (other.x, other.y), True)
    for town in towns[:2]:
        plan_road(plan, (town.x, town.y), (-20.0 if plan.chance(0.5) else side + 20, plan.between(0, side)), True)
    for mine in layout.mines:
        circle = _around(mine)
        goal = min(towns, key=lambda t: math.hypot(t.x - circle.x, t.y - circle.y)) if towns else circle
        plan_road(plan, (circle.x, circle.y), (goal.x, goal.y), False)
    for _ in range(max(2, round(22 * side * side / FULL_PX2))):
        start = (plan.between(0, side), plan.between(0, side))
        turn, length = plan.turn(), plan.between(120, 420)
        plan_road(plan, start, (start[0] + math.cos(turn) * length, start[1] + math.sin(turn) * length), False)
    return plan
