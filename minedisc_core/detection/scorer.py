"""The nets at work in TensorFlow, the reference: uint16 DN in, features and scores out (imported lazily).

Normalisation is folded in (`detection.centring`). Each call runs in one thread; the scan scores several
tiles at once.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection import spread
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.centring import centre, folded
from minedisc_core.detection.models import Model, load_tensors
from minedisc_core.detection.networks import MINE, TRUNK_LAYERS, Tensors, keras, tensorflow
from minedisc_core.detection.patch_cards import PatchCard
from minedisc_core.detection.patch_net import load_patch_net
from minedisc_core.detection.scan import Net
from minedisc_core.domain import IMPACT_CLASSES
from minedisc_core.errors import ModelError

IMPACT_BATCH = 256
ALIGNED_BYTES = 64
"""TensorFlow takes memory that begins at such a multiple as it is, without a copy."""


class DiscoveryNet:
    """Trunk and head of a discovery net (`scan.Net`); safe from several threads at once."""

    def __init__(self, card: ModelCard, tensors: Tensors, threads: int | None = None) -> None:
        self.card = card
        self._tf = tf = tensorflow(threads)
        weights = {name: tf.constant(values) for name, values in folded(tensors, card).items()}
        pixels = tf.TensorSpec((None, None, len(card.bands)), tf.float32)
        kept = tf.TensorSpec((None, None, spread.feature_channels(card.head, len(card.bands))), tf.float32)
        trunk, head = _graph(tf, weights) if card.ground is None else _spread_graph(tf, weights, card.ground)
        self._trunk = tf.function(trunk, input_signature=[pixels], autograph=False)
        self._head = tf.function(head, input_signature=[kept], autograph=False)
        self._mean = np.asarray(card.mean, np.float32)
        self._scratch = threading.local()

    def trunk(self, dn: NDArray[np.uint16], no_data: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Features (h // 27, w // 27, 64) of DN (h, w, band); pixels in `no_data` count as the band mean.

        With the spread head the ground's blocks follow the 64.

        Raises:
            ModelError: TensorFlow gave up (for example: no memory).
        """
        centred = self._centred(dn, no_data)
        try:
            shared = self._tf.experimental.dlpack.from_dlpack(centred.__dlpack__())
            return np.array(self._trunk(shared).numpy()[0])
        except self._tf.errors.OpError as error:
            raise _engine_error(error) from error

    def _centred(self, dn: NDArray[np.uint16], no_data: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """DN minus the mean, no data 0, float32, in memory of this thread that TensorFlow reads in place."""
        centred = self._memory(dn.size)[: dn.size].reshape(dn.shape)
        centre(dn, no_data, self._mean, centred)
        return centred

    def _memory(self, size: int) -> NDArray[np.float32]:
        """At least `size` float32 numbers that begin at a multiple of 64 bytes, kept for the next tile."""
        held: NDArray[np.float32] | None = getattr(self._scratch, "memory", None)
        if held is None or len(held) < size:
            raw = np.empty(4 * size + ALIGNED_BYTES, np.uint8)
            start = -raw.ctypes.data % ALIGNED_BYTES
            held = raw[start : start + 4 * size].view(np.float32)
            self._scratch.memory = held
        return held

    def head(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (h - 6, w - 6), 0..1, of features as `trunk` gives them."""
        try:
            return np.asarray(self._head(features).numpy())
        except self._tf.errors.OpError as error:
            raise _engine_error(error) from error


def _engine_error(error: Any) -> ModelError:
    return ModelError(
        f"TensorFlow could not run the net: {error.message[:300]}", "enough free memory", "resume the run"
    )


def _graph(tf: Any, weights: dict[str, Any]) -> tuple[Any, Any]:
    def convolved(flow: Any, name: str, padding: str) -> Any:
        return tf.nn.bias_add(tf.nn.conv2d(flow, weights[f"{name}/kernel"], 1, padding), weights[f"{name}/bias"])

    def trunk(centred: Any) -> Any:
        flow = centred[None]
        for name in TRUNK_LAYERS:
            flow = tf.nn.max_pool2d(tf.nn.relu(convolved(flow, name, "SAME")), 3, 3, "VALID")
        return flow

    def head(features: Any) -> Any:
        flow = tf.nn.relu(convolved(features[None], "context", "VALID"))
        return tf.nn.softmax(convolved(flow, "output", "VALID"))[0, :, :, MINE]

    return trunk, head


def _spread_graph(tf: Any, weights: dict[str, Any], ground: spread.Ground) -> tuple[Any, Any]:
    ops = keras().ops
    convolutions, _ = _graph(tf, weights)
    scale = tf.reshape(weights["standard/kernel"], (-1,))

    def trunk(centred: Any) -> Any:
        return tf.concat([convolutions(centred), spread.ground_blocks(ops, centred[None], ground)], axis=-1)

    def head(features: Any) -> Any:
        standard = spread.cell_numbers(ops, features[None]) * scale + weights["standard/bias"]
        return spread.score(ops, tf.tensordot(standard, weights["output/kernel"][0, 0], 1) + weights["output/bias"])[0]

    return trunk, head


class ImpactNet:
    """An impact net: probabilities of high, low, no ore for 21 px patches."""

    def __init__(self, card: ModelCard, tensors: Tensors, threads: int | None = None) -> None:
        self.card = card
        tf = tensorflow(threads)
        weights = {name: tf.constant(values) for name, values in folded(tensors, card).items()}
        spec = tf.TensorSpec((None, None, None, len(card.bands)), tf.uint16)
        self._run = tf.function(_impact_graph(tf, weights, card), input_signature=[spec], autograph=False)

    def probabilities(self, patches: NDArray[np.uint16]) -> NDArray[np.float32]:
        """(n, 3), each row summing to 1, for DN patches (n, 21, 21, band); 0 = no data."""
        parts = [
            self._run(patches[start : start + IMPACT_BATCH]).numpy() for start in range(0, len(patches), IMPACT_BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(IMPACT_CLASSES)), np.float32)


def _impact_graph(tf: Any, weights: dict[str, Any], card: ModelCard) -> Any:
    mean = tf.constant(np.asarray(card.mean, np.float32))

    def run(dn: Any) -> Any:
        has_data = tf.reduce_all(dn > 0, axis=-1, keepdims=True)
        flow = tf.where(has_data, tf.cast(dn, tf.float32) - mean, 0.0)
        for name in ("conv1", "conv2"):
            flow = tf.nn.bias_add(tf.nn.conv2d(flow, weights[f"{name}/kernel"], 1, "SAME"), weights[f"{name}/bias"])
            flow = tf.nn.max_pool2d(tf.nn.relu(flow), 2, 2, "SAME")
        flow = tf.reshape(flow, (tf.shape(flow)[0], -1))
        flow = tf.nn.relu(flow @ weights["dense/kernel"] + weights["dense/bias"])
        return tf.nn.softmax(flow @ weights["output/kernel"] + weights["output/bias"])

    return run


def discovery_net(model: Model, threads: int | None = None) -> Net:
    """The net of a model that finds mines, ready to score: the paper's, or a patch net of other people.

    Raises:
        ModelError: the weights cannot be used.
    """
    if isinstance(model.discovery, PatchCard):
        return load_patch_net(model.folder, model.discovery, threads)
    return DiscoveryNet(model.discovery, load_tensors(model, "discovery"), threads)


def impact_net(model: Model, threads: int | None = None) -> ImpactNet | None:
    """The impact net of a model, None if it has none.

    Raises:
        ModelError: the weights cannot be used.
    """
    if model.impact is None:
        return None
    return ImpactNet(model.impact, load_tensors(model, "impact"), threads)
