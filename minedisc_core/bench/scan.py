"""`minedisc bench scan`: from a file to candidates, beside the bare network, single windows and the paper's way.

Two processes take turns, so that neither's thread settings or memory touch the other: one scans files
as a job does, one holds the whole scene in memory and runs the rivals (`bench.rivals`).
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from minedisc_core.bench import rivals
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.detection.cards import ORES, ModelCard
from minedisc_core.detection.models import Model, list_models, load_model, save_model
from minedisc_core.detection.networks import NetKind, tensor_shapes
from minedisc_core.domain import ProductLevel
from minedisc_core.grid import PixelWindow, RasterGrid, cells_along
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.demo import generate_scene
from minedisc_core.imagery.writing import write_mosaic
from minedisc_core.jobs import ScanRequest, read_progress, run_scan, start_scan
from minedisc_core.jobs.run import load_nets
from minedisc_core.runs import read_summary
from minedisc_core.settings import Settings, load_settings

LARGE_PX = 9_216
"""Side of the paper's files: the scan's memory is measured on one."""
_SCENE_PX = 1_536
_STRIP_PX = 512
_SAMPLE_S = 0.02
_CACHE_MB = "400"


def bench_scan(size_px: int = 4_608, repeats: int = 3, large_px: int = LARGE_PX) -> dict[str, Any]:
    """Measure the scan of a generated L1C mosaic of `size_px` a side.

    Args:
        size_px: side of the mosaic whose rates are measured.
        repeats: interleaved repeats; medians count.
        large_px: side of the mosaic whose scan's memory is measured; 0 leaves it out.
    """
    with tempfile.TemporaryDirectory(prefix="minedisc-bench-") as name:
        folder = Path(name)
        settings = _settings(folder)
        model = _model(settings)
        mosaic = _mosaic(folder / "mosaic.tif", size_px)
        times, sites, cells = _rates(mosaic, model, settings, size_px, repeats)
        figures = _figures(times, size_px, cells)
        figures += _memory(folder, model, settings, large_px) if large_px else []
    return report("scan", figures, model=model.name, size_px=size_px, repeats=repeats, sites=sites, **_facts(times))


def _settings(folder: Path) -> Settings:
    return load_settings({"MINEDISC_THREADS": os.environ.get("MINEDISC_THREADS", "")}, folder / "home")


def _facts(times: dict[str, list[float]]) -> dict[str, Any]:
    return {"seconds": {name: [round(t, 3) for t in values] for name, values in times.items()}}


def _model(settings: Settings) -> Model:
    """A shipped L1C model; random weights, which cost the same, if there is none."""
    for model in list_models(settings):
        if model.discovery.bands == L1C_BANDS and model.impact:
            return model
    facts = (ProductLevel.L1C, L1C_BANDS, (1_500.0,) * 12, (500.0,) * 12)
    discovery = ModelCard("random", "0", "discovery", *facts)
    impact = ModelCard("random", "0", "impact", *facts, classes=("high", "low", "no_ore"), ores=dict(ORES))
    save_model(settings.models / "random", (discovery, _weights("discovery")), (impact, _weights("impact")))
    return load_model("random", settings)


def _weights(net: NetKind) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(0)
    found = {}
    for name, shape in tensor_shapes(net, 12).items():
        spread = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.0
        found[name] = random.normal(0, spread, shape).astype(np.float32)
    if net == "discovery":
        found["output/bias"] += np.array([3, 0], np.float32)  # few hits, as in a real scan
    return found


def _mosaic(path: Path, size_px: int) -> Path:
    """A mosaic of a generated scene and its mirror images, side by side."""
    scene = generate_scene(_SCENE_PX, 9)
    pair = np.concatenate([scene.l1c, scene.l1c[:, ::-1]], axis=1)
    rows = np.concatenate([pair, pair[::-1]], axis=0)
    wide = np.tile(rows, (1, -(-size_px // rows.shape[1]), 1))[:, :size_px]
    grid = RasterGrid(size_px, size_px, scene.grid.transform, scene.grid.crs)

    def strips() -> Iterator[tuple[PixelWindow, NDArray[np.uint16]]]:
        for row in range(0, size_px, _STRIP_PX):
            height = min(_STRIP_PX, size_px - row)
            picked = np.arange(row, row + height) % len(wide)
            yield PixelWindow(row, 0, height, size_px), wide[picked]

    return write_mosaic(path, strips(), grid, L1C_BANDS, ProductLevel.L1C)


@contextmanager
def _process() -> Iterator[ProcessPoolExecutor]:
    """One process of its own that answers calls one after the other."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def _rates(
    mosaic: Path, model: Model, settings: Settings, size_px: int, repeats: int
) -> tuple[dict[str, list[float]], int, int]:
    """Seconds of each way per repeat (the first call of each is thrown away), sites, and cells of the mosaic."""
    folder, place = str(model.folder), str(mosaic)
    times: dict[str, list[float]] = {}
    with _process() as scanning, _process() as rival:
        start = scanning.submit(_load, folder, settings).result()
        rival.submit(rivals.load, folder, place, settings.threads).result()
        sites = 0
        for repeat in range(repeats + 1):
            seconds, sites = scanning.submit(_scan_once, folder, place, settings).result()
            taken = {"file to candidates": seconds}
            for name in rivals.WAYS:
                taken[name] = rival.submit(rivals.take, name, folder, place).result()
            for name, value in taken.items() if repeat else ():
                times.setdefault(name, []).append(value)
    return {"loading the nets": [start], **times}, sites, cells_along(size_px) ** 2


@lru_cache(maxsize=1)
def _nets(folder: str, settings: Settings) -> Any:
    return load_nets(load_model(folder, settings), settings)


def _load(folder: str, settings: Settings) -> float:
    """Seconds to import TensorFlow and load the nets (in the scanning process)."""
    os.environ["GDAL_CACHEMAX"] = _CACHE_MB
    started = time.perf_counter()
    _nets(folder, settings)
    return time.perf_counter() - started


def _scan_once(folder: str, mosaic: str, settings: Settings) -> tuple[float, int]:
    """Seconds from the closed file to `candidates.parquet` and `result.json`, nets loaded; number of sites."""
    nets = _nets(folder, settings)
    with tempfile.TemporaryDirectory(prefix="minedisc-run-") as run_dir:
        request = ScanRequest((mosaic,), folder, pictures=False)
        started = time.perf_counter()
        summary = run_scan(request, Path(run_dir), settings=settings, nets=nets)
        return time.perf_counter() - started, summary.sites


def _figures(times: dict[str, list[float]], size_px: int, cells: int) -> list[Figure]:
    middle = {name: statistics.median(values) for name, values in times.items()}
    mpx = size_px**2 / 1e6
    scan_s = middle["file to candidates"]
    whole, slices = mpx / middle["bare network, whole scene"], mpx / middle["bare network, slices"]
    windows_per_s = rivals.WINDOWS / middle["single windows"]
    paper_s = middle["the paper's way"]
    rate = mpx / scan_s
    bare = f"tf.function, float32 in memory: whole scene {whole:.2f} Mpx/s, slices of {rivals.SLICE_PX} px {slices:.2f}"
    return [
        figure("file to candidates", rate, "Mpx/s (x100 = km2/s)"),
        figure("file to candidates / bare network", rate / whole, "ratio", ">= 0.6", f"{bare}; the whole scene counts"),
        figure("file to candidates / bare network in slices", rate / max(whole, slices), "ratio", "", bare),
        figure(
            "cells per second / one call per 201 px window", cells / scan_s / windows_per_s, "ratio", ">= 25",
            f"tf.function on {rivals.WINDOWS} windows in memory at stride 27: {windows_per_s:.1f} windows/s",
        ),
        figure(
            "rate / the paper's way", paper_s / scan_s, "ratio", ">= 1.2",
            f"rasterio read, float32, z-score, model.predict on slices of at most {rivals.PAPER_SLICE_PX} px, "
            f"scores only: {mpx / paper_s:.2f} Mpx/s",
        ),
        figure("loading TensorFlow and the nets", middle["loading the nets"], "s"),
    ]  # fmt: skip


def _memory(folder: Path, model: Model, settings: Settings, large_px: int) -> list[Figure]:
    """Peak memory of a whole job (pictures included) and its children, in a process of its own."""
    mosaic = _mosaic(folder / "large.tif", large_px)
    run_dir = folder / "large-run"
    process = start_scan(ScanRequest((str(mosaic),), str(model.folder)), run_dir, settings=settings)
    peak = _Peak(process.pid)
    while process.is_running:
        time.sleep(0.1)
    gigabytes = peak.stop() / 1e9
    seconds = read_summary(run_dir).seconds
    told = f"{read_progress(run_dir).message}; {seconds:.0f} s with map tiles and chips"
    name = f"peak memory of job and children, {large_px} x {large_px} x 12 uint16"
    return [figure(name, gigabytes, "GB (RSS)", "< 3.5", told)]


class _Peak:
    """Samples the memory of a process and its children in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid, self._bytes, self._is_over = pid, 0, False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._is_over:
            try:
                root = psutil.Process(self._pid)
                family = [root, *root.children(recursive=True)]
                self._bytes = max(self._bytes, sum(member.memory_info().rss for member in family))
            except psutil.Error:  # one of them has just ended
                pass
            time.sleep(_SAMPLE_S)

    def stop(self) -> int:
        """Largest sum seen, bytes."""
        self._is_over = True
        self._thread.join()
        return self._bytes
