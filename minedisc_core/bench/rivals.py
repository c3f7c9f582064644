"""What the scan is compared with: the bare network, single windows, and the paper's whole slices."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from minedisc_core.detection.models import load_model, load_tensors
from minedisc_core.detection.networks import build_discovery, set_tensors, tensorflow
from minedisc_core.grid import STRIDE_PX, WINDOW_PX, cells_along
from minedisc_core.settings import load_settings

SLICE_PX = 2_304
"""Side of the slices for the bare network's other baseline: less memory, no page faults."""
PAPER_SLICE_PX = 4_608
"""The paper cuts its files in four of this size."""
WINDOWS = 200
"""Single windows that are scored: a stated part, for all of them would take minutes."""


@lru_cache(maxsize=1)
def _network(folder: str) -> Any:
    model = load_model(folder, load_settings())
    network = build_discovery(len(model.discovery.bands))
    set_tensors(network, load_tensors(model, "discovery"))
    return network, np.asarray(model.discovery.mean, np.float32), np.asarray(model.discovery.std, np.float32)


@lru_cache(maxsize=1)
def _compiled(folder: str) -> Callable[[Any], Any]:
    """The bare network as a tf.function, float32 in, scores out."""
    network, mean, _ = _network(folder)
    tf = tensorflow()
    kind = tf.TensorSpec((1, None, None, len(mean)), tf.float32)
    compiled: Callable[[Any], Any] = tf.function(
        lambda pixels: network(pixels, training=False), input_signature=[kind], autograph=False
    )
    return compiled


@lru_cache(maxsize=1)
def _in_memory(folder: str, mosaic: str) -> NDArray[np.float32]:
    """The whole scene, z-scored, (1, h, w, band)."""
    with rasterio.open(mosaic) as raster:
        return _normalised(raster.read(), folder)


def _normalised(banded: NDArray[np.uint16], folder: str) -> NDArray[np.float32]:
    _, mean, std = _network(folder)
    pixels = np.ascontiguousarray(np.moveaxis(banded, 0, -1)).astype(np.float32)
    pixels -= mean
    pixels /= std
    return pixels[None]


def load(folder: str, mosaic: str, threads: int) -> None:
    """Load net and scene in this process; TensorFlow uses `threads` threads for each operation."""
    tensorflow(threads)
    _compiled(folder)
    _in_memory(folder, mosaic)


def take(way: str, folder: str, mosaic: str) -> float:
    """Seconds that one of WAYS takes."""
    return WAYS[way](folder, mosaic)


def _whole(folder: str, mosaic: str) -> float:
    compiled, pixels = _compiled(folder), tensorflow().constant(_in_memory(folder, mosaic))
    started = time.perf_counter()
    compiled(pixels).numpy()
    return time.perf_counter() - started


def _slices(folder: str, mosaic: str) -> float:
    compiled, pixels, tf = _compiled(folder), _in_memory(folder, mosaic), tensorflow()
    side = pixels.shape[1]
    starts = [(row, col) for row in range(0, side, SLICE_PX) for col in range(0, side, SLICE_PX)]
    parts = [tf.constant(pixels[:, row : row + SLICE_PX, col : col + SLICE_PX]) for row, col in starts]
    started = time.perf_counter()
    for part in parts:
        if min(part.shape[1:3]) >= WINDOW_PX:
            compiled(part).numpy()
    return time.perf_counter() - started


def _windows(folder: str, mosaic: str) -> float:
    compiled, pixels, tf = _compiled(folder), _in_memory(folder, mosaic), tensorflow()
    cells = cells_along(pixels.shape[1]) - 1
    corners = [divmod(int(k), cells) for k in np.linspace(0, cells**2 - 1, WINDOWS)]
    parts = [
        tf.constant(pixels[:, STRIDE_PX * i : STRIDE_PX * i + WINDOW_PX, STRIDE_PX * j : STRIDE_PX * j + WINDOW_PX])
        for i, j in corners
    ]
    compiled(parts[0]).numpy()
    started = time.perf_counter()
    for part in parts:
        compiled(part).numpy()
    return time.perf_counter() - started


def _paper(folder: str, mosaic: str) -> float:
    """Read each slice whole, make it float32, normalise it, `model.predict`."""
    network, _, _ = _network(folder)
    started = time.perf_counter()
    with rasterio.open(mosaic) as raster:
        for row in range(0, raster.height, PAPER_SLICE_PX):
            for col in range(0, raster.width, PAPER_SLICE_PX):
                window = Window(
                    col, row, min(PAPER_SLICE_PX, raster.width - col), min(PAPER_SLICE_PX, raster.height - row)
                )
                network.predict(_normalised(raster.read(window=window), folder), batch_size=1, verbose=0)
    return time.perf_counter() - started


WAYS: dict[str, Callable[[str, str], float]] = {
    "bare network, whole scene": _whole,
    "bare network, slices": _slices,
    "single windows": _windows,
    "the paper's way": _paper,
}
