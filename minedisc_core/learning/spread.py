"""The discovery net with a stronger head: what its features, and the ground itself, tell of a window.

The trunk is the paper's (three convolutions, each with a pooling, `detection.networks`). Instead of the 7x7
convolution with 200,000 weights, which learns the few places it is shown by heart, the head adds up two voices:

- the mean and the standard deviation of each of the 64 features over the window (7x7) and over its middle (3x3): 256
  numbers with one weight for each, the same in the eight symmetries, taught together with the trunk;
- how the ground stands out: order statistics of bands, ratios and gradient against the window's own median
  (`ground_statistics.standing_out`), a weight for each, fitted on pixels as they are.

A second head, on the levels of the same statistics, tells land with mines from scenes without any; the score is the
product of both.

    net = train_spread(scenes, bands=("B2", "B3", "B4"))
    scores = net.scores(dn)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit

from minedisc_core.detection.networks import FEATURES, build_discovery, keras, tensorflow, trunk_view
from minedisc_core.errors import UsageError
from minedisc_core.grid import HEAD_FEATURES, STRIDE_PX
from minedisc_core.learning.ground_statistics import ground_statistics, levels, standing_out
from minedisc_core.learning.jitter import Jitter, cut_tile
from minedisc_core.learning.logistic import LinearHead, fit_head
from minedisc_core.learning.mask_labels import (
    NEARLY_NEGATIVE,
    NEGATIVE,
    POSITIVE,
    MaskedScene,
)
from minedisc_core.learning.soundness import StepGuard, only_finite
from minedisc_core.learning.training import band_statistics

POOLED = 4 * FEATURES
MIDDLE_FEATURES = 3
TILE_PX = 16 * STRIDE_PX
_TINY = 1e-4
_REMEMBERED = 0.9
"""Share of the running counts of positive and negative cells that a batch leaves as it was."""
_FINAL_RATE = 0.05


@dataclass(frozen=True)
class SpreadOptions:
    """How to train; the defaults are the last of the recipes tried on real places (README, "Real imagery")."""

    steps: int = 60
    batch: int = 6
    """Tiles in a batch."""
    learning_rate: float = 1e-4
    """Adam's first rate; falls to a twentieth along a cosine."""
    dropout: float = 0.3
    """Of the pooled features."""
    smoothing: float = 0.05
    """Targets are this far from 0 and 1: masks are drawn by hand, and not all pits are."""
    penalty: float = 1e-3
    """Of the squared weights of the head."""
    weight_decay: float = 1e-4
    near_weight: float = 0.1
    """All nearly negative cells, beside 1 for a like number of negative ones."""
    negative_share: float = 0.5
    """Share of tiles from scenes with a negative cell: few have one."""
    averaging: float = 0.95
    """The weights kept are a running mean over the steps with this memory."""
    warm_rounds: int = 6
    """Looks at every scene from which the head is fitted before the trunk begins to learn."""
    warm_penalty: float = 1.5e-3
    """Of the squared weights of a head that is fitted on features that stand still."""
    trunk_share: float = 0.5
    """Of the trunk's log odds beside those of the ground's statistics."""
    ground_penalty: float = 1.4e-3
    """Of the squared weights on the ground's statistics."""
    land_penalty: float = 0.06
    """Of the squared weights of the second head: scenes without a mine are few, so it may say but plain things."""
    land_cells: int = 400
    """Cells of a scene without a mine that it learns from at most."""
    land_benefit: float = 2.0
    """Log odds given to land with mines: a missed mine is worse than a false alarm."""
    jitter: Jitter = field(default_factory=Jitter)
    seed: int = 0
    policy: str = "mixed_bfloat16"
    on_step: Callable[[int, float], None] | None = None
    """Called with the number of the step and its loss."""


class SpreadNet:
    """A trained or fresh net; scores whole scenes."""

    def __init__(self, bands: int, mean: NDArray[np.float32], std: NDArray[np.float32], policy: str, seed: int) -> None:
        keras().utils.set_random_seed(seed)
        self._tf = tf = tensorflow()
        self.trunk = trunk_view(build_discovery(bands, policy=policy))
        self.mean, self.std = mean, std
        self.centre = keras().Variable(np.zeros(POOLED, np.float32), trainable=False)
        self.scale = keras().Variable(np.ones(POOLED, np.float32), trainable=False)
        self.weight = keras().Variable(np.zeros(POOLED, np.float32))
        self.bias = keras().Variable(np.zeros((), np.float32))
        self.ground: LinearHead | None = None
        self.land: LinearHead | None = None
        self.trunk_share, self.land_benefit = 1.0, 0.0
        anything = [tf.TensorSpec((None, None, None, bands), tf.uint16)]
        self._pool = tf.function(self.pooled, input_signature=anything, autograph=False)
        self._trunk_odds = tf.function(self.logits, input_signature=anything, autograph=False)

    @property
    def variables(self) -> list[Any]:
        """What learns: trunk, then head."""
        return [*self.trunk.trainable_variables, self.weight, self.bias]

    def pooled(self, pixels: Any) -> Any:
        """In the graph: the head's 256 numbers of each cell of DN (n, h, w, band)."""
        tf = self._tf
        has_data = tf.reduce_all(pixels > 0, axis=-1, keepdims=True)
        centred = tf.where(has_data, (tf.cast(pixels, tf.float32) - self.mean) / self.std, 0.0)
        features = tf.cast(self.trunk(centred), tf.float32)
        rim = (HEAD_FEATURES - MIDDLE_FEATURES) // 2
        window = self._moments(features, HEAD_FEATURES)
        return tf.concat([*window, *self._moments(features[:, rim:-rim, rim:-rim], MIDDLE_FEATURES)], axis=-1)

    def _moments(self, features: Any, side: int) -> tuple[Any, Any]:
        tf = self._tf
        mean = tf.nn.avg_pool2d(features, side, 1, "VALID")
        square = tf.nn.avg_pool2d(features * features, side, 1, "VALID")
        return mean, tf.sqrt(tf.maximum(square - mean * mean, 0.0) + _TINY)

    def standard(self, pixels: Any) -> Any:
        """In the graph: the head's numbers, each of about mean 0 and deviation 1."""
        tensor = self._tf.convert_to_tensor
        return (self.pooled(pixels) - tensor(self.centre)) / tensor(self.scale)

    def logits(self, pixels: Any, dropout: float = 0.0) -> Any:
        """In the graph: the trunk's log odds of a mine of each cell, on land with mines."""
        tf = self._tf
        kept = tf.nn.dropout(self.standard(pixels), dropout) if dropout else self.standard(pixels)
        return tf.tensordot(kept, tf.convert_to_tensor(self.weight), 1) + tf.convert_to_tensor(self.bias)

    def pooled_of(self, dn: NDArray[np.uint16]) -> NDArray[np.float32]:
        """The head's numbers (n, rows, columns, 256) of DN (n, h, w, band)."""
        return np.asarray(self._pool(dn).numpy(), np.float32)

    def scores(self, dn: NDArray[np.uint16], statistics: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        """Score of each cell, 0..1, of a scene at once: about 0.4 GB for each million pixels.

        Args:
            dn: DN (h, w, band).
            statistics: of `dn` (`ground_statistics`), if they are known already.
        """
        odds = np.asarray(self._trunk_odds(np.ascontiguousarray(dn)[None]).numpy()[0], np.float64)
        found = ground_statistics(dn) if statistics is None else statistics
        if self.ground is not None:
            odds = self.trunk_share * odds + self.ground.log_odds(standing_out(found))
        land = 0.0 if self.land is None else log_expit(self.land.log_odds(levels(found)) + self.land_benefit)
        scores: NDArray[np.float64] = np.exp(log_expit(odds) + land)
        return scores


Describe = Callable[[MaskedScene], NDArray[np.float32]]


def train_spread(
    scenes: Sequence[MaskedScene],
    *,
    bands: Sequence[str],
    options: SpreadOptions | None = None,
    describe: Describe = lambda scene: ground_statistics(scene.dn),
) -> SpreadNet:
    """Train on all scenes; from those without a mask the net learns what land without mines is like.

    Args:
        scenes: with and without masks.
        bands: names of their bands.
        options: how to train.
        describe: ground statistics of a scene; one that remembers them saves time.

    Raises:
        UsageError: no cell is positive, or none negative.
        MinediscError: losses or weights came to no finite number.
    """
    chosen = options or SpreadOptions()
    fit = _SpreadFit(scenes, len(bands), chosen)
    fit.warm()
    fit.run()
    fit.hear_the_ground(describe)
    fit.learn_land(describe)
    return fit.net


class _SpreadFit:
    """One training run."""

    def __init__(self, scenes: Sequence[MaskedScene], bands: int, options: SpreadOptions) -> None:
        self.options, self.random = options, np.random.default_rng(options.seed)
        self.masked = [scene for scene in scenes if scene.mask is not None]
        self.free = [scene for scene in scenes if scene.mask is None]
        self.with_negatives = [scene for scene in self.masked if (scene.labels() == NEGATIVE).any()]
        if not any((scene.labels() == POSITIVE).any() for scene in self.masked) or not self.with_negatives:
            raise UsageError(
                f"{len(self.masked)} scenes with masks hold no positive or no negative cell",
                "cells with a mask in the middle of their window, and cells with none in it",
                "add scenes of other places",
            )
        mean, std = band_statistics(np.stack([_thumbnail(scene.dn) for scene in self.masked]))
        self.net = SpreadNet(bands, mean, std, options.policy, options.seed)
        rate = keras().optimizers.schedules.CosineDecay(options.learning_rate, options.steps, _FINAL_RATE)
        self.optimizer = keras().optimizers.AdamW(rate, weight_decay=options.weight_decay, global_clipnorm=1.0)
        self.optimizer.build(self.net.variables)
        self.guard = StepGuard(options.policy)
        self.counts = np.zeros(2)
        self.tf = tf = tensorflow()
        cells = TILE_PX // STRIDE_PX - HEAD_FEATURES + 1
        pixels = tf.TensorSpec((None, TILE_PX, TILE_PX, bands), tf.uint16)
        plane = tf.TensorSpec((None, cells, cells), tf.float32)
        self._step = tf.function(self._step_eager, input_signature=[pixels, plane, plane], autograph=False)

    def warm(self) -> None:
        """Fit the head on the fresh trunk's features, so that the trunk is not thrown about at first."""
        values, labels = [], []
        for _ in range(self.options.warm_rounds):
            for scene in self.masked:
                tile, label = cut_tile(scene, TILE_PX, self.random, self.options.jitter)
                counted = (label == POSITIVE) | (label == NEGATIVE)
                values.append(self.net.pooled_of(tile[None])[0][counted])
                labels.append(label[counted] == POSITIVE)
        head = fit_head(np.concatenate(values), np.concatenate(labels), self.options.warm_penalty)
        self.net.centre.assign(head.centre.astype(np.float32))
        self.net.scale.assign(head.scale.astype(np.float32))
        self.net.weight.assign(head.weight.astype(np.float32))
        self.net.bias.assign(np.float32(head.bias))

    def hear_the_ground(self, describe: Describe) -> None:
        """Fit the weights of how the ground stands out, on the cells whose label is sure."""
        values, labels = [], []
        for scene in self.masked:
            label = scene.labels()
            counted = (label == POSITIVE) | (label == NEGATIVE)
            values.append(standing_out(describe(scene))[counted])
            labels.append(label[counted] == POSITIVE)
        self.net.ground = fit_head(np.concatenate(values), np.concatenate(labels), self.options.ground_penalty)
        self.net.trunk_share = self.options.trunk_share

    def learn_land(self, describe: Describe) -> None:
        """Fit the second head: land with mines against scenes without one."""
        if not self.free:
            return
        values = [levels(describe(scene)) for scene in (*self.masked, *self.free)]
        rows = [self._some(value.reshape(-1, value.shape[-1])) for value in values]
        has_mines = np.repeat([scene.mask is not None for scene in (*self.masked, *self.free)], [*map(len, rows)])
        self.net.land = fit_head(np.concatenate(rows), has_mines, self.options.land_penalty)
        self.net.land_benefit = self.options.land_benefit

    def _some(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        chosen = self.random.permutation(len(rows))[: self.options.land_cells]
        return rows[chosen]

    def run(self) -> None:
        """All steps; the running mean of the weights stays in the net."""
        average = [variable.numpy() for variable in self.net.variables]
        memory = self.options.averaging
        for number, (pixels, labels) in enumerate(self._batches(), 1):
            weights, targets = self._weights(labels), np.where(labels == POSITIVE, 1.0, 0.0).astype(np.float32)
            loss, is_sound = self._step(pixels, targets, weights)
            self.guard.heed(bool(is_sound))
            average = [
                memory * old + (1 - memory) * variable.numpy()
                for old, variable in zip(average, self.net.variables, strict=True)
            ]
            if self.options.on_step:
                self.options.on_step(number, float(loss))
        for variable, kept in zip(self.net.variables, average, strict=True):
            variable.assign(kept)
        self.guard.check_weights({variable.path: variable.numpy() for variable in self.net.variables})

    def _batches(self) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.int8]]]:
        """Batches, the next one cut in a thread while the net learns from this one."""
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self._batch)
            for left in range(self.options.steps - 1, -1, -1):
                batch = coming.result()
                if left:
                    coming = pool.submit(self._batch)
                yield batch

    def _batch(self) -> tuple[NDArray[np.uint16], NDArray[np.int8]]:
        drawn = [self._draw() for _ in range(self.options.batch)]
        tiles, labels = zip(*(cut_tile(s, TILE_PX, self.random, self.options.jitter) for s in drawn), strict=True)
        return np.stack(tiles), np.stack(labels)

    def _draw(self) -> MaskedScene:
        """A scene; a place's chance grows with the root of its scenes, so that no place is all there is."""
        among = self.with_negatives if self.random.random() < self.options.negative_share else self.masked
        names, counts = np.unique([scene.place for scene in among], return_counts=True)
        place = self.random.choice(names, p=np.sqrt(counts) / np.sqrt(counts).sum())
        of_place = [scene for scene in among if scene.place == place]
        return of_place[int(self.random.integers(len(of_place)))]

    def _weights(self, labels: NDArray[np.int8]) -> NDArray[np.float32]:
        """Weight of each cell: mines 1 in all, negatives 1 in all, over many batches; the rest as the options say."""
        now = np.array([(labels == POSITIVE).sum(), (labels == NEGATIVE).sum()], float)
        self.counts = now if not self.counts.any() else _REMEMBERED * self.counts + (1 - _REMEMBERED) * now
        mine, background = 1 / np.maximum(self.counts, 1)
        near = self.options.near_weight * background
        kinds = [labels == kind for kind in (POSITIVE, NEGATIVE, NEARLY_NEGATIVE)]
        weights: NDArray[np.float32] = np.select(kinds, [mine, background, near], 0.0).astype(np.float32)
        return weights

    def _step_eager(self, pixels: Any, targets: Any, weights: Any) -> Any:
        tf, options = self.tf, self.options
        smooth = targets * (1 - 2 * options.smoothing) + options.smoothing
        with tf.GradientTape() as tape:
            logits = self.net.logits(pixels, options.dropout)
            each = tf.nn.sigmoid_cross_entropy_with_logits(labels=smooth, logits=logits)
            loss = tf.reduce_sum(each * weights) / tf.maximum(tf.reduce_sum(weights), 1e-6)
            loss += options.penalty * tf.reduce_sum(tf.square(tf.convert_to_tensor(self.net.weight)))
        gradients, is_sound = only_finite(loss, tape.gradient(loss, self.net.variables))
        self.optimizer.apply(gradients, self.net.variables)
        return loss, is_sound


def _thumbnail(dn: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """64 x 64 pixels spread over a scene (a smaller one is repeated)."""
    rows, cols = (np.linspace(0, n - 1, 64).astype(int) for n in dn.shape[:2])
    seen: NDArray[np.uint16] = dn[np.ix_(rows, cols)]
    return seen
