"""What `bench scan` measures of minedisc itself, in a process of its own: scans, scoring in memory, reading."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.models import load_model
from minedisc_core.detection.openvino_nets import OpenVinoDiscovery
from minedisc_core.detection.scan import FEATURES_PER_SIDE
from minedisc_core.grid import PixelWindow, cells_along, tile_read, tiles
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.jobs import ScanRequest, run_scan
from minedisc_core.jobs.run import MOST_SCORERS, Nets, load_nets
from minedisc_core.settings import Settings

PART_PX = 4_608
"""Side of the part of the file that is held in memory for scoring without reading: a slice of the paper's."""


@dataclass(frozen=True)
class Taken:
    """What a way took."""

    seconds: float
    cpu_s: float
    """Processor seconds of all threads of the process."""
    mpx: float
    """Pixels that it went over, millions."""


class _Clock:
    """Seconds and processor seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def taken(self, pixels: float) -> Taken:
        """What has passed, for so many pixels."""
        return Taken(time.perf_counter() - self._wall, time.process_time() - self._cpu, pixels / 1e6)


@contextmanager
def clock() -> Iterator[_Clock]:
    """A clock that starts now; ask it inside of the `with` what has passed."""
    yield _Clock()


@lru_cache(maxsize=1)
def _nets(folder: str, settings: Settings) -> Nets:
    return load_nets(load_model(folder, settings), settings)


def load(folder: str, mosaic: str, settings: Settings) -> tuple[float, str, float]:
    """Load the nets and the part in memory: seconds for the nets, the engine, its largest difference on the probe."""
    started = time.perf_counter()
    warm(folder, settings)
    nets = _nets(folder, settings)
    seconds = time.perf_counter() - started
    _part(folder, mosaic)
    return seconds, str(nets.engine), nets.engine.largest_difference or 0.0


def warm(folder: str, settings: Settings) -> None:
    """Load the nets."""
    _nets(folder, settings)


def scan_once(folder: str, mosaic: str, settings: Settings) -> tuple[Taken, int, int]:
    """From the closed file to `candidates.parquet` and `result.json`, nets loaded; sites, cells looked at twice."""
    nets = _nets(folder, settings)
    with tempfile.TemporaryDirectory(prefix="minedisc-run-") as run_dir:
        request = ScanRequest((mosaic,), folder, pictures=False)
        with clock() as passed:
            summary = run_scan(request, Path(run_dir), settings=settings, nets=nets)
            seconds = passed.taken(0)
    return dataclasses.replace(seconds, mpx=_pixels(mosaic) / 1e6), summary.sites, summary.engine.cells_looked_twice


def _pixels(mosaic: str) -> int:
    with open_mosaic([mosaic]) as opened:
        return opened.grid.height_px * opened.grid.width_px


@lru_cache(maxsize=1)
def _part(folder: str, mosaic: str) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """DN of the file's first part, bands one after the other in memory as read, and the same centred in float32."""
    card = load_model(folder, Settings(Path())).discovery
    with open_mosaic([mosaic]) as opened:
        rows, cols = (min(PART_PX, side) for side in (opened.grid.height_px, opened.grid.width_px))
        dn = opened.read(PixelWindow(0, 0, rows, cols), card.bands)
    centred = np.ascontiguousarray(dn).astype(np.float32)
    centred -= np.asarray(card.mean, np.float32)
    return dn, centred


def in_memory(way: str, folder: str, mosaic: str, settings: Settings) -> Taken:
    """One of IN_MEMORY over the part that is held in memory, tile by tile as the scan does."""
    nets = _nets(folder, settings)
    dn, centred = _part(folder, mosaic)
    with clock() as passed:
        IN_MEMORY[way](nets.discovery, dn, centred, min(settings.threads, MOST_SCORERS))
        return passed.taken(dn.shape[0] * dn.shape[1])


def _scores_of_centred(net: Any, dn: NDArray[np.uint16], centred: NDArray[np.float32], threads: int) -> None:
    if isinstance(net, OpenVinoDiscovery):
        net.head(_assembled(_windows(dn), lambda w: net.trunk_of_centred(_cut(centred, w)), threads, dn))
    else:
        _scores(net, dn, centred, threads)


def _scores(net: Any, dn: NDArray[np.uint16], _centred: NDArray[np.float32], threads: int) -> None:
    net.head(_assembled(_windows(dn), lambda w: net.trunk(_cut(dn, w), None), threads, dn))


def _trunk(net: Any, dn: NDArray[np.uint16], _centred: NDArray[np.float32], threads: int) -> None:
    _assembled(_windows(dn), lambda w: net.trunk(_cut(dn, w), None), threads, dn)


IN_MEMORY: dict[str, Callable[[Any, NDArray[np.uint16], NDArray[np.float32], int], None]] = {
    "scoring, centred float32 in memory": _scores_of_centred,
    "scoring, DN in memory": _scores,
    "trunk alone, DN in memory": _trunk,
}


def _windows(dn: NDArray[np.uint16]) -> list[PixelWindow]:
    height, width = dn.shape[:2]
    cells = np.ones((cells_along(height), cells_along(width)), bool)
    return [tile_read(tile, height, width).window for tile in tiles(cells, FEATURES_PER_SIDE)]


def _cut(pixels: NDArray[Any], window: PixelWindow) -> NDArray[Any]:
    return pixels[window.row : window.row + window.height, window.col : window.col + window.width]


def _assembled(
    windows: Iterable[PixelWindow], trunk: Callable[[PixelWindow], NDArray[np.float32]], threads: int,
    dn: NDArray[np.uint16],
) -> NDArray[np.float32]:  # fmt: skip
    """Features of all windows, of as many numbers as the part has (for time: halos are not cut off)."""
    features = np.zeros((dn.shape[0] // 27, dn.shape[1] // 27, 64), np.float32)
    with ThreadPoolExecutor(threads) as pool:
        for window, found in zip(windows, pool.map(trunk, windows), strict=True):
            row, col = window.row // 27, window.col // 27
            place = features[row : row + found.shape[0], col : col + found.shape[1]]
            place[...] = found[: place.shape[0], : place.shape[1]]
    return features


def read_all(folder: str, mosaic: str) -> Taken:
    """Read and decode every tile of the file as the scan does, and nothing else."""
    bands = load_model(folder, Settings(Path())).discovery.bands
    with open_mosaic([mosaic]) as opened, clock() as passed:
        height, width = opened.grid.height_px, opened.grid.width_px
        for tile in tiles(np.ones(opened.grid.cells, bool), FEATURES_PER_SIDE):
            opened.read(tile_read(tile, height, width).window, bands)
        return passed.taken(height * width)
