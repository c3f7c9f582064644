"""The graph that a training runs on: normalise, augment, score, one step of Adam.

It holds the same net as `detection.networks` with the same variables, but takes the largest of each pool before it
adds the bias and cuts off below zero: the same numbers (both keep the order of the values), for a ninth of the work.
No data enters as the band mean. All randomness is drawn from the seed and the number of the step, so that a training
that is resumed draws what it would have drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection import spread
from minedisc_core.detection.networks import TRUNK_LAYERS, NetKind, build_discovery, build_impact, keras, tensorflow
from minedisc_core.detection.spread import Ground
from minedisc_core.errors import UsageError
from minedisc_core.grid import STRIDE_PX, cells_along
from minedisc_core.learning.precision import Policy
from minedisc_core.learning.recipes import Recipe
from minedisc_core.learning.soundness import only_finite

_READY_AT_ONCE = 32


@dataclass(frozen=True)
class Settled:
    """What a graph is built for."""

    net: NetKind
    recipe: Recipe
    rate: float
    """Adam's."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    side_px: int
    """Of the windows that enter."""
    policy: Policy
    seed: int = 0
    class_weights: tuple[float, ...] | None = None
    dark: tuple[float, ...] = ()
    """Per band, for the spread head."""
    is_ready: bool = False
    """The windows hold the bits of normalised bfloat16 (see `ready_windows`) instead of DN."""


class TrainingGraph:
    """A net with its optimizer; `step` teaches it, `logits` asks it."""

    def __init__(self, settled: Settled) -> None:
        self.settled = settled
        self.tf = tf = tensorflow()
        keras().utils.set_random_seed(settled.seed)  # before the first weights are drawn
        self.ground = Ground.of(settled.mean, settled.std, settled.dark) if settled.dark else None
        bands = len(settled.mean)
        self.network = (
            build_impact(bands, logits=True)
            if settled.net == "impact"
            else build_discovery(bands, logits=True, ground=self.ground)
        )
        self.optimizer = _adam(settled)
        self.optimizer.build(self.network.trainable_variables)
        self._type = tf.bfloat16 if settled.policy == "mixed_bfloat16" else tf.float32
        self._normalised = normaliser(settled.mean, settled.std)
        pixels = tf.TensorSpec((None, settled.side_px, settled.side_px, len(settled.mean)), tf.uint16)
        targets, number = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)
        self.step = tf.function(self._step, input_signature=[pixels, targets, number], autograph=False)
        """(pixels, classes, number of the step) to (loss, right guesses, whether all is finite)."""
        self.logits = tf.function(self._logits, input_signature=[pixels], autograph=False)
        """Pixels to the logits of the middle cell, (n, classes), without dropout or augmentation."""
        self.numbers = tf.function(self._numbers, input_signature=[pixels], autograph=False)
        """Spread head: pixels to what the head sees of the middle cell, (n, k)."""

    def _step(self, pixels: Any, targets: Any, number: Any) -> Any:
        tf = self.tf
        seed = tf.stack([tf.constant(self.settled.seed % 2**31, tf.int32), number])
        with tf.GradientTape() as tape:
            logits = self._forward(self._augmented(self._entering(pixels), seed), seed)
            loss = self._loss(targets, logits)
        variables = self.network.trainable_variables
        gradients, is_sound = only_finite(loss, tape.gradient(loss, variables))
        self.optimizer.apply(gradients, variables)
        right = tf.reduce_sum(tf.cast(tf.argmax(logits, -1, tf.int32) == targets, tf.int32))
        return loss, right, is_sound

    def _logits(self, pixels: Any) -> Any:
        return self._forward(self._entering(pixels), None)

    def _numbers(self, pixels: Any) -> Any:
        return self._seen(self._entering(pixels))

    def _entering(self, pixels: Any) -> Any:
        if self.settled.is_ready:
            return self.tf.bitcast(pixels, self.tf.bfloat16)
        return self.tf.cast(self._normalised(pixels), self._type)

    def _augmented(self, flow: Any, seed: Any) -> Any:
        """Shifts of brightness and colour, and noise, on the pixels that have data."""
        tf, recipe = self.tf, self.settled.recipe
        shapes = {"brightness": (1, 1, 1), "band_jitter": (1, 1, flow.shape[-1])}
        moved = flow
        for salt, (name, shape) in enumerate(shapes.items()):
            reach = getattr(recipe, name)
            if reach:
                drawn = tf.random.stateless_uniform(
                    (tf.shape(flow)[0], *shape), self._salted(seed, salt), -reach, reach
                )
                moved += tf.cast(drawn, flow.dtype)
        if recipe.noise:
            drawn = tf.random.stateless_normal(tf.shape(flow), self._salted(seed, 2), stddev=recipe.noise)
            moved += tf.cast(drawn, flow.dtype)
        if moved is flow:
            return flow
        has_data = tf.reduce_any(flow != 0, axis=-1, keepdims=True)
        return tf.where(has_data, moved, flow)

    def _loss(self, targets: Any, logits: Any) -> Any:
        tf, smoothing = self.tf, self.settled.recipe.label_smoothing
        classes = logits.shape[-1]
        wanted = tf.one_hot(targets, classes) * (1 - smoothing) + smoothing / classes
        each = tf.nn.softmax_cross_entropy_with_logits(wanted, logits)
        if self.settled.class_weights is not None:
            each *= tf.gather(tf.constant(self.settled.class_weights, tf.float32), targets)
        return tf.reduce_mean(each)

    def _forward(self, flow: Any, seed: Any) -> Any:
        """Logits of the middle cell; with dropout if there is a seed."""
        return self._discovery(flow, seed) if self.settled.net == "discovery" else self._impact(flow, seed)

    def _discovery(self, flow: Any, seed: Any) -> Any:
        tf = self.tf
        if self.ground is not None:
            scale, shift = (part.value for part in self.network.get_layer("standard").weights)
            standard = self._seen(flow) * tf.reshape(scale, (-1,)) + shift
            odds = spread.joint_odds(keras().ops, self._last(self._dropped(standard, seed)))
            return tf.stack([tf.zeros_like(odds), odds], axis=-1)
        kernel, bias = self._weights("context")
        context = tf.nn.relu(tf.nn.conv2d(self._trunk(flow), kernel, 1, "VALID") + bias)
        return self._last(self._dropped(self._middle(context), seed))

    def _seen(self, flow: Any) -> Any:
        """What the spread head sees of the middle cell, (n, k)."""
        tf, ops, ground = self.tf, keras().ops, self.ground
        if ground is None:
            raise UsageError("this net has the paper's head", "a net with the spread head")
        blocks = spread.ground_blocks(ops, tf.cast(flow, tf.float32) * ground.std, ground)
        features = tf.cast(self._trunk(flow), tf.float32)
        return self._middle(spread.cell_numbers(ops, tf.concat([features, blocks], axis=-1)))

    def _trunk(self, flow: Any) -> Any:
        tf = self.tf
        for name in TRUNK_LAYERS:
            kernel, bias = self._weights(name)
            flow = tf.nn.relu(tf.nn.max_pool2d(tf.nn.conv2d(flow, kernel, 1, "SAME"), 3, 3, "VALID") + bias)
        return flow

    def _middle(self, cells: Any) -> Any:
        middle = cells_along(self.settled.side_px) // 2
        return cells[:, middle, middle, :]

    def _impact(self, flow: Any, seed: Any) -> Any:
        tf = self.tf
        for name in ("conv1", "conv2"):
            kernel, bias = self._weights(name)
            flow = tf.nn.relu(tf.nn.max_pool2d(tf.nn.conv2d(flow, kernel, 1, "SAME"), 2, 2, "SAME") + bias)
        kernel, bias = self._weights("dense")
        flow = tf.reshape(flow, (-1, kernel.shape[0]))
        return self._last(self._dropped(tf.nn.relu(flow @ kernel + bias), seed))

    def _last(self, flow: Any) -> Any:
        layer = self.network.get_layer("output")
        kernel = self.tf.reshape(layer.kernel.value, (flow.shape[-1], -1))
        return self.tf.cast(flow, self.tf.float32) @ kernel + layer.bias.value

    def _dropped(self, flow: Any, seed: Any) -> Any:
        recipe = self.settled.recipe
        share = recipe.dropout if self.ground is None else recipe.spread_dropout
        if seed is None or not share:
            return flow
        return self.tf.nn.experimental.stateless_dropout(flow, share, self._salted(seed, 3))

    def _salted(self, seed: Any, salt: int) -> Any:
        return self.tf.random.fold_in(seed, salt)

    def _weights(self, name: str) -> tuple[Any, Any]:
        layer = self.network.get_layer(name)
        return tuple(self.tf.cast(part.value, self._type) for part in (layer.kernel, layer.bias))


def _adam(settled: Settled) -> Any:
    recipe = settled.recipe
    optimizer = keras().optimizers.Adam(
        settled.rate, weight_decay=recipe.weight_decay or None, global_clipnorm=recipe.clip_norm
    )
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def normaliser(mean: Sequence[float], std: Sequence[float]) -> Any:
    """A function for a graph: DN uint16 (..., band) to float32 z-scores, no data (a 0 in any band) to 0."""
    tf = tensorflow()
    shift, scale = np.asarray(mean, np.float32), (1 / np.asarray(std, np.float32)).astype(np.float32)

    def normalised(pixels: Any) -> Any:
        has_data = tf.reduce_all(pixels > 0, axis=-1, keepdims=True)
        return tf.where(has_data, (tf.cast(pixels, tf.float32) - shift) * scale, 0.0)

    return normalised


def ready_windows(
    windows: NDArray[np.uint16], mean: Sequence[float], std: Sequence[float], into: NDArray[np.uint16] | None = None
) -> NDArray[np.uint16]:
    """Normalised windows as bfloat16, held as their bits (uint16): what the first layer would see anyway.

    Normalising is two fifths of a bfloat16 step, and the same in every epoch.

    Args:
        windows: DN (n, side, side, band), 0 = no data.
        mean: per band.
        std: per band.
        into: memory of that shape to fill; None takes new memory.
    """
    tf = tensorflow()
    normalised = normaliser(mean, std)
    whole = tf.function(
        lambda pixels: tf.bitcast(tf.cast(normalised(pixels), tf.bfloat16), tf.uint16),
        input_signature=[tf.TensorSpec((None, *windows.shape[1:]), tf.uint16)],
        autograph=False,
    )
    filled = np.empty_like(windows) if into is None else into
    for start in range(0, len(windows), _READY_AT_ONCE):
        filled[start : start + _READY_AT_ONCE] = whole(windows[start : start + _READY_AT_ONCE]).numpy()
    return filled


def needed_px(side_px: int) -> int:
    """Leading pixels of a discovery window that its middle cell needs (the rest would be computed in vain)."""
    middle = cells_along(side_px) // 2
    return side_px if middle == 0 else STRIDE_PX * (middle + 7) + 14
