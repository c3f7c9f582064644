"""What features are painted on: shares of materials per pixel, and the shapes they are painted with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from minedisc_core.imagery.demo.noise import Field, Window, rough, rough_at
from minedisc_core.imagery.demo.spectra import MATERIALS, Mix

Point = tuple[float, float]
"""x (column) and y (row) in pixels from the scene's corner."""

SUN = (0.66, -0.75)
"""Unit vector towards the sun in pixels (x right, y down): north-east, the morning sun of the south."""


@dataclass
class Canvas:
    """One tile of the scene while it is painted."""

    window: Window
    mix: NDArray[np.float32] = field(init=False)
    """Shares of the materials, (materials, height, width)."""
    light: Field = field(init=False)
    """Factor of all reflectances: slopes, roofs, benches."""

    def __post_init__(self) -> None:
        shape = (self.window.height, self.window.width)
        self.mix = np.zeros((len(MATERIALS), *shape), np.float32)
        self.light = np.ones(shape, np.float32)

    def clip(self, box: tuple[float, float, float, float]) -> Window | None:
        """The part of the tile that `box` (x0, y0, x1, y1) meets."""
        top, left = self.window.row, self.window.col
        row0, col0 = max(top, math.floor(box[1])), max(left, math.floor(box[0]))
        row1 = min(top + self.window.height, math.ceil(box[3]))
        col1 = min(left + self.window.width, math.ceil(box[2]))
        return Window(row0, col0, row1 - row0, col1 - col0) if row1 > row0 and col1 > col0 else None

    def paint(
        self, part: Window, alpha: Field, main: Mix, other: Mix | None = None, share: Field | None = None
    ) -> None:
        """Cover `part` by `alpha` (0..1) with `main`, mixed with `share` (0..1) of `other`."""
        rows, cols = np.nonzero(alpha > np.float32(0.004))
        if not len(rows):
            return
        down, right = rows + (part.row - self.window.row), cols + (part.col - self.window.col)
        cover = alpha[rows, cols]
        keep = 1 - cover
        amount = None if share is None else share[rows, cols]
        for k in range(len(MATERIALS)):
            fresh: Field | np.float32 = main[k]
            if other is not None and amount is not None and other[k] != main[k]:
                fresh = main[k] + amount * (other[k] - main[k])
            layer = self.mix[k]
            layer[down, right] = layer[down, right] * keep + cover * fresh

    def shade(self, part: Window, alpha: Field, light: Field | float) -> None:
        """Replace the light by `light` where `alpha` is 1, mixing where it is less."""
        rows = slice(part.row - self.window.row, part.row - self.window.row + part.height)
        cols = slice(part.col - self.window.col, part.col - self.window.col + part.width)
        self.light[rows, cols] += alpha * (np.float32(light) - self.light[rows, cols])


@dataclass(frozen=True)
class Blob:
    """An ellipse with a ragged edge, cut by straight lines: the shape of pits, ponds, lakes, towns."""

    x: float
    y: float
    a: float
    """Half length, px."""
    b: float
    """Half width, px."""
    angle: float = 0.0
    """Radians from x to the long axis."""
    seed: int = 0
    raggedness: float = 0.18
    """Standard deviation of the edge, as a share of the radius."""
    grain: float = 0.7
    """Size of the edge's bays, as a share of the half width."""
    cuts: tuple[tuple[float, float, float], ...] = ()
    """(nx, ny, offset): only where nx (x - self.x) + ny (y - self.y) <= offset, px."""

    @property
    def reach(self) -> float:
        """No part of the shape is farther from (x, y) than this, px."""
        return max(self.a, self.b) / max(0.35, 1 - 2.4 * self.raggedness) + 2

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Bounds (x0, y0, x1, y1) in px."""
        r = self.reach
        return self.x - r, self.y - r, self.x + r, self.y + r

    @property
    def _grain_px(self) -> float:
        return max(3.0, self.grain * self.b)

    def local(self, part: Window) -> tuple[Field, Field]:
        """Offsets from the centre along and across the long axis, px, (height, width)."""
        x, y = part.xy()
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        cos, sin = np.float32(math.cos(self.angle)), np.float32(math.sin(self.angle))
        return dx * cos + dy * sin, dy * cos - dx * sin

    def radius(self, part: Window) -> Field:
        """0 at the centre, 1 at the edge, more outside."""
        u, v = self.local(part)
        u, v = u * np.float32(1 / self.a), v * np.float32(1 / self.b)
        ragged = rough(part, self._grain_px, self.seed, 3)
        np.clip(ragged, -2.2, 2.2, out=ragged)
        radius: Field = np.sqrt(u * u + v * v) * (1 + np.float32(self.raggedness) * ragged)
        return radius

    def alpha(self, part: Window, radius: Field, grow_px: float = 0.0) -> Field:
        """Cover of each pixel, 0..1, anti-aliased; `grow_px` widens the shape (not past its cuts)."""
        mean = np.float32(math.sqrt(self.a * self.b))
        cover: Field = np.clip((1 - radius) * mean + np.float32(0.5 + grow_px), 0, 1)
        x, y = part.xy()
        for nx, ny, offset in self.cuts:
            ahead = (x - np.float32(self.x)) * np.float32(nx) + (y - np.float32(self.y)) * np.float32(ny)
            cover *= np.clip(np.float32(offset + 0.5) - ahead, 0, 1)
        return cover

    @cached_property
    def outline(self) -> Polygon:
        """The edge as a polygon in px."""
        turns = np.arange(72) * (2 * math.pi / 72)
        steps = np.linspace(0.02, 1.0, 160) * self.reach
        x = self.x + np.cos(turns)[:, None] * steps
        y = self.y + np.sin(turns)[:, None] * steps
        inside = self._inside(x, y)
        first_out = np.where(inside.all(1), len(steps) - 1, np.argmin(inside, axis=1))
        r = steps[np.maximum(first_out, 1)]
        return Polygon(np.column_stack([self.x + np.cos(turns) * r, self.y + np.sin(turns) * r]))

    def _inside(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        dx, dy = x - self.x, y - self.y
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        u, v = (dx * cos + dy * sin) / self.a, (dy * cos - dx * sin) / self.b
        ragged = np.clip(rough_at(x, y, self._grain_px, self.seed, 3), -2.2, 2.2)
        inside: NDArray[np.bool_] = np.sqrt(u * u + v * v) * (1 + self.raggedness * ragged) < 1
        for nx, ny, offset in self.cuts:
            inside &= dx * nx + dy * ny <= offset
        return inside


@dataclass(frozen=True)
class Strokes:
    """Lines of one width: rivers, roads, dams. Painted as one layer, so that crossings do not pile up."""

    lines: tuple[tuple[Point, ...], ...]
    width: float
    """Full width, px; under 1 makes a fainter line."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Bounds (x0, y0, x1, y1) in px."""
        xy = np.array([p for line in self.lines for p in line])
        pad = self.width / 2 + 2
        return tuple(float(v) for v in (*(xy.min(0) - pad), *(xy.max(0) + pad)))  # type: ignore[return-value]  # four

    @cached_property
    def _segments(self) -> NDArray[np.float64]:
        pairs = [(*p, *q) for line in self.lines for p, q in pairwise(line)]
        return np.array(pairs, np.float64)

    def distance(self, part: Window, limit_px: float) -> Field:
        """Distance to the nearest line, px, right up to `limit_px`, larger beyond."""
        out = np.full((part.height, part.width), np.float32(limit_px + 1), np.float32)
        s = self._segments
        low = np.minimum(s[:, :2], s[:, 2:]) - limit_px - 1
        high = np.maximum(s[:, :2], s[:, 2:]) + limit_px + 1
        near = (high[:, 0] > part.col) & (low[:, 0] < part.col + part.width)
        near &= (high[:, 1] > part.row) & (low[:, 1] < part.row + part.height)
        for segment, (x0, y0), (x1, y1) in zip(s[near], low[near], high[near], strict=True):
            rows = slice(max(0, int(y0) - part.row), max(0, int(y1) + 1 - part.row))
            cols = slice(max(0, int(x0) - part.col), max(0, int(x1) + 1 - part.col))
            view = out[rows, cols]
            if view.size:
                sub = Window(part.row + rows.start, part.col + cols.start, *view.shape)
                np.minimum(view, _to_segment(sub, segment), out=view)
        return out

    def alpha(self, part: Window, extra_px: float = 0.0) -> Field:
        """Cover of each pixel, 0..1."""
        half = self.width / 2 + extra_px
        cover: Field = np.clip(np.float32(half + 0.5) - self.distance(part, half + 1.5), 0, 1)
        cover *= np.float32(min(1.0, self.width + extra_px))
        return cover

    def outline(self) -> Polygon:
        """The lines widened to their width, in px."""
        return shapely.union_all([shapely.LineString(line).buffer(self.width / 2) for line in self.lines])


def _to_segment(part: Window, segment: NDArray[np.float64]) -> Field:
    ax, ay, bx, by = (float(v) for v in segment)
    x, y = part.xy()
    px, py = x - np.float32(ax), y - np.float32(ay)
    ex, ey = bx - ax, by - ay
    along = (px * np.float32(ex) + py * np.float32(ey)) * np.float32(1 / max(ex * ex + ey * ey, 1e-9))
    np.clip(along, 0, 1, out=along)
    dx, dy = px - along * np.float32(ex), py - along * np.float32(ey)
    apart: Field = np.sqrt(dx * dx + dy * dy)
    return apart


def curve(start: Point, end: Point, sway: Sequence[float], step_px: float = 6.0) -> tuple[Point, ...]:
    """A line from `start` to `end`, swaying sideways by sine waves of the given heights (share of length).

    `sway[k]` is the height of the wave with k + 1 half periods.
    """
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max(math.hypot(dx, dy), 1e-6)
    count = max(2, math.ceil(length / step_px))
    points = []
    for i in range(count + 1):
        t = i / count
        side = sum(h * math.sin(math.pi * (k + 1) * t) for k, h in enumerate(sway))
        points.append((start[0] + dx * t - dy * side, start[1] + dy * t + dx * side))
    return tuple(points)
