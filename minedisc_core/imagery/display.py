"""The mosaic as map tiles: an 8-bit pyramid in Web Mercator, and tiles cut from it.

Written once when a run ends; a tile then costs a few milliseconds, where the twelve bands would cost 60-400.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.geotiff import Mosaic, pixel_size_m
from minedisc_core.imagery.pictures import PICTURES, Stretch, measure_stretch, picture_kinds, render, webp
from minedisc_core.imagery.raster_file import open_raster
from minedisc_core.imagery.writing import atomic_raster

DISPLAY_KINDS = ("true_colour", "swir")
CONTENT_TYPE = "image/webp"
"""Of all tiles: with alpha at the edges, without inside (measured: pictures.WEBP_METHOD)."""
TILE_PX = 256

_STRIP_PX = 512
_KNOT_PX = 32
_TAG_BOUNDS = "MINEDISC_BOUNDS"
"""JSON list: west, south, east, north of the mosaic; the pyramid itself is padded to whole tiles."""
_HALF_WORLD_M = math.pi * 6_378_137


def available_display_kinds(mosaic: Mosaic) -> tuple[str, ...]:
    """The kinds that `write_display` can make of a mosaic."""
    made = picture_kinds(mosaic.bands)
    return tuple(kind for kind in DISPLAY_KINDS if kind in made)


def write_display(mosaic: Mosaic, out: Path, kind: str, stretch: Stretch | None = None) -> Path:
    """Write the map-tile pyramid of a mosaic: 8-bit JPEG COG on the GoogleMapsCompatible grid, with a mask.

    Streams: at most one strip of 512 rows and GDAL's own buffers are in memory.

    Args:
        mosaic: what the run scanned.
        out: the file to write, whole or not at all.
        kind: `true_colour` or `swir`.
        stretch: of the run; None measures it.

    Raises:
        ImageryError: the mosaic lacks a band of this kind, or the disk is full.
    """
    if kind not in available_display_kinds(mosaic):
        needed = ", ".join(PICTURES[kind]) if kind in DISPLAY_KINDS else f"one of {', '.join(DISPLAY_KINDS)}"
        raise ImageryError(f"no {kind} picture can be made of {', '.join(mosaic.bands)}", needed)
    chosen = stretch or measure_stretch(mosaic, PICTURES[kind])
    with atomic_raster(out) as scratch:
        flat = scratch.with_name("flat.tif")
        try:
            _write_flat(mosaic, flat, kind, chosen)
            _write_cog(flat, scratch)
        finally:
            flat.unlink(missing_ok=True)
    return out


def _write_flat(mosaic: Mosaic, path: Path, kind: str, stretch: Stretch) -> None:
    """The 8-bit RGBA picture on the map's grid with its overviews, not compressed.

    Each pixel is the mosaic's nearest: GDAL's warper with bilinear pixels takes twice the time of all of
    this, and shows nothing more.
    """
    grid = map_grid(mosaic.grid)
    profile = {
        "driver": "GTiff", "height": grid.height_px, "width": grid.width_px, "count": 4, "dtype": "uint8",
        "crs": grid.crs, "transform": grid.transform, "tiled": True, "blockxsize": _STRIP_PX, "blockysize": _STRIP_PX,
        "interleave": "pixel", "photometric": "rgb", "alpha": "yes", "bigtiff": "if_safer",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.update_tags(**{_TAG_BOUNDS: json.dumps(mosaic.grid.footprint.bounds)})
        for row in range(0, grid.height_px, _STRIP_PX):
            strip = PixelWindow(row, 0, min(_STRIP_PX, grid.height_px - row), grid.width_px)
            picture = _strip(mosaic, kind, stretch, *source_pixels(mosaic.grid, grid, strip))
            dataset.write(np.moveaxis(picture, -1, 0), window=Window(0, row, strip.width, strip.height))
    levels = [2**k for k in range(1, 12) if 2**k * TILE_PX <= 2 * max(grid.height_px, grid.width_px)]
    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews(levels, Resampling.average)


def _strip(
    mosaic: Mosaic, kind: str, stretch: Stretch, rows: NDArray[np.int32], cols: NDArray[np.int32]
) -> NDArray[np.uint8]:
    """RGBA of the mosaic's pixels `rows`, `cols` (both of the strip's shape); clear outside the mosaic."""
    top, bottom = max(0, int(rows.min())), min(mosaic.grid.height_px, int(rows.max()) + 1)
    left, right = max(0, int(cols.min())), min(mosaic.grid.width_px, int(cols.max()) + 1)
    if bottom <= top or right <= left:
        return np.zeros((*rows.shape, 4), np.uint8)
    pixels = mosaic.read(PixelWindow(top, left, bottom - top, right - left), PICTURES[kind])
    dn = {band: pixels[..., i] for i, band in enumerate(PICTURES[kind])}
    flat = render(kind, dn, stretch).view(np.uint32)[..., 0]  # one number per pixel: gathered at once
    inside = (rows >= top) & (rows < bottom) & (cols >= left) & (cols < right)
    place = (rows - top) * (right - left) + (cols - left)
    gathered = flat.ravel().take(place, mode="clip")
    gathered[~inside] = 0
    return gathered.view(np.uint8).reshape(*rows.shape, 4)


def map_grid(grid: RasterGrid) -> RasterGrid:
    """The Web Mercator grid of whole map tiles that holds a mosaic, at the zoom nearest to its resolution."""
    west, south, east, north = grid.footprint.bounds
    height_m, width_m = pixel_size_m(grid)
    ground_m = math.sqrt(height_m * width_m) / math.cos(math.radians((south + north) / 2))
    zoom = round(math.log2(2 * _HALF_WORLD_M / TILE_PX / ground_m))
    pixel_m = 2 * _HALF_WORLD_M / TILE_PX / 2**zoom
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    (left, right), (bottom, top) = to_map.transform((west, east), (south, north))
    tile_m = TILE_PX * pixel_m
    col, end_col = math.floor((left + _HALF_WORLD_M) / tile_m), math.ceil((right + _HALF_WORLD_M) / tile_m)
    row, end_row = math.floor((_HALF_WORLD_M - top) / tile_m), math.ceil((_HALF_WORLD_M - bottom) / tile_m)
    corner = Affine(pixel_m, 0, col * tile_m - _HALF_WORLD_M, 0, -pixel_m, _HALF_WORLD_M - row * tile_m)
    return RasterGrid((end_row - row) * TILE_PX, (end_col - col) * TILE_PX, corner, "EPSG:3857")


def source_pixels(
    source: RasterGrid, target: RasterGrid, window: PixelWindow
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Row and column in `source` of each pixel centre of a window of `target`.

    Coordinates are transformed at every 32nd pixel and interpolated between: over 320 m a projection is
    straight to far less than a pixel.
    """
    down = np.arange(0, window.height + _KNOT_PX, _KNOT_PX, dtype=float)
    along = np.arange(0, window.width + _KNOT_PX, _KNOT_PX, dtype=float)
    col, row = np.meshgrid(window.col + along + 0.5, window.row + down + 0.5)
    a, b, c, d, e, f = target.transform[:6]
    project = Transformer.from_crs(target.crs, CRS.from_user_input(source.crs), always_xy=True)
    x, y = project.transform(a * col + b * row + c, d * col + e * row + f)
    a, b, c, d, e, f = (~source.transform)[:6]
    shape = window.height, window.width
    return _between(d * x + e * y + f, shape), _between(a * x + b * y + c, shape)


def _between(knots: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Whole pixels from positions at every 32nd row and column, interpolated linearly."""
    base = np.floor(knots.min())  # what is left is small enough for 32 bits
    (down, row_part), (along, col_part) = (_knots_of(size) for size in shape)
    left = (knots - base).astype(np.float32)
    left = left[down] * (1 - row_part[:, None]) + left[down + 1] * row_part[:, None]
    between = left[:, along]
    between += (left[:, 1:] - left[:, :-1])[:, along] * col_part
    whole: NDArray[np.int32] = between.astype(np.int32)  # not negative: truncation is the floor
    return whole + np.int32(base)


def _knots_of(size: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The knot before each pixel, and how far the pixel lies on the way to the next one (0..1)."""
    knot, beyond = np.divmod(np.arange(size), _KNOT_PX)
    return knot, (beyond / _KNOT_PX).astype(np.float32)


def _write_cog(flat: Path, out: Path) -> None:
    """Compress into a COG; grid and overviews are taken over as they are."""
    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"):
        rasterio.shutil.copy(
            flat,
            out,
            driver="COG",
            TILING_SCHEME="GoogleMapsCompatible",
            COMPRESS="JPEG",
            QUALITY=85,
            BLOCKSIZE=TILE_PX,
            ADD_ALPHA="YES",
            NUM_THREADS="ALL_CPUS",
        )


class TileReader:
    """Cuts map tiles out of a display pyramid; safe from many threads at once."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        with open_raster(path) as dataset:
            self._left_m, self._top_m = dataset.transform.c, dataset.transform.f
            self._pixel_m = dataset.transform.a
            self._levels = [1, *dataset.overviews(1)]
            if dataset.crs is None or dataset.crs.to_epsg() != 3857 or dataset.count < 3:
                raise ImageryError(f"{path} is no map-tile pyramid", "a file written by write_display", "scan again")
            tagged = dataset.tags().get(_TAG_BOUNDS)
            bounds = json.loads(tagged) if tagged else transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        west, south, east, north = bounds
        self.bounds: tuple[float, float, float, float] = west, south, east, north
        """West, south, east, north of the mosaic, degrees."""
        self.max_zoom = round(math.log2(2 * _HALF_WORLD_M / TILE_PX / self._pixel_m))
        """Zoom of the full resolution; the map magnifies tiles of this zoom beyond it (maxNativeZoom)."""
        self._idle: list[LifoQueue[rasterio.DatasetReader]] = [LifoQueue() for _ in self._levels]

    def tile(self, zoom: int, x: int, y: int) -> bytes | None:
        """A 256 px WebP tile of the XYZ scheme; None where the pyramid holds nothing or zooms too deep.

        Raises:
            ImageryError: the file cannot be read.
        """
        down = self.max_zoom - zoom
        if zoom < 0 or down < 0 or not (0 <= x < 2**zoom and 0 <= y < 2**zoom):
            return None
        factor = 2**down
        level = max(i for i, each in enumerate(self._levels) if each <= factor)
        picture = self._cut(x, y, factor, level)
        return None if picture is None or not picture[..., 3].any() else webp(picture)

    def _cut(self, x: int, y: int, factor: int, level: int) -> NDArray[np.uint8] | None:
        """Read from the overview `level`, whose pixels are 1 / `shrink` of the tile's."""
        shrink = factor // self._levels[level]
        pixel_m = self._pixel_m * self._levels[level]
        col = round((x * TILE_PX * self._pixel_m * factor - _HALF_WORLD_M - self._left_m) / pixel_m)
        row = round((self._top_m - (_HALF_WORLD_M - y * TILE_PX * self._pixel_m * factor)) / pixel_m)
        side = TILE_PX * shrink
        with self._dataset(level) as dataset:
            row0, row1 = max(0, row), min(dataset.height, row + side)
            col0, col1 = max(0, col), min(dataset.width, col + side)
            if row1 <= row0 or col1 <= col0:
                return None
            window = Window(col0, row0, col1 - col0, row1 - row0)
            height, width = (max(1, round(size / shrink)) for size in (row1 - row0, col1 - col0))
            shape = {"window": window, "resampling": Resampling.average}
            colours = dataset.read((1, 2, 3), out_shape=(3, height, width), **shape)
            mask = dataset.dataset_mask(out_shape=(height, width), **shape)
        picture = np.zeros((TILE_PX, TILE_PX, 4), np.uint8)
        top, left = min((row0 - row) // shrink, TILE_PX - height), min((col0 - col) // shrink, TILE_PX - width)
        place = picture[top : top + height, left : left + width]
        place[..., :3], place[..., 3] = np.moveaxis(colours, 0, -1), mask
        return picture

    @contextmanager
    def _dataset(self, level: int) -> Iterator[rasterio.DatasetReader]:
        """A handle that no other thread uses meanwhile; as many are kept as were ever used at once."""
        try:
            dataset = self._idle[level].get_nowait()
        except Empty:
            dataset = open_raster(self._path, **({"overview_level": level - 1} if level else {}))
        try:
            yield dataset
        except rasterio.errors.RasterioError as error:
            raise ImageryError(f"{self._path} cannot be read: {error}", "a whole file", "scan again") from error
        finally:
            self._idle[level].put(dataset)

    def close(self) -> None:
        """Close the handles that are not in use."""
        for idle in self._idle:
            while not idle.empty():
                idle.get_nowait().close()
