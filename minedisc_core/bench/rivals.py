"""What the scan is compared with: the bare network, single windows, the paper's way, another project's detector.

Each goes over the file's first part (a stated one, for some would take hours) and says how many pixels that was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from minedisc_core.bench.scan_ways import PART_PX, Taken, clock
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import load_model, load_tensors
from minedisc_core.detection.networks import MINE, build_discovery, build_impact, keras, set_tensors, tensorflow
from minedisc_core.grid import CENTRE_PX, PATCH_PX, STRIDE_PX, WINDOW_PX, cells_along
from minedisc_core.settings import load_settings

SLICE_PX = 2_304
"""Side of the slices for the bare network's other baseline: less memory, no page faults."""
WINDOWS = 200
"""Single windows that are scored: a stated part, for all of them would take minutes."""
IMPACT_CALLS = 50
"""Hits whose impact call is timed in the paper's way; the others count as long."""
DETECTOR_PX = 960
"""Side of the part that the other project's detector goes over."""
DETECTOR_FILE = "models/48px_v3.7*.h5"
"""In the folder MINEDISC_TRIAL_DATA; its 12 bands are those of L1C, in the order of our files."""
_DETECTOR_SIDE, _DETECTOR_STRIDE = 48, 24


@lru_cache(maxsize=1)
def _network(folder: str) -> Any:
    model = load_model(folder, load_settings())
    network = build_discovery(len(model.discovery.bands))
    set_tensors(network, load_tensors(model, "discovery"))
    return network, model.discovery


@lru_cache(maxsize=1)
def _impact(folder: str) -> Any:
    model = load_model(folder, load_settings())
    if model.impact is None:
        return None, model.discovery
    network = build_impact(len(model.impact.bands))
    set_tensors(network, load_tensors(model, "impact"))
    return network, model.impact


@lru_cache(maxsize=1)
def _compiled(folder: str) -> Callable[[Any], Any]:
    """The bare network as a tf.function, float32 in, scores out."""
    network, card = _network(folder)
    tf = tensorflow()
    kind = tf.TensorSpec((1, None, None, len(card.mean)), tf.float32)
    compiled: Callable[[Any], Any] = tf.function(
        lambda pixels: network(pixels, training=False), input_signature=[kind], autograph=False
    )
    return compiled


@lru_cache(maxsize=1)
def _in_memory(folder: str, mosaic: str) -> NDArray[np.float32]:
    """The file's first part, z-scored, (1, h, w, band)."""
    with rasterio.open(mosaic) as raster:
        return _normalised(_first_part(raster), _network(folder)[1])


def _first_part(raster: Any, side: int = PART_PX) -> NDArray[np.uint16]:
    read: NDArray[np.uint16] = raster.read(window=Window(0, 0, min(side, raster.width), min(side, raster.height)))
    return read


def _normalised(banded: NDArray[np.uint16], card: ModelCard) -> NDArray[np.float32]:
    pixels = np.ascontiguousarray(np.moveaxis(banded, 0, -1)).astype(np.float32)
    pixels -= np.asarray(card.mean, np.float32)
    pixels /= np.asarray(card.std, np.float32)
    return pixels[None]


def load(folder: str, mosaic: str, threads: int) -> None:
    """Load net and scene in this process; TensorFlow uses `threads` threads for each operation."""
    tensorflow(threads)
    _compiled(folder)
    _in_memory(folder, mosaic)


def ways() -> list[str]:
    """Names of the ways that can be taken here."""
    return [name for name in WAYS if name != DETECTOR or _detector_file()]


def take(way: str, folder: str, mosaic: str) -> Taken:
    """What one of WAYS takes."""
    return WAYS[way](folder, mosaic)


def _whole(folder: str, mosaic: str) -> Taken:
    compiled, pixels = _compiled(folder), tensorflow().constant(_in_memory(folder, mosaic))
    with clock() as passed:
        compiled(pixels).numpy()
        return passed.taken(pixels.shape[1] * pixels.shape[2])


def _slices(folder: str, mosaic: str) -> Taken:
    compiled, pixels, tf = _compiled(folder), _in_memory(folder, mosaic), tensorflow()
    side = pixels.shape[1]
    starts = [(row, col) for row in range(0, side, SLICE_PX) for col in range(0, side, SLICE_PX)]
    parts = [tf.constant(pixels[:, row : row + SLICE_PX, col : col + SLICE_PX]) for row, col in starts]
    with clock() as passed:
        for part in parts:
            if min(part.shape[1:3]) >= WINDOW_PX:
                compiled(part).numpy()
        return passed.taken(side * side)


def _windows(folder: str, mosaic: str) -> Taken:
    """One call per 201 px window at stride 27; each stands for one cell, 27 x 27 px."""
    compiled, pixels, tf = _compiled(folder), _in_memory(folder, mosaic), tensorflow()
    cells = max(1, cells_along(pixels.shape[1]) - 1)
    corners = [divmod(int(k), cells) for k in np.linspace(0, cells**2 - 1, WINDOWS)]
    parts = [
        tf.constant(pixels[:, STRIDE_PX * i : STRIDE_PX * i + WINDOW_PX, STRIDE_PX * j : STRIDE_PX * j + WINDOW_PX])
        for i, j in corners
    ]
    compiled(parts[0]).numpy()
    with clock() as passed:
        for part in parts:
            compiled(part).numpy()
        return passed.taken(len(parts) * STRIDE_PX**2)


def _paper(folder: str, mosaic: str) -> Taken:
    """One of the paper's four slices: read whole, float32, normalised, `model.predict`, place and class a hit."""
    network, card = _network(folder)
    with rasterio.open(mosaic) as raster, clock() as passed:
        pixels = _normalised(_first_part(raster), card)
        scores = network.predict(pixels, batch_size=1, verbose=0)[0, :, :, MINE]
        hits = np.argwhere(scores > card.threshold)
        started = time.perf_counter(), time.process_time()
        for row, col in hits[:IMPACT_CALLS]:
            _classify(raster, folder, int(row), int(col))
        left = max(0, len(hits) - IMPACT_CALLS) / IMPACT_CALLS
        wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        taken = passed.taken(pixels.shape[1] * pixels.shape[2])
        return Taken(taken.seconds + left * wall, taken.cpu_s + left * cpu, taken.mpx)


def _classify(raster: Any, folder: str, row: int, col: int) -> None:
    """Place and class of one hit."""
    network, card = _impact(folder)
    raster.xy(STRIDE_PX * row + CENTRE_PX, STRIDE_PX * col + CENTRE_PX)
    if network is not None:
        corner = (STRIDE_PX * col + CENTRE_PX - PATCH_PX // 2, STRIDE_PX * row + CENTRE_PX - PATCH_PX // 2)
        network.predict(_normalised(raster.read(window=Window(*corner, PATCH_PX, PATCH_PX)), card), verbose=0)


def _detector_file() -> Path | None:
    folder = os.environ.get("MINEDISC_TRIAL_DATA")
    return next(iter(sorted(Path(folder).glob(DETECTOR_FILE))), None) if folder else None


@lru_cache(maxsize=1)
def _detector() -> Any:
    return keras().models.load_model(str(_detector_file()), compile=False)


def _other_detector(_folder: str, mosaic: str) -> Taken:
    """Amazon Mining Watch's own way: patches of 48 px at stride 24, reflectance, stacked, `model.predict`."""
    network = _detector()
    with rasterio.open(mosaic) as raster, clock() as passed:
        pixels = np.clip(np.moveaxis(_first_part(raster, DETECTOR_PX), 0, -1) / 10_000, 0, 1).astype(np.float32)
        side = min(pixels.shape[:2])
        starts = range(0, side - _DETECTOR_SIDE + 1, _DETECTOR_STRIDE)
        stack = np.stack([pixels[r : r + _DETECTOR_SIDE, c : c + _DETECTOR_SIDE] for r in starts for c in starts])
        network.predict(stack, verbose=0)
        return passed.taken(side * side)


DETECTOR = "another detector"
WAYS: dict[str, Callable[[str, str], Taken]] = {
    "bare network, whole part": _whole,
    "bare network, slices": _slices,
    "single windows": _windows,
    "the paper's way": _paper,
    DETECTOR: _other_detector,
}
