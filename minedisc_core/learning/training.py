"""Training of both nets from uint16 windows, as the paper does it (sections 5.2.3 and 5.2.4).

Adam, batches of 32, dropout, equal numbers per class, z-score of the training part; beyond the paper:
validation on other *places* (windows of one place never stand on both sides), the eight symmetries of
the square, clipped gradients (`soundness`), and windows of 255 px, whose middle cell scores exactly as in
a scan. The pixels stay uint16 in memory (1.5 MB a window) and are normalised in the graph; no data enters
as the band mean.

    trained = train_discovery(windows, labels, places, bands=L1C_BANDS, level=ProductLevel.L1C)
    save_model(folder, (trained.card("mine-net", "1"), trained.tensors))
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.cards import ORES, PAPER_FIGURES, ModelCard
from minedisc_core.detection.networks import (
    NetKind,
    Tensors,
    build_discovery,
    build_impact,
    get_tensors,
    keras,
    set_tensors,
    tensorflow,
)
from minedisc_core.domain import IMPACT_CLASSES, ProductLevel
from minedisc_core.errors import UsageError
from minedisc_core.grid import CONTEXT_PX, PATCH_PX, STRIDE_PX, WINDOW_PX, cells_along
from minedisc_core.learning.evaluation import classification_figures
from minedisc_core.learning.soundness import StepGuard, clipped_adam, only_finite
from minedisc_core.learning.splits import balanced_order, split_by_place

Windows = NDArray[np.uint16]


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; the defaults follow the paper."""

    epochs: int = 30
    batch: int = 32
    learning_rate: float | None = None
    """Adam; None = 1e-3 for the discovery net, 1e-4 (paper) for the impact net."""
    seed: int = 0
    validation_fraction: float = 0.2
    """Share of the places (not of the windows) kept for validation; 0 = train on everything."""
    policy: str = "float32"
    """`mixed_bfloat16` is about twice as fast where the processor has AMX."""
    start_from: Tensors | None = None
    """Weights to go on from (transfer learning)."""
    start_mean: tuple[float, ...] | None = None
    """With `start_from`: the normalisation those weights were trained with."""
    start_std: tuple[float, ...] | None = None
    on_epoch: Callable[[int, Mapping[str, float]], None] | None = None
    """Called after each epoch with its number (from 1) and figures."""


@dataclass(frozen=True)
class Trained:
    """Weights and all the facts a card needs."""

    net: NetKind
    tensors: dict[str, NDArray[np.float32]]
    bands: tuple[str, ...]
    level: ProductLevel
    mean: tuple[float, ...]
    std: tuple[float, ...]
    figures: Mapping[str, Any]
    """`training` and `validation`: accuracy, f1, recall, precision, confusion, samples."""
    history: tuple[Mapping[str, float], ...] = field(default=())
    """One entry per epoch."""

    def card(self, name: str, version: str, **more: Any) -> ModelCard:
        """A card for these weights; `more` sets any other field (threshold, description, ...)."""
        if self.net == "impact":
            more = {"classes": tuple(str(c) for c in IMPACT_CLASSES), "ores": dict(ORES), **more}
        facts = {"training": dict(self.figures), "paper": dict(PAPER_FIGURES[self.net]), **more}
        return ModelCard(name, version, self.net, self.level, self.bands, self.mean, self.std, **facts)


def train_discovery(
    windows: Windows,
    labels: Sequence[int] | NDArray[np.integer],
    places: Sequence[Any] | NDArray[Any],
    *,
    bands: Sequence[str],
    level: ProductLevel,
    options: TrainingOptions | None = None,
) -> Trained:
    """Train the discovery net.

    Args:
        windows: uint16 DN (n, 255, 255, band), or 201 px a side as in the paper; 0 = no data.
        labels: n numbers, 1 = mine or tailings dam, 0 = background.
        places: n names or numbers; windows of one place stay together in training or validation.
        bands: band names in the order of the last axis.
        level: product of the windows.
        options: see TrainingOptions.

    Raises:
        UsageError: shapes, labels or places cannot be used.
        MinediscError: losses or weights came to no finite number.
    """
    chosen = _with_rate(options, 1e-3)
    side = _checked_side(windows, labels, places, bands, (WINDOW_PX, CONTEXT_PX), 2)
    keras().utils.set_random_seed(chosen.seed)  # before the first weights are drawn
    network = build_discovery(len(bands), logits=True, policy=chosen.policy)
    return _train("discovery", network, windows, labels, places, tuple(bands), level, chosen, _crop_of(side))


def train_impact(
    patches: Windows,
    labels: Sequence[int] | NDArray[np.integer],
    places: Sequence[Any] | NDArray[Any],
    *,
    bands: Sequence[str],
    level: ProductLevel,
    options: TrainingOptions | None = None,
) -> Trained:
    """Train the impact net on (n, 21, 21, band) patches; labels 0 high, 1 low, 2 no ore.

    Other arguments and errors as in `train_discovery`; Adam's rate is 1e-4 by default.
    """
    chosen = _with_rate(options, 1e-4)
    _checked_side(patches, labels, places, bands, (PATCH_PX,), len(IMPACT_CLASSES))
    keras().utils.set_random_seed(chosen.seed)
    network = build_impact(len(bands), logits=True, policy=chosen.policy)
    return _train("impact", network, patches, labels, places, tuple(bands), level, chosen, PATCH_PX)


def _with_rate(options: TrainingOptions | None, learning_rate: float) -> TrainingOptions:
    given = options or TrainingOptions()
    return given if given.learning_rate else replace(given, learning_rate=learning_rate)


def _crop_of(side_px: int) -> int:
    """Leading pixels of a window that its middle cell needs (the rest would be computed in vain)."""
    middle = cells_along(side_px) // 2
    return side_px if middle == 0 else STRIDE_PX * (middle + 7) + 14


def _checked_side(
    windows: Windows, labels: Any, places: Any, bands: Sequence[str], sides: tuple[int, ...], classes: int
) -> int:
    shape = windows.shape
    if windows.dtype != np.uint16 or len(shape) != 4 or shape[1] != shape[2] or shape[1] not in sides:
        wanted = " or ".join(str(side) for side in sides)
        raise UsageError(f"the windows are {windows.dtype} {shape}", f"uint16 (n, side, side, band), side {wanted}")
    if shape[3] != len(bands):
        raise UsageError(f"the windows have {shape[3]} bands, {len(bands)} are named", "one name per band")
    if not shape[0] == len(labels) == len(places):
        raise UsageError(f"{shape[0]} windows, {len(labels)} labels, {len(places)} places", "one of each per window")
    found = sorted({int(label) for label in labels})
    if found != list(range(classes)):
        raise UsageError(f"the labels are {found}", f"each of {list(range(classes))} at least once")
    return int(shape[1])


def _train(
    net: NetKind, network: Any, windows: Windows, labels: Any, places: Any,
    bands: tuple[str, ...], level: ProductLevel, options: TrainingOptions, crop_px: int,
) -> Trained:  # fmt: skip
    started = time.monotonic()
    targets = np.asarray(labels, np.int32)
    training, validation = split_by_place(targets, np.asarray(places), options.validation_fraction, options.seed)
    mean, std = _normalisation(windows, training, options)
    _start_weights(network, options)
    fit = _Fit(network, windows, targets, mean, std, crop_px, options)
    history = fit.run(training, validation)
    figures = {
        **_facts(windows, places, options, started),
        "steps_left_out": fit.guard.left_out,
        "training": classification_figures(targets[training], fit.predict(training)),
        "validation": classification_figures(targets[validation], fit.predict(validation)),
    }
    tensors = get_tensors(network)
    return Trained(net, tensors, bands, level, tuple(mean.tolist()), tuple(std.tolist()), figures, tuple(history))


def _facts(windows: Windows, places: Any, options: TrainingOptions, started: float) -> dict[str, Any]:
    return {
        "windows": len(windows),
        "window_px": int(windows.shape[1]),
        "places": len(np.unique(np.asarray(places))),
        "epochs": options.epochs,
        "batch": options.batch,
        "learning_rate": options.learning_rate,
        "seed": options.seed,
        "policy": options.policy,
        "seconds": round(time.monotonic() - started, 1),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _normalisation(
    windows: Windows, training: NDArray[np.intp], options: TrainingOptions
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if options.start_mean and options.start_std:
        return np.asarray(options.start_mean, np.float32), np.asarray(options.start_std, np.float32)
    return band_statistics(windows, training)


def band_statistics(
    windows: Windows, chosen: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation per band over the pixels that have data in every band.

    The mean is rounded to a whole DN (subtracting it is then exact in any arithmetic); a constant
    band gets the deviation 1.

    Raises:
        UsageError: no pixel has data.
    """
    picked = range(len(windows)) if chosen is None else chosen
    bands = windows.shape[-1]
    count, total, squares = 0, np.zeros(bands), np.zeros(bands)
    for index in picked:
        pixels = windows[index].reshape(-1, bands)
        pixels = pixels[(pixels != 0).all(axis=1)].astype(np.float64)
        count += len(pixels)
        total += pixels.sum(axis=0)
        squares += (pixels**2).sum(axis=0)
    if not count:
        raise UsageError("the training windows hold no data", "DN above 0 in every band of some pixels")
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return np.round(mean).astype(np.float32), np.where(std < 1e-6, 1, std).astype(np.float32)


def _start_weights(network: Any, options: TrainingOptions) -> None:
    if options.start_from is not None:
        set_tensors(network, options.start_from)


class _Fit:
    """One training run: batches drawn from the uint16 windows, normalised and scored in the graph."""

    def __init__(
        self, network: Any, windows: Windows, labels: NDArray[np.int32],
        mean: NDArray[np.float32], std: NDArray[np.float32], crop_px: int, options: TrainingOptions,
    ) -> None:  # fmt: skip
        self.network, self.windows, self.labels, self.options = network, windows, labels, options
        self.crop_px = crop_px
        self.optimizer = clipped_adam(options.learning_rate)
        self.guard = StepGuard(options.policy)
        self.random = np.random.default_rng(options.seed)
        self.tf = tf = tensorflow()
        self._normalised = _normaliser(tf, mean, std)
        kind = tf.TensorSpec((None, crop_px, crop_px, windows.shape[-1]), tf.uint16)
        classes = tf.TensorSpec((None,), tf.int32)
        self._step = tf.function(self._step_eager, input_signature=[kind, classes], autograph=False)
        self._logits = tf.function(self._logits_eager, input_signature=[kind], autograph=False)

    def run(self, training: NDArray[np.intp], validation: NDArray[np.intp]) -> list[Mapping[str, float]]:
        """All epochs; keeps the weights of the best validation loss (the last ones without validation)."""
        history: list[Mapping[str, float]] = []
        best, kept = np.inf, self.network.get_weights()
        self.optimizer.build(self.network.trainable_variables)
        for epoch in range(1, self.options.epochs + 1):
            figures = {"loss": self._epoch(training), **self._validate(validation)}
            history.append(figures)
            score = figures.get("validation_loss", -epoch)
            if np.isfinite(figures["loss"]) and score < best:
                best, kept = score, self.network.get_weights()
            if self.options.on_epoch:
                self.options.on_epoch(epoch, figures)
        if self.options.epochs and not np.isfinite(best):
            raise self.guard.hopeless("the loss of every epoch")
        self.network.set_weights(kept)
        self.guard.check_weights(get_tensors(self.network))
        return history

    def _epoch(self, training: NDArray[np.intp]) -> float:
        order = balanced_order(self.labels, training, self.random)
        losses = []
        for start in range(0, len(order), self.options.batch):
            chosen = order[start : start + self.options.batch]
            loss, is_sound = self._step(self._batch(chosen, True), self.labels[chosen])
            if self.guard.heed(bool(is_sound)):
                losses.append(float(loss))
        return float(np.mean(losses)) if losses else math.nan

    def _batch(self, chosen: NDArray[np.intp], augment: bool) -> Windows:
        side = self.crop_px
        batch = np.empty((len(chosen), side, side, self.windows.shape[-1]), np.uint16)
        for slot, index in enumerate(chosen):
            turned = symmetry(self.windows[index], int(self.random.integers(8)) if augment else 0)
            batch[slot] = turned[:side, :side]
        return batch

    def _step_eager(self, pixels: Any, targets: Any) -> Any:
        tf = self.tf
        with tf.GradientTape() as tape:
            logits = self._middle(self.network(self._normalised(pixels), training=True))
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        variables = self.network.trainable_variables
        gradients, is_sound = only_finite(loss, tape.gradient(loss, variables))
        self.optimizer.apply(gradients, variables)
        return loss, is_sound

    def _logits_eager(self, pixels: Any) -> Any:
        return self._middle(self.network(self._normalised(pixels), training=False))

    def _middle(self, logits: Any) -> Any:
        if len(logits.shape) == 2:
            return logits
        middle = cells_along(self.crop_px) // 2
        return logits[:, middle, middle, :]

    def logits(self, chosen: NDArray[np.intp]) -> NDArray[np.float32]:
        """Logits of the middle cell, shape (n, classes), without dropout or augmentation."""
        size = self.options.batch
        parts = [self._logits(self._batch(chosen[k : k + size], False)).numpy() for k in range(0, len(chosen), size)]
        return np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, 1), np.float32)

    def predict(self, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """Most likely class of each window."""
        return self.logits(chosen).argmax(axis=1) if len(chosen) else np.zeros(0, np.intp)

    def _validate(self, validation: NDArray[np.intp]) -> dict[str, float]:
        if not len(validation):
            return {}
        logits, targets = self.logits(validation).astype(np.float64), self.labels[validation]
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        accuracy = float((logits.argmax(axis=1) == targets).mean())
        loss = float(-log_p[np.arange(len(targets)), targets].mean())
        return {"validation_loss": loss, "validation_accuracy": accuracy}


def _normaliser(tf: Any, mean: NDArray[np.float32], std: NDArray[np.float32]) -> Callable[[Any], Any]:
    scale = (1 / std).astype(np.float32)

    def normalised(pixels: Any) -> Any:
        has_data = tf.reduce_all(pixels > 0, axis=-1, keepdims=True)
        centred = (tf.cast(pixels, tf.float32) - mean) * scale
        return tf.where(has_data, centred, 0.0)

    return normalised


def symmetry(window: NDArray[Any], which: int) -> NDArray[Any]:
    """One of the eight symmetries (0..7) of a square (side, side, band) array; 0 leaves it as it is."""
    turned = np.rot90(window, which % 4)
    return turned[:, ::-1] if which >= 4 else turned
