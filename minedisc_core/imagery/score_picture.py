"""A run's `scores.tif` as transparent pictures for a web map: the paper's probability map, and what was not seen."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import RasterioError
from rasterio.warp import Resampling, calculate_default_transform, reproject, transform_bounds
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from minedisc_core.errors import ImageryError, RunError
from minedisc_core.grid import RasterGrid
from minedisc_core.runs import REQUEST, read_json

WEB_MERCATOR = "EPSG:3857"
NOT_SEEN = (70, 74, 82, 120)
"""Grey veil: cells that were not asked for, not seen or failed."""
NOT_SEEN_ALONE = (70, 74, 82, 175)
"""Denser veil of the picture that shows only cells that were asked for and have no score."""
_STOPS = np.array([0.0, 0.05, 0.3, 0.6, 1.0])
_COLOURS = np.array(
    [(33, 60, 160, 0), (33, 60, 160, 25), (120, 60, 190, 120), (250, 140, 30, 200), (255, 240, 80, 235)]
)
"""From nothing over violet to yellow (red, green, blue, alpha), at the scores of `_STOPS`."""
_FINER = 4
"""Pixels of the picture per cell and side: keeps the cells' edges straight after the warp."""
_LARGEST_PX = 4096
_NOT_ASKED, _ASKED_NOT_SEEN = -1, -2
"""Values of cells without a score, so that they stay apart from what lies outside the raster (0, transparent)."""


@dataclass(frozen=True)
class ScorePicture:
    """A PNG in Web Mercator and where it lies."""

    png: bytes
    bounds: tuple[float, float, float, float]
    """West, south, east, north in degrees (EPSG:4326) of the picture's edges."""
    not_seen_png: bytes = b""
    """A picture of the same place: cells that were asked for and have no score. Empty if there are none."""


def score_picture(scores: Path) -> ScorePicture:
    """Colour a raster of scores (float, one band, no data = not seen) for a web map.

    The area asked for is that of the `request.json` beside the file; without one it is the whole raster.

    Raises:
        ImageryError: the file cannot be read or has no place on the earth.
    """
    try:
        values, bounds = _warped(scores)
    except (RasterioError, OSError, ValueError) as error:
        raise ImageryError(f"{scores} cannot be read: {error}", "the scores of a run", "scan again") from error
    not_seen = values == _ASKED_NOT_SEEN
    values[values < 0] = np.nan
    buffer = io.BytesIO()
    Image.fromarray(coloured(values)).save(buffer, "PNG", optimize=False, compress_level=6)
    return ScorePicture(buffer.getvalue(), bounds, _veil(not_seen) if not_seen.any() else b"")


def coloured(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """RGBA (height, width, 4) of scores 0..1 (height, width); NaN is the grey veil."""
    clipped = np.nan_to_num(np.clip(values, 0, 1))
    channels = [np.interp(clipped, _STOPS, _COLOURS[:, k]) for k in range(4)]
    picture: NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    picture[np.isnan(values)] = NOT_SEEN
    return picture


def _veil(mask: NDArray[np.bool_]) -> bytes:
    """A PNG of one bit per pixel: the grey veil where `mask` is True, nothing elsewhere."""
    *colour, alpha = NOT_SEEN_ALONE
    image = Image.fromarray(mask.astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, *colour])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=1, transparency=bytes([0, alpha]))
    return buffer.getvalue()


def _warped(scores: Path) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    area = _asked_area(scores.with_name(REQUEST))
    with rasterio.open(scores) as source:
        size = source.width, source.height
        finer = max(1, min(_FINER, _LARGEST_PX // max(size)))
        transform, width, height = calculate_default_transform(
            source.crs, WEB_MERCATOR, *size, *source.bounds, dst_width=size[0] * finer, dst_height=size[1] * finer
        )
        values = np.zeros((height, width), np.float32)
        reproject(
            _marked(source, area), values, src_transform=source.transform, src_crs=source.crs, dst_transform=transform,
            dst_crs=WEB_MERCATOR, resampling=Resampling.nearest, init_dest_nodata=False,
        )  # fmt: skip
    west, north = transform @ (0, 0)
    east, south = transform @ (width, height)
    return values, transform_bounds(WEB_MERCATOR, "EPSG:4326", west, south, east, north)


def _marked(source: rasterio.DatasetReader, area: BaseGeometry | None) -> NDArray[np.float32]:
    """Scores (rows, columns of cells); negative where there is none."""
    given: NDArray[np.float32] = source.read(1, masked=True).astype(np.float32).filled(np.nan)
    missing = np.argwhere(np.isnan(given))
    given[np.isnan(given)] = _ASKED_NOT_SEEN
    if area is not None and len(missing):
        grid = RasterGrid(source.height, source.width, source.transform, source.crs.to_wkt())
        lonlat = grid.lonlat(missing[:, 0] + 0.5, missing[:, 1] + 0.5)
        shapely.prepare(area)
        outside = missing[~shapely.contains_xy(area, lonlat[:, 0], lonlat[:, 1])]
        given[outside[:, 0], outside[:, 1]] = _NOT_ASKED
    return given


def _asked_area(request: Path) -> BaseGeometry | None:
    """The area that a run was asked for, EPSG:4326; None = the whole mosaic, also where nobody can tell."""
    try:
        aoi = read_json(request).get("aoi")
        return shapely.make_valid(shape(aoi.get("geometry") or aoi)) if aoi else None
    except (RunError, ShapelyError, AttributeError, KeyError, TypeError, ValueError):
        return None
