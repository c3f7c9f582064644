"""Writing a mosaic: one profile, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError  # what `build_overviews` raises; there is no public name for it
from rasterio.enums import Resampling
from rasterio.windows import Window

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.raster_file import TAG_DN_OFFSET, TAG_END, TAG_LEVEL, TAG_SOURCE, TAG_START

BLOCK_PX = 512
"""Side of the file's tiles; blocks given to `write_mosaic` should start and end on multiples of it."""

Blocks = Iterable[tuple[PixelWindow, NDArray[np.uint16]]]


def write_mosaic(
    path: Path,
    array_or_blocks: NDArray[np.uint16] | Blocks,
    grid: RasterGrid,
    bands: Sequence[str],
    level: ProductLevel | None,
    *,
    imagery_start: date | None = None,
    imagery_end: date | None = None,
    source: str = "",
    tags: Mapping[str, str] | None = None,
    overviews: bool = False,
) -> Path:
    """Write DN as a tiled, band-interleaved GeoTIFF (zstd level 1, no predictor, nodata 0).

    The profile is the fastest to scan of those measured. The file appears under its name when it is
    whole. The offset tag is written as 0: DN in a minedisc mosaic have none.

    Args:
        path: the file to write; its folder is made.
        array_or_blocks: uint16 DN, shape (height, width, band), 0 = no data; or pairs of window and such
            an array, in any order, best in multiples of 512 px.
        grid: the pixels' place.
        bands: canonical names, in the array's order.
        level: product level; None leaves the tag out.
        imagery_start: first day of the imagery.
        imagery_end: last day of the imagery.
        source: where the pixels come from, in words.
        tags: further tags of the file.
        overviews: add smaller copies (mean, no data left out), for viewers.

    Raises:
        ImageryError: the disk is full or the folder cannot be written.
    """
    blocks = _strips(array_or_blocks) if isinstance(array_or_blocks, np.ndarray) else array_or_blocks
    with atomic_raster(path) as scratch:
        with rasterio.open(scratch, "w", **mosaic_profile(grid, len(bands))) as dataset:
            dataset.descriptions = tuple(bands)
            dataset.update_tags(**_tags(level, imagery_start, imagery_end, source), **(tags or {}))
            for window, values in blocks:
                first = np.ascontiguousarray(np.moveaxis(values, -1, 0))
                dataset.write(first, window=Window(window.col, window.row, window.width, window.height))
        if overviews:
            _check_whole(scratch)
            _add_overviews(scratch)
    return path


def _add_overviews(path: Path) -> None:
    """Smaller copies down to one block, in the file itself.

    Raises:
        OSError: some are missing: on a full disk GDAL may leave them out and say nothing.
    """
    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"), rasterio.open(path, "r+") as dataset:
        side = max(dataset.height, dataset.width)
        levels = [2**power for power in range(1, 16) if side / 2 ** (power - 1) > BLOCK_PX]
        if levels:
            dataset.build_overviews(levels, Resampling.average)
    with rasterio.open(path) as dataset:
        if any(dataset.overviews(band) != levels for band in dataset.indexes):
            raise OSError("its smaller copies are not whole")


def mosaic_profile(grid: RasterGrid, bands: int) -> dict[str, Any]:
    """How mosaics are stored: the fastest profile to scan of those measured."""
    return {
        "driver": "GTiff",
        "height": grid.height_px,
        "width": grid.width_px,
        "count": bands,
        "dtype": "uint16",
        "nodata": 0,
        "crs": grid.crs,
        "transform": grid.transform,
        "tiled": True,
        "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX,
        "interleave": "band",
        "compress": "zstd",
        "zstd_level": 1,
        "num_threads": "all_cpus",
        "bigtiff": "if_safer",
        "photometric": "minisblack",
    }


def _tags(level: ProductLevel | None, start: date | None, end: date | None, source: str) -> dict[str, str]:
    tags = {
        TAG_LEVEL: str(level or ""),
        TAG_DN_OFFSET: "0",
        TAG_START: start.isoformat() if start else "",
        TAG_END: end.isoformat() if end else "",
        TAG_SOURCE: source,
    }
    return {name: text for name, text in tags.items() if text}


def _strips(array: NDArray[np.uint16]) -> Iterator[tuple[PixelWindow, NDArray[np.uint16]]]:
    height, width, _ = array.shape
    for row in range(0, height, BLOCK_PX):
        rows = min(BLOCK_PX, height - row)
        yield PixelWindow(row, 0, rows, width), array[row : row + rows]


@contextmanager
def atomic_raster(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name at the end, whole, or vanishes on an error.

    Raises:
        ImageryError: the disk is full, or the folder cannot be written.
    """
    scratch = path
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.")) / path.name
            yield scratch
            _check_whole(scratch)
            with scratch.open("rb") as file:
                os.fsync(file.fileno())
            scratch.replace(path)
    finally:
        if scratch != path:
            scratch.unlink(missing_ok=True)
            scratch.parent.rmdir()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a raster is written into words.

    Raises:
        ImageryError: the disk is full, or the folder cannot be written.
    """
    try:
        yield
    except (rasterio.errors.RasterioError, CPLE_BaseError, OSError) as error:
        raise ImageryError(
            f"{path} could not be written: {error}",
            "a folder with free space",
            "free disk space or choose another folder",
        ) from error


def _check_whole(path: Path) -> None:
    """Check that each block of a tiled GeoTIFF, and of its overviews, lies inside the file.

    GDAL keeps quiet about writes that fail while a file is closed (seen with a full disk).

    Raises:
        OSError: a block is missing or cut off.
    """
    with rasterio.open(path) as dataset:
        smaller = len(dataset.overviews(1))
    for level in (None, *range(smaller)):
        chosen = {} if level is None else {"overview_level": level}
        with rasterio.open(path, **chosen) as dataset:
            _check_blocks(dataset, path.stat().st_size, level)


def _check_blocks(dataset: rasterio.DatasetReader, size: int, level: int | None) -> None:
    for band, (height, width) in enumerate(dataset.block_shapes, 1):
        for row in range(-(-dataset.height // height)):
            for col in range(-(-dataset.width // width)):
                offset, length = (
                    int(dataset.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", bidx=band) or 0)
                    for what in ("OFFSET", "SIZE")
                )
                if not length or offset + length > size:
                    where = "" if level is None else f" of overview {level}"
                    raise OSError(f"block {row}, {col} of band {band}{where} is cut off")
