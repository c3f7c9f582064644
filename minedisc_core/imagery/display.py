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
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.pictures import PICTURES, Stretch, measure_stretch, picture_kinds, render, webp
from minedisc_core.imagery.raster_file import open_raster
from minedisc_core.imagery.writing import atomic_raster

DISPLAY_KINDS = ("true_colour", "swir")
CONTENT_TYPE = "image/webp"
"""Of all tiles: with alpha at the edges, without inside (measured: pictures.WEBP_METHOD)."""
TILE_PX = 256

_STRIP_PX = 512
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
            _warp_to_tiles(flat, scratch)
        finally:
            flat.unlink(missing_ok=True)
    return out


def _write_flat(mosaic: Mosaic, path: Path, kind: str, stretch: Stretch) -> None:
    """The 8-bit RGBA picture on the mosaic's own grid."""
    grid = mosaic.grid
    profile = {
        "driver": "GTiff", "height": grid.height_px, "width": grid.width_px, "count": 4, "dtype": "uint8",
        "crs": grid.crs, "transform": grid.transform, "tiled": True, "blockxsize": _STRIP_PX, "blockysize": _STRIP_PX,
        "compress": "zstd", "zstd_level": 1, "num_threads": "all_cpus", "photometric": "rgb", "interleave": "band",
        "bigtiff": "if_safer",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        dataset.update_tags(**{_TAG_BOUNDS: json.dumps(grid.footprint.bounds)})
        for row in range(0, grid.height_px, _STRIP_PX):
            rows = min(_STRIP_PX, grid.height_px - row)
            pixels = mosaic.read(PixelWindow(row, 0, rows, grid.width_px), PICTURES[kind])
            dn = {band: pixels[..., i] for i, band in enumerate(PICTURES[kind])}
            picture = render(kind, dn, stretch)
            window = Window(0, row, grid.width_px, rows)
            dataset.write(np.ascontiguousarray(np.moveaxis(picture, -1, 0)), window=window)


def _warp_to_tiles(flat: Path, out: Path) -> None:
    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"):
        rasterio.shutil.copy(
            flat,
            out,
            driver="COG",
            TILING_SCHEME="GoogleMapsCompatible",
            COMPRESS="JPEG",
            QUALITY=85,
            BLOCKSIZE=TILE_PX,
            RESAMPLING="BILINEAR",
            OVERVIEW_RESAMPLING="AVERAGE",
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
