"""Training of the discovery net on whole scenes: a label for each cell instead of one for each window.

The net is fully convolutional, so a tile of n x n cells costs little more than one window and gives
n x n examples. Labels come from polygons: a cell whose centre lies near a mine is a mine, one far from
all mines is background, those between count for nothing. A second round draws its tiles where the
first was wrong: the loop of the product, on generated ground.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from minedisc_core.detection.networks import MINE, Tensors, build_discovery, get_tensors, keras, set_tensors, tensorflow
from minedisc_core.domain import ProductLevel
from minedisc_core.grid import CENTRE_PX, HEAD_FEATURES, STRIDE_PX, RasterGrid
from minedisc_core.learning.evaluation import classification_figures
from minedisc_core.learning.soundness import StepGuard, clipped_adam, only_finite
from minedisc_core.learning.training import Trained, band_statistics, symmetry

IGNORED = -1
"""Label of a cell that is neither clearly mine nor clearly background."""


@dataclass(frozen=True)
class LabelledScene:
    """Pixels of a scene and a label for each of its cells."""

    name: str
    dn: NDArray[np.uint16]
    """(height, width, band), 0 = no data; may be a memory map."""
    labels: NDArray[np.int8]
    """Per cell: 1 mine, 0 background, -1 ignored."""


MINE_WEIGHT = 3.0
"""Weight of a mine cell in the loss; a background cell has 1."""


@dataclass(frozen=True)
class DenseOptions:
    """How to train."""

    steps: int = 900
    """Batches in all rounds together."""
    rounds: int = 3
    """After each round but the last, tiles are drawn more often where the net was wrong."""
    batch: int = 8
    tile_features: int = 21
    """Side of a training tile in features (27 px each): 15 x 15 cells."""
    learning_rate: float = 8e-4
    """Adam's first rate; falls to a hundredth along a cosine."""
    hard_share: float = 0.5
    """Share of tiles drawn around wrong cells from the second round on."""
    seed: int = 0
    policy: str = "mixed_bfloat16"
    """Twice as fast on some processors; steps whose gradients are not finite are left out."""
    start_from: Tensors | None = None
    on_step: Callable[[int, float], None] | None = None
    """Called with the number of the step and its loss."""


def cell_distances_px(grid: RasterGrid, polygons: Sequence[BaseGeometry]) -> NDArray[np.float64]:
    """Distance (px) from each cell's centre to the nearest of `polygons` (EPSG:4326), shape of the cells."""
    rows, cols = grid.cells
    if not polygons:
        return np.full((rows, cols), np.inf)
    tree = shapely.STRtree(in_pixels(grid, polygons))
    i, j = np.divmod(np.arange(rows * cols), max(cols, 1))
    centres = shapely.points(j * STRIDE_PX + CENTRE_PX + 0.5, i * STRIDE_PX + CENTRE_PX + 0.5)
    distances = np.full(rows * cols, np.inf)
    pairs, found = tree.query_nearest(centres, return_distance=True, all_matches=False)
    distances[pairs[0]] = found
    return distances.reshape(rows, cols)


def in_pixels(grid: RasterGrid, polygons: Sequence[BaseGeometry]) -> NDArray[np.object_]:
    """Polygons (EPSG:4326) in the raster's pixels, x = column, y = row."""
    to_crs = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    back = ~grid.transform

    def turned(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = to_crs.transform(xy[:, 0], xy[:, 1])
        return np.column_stack([back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f])

    shapes: NDArray[np.object_] = shapely.transform(np.array(polygons, object), turned)
    return shapes


def label_cells(distances_px: NDArray[np.float64], near_px: float, far_px: float) -> NDArray[np.int8]:
    """1 where a mine is at most `near_px` away, 0 beyond `far_px`, -1 between."""
    between = np.where(distances_px <= far_px, IGNORED, 0)
    return np.where(distances_px <= near_px, 1, between).astype(np.int8)


def train_on_scenes(
    scenes: Sequence[LabelledScene], *, bands: Sequence[str], level: ProductLevel, options: DenseOptions | None = None
) -> Trained:
    """Train the discovery net on all scenes; the figures are those on the training cells.

    Args:
        scenes: labelled scenes of one product.
        bands: band names in the order of the pixels' last axis.
        level: product of the pixels.
        options: see DenseOptions.

    Raises:
        MinediscError: losses or weights came to no finite number.
    """
    chosen = options or DenseOptions()
    started = time.monotonic()
    keras().utils.set_random_seed(chosen.seed)
    fit = _DenseFit(scenes, len(bands), chosen)
    history = fit.run()
    found, expected = fit.predictions()
    figures = {
        **_facts(scenes, chosen, started),
        "steps_left_out": fit.guard.left_out,
        "training": classification_figures(expected, found),
        "validation": classification_figures(expected[:0], found[:0]),
    }
    mean, std = tuple(fit.mean.tolist()), tuple(fit.std.tolist())
    return Trained("discovery", get_tensors(fit.network), tuple(bands), level, mean, std, figures, history)


def _facts(scenes: Sequence[LabelledScene], options: DenseOptions, started: float) -> dict[str, Any]:
    labels = [scene.labels for scene in scenes]
    return {
        "scenes": [scene.name for scene in scenes],
        "cells_mine": int(sum((part == 1).sum() for part in labels)),
        "cells_background": int(sum((part == 0).sum() for part in labels)),
        "steps": options.steps,
        "batch": options.batch,
        "tile_px": options.tile_features * STRIDE_PX,
        "learning_rate": options.learning_rate,
        "seed": options.seed,
        "policy": options.policy,
        "seconds": round(time.monotonic() - started, 1),
        "date": datetime.now(UTC).date().isoformat(),
    }


class _DenseFit:
    """One training run over whole scenes."""

    def __init__(self, scenes: Sequence[LabelledScene], bands: int, options: DenseOptions) -> None:
        self.scenes, self.options = scenes, options
        self.random = np.random.default_rng(options.seed)
        sample = np.stack([scene.dn[::8, ::8][:64, :64] for scene in scenes])
        self.mean, self.std = band_statistics(sample)
        self.network = build_discovery(bands, logits=True, policy=options.policy)
        if options.start_from is not None:
            set_tensors(self.network, options.start_from)
        self.tf = tf = tensorflow()
        rate = keras().optimizers.schedules.CosineDecay(options.learning_rate, options.steps, 0.01)
        self.optimizer = clipped_adam(rate)
        self.guard = StepGuard(options.policy)
        self.optimizer.build(self.network.trainable_variables)
        side, cells = options.tile_features * STRIDE_PX, options.tile_features - HEAD_FEATURES + 1
        pixels = tf.TensorSpec((None, side, side, bands), tf.uint16)
        targets = tf.TensorSpec((None, cells, cells), tf.int32)
        self._step = tf.function(self._step_eager, input_signature=[pixels, targets], autograph=False)
        anything = tf.TensorSpec((None, None, None, bands), tf.uint16)
        self._scores = tf.function(self._scores_eager, input_signature=[anything], autograph=False)
        self.hard: list[tuple[int, int, int]] = []

    def run(self) -> tuple[dict[str, float], ...]:
        """All rounds; mean loss of each."""
        history = []
        done = 0
        for turn in range(self.options.rounds):
            until = self.options.steps * (turn + 1) // self.options.rounds
            losses = []
            for step, (pixels, targets) in enumerate(self._batches(until - done), done):
                loss, is_sound = self._step(pixels, targets)
                if self.guard.heed(bool(is_sound)):
                    losses.append(float(loss))
                if self.options.on_step:
                    self.options.on_step(step + 1, float(loss))
            done = until
            history.append({"loss": float(np.mean(losses)) if losses else 0.0})
            if turn + 1 < self.options.rounds:
                self.hard = self._wrong_cells()
        self.guard.check_weights(get_tensors(self.network))
        return tuple(history)

    def _batches(self, count: int) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.int32]]]:
        """Batches, the next one cut in a thread while the net learns from this one."""
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self._batch)
            for left in range(count - 1, -1, -1):
                batch = coming.result()
                if left:
                    coming = pool.submit(self._batch)
                yield batch

    def _batch(self) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
        side = self.options.tile_features
        pixels, targets = [], []
        for _ in range(self.options.batch):
            number, row, col = self._draw()
            scene, turn = self.scenes[number], int(self.random.integers(8))
            part = scene.dn[STRIDE_PX * row : STRIDE_PX * (row + side), STRIDE_PX * col : STRIDE_PX * (col + side)]
            cells = side - HEAD_FEATURES + 1
            pixels.append(symmetry(part, turn))
            targets.append(symmetry(scene.labels[row : row + cells, col : col + cells, None], turn)[..., 0])
        return np.stack(pixels), np.stack(targets).astype(np.int32)

    def _draw(self) -> tuple[int, int, int]:
        """Scene, and first row and column (in features) of a tile."""
        cells = self.options.tile_features - HEAD_FEATURES + 1
        if self.hard and self.random.random() < self.options.hard_share:
            number, i, j = self.hard[int(self.random.integers(len(self.hard)))]
            shift = self.random.integers(0, cells, 2)
            row, col = i - int(shift[0]), j - int(shift[1])
        else:
            number = int(self.random.integers(len(self.scenes)))
            row, col = (int(self.random.integers(0, n - cells + 1)) for n in self.scenes[number].labels.shape)
        rows, cols = self.scenes[number].labels.shape
        return number, min(max(row, 0), rows - cells), min(max(col, 0), cols - cells)

    def _normalised(self, pixels: Any) -> Any:
        has_data = self.tf.reduce_all(pixels > 0, axis=-1, keepdims=True)
        centred = (self.tf.cast(pixels, self.tf.float32) - self.mean) / self.std
        return self.tf.where(has_data, centred, 0.0)

    def _step_eager(self, pixels: Any, targets: Any) -> Any:
        tf = self.tf
        weight = tf.where(targets == 1, MINE_WEIGHT, tf.where(targets == 0, 1.0, 0.0))
        with tf.GradientTape() as tape:
            logits = self.network(self._normalised(pixels), training=True)
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(targets, 0), logits)
            loss = tf.reduce_sum(each * weight) / tf.cast(tf.size(targets), tf.float32)
        variables = self.network.trainable_variables
        gradients, is_sound = only_finite(loss, tape.gradient(loss, variables))
        self.optimizer.apply(gradients, variables)
        return loss, is_sound

    def _scores_eager(self, pixels: Any) -> Any:
        return self.tf.nn.softmax(self.network(self._normalised(pixels), training=False))[..., MINE]

    def scores(self, scene: LabelledScene) -> NDArray[np.float32]:
        """Score of each cell of a scene, in strips so that memory stays small."""
        rows = scene.labels.shape[0]
        out = np.zeros(scene.labels.shape, np.float32)
        for start in range(0, rows, 12):
            stop = min(start + 12, rows)
            part = scene.dn[STRIDE_PX * start : STRIDE_PX * (stop + HEAD_FEATURES - 1)]
            out[start:stop] = self._scores(np.ascontiguousarray(part)[None]).numpy()[0]
        return out

    def _wrong_cells(self) -> list[tuple[int, int, int]]:
        """Scene, row and column of background cells scored above a half and mine cells below it."""
        found = []
        for number, scene in enumerate(self.scenes):
            scores = self.scores(scene)
            wrong = ((scene.labels == 0) & (scores > 0.3)) | ((scene.labels == 1) & (scores < 0.7))
            found += [(number, int(i), int(j)) for i, j in np.argwhere(wrong)]
        return found

    def predictions(self) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Predicted and true class of all training cells that are not ignored."""
        found, expected = [], []
        for scene in self.scenes:
            counted = scene.labels != IGNORED
            found.append((self.scores(scene) > 0.5)[counted].astype(np.intp))
            expected.append(scene.labels[counted].astype(np.int32))
        return np.concatenate(found), np.concatenate(expected)
