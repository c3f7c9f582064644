"""The area asked for (AOI): a polygon drawn on the map or read from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from minedisc_core.errors import RegisterError, UsageError
from minedisc_core.registers.outlines import make_area, polygons_only
from minedisc_core.registers.vectors import FORMATS, open_layers, read_vector_rows
from minedisc_core.settings import Settings
from minedisc_core.uploads import check_upload

MAX_VERTICES = 500_000
"""More than this is a whole country's coastline, not an area to scan."""
_AREA = "one or more polygons in longitude and latitude, or in a CRS that the file names"
_POLYGONS = ("Polygon", "MultiPolygon")


def read_aoi(path: Path, settings: Settings) -> BaseGeometry:
    """The union of all polygons in a GeoJSON, KML, KMZ, GeoPackage or (zipped) shapefile.

    Returns:
        A valid Polygon or MultiPolygon in EPSG:4326; outlines that cross themselves are mended.

    Raises:
        UsageError: the file cannot be read, names no CRS, is too large, holds points or lines or nothing,
            or lies outside -180..180, -90..90 degrees.
    """
    path = Path(path)
    if path.is_file():
        check_upload(path.name, path.stat().st_size, settings)
    try:
        with open_layers(path, settings) as layers:
            found = [read_vector_rows(layer, ()).geometry for layer in layers]
    except RegisterError as error:
        raise UsageError(error.found, error.expected, error.remedy) from error
    return _area(np.concatenate([*found, np.empty(0, dtype=object)]), path.name)


def aoi_from_geojson(drawn: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> BaseGeometry:
    """The AOI of GeoJSON objects in EPSG:4326, such as the drawings that come back from the map.

    Raises:
        UsageError: no valid polygon in it; see `read_aoi`.
    """
    objects = [drawn] if isinstance(drawn, Mapping) else list(drawn)
    try:
        geometries = [shape(part) for item in objects for part in _geometries(item)]
    except (ShapelyError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError("the drawing is not GeoJSON that can be read", _AREA, "draw it again") from error
    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    return _area(array, "the drawing")


def _geometries(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if item.get("type") == "FeatureCollection":
        return [part for feature in item["features"] for part in _geometries(feature)]
    if item.get("type") == "Feature":
        return [item["geometry"]] if item["geometry"] else []
    return [item]


def _area(found: NDArray[np.object_], name: str) -> BaseGeometry:
    geometry = polygons_only(found[~(shapely.is_missing(found) | shapely.is_empty(found))])
    if not len(geometry):
        raise UsageError(f"{name} holds no area", _AREA, "draw or export a polygon")
    others = sorted({part.geom_type for part in geometry} - set(_POLYGONS))
    if others:
        raise UsageError(f"{name} holds {' and '.join(others)}", f"only polygons: {_AREA}", "leave the others out")
    _check_extent(geometry, name)
    areas = [make_area(shapely.force_2d(part)) for part in geometry]
    enclosed = [area for area in areas if area is not None]
    if not enclosed:
        raise UsageError(f"{name} encloses no area", _AREA, "draw or export it again")
    return shapely.union_all(enclosed)


def _check_extent(geometry: NDArray[np.object_], name: str) -> None:
    vertices = int(shapely.get_num_coordinates(geometry).sum())
    if vertices > MAX_VERTICES:
        raise UsageError(f"{name} has {vertices:,} vertices", f"at most {MAX_VERTICES:,}", f"simplify it; {FORMATS}")
    west, south, east, north = shapely.total_bounds(geometry)
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise UsageError(
            f"{name} lies outside -180..180, -90..90 degrees ({west:.6g}, {south:.6g} to {east:.6g}, {north:.6g})",
            _AREA,
            "export it with its CRS, or in EPSG:4326",
        )
    if any(east - west > 180 for west, _, east, _ in shapely.bounds(geometry)):
        raise UsageError(
            f"{name} is more than 180 degrees wide",
            "an area on one side of the antimeridian",
            "cut it at 180 degrees into two polygons",
        )
