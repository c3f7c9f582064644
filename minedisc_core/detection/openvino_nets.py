"""The nets at work in OpenVINO: the same folded weights, built as OpenVINO graphs without TensorFlow.

The first convolution and its pooling run over strips of rows that stay in the processor's cache, the rest
of the trunk over the whole tile. Strips of full height have a fixed shape for each width, which OpenVINO
computes faster; the strip that is left over at a tile's end goes through a net of any shape.
Sums are float32; with `bf16` the factors of the trunk are rounded to bfloat16 (8 significant bits, so that the errors
cancel: `detection.rounding`), those of the head and of the impact net, a fiftieth of the work, are not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection import openvino_spread
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.centring import centre, folded
from minedisc_core.detection.networks import MINE, TRUNK_LAYERS, Tensors
from minedisc_core.detection.openvino_runtime import (
    Compiled,
    Precision,
    Threads,
    answer,
    graph,
    openvino,
    operators,
    parameter,
    told,
)
from minedisc_core.detection.rounding import LAND, POSITIVE, rounded, to_bfloat16
from minedisc_core.detection.spread import BLOCKS, FEATURES, Ground, feature_channels
from minedisc_core.domain import IMPACT_CLASSES

Fill = Callable[[slice, NDArray[np.float32]], None]
"""Writes the centred pixels of the raster's rows into a strip."""

STRIP_PX = 54
"""Rows of a strip: its first layer (at 1,335 px, 4.6 MB in bfloat16) is pooled while it is still in cache."""
GROUND_ROWS = 6 * BLOCKS
"""Rows of 30 m in which the ground is described at once: 33 channels of them stay in cache."""
FIXED_WIDTHS = 6
"""Widths at most that get a net of fixed shape (16 MB each); a mosaic has three."""
IMPACT_BATCH = 256
_NO_LIMIT = 1e30


class OpenVinoDiscovery:
    """Trunk and head of a discovery net (`scan.Net`); safe from several threads at once."""

    def __init__(
        self,
        card: ModelCard,
        tensors: Tensors,
        precision: Precision,
        threads: Threads,
        fixed_widths: int = FIXED_WIDTHS,
    ) -> None:
        self.card = card
        self._fixed_widths = fixed_widths
        self._weights = _in_precision(folded(tensors, card), np.asarray(card.std), precision)
        self._precision, self._threads = precision, threads
        self._mean = np.asarray(card.mean, np.float32)
        self._fixed: dict[int, Compiled] = {}
        self._lock = threading.Lock()
        self._local = threading.local()
        self._any = self._first((-1, -1))
        self._rest = Compiled(_rest_graph(self._weights, precision), precision, threads)
        channels = feature_channels(card.head, len(card.bands))
        self._head = Compiled(_head_graph(self._weights, channels), "f32", threads)
        self._ground = Compiled(_ground_graph(card.ground), "f32", threads) if card.ground else None

    def trunk(self, dn: NDArray[np.uint16], no_data: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Features (h // 27, w // 27, 64) of DN (h, w, band); pixels in `no_data` count as the band mean.

        With the spread head the ground's blocks follow the 64.

        Raises:
            ModelError: OpenVINO gave up (for example: no memory).
        """

        def fill(rows: slice, strip: NDArray[np.float32]) -> None:
            centre(dn[rows], None if no_data is None else no_data[rows], self._mean, strip)

        return self._features((dn.shape[0], dn.shape[1]), fill)

    def trunk_of_centred(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `trunk`, of float32 pixels (h, w, band) whose mean is subtracted: what rivals are given when measured."""

        def fill(rows: slice, strip: NDArray[np.float32]) -> None:
            strip[...] = pixels[rows]

        return self._features((pixels.shape[0], pixels.shape[1]), fill)

    def _features(self, size: tuple[int, int], fill: Fill) -> NDArray[np.float32]:
        with told():
            middle = self._middle(size[0] // 3, size[1] // 3)
            coarse = np.empty((size[0] // 3, size[1] // 3, len(self._mean)), np.float32) if self._ground else None
            for row in range(0, 3 * (size[0] // 3), STRIP_PX):
                strip, rows = self._strip(size, row, fill)
                self._pool(strip, middle, row, rows)
                if coarse is not None:
                    coarse[row // 3 : (row + rows) // 3] = openvino_spread.coarse_of(strip[0, 1:-1])
            request = self._rest.request()
            request.set_input_tensor(middle)
            request.infer()
            features = np.array(request.get_output_tensor().data[0])
            if self._ground is None or coarse is None:
                return features
            parts = [coarse[row : row + GROUND_ROWS] for row in range(0, BLOCKS * len(features), GROUND_ROWS)]
            blocks = np.concatenate([answer(self._ground, part[None])[0] for part in parts])
            return np.concatenate([features, blocks], axis=-1)

    def _strip(self, size: tuple[int, int], row: int, fill: Fill) -> tuple[NDArray[np.float32], int]:
        """The strip that begins at `row` with a row above and one below, of 0 where the raster ends; its own rows."""
        height, width = size
        rows = min(STRIP_PX, 3 * (height // 3) - row)
        first, last = max(0, row - 1), min(height, row + rows + 1)
        strip = self._memory(rows + 2, width)
        strip[0, : first - row + 1] = 0
        strip[0, last - row + 1 :] = 0
        fill(slice(first, last), strip[0, first - row + 1 : last - row + 1])
        return strip, rows

    def _pool(self, strip: NDArray[np.float32], middle: Any, row: int, rows: int) -> None:
        """First layer and pooling of a strip, into its rows of `middle`."""
        module, (_, _, width, channels) = openvino(), middle.shape
        request = self._net_for(rows, strip.shape[2]).request()
        corners = ([0, row // 3, 0, 0], [1, (row + rows) // 3, width, channels])
        request.set_input_tensor(module.Tensor(strip, shared_memory=True))
        request.set_output_tensor(module.Tensor(middle, *(module.Coordinate(corner) for corner in corners)))
        request.infer()

    def _net_for(self, rows: int, width: int) -> Compiled:
        if rows != STRIP_PX:
            return self._any
        with self._lock:
            if width not in self._fixed and len(self._fixed) < self._fixed_widths:
                self._fixed[width] = self._first((STRIP_PX + 2, width))
            return self._fixed.get(width, self._any)

    def _first(self, size: tuple[int, int]) -> Compiled:
        return Compiled(_first_graph(self._weights, size, self._precision), self._precision, self._threads)

    def _memory(self, rows: int, width: int) -> NDArray[np.float32]:
        """A strip (1, rows, width, band) in memory of this thread, kept for the next one."""
        size = rows * width * len(self._mean)
        held: NDArray[np.float32] | None = getattr(self._local, "strip", None)
        if held is None or len(held) < size:
            held = self._local.strip = np.empty(size, np.float32)
        return held[:size].reshape(1, rows, width, len(self._mean))

    def _middle(self, rows: int, cols: int) -> Any:
        """What lies between the first pooling and the rest, (1, rows, cols, 32), kept for the next tile."""
        held = getattr(self._local, "middle", None)
        shape = (1, rows, cols, self._weights["conv1/bias"].size)
        if held is None or tuple(held.shape) != shape:
            module = openvino()
            held = self._local.middle = module.Tensor(_kind(self._precision), module.Shape(shape))
        return held

    def head(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (h - 6, w - 6), 0..1, of features as `trunk` gives them."""
        with told():
            scores: NDArray[np.float32] = answer(self._head, features[None])[0]
            return scores


class OpenVinoImpact:
    """An impact net: probabilities of high, low, no ore for 21 px patches; float32."""

    def __init__(self, card: ModelCard, tensors: Tensors, threads: Threads) -> None:
        self.card = card
        self._mean = np.asarray(card.mean, np.float32)
        self._net = Compiled(_impact_graph(folded(tensors, card), len(card.bands)), "f32", threads)

    def probabilities(self, patches: NDArray[np.uint16]) -> NDArray[np.float32]:
        """(n, 3), each row summing to 1, for DN patches (n, 21, 21, band); 0 = no data.

        Raises:
            ModelError: OpenVINO gave up (for example: no memory).
        """
        parts = [self._part(patches[start : start + IMPACT_BATCH]) for start in range(0, len(patches), IMPACT_BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(IMPACT_CLASSES)), np.float32)

    def _part(self, patches: NDArray[np.uint16]) -> NDArray[np.float32]:
        centred = patches.astype(np.float32) - self._mean
        centred[(patches == 0).any(axis=-1)] = 0
        with told():
            return answer(self._net, centred)


def _kind(precision: Precision) -> Any:
    return openvino().Type.bf16 if precision == "bf16" else openvino().Type.f32


def _in_precision(weights: Tensors, std: NDArray[np.float64], precision: Precision) -> Tensors:
    """The weights, for `bf16` with the trunk's kernels rounded."""
    if precision == "f32":
        return weights
    found = dict(weights)
    for name in TRUNK_LAYERS:
        kernel = np.asarray(weights[f"{name}/kernel"], np.float32)
        is_first = name == TRUNK_LAYERS[0]
        spread = std if is_first else np.ones(kernel.shape[2])
        found[f"{name}/kernel"] = rounded(kernel, spread, LAND if is_first else POSITIVE)
    return found


def _channels_first(flow: Any) -> Any:
    return operators().transpose(flow, operators().constant(np.array([0, 3, 1, 2])))


def _channels_last(flow: Any) -> Any:
    return operators().transpose(flow, operators().constant(np.array([0, 2, 3, 1])))


def _convolved(
    flow: Any, weights: Tensors, name: str, pads: tuple[int, int] = (0, 0), auto: str = "explicit",
    is_rounded: bool = False,
) -> Any:  # fmt: skip
    ops = operators()
    kernel = np.ascontiguousarray(np.asarray(weights[f"{name}/kernel"]).transpose(3, 2, 0, 1))
    bias = np.asarray(weights[f"{name}/bias"]).reshape(1, -1, 1, 1)
    flow = ops.convolution(flow, ops.constant(kernel), [1, 1], pads, pads, [1, 1], auto_pad=auto)
    high = to_bfloat16(bias)
    if (high == bias).all() or not is_rounded:
        return ops.add(flow, ops.constant(bias))
    # OpenVINO rounds what is added to a convolution, and adds two constants up unless something lies between them
    flow = ops.clamp(ops.add(flow, ops.constant(high)), -_NO_LIMIT, _NO_LIMIT)
    return ops.add(flow, ops.constant(bias - high))


def _pooled(flow: Any, side: int, auto: str = "valid") -> Any:
    ops = operators()
    sides = [side, side]
    found = ops.max_pool(ops.relu(flow), sides, [1, 1], [0, 0], [0, 0], sides, "floor", auto)
    return found.output(0)


def _first_graph(weights: Tensors, size: tuple[int, int], precision: Precision) -> Any:
    """(1, rows + 2, w, band) centred to (1, rows / 3, w // 3, 32): the rows above and below are given with it."""
    name = TRUNK_LAYERS[0]
    given = parameter((1, *size, weights[f"{name}/kernel"].shape[2]), openvino().Type.f32)
    flow = _channels_last(
        _pooled(_convolved(_channels_first(given), weights, name, (0, 1), is_rounded=precision == "bf16"), 3)
    )
    return graph(operators().convert(flow, "bf16") if precision == "bf16" else flow, given)


def _rest_graph(weights: Tensors, precision: Precision) -> Any:
    """(1, h, w, 32) to features (1, h // 9, w // 9, 64)."""
    given = parameter((1, -1, -1, weights["conv1/bias"].size), _kind(precision))
    flow = _channels_first(operators().convert(given, "f32") if precision == "bf16" else given)
    for name in TRUNK_LAYERS[1:]:
        flow = _pooled(_convolved(flow, weights, name, (1, 1), is_rounded=precision == "bf16"), 3)
    return graph(_channels_last(flow), given)


def _ground_graph(ground: Ground) -> Any:
    """Centred pixels of 30 m (1, h, w, band) to ground blocks (1, h // 9, w // 9, channels)."""
    given = parameter((1, -1, -1, len(ground.mean)), openvino().Type.f32)
    blocks = openvino_spread.ground_blocks(operators(), _channels_first(given), ground)
    return graph(_channels_last(blocks.output(0)), given)


def _head_graph(weights: Tensors, channels: int) -> Any:
    """Features (1, h, w, channels) to scores (1, h - 6, w - 6)."""
    ops = operators()
    given = parameter((1, -1, -1, channels), openvino().Type.f32)
    if channels != FEATURES:
        return graph(openvino_spread.scores(ops, _channels_first(given), weights), given)
    flow = ops.relu(_convolved(_channels_first(given), weights, "context"))
    flow = ops.softmax(_convolved(flow, weights, "output"), 1)
    scores = ops.gather(flow, ops.constant(np.array(MINE)), ops.constant(np.array(1)))
    return graph(scores, given)


def _impact_graph(weights: Tensors, bands: int) -> Any:
    """(n, 21, 21, band) centred to (n, 3)."""
    ops = operators()
    given = parameter((-1, 21, 21, bands), openvino().Type.f32)
    flow = _channels_first(given)
    for name in ("conv1", "conv2"):
        flow = _pooled(_convolved(flow, weights, name, auto="same_upper"), 2, "same_upper")
    size = np.array([-1, weights["dense/kernel"].shape[0]])
    flow = ops.reshape(_channels_last(flow), ops.constant(size), special_zero=False)
    flow = ops.relu(_dense(flow, weights, "dense"))
    return graph(ops.softmax(_dense(flow, weights, "output"), 1), given)


def _dense(flow: Any, weights: Tensors, name: str) -> Any:
    ops = operators()
    flow = ops.matmul(flow, ops.constant(weights[f"{name}/kernel"]), transpose_a=False, transpose_b=False)
    return ops.add(flow, ops.constant(weights[f"{name}/bias"]))
