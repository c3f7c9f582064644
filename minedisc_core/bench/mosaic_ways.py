"""The ways that `bench mosaic` compares, each run in a process of its own: blocks of a composite from one set of files.

A way is a function that imports what it needs and gives the work: imports are no part of its time, and no
process holds another's libraries.
"""

from __future__ import annotations

import copy
import itertools
import resource
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from minedisc_core.bench.mosaic_scenes import DAYS_APART
from minedisc_core.domain import ProductLevel
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.bands import L2A_BANDS
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.composites.source import BLOCK_PX
from minedisc_core.imagery.composites.target import all_blocks
from minedisc_core.imagery.stac.catalogues import EARTH_SEARCH, MASK
from minedisc_core.imagery.stac.median import masked_median, remove_offset

THREADS = 4
"""Of the baselines. More would read no faster from loopback and cost them memory."""
_PLAIN_BLOCK_PX = 1_020
"""A multiple of 6: a plain window in pixels of 10 m is then whole in pixels of 20 and 60 m."""
_MASKED = CompositeRequest("stac", "scl", {}, date.min, date.max).masked_classes
_IS_MASKED = np.isin(np.arange(256), _MASKED)
Values = NDArray[np.uint16]


@dataclass(frozen=True)
class Work:
    """What every way has to do."""

    items: tuple[dict[str, Any], ...]
    """STAC items, one per day, in order of time."""
    offsets: tuple[int, ...]
    """What is taken off each item's numbers."""
    grid: RasterGrid
    """The composite's pixels: 10 m, on whole pixels of 60 m of the files."""

    @property
    def request(self) -> CompositeRequest:
        """The same in the words of a composite."""
        days = [datetime.fromisoformat(item["properties"]["datetime"]).date() for item in self.items]
        area = shapely.geometry.mapping(self.grid.footprint)
        end = max(days) + timedelta(days=1)
        return CompositeRequest(
            "stac", "scl", area, min(days), end, level=ProductLevel.L2A, most_cloud_percent=100, crs=self.grid.crs
        )

    def repeated(self, looks: int) -> Work:
        """The same files as `looks` items, each on a day of its own."""
        items = [copy.deepcopy(item) for item, _ in zip(itertools.cycle(self.items), range(looks), strict=False)]
        first = datetime.fromisoformat(self.items[0]["properties"]["datetime"])
        for number, item in enumerate(items):
            item["id"] += f"_{number}"
            item["properties"]["datetime"] = (first + timedelta(days=DAYS_APART * number)).isoformat()
        offsets = tuple(self.offsets[number % len(self.offsets)] for number in range(looks))
        return Work(tuple(items), offsets, self.grid)


@dataclass(frozen=True)
class Taken:
    """What a way cost."""

    seconds: float
    cpu_s: float
    """Of all threads of the process."""
    peak_mb: float
    """Largest resident memory since the process began, libraries included."""


def take(name: str, work: Work, out: Path) -> Taken:
    """Do the work in this process, which has done nothing else, and write the values to `out` (NPY)."""
    way = WAYS[name]()
    cpu, start = time.process_time(), time.perf_counter()
    values = way(work)
    taken = Taken(time.perf_counter() - start, time.process_time() - cpu, peak_mb())
    np.save(out, values)
    return taken


def take_blocks(work: Work, count: int) -> Taken:
    """Make `count` blocks as a job does, and keep none: a job has each on disk when the next begins."""
    source = _open(work)
    blocks = all_blocks(work.grid, source.layout(work.grid))
    largest = max(window.height * window.width for window in blocks)
    whole = [window for window in blocks if window.height * window.width == largest]
    windows = list(itertools.islice(itertools.cycle(whole), count))
    cpu, start = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(source.most_in_flight) as pool:
        for done in [pool.submit(_make, source, work.grid, window) for window in windows]:
            done.result()
    return Taken(time.perf_counter() - start, time.process_time() - cpu, peak_mb())


def peak_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage keeps the peak of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1_024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1_024 / 1e6


def _open(work: Work) -> Any:
    from pystac import Item

    from minedisc_core.imagery.stac.source import StacSource

    return StacSource(work.request, find_items=lambda *_: [Item.from_dict(item) for item in work.items])


def _make(source: Any, grid: RasterGrid, window: PixelWindow) -> None:
    block = source.read_block(grid, window, lambda: False)
    if block.problems:
        raise AssertionError(block.problems)


def _ours() -> Callable[[Work], Values]:
    import pystac  # noqa: F401 - loaded before the clock starts

    import minedisc_core.imagery.stac.source  # noqa: F401 - likewise

    return _by_source


def _by_source(work: Work) -> Values:
    """The product's own: `StacSource`, as many blocks at once as it says."""
    source, values = _open(work), _empty(work)

    def make(window: PixelWindow) -> None:
        values[_slices(window)] = source.read_block(work.grid, window, lambda: False).values

    with ThreadPoolExecutor(source.most_in_flight) as pool:
        list(pool.map(make, all_blocks(work.grid, source.layout(work.grid))))
    return values


def _odc() -> Callable[[Work], Values]:
    import dask.array
    import pystac
    from odc.geo import geobox
    from odc.stac import configure_rio

    del dask, geobox, pystac  # loaded before the clock starts
    configure_rio(cloud_defaults=True)
    return _by_odc


def _by_odc(work: Work) -> Values:
    """odc-stac's lazy arrays in chunks of our blocks, with our median on each chunk."""
    from dask.array import map_blocks
    from dask.base import compute
    from odc.geo.geobox import GeoBox
    from odc.stac import load
    from pystac import Item

    grid = work.grid
    keys = [EARTH_SEARCH.assets[name] for name in (*L2A_BANDS, MASK)]
    found = load(
        [Item.from_dict(item) for item in work.items], bands=keys, dtype="uint16", nodata=0, resampling="nearest",
        geobox=GeoBox((grid.height_px, grid.width_px), grid.transform, grid.crs), groupby="solar_day",
        chunks={"x": BLOCK_PX, "y": BLOCK_PX, "time": -1},
    )  # fmt: skip
    classes = found[keys[-1]].data

    def reduce(numbers: Values, scl: Values) -> Values:
        return _reduce(list(numbers), list(scl), work.offsets)

    told = {"dtype": "u2", "drop_axis": 0}
    bands = [found[key].data for key in keys[:-1]]
    lazy = [map_blocks(reduce, band, classes, **told) for band in bands]  # type: ignore[no-untyped-call]  # dask has no types
    done = compute(*lazy, scheduler="threads", num_workers=THREADS)  # type: ignore[no-untyped-call]  # dask has no types
    values: Values = np.stack(done, -1)
    return values


def _reduce(numbers: Sequence[Values], classes: Sequence[NDArray[Any]], offsets: Sequence[int]) -> Values:
    stack = np.stack([remove_offset(part, offset) for part, offset in zip(numbers, offsets, strict=True)])
    for part, scl in zip(stack, classes, strict=True):
        part[_IS_MASKED[scl]] = 0
    return masked_median(stack)[0]


def _plain() -> Callable[[Work], Values]:
    import rasterio  # noqa: F401 - loaded before the clock starts

    return _by_windows


def _by_windows(work: Work) -> Values:
    """What one would write first: windows in threads, clouds to NaN, `nanmedian`."""
    import rasterio

    values, opened = _empty(work), threading.local()
    warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)

    def read(item: dict[str, Any], name: str, window: PixelWindow) -> NDArray[Any]:
        address = item["assets"][EARTH_SEARCH.assets[name]]["href"]
        known = opened.__dict__.setdefault("files", {})
        dataset = known.get(address) or known.setdefault(address, rasterio.open(address))
        place = work.grid.transform @ (window.col, window.row)
        col, row = ~dataset.transform @ place
        step = round(dataset.res[0] / 10)
        part = rasterio.windows.Window(round(col), round(row), window.width // step, window.height // step)
        found: NDArray[Any] = dataset.read(1, window=part, out_shape=(window.height, window.width))
        return found

    def make(window: PixelWindow) -> None:
        masked = _IS_MASKED[np.stack([read(item, MASK, window) for item in work.items])]
        for number, band in enumerate(L2A_BANDS):
            stack = np.stack([read(item, band, window) for item in work.items]).astype(np.float32)
            stack -= np.array(work.offsets, np.float32)[:, None, None]
            stack[masked] = np.nan
            values[(*_slices(window), number)] = np.nan_to_num(np.nanmedian(stack, axis=0))

    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(make, _plain_windows(work.grid)))
    return values


def _plain_windows(grid: RasterGrid) -> list[PixelWindow]:
    rows, cols = range(0, grid.height_px, _PLAIN_BLOCK_PX), range(0, grid.width_px, _PLAIN_BLOCK_PX)
    side = _PLAIN_BLOCK_PX
    return [
        PixelWindow(row, col, min(side, grid.height_px - row), min(side, grid.width_px - col))
        for row in rows
        for col in cols
    ]


def _empty(work: Work) -> Values:
    return np.zeros((work.grid.height_px, work.grid.width_px, len(L2A_BANDS)), np.uint16)


def _slices(window: PixelWindow) -> tuple[slice, slice]:
    return np.s_[window.row : window.row + window.height, window.col : window.col + window.width]


OURS, ODC, PLAIN = "StacSource", "odc-stac + dask", "plain windows"
WAYS: dict[str, Callable[[], Callable[[Work], Values]]] = {OURS: _ours, ODC: _odc, PLAIN: _plain}
