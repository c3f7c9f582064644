"""The Keras layers that a model of other people may be made of: what may be set, what comes out, what it costs.

A layer that is not in `LAYERS` is refused, and so is a setting that its entry does not name. Only names, numbers
and yes or no are ever taken from a file; Keras' own objects are made from them by `architecture`, so that nothing
in a file is deserialised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Shape = tuple[int, ...]
"""Of one sample, without the batch: (height, width, channels) or (numbers,)."""
Settings = Mapping[str, Any]
ACTIVATIONS = (
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "mish", "softplus", "softsign",
    "tanh", "sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "exponential", "softmax",
)  # fmt: skip
_LARGEST_SIDE = 128
_LARGEST_WIDTH = 16_384


@dataclass(frozen=True)
class Sized:
    """What a layer makes of a sample."""

    shape: Shape
    parameters: int = 0
    multiply_adds: int = 0


Reach = Literal["point", "window", "closing", "dense", "other"]
"""Which pixels a number sees: its own; a window; the whole patch; all numbers (dense); something else."""


@dataclass(frozen=True)
class PlainLayer:
    """A layer that is allowed."""

    settings: Mapping[str, Callable[[object], Any]]
    """What may be set, each with a check that gives the value for Keras or raises ValueError."""
    sized: Callable[[Settings, Sequence[Shape]], Sized]
    reach: Reach = "other"
    inputs: tuple[int, int] = (1, 1)
    """Least and most inputs."""


def whole(most: int, least: int = 1) -> Callable[[object], int]:
    """A check for whole numbers."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"{str(value)[:60]} is no whole number from {least} to {most:,}")
        return value

    return check


def _pair(value: object) -> tuple[int, int]:
    check = whole(_LARGEST_SIDE)
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise ValueError(f"{str(value)[:60]} is no pair of numbers")
        return check(value[0]), check(value[1])
    return check(value), check(value)


def _pair_or_none(value: object) -> tuple[int, int] | None:
    return None if value is None else _pair(value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:60]} is no finite number")
    return float(value)


def _number_or_none(value: object) -> float | None:
    return None if value is None else _number(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{str(value)[:60]} is neither true nor false")
    return value


def _one_of(*words: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"{str(value)[:60]!r} is not one of {', '.join(words)}")
        return value

    return check


def _last_axis(value: object) -> int:
    axis = value[0] if isinstance(value, list) and len(value) == 1 else value
    if axis not in (-1, 3) or isinstance(axis, bool):
        raise ValueError(f"the axis is {str(value)[:60]}, not the last")
    return -1


def _padding(value: object) -> tuple[tuple[int, int], tuple[int, int]]:
    check = whole(_LARGEST_SIDE, 0)
    if isinstance(value, int):
        value = [[value, value], [value, value]]
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{str(value)[:60]} is no padding")
    rows, cols = (side if isinstance(side, list | tuple) and len(side) == 2 else [side, side] for side in value)
    return (check(rows[0]), check(rows[1])), (check(cols[0]), check(cols[1]))


def _side(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    side = -(-size // stride) if padding == "same" else (size - dilation * (kernel - 1) - 1) // stride + 1
    if side < 1:
        raise ValueError(f"a window of {kernel} px does not fit in {size} px")
    return side


def _picture(shapes: Sequence[Shape]) -> tuple[int, int, int]:
    if len(shapes[0]) != 3:
        raise ValueError("it needs rows, columns and channels")
    rows, cols, channels = shapes[0]
    return rows, cols, channels


def _moved(settings: Settings, rows: int, cols: int, kernel: tuple[int, int], default: int | None) -> tuple[int, int]:
    strides = settings.get("strides") or (kernel if default is None else (default, default))
    dilation, padding = settings.get("dilation_rate", (1, 1)), settings.get("padding", "valid")
    return (
        _side(rows, kernel[0], strides[0], dilation[0], padding),
        _side(cols, kernel[1], strides[1], dilation[1], padding),
    )


def _same(_settings: Settings, shapes: Sequence[Shape]) -> Sized:
    return Sized(shapes[0])


def _conv(settings: Settings, shapes: Sequence[Shape]) -> Sized:
    rows, cols, channels = _picture(shapes)
    filters, kernel, groups = settings["filters"], settings["kernel_size"], settings.get("groups", 1)
    if channels % groups or filters % groups:
        raise ValueError(f"{groups} groups do not divide {channels} channels and {filters} filters")
    height, width = _moved(settings, rows, cols, kernel, 1)
    weights = kernel[0] * kernel[1] * (channels // groups) * filters
    bias = filters if settings.get("use_bias", True) else 0
    return Sized((height, width, filters), weights + bias, weights * height * width)


def _depthwise(settings: Settings, shapes: Sequence[Shape]) -> Sized:
    rows, cols, channels = _picture(shapes)
    kernel, out = settings["kernel_size"], channels * settings.get("depth_multiplier", 1)
    height, width = _moved(settings, rows, cols, kernel, 1)
    weights = kernel[0] * kernel[1] * out
    bias = out if settings.get("use_bias", True) else 0
    return Sized((height, width, out), weights + bias, weights * height * width)


def _separable(settings: Settings, shapes: Sequence[Shape]) -> Sized:
    deep = _depthwise({**settings, "use_bias": False}, shapes)
    weights, filters = deep.shape[2] * settings["filters"], settings["filters"]
    bias = filters if settings.get("use_bias", True) else 0
    height, width = deep.shape[:2]
    return Sized(
        (height, width, filters), deep.parameters + weights + bias, deep.multiply_adds + weights * height * width
    )


def _pooled(settings: Settings, shapes: Sequence[Shape]) -> Sized:
    rows, cols, channels = _picture(shapes)
    return Sized((*_moved(settings, rows, cols, settings.get("pool_size", (2, 2)), None), channels))


def _closed(settings: Settings, shapes: Sequence[Shape]) -> Sized:
    channels = _picture(shapes)[2]
    return Sized((1, 1, channels) if settings.get("keepdims", False) else (channels,))


def _flat(_settings: Settings, shapes: Sequence[Shape]) -> Sized:
    return Sized((math.prod(shapes[0]),))


def _dense(settings: Settings, shapes: Sequence[Shape]) -> Sized:
    units = settings["units"]
    weights = shapes[0][-1] * units
    bias = units if settings.get("use_bias", True) else 0
    return Sized((*shapes[0][:-1], units), weights + bias, weights * math.prod(shapes[0][:-1]))


def _batch_normalised(settings: Settings, shapes: Sequence[Shape]) -> Sized:
    kept = 2 + settings.get("center", True) + settings.get("scale", True)
    return Sized(shapes[0], kept * shapes[0][-1])


def _added(_settings: Settings, shapes: Sequence[Shape]) -> Sized:
    if len(set(shapes)) != 1:
        raise ValueError(f"shapes differ: {', '.join(map(str, shapes))}"[:200])
    return Sized(shapes[0])


def _concatenated(_settings: Settings, shapes: Sequence[Shape]) -> Sized:
    if len({shape[:-1] for shape in shapes}) != 1:
        raise ValueError(f"shapes differ: {', '.join(map(str, shapes))}"[:200])
    return Sized((*shapes[0][:-1], sum(shape[-1] for shape in shapes)))


def _padded(settings: Settings, shapes: Sequence[Shape]) -> Sized:
    rows, cols, channels = _picture(shapes)
    (top, bottom), (left, right) = settings.get("padding", ((1, 1), (1, 1)))
    return Sized((rows + top + bottom, cols + left + right, channels))


_LAST = {"data_format": _one_of("channels_last")}
_PADDED = {"padding": _one_of("valid", "same"), "strides": _pair}
_BIAS = {"use_bias": _flag, "activation": _one_of(*ACTIVATIONS)}
_WIDTH = whole(_LARGEST_WIDTH)
_CONV = {"kernel_size": _pair, "dilation_rate": _pair, **_PADDED, **_BIAS, **_LAST}
_POOL = {"pool_size": _pair, **_PADDED, "strides": _pair_or_none, **_LAST}
_NOISE = PlainLayer({"rate": _number}, _same, "point")
"""What a layer of training does when a net is used: nothing."""

LAYERS: Mapping[str, PlainLayer] = {
    "Conv2D": PlainLayer({"filters": _WIDTH, "groups": _WIDTH, **_CONV}, _conv, "window"),
    "DepthwiseConv2D": PlainLayer({"depth_multiplier": whole(64), **_CONV}, _depthwise, "window"),
    "SeparableConv2D": PlainLayer({"filters": _WIDTH, "depth_multiplier": whole(64), **_CONV}, _separable, "window"),
    "MaxPooling2D": PlainLayer(_POOL, _pooled, "window"),
    "AveragePooling2D": PlainLayer(_POOL, _pooled, "window"),
    "GlobalMaxPooling2D": PlainLayer({"keepdims": _flag, **_LAST}, _closed, "closing"),
    "GlobalAveragePooling2D": PlainLayer({"keepdims": _flag, **_LAST}, _closed, "closing"),
    "Flatten": PlainLayer(_LAST, _flat, "closing"),
    "Dense": PlainLayer({"units": _WIDTH, **_BIAS}, _dense, "dense"),
    "BatchNormalization": PlainLayer(
        {"axis": _last_axis, "epsilon": _number, "center": _flag, "scale": _flag}, _batch_normalised, "point"
    ),
    "Activation": PlainLayer({"activation": _one_of(*ACTIVATIONS)}, _same, "point"),
    "ReLU": PlainLayer({"max_value": _number_or_none, "negative_slope": _number, "threshold": _number}, _same, "point"),
    "LeakyReLU": PlainLayer({"negative_slope": _number, "alpha": _number}, _same, "point"),
    "ELU": PlainLayer({"alpha": _number}, _same, "point"),
    "Softmax": PlainLayer({"axis": _last_axis}, _same, "point"),
    "Rescaling": PlainLayer({"scale": _number, "offset": _number}, _same, "point"),
    "Dropout": _NOISE,
    "SpatialDropout2D": PlainLayer({"rate": _number, **_LAST}, _same, "point"),
    "GaussianDropout": _NOISE,
    "GaussianNoise": PlainLayer({"stddev": _number}, _same, "point"),
    "Add": PlainLayer({}, _added, inputs=(2, 32)),
    "Concatenate": PlainLayer({"axis": _last_axis}, _concatenated, inputs=(2, 32)),
    "ZeroPadding2D": PlainLayer({"padding": _padding, **_LAST}, _padded),
}
"""By Keras' own names."""
NOT_USED = frozenset(
    {
        "name", "trainable", "dtype", "seed", "noise_shape", "momentum", "renorm_momentum", "activity_regularizer",
        "batch_input_shape", "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer",
        "kernel_constraint", "bias_constraint", "depthwise_initializer", "pointwise_initializer",
        "depthwise_regularizer", "pointwise_regularizer", "depthwise_constraint", "pointwise_constraint",
        "beta_initializer", "gamma_initializer", "moving_mean_initializer", "moving_variance_initializer",
        "beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint",
    }
)  # fmt: skip
"""Settings that only training needs; they are looked at for foreign objects, and then left out."""
