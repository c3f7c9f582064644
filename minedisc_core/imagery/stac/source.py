"""A STAC catalogue as a source of composites: masked by the scene classification, median of the days."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import groupby

import numpy as np
import rasterio
from numpy.typing import NDArray

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.composites.source import Block, BlockLayout, Survey
from minedisc_core.imagery.network import READ_TIMEOUT_S
from minedisc_core.imagery.network_faults import Faults
from minedisc_core.imagery.stac.catalogues import MASK, bands_of, catalogue_of
from minedisc_core.imagery.stac.layout import layout_of, part_of
from minedisc_core.imagery.stac.median import masked_median, remove_offset
from minedisc_core.imagery.stac.readers import Readers
from minedisc_core.imagery.stac.reading import Numbers, gdal_options, read_asset
from minedisc_core.imagery.stac.scenes import Scene
from minedisc_core.imagery.stac.search import FindItems, Found, choose_scenes, search_items
from minedisc_core.imagery.stac.signing import Signer

READER_THREADS = 8
"""Files read at once, whatever the number of blocks: servers allow many more, memory does not."""
Mask = NDArray[np.bool_]


@dataclass
class _Look:
    """One scene in one block."""

    scene: Scene
    layer: int
    """Which solar day of the block it belongs to."""
    used: Mask
    """Where its pixels are taken; no two scenes of a day share a pixel."""


@dataclass
class _Work:
    """A block while it is made."""

    target: RasterGrid
    is_cancelled: Callable[[], bool]
    problems: list[str] = field(default_factory=list)


class StacSource:
    """Composites of one request (`imagery.composites.source.CompositeSource`).

    Args:
        request: source `stac`, level L2A, recipe `scl`.
        find_items: how the catalogue is searched.
        read_timeout_s: longest wait for one range of a file.

    Raises:
        UsageError: the request does not fit a STAC catalogue.
    """

    most_in_flight = 1
    """A block reads several files at once, and the next band while the median of the last one is computed."""

    def __init__(
        self,
        request: CompositeRequest,
        *,
        find_items: FindItems = search_items,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self.catalogue = catalogue_of(request)
        self.bands = bands_of(request)
        self._request, self._find_items, self._timeout_s = request, find_items, read_timeout_s
        self._signer, self._faults = Signer(self.catalogue), Faults()
        self._readers = Readers(READER_THREADS, gdal_options(read_timeout_s))
        self._lock = threading.Lock()
        self._is_masked = np.isin(np.arange(256), request.masked_classes)

    def survey(self) -> Survey:
        """The scenes of the request and what was left out.

        Raises:
            ImageryError: the catalogue cannot be searched or holds nothing.
        """
        found = self._known()
        classes = ",".join(map(str, self._request.masked_classes))
        return Survey(
            collection=self.catalogue.collection,
            level=ProductLevel.L2A,
            bands=self.bands,
            scenes=tuple(scene.facts for scene in found.scenes),
            remarks=found.remarks,
            tags={
                "catalogue": self.catalogue.url,
                "mask": f"scene classification (SCL), classes {classes} masked",
                "reducer": "median of solar days, two middle values: their mean rounded down",
                "resampling": "nearest neighbour",
            },
        )

    def layout(self, grid: RasterGrid) -> BlockLayout:
        """Blocks on the lines of the files' own tiles: a tile that two blocks touch would travel twice."""
        return layout_of(self._known().scenes, grid)

    def read_block(self, grid: RasterGrid, window: PixelWindow, is_cancelled: Callable[[], bool]) -> Block:
        """The composite of a window of the grid.

        Raises:
            ImageryError: no scene could be read though there are some; a scan would take it for no data.
            Cancelled: `is_cancelled` said so.
        """
        work = _Work(part_of(grid, window), is_cancelled)
        scenes = [scene for scene in self._known().scenes if scene.footprint.intersects(work.target.footprint)]
        looks, read = self._looks(work, scenes)
        if scenes and not read:
            raise ImageryError(f"No scene could be read: {'; '.join(work.problems[:3])}", "", "try again later")
        values = np.zeros((window.height, window.width, len(self.bands)), np.uint16)
        counts = np.full((window.height, window.width), np.iinfo(np.uint16).max if looks else 0, np.uint16)
        for number, (median, seen) in enumerate(self._medians(work, looks)):
            values[..., number] = median
            np.minimum(counts, seen, out=counts)
        if looks and work.problems and not counts.any():
            raise ImageryError(f"No band could be read: {'; '.join(work.problems[:3])}", "", "try again later")
        values[counts == 0] = 0  # a pixel that one band lacks is no data in all
        return Block(values, counts, tuple(work.problems))

    def _known(self) -> Found:
        with self._lock:
            return self._found

    @cached_property
    def _found(self) -> Found:
        items = self._find_items(self._request, self.catalogue)
        return choose_scenes(self._request, self.catalogue, items)

    def _looks(self, work: _Work, scenes: Sequence[Scene]) -> tuple[list[_Look], int]:
        """Scenes with valid pixels in the block, a layer per solar day; number of masks that were read."""
        masks = dict(self._read(work, scenes, MASK))
        looks: list[_Look] = []
        layer = 0
        order = sorted(range(len(scenes)), key=lambda number: _rank(scenes[number], work.target))
        for _, numbers in groupby(order, lambda number: scenes[number].solar_day):
            free = np.ones((work.target.height_px, work.target.width_px), bool)
            found = []
            for number in numbers:
                used = free & ~self._is_masked[masks.pop(number)] if number in masks else ~free[:0]
                if used.any():
                    found.append(_Look(scenes[number], layer, used))
                    free &= ~used
            looks += found
            layer += bool(found)
        return looks, len(scenes) - sum(problem.endswith(_NO_MASK) for problem in work.problems)

    def _medians(self, work: _Work, looks: Sequence[_Look]) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.uint16]]]:
        """Median and count of each band; while one is computed the files of the next are read."""
        with ThreadPoolExecutor(1) as pool:
            computing: Future[tuple[NDArray[np.uint16], NDArray[np.uint16]]] | None = None
            for band in self.bands if looks else ():
                stack = self._stack(work, looks, band)
                if computing:
                    yield computing.result()
                computing = pool.submit(masked_median, stack)
                del stack
            if computing:
                yield computing.result()

    def _stack(self, work: _Work, looks: Sequence[_Look], band: str) -> NDArray[np.uint16]:
        """The band's DN without offset, (days, height, width), 0 where masked."""
        shape = (looks[-1].layer + 1, work.target.height_px, work.target.width_px)
        stack = np.zeros(shape, np.uint16)
        for number, numbers in self._read(work, [look.scene for look in looks], band):
            look = looks[number]
            clean = remove_offset(numbers.astype(np.uint16, copy=False), look.scene.facts.dn_offset)
            np.copyto(stack[look.layer], clean, where=look.used)
        return stack

    def _read(self, work: _Work, scenes: Sequence[Scene], name: str) -> Iterator[tuple[int, Numbers]]:
        """Number of a scene and its pixels over the block, for those that can be read; the others are named."""
        calls = [partial(self._try, scene, name, work.target) for scene in scenes]
        for number, answer in self._readers.results(calls, work.is_cancelled):
            if isinstance(answer, str):
                work.problems.append(_problem(scenes[number], name, answer))
            else:
                yield number, answer

    def _try(self, scene: Scene, name: str, target: RasterGrid) -> Numbers | str:
        """Pixels, or why there are none (in a reader's thread)."""
        address = scene.files.get(name, "")
        if not address:
            return "the catalogue lists no such file"
        known = self._faults.given_up(address)
        if known:
            return known
        try:
            return read_asset(self._signer.sign(address), target)
        except (rasterio.errors.RasterioError, ImageryError, OSError, ValueError) as error:
            return self._faults.note(address, error, self._timeout_s)


_NO_MASK = "; the scene was not used here"


def _problem(scene: Scene, name: str, reason: str) -> str:
    end = _NO_MASK if name == MASK else ""
    return f"{scene.facts.scene_id}, {name}: {reason}{end}"


def _rank(scene: Scene, target: RasterGrid) -> tuple[object, ...]:
    """Days in order; within a day first what needs no warping, then the newest processing."""
    baseline = scene.facts.baseline or "00.00"
    newest_first = -float(baseline)
    return scene.solar_day, scene.crs != target.crs, newest_first, scene.facts.scene_id
