"""OpenVINO itself: imported quietly, asked what it can do here, given graphs to run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minedisc_core.errors import ModelError

Precision = Literal["f32", "bf16"]
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


class Compiled:
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


def answer(net: Compiled, given: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a graph makes of an array."""
    request = net.request()
    held = np.ascontiguousarray(given)  # the request works on this very memory: it must live until the answer is there
    request.set_input_tensor(openvino().Tensor(held, shared_memory=True))
    request.infer()
    return np.array(request.get_output_tensor().data)


@contextmanager
def told() -> Iterator[None]:
    """An error of OpenVINO in here becomes a ModelError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        found = f"OpenVINO could not run the net: {str(error)[:300] or type(error).__name__}"
        raise ModelError(found, "enough free memory", "resume the run") from error


def operators() -> Any:
    """The operators that graphs are built of."""
    openvino()
    import openvino.opset13 as found

    return found


def parameter(shape: Sequence[int], kind: Any) -> Any:
    """What goes into a graph; -1 stands for any length."""
    return operators().parameter(openvino().PartialShape(list(shape)), kind)


def graph(flow: Any, given: Any) -> Any:
    """The graph from what goes in to `flow`."""
    return openvino().Model([operators().result(flow)], [given])


def matrix_rate(precision: Precision, threads: int, side: int = 2_048, repeats: int = 20) -> float:
    """Floating-point operations a second that this processor reaches at its best with two square matrices."""
    ops = operators()
    given = parameter((side, side), openvino().Type.f32)
    other = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    product = ops.matmul(given, ops.constant(other), transpose_a=False, transpose_b=False)
    net = Compiled(graph(product, given), precision, Threads(1, threads))
    answer(net, other)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        net.request().infer()
        times.append(time.perf_counter() - started)
    return 2.0 * side**3 / min(times)
