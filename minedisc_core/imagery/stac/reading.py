"""One file of a scene over one grid, by range requests: only what the grid needs travels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from minedisc_core.errors import ImageryError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.nearest import nearest
from minedisc_core.imagery.network import network_options

Numbers = NDArray[np.uint16] | NDArray[np.uint8]


def gdal_options(timeout_s: float) -> dict[str, Any]:
    """How a source of composites asks for ranges: as for any file, without a cache, one thread a file."""
    return {
        **network_options(timeout_s),
        "GDAL_CACHEMAX": 64,  # bytes, that is nothing: a block reads each part of a file once
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
    shape = (dataset.height, dataset.width)
    found = nearest(lambda window: dataset.read(1, window=window), dataset.transform, shape, target)
    empty: Numbers = np.zeros((target.height_px, target.width_px), dataset.dtypes[0])
    return empty if found is None else found


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
