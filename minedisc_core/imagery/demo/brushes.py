"""What features are made of: covers, pits, heaps, ponds, tailings, roads, buildings. Each paints itself on a tile."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from minedisc_core.imagery.demo.canvas import SUN, Blob, Canvas, Strokes
from minedisc_core.imagery.demo.noise import Field, Window, hashed, ramp, rough, white
from minedisc_core.imagery.demo.spectra import Mix, mix

Bounds = tuple[float, float, float, float]
"""x0, y0, x1, y1 in px."""


class Brush(Protocol):
    """Anything that can paint itself."""

    @property
    def box(self) -> Bounds:
        """Bounds (x0, y0, x1, y1) in px."""
        ...

    def paint(self, canvas: Canvas, part: Window) -> None:
        """Paint the part of it that lies on the tile: `part`, which is never empty."""
        ...


def put_on(canvas: Canvas, brush: Brush) -> None:
    """Paint what of a brush lies on the tile."""
    part = canvas.clip(brush.box)
    if part is not None:
        brush.paint(canvas, part)


def _padded(box: Bounds, pad: float) -> Bounds:
    x0, y0, x1, y1 = box
    return x0 - pad, y0 - pad, x1 + pad, y1 + pad


@dataclass(frozen=True)
class Cover:
    """A surface of two mixed materials over a blob."""

    shape: Blob
    main: Mix
    other: Mix
    grain_px: float = 8.0
    opacity: float = 1.0
    patchiness: float = 0.0
    """0: closed; 1: about half of it shows the ground."""
    unrest: float = 0.04
    """Pixel-wise change of light."""
    light: float | None = None
    """Light that replaces the slope's; None keeps it."""
    grow_px: float = 0.0

    @property
    def box(self) -> Bounds:
        """Bounds in px."""
        return _padded(self.shape.box, self.grow_px + 1)

    def paint(self, canvas: Canvas, part: Window) -> None:
        """Paint the part of it that lies on the tile."""
        seed = self.shape.seed
        alpha = self.shape.alpha(part, self.shape.radius(part), self.grow_px) * np.float32(self.opacity)
        if self.patchiness:
            holes = rough(part, self.grain_px * 1.5, seed + 11, 3, 0.7)
            alpha = alpha * ramp(holes, -1.4 + 1.9 * self.patchiness, -2.2 + 1.9 * self.patchiness + 1.2)
        share = ramp(rough(part, self.grain_px, seed + 12, 3, 0.7), -1.5, 1.5)
        canvas.paint(part, alpha, self.main, self.other, share)
        if self.light is not None:
            canvas.shade(part, alpha, self.light)
        canvas.shade(part, alpha, self._light(canvas, part))

    def _light(self, canvas: Canvas, part: Window) -> Field:
        rows = slice(part.row - canvas.window.row, part.row - canvas.window.row + part.height)
        cols = slice(part.col - canvas.window.col, part.col - canvas.window.col + part.width)
        return canvas.light[rows, cols] * (1 + np.float32(self.unrest) * white(part, self.shape.seed + 13))


@dataclass(frozen=True)
class Terraces:
    """A pit or a heap: rings of benches lit by the sun, another material at the bottom or top."""

    shape: Blob
    outer: Mix
    inner: Mix
    benches: float
    """Number of benches from the edge to the middle."""
    up: bool = False
    """A heap (lit on the sun's side) instead of a pit (lit on the far side)."""
    relief: float = 0.22
    grain_px: float = 7.0
    off_centre: tuple[float, float] = (0.0, 0.0)
    """The deepest place, as a share of the half axes."""

    @property
    def box(self) -> Bounds:
        """Bounds in px."""
        return self.shape.box

    def paint(self, canvas: Canvas, part: Window) -> None:
        """Paint the part of it that lies on the tile."""
        shape = self.shape
        radius = shape.radius(part)
        alpha = shape.alpha(part, radius)
        u, v = shape.local(part)
        u = u * np.float32(1 / shape.a) - np.float32(self.off_centre[0])
        v = v * np.float32(1 / shape.b) - np.float32(self.off_centre[1])
        inner = np.sqrt(u * u + v * v)
        unrest = rough(part, self.grain_px, shape.seed + 21, 3, 0.6)
        level = (radius * np.float32(0.6) + inner * np.float32(0.4) + unrest * np.float32(0.035)) * np.float32(
            self.benches
        )
        share = ramp(1 - radius + unrest * np.float32(0.27), 0.1, 0.75)
        canvas.paint(part, alpha, self.outer, self.inner, share)
        canvas.shade(part, alpha, self._light(part, u, v, inner, level))

    def _light(self, part: Window, u: Field, v: Field, inner: Field, level: Field) -> Field:
        cos, sin = math.cos(self.shape.angle), math.sin(self.shape.angle)
        sun_u, sun_v = SUN[0] * cos + SUN[1] * sin, SUN[1] * cos - SUN[0] * sin
        facing = (u * np.float32(sun_u) + v * np.float32(sun_v)) / (inner + np.float32(0.12))
        turned = facing if self.up else -facing
        step = level - np.floor(level)
        face = ramp(np.abs(step - np.float32(0.5)), 0.12, 0.32)
        slope = turned * (face * np.float32(1.5) - np.float32(0.35)) * np.float32(self.relief)
        crest = (np.float32(0.5) - face) * np.float32(self.relief * 0.55)
        stains = rough(part, self.grain_px * 0.7, self.shape.seed + 23, 3, 0.7)
        specks = white(part, self.shape.seed + 22)
        light: Field = 1 + slope + crest + np.float32(0.07) * specks + np.float32(0.08) * stains
        return light


@dataclass(frozen=True)
class Pond:
    """Water with a bare shore; `murk` flows in from one side."""

    shape: Blob
    water: Mix
    murk: Mix
    shore: Mix
    shore_px: float = 0.8
    flow: float = 0.0
    """Direction (radians) from which the murk comes."""
    murkiness: float = 0.3
    """Share of the pond that the murk takes, about."""
    shore_opacity: float = 0.8

    @property
    def box(self) -> Bounds:
        """Bounds in px."""
        return _padded(self.shape.box, self.shore_px + 1)

    def paint(self, canvas: Canvas, part: Window) -> None:
        """Paint the part of it that lies on the tile."""
        radius = self.shape.radius(part)
        rim = self.shape.alpha(part, radius, self.shore_px) * np.float32(self.shore_opacity)
        if self.shore_px > 0:
            canvas.paint(part, rim * ramp(white(part, self.shape.seed + 31, 2), -1.6, -0.4), self.shore)
        alpha = self.shape.alpha(part, radius)
        canvas.paint(part, alpha, self.water, self.murk, self._murk(part))
        canvas.shade(part, alpha, 1 + np.float32(0.03) * white(part, self.shape.seed + 32))

    def _murk(self, part: Window) -> Field:
        x, y = part.xy()
        reach = np.float32(1 / max(self.shape.a, self.shape.b))
        toward = (x - np.float32(self.shape.x)) * np.float32(math.cos(self.flow)) * reach
        toward = toward + (y - np.float32(self.shape.y)) * np.float32(math.sin(self.flow)) * reach
        swirl = rough(part, max(4.0, 0.35 * self.shape.b), self.shape.seed + 33, 3, 0.6)
        edge = 1 - 2 * self.murkiness
        return ramp(toward + swirl * np.float32(0.14), edge - 0.3, edge + 0.3)


@dataclass(frozen=True)
class Tailings:
    """A tailings pond: a beach of slurry fanning out from the spigots, wet fines, then coloured water."""

    shape: Blob
    beach: Mix
    slurry: Mix
    water: Mix
    flow: float
    """Direction (radians) from the middle to the spigots."""
    beach_share: float
    """Share of the length that is dry beach; 1: no water left."""
    rim: Mix

    @property
    def box(self) -> Bounds:
        """Bounds in px."""
        return _padded(self.shape.box, 2)

    def paint(self, canvas: Canvas, part: Window) -> None:
        """Paint the part of it that lies on the tile."""
        radius = self.shape.radius(part)
        canvas.paint(part, self.shape.alpha(part, radius, 1.1) * np.float32(0.85), self.rim)
        alpha = self.shape.alpha(part, radius)
        dry, wet = self._stages(part)
        canvas.paint(part, alpha, self.beach, self.slurry, dry)
        canvas.paint(part, alpha * wet, self.water, self.slurry, ramp(wet, 0.95, 0.35) * np.float32(0.5))
        still = 1 + np.float32(0.025) * white(part, self.shape.seed + 41)
        canvas.shade(part, alpha, still)

    def _stages(self, part: Window) -> tuple[Field, Field]:
        """How far the beach has turned to slurry, and the slurry to water, 0..1."""
        x, y = part.xy()
        reach = np.float32(1 / max(self.shape.a, self.shape.b))
        dx, dy = (x - np.float32(self.shape.x)) * reach, (y - np.float32(self.shape.y)) * reach
        toward = dx * np.float32(math.cos(self.flow)) + dy * np.float32(math.sin(self.flow))
        across = dy * np.float32(math.cos(self.flow)) - dx * np.float32(math.sin(self.flow))
        fans = rough(part, max(4.0, 0.3 * self.shape.b), self.shape.seed + 42, 3, 0.6)
        lobes = np.abs(across * np.float32(2.2) - np.floor(across * np.float32(2.2)) - np.float32(0.5))
        gone = np.float32(1) - toward + fans * np.float32(0.13) + lobes * np.float32(0.22)
        turn = 2 * self.beach_share
        return ramp(gone, turn - 0.7, turn), ramp(gone, turn + 0.05, turn + 0.3)


@dataclass(frozen=True)
class Lines:
    """Roads, dams, embankments, conveyor belts."""

    strokes: Strokes
    main: Mix
    opacity: float = 1.0
    light: float = 1.0
    verge: Mix | None = None
    """Material of a fainter strip on both sides."""
    verge_px: float = 0.7

    @property
    def box(self) -> Bounds:
        """Bounds in px."""
        return _padded(self.strokes.box, 2)

    def paint(self, canvas: Canvas, part: Window) -> None:
        """Paint the part of it that lies on the tile."""
        if self.verge is not None:
            side = self.strokes.alpha(part, self.verge_px) * np.float32(0.45)
            canvas.paint(part, side, self.verge)
        alpha = self.strokes.alpha(part) * np.float32(self.opacity)
        canvas.paint(part, alpha, self.main)
        canvas.shade(part, alpha, self.light)


_STREET = mix(asphalt=5, red_soil=2, brown_soil=2)
_YARD = mix(grass=3, canopy=2, red_soil=2, brown_soil=2, tile_roof=1)
_ROOFS = (
    mix(tile_roof=6, brown_soil=2, shade=1),
    mix(bright_roof=5, asphalt=3, shade=1),
    mix(asphalt=5, brown_soil=3),
    mix(canopy=5, shade=1, grass=2),
)


@dataclass(frozen=True)
class Houses:
    """A town: streets in a grid, roofs and yards."""

    shape: Blob
    density: float = 0.75
    bright: float = 0.16
    """Share of bright roofs (industry, halls)."""
    street_px: float = 9.0
    yard: Mix = field(default_factory=lambda: _YARD)

    @property
    def box(self) -> Bounds:
        """Bounds in px."""
        return self.shape.box

    def paint(self, canvas: Canvas, part: Window) -> None:
        """Paint the part of it that lies on the tile."""
        seed = self.shape.seed
        radius = self.shape.radius(part)
        built = rough(part, 18.0, seed + 51, 3) * np.float32(0.35)
        alpha = ramp(radius + built, 1.05, 0.8) * np.float32(0.93)
        u, v = self.shape.local(part)
        share = ramp(white(part, seed + 52), -0.8, 1.0)
        canvas.paint(part, alpha, self.yard, mix(red_soil=4, brown_soil=3, grass=2), share)
        houses = alpha * ramp(white(part, seed + 53), 1 - 2 * self.density, 1.25 - 2 * self.density)
        pick = (hashed(*_blocks(part, 2), seed + 54) + 1) * np.float32(0.5)
        for low, high, roof in self._kinds():
            canvas.paint(part, houses * ((pick >= low) & (pick < high)), roof)
        streets = np.maximum(_street(u, self.street_px), _street(v, self.street_px * 0.8))
        canvas.paint(part, alpha * streets * np.float32(0.55), _STREET)
        canvas.shade(part, alpha, 1 + np.float32(0.09) * white(part, seed + 55))

    def _kinds(self) -> list[tuple[float, float, Mix]]:
        ends = (0.0, 0.5, 0.5 + self.bright, 0.82, 1.01)
        return [(ends[i], ends[i + 1], _ROOFS[i]) for i in range(4)]


def _blocks(part: Window, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    cols = np.arange(part.col, part.col + part.width) // size
    rows = np.arange(part.row, part.row + part.height) // size
    return cols[None, :], rows[:, None]


def _street(along: Field, every_px: float) -> Field:
    place = along * np.float32(1 / every_px)
    apart = np.abs(place - np.floor(place) - np.float32(0.5)) * np.float32(every_px)
    return ramp(np.float32(every_px / 2) - apart, 1.1, 0.2)


@dataclass(frozen=True)
class Box:
    """A rectangle at any angle: halls, basins, stock yards, panels, ploughed strips."""

    x: float
    y: float
    length: float
    width: float
    angle: float
    main: Mix
    other: Mix | None = None
    stripe_px: float = 0.0
    """Width of stripes of `other` along the length; 0: none."""
    opacity: float = 1.0
    light: float = 1.0
    unrest: float = 0.04
    seed: int = 0

    @property
    def box(self) -> Bounds:
        """Bounds in px."""
        r = math.hypot(self.length, self.width) / 2 + 2
        return self.x - r, self.y - r, self.x + r, self.y + r

    def paint(self, canvas: Canvas, part: Window) -> None:
        """Paint the part of it that lies on the tile."""
        x, y = part.xy()
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        cos, sin = np.float32(math.cos(self.angle)), np.float32(math.sin(self.angle))
        u, v = dx * cos + dy * sin, dy * cos - dx * sin
        alpha = np.clip(np.float32(self.length / 2 + 0.5) - np.abs(u), 0, 1)
        alpha = alpha * np.clip(np.float32(self.width / 2 + 0.5) - np.abs(v), 0, 1) * np.float32(self.opacity)
        share = np.zeros_like(alpha)
        if self.stripe_px:
            place = v * np.float32(1 / (2 * self.stripe_px))
            share = ramp(np.abs(place - np.floor(place) - np.float32(0.5)), 0.2, 0.3)
        canvas.paint(part, alpha, self.main, self.other, share if self.other is not None else None)
        canvas.shade(part, alpha, np.float32(self.light) * (1 + np.float32(self.unrest) * white(part, self.seed + 61)))
