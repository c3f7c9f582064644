"""`minedisc bench mosaic`: composites from files on loopback, beside odc-stac with dask and plain windows; memory.

Every repeat of every way is a process of its own, in turns; a server in this process counts what is read.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from minedisc_core.bench.mosaic_scenes import Acquisitions, make_scenes
from minedisc_core.bench.mosaic_ways import ODC, OURS, THREADS, WAYS, Taken, Work, take, take_blocks
from minedisc_core.bench.range_server import RangeServer, serve_ranges
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L2A_BANDS, NATIVE_RESOLUTION_M
from minedisc_core.imagery.composites.source import BLOCK_PX
from minedisc_core.imagery.stac.layout import WIDE_PX

_STEP_PX = 12
"""Sides and margins are multiples: whole pixels of 60 m, and an area's middle on one."""
_SCENE_SIDES = 1.5
"""Side of the files beside that of the area: most of a file is not wanted, as always."""
_CLEAR_LOOKS = 3
_Result = TypeVar("_Result")


@dataclass
class _Runs:
    """What the repeats of one way cost."""

    taken: list[Taken] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    """That the server sent."""

    def middle(self, name: str) -> float:
        """Median of a cost."""
        return statistics.median(float(getattr(taken, name)) for taken in self.taken)


@dataclass(frozen=True)
class _Made:
    """Files, and what is right."""

    area: Work
    whole: Work
    """The same files over all of their ground."""
    truth: NDArray[np.uint16]
    """What the files hold of the ground, (height, width, 12)."""
    is_sure: NDArray[np.bool_]
    """Where at least three looks are clear."""


def bench_mosaic(
    size_px: int = 2_568,
    repeats: int = 3,
    scenes: int = 6,
    *,
    tile_px: int = 1_024,
    proof_looks: int = 42,
    proof_blocks: Sequence[int] = (1, 3, 9),
) -> dict[str, Any]:
    """Measure the composite of a generated area of `size_px` a side, all twelve bands.

    Args:
        size_px: side of the area, rounded up to a multiple of 12.
        repeats: interleaved repeats; medians count.
        scenes: acquisitions, half of them with the offset of newer baselines.
        tile_px: side of the files' tiles; Earth Search's have 1,024.
        proof_looks: scenes per block in the proof of memory: 42 are the most that are read in blocks of 2,048 px, which
            take the most memory; two years of a tile with two in three cloudy are 50.
        proof_blocks: how many blocks one process makes in the proof of memory.
    """
    side = -(-size_px // _STEP_PX) * _STEP_PX
    with tempfile.TemporaryDirectory(prefix="minedisc-bench-") as name, serve_ranges(Path(name)) as server:
        folder = Path(name)
        made = _make(folder, server.url, side, scenes, tile_px)
        least, share = _least_bytes(folder, made) / 1e6, _share(folder, made) / 1e6
        runs, values = _in_turns(folder, server, made.area, repeats)
        proof = {count: _alone(take_blocks, made.whole.repeated(proof_looks), count) for count in proof_blocks}
    figures = _costs(runs) + _bytes(runs, least, share) + _equal(values, made) + _memory(proof, proof_looks)
    facts = {way: [asdict(taken) for taken in run.taken] for way, run in runs.items()}
    return report("mosaic", figures, size_px=side, scenes=scenes, tile_px=tile_px, repeats=repeats, runs=facts)


def _make(folder: Path, url: str, side: int, scenes: int, tile_px: int) -> _Made:
    margin = -(-round(side * (_SCENE_SIDES - 1) / 2) // _STEP_PX) * _STEP_PX
    made = make_scenes(folder, url, side + 2 * margin, scenes, tile_px=tile_px)
    offsets = tuple(scene.offset for scene in made.scenes)
    grid = RasterGrid(side, side, made.grid.transform @ Affine.translation(margin, margin), made.grid.crs)
    part = np.s_[margin : margin + side, margin : margin + side]
    area, whole = (Work(tuple(made.items), offsets, chosen) for chosen in (grid, made.grid))
    return _Made(area, whole, _as_stored(made)[part], made.looks[part] >= _CLEAR_LOOKS)


def _as_stored(made: Acquisitions) -> NDArray[np.uint16]:
    """The truth as files of 20 and 60 m hold it: the first of each 2 x 2 or 6 x 6 pixels."""
    truth = made.truth.copy()
    for number, band in enumerate(L2A_BANDS):
        step = NATIVE_RESOLUTION_M[band] // 10
        truth[..., number] = truth[::step, ::step, number].repeat(step, 0).repeat(step, 1)
    return truth


def _in_turns(
    folder: Path, server: RangeServer, work: Work, repeats: int
) -> tuple[dict[str, _Runs], dict[str, NDArray[np.uint16]]]:
    """Costs of each way, and its values, (height, width, 12)."""
    runs: dict[str, _Runs] = {way: _Runs() for way in WAYS}
    places = {way: folder / f"values-{number}.npy" for number, way in enumerate(WAYS)}
    for _ in range(repeats):
        for way, run in runs.items():
            server.forget()
            run.taken.append(_alone(take, way, work, places[way]))
            run.megabytes.append(sum(server.sent.values()) / 1e6)
    return runs, {way: np.load(place) for way, place in places.items()}


def _alone(call: Callable[..., _Result], *arguments: object) -> _Result:
    """The answer of a process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def _least_bytes(folder: Path, made: _Made) -> int:
    """Stored size of the full-resolution tiles that meet the area: nobody can read fewer bytes."""
    west, south, east, north = _bounds(made.area.grid)
    total = 0
    for path in folder.glob("*/*.tif"):
        with rasterio.open(path) as dataset:
            tile = dataset.block_shapes[0][0]
            left, top = ~dataset.transform @ (west, north)
            right, bottom = ~dataset.transform @ (east, south)
            for row in range(int(top) // tile, -(-round(bottom) // tile)):
                for col in range(int(left) // tile, -(-round(right) // tile)):
                    total += int(dataset.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=1) or 0)
    return total


def _bounds(grid: RasterGrid) -> tuple[float, float, float, float]:
    west, north = grid.transform @ (0, 0)
    east, south = grid.transform @ (grid.width_px, grid.height_px)
    return west, south, east, north


def _share(folder: Path, made: _Made) -> float:
    """The area's share of the files' bytes, overviews included."""
    share = (made.area.grid.height_px / made.whole.grid.height_px) ** 2
    return share * sum(path.stat().st_size for path in folder.glob("*/*.tif"))


def _costs(runs: dict[str, _Runs]) -> list[Figure]:
    ours, theirs = runs[OURS], runs[ODC]
    told = f"lazy arrays of {BLOCK_PX} px in {THREADS} threads, the same masked uint16 median"
    figures = []
    for name, words, unit in (("cpu_s", "CPU seconds", "s"), ("peak_mb", "peak memory", "MB")):
        beside = f"odc-stac + dask, {told}: {theirs.middle(name):.1f} {unit}"
        ratio = ours.middle(name) / theirs.middle(name)
        figures.append(figure(f"{words}, StacSource / odc-stac", ratio, "ratio", "<= 1", beside))
    for way, run in runs.items():
        figures.append(figure(f"{way}, seconds", run.middle("seconds"), "s"))
        figures.append(figure(f"{way}, CPU seconds", run.middle("cpu_s"), "s"))
        figures.append(figure(f"{way}, peak memory", run.middle("peak_mb"), "MB (RSS)"))
    return figures


def _bytes(runs: dict[str, _Runs], least: float, share: float) -> list[Figure]:
    tiles = f"stored size of the files' tiles that meet the area, each once: {least:.0f} MB"
    area = f"the area's share of the files, overviews included: {share:.0f} MB"
    figures = []
    for way, run in runs.items():
        sent, goal = statistics.median(run.megabytes), "<= 1.25" if way == OURS else ""
        figures.append(figure(f"{way}, bytes read / wanted tiles", sent / least, "ratio", goal, tiles))
        figures.append(figure(f"{way}, bytes read / area's share", sent / share, "ratio", "", area))
    return figures


def _equal(values: dict[str, NDArray[np.uint16]], made: _Made) -> list[Figure]:
    truth = made.truth[made.is_sure].astype(np.int32)
    told = f"the generated ground, {made.is_sure.mean():.0%} of the pixels"
    figures = []
    for way, found in values.items():
        worst = float(np.abs(found[made.is_sure] - truth).max())
        name = f"{way}, largest error where {_CLEAR_LOOKS} looks are clear"
        figures.append(figure(name, worst, "DN", "<= 1", told))
    other = float(np.mean(values[OURS] != values[ODC]))
    return [*figures, figure("values that differ between StacSource and odc-stac", other, "share", "<= 0")]


def _memory(proof: dict[int, Taken], looks: int) -> list[Figure]:
    told = f"{looks} looks x {len(L2A_BANDS)} bands; a mosaic of 10,000 x 10,000 px is 25 such blocks"
    figures = [
        figure(f"peak memory, {count} blocks of {WIDE_PX} px", taken.peak_mb / 1e3, "GB (RSS)", "< 2", told)
        for count, taken in proof.items()
    ]
    counts = sorted(proof)
    if len(counts) > 1:
        growth = proof[counts[-1]].peak_mb / proof[counts[-2]].peak_mb
        name = f"peak memory, {counts[-1]} blocks / {counts[-2]} blocks"
        figures.append(figure(name, growth, "ratio", "<= 1.1", "flat: memory does not follow the number of blocks"))
    return figures
