"""The two nets: the discovery net (paper section 5.2.3, FCN; or with the spread head) and the impact net (5.2.4, CNN).

Both take z-scored float32 pixels (no data = 0 after the z-score), shape (batch, height, width, band).
The weights travel as a mapping from tensor name to array (`conv1/kernel`, `conv1/bias`, ...), so that
the architecture lives here alone and a weights file can hold nothing but numbers.
TensorFlow is imported on first use: it costs seconds and hundreds of megabytes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection import spread
from minedisc_core.detection.spread import FEATURES, Ground, HeadKind
from minedisc_core.domain import IMPACT_CLASSES
from minedisc_core.errors import ModelError

NetKind = Literal["discovery", "impact"]
Tensors = Mapping[str, NDArray[np.floating]]
"""Weights by name: `<layer>/kernel` and `<layer>/bias`."""

MINE = 1
"""Index of "mine or tailings dam" in the discovery net's two outputs; 0 is background."""
TRUNK_LAYERS = ("conv1", "conv2", "conv3")
HEAD_LAYERS: Mapping[HeadKind, tuple[str, ...]] = {"context": ("context", "output"), "spread": ("standard", "output")}
"""Layers of each head, in order; `standard` brings the numbers of `detection.spread` to mean 0 and deviation 1."""
DROPOUT = 0.5
_FILTERS = {"conv1": 32, "conv2": 64, "conv3": FEATURES, "context": 64}
_DENSE = 1024
_IMPACT_POOLED_SIDE = 6
"""21 px after two poolings of 2 with padding: 11, then 6."""


def tensorflow(threads: int | None = None) -> Any:
    """The TensorFlow module, imported once and quietly.

    Args:
        threads: most threads an operation may use; only the first call in a process can set it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _quiet():
        import tensorflow as tf
    if threads and tf.config.threading.get_intra_op_parallelism_threads() != threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        except RuntimeError:  # already started in this process: its thread pool stays as it is
            return tf
    return tf


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on stderr while TensorFlow's libraries greet each other, before any log level counts."""
    if "tensorflow" in sys.modules:
        yield
        return
    kept, silent = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silent, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)


def keras() -> Any:
    """The Keras module on the TensorFlow backend."""
    tensorflow()
    import keras as module

    return module


def tensor_shapes(net: NetKind, bands: int, head: HeadKind = "context") -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a net for `bands` bands, in the order of the layers."""
    kernels: dict[str, tuple[int, ...]]
    if net == "discovery":
        kernels = {"conv1": (3, 3, bands, 32), "conv2": (3, 3, 32, 64), "conv3": (3, 3, 64, FEATURES)}
        count = spread.number_count(bands)
        if head == "spread":
            kernels |= {"standard": (1, 1, count, 1), "output": (1, 1, count, 2)}
        else:
            kernels |= {"context": (7, 7, FEATURES, 64), "output": (1, 1, 64, 2)}
    else:
        flat = _IMPACT_POOLED_SIDE**2 * 64
        kernels = {
            "conv1": (2, 2, bands, 32),
            "conv2": (2, 2, 32, 64),
            "dense": (flat, _DENSE),
            "output": (_DENSE, len(IMPACT_CLASSES)),
        }
    return {f"{name}/{part}": shape for name, kernel in kernels.items() for part, shape in _parts(kernel)}


def _parts(kernel: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    """Kernel and bias; a kernel with one output works on each channel by itself."""
    return [("kernel", kernel), ("bias", kernel[-1:] if kernel[-1] > 1 else kernel[-2:-1])]


def parameter_count(net: NetKind, bands: int, head: HeadKind = "context") -> int:
    """Number of parameters: 259,810 (discovery), 60,466 (its spread head instead), 2,373,219 (impact); 12 bands."""
    return sum(prod(shape) for shape in tensor_shapes(net, bands, head).values())


def build_discovery(
    bands: int, *, logits: bool = False, policy: str = "float32", side_px: int | None = None,
    ground: Ground | None = None,
) -> Any:  # fmt: skip
    """The discovery net: a Keras model, any side of at least 189 px in, `side // 27 - 6` cells a side out.

    Args:
        bands: number of bands.
        logits: leave the softmax out (for a numerically sound cross-entropy in training).
        policy: Keras dtype policy; `mixed_bfloat16` trains about twice as fast on some processors.
        side_px: fixed input side; None takes any.
        ground: build the spread head, which looks at the ground with these; None builds the paper's head.

    Returns:
        A model from (n, h, w, bands) z-scored float32 to (n, cells, cells, 2): background, mine. Logits of the spread
        head are its two log odds instead (`detection.spread`).
    """
    layers = keras().layers
    given = keras().Input((side_px, side_px, bands))
    flow = given
    for name in TRUNK_LAYERS:
        flow = layers.Conv2D(_FILTERS[name], 3, padding="same", activation="relu", name=name, dtype=policy)(flow)
        flow = layers.MaxPooling2D(3, name=f"pool_{name}", dtype=policy)(flow)
    scores = _context_head(flow, logits, policy) if ground is None else _spread_head(given, flow, logits, ground)
    return keras().Model(given, scores, name="discovery")


def _context_head(flow: Any, logits: bool, policy: str) -> Any:
    layers = keras().layers
    flow = layers.Conv2D(64, 7, padding="valid", activation="relu", name="context", dtype=policy)(flow)
    flow = layers.Dropout(DROPOUT, name="dropout", dtype=policy)(flow)
    return layers.Conv2D(2, 1, activation=None if logits else "softmax", name="output", dtype="float32")(flow)


def _spread_head(given: Any, features: Any, logits: bool, ground: Ground) -> Any:
    layers, ops = keras().layers, keras().ops
    blocks = spread.ground_blocks(ops, given * ground.std, ground)
    numbers = spread.cell_numbers(ops, ops.concatenate([ops.cast(features, "float32"), blocks], axis=-1))
    standard = layers.DepthwiseConv2D(1, name="standard", dtype="float32")
    flow = layers.Dropout(DROPOUT, name="dropout", dtype="float32")(standard(numbers))
    standard.trainable = False
    odds = layers.Conv2D(2, 1, name="output", dtype="float32")(flow)
    if logits:
        return odds
    score = ops.expand_dims(spread.score(ops, odds), -1)
    return ops.concatenate([1 - score, score], axis=-1)


def build_impact(bands: int, *, logits: bool = False, policy: str = "float32") -> Any:
    """The impact net: a Keras model from (n, 21, 21, bands) z-scored float32 to (n, 3).

    The outputs are high, low, no ore (`domain.IMPACT_CLASSES`). Arguments as in `build_discovery`.
    """
    layers = keras().layers
    given = keras().Input((21, 21, bands))
    flow = given
    for name, filters in (("conv1", 32), ("conv2", 64)):
        flow = layers.Conv2D(filters, 2, padding="same", activation="relu", name=name, dtype=policy)(flow)
        flow = layers.MaxPooling2D(2, padding="same", name=f"pool_{name}", dtype=policy)(flow)
    flow = layers.Flatten(name="flatten", dtype=policy)(flow)
    flow = layers.Dense(_DENSE, activation="relu", name="dense", dtype=policy)(flow)
    flow = layers.Dropout(DROPOUT, name="dropout", dtype=policy)(flow)
    final = layers.Dense(len(IMPACT_CLASSES), activation=None if logits else "softmax", name="output", dtype="float32")
    return keras().Model(given, final(flow), name="impact")


def trunk_view(discovery: Any) -> Any:
    """The trunk of a discovery net, sharing its weights: conv1 .. pool3, one 64-vector per 27 px."""
    return keras().Model(discovery.input, discovery.get_layer("pool_conv3").output, name="trunk")


def head_view(discovery: Any) -> Any:
    """The head of a discovery net, sharing its weights: features (n, h, w, 64) to (n, h - 6, w - 6, 2)."""
    given = keras().Input((None, None, FEATURES))
    flow = given
    for name in ("context", "dropout", "output"):
        flow = discovery.get_layer(name)(flow)
    return keras().Model(given, flow, name="head")


def get_tensors(network: Any) -> dict[str, NDArray[np.float32]]:
    """The weights of a Keras net by tensor name, float32."""
    found = {}
    for layer in network.layers:
        for part, values in zip(("kernel", "bias"), layer.get_weights(), strict=False):
            found[f"{layer.name}/{part}"] = np.asarray(values, np.float32)
    return found


def set_tensors(network: Any, tensors: Tensors) -> None:
    """Put weights in a Keras net.

    Raises:
        ModelError: a tensor is missing or has another shape.
    """
    for layer in network.layers:
        if layer.weights:
            values = [_tensor(tensors, f"{layer.name}/{part}") for part in ("kernel", "bias")]
            shapes = [tuple(weight.shape) for weight in layer.weights]
            if [value.shape for value in values] != shapes:
                raise ModelError(f"layer {layer.name} was given {[v.shape for v in values]}", f"shapes {shapes}")
            layer.set_weights(values)


def _tensor(tensors: Tensors, name: str) -> NDArray[np.float32]:
    if name not in tensors:
        raise ModelError(f"there is no tensor {name!r}", "all tensors of the net", "use the whole weights file")
    return np.asarray(tensors[name], np.float32)


def keras_bytes(net: NetKind, tensors: Tensors, scratch: Path, ground: Ground | None = None) -> bytes:
    """The net as a `.keras` file: takes z-scored float32 pixels, gives probabilities.

    Args:
        net: kind of net.
        tensors: its weights.
        scratch: folder to write in.
        ground: of a discovery net with the spread head.

    Raises:
        ModelError: a tensor is missing or has another shape.
    """
    bands = int(tensors["conv1/kernel"].shape[2])
    network = build_impact(bands) if net == "impact" else build_discovery(bands, ground=ground)
    set_tensors(network, tensors)
    path = scratch / f"{net}.keras"
    network.save(path)
    return path.read_bytes()
