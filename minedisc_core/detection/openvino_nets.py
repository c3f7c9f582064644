"""The nets at work in OpenVINO: the same folded weights, built as OpenVINO graphs without TensorFlow.

The first convolution and its pooling run over strips of rows that stay in the processor's cache, the rest
of the trunk over the whole tile. Strips of full height have a fixed shape for each width, which OpenVINO
computes faster; the strip that is left over at a tile's end goes through a net of any shape.
Sums are float32; with `bf16` the factors of the trunk are rounded to bfloat16 (8 significant bits, so that the errors
cancel: `detection.rounding`), those of the head and of the impact net, a fiftieth of the work, are not.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.centring import centre, folded
from minedisc_core.detection.networks import FEATURES, MINE, TRUNK_LAYERS, Tensors
from minedisc_core.detection.rounding import LAND, POSITIVE, rounded, to_bfloat16
from minedisc_core.domain import IMPACT_CLASSES
from minedisc_core.errors import ModelError

Precision = Literal["f32", "bf16"]
Fill = Callable[[slice, NDArray[np.float32]], None]
"""Writes the centred pixels of the raster's rows into a strip."""

STRIP_PX = 54
"""Rows of a strip: its first layer (at 1,335 px, 4.6 MB in bfloat16) is pooled while it is still in cache."""
FIXED_WIDTHS = 6
"""Widths at most that get a net of fixed shape (16 MB each); a mosaic has three."""
IMPACT_BATCH = 256
_NO_LIMIT = 1e30
_TELEMETRY = "openvino_telemetry"


def is_installed() -> bool:
    """Whether OpenVINO can be imported here; it is not published for every platform."""
    is_barred = "openvino" in sys.modules and sys.modules["openvino"] is None
    return not is_barred and find_spec("openvino") is not None


@lru_cache(maxsize=1)
def openvino() -> Any:
    """The OpenVINO module, imported once, without the module by which its import would tell its maker."""
    with _without_telemetry():
        import openvino as module
    return module


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """OpenVINO's import reports itself over the network unless this module is missing: minedisc asks no host."""
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # Python's way to say that a module cannot be imported
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before


@lru_cache(maxsize=1)
def _core() -> Any:
    return openvino().Core()


def has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 by itself."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def processor() -> str:
    """Name of the processor and what it can do, as OpenVINO sees it."""
    name = str(_core().get_property("CPU", "FULL_DEVICE_NAME")).strip()
    return f"{name} ({', '.join(sorted(_core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')))})"


def version() -> str:
    """Version of the library, with its build."""
    return str(openvino().__version__)


@dataclass(frozen=True)
class Threads:
    """How the processor is shared out."""

    callers: int = 1
    """Threads that score at once."""
    each: int = 1
    """Threads that work for each of them."""


class _Compiled:
    """A graph made ready for the processor; each thread has its own request."""

    def __init__(self, graph: Any, precision: Precision, threads: Threads) -> None:
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": threads.callers,
            "INFERENCE_NUM_THREADS": threads.callers * threads.each,
            "ENABLE_CPU_PINNING": False,  # other processes work here too
        }
        self._net = _core().compile_model(graph, "CPU", options)
        self._local = threading.local()

    def request(self) -> Any:
        """The request of the calling thread."""
        if not hasattr(self._local, "request"):
            self._local.request = self._net.create_infer_request()
        return self._local.request


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
        self._fixed: dict[int, _Compiled] = {}
        self._lock = threading.Lock()
        self._local = threading.local()
        self._any = self._first((-1, -1))
        self._rest = _Compiled(_rest_graph(self._weights, precision), precision, threads)
        self._head = _Compiled(_head_graph(self._weights), "f32", threads)

    def trunk(self, dn: NDArray[np.uint16], no_data: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Features (h // 27, w // 27, 64) of DN (h, w, band); pixels in `no_data` count as the band mean.

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
        with _told():
            middle = self._middle(size[0] // 3, size[1] // 3)
            for row in range(0, 3 * (size[0] // 3), STRIP_PX):
                self._pool_strip(size, row, fill, middle)
            request = self._rest.request()
            request.set_input_tensor(middle)
            request.infer()
            return np.array(request.get_output_tensor().data[0])

    def _pool_strip(self, size: tuple[int, int], row: int, fill: Fill, middle: Any) -> None:
        """First layer and pooling of the strip that begins at `row`, into its rows of `middle`.

        The strip holds a row above and one below, of 0 where the raster ends.
        """
        height, width = size
        rows = min(STRIP_PX, 3 * (height // 3) - row)
        first, last = max(0, row - 1), min(height, row + rows + 1)
        strip = self._memory(rows + 2, width)
        strip[0, : first - row + 1] = 0
        strip[0, last - row + 1 :] = 0
        fill(slice(first, last), strip[0, first - row + 1 : last - row + 1])
        self._pool(strip, middle, row, rows)

    def _pool(self, strip: NDArray[np.float32], middle: Any, row: int, rows: int) -> None:
        module, (_, _, width, channels) = openvino(), middle.shape
        request = self._net_for(rows, strip.shape[2]).request()
        corners = ([0, row // 3, 0, 0], [1, (row + rows) // 3, width, channels])
        request.set_input_tensor(module.Tensor(strip, shared_memory=True))
        request.set_output_tensor(module.Tensor(middle, *(module.Coordinate(corner) for corner in corners)))
        request.infer()

    def _net_for(self, rows: int, width: int) -> _Compiled:
        if rows != STRIP_PX:
            return self._any
        with self._lock:
            if width not in self._fixed and len(self._fixed) < self._fixed_widths:
                self._fixed[width] = self._first((STRIP_PX + 2, width))
            return self._fixed.get(width, self._any)

    def _first(self, size: tuple[int, int]) -> _Compiled:
        return _Compiled(_first_graph(self._weights, size, self._precision), self._precision, self._threads)

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
        """Scores (h - 6, w - 6), 0..1, of features (h, w, 64)."""
        with _told():
            scores: NDArray[np.float32] = _answer(self._head, features[None])[0]
            return scores


class OpenVinoImpact:
    """An impact net: probabilities of high, low, no ore for 21 px patches; float32."""

    def __init__(self, card: ModelCard, tensors: Tensors, threads: Threads) -> None:
        self.card = card
        self._mean = np.asarray(card.mean, np.float32)
        self._net = _Compiled(_impact_graph(folded(tensors, card), len(card.bands)), "f32", threads)

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
        with _told():
            return _answer(self._net, centred)


def _answer(net: _Compiled, given: NDArray[np.float32]) -> NDArray[np.float32]:
    request = net.request()
    held = np.ascontiguousarray(given)  # the request works on this very memory: it must live until the answer is there
    request.set_input_tensor(openvino().Tensor(held, shared_memory=True))
    request.infer()
    return np.array(request.get_output_tensor().data)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        found = f"OpenVINO could not run the net: {str(error)[:300] or type(error).__name__}"
        raise ModelError(found, "enough free memory", "resume the run") from error


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


def _operators() -> Any:
    openvino()
    import openvino.opset13 as operators

    return operators


def _parameter(shape: Sequence[int], kind: Any) -> Any:
    return _operators().parameter(openvino().PartialShape(list(shape)), kind)


def _graph(flow: Any, given: Any) -> Any:
    return openvino().Model([_operators().result(flow)], [given])


def _channels_first(flow: Any) -> Any:
    return _operators().transpose(flow, _operators().constant(np.array([0, 3, 1, 2])))


def _channels_last(flow: Any) -> Any:
    return _operators().transpose(flow, _operators().constant(np.array([0, 2, 3, 1])))


def _convolved(
    flow: Any, weights: Tensors, name: str, pads: tuple[int, int] = (0, 0), auto: str = "explicit",
    is_rounded: bool = False,
) -> Any:  # fmt: skip
    operators = _operators()
    kernel = np.ascontiguousarray(np.asarray(weights[f"{name}/kernel"]).transpose(3, 2, 0, 1))
    bias = np.asarray(weights[f"{name}/bias"]).reshape(1, -1, 1, 1)
    flow = operators.convolution(flow, operators.constant(kernel), [1, 1], pads, pads, [1, 1], auto_pad=auto)
    high = to_bfloat16(bias)
    if (high == bias).all() or not is_rounded:
        return operators.add(flow, operators.constant(bias))
    # OpenVINO rounds what is added to a convolution, and adds two constants up unless something lies between them
    flow = operators.clamp(operators.add(flow, operators.constant(high)), -_NO_LIMIT, _NO_LIMIT)
    return operators.add(flow, operators.constant(bias - high))


def _pooled(flow: Any, side: int, auto: str = "valid") -> Any:
    operators = _operators()
    sides = [side, side]
    found = operators.max_pool(operators.relu(flow), sides, [1, 1], [0, 0], [0, 0], sides, "floor", auto)
    return found.output(0)


def _first_graph(weights: Tensors, size: tuple[int, int], precision: Precision) -> Any:
    """(1, rows + 2, w, band) centred to (1, rows / 3, w // 3, 32): the rows above and below are given with it."""
    name = TRUNK_LAYERS[0]
    given = _parameter((1, *size, weights[f"{name}/kernel"].shape[2]), openvino().Type.f32)
    flow = _channels_last(
        _pooled(_convolved(_channels_first(given), weights, name, (0, 1), is_rounded=precision == "bf16"), 3)
    )
    return _graph(_operators().convert(flow, "bf16") if precision == "bf16" else flow, given)


def _rest_graph(weights: Tensors, precision: Precision) -> Any:
    """(1, h, w, 32) to features (1, h // 9, w // 9, 64)."""
    given = _parameter((1, -1, -1, weights["conv1/bias"].size), _kind(precision))
    flow = _channels_first(_operators().convert(given, "f32") if precision == "bf16" else given)
    for name in TRUNK_LAYERS[1:]:
        flow = _pooled(_convolved(flow, weights, name, (1, 1), is_rounded=precision == "bf16"), 3)
    return _graph(_channels_last(flow), given)


def _head_graph(weights: Tensors) -> Any:
    """Features (1, h, w, 64) to scores (1, h - 6, w - 6)."""
    operators = _operators()
    given = _parameter((1, -1, -1, FEATURES), openvino().Type.f32)
    flow = operators.relu(_convolved(_channels_first(given), weights, "context"))
    flow = operators.softmax(_convolved(flow, weights, "output"), 1)
    scores = operators.gather(flow, operators.constant(np.array(MINE)), operators.constant(np.array(1)))
    return _graph(scores, given)


def _impact_graph(weights: Tensors, bands: int) -> Any:
    """(n, 21, 21, band) centred to (n, 3)."""
    operators = _operators()
    given = _parameter((-1, 21, 21, bands), openvino().Type.f32)
    flow = _channels_first(given)
    for name in ("conv1", "conv2"):
        flow = _pooled(_convolved(flow, weights, name, auto="same_upper"), 2, "same_upper")
    size = np.array([-1, weights["dense/kernel"].shape[0]])
    flow = operators.reshape(_channels_last(flow), operators.constant(size), special_zero=False)
    flow = operators.relu(_dense(flow, weights, "dense"))
    return _graph(operators.softmax(_dense(flow, weights, "output"), 1), given)


def _dense(flow: Any, weights: Tensors, name: str) -> Any:
    operators = _operators()
    flow = operators.matmul(flow, operators.constant(weights[f"{name}/kernel"]), transpose_a=False, transpose_b=False)
    return operators.add(flow, operators.constant(weights[f"{name}/bias"]))


def matrix_rate(precision: Precision, threads: int, side: int = 2_048, repeats: int = 20) -> float:
    """Floating-point operations a second that this processor reaches at its best with two square matrices."""
    operators = _operators()
    given = _parameter((side, side), openvino().Type.f32)
    other = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    product = operators.matmul(given, operators.constant(other), transpose_a=False, transpose_b=False)
    net = _Compiled(_graph(product, given), precision, Threads(1, threads))
    _answer(net, other)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        net.request().infer()
        times.append(time.perf_counter() - started)
    return 2.0 * side**3 / min(times)
