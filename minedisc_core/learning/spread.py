"""The discovery net with the spread head (`detection.spread`), fitted on whole scenes with hand-drawn masks.

The head hears how the ground of each cell stands out, on the cells whose label is sure; scenes without a mine teach it
what land without mines is like. The trunk stays as it was drawn and has no say: on real tailings, every training of it
that was tried found fewer mines at places it had not seen (README, "Real imagery"). In `minedisc train` such a fit (on
windows, without the factor for land) is epoch 0, and later epochs, in which the trunk learns, have to do better.

    net = train_spread(scenes, bands=("B2", "B3", "B4"))
    scores = net.scores(dn)
    save_model(folder, (net.card("tailings", "1"), net.tensors))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection import spread
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.networks import build_discovery, get_tensors, keras
from minedisc_core.detection.scorer import DiscoveryNet
from minedisc_core.detection.spread import Ground, ground_part
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import UsageError
from minedisc_core.learning.logistic import LinearHead, fit_head
from minedisc_core.learning.mask_labels import NEGATIVE, POSITIVE, MaskedScene
from minedisc_core.learning.spread_heads import spread_tensors, standing_out
from minedisc_core.learning.training import band_statistics, dark_of

LAND_PENALTY = 0.001
"""Of the squared weights that tell land: scenes without a mine are few, so they may say but plain things."""
LAND_CELLS = 400
"""Cells of a scene that land is learned from at most."""
_THUMBNAIL_PX = 64


@dataclass(frozen=True)
class SpreadNet:
    """A trained net: what a model folder holds."""

    bands: tuple[str, ...]
    ground: Ground
    tensors: dict[str, NDArray[np.float32]]

    def card(self, name: str, version: str, **more: Any) -> ModelCard:
        """A card for it; `more` sets any other field (threshold, description, ...)."""
        mean, std, dark = (tuple(part.tolist()) for part in (self.ground.mean, self.ground.std, self.ground.dark))
        facts = {"head": "spread", "dark": dark, **more}
        return ModelCard(name, version, "discovery", ProductLevel.L1C, self.bands, mean, std, **facts)

    @cached_property
    def _net(self) -> DiscoveryNet:
        return DiscoveryNet(self.card("spread", "1"), self.tensors)

    def scores(self, dn: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Score of each cell, 0..1, of DN (h, w, band) at once, as a scan gives it."""
        no_data = (dn == 0).any(axis=-1)
        return self._net.head(self._net.trunk(dn, no_data if no_data.any() else None)).astype(np.float64)


def train_spread(scenes: Sequence[MaskedScene], *, bands: Sequence[str], seed: int = 0) -> SpreadNet:
    """Fit the head on all scenes; from those without a mask it learns what land without mines is like.

    Args:
        scenes: with and without masks; DN of L1C without offset.
        bands: names of their bands.
        seed: of the trunk's weights, and of the cells that land is learned from.

    Raises:
        UsageError: no cell is positive, or none negative.
    """
    masked = [scene for scene in scenes if scene.mask is not None]
    kinds = {kind for scene in masked for kind in np.unique(scene.labels()).tolist()}
    if not {POSITIVE, NEGATIVE} <= kinds:
        raise UsageError(
            f"{len(masked)} scenes with masks hold no positive or no negative cell",
            "cells with a mask in the middle of their window, and cells with none in it",
            "add scenes of other places",
        )
    keras().utils.set_random_seed(seed)
    ground = _ground_of(masked)
    cells = [cell_numbers(scene, ground) for scene in scenes]
    part = ground_part(len(bands))
    here = _fit_here(scenes, cells, len(bands))
    land = _fit_land(scenes, cells, part, np.random.default_rng(seed))
    tensors = get_tensors(build_discovery(len(bands), ground=ground))
    return SpreadNet(tuple(bands), ground, {**tensors, **spread_tensors(here, land and _widened(land, part, here))})


def _ground_of(scenes: Sequence[MaskedScene]) -> Ground:
    seen = np.stack([_thumbnail(scene.dn) for scene in scenes])
    mean, std = (part.tolist() for part in band_statistics(seen))
    return Ground.of(mean, std, dark_of(seen, mean, step=1))


def _fit_here(scenes: Sequence[MaskedScene], cells: Sequence[NDArray[np.float32]], bands: int) -> LinearHead:
    """How likely a cell is a mine, by how its ground stands out."""
    values, labels = [], []
    for scene, numbers in zip(scenes, cells, strict=True):
        label = scene.labels()
        counted = (label == POSITIVE) | (label == NEGATIVE)
        values.append(numbers[counted])
        labels.append(label[counted] == POSITIVE)
    found = fit_head(np.concatenate(values), np.concatenate(labels), standing_out(bands))
    scale = found.scale.copy()
    scale[: ground_part(bands).start] = 1.0  # of the trunk's numbers, which were 0 here: a fine-tuning sees them plain
    return replace(found, scale=scale)


def _fit_land(
    scenes: Sequence[MaskedScene], cells: Sequence[NDArray[np.float32]], part: slice, random: np.random.Generator
) -> LinearHead | None:
    """How likely this is land with mines, by the ground's numbers with their levels; None without other land."""
    if all(scene.mask is not None for scene in scenes):
        return None
    rows = [_some(numbers[..., part], random) for numbers in cells]
    has_mines = np.repeat([scene.mask is not None for scene in scenes], [*map(len, rows)])
    return fit_head(np.concatenate(rows), has_mines, LAND_PENALTY)


def cell_numbers(scene: MaskedScene, ground: Ground) -> NDArray[np.float32]:
    """What the head sees of each cell (rows, columns, k); 0 in place of the trunk's features."""
    ops = keras().ops
    no_data = (scene.dn == 0).any(axis=-1, keepdims=True)
    centred = np.where(no_data, 0, scene.dn - ground.mean).astype(np.float32)[None]
    blocks = np.asarray(spread.ground_blocks(ops, centred, ground))
    features = np.zeros((*blocks.shape[:3], spread.FEATURES), np.float32)
    found: NDArray[np.float32] = np.asarray(spread.cell_numbers(ops, np.concatenate([features, blocks], axis=-1)))[0]
    return found


def _some(cells: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    rows = cells.reshape(-1, cells.shape[-1])
    return rows[random.permutation(len(rows))[:LAND_CELLS]]


def _widened(head: LinearHead, part: slice, like: LinearHead) -> LinearHead:
    """A head on some of the numbers as one on all of them; those it does not look at have no weight."""
    centre, scale, weight = like.centre.copy(), like.scale.copy(), np.zeros_like(like.weight)
    centre[part], scale[part], weight[part] = head.centre, head.scale, head.weight
    return LinearHead(centre, scale, weight, head.bias)


def _thumbnail(dn: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """64 x 64 pixels spread over a scene (a smaller one is repeated)."""
    rows, cols = (np.linspace(0, n - 1, _THUMBNAIL_PX).astype(int) for n in dn.shape[:2])
    seen: NDArray[np.uint16] = dn[np.ix_(rows, cols)]
    return seen
