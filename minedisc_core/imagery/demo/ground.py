"""The open land before features: hills, forest, cerrado, pastures and fields, rock, creeks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minedisc_core.imagery.demo.canvas import SUN, Canvas
from minedisc_core.imagery.demo.fields import TREES, Plots, cut_plots, locate
from minedisc_core.imagery.demo.noise import Field, Window, ramp, rough, rough_at, smooth, smooth_at, white
from minedisc_core.imagery.demo.spectra import GROUND_MATERIALS, Mix, mix

_CREEK_SCALES_PX = (190.0, 85.0, 40.0)
_CREEK_DEPTHS = (1.0, 0.5, 0.24)

_FOREST = mix(canopy=8.5, shade=1.0, grass=0.5)
_FOREST_GAPS = mix(canopy=5, shade=4.2, grass=0.8)
_CERRADO = mix(straw=3.6, grass=2.2, canopy=2.2, red_soil=1.3, shade=0.7)
_CERRADO_SHRUBS = mix(canopy=6, grass=1.6, shade=1.6, straw=0.8)
_CAMPO = mix(straw=3.2, grass=3, canopy=1.6, brown_soil=1.4, shade=1.2)
_CAMPO_ROCK = mix(quartzite=3.5, straw=2.6, shade=2.4, grass=1.6)
_HEDGE = mix(canopy=7, shade=2, grass=1)
_TRACK = mix(orange_soil=5, red_soil=3, straw=2)


@dataclass(frozen=True)
class Ground:
    """All that the open land is made from; the same for every tile of a scene."""

    seed: int
    side_px: int
    plots: Plots


def make_ground(rng: np.random.Generator, side_px: int) -> Ground:
    """Draw the seeds and plots of a square of `side_px`."""
    seed = int(rng.integers(1, 2**30))
    return Ground(seed, side_px, cut_plots(rng, float(side_px), seed + 7))


def hilliness_at(ground: Ground, x: float, y: float) -> float:
    """How mountainous a place is, mean 0, standard deviation 1."""
    return float(rough_at(np.array([x]), np.array([y]), 420.0, ground.seed + 1, 2)[0])


def creek_at(ground: Ground, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Closeness to a valley line: near 0 on it, about 1 on the slopes."""
    near: NDArray[np.float64] = np.abs(smooth_at(x, y, _CREEK_SCALES_PX[0], ground.seed + 20))
    return near


def paint_ground(ground: Ground, canvas: Canvas) -> None:
    """Cover the whole tile with the open land and light it."""
    part = canvas.window
    hilly = rough(part, 420.0, ground.seed + 1, 2)
    _paint_plots(ground, canvas)
    _paint_wild(ground, canvas, hilly)
    _paint_creeks(ground, canvas)
    canvas.light *= _slope_light(ground, part, hilly)


def _paint_plots(ground: Ground, canvas: Canvas) -> None:
    part = canvas.window
    bend = [smooth(part, 60.0, ground.seed + s) * np.float32(2.2) for s in (31, 32)]
    node, hedge, track = locate(ground.plots, part, bend[0], bend[1])
    texture = ramp(rough(part, 14.0, ground.seed + 33, 3) + white(part, ground.seed + 34) * np.float32(0.5), -1.6, 1.6)
    wear = ramp(rough(part, 34.0, ground.seed + 35, 3), -1.5, 2.0)
    share = texture * np.float32(0.55) + wear * np.float32(0.45)
    for k in range(GROUND_MATERIALS):
        first = ground.plots.main[k][node]
        canvas.mix[k] = first + share * (ground.plots.other[k][node] - first)
    trees = np.isin(ground.plots.uses[node], TREES)
    canvas.light *= 1 + np.where(trees, np.float32(0.11), np.float32(0.05)) * white(part, ground.seed + 36)
    canvas.paint(part, ramp(hedge, 1.3, 0.4) * ramp(white(part, ground.seed + 37, 3), -0.6, -0.2) * 0.8, _HEDGE)
    canvas.paint(part, ramp(track, 0.9, 0.1) * np.float32(0.65), _TRACK)
    _paint_lone_trees(ground, canvas)


def _paint_lone_trees(ground: Ground, canvas: Canvas) -> None:
    part = canvas.window
    dense = ramp(rough(part, 26.0, ground.seed + 38, 4, 0.7), 0.0, 3.0)
    clumps = smooth(part, 1.6, ground.seed + 39) * np.float32(0.3) + white(part, ground.seed + 30) * np.float32(0.3)
    single = ramp(clumps + dense * np.float32(0.8), 0.72, 1.0)
    canvas.paint(part, single * np.float32(0.6), _HEDGE)


def _paint_wild(ground: Ground, canvas: Canvas, hilly: Field) -> None:
    """Forest, cerrado and rocky grassland over the plots, more of it on hills."""
    part = canvas.window
    wooded = rough(part, 105.0, ground.seed + 40, 6, 0.68) + hilly * np.float32(0.55)
    dry = rough(part, 240.0, ground.seed + 45, 6, 0.6)
    grain = rough(part, 5.0, ground.seed + 50, 2, 0.7)
    shrubs = ramp(grain + white(part, ground.seed + 51) * np.float32(0.6), -1.3, 1.5)
    crowns = ramp(rough(part, 3.2, ground.seed + 52, 2, 0.8), -1.8, 2.2)
    wild = ramp(wooded, 0.33, 0.5)
    canvas.paint(part, wild * ramp(dry, -0.05, 0.1), _CERRADO, _CERRADO_SHRUBS, shrubs)
    canvas.paint(part, wild * ramp(dry, 0.16, 0.04), _FOREST, _FOREST_GAPS, crowns)
    high = ramp(hilly + rough(part, 60.0, ground.seed + 55, 6, 0.65) * np.float32(0.5), 1.25, 1.36)
    rocky = ramp(rough(part, 22.0, ground.seed + 58, 4, 0.7), -0.2, 1.8)
    canvas.paint(part, high * np.float32(0.85), _CAMPO, _CAMPO_ROCK, rocky)


def _paint_creeks(ground: Ground, canvas: Canvas) -> None:
    """Gallery forest along the valley lines."""
    part = canvas.window
    cover = np.zeros((part.height, part.width), np.float32)
    for level, (scale, width) in enumerate(zip(_CREEK_SCALES_PX[:2], (0.075, 0.05), strict=True)):
        wander = rough(part, 17.0, ground.seed + 66 + level, 3, 0.6) * np.float32(0.035 * (1 + level))
        line = np.abs(smooth(part, scale, ground.seed + 20 + level) + wander)
        gaps = ramp(smooth(part, 55.0, ground.seed + 60 + level), -1.1 + level, -0.5 + level)
        ragged = np.float32(width) * (1 + np.float32(0.65) * rough(part, 12.0, ground.seed + 62 + level, 3, 0.7))
        np.maximum(cover, np.clip((ragged - line) * np.float32(scale / 2.4), 0, 1) * gaps, out=cover)
    crowns = ramp(rough(part, 3.0, ground.seed + 65, 2, 0.8), -1.8, 2.2)
    canvas.paint(part, cover * np.float32(0.93), _FOREST, _FOREST_GAPS, crowns)


def _slope_light(ground: Ground, part: Window, hilly: Field) -> Field:
    """Light on the slopes, around 1: valleys are creases where the creeks run."""
    wide = part.grown(1)
    height = np.zeros((wide.height, wide.width), np.float32)
    for level, (scale, depth) in enumerate(zip(_CREEK_SCALES_PX, _CREEK_DEPTHS, strict=True)):
        fold = smooth(wide, scale, ground.seed + 20 + level)
        height += np.sqrt(fold * fold + np.float32(0.03)) * np.float32(depth)
    gully = smooth(wide, 17.0, ground.seed + 26)
    height += np.sqrt(gully * gully + np.float32(0.05)) * np.float32(0.13)
    height += rough(wide, 9.0, ground.seed + 27, 2, 0.6) * np.float32(0.02)
    east = (height[1:-1, 2:] - height[1:-1, :-2]) * np.float32(0.5)
    south = (height[2:, 1:-1] - height[:-2, 1:-1]) * np.float32(0.5)
    steep = ramp(hilly, -1.3, 1.6) * np.float32(11.0) + np.float32(3.0)
    lit: Field = 1 - (east * np.float32(SUN[0]) + south * np.float32(SUN[1])) * steep
    np.clip(lit, 0.5, 1.38, out=lit)
    return lit


def mixed_light(part: Window, seed: int, spread: float) -> Field:
    """A light of 1 with pixel-wise unrest, for surfaces without slope."""
    return 1 + np.float32(spread) * white(part, seed)


OPEN_WATER: Mix = mix(clear_water=7, green_water=3)
"""Rivers and lakes without much sediment."""
