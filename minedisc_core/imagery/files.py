"""From files as they were downloaded to one mosaic: all bands on one UTM grid of 10 m pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import CONTEXT_PX, PixelWindow, RasterGrid, union_bounds
from minedisc_core.imagery.beside import write_files_story
from minedisc_core.imagery.block_cache import block_cache
from minedisc_core.imagery.geotiff import pixel_size_m
from minedisc_core.imagery.mosaic import lay_under
from minedisc_core.imagery.raster_file import BandSource, RasterFile, open_raster
from minedisc_core.imagery.scenes import Scene, common_level, find_scenes, wanted_bands
from minedisc_core.imagery.writing import BLOCK_PX, write_mosaic

TARGET_PIXEL_M = 10.0
_WIDE_PX = 8 * BLOCK_PX
_CACHE_MB = 512
"""GDAL's block cache: a JPEG 2000 block is decoded once for all strips that touch it."""
_FINER = 0.8
"""Sources with pixels under this share of 10 m are averaged; all others keep their measured values."""


def build_mosaic(
    sources: Sequence[str | Path],
    out: Path,
    *,
    level: ProductLevel | None = None,
    dn_offset: int | None = None,
    bands: Sequence[str] | None = None,
    file_bands: Sequence[str] | None = None,
    aoi: BaseGeometry | None = None,
    imagery_start: date | None = None,
    imagery_end: date | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make one mosaic of 10 m UTM pixels from folders, zips or files; streams block by block.

    The 10 m bands' own grid is kept where it is UTM already; otherwise the zone of the sources' middle
    is chosen. Bands of 20 and 60 m are put on the 10 m grid by nearest neighbour: each 10 m pixel then
    holds a value that was measured, as in the exports the nets were trained on (Earth Engine's default),
    and no value is mixed with no data. The grids' corners may differ: places count, not pixel numbers.
    Where scenes overlap, the first that has all bands at a pixel wins.

    Args:
        sources: folders (searched to the bottom), zips, or rasters of any CRS and pixel size.
        out: the GeoTIFF to write, whole or not at all; `NAME.tif.json` tells beside it what it is made of.
        level: product level; None: as tags, product names or B10 say.
        dn_offset: of the stored DN; None: as tags or product names say, else 0.
        bands: bands of the mosaic; None: the twelve of the product level.
        file_bands: names of the bands, in order, of files that hold several without naming them.
        aoi: EPSG:4326; the mosaic is cut to its bounds and as much more as its cells look at.
        imagery_start: first day of the imagery.
        imagery_end: last day of the imagery.
        on_progress: called with blocks done and all blocks.

    Raises:
        ImageryError: a band is missing, sources contradict each other, the AOI lies outside, the disk is full.
    """
    _check_apart(sources, out)
    scenes = find_scenes(sources, file_bands=file_bands, level=level, dn_offset=dn_offset, leave_out=out)
    known_level = common_level(scenes, level)
    wanted = wanted_bands(scenes, bands, known_level)
    grid = _clip(_target_grid(scenes), aoi)
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"))
        stack.enter_context(block_cache(_CACHE_MB))
        readers = [_SceneReader(scene, wanted, grid, stack) for scene in scenes]
        write_mosaic(
            out,
            _blocks(readers, grid, len(wanted), on_progress),
            grid,
            wanted,
            known_level,
            imagery_start=imagery_start,
            imagery_end=imagery_end,
            source=f"files: {', '.join(Path(str(source)).name for source in sources)}"[:500],
            overviews=True,
        )
    facts = {"level": str(known_level or ""), "bands": wanted, "start": imagery_start, "end": imagery_end}
    write_files_story(out, sources, scenes, grid, facts)
    return out


def _check_apart(sources: Sequence[str | Path], out: Path) -> None:
    if out.exists() and any(Path(source).is_file() and out.samefile(source) for source in sources):
        raise ImageryError(f"{out} is one of the files that the mosaic is made of", "a new file", "name another --out")


def _blocks(
    readers: Sequence[_SceneReader], grid: RasterGrid, bands: int, on_progress: Callable[[int, int], None] | None
) -> Iterator[tuple[PixelWindow, NDArray[np.uint16]]]:
    windows = [
        PixelWindow(row, col, min(BLOCK_PX, grid.height_px - row), min(_WIDE_PX, grid.width_px - col))
        for row in range(0, grid.height_px, BLOCK_PX)
        for col in range(0, grid.width_px, _WIDE_PX)
    ]
    for done, window in enumerate(windows, 1):
        yield window, np.moveaxis(_composite(readers, window, bands), 0, -1)
        if on_progress:
            on_progress(done, len(windows))


def _composite(readers: Sequence[_SceneReader], window: PixelWindow, bands: int) -> NDArray[np.uint16]:
    """Pixels of the first scene that has them whole, else of the first that has any; (band, height, width)."""
    out = np.zeros((bands, window.height, window.width), np.uint16)
    for reader in readers:
        if not reader.meets(window):
            continue
        lay_under(out, reader.read(window))
        if out.all():
            break
    return out


class _SceneReader:
    """A scene's bands, warped to the target grid as they are read."""

    def __init__(self, scene: Scene, bands: Sequence[str], grid: RasterGrid, stack: ExitStack) -> None:
        self._bands = [scene.bands[name] for name in bands]
        self._grid = grid
        self._bounds = _pixel_bounds(scene.finest, grid)
        self._open: dict[str, WarpedVRT] = {}
        self._stack = stack

    def meets(self, window: PixelWindow) -> bool:
        """Whether the scene may have pixels in a window of the grid."""
        row0, col0, row1, col1 = self._bounds
        return (
            row0 < window.row + window.height
            and row1 > window.row
            and col0 < window.col + window.width
            and col1 > window.col
        )

    def read(self, window: PixelWindow) -> NDArray[np.uint16]:
        """DN (band, height, width), 0 outside the scene."""
        pixels = np.empty((len(self._bands), window.height, window.width), np.uint16)
        for band, source in enumerate(self._bands):
            pixels[band] = self._read_band(source, Window(window.col, window.row, window.width, window.height))
        return pixels

    def _read_band(self, source: BandSource, window: Window) -> NDArray[np.uint16]:
        try:
            vrt = self._warped(source.file)
            values = vrt.read(source.index, window=window)
            mask = vrt.read(vrt.count, window=window) if source.file.is_masked else None
        except (rasterio.errors.RasterioError, OSError) as error:
            raise ImageryError(
                f"{source.file.path} cannot be read ({error})", "a complete file", "download it again"
            ) from error
        return source.file.to_dn(values, mask)

    def _warped(self, file: RasterFile) -> WarpedVRT:
        if file.path not in self._open:
            dataset = self._stack.enter_context(open_raster(file.path))
            self._open[file.path] = self._stack.enter_context(WarpedVRT(dataset, **_warp_options(file, self._grid)))
        return self._open[file.path]


def _warp_options(file: RasterFile, grid: RasterGrid) -> dict[str, object]:
    fill = file.nodata if file.nodata is not None else (math.nan if file.dtype.startswith("float") else 0)
    height, width = pixel_size_m(_grid_of(file))
    is_finer = max(height, width) < _FINER * TARGET_PIXEL_M
    options: dict[str, object] = {
        "crs": grid.crs,
        "transform": grid.transform,
        "height": grid.height_px,
        "width": grid.width_px,
        "resampling": Resampling.average if is_finer else Resampling.nearest,
        "tolerance": 0.01,
    }
    if file.is_masked:
        return {**options, "add_alpha": not file.has_alpha}
    return {**options, "src_nodata": fill, "nodata": fill}


def _grid_of(file: RasterFile) -> RasterGrid:
    return RasterGrid(file.height_px, file.width_px, file.transform, file.crs)


def _target_grid(scenes: Sequence[Scene]) -> RasterGrid:
    """The smallest 10 m UTM grid over all scenes; the first scene's own where that is one."""
    finest = [scene.finest for scene in scenes]
    first = finest[0]
    if all(_is_target(file) and file.crs == first.crs for file in finest):
        anchor, crs = first.transform, first.crs
    else:
        footprints = [_grid_of(file).footprint.bounds for file in finest]
        crs = utm_crs(union_bounds(footprints))
        anchor = Affine(TARGET_PIXEL_M, 0, 0, 0, -TARGET_PIXEL_M, 0)
    endless = RasterGrid(0, 0, anchor, crs)
    boxes = np.array([_pixel_bounds(file, endless) for file in finest])
    row0, col0 = (int(v) for v in np.floor(boxes[:, :2].min(axis=0) + 1e-3))
    row1, col1 = (int(v) for v in np.ceil(boxes[:, 2:].max(axis=0) - 1e-3))
    return RasterGrid(row1 - row0, col1 - col0, anchor @ Affine.translation(col0, row0), crs)


def _is_target(file: RasterFile) -> bool:
    """Whether a file lies on a north-up UTM grid of 10 m pixels."""
    a, b, _, d, e, _ = file.transform[:6]
    square = np.allclose((a, b, d, e), (TARGET_PIXEL_M, 0, 0, -TARGET_PIXEL_M), rtol=0, atol=1e-6)
    return bool(square) and CRS.from_user_input(file.crs).utm_zone is not None


def utm_crs(bounds: tuple[float, float, float, float]) -> str:
    """The EPSG code of the UTM zone (WGS 84) of the middle of bounds in degrees."""
    west, south, east, north = bounds
    zone = int(((west + east) / 2 + 180) // 6) % 60 + 1
    return f"EPSG:{(32_600 if south + north >= 0 else 32_700) + zone}"


def _pixel_bounds(file: RasterFile, grid: RasterGrid) -> tuple[float, float, float, float]:
    """First row and column, last row and column of a file on a grid, as fractions of its pixels."""
    grid_crs, file_crs = CRS.from_user_input(grid.crs), CRS.from_user_input(file.crs)
    along = np.linspace(0, 1, 21)
    edge = np.concatenate([[(t, 0), (t, 1), (0, t), (1, t)] for t in along])
    x, y = _applied(file.transform, edge[:, 0] * file.width_px, edge[:, 1] * file.height_px)
    if grid_crs != file_crs:
        x, y = Transformer.from_crs(file_crs, grid_crs, always_xy=True).transform(x, y)
    col, row = _applied(~grid.transform, x, y)
    return float(row.min()), float(col.min()), float(row.max()), float(col.max())


def _applied(
    transform: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b, c, d, e, f = transform[:6]
    return a * x + b * y + c, d * x + e * y + f


def _clip(grid: RasterGrid, aoi: BaseGeometry | None) -> RasterGrid:
    """The part of a grid that an AOI's cells look at."""
    if aoi is None:
        return grid
    ring = np.array(aoi.segmentize(0.01).envelope.segmentize(0.01).exterior.coords)
    from_degrees = Transformer.from_crs("EPSG:4326", CRS.from_user_input(grid.crs), always_xy=True)
    col, row = _applied(~grid.transform, *from_degrees.transform(ring[:, 0], ring[:, 1]))
    margin = CONTEXT_PX // 2
    row0, col0 = max(0, math.floor(row.min()) - margin), max(0, math.floor(col.min()) - margin)
    row1, col1 = (
        min(grid.height_px, math.ceil(row.max()) + margin),
        min(grid.width_px, math.ceil(col.max()) + margin),
    )
    if row1 <= row0 or col1 <= col0:
        west, south, east, north = (round(v, 3) for v in grid.footprint.bounds)
        raise ImageryError(
            f"the area asked for ({', '.join(f'{v:.3f}' for v in aoi.bounds)}) lies outside the imagery",
            f"an area within longitudes {west} to {east}, latitudes {south} to {north}",
            "draw another area, or give other files",
        )
    return RasterGrid(row1 - row0, col1 - col0, grid.transform @ Affine.translation(col0, row0), grid.crs)
