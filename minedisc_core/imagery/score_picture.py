"""A run's `scores.tif` as a transparent picture for a web map: the paper's probability map."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import RasterioError
from rasterio.warp import Resampling, calculate_default_transform, reproject, transform_bounds

from minedisc_core.errors import ImageryError

WEB_MERCATOR = "EPSG:3857"
NOT_SEEN = (70, 74, 82, 120)
"""Grey veil: cells that were not asked for, not seen or failed."""
_STOPS = np.array([0.0, 0.05, 0.3, 0.6, 1.0])
_COLOURS = np.array(
    [(33, 60, 160, 0), (33, 60, 160, 25), (120, 60, 190, 120), (250, 140, 30, 200), (255, 240, 80, 235)]
)
"""From nothing over violet to yellow (red, green, blue, alpha), at the scores of `_STOPS`."""
_FINER = 4
"""Pixels of the picture per cell and side: keeps the cells' edges straight after the warp."""
_LARGEST_PX = 4096


@dataclass(frozen=True)
class ScorePicture:
    """A PNG in Web Mercator and where it lies."""

    png: bytes
    bounds: tuple[float, float, float, float]
    """West, south, east, north in degrees (EPSG:4326) of the picture's edges."""


def score_picture(scores: Path) -> ScorePicture:
    """Colour a raster of scores (float, one band, no data = not seen) for a web map.

    Raises:
        ImageryError: the file cannot be read or has no place on the earth.
    """
    try:
        values, bounds = _warped(scores)
    except (RasterioError, OSError, ValueError) as error:
        raise ImageryError(f"{scores} cannot be read: {error}", "the scores of a run", "scan again") from error
    buffer = io.BytesIO()
    Image.fromarray(coloured(values)).save(buffer, "PNG", optimize=False, compress_level=6)
    return ScorePicture(buffer.getvalue(), bounds)


def coloured(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """RGBA (height, width, 4) of scores 0..1 (height, width); NaN is the grey veil."""
    clipped = np.nan_to_num(np.clip(values, 0, 1))
    channels = [np.interp(clipped, _STOPS, _COLOURS[:, k]) for k in range(4)]
    picture: NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    picture[np.isnan(values)] = NOT_SEEN
    return picture


def _warped(scores: Path) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    with rasterio.open(scores) as source:
        size = source.width, source.height
        finer = max(1, min(_FINER, _LARGEST_PX // max(size)))
        transform, width, height = calculate_default_transform(
            source.crs, WEB_MERCATOR, *size, *source.bounds, dst_width=size[0] * finer, dst_height=size[1] * finer
        )
        given = source.read(1, masked=True).astype(np.float32)
        # -1 marks what was not seen, so that it stays apart from what lies outside the raster (0, transparent).
        marked = np.where(np.isnan(given.filled(np.nan)), np.float32(-1), given.filled(np.nan))
        values = np.zeros((height, width), np.float32)
        reproject(
            marked, values, src_transform=source.transform, src_crs=source.crs, dst_transform=transform,
            dst_crs=WEB_MERCATOR, resampling=Resampling.nearest, init_dest_nodata=False,
        )  # fmt: skip
    values[values < 0] = np.nan
    west, north = transform @ (0, 0)
    east, south = transform @ (width, height)
    return values, transform_bounds(WEB_MERCATOR, "EPSG:4326", west, south, east, north)
