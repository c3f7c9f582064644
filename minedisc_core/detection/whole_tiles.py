"""Patch nets that may run over a whole tile at once, because that provably gives each patch the same score.

A net of convolutions and poolings without padding looks only at pixels of its window. If all its strides together
divide the step between two patches, the numbers that it makes of a patch are those that it makes of the scene at the
patch's place, and what follows (flatten and dense, or a global pooling) is a convolution over them. Padding (`same`)
puts zeros around each patch where the scene has pixels: such a net is scored patch by patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minedisc_core.detection.architecture import Architecture, Layer, own_name
from minedisc_core.detection.networks import keras
from minedisc_core.detection.plain_layers import LAYERS


@dataclass(frozen=True)
class Split:
    """Where a net stops looking at windows."""

    windows: int
    """Its first layers, each of which sees a window or a single place."""
    stride_px: int
    """Pixels between two places of what they make."""
    side: int
    """Places a side that they make of a patch."""
    step: int
    """Places between two patches."""


def split_for_tiles(architecture: Architecture, stride_px: int) -> Split | None:
    """How the net runs over a whole tile, or None: it must be scored patch by patch.

    Args:
        architecture: of a net for one patch.
        stride_px: between two patches.
    """
    windows = _windows(architecture)
    if windows is None:
        return None
    moved = [_strides(layer) for layer in architecture.layers[:windows]]
    down, right = (int(np.prod([pair[axis] for pair in moved], dtype=np.int64)) for axis in (0, 1))
    shape = architecture.layers[windows - 1].sized.shape if windows else architecture.input_shape
    is_square = down == right and shape[0] == shape[1] and architecture.input_shape[0] == architecture.input_shape[1]
    if not is_square or stride_px % down:
        return None
    return Split(windows, down, shape[0], stride_px // down)


def _windows(architecture: Architecture) -> int | None:
    """Number of leading layers that see windows; None if the rest is not understood."""
    layers = architecture.layers
    reaches = [LAYERS[layer.kind].reach for layer in layers]
    if not architecture.is_chain or "other" in reaches or any(_is_padded(layer) for layer in layers):
        return None
    windows = next((k for k, reach in enumerate(reaches) if reach in ("closing", "dense")), len(layers))
    rest = layers[windows + 1 :]
    if "window" in reaches[windows:] or "closing" in reaches[windows + 1 :]:
        return None
    if windows < len(layers) and layers[windows].kind == "Flatten":
        before_dense = next((k for k, layer in enumerate(rest) if layer.kind == "Dense"), None)
        if before_dense is None or any(not _is_for_training(layer) for layer in rest[:before_dense]):
            return None
    has_one_place = windows < len(layers) or layers[-1].sized.shape[:2] == (1, 1)
    return windows if has_one_place else None


def _is_for_training(layer: Layer) -> bool:
    return layer.kind in ("Dropout", "GaussianDropout", "GaussianNoise")


def _is_padded(layer: Layer) -> bool:
    return layer.settings.get("padding") == "same"


def _strides(layer: Layer) -> tuple[int, int]:
    if LAYERS[layer.kind].reach != "window":
        return 1, 1
    default = layer.settings.get("pool_size", (2, 2)) if "Pooling" in layer.kind else (1, 1)
    pair: tuple[int, int] = layer.settings.get("strides") or default
    return pair


def tile_network(network: Any, architecture: Architecture, split: Split) -> Any:
    """A Keras model from (1, h, w, bands) to (1, patches, patches, classes), sharing or copying the net's weights."""
    module = keras()
    given = flow = module.Input((None, None, architecture.input_shape[2]))
    for number in range(split.windows):
        flow = network.get_layer(own_name(number))(flow)
    rest = list(enumerate(architecture.layers))[split.windows :]
    copied: list[tuple[Any, Any]] = []
    if not rest or rest[0][1].kind == "Dense":
        flow = module.layers.MaxPooling2D(1, strides=split.step)(flow)
    for number, layer in rest:
        if layer.kind == "Flatten":
            dense = next(k for k, later in rest if later.kind == "Dense")
            window = _as_window(architecture.layers[dense], split)
            copied.append((window, network.get_layer(own_name(dense))))
            flow = window(flow)
        elif LAYERS[layer.kind].reach == "closing":
            kind = layer.kind.removeprefix("Global")
            flow = getattr(module.layers, kind)(split.side, strides=split.step)(flow)
        elif not (copied and copied[0][1] is network.get_layer(own_name(number))):
            flow = _anew(network.get_layer(own_name(number)), flow, copied)
    made = module.Model(given, flow)
    for new, old in copied:
        _copy_weights(new, old)
    return made


def _as_window(dense: Layer, split: Split) -> Any:
    settings = {key: dense.settings[key] for key in ("use_bias", "activation") if key in dense.settings}
    return keras().layers.Conv2D(dense.settings["units"], split.side, strides=split.step, dtype="float32", **settings)


def _anew(layer: Any, flow: Any, copied: list[tuple[Any, Any]]) -> Any:
    """The layer after a flattening was made for rows of numbers; over places it is made again."""
    new = layer.__class__.from_config({**layer.get_config(), "name": f"{layer.name}_of_places"})
    copied.append((new, layer))
    return new(flow)


def _copy_weights(new: Any, old: Any) -> None:
    values = [value.reshape(made.shape) for value, made in zip(old.get_weights(), new.weights, strict=True)]
    if values:
        new.set_weights(values)
