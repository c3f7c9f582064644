"""`minedisc bench scan`: from a file to candidates, beside the bare network, the paper's way and other rivals.

Two processes take turns, so that neither's thread settings or memory touch the other: one scans files as a
job does and scores in memory (`bench.scan_ways`), one runs the rivals (`bench.rivals`).
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from minedisc_core.bench import rivals, scan_ways
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.bench.scan_figures import figures_of
from minedisc_core.bench.scan_ways import Taken
from minedisc_core.detection import openvino_runtime
from minedisc_core.detection.cards import ORES, ModelCard
from minedisc_core.detection.models import Model, list_models, load_model, save_model
from minedisc_core.detection.networks import NetKind, tensor_shapes
from minedisc_core.domain import ProductLevel
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.demo import generate_scene
from minedisc_core.imagery.writing import write_mosaic
from minedisc_core.jobs import ScanRequest, read_progress, start_scan
from minedisc_core.runs import read_summary
from minedisc_core.settings import Settings, load_settings

LARGE_PX = 9_216
"""Side of the paper's files: the scan's memory is measured on one."""
WIDE_PX = (2_000, 6_325, 20_000)
"""Sides of 400, 4,000 and 40,000 km2: does a km2 cost the same?"""
_SCENE_PX = 1_536
_STRIP_PX = 512
_SAMPLE_S = 0.02


def bench_scan(
    size_px: int = 4_608, repeats: int = 3, large_px: int = LARGE_PX, wide_px: Sequence[int] | None = None
) -> dict[str, Any]:
    """Measure the scan of a generated L1C mosaic of `size_px` a side.

    Args:
        size_px: side of the mosaic whose rates are measured.
        repeats: interleaved repeats; medians count.
        large_px: side of the mosaic whose scan's memory is measured; 0 leaves it out.
        wide_px: sides of the mosaics whose cost per km2 is compared; None: WIDE_PX from the paper's size on.
    """
    wide = wide_px if wide_px is not None else (WIDE_PX if size_px >= LARGE_PX else ())
    with tempfile.TemporaryDirectory(prefix="minedisc-bench-") as name:
        folder = Path(name)
        settings = _settings(folder)
        model = shipped_or_random_model(settings)
        mosaic = made_up_mosaic(folder / "mosaic.tif", size_px)
        found = _measured(mosaic, model, settings, repeats)
        figures = figures_of(found.times, found.rates, found.has_bf16)
        figures += _memory(folder, model, settings, mosaic, size_px, large_px) if large_px else []
        mosaic.unlink()
        figures += _flat(folder, model, settings, wide) if wide else []
    return report("scan", figures, model=model.name, size_px=size_px, repeats=repeats, **found.facts())


@dataclass
class _Measured:
    """What the two processes found."""

    engine: str = ""
    difference: float = 0.0
    load_s: float = 0.0
    sites: int = 0
    looked_twice: int = 0
    has_bf16: bool = False
    times: dict[str, list[Taken]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """What stands beside the figures."""
        return {
            "engine": self.engine,
            "largest_difference_on_the_probe": self.difference,
            "loading_the_nets_s": round(self.load_s, 2),
            "sites": self.sites,
            "cells_looked_at_twice": self.looked_twice,
            "seconds": {name: [round(one.seconds, 3) for one in all_] for name, all_ in self.times.items()},
            "processor_seconds": {name: [round(one.cpu_s, 3) for one in all_] for name, all_ in self.times.items()},
            "megapixels": {name: all_[0].mpx for name, all_ in self.times.items()},
            "matrix_rates_gflops": {name: round(rate / 1e9) for name, rate in self.rates.items()},
        }


def _settings(folder: Path) -> Settings:
    named = {
        name: os.environ.get(name, "") for name in ("MINEDISC_THREADS", "MINEDISC_ENGINE", "MINEDISC_ENGINE_CACHE")
    }
    return load_settings(named, folder / "home")


def shipped_or_random_model(settings: Settings) -> Model:
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


def made_up_mosaic(path: Path, size_px: int) -> Path:
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


def _measured(mosaic: Path, model: Model, settings: Settings, repeats: int) -> _Measured:
    """All ways in turn, `repeats` times; the first round, which warms up, is thrown away."""
    folder, place, found = str(model.folder), str(mosaic), _Measured()
    with _process() as scanning, _process() as rival:
        loaded = scanning.submit(scan_ways.load, folder, place, settings).result()
        found.load_s, found.engine, found.difference = loaded
        rival.submit(rivals.load, folder, place, settings.threads).result()
        found.has_bf16, found.rates = scanning.submit(_rates, settings.threads).result()
        for repeat in range(repeats + 1):
            taken, found.sites, found.looked_twice = scanning.submit(
                scan_ways.scan_once, folder, place, settings
            ).result()
            round_ = {"file to candidates": taken}
            for name in scan_ways.IN_MEMORY:
                round_[name] = scanning.submit(scan_ways.in_memory, name, folder, place, settings).result()
            round_["reading alone"] = scanning.submit(scan_ways.read_all, folder, place).result()
            for name in rivals.ways():
                round_[name] = rival.submit(rivals.take, name, folder, place).result()
            for name, value in round_.items() if repeat else ():
                found.times.setdefault(name, []).append(value)
    return found


def _rates(threads: int) -> tuple[bool, dict[str, float]]:
    """Whether the processor has bfloat16, and its matrix rates (FLOP/s) where OpenVINO is there to measure them."""
    if not openvino_runtime.is_installed():
        return False, {}
    has_bf16 = openvino_runtime.has_bf16()
    rates = {"float32": openvino_runtime.matrix_rate("f32", threads)}
    return has_bf16, rates | ({"bfloat16": openvino_runtime.matrix_rate("bf16", threads)} if has_bf16 else {})


def _memory(
    folder: Path, model: Model, settings: Settings, measured: Path, size_px: int, large_px: int
) -> list[Figure]:
    """Peak memory of a whole job (pictures included) and its children, in a process of its own."""
    mosaic = measured if size_px == large_px else made_up_mosaic(folder / "large.tif", large_px)
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


def _flat(folder: Path, model: Model, settings: Settings, sides: Sequence[int]) -> list[Figure]:
    """Cost of a km2 on files of several sizes, the same ground repeated; small ones more often, medians."""
    costs, told = {}, []
    with _process() as scanning:
        for side in sides:
            mosaic = made_up_mosaic(folder / "wide.tif", side)
            scanning.submit(scan_ways.warm, str(model.folder), settings).result()
            runs = [scanning.submit(scan_ways.scan_once, str(model.folder), str(mosaic), settings).result()[0]
                    for _ in range(1 if side > LARGE_PX else 5)]  # fmt: skip
            mosaic.unlink()
            km2 = side**2 / 1e4
            costs[side] = 1e3 * statistics.median(run.cpu_s for run in runs) / km2
            wall = 1e3 * statistics.median(run.seconds for run in runs) / km2
            told.append(f"{km2:,.0f} km2: {costs[side]:.2f} processor ms and {wall:.2f} ms a km2")
    ratio = max(costs.values()) / min(costs.values())
    return [figure("dearest km2 / cheapest km2, processor time", ratio, "ratio", "<= 1.1", "; ".join(told))]


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
