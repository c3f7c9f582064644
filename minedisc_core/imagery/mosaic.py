"""The mosaic: georeferenced files over one pixel grid, read as DN by window, from any thread.

Where parts overlap, a pixel comes from the first that has all bands there, else from the first that has any.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.nearest import nearest
from minedisc_core.imagery.network import asking, full_address, is_remote, remember, shown, timeout_s
from minedisc_core.imagery.network_faults import Faults
from minedisc_core.imagery.raster_file import BandSource, RasterFile, open_raster, unread

_MOST_OPEN = 48
"""Files that a thread keeps open: four scenes of twelve files. More threads than a scan has stay under the usual
limit of 1,024 open files."""
_TO_THE_PIXEL = 1e-6


@dataclass(frozen=True)
class Part:
    """Bands of one piece of ground (a file with all of them, or the files of a scene) and where it lies."""

    name: str
    """The file's path, or the scene's id."""
    bands: Mapping[str, BandSource]
    """By canonical name."""
    row: int
    """Of its first pixel in the mosaic."""
    col: int
    identity: tuple[object, ...]
    """What tells it from every other: stamp and meaning of a file, or what a catalogue says of a scene."""
    only_geotiff: bool = False
    """Other formats may name further files, which a catalogue has no business to make us open."""

    @cached_property
    def finest(self) -> RasterFile:
        """The file whose pixels are the part's own."""
        return min(self.bands.values(), key=lambda source: source.pixel_m).file

    @cached_property
    def window(self) -> PixelWindow:
        """The part's pixels in the mosaic."""
        return PixelWindow(self.row, self.col, self.finest.height_px, self.finest.width_px)


@dataclass(frozen=True)
class MosaicFacts:
    """What is known of a mosaic beside its pixels."""

    bands: tuple[str, ...]
    level: ProductLevel | None
    start: date | None
    end: date | None
    source: str
    remarks: tuple[str, ...] = ()
    """Sentences that a person should read: files that were moved onto the grid."""
    left_out: tuple[str, ...] = field(default=())
    """Files that could not be used, each with its reason: what they show is not seen."""


class Mosaic:
    """A raster of Sentinel-2 bands, made by `open_mosaic`. Closed by `close` or as a context manager.

    Reading is safe from several threads at once (each has its own handles) and gives up the GIL while
    GDAL reads. A pickled mosaic is opened again where it arrives.
    """

    def __init__(self, parts: Sequence[Part], grid: RasterGrid, facts: MosaicFacts) -> None:
        self._parts, self.grid, self._facts = tuple(parts), grid, facts
        self.level = facts.level
        """L1C or L2A as stated by the caller, a tag or the presence of B10; None if nothing says it."""
        self.imagery_start, self.imagery_end = facts.start, facts.end
        self.bands = facts.bands
        """Canonical names, in the order of the first file."""
        self.source = facts.source
        self.remarks, self.left_out = facts.remarks, facts.left_out
        self.paths = tuple(part.name for part in parts)
        boxes = [(w.row, w.col, w.row + w.height, w.col + w.width) for w in (part.window for part in parts)]
        self._boxes = np.array(boxes, np.int64)
        self._passes_over_faults = False
        self._faults = Faults()
        self._handles = _Handles()

    @property
    def identity(self) -> str:
        """SHA-256 over the files (names, sizes, times, layout, tags) and over how they are understood."""
        facts = [part.identity for part in self._parts]
        return hashlib.sha256(repr((facts, str(self.level))).encode()).hexdigest()

    @property
    def is_remote(self) -> bool:
        """Whether any file is asked of a network."""
        return any(is_remote(source.file.path) for part in self._parts for source in part.bands.values())

    def read(self, window: PixelWindow, bands: Sequence[str]) -> NDArray[np.uint16]:
        """DN (reflectance x 10,000) of a window, shape (height, width, band), uint16.

        0 is no data, also where the window reaches past the raster. The array is a view of a
        band-first one, so that no pixel is moved.

        Raises:
            ImageryError: a band is missing, or a file cannot be read.
        """
        missing = [name for name in bands if name not in self.bands]
        if missing:
            raise missing_bands(self, missing)
        out: NDArray[np.uint16] | None = None
        met = self._met_by(window)
        for part in met:
            inside = _intersection(window, part.window)
            pixels = self._pixels(part, inside, bands)
            if pixels is None:
                continue
            if out is None and inside == window and (len(met) == 1 or pixels.all()):
                return np.moveaxis(pixels, 0, -1)
            if out is None:
                out = np.zeros((len(bands), window.height, window.width), np.uint16)
            top, left = inside.row - window.row, inside.col - window.col
            lay_under(out[:, top : top + inside.height, left : left + inside.width], pixels)
            if len(met) > 1 and out.all():
                break
        if out is None:
            out = np.zeros((len(bands), window.height, window.width), np.uint16)
        return np.moveaxis(out, 0, -1)

    def without_faults(self) -> Mosaic:
        """The same mosaic for pictures: what cannot be read is no data there, as a scan has told its reason."""
        twin = copy.copy(self)
        twin._passes_over_faults = True
        return twin

    def _pixels(self, part: Part, inside: PixelWindow, bands: Sequence[str]) -> NDArray[np.uint16] | None:
        try:
            return self._read_part(part, inside, bands)
        except ImageryError:
            if self._passes_over_faults:
                return None
            raise

    def _met_by(self, window: PixelWindow) -> list[Part]:
        """The parts that have pixels in a window, in their order."""
        top, left, bottom, right = self._boxes.T
        below, beside = window.row + window.height, window.col + window.width
        is_met = (top < below) & (bottom > window.row) & (left < beside) & (right > window.col)
        return [self._parts[number] for number in np.flatnonzero(is_met)]

    def _read_part(self, part: Part, inside: PixelWindow, bands: Sequence[str]) -> NDArray[np.uint16]:
        """DN of a window of the mosaic that lies in the part, (band, height, width)."""
        lacking = [name for name in bands if name not in part.bands]
        if lacking:
            raise ImageryError(f"{part.name} has no file of {', '.join(lacking)}", "a file for each band of the model")
        here = PixelWindow(inside.row - part.row, inside.col - part.col, inside.height, inside.width)
        files = {part.bands[name].file.path: part.bands[name].file for name in bands}
        if len(files) == 1:
            return self._read_file(part, next(iter(files.values())), [part.bands[b].index for b in bands], here)
        out = np.empty((len(bands), here.height, here.width), np.uint16)
        for file in files.values():
            own = [number for number, name in enumerate(bands) if part.bands[name].file.path == file.path]
            out[own] = self._read_file(part, file, [part.bands[bands[number]].index for number in own], here)
        return out

    def _read_file(self, part: Part, file: RasterFile, indexes: Sequence[int], here: PixelWindow) -> NDArray[np.uint16]:
        """Bands of one file over a window of the part's pixels."""
        remote = is_remote(file.path)
        known = self._faults.given_up(file.path) if remote else None
        if known:
            raise ImageryError(f"{file.path} was not read again: {known}", remedy="resume when the file can be read")
        try:
            with asking(file.path):
                dataset = self._handles.of(file, part.only_geotiff)
                values = _on_pixels(partial(dataset.read, indexes), file, part.finest, here)
                mask = None
                if file.is_masked:
                    mask = _on_pixels(partial(dataset.read_masks, indexes), file, part.finest, here)
        except (rasterio.errors.RasterioError, OSError, ImageryError) as error:
            raise self._failure(file, here, error) from (None if remote else error)
        return file.to_dn(values, mask)

    def _failure(self, file: RasterFile, here: PixelWindow, error: Exception) -> ImageryError:
        if is_remote(file.path):
            self._handles.forget(file.path)
            self._faults.note(file.path, error, timeout_s())
            return error if isinstance(error, ImageryError) else unread(file.path, error)
        if isinstance(error, ImageryError):
            return error
        return ImageryError(
            f"rows {here.row}-{here.row + here.height} of {file.path} cannot be read ({shown(str(error))})",
            "a complete file",
            "download or export it again",
        )

    def close(self) -> None:
        """Close all threads' handles; a later read opens new ones."""
        self._handles.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        paths = {source.file.path for part in self._parts for source in part.bands.values()}
        secrets = {path: full_address(path) for path in paths if full_address(path) != path}
        return _arrived, (self._parts, self.grid, self._facts, secrets)


def _arrived(parts: Sequence[Part], grid: RasterGrid, facts: MosaicFacts, addresses: Mapping[str, str]) -> Mosaic:
    """A mosaic that was pickled; the signatures of its addresses travel with it, in memory only."""
    remember(addresses)
    return Mosaic(parts, grid, facts)


class _Handles:
    """Open files: each thread its own, the least used closed when there are many."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._all: set[rasterio.DatasetReader] = set()
        self._lock = threading.Lock()

    def of(self, file: RasterFile, only_geotiff: bool) -> rasterio.DatasetReader:
        """The calling thread's handle of a file.

        Raises:
            ImageryError: it cannot be opened, or is not what was described.
        """
        own: OrderedDict[str, rasterio.DatasetReader] = self._local.__dict__.setdefault("own", OrderedDict())
        found = own.get(file.path)
        if found is not None and not found.closed:
            own.move_to_end(file.path)
            return found
        opened = open_raster(file.path, **({"driver": "GTiff"} if only_geotiff else {}))
        with self._lock:
            self._all.add(opened)
        _check_as_described(opened, file)
        own[file.path] = opened
        while len(own) > _MOST_OPEN:
            self._drop(own.popitem(last=False)[1])
        return opened

    def forget(self, path: str) -> None:
        """Close the calling thread's handle, so that the next read opens the file anew."""
        own = self._local.__dict__.get("own", {})
        if path in own:
            self._drop(own.pop(path))

    def _drop(self, handle: rasterio.DatasetReader) -> None:
        with self._lock:
            self._all.discard(handle)
        handle.close()

    def close(self) -> None:
        """Close the handles of all threads."""
        with self._lock:
            handles, self._all = self._all, set()
        for handle in handles:
            handle.close()


def _check_as_described(dataset: rasterio.DatasetReader, file: RasterFile) -> None:
    is_size = dataset.shape == (file.height_px, file.width_px)
    least = _TO_THE_PIXEL * abs(file.transform.a)
    if not is_size or not np.allclose(tuple(dataset.transform), tuple(file.transform), rtol=0, atol=least):
        raise ImageryError(
            f"{file.path} lies elsewhere, or has another size, than was said of it",
            f"{file.height_px} x {file.width_px} px from {file.transform.c:.1f}, {file.transform.f:.1f}",
            "correct the item collection, or scan the changed file in a new run",
        )
    if "uint8" in dataset.dtypes and file.dtype == "uint16":
        raise ImageryError(f"{file.path} holds uint8 numbers", "the uint16 of Sentinel-2's files", "name other assets")


def _on_pixels(read: Any, file: RasterFile, finest: RasterFile, here: PixelWindow) -> NDArray[Any]:
    """Numbers of a window of the finest file's pixels: the file's own, or its nearest where it is coarser."""
    if file.transform == finest.transform:
        same: NDArray[Any] = read(window=Window(here.col, here.row, here.width, here.height))
        return same
    corner = finest.transform @ Affine.translation(here.col, here.row)
    target = RasterGrid(here.height, here.width, corner, finest.crs)
    shape = (file.height_px, file.width_px)
    found = nearest(lambda window: read(window=window), file.transform, shape, target)
    return np.zeros((1, here.height, here.width), file.dtype) if found is None else found


def lay_under(out: NDArray[np.uint16], pixels: NDArray[np.uint16]) -> None:
    """Fill a composite (band, height, width) with a further look at the same ground, in place.

    A pixel that has all bands stays; one that lacks any is taken from the look if that has all, or if there
    was nothing yet.
    """
    if not out.any():
        out[...] = pixels
        return
    take = ~out.all(axis=0) & (pixels.all(axis=0) | ~out.any(axis=0))
    out[:, take] = pixels[:, take]


def _intersection(window: PixelWindow, other: PixelWindow) -> PixelWindow:
    """The common pixels of two windows that meet."""
    row, col = max(window.row, other.row), max(window.col, other.col)
    bottom = min(window.row + window.height, other.row + other.height)
    right = min(window.col + window.width, other.col + other.width)
    return PixelWindow(row, col, bottom - row, right - col)


def missing_bands(mosaic: Mosaic, missing: Iterable[str]) -> ImageryError:
    """What to say where bands are asked for that a mosaic lacks."""
    return ImageryError(
        f"{first_of(mosaic)} has no band {', '.join(missing)}; it has {', '.join(mosaic.bands)}",
        "all bands of the model card",
        "choose a model that fits these bands, or export the mosaic with all of them",
    )


def first_of(mosaic: Mosaic) -> str:
    """`a.tif (and 3 more)`."""
    more = len(mosaic.paths) - 1
    return mosaic.paths[0] + (f" (and {more} more)" if more else "")
