"""One file of a scene over one grid, by range requests: only what the grid needs travels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from minedisc_core.errors import ImageryError
from minedisc_core.grid import RasterGrid

Numbers = NDArray[np.uint16] | NDArray[np.uint8]


def gdal_options(timeout_s: float) -> dict[str, Any]:
    """How GDAL asks for ranges: no folder listings, bounded waits, retries of 429 and 5xx."""
    return {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_HTTP_MULTIRANGE": "YES",
        "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        "GDAL_HTTP_MAX_RETRY": 3,
        "GDAL_HTTP_RETRY_DELAY": 0.5,
        "GDAL_HTTP_CONNECTTIMEOUT": max(1, round(timeout_s)),
        "GDAL_HTTP_LOW_SPEED_TIME": max(1, round(timeout_s)),  # a stall ends the request, a slow line does not
        "GDAL_HTTP_LOW_SPEED_LIMIT": 1_000,  # bytes a second
        "GDAL_HTTP_TIMEOUT": max(1, round(6 * timeout_s)),
        "GDAL_CACHEMAX": 64,  # MB: a block reads each part of a file once
        "GDAL_NUM_THREADS": 1,  # several files are read at once already
    }


def read_asset(address: str, target: RasterGrid) -> Numbers:
    """The first band of a COG on a grid by nearest neighbour, uint8 or uint16, (height, width), 0 = no data.

    Nearest neighbour is what Earth Engine does by default and what the shipped models were trained on: a
    20 m band keeps its own values, and no pixel is mixed with a cloud or with no data beside it. On the
    file's own grid pixels are copied; another CRS (a neighbouring UTM zone) is warped.

    Args:
        address: http or https.
        target: the grid to fill; places outside the file become 0.

    Raises:
        ImageryError: the address is no http address, or the file holds no whole numbers.
        rasterio.errors.RasterioError: the file cannot be read.
    """
    if not address.startswith(("http://", "https://")):
        raise ImageryError(f"its address is {address[:80]}", "an http or https address")
    # Only GeoTIFF: other formats may name further files, which a catalogue has no business to make us open.
    with rasterio.open(f"/vsicurl/{address}", driver="GTiff") as dataset:
        if dataset.dtypes[0] not in ("uint8", "uint16"):
            raise ImageryError(f"its numbers are {dataset.dtypes[0]}", "the uint16 of Sentinel-2's files")
        is_upright = dataset.transform.b == dataset.transform.d == 0
        if is_upright and dataset.crs == _crs(target.crs):
            return _copied(dataset, target)
        return _warped(dataset, target)


@lru_cache(maxsize=8)
def _crs(text: str) -> CRS:
    return CRS.from_user_input(text)


def _copied(dataset: Any, target: RasterGrid) -> Numbers:
    inverse: Affine = ~dataset.transform @ target.transform
    rows = np.floor(inverse.e * (np.arange(target.height_px) + 0.5) + inverse.f).astype(np.int64)
    cols = np.floor(inverse.a * (np.arange(target.width_px) + 0.5) + inverse.c).astype(np.int64)
    inside = (rows >= 0) & (rows < dataset.height), (cols >= 0) & (cols < dataset.width)
    result = np.zeros((target.height_px, target.width_px), dataset.dtypes[0])
    rows, cols = rows[inside[0]], cols[inside[1]]
    if not len(rows) or not len(cols):
        return result
    top, left = int(rows.min()), int(cols.min())
    window = Window(left, top, int(cols.max()) - left + 1, int(rows.max()) - top + 1)
    part = dataset.read(1, window=window)
    filled: Numbers = part.take(rows - top, axis=0).take(cols - left, axis=1)
    if filled.shape == result.shape:
        return filled
    result[np.ix_(*inside)] = filled
    return result


def _warped(dataset: Any, target: RasterGrid) -> Numbers:
    with WarpedVRT(
        dataset,
        crs=_crs(target.crs),
        transform=target.transform,
        height=target.height_px,
        width=target.width_px,
        resampling=Resampling.nearest,
        src_nodata=0,
        nodata=0,
    ) as warped:
        numbers: Numbers = warped.read(1)
    return numbers
