"""Rivers with wooded banks and sandbars, and the roads between places."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from minedisc_core.imagery.demo.brushes import Cover, Lines
from minedisc_core.imagery.demo.canvas import Blob, Canvas, Point, Strokes, curve
from minedisc_core.imagery.demo.noise import Window, ramp, rough, white
from minedisc_core.imagery.demo.sites import Plan
from minedisc_core.imagery.demo.spectra import Mix, mix

_BANK = mix(canopy=8, shade=1.5, grass=1)
_BANK_GAPS = mix(grass=5, canopy=3, brown_soil=1)
_SAND = mix(sand=6, brown_soil=2, muddy_water=1)


@dataclass(frozen=True)
class River:
    """Water between ragged banks, with a belt of trees."""

    line: tuple[Point, ...]
    width: float
    water: Mix
    murk: Mix
    seed: int

    @property
    def belt_px(self) -> float:
        """Mean width of the trees on each side."""
        return 2.5 + 0.55 * self.width

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Bounds in px."""
        pad = self.width / 2 + 2.2 * self.belt_px + 3
        x0, y0, x1, y1 = Strokes((self.line,), 0).box
        return x0 - pad, y0 - pad, x1 + pad, y1 + pad

    def paint(self, canvas: Canvas, part: Window) -> None:
        """Paint the part of it that lies on the tile."""
        far = self.width / 2 + 2 * self.belt_px
        apart = Strokes((self.line,), self.width).distance(part, far)
        ragged = rough(part, 11.0, self.seed, 3, 0.6)
        belt = np.float32(self.width / 2 + self.belt_px) + ragged * np.float32(self.belt_px * 0.45)
        trees = np.clip(belt - apart, 0, 1) * ramp(rough(part, 26.0, self.seed + 9, 2), -1.3, -0.6)
        share = ramp(rough(part, 3.0, self.seed + 1, 2, 0.8), -0.6, 2.2)
        canvas.paint(part, trees * np.float32(0.92), _BANK, _BANK_GAPS, share)
        half = np.float32(self.width / 2) * (1 + np.float32(0.16) * np.clip(ragged, -2, 2))
        wet = np.clip(half + np.float32(0.5) - apart, 0, 1)
        murky = ramp(rough(part, 30.0, self.seed + 2, 3), -1.5, 1.5)
        canvas.paint(part, wet, self.water, self.murk, murky)
        canvas.shade(part, wet, 1 + np.float32(0.04) * white(part, self.seed + 3))


def river_line(plan: Plan, start: Point, end: Point) -> tuple[Point, ...]:
    """A meandering line: wide bends with small ones on them."""
    length = math.hypot(end[0] - start[0], end[1] - start[1])
    bends = max(6, int(length / 70))
    sway = [plan.between(-0.13, 0.13), plan.between(-0.08, 0.08)]
    sway += [plan.between(-1, 1) * 0.5 / (k + 3) for k in range(2, min(bends, 16))]
    sway = [h * (0.55 if k > 1 else 1.0) for k, h in enumerate(sway)]
    sway += [0.0] * max(0, bends - len(sway)) + [plan.between(-1, 1) * 9 / length for _ in range(4)]
    return curve(start, end, sway, 5.0)


def plan_river(plan: Plan, start: Point, end: Point, width: float) -> tuple[Point, ...]:
    """A river from `start` to `end`, with sandbars if it is wide; gives its line."""
    line = river_line(plan, start, end)
    muddy = plan.chance(0.65)
    water = mix(muddy_water=7, green_water=2) if muddy else mix(green_water=6, clear_water=4, muddy_water=1)
    plan.paint(River(line, width, water, mix(muddy_water=4, green_water=4), plan.seed()))
    if width > 4:
        every = max(14, int(75 / width * 2.2))
        for index in range(every, len(line) - every, every):
            if plan.chance(0.62):
                _sandbar(plan, line, index, width)
    return line


def _sandbar(plan: Plan, line: tuple[Point, ...], index: int, width: float) -> None:
    (x, y), (nx, ny) = line[index], line[index + 1]
    along = math.atan2(ny - y, nx - x)
    side = width * plan.between(0.15, 0.5) * (1 if plan.chance(0.5) else -1)
    at = (x - math.sin(along) * side, y + math.cos(along) * side)
    length = plan.between(0.8, 2.4) * width + 2
    bar = Blob(*at, length, plan.between(0.22, 0.5) * width + 0.8, along, plan.seed(), 0.25)
    wet = mix(sand=5, brown_soil=3) if plan.chance(0.5) else mix(sand=8, brown_soil=1)
    plan.paint(Cover(bar, _SAND, wet, 5, 0.97, light=1.0))
    plan.is_at("sandbar", bar.outline)


def plan_road(plan: Plan, start: Point, end: Point, is_paved: bool) -> None:
    """A road that sways a little; earth roads are pale orange, paved ones dark with bright verges."""
    sway = tuple(plan.between(-1, 1) * height for height in (0.05, 0.04, 0.03, 0.025, 0.015, 0.012))
    strokes = Strokes((curve(start, end, sway, 14.0),), 1.3 if is_paved else 0.8)
    if is_paved:
        plan.paint(
            Lines(strokes, mix(asphalt=8, bright_roof=0.4), 0.9, verge=mix(straw=4, orange_soil=3), verge_px=1.2)
        )
    else:
        plan.paint(Lines(strokes, mix(orange_soil=5, red_soil=2, sand=1), 0.8))
