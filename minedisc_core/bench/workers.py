"""`minedisc bench workers`: a scan on workers of this machine beside the same scan in one process.

One worker and two, of one thread each, and one process with one thread and with two take turns over the same file;
all of them must find the same, to the last bit. Each time is that of a whole scan, from the closed file to
`result.json`, with the handing out of the run and without pictures.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import resource
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.bench.scan import made_up_mosaic, shipped_or_random_model
from minedisc_core.bench.scan_ways import Taken, clock
from minedisc_core.detection.models import load_model
from minedisc_core.jobs import ScanRequest, run_scan
from minedisc_core.jobs.cluster import ask_workers, local_workers
from minedisc_core.jobs.run import Nets, load_nets
from minedisc_core.runs import SCORES, TILES, read_sites
from minedisc_core.settings import Settings, load_settings

SIZE_PX = 9_216
ONE, TWO = "1 worker", "2 workers"
HERE_ONE, HERE_TWO = "one process, 1 thread", "one process, 2 threads"
_SETTINGS = ("MINEDISC_ENGINE", "MINEDISC_ENGINE_CACHE")


def bench_workers(size_px: int = SIZE_PX, repeats: int = 3) -> dict[str, Any]:
    """Measure scans of a generated L1C mosaic on one and two workers, and in one process.

    Args:
        size_px: side of the mosaic.
        repeats: interleaved repeats; medians count.
    """
    with tempfile.TemporaryDirectory(prefix="minedisc-bench-") as name, local_workers(1) as one:
        folder = Path(name)
        known = {key: os.environ.get(key, "") for key in _SETTINGS}
        settings = load_settings({**known, "MINEDISC_THREADS": "1"}, folder / "home")
        model = shipped_or_random_model(settings)
        mosaic = made_up_mosaic(folder / "mosaic.tif", size_px)
        with local_workers(2) as two:
            ways = {
                HERE_ONE: settings,
                HERE_TWO: dataclasses.replace(settings, threads=2),
                ONE: dataclasses.replace(settings, scheduler=one),
                TWO: dataclasses.replace(settings, scheduler=two),
            }
            taken = _in_turns(ways, str(model.folder), str(mosaic), folder, repeats)
            peaks = [max(ask_workers(address, peak_rss_bytes)) for address in (one, two)]
        tiles = len(list((folder / ONE / TILES).glob("*.npz")))
        figures = _figures(taken, max(peaks), tiles, _differing(folder, list(ways)))
    return report(
        "workers", figures, model=model.name, size_px=size_px, repeats=repeats, tiles=tiles,
        equal=figures[0].value == 0,
        seconds={name: [round(one.seconds, 3) for one in all_] for name, all_ in taken.items()},
        processor_seconds_of_the_scans_own_process={
            name: [round(one.cpu_s, 3) for one in all_] for name, all_ in taken.items()
        },
    )  # fmt: skip


def _in_turns(ways: dict[str, Settings], model: str, mosaic: str, folder: Path, repeats: int) -> dict[str, list[Taken]]:
    """Each way in turn, `repeats` times; the first round, which warms up, leaves its results and is not counted."""
    taken: dict[str, list[Taken]] = {name: [] for name in ways}
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for repeat in range(repeats + 1):
            for name, settings in ways.items():
                run_dir = folder / (f"{name} again {repeat}" if repeat else name)
                found = pool.submit(scan_into, run_dir, model, mosaic, settings).result()
                taken[name] += [found] if repeat else []
    return taken


def scan_into(run_dir: Path, model: str, mosaic: str, settings: Settings) -> Taken:
    """One scan, nets loaded."""
    nets = _nets(model, dataclasses.replace(settings, scheduler=""))
    with clock() as passed:
        run_scan(ScanRequest((mosaic,), model, pictures=False), run_dir, settings=settings, nets=nets)
        return passed.taken(0)


@lru_cache(maxsize=2)
def _nets(model: str, settings: Settings) -> Nets:
    return load_nets(load_model(model, settings), settings)


def peak_rss_bytes() -> int:
    """Most memory that this process ever held.

    Linux says it itself: what `getrusage` says counts the process that started this one, too.
    """
    try:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _differing(folder: Path, names: list[str]) -> int:
    """Ways whose scores or sites are not those of the first, to the last bit."""
    results = []
    for name in names:
        with rasterio.open(folder / name / SCORES) as raster:
            scores = raster.read(1)
        found = [(s.polygon.wkb, s.score, s.impact, s.impact_probabilities) for s in read_sites(folder / name)]
        results.append((scores, found))
    first_scores, first_sites = results[0]
    return sum(
        not np.array_equal(scores, first_scores, equal_nan=True) or sites != first_sites for scores, sites in results
    )


def _figures(taken: dict[str, list[Taken]], peak: int, tiles: int, differing: int) -> list[Figure]:
    seconds = {name: statistics.median(one.seconds for one in all_) for name, all_ in taken.items()}
    own = 1e3 * statistics.median(one.cpu_s for one in taken[TWO]) / tiles
    of_one = 1e3 * seconds[ONE] / tiles
    told = f"{own:.1f} processor ms a tile in the scan's own process, {of_one:.0f} ms a tile with one worker"
    beside = {name: f"{seconds[name]:.2f} s" for name in seconds}
    return [
        figure("ways whose result differs from one process's", differing, "ways", "== 0", ", ".join(taken)),
        figure("efficiency of 2 workers: t1 / (2 t2)", seconds[ONE] / (2 * seconds[TWO]), "ratio", "",
               f"{ONE} {beside[ONE]}, {TWO} {beside[TWO]}"),
        figure("efficiency of 2 threads of one process: t1 / (2 t2)", seconds[HERE_ONE] / (2 * seconds[HERE_TWO]),
               "ratio", "", f"1 thread {beside[HERE_ONE]}, 2 threads {beside[HERE_TWO]}"),
        figure("1 worker / one process with 1 thread, time", seconds[ONE] / seconds[HERE_ONE], "ratio"),
        figure("2 workers / one process with 2 threads, time", seconds[TWO] / seconds[HERE_TWO], "ratio"),
        figure("peak memory of a worker", peak / 1e9, "GB (RSS)", "< 1.5"),
        figure("workers that one scan's own process can keep busy", of_one / own, "workers of 1 thread", "", told),
    ]  # fmt: skip
