"""Look-alikes from a land-cover raster: places of the classes that people name, drawn at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import transform, transform_bounds
from rasterio.windows import Window, from_bounds

from minedisc_core.errors import ImageryError
from minedisc_core.learning.backgrounds import LOOK_ALIKE
from minedisc_core.learning.windows import Imagery, SamplePoint

_MOST_PX = 2_048
"""A larger part of a raster is read with fewer pixels."""
_MOST_EACH = 20_000
"""Places of a class that are offered from one mosaic."""


def look_alikes(
    path: Path, classes: Sequence[int], imagery: Sequence[Imagery], seed: int, label: str = "background"
) -> Iterator[SamplePoint]:
    """Places of each class on the mosaics, at random; the classes take turns.

    Args:
        path: raster with a class in each pixel of its first band, any CRS.
        classes: values of the classes, e.g. 80 (water) of ESA WorldCover.
        imagery: where to look.
        seed: of the order.
        label: of the points.

    Raises:
        ImageryError: the file cannot be read, or none of the classes lies on the mosaics.
    """
    random = np.random.default_rng(seed)
    by_class = {value: _places(path, value, imagery, random) for value in classes}
    if not any(len(places) for places in by_class.values()):
        named = ", ".join(map(str, classes))
        raise ImageryError(
            f"{path} has no pixel of class {named} on the mosaics", "classes that occur there", "choose other classes"
        )
    turns = ([(value, *place) for place in places.tolist()] for value, places in by_class.items())
    for turn in chain.from_iterable(zip_longest(*turns)):
        if turn is not None:
            value, lon, lat = turn
            yield SamplePoint(lon, lat, label, LOOK_ALIKE, path.name, facts={"land_cover": value})


def _places(path: Path, value: int, imagery: Sequence[Imagery], random: np.random.Generator) -> NDArray[np.float64]:
    """Longitude and latitude (n, 2) of pixels of one class, shuffled."""
    found = [_places_on(path, value, each, random) for each in imagery]
    everything = np.concatenate(found)
    return everything[random.permutation(len(everything))]


def _places_on(path: Path, value: int, imagery: Imagery, random: np.random.Generator) -> NDArray[np.float64]:
    try:
        with rasterio.open(path) as raster:
            bounds = transform_bounds("EPSG:4326", raster.crs, *imagery.grid.footprint.bounds)
            whole = Window(0, 0, raster.width, raster.height)
            wanted = from_bounds(*bounds, raster.transform)
            if not rasterio.windows.intersect(whole, wanted):
                return np.empty((0, 2))
            window = whole.intersection(wanted)
            shape = tuple(max(1, min(_MOST_PX, round(side))) for side in (window.height, window.width))
            pixels = raster.read(1, window=window, out_shape=shape, resampling=Resampling.nearest)
            rows, cols = np.nonzero(pixels == value)
            chosen = random.permutation(len(rows))[:_MOST_EACH]
            scale = raster.window_transform(window) @ Affine.scale(window.width / shape[1], window.height / shape[0])
            x, y = scale @ (cols[chosen] + 0.5, rows[chosen] + 0.5)
            return np.column_stack(transform(raster.crs, "EPSG:4326", x, y)) if len(x) else np.empty((0, 2))
    except (RasterioError, OSError, ValueError, AttributeError) as error:
        raise ImageryError(
            f"{path} cannot be read as land cover: {error}", "a georeferenced raster of classes"
        ) from error
