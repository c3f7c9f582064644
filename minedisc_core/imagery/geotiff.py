"""The mosaic: one or several georeferenced files, read as DN by window, from any thread."""

from __future__ import annotations

import hashlib
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid, geodesic_distance_m
from minedisc_core.imagery.bands import ALL_BANDS, L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.raster_file import (
    TAG_END,
    TAG_LEVEL,
    TAG_SOURCE,
    TAG_START,
    RasterFile,
    describe_file,
    open_raster,
)
from minedisc_core.imagery.writing import write_mosaic

__all__ = ["Mosaic", "check_aoi", "check_bands", "open_mosaic", "pixel_size_m", "write_mosaic"]

PIXEL_SIZE_M = (8.0, 12.0)
"""The nets were trained on 10 m pixels: sides outside this range are refused."""
_CACHE_MB = 384
"""GDAL's block cache in a process that reads mosaics (its own default is 5 % of the memory): enough for the
blocks that two rows of scan tiles share over 9,216 px in twelve bands."""
_ALIGNED_PX = 0.05
"""How far a file's corner may lie off another file's pixel grid."""


@dataclass(frozen=True)
class _Part:
    """A file and where its first pixel lies in the mosaic."""

    file: RasterFile
    row: int
    col: int


class Mosaic:
    """A raster of Sentinel-2 bands, made by `open_mosaic`. Closed by `close` or as a context manager.

    Reading is safe from several threads at once (each has its own handles) and gives up the GIL while
    GDAL reads. A pickled mosaic is opened again where it arrives.
    """

    def __init__(
        self, parts: Sequence[_Part], grid: RasterGrid, level: ProductLevel | None, dates: tuple[date | None, ...]
    ) -> None:
        self._parts = tuple(parts)
        self.grid = grid
        self.level = level
        """L1C or L2A as stated by the caller, a tag or the presence of B10; None if nothing says it."""
        self.imagery_start, self.imagery_end = dates
        self.paths = tuple(part.file.path for part in parts)
        first = parts[0].file
        self.bands = tuple(name for name in first.bands if name)
        """Canonical names, in the order of the first file."""
        self.source = first.tag(TAG_SOURCE) or "files"
        self._local = threading.local()
        self._handles: list[rasterio.DatasetReader] = []
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        """SHA-256 over the files (names, sizes, times, layout, tags) and over how they are understood."""
        facts = [(part.file.stamp, part.file.bands, part.file.gain, part.file.dn_offset) for part in self._parts]
        return hashlib.sha256(repr((facts, str(self.level))).encode()).hexdigest()

    def read(self, window: PixelWindow, bands: Sequence[str]) -> NDArray[np.uint16]:
        """DN (reflectance x 10,000) of a window, shape (height, width, band), uint16.

        0 is no data, also where the window reaches past the raster. The array is a view of a
        band-first one, so that no pixel is moved.

        Raises:
            ImageryError: a band is missing, or a file cannot be read.
        """
        out: NDArray[np.uint16] | None = None
        for part in self._parts:
            inside = _intersection(window, part)
            if inside is None:
                continue
            values = self._read_part(part, inside, bands)
            if values.shape[1:] == (window.height, window.width):
                out = values
                break
            if out is None:
                out = np.zeros((len(bands), window.height, window.width), np.uint16)
            top, left = part.row + inside.row - window.row, part.col + inside.col - window.col
            out[:, top : top + inside.height, left : left + inside.width] = values
        if out is None:
            self._check_names(bands)
            out = np.zeros((len(bands), window.height, window.width), np.uint16)
        return np.moveaxis(out, 0, -1)

    def _check_names(self, bands: Sequence[str]) -> None:
        missing = [name for name in bands if name not in self.bands]
        if missing:
            raise _missing_bands(self, missing)

    def _read_part(self, part: _Part, inside: PixelWindow, bands: Sequence[str]) -> NDArray[np.uint16]:
        self._check_names(bands)
        file = part.file
        indexes = [file.bands.index(name) + 1 for name in bands]
        window = Window(inside.col, inside.row, inside.width, inside.height)
        dataset = self._dataset(file.path)
        try:
            values = dataset.read(indexes, window=window)
            mask = dataset.read_masks(indexes, window=window) if file.is_masked else None
        except (rasterio.errors.RasterioError, OSError) as error:
            raise ImageryError(
                f"rows {inside.row}-{inside.row + inside.height} of {file.path} cannot be read ({error})",
                "a complete file",
                "download or export it again",
            ) from error
        return file.to_dn(values, mask)

    def _dataset(self, path: str) -> rasterio.DatasetReader:
        handles: dict[str, rasterio.DatasetReader] = self._local.__dict__
        if path not in handles or handles[path].closed:
            with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
                handles[path] = open_raster(path)
            with self._lock:
                self._handles.append(handles[path])
        return handles[path]

    def close(self) -> None:
        """Close all threads' handles; a later read opens new ones."""
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        return Mosaic, (self._parts, self.grid, self.level, (self.imagery_start, self.imagery_end))


def _intersection(window: PixelWindow, part: _Part) -> PixelWindow | None:
    """The part's own pixels that lie in the window; None if there are none."""
    row0, col0 = max(window.row, part.row), max(window.col, part.col)
    row1 = min(window.row + window.height, part.row + part.file.height_px)
    col1 = min(window.col + window.width, part.col + part.file.width_px)
    if row1 <= row0 or col1 <= col0:
        return None
    return PixelWindow(row0 - part.row, col0 - part.col, row1 - row0, col1 - col0)


def open_mosaic(
    paths: Sequence[str | Path],
    *,
    level: ProductLevel | None = None,
    bands: Sequence[str] | None = None,
    dn_offset: int | None = None,
    imagery_start: date | None = None,
    imagery_end: date | None = None,
) -> Mosaic:
    """Open one file, or several that are tiles of one grid, as a mosaic.

    Args:
        paths: anything GDAL opens: GeoTIFF, VRT, `/vsi...`.
        level: product level; None: as the file's tag says, or L1C if a band is B10; else it stays unknown.
        bands: names of the files' bands in order; needed only if the files do not name them.
        dn_offset: offset of the stored DN (1000 from processing baseline 04.00 on); None: as the files'
            tag `MINEDISC_DN_OFFSET` or GDAL's scale and offset say, else 0. Never guessed from pixels or dates.
        imagery_start: first day of the imagery; None: as the tag says.
        imagery_end: last day of the imagery.

    Raises:
        ImageryError: a file cannot be used, the pixels are not north-up of 8-12 m, or the files do not
            fit together. The remedy names the `minedisc mosaic` call where that helps.
    """
    if not paths:
        raise ImageryError("no file given", "one or more GeoTIFF or VRT files")
    files = [describe_file(path, bands, dn_offset) for path in paths]
    remedy = mosaic_call(paths, files, level, bands, dn_offset)
    for file in files:
        _check_pixels(file, remedy)
        _check_same_bands(file, files[0])
    parts, grid = _assemble(files, remedy)
    start = imagery_start or min(_tagged_dates(files, TAG_START), default=None)
    end = imagery_end or max(_tagged_dates(files, TAG_END), default=None)
    return Mosaic(parts, grid, _level(files, level), (start, end))


def check_aoi(mosaic: Mosaic, aoi: BaseGeometry) -> None:
    """Check that an area of interest (EPSG:4326) meets the mosaic.

    Raises:
        ImageryError: it lies outside.
    """
    if not mosaic.grid.footprint.intersects(aoi):
        west, south, east, north = (round(v, 4) for v in mosaic.grid.footprint.bounds)
        asked = ", ".join(f"{value:.4f}" for value in aoi.bounds)
        raise ImageryError(
            f"the area asked for ({asked}) lies outside the mosaic",
            f"an area within longitudes {west} to {east}, latitudes {south} to {north}",
            "draw another area, or choose another mosaic",
        )


def check_bands(mosaic: Mosaic, bands: Sequence[str], level: ProductLevel) -> None:
    """Check that a mosaic has the bands and the product level that a model needs.

    Raises:
        ImageryError: a band is missing, or the level is another one or unknown.
    """
    missing = [name for name in bands if name not in mosaic.bands]
    if missing:
        raise _missing_bands(mosaic, missing)
    if mosaic.level is None:
        raise ImageryError(
            f"nothing says whether {_first(mosaic)} is L1C or L2A",
            f"{level}, which the model was trained on",
            f"state it with --level {level} if you know it to be so",
        )
    if mosaic.level != level:
        raise ImageryError(
            f"the mosaic {_first(mosaic)} is {mosaic.level}",
            f"{level}, which the model was trained on",
            f"choose a model for {mosaic.level}, or a mosaic of {level}",
        )


def _missing_bands(mosaic: Mosaic, missing: Sequence[str]) -> ImageryError:
    return ImageryError(
        f"{_first(mosaic)} has no band {', '.join(missing)}; it has {', '.join(mosaic.bands)}",
        "all bands of the model card",
        "choose a model that fits these bands, or export the mosaic with all of them",
    )


def _first(mosaic: Mosaic) -> str:
    more = len(mosaic.paths) - 1
    return mosaic.paths[0] + (f" (and {more} more)" if more else "")


def pixel_size_m(grid: RasterGrid, pixel: tuple[int, int] | None = None) -> tuple[float, float]:
    """Geodesic height and width, in metres, of a pixel (row, column; None: the middle one) of a grid of any CRS."""
    row, col = pixel or (grid.height_px / 2, grid.width_px / 2)
    here, below, right = grid.lonlat(np.array([row, row + 1, row]), np.array([col, col, col + 1]))
    return geodesic_distance_m(*here, *below), geodesic_distance_m(*here, *right)


def mosaic_call(
    paths: Sequence[str | Path],
    files: Sequence[RasterFile],
    level: ProductLevel | None = None,
    bands: Sequence[str] | None = None,
    dn_offset: int | None = None,
) -> str:
    """The command that makes these files one UTM mosaic of 10 m pixels, with all that was stated of them."""
    held = {name for file in files for name in file.bands if name}
    known = level or _level(files, None)
    twelve = {ProductLevel.L1C: L1C_BANDS, ProductLevel.L2A: L2A_BANDS}.get(known) if known else None
    words = ["minedisc", "mosaic", "--source", "files", *map(str, paths)]
    words += [] if twelve and held >= set(twelve) else ["--bands", ",".join(sorted(held, key=ALL_BANDS.index))]
    words += ["--file-bands", ",".join(bands)] if bands else []
    words += ["--level", str(level)] if level else []
    words += ["--dn-offset", str(dn_offset)] if dn_offset is not None else []
    return shlex.join([*words, "--out", "mosaic_10m.tif"])


def _check_pixels(file: RasterFile, remedy: str) -> None:
    a, b, _, d, e, _ = file.transform[:6]
    if abs(b) + abs(d) > 1e-6 * (abs(a) + abs(e)) or a <= 0 or e >= 0:
        raise ImageryError(f"{file.path} is rotated or mirrored", "rows from north to south", f"warp it: {remedy}")
    height, width = pixel_size_m(_grid(file))
    low, high = PIXEL_SIZE_M
    if not (low <= height <= high and low <= width <= high):
        raise ImageryError(
            f"{file.path} has pixels of {height:.2f} x {width:.2f} m",
            f"{low:.0f} to {high:.0f} m, the size the nets were trained on",
            f"warp it to 10 m: {remedy}",
        )


def _grid(file: RasterFile) -> RasterGrid:
    return RasterGrid(file.height_px, file.width_px, file.transform, file.crs)


def _check_same_bands(file: RasterFile, first: RasterFile) -> None:
    mine, others = {b for b in file.bands if b}, {b for b in first.bands if b}
    if mine != others:
        raise ImageryError(
            f"{file.path} and {first.path} do not hold the same bands: {', '.join(sorted(mine ^ others))} in one only",
            "tiles of one raster, each with all bands",
            "export all tiles with the same bands",
        )


def _assemble(files: Sequence[RasterFile], remedy: str) -> tuple[list[_Part], RasterGrid]:
    first = files[0]
    places = [_place(file, first, remedy) for file in files]
    top, left = min(row for row, _ in places), min(col for _, col in places)
    parts = [_Part(f, row - top, col - left) for f, (row, col) in zip(files, places, strict=True)]
    for index, part in enumerate(parts):
        for other in parts[:index]:
            whole = PixelWindow(part.row, part.col, part.file.height_px, part.file.width_px)
            if _intersection(whole, other):
                raise ImageryError(
                    f"{other.file.path} and {part.file.path} overlap",
                    "tiles that lie side by side",
                    f"join them first: {remedy}",
                )
    height = max(part.row + part.file.height_px for part in parts)
    width = max(part.col + part.file.width_px for part in parts)
    return parts, RasterGrid(height, width, first.transform @ Affine.translation(left, top), first.crs)


def _place(file: RasterFile, first: RasterFile, remedy: str) -> tuple[int, int]:
    """Row and column of a file's first pixel on the first file's pixel grid."""
    if file is first:
        return 0, 0
    same_crs = file.crs == first.crs or CRS.from_user_input(file.crs) == CRS.from_user_input(first.crs)
    col, row = ~first.transform @ (file.transform.c, file.transform.f)
    drift = max(
        abs(file.transform.a / first.transform.a - 1) * file.width_px,
        abs(file.transform.e / first.transform.e - 1) * file.height_px,
        abs(col - round(col)),
        abs(row - round(row)),
    )
    if not same_crs or drift > _ALIGNED_PX:
        raise ImageryError(
            f"{file.path} does not lie on the pixel grid of {first.path}",
            "tiles of one raster: same CRS, pixel size and alignment",
            f"warp them to one grid: {remedy}",
        )
    return round(row), round(col)


def _level(files: Sequence[RasterFile], stated: ProductLevel | None) -> ProductLevel | None:
    """The level that the caller, the tags and band B10 (in L1C only) agree on; None if none of them speaks."""
    said = {"the call": stated}
    for file in files:
        said[f"the tag of {file.path}"] = _tagged_level(file)
        said[f"band B10 of {file.path}"] = ProductLevel.L1C if "B10" in file.bands else None
    spoken = {who: level for who, level in said.items() if level}
    if len(set(spoken.values())) > 1:
        told = "; ".join(f"{level} by {who}" for who, level in spoken.items())
        raise ImageryError(
            f"the product level is said to be {told}", "one level", "leave out --level, or correct the tag"
        )
    return next(iter(spoken.values()), None)


def _tagged_level(file: RasterFile) -> ProductLevel | None:
    text = file.tag(TAG_LEVEL)
    if text is None:
        return None
    try:
        return ProductLevel(text.upper())
    except ValueError as error:
        raise ImageryError(f"{file.path} has the tag {TAG_LEVEL}={text!r}", "L1C or L2A") from error


def _tagged_dates(files: Sequence[RasterFile], tag: str) -> list[date]:
    found = []
    for file in files:
        text = file.tag(tag)
        try:
            found += [date.fromisoformat(text)] if text else []
        except ValueError as error:
            raise ImageryError(f"{file.path} has the tag {tag}={text!r}", "a date such as 2019-12-31") from error
    return found
