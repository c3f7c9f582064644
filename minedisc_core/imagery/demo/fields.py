"""Pastures, fields and plantations: the open land cut into plots by straight lines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minedisc_core.imagery.demo.noise import Field, Window, rough_at
from minedisc_core.imagery.demo.spectra import GROUND_MATERIALS, Mix, mix

Corners = NDArray[np.float64]
"""Corners of a convex plot, (n, 2) x, y in px."""

_USES: tuple[tuple[Mix, Mix], ...] = (
    (mix(grass=6, straw=2.5, brown_soil=1.5), mix(grass=5, straw=3, canopy=1.2)),  # 0 green pasture
    (mix(straw=6, grass=2, brown_soil=2, red_soil=1), mix(straw=4, grass=3, red_soil=2)),  # 1 dry pasture
    (mix(straw=3, red_soil=4, brown_soil=2, grass=1), mix(straw=4, orange_soil=1.5, red_soil=3)),  # 2 worn pasture
    (mix(crop=8, grass=1, red_soil=1), mix(crop=7, red_soil=2)),  # 3 growing crop
    (mix(straw=7, brown_soil=2), mix(straw=6, red_soil=3)),  # 4 stubble
    (mix(red_soil=9, straw=1), mix(red_soil=8, orange_soil=1, brown_soil=1)),  # 5 ploughed Oxisol
    (mix(orange_soil=6, red_soil=3, straw=1), mix(orange_soil=5, sand=1, red_soil=3)),  # 6 bright bare soil
    (mix(brown_soil=8, straw=2), mix(brown_soil=6, sand=1.5, straw=2)),  # 7 brown bare soil
    (mix(crop=4, grass=4, straw=2), mix(crop=5, straw=3)),  # 8 sugar cane
    (mix(canopy=9, shade=1.2), mix(canopy=8, shade=2)),  # 9 eucalyptus
    (mix(canopy=7, shade=1.5, grass=1), mix(canopy=6, grass=2, shade=1)),  # 10 forest remnant
    (mix(char=7, straw=2, red_soil=1), mix(char=5, straw=3)),  # 11 burnt
)
_RANCH = (0.27, 0.26, 0.10, 0.03, 0.05, 0.03, 0.02, 0.02, 0.02, 0.05, 0.14, 0.01)
_FARM = (0.05, 0.06, 0.03, 0.27, 0.19, 0.14, 0.05, 0.05, 0.08, 0.02, 0.06, 0.00)
_BORDERS = (0.5, 0.32, 0.18)
"""Shares of cuts along which nothing, a hedge, a track runs."""
TREES = (9, 10)
"""Uses that are woods."""
BARE = (5, 6, 7)
"""Uses that are bare soil."""


@dataclass(frozen=True)
class Plots:
    """A tree of straight cuts; its leaves are the plots."""

    normals: NDArray[np.float32]
    """Unit normal and offset of each node's cut, (nodes, 3); a leaf's offset is beyond all reach."""
    children: NDArray[np.int32]
    """Node on the near and the far side of the cut, (nodes, 2); a leaf has itself."""
    uses: NDArray[np.int8]
    """Use of each leaf (an index of the table of uses)."""
    main: NDArray[np.float32]
    """Ground materials of each node's plot, (GROUND_MATERIALS, nodes)."""
    other: NDArray[np.float32]
    """What the plot's texture mixes in, same shape."""
    borders: NDArray[np.int8]
    """What runs along the node's cut: 0 nothing, 1 hedge, 2 track."""


def cut_plots(rng: np.random.Generator, side_px: float, farming_seed: int) -> Plots:
    """Cut a square of `side_px` into plots of 8 to 80 ha."""
    normals: list[tuple[float, float, float]] = []
    children: list[tuple[int, int]] = []
    middles: list[NDArray[np.float64]] = []
    borders: list[int] = []
    square = np.array([(0.0, 0.0), (side_px, 0.0), (side_px, side_px), (0.0, side_px)])
    waiting: list[tuple[Corners, int, int]] = [(square, -1, 0)]
    while waiting:
        corners, parent, which = waiting.pop()
        node = len(normals)
        if parent >= 0:
            near, far = children[parent]
            children[parent] = (near, node) if which else (node, far)
        cut = _cut(rng, corners)
        normals.append(cut or (0.0, 0.0, 1e9))
        children.append((node, node))
        middles.append(corners.mean(0))
        borders.append(_draw(rng, _BORDERS))
        if cut:
            waiting += [(half, node, i) for i, half in enumerate(_halves(corners, cut))]
    uses = _uses(rng, np.array(middles), farming_seed)
    main, other = _plot_mixes(rng, uses)
    return Plots(
        np.array(normals, np.float32),
        np.array(children, np.int32),
        uses,
        main,
        other,
        np.array(borders, np.int8),
    )


def _cut(rng: np.random.Generator, corners: Corners) -> tuple[float, float, float] | None:
    area = _area(corners)
    if area < 8000 and (area < 1300 or rng.random() < 0.34):
        return None
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.sqrt((edges * edges).sum(1))
    along = edges[int(np.argmax(lengths))] / lengths.max()
    turn = rng.normal(0, 0.09) + (0.5 if area > 120_000 and rng.random() < 0.5 else 0.0)
    nx = float(along[0]) * math.cos(turn) - float(along[1]) * math.sin(turn)
    ny = float(along[0]) * math.sin(turn) + float(along[1]) * math.cos(turn)
    reach = corners @ np.array([nx, ny])
    share = rng.uniform(0.33, 0.67)
    return nx, ny, float(reach.min() + share * (reach.max() - reach.min()))


def _draw(rng: np.random.Generator, shares: tuple[float, ...]) -> int:
    """An index, drawn with the given shares (which sum to 1)."""
    drawn, total = rng.random(), 0.0
    for index, share in enumerate(shares):
        total += share
        if drawn < total:
            return index
    return len(shares) - 1


def _area(corners: Corners) -> float:
    x, y = corners[:, 0], corners[:, 1]
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)


def _halves(corners: Corners, cut: tuple[float, float, float]) -> tuple[Corners, Corners]:
    """The parts with n.p <= offset and n.p > offset of a convex polygon."""
    ahead = corners @ np.array(cut[:2]) - cut[2]
    near: list[NDArray[np.float64]] = []
    far: list[NDArray[np.float64]] = []
    for i in range(len(corners)):
        j = (i + 1) % len(corners)
        (near if ahead[i] <= 0 else far).append(corners[i])
        if (ahead[i] <= 0) != (ahead[j] <= 0):
            crossing = corners[i] + (corners[j] - corners[i]) * (ahead[i] / (ahead[i] - ahead[j]))
            near.append(crossing)
            far.append(crossing)
    return np.array(near), np.array(far)


def _uses(rng: np.random.Generator, middles: Corners, farming_seed: int) -> NDArray[np.int8]:
    """Draw a use for each plot: ranches, and regions of farms."""
    farming = rough_at(middles[:, 0], middles[:, 1], 330.0, farming_seed, 2)
    is_farm = farming + rng.uniform(-0.45, 0.45, len(middles)) > 0.55
    drawn = rng.random(len(middles))
    ranch, farm = (np.searchsorted(np.cumsum(table)[:-1], drawn) for table in (_RANCH, _FARM))
    return np.where(is_farm, farm, ranch).astype(np.int8)


def _plot_mixes(rng: np.random.Generator, uses: NDArray[np.int8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    main, other = (np.array([use[i] for use in _USES])[uses][:, :GROUND_MATERIALS] for i in (0, 1))
    vary = rng.uniform(0.7, 1.35, (len(uses), GROUND_MATERIALS))
    main, other = main * vary, other * vary
    main /= main.sum(1, keepdims=True)
    other /= other.sum(1, keepdims=True)
    return np.ascontiguousarray(main.T, np.float32), np.ascontiguousarray(other.T, np.float32)


def locate(plots: Plots, part: Window, warp_x: Field, warp_y: Field) -> tuple[NDArray[np.int32], Field, Field]:
    """Node of each pixel's plot, and its distance (px) to the nearest hedge and track.

    Args:
        plots: the tree of cuts.
        part: the pixels asked for.
        warp_x: shifts of the pixels' places to the right, px: nature bends straight lines a little.
        warp_y: the same downwards.
    """
    x, y = part.xy()
    x, y = x + warp_x, y + warp_y
    node = np.full(x.shape, _start(plots, x, y), np.int32)
    hedge, track = np.full(x.shape, 99, np.float32), np.full(x.shape, 99, np.float32)
    alive = True
    while alive:
        cut = plots.normals[node]
        ahead = x * cut[..., 0] + y * cut[..., 1] - cut[..., 2]
        border, apart = plots.borders[node], np.abs(ahead)
        np.minimum(hedge, np.where(border == 1, apart, np.float32(99)), out=hedge)
        np.minimum(track, np.where(border == 2, apart, np.float32(99)), out=track)
        following = plots.children[node, (ahead > 0).astype(np.int8)]
        alive = bool((following != node).any())
        node = following
    return node, hedge, track


def _start(plots: Plots, x: Field, y: Field) -> int:
    """The deepest node that holds all of the tile: cuts that miss it are skipped."""
    cx, cy = (float(v.min() + v.max()) / 2 for v in (x, y))
    reach = math.hypot(float(np.ptp(x)), float(np.ptp(y))) / 2 + 12
    node = 0
    while True:
        nx, ny, offset = (float(v) for v in plots.normals[node])
        ahead = nx * cx + ny * cy - offset
        following = int(plots.children[node, int(ahead > 0)])
        if abs(ahead) < reach or following == node:
            return node
        node = following
