"""A footprint that a person drew: checked before it becomes a geometry, and part of a verdict."""

from __future__ import annotations

import math
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from minedisc_core.errors import UsageError
from minedisc_core.grid import geodesic_area_ha

VERTICES_MAX = 5_000
"""Most vertices of a footprint, holes and parts together."""
AREA_MAX_HA = 100_000.0
"""Largest footprint: 1,000 km², more than any mine covers. A larger one is a slip of the mouse."""
_RINGS_MAX = 200
_EXPECTED = "a GeoJSON Polygon or MultiPolygon in longitude and latitude"
_REMEDY = "draw the outline again"


def footprint_from_geojson(geometry: object) -> BaseGeometry:
    """The footprint of a GeoJSON geometry, a valid Polygon or MultiPolygon in EPSG:4326.

    Args:
        geometry: anything that came out of JSON.

    Raises:
        UsageError: no polygon, a vertex that is no place on Earth, an outline that crosses itself, too many vertices
            or too large an area.
    """
    polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in _polygons(geometry)]
    footprint: BaseGeometry = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
    return checked_footprint(footprint)


def footprint_from(drawn: object) -> BaseGeometry:
    """The footprint of a GeoJSON geometry, a feature, or a feature collection (its polygons as one).

    Raises:
        UsageError: as `footprint_from_geojson`, and for a collection without polygons.
    """
    is_collection = isinstance(drawn, dict) and drawn.get("type") == "FeatureCollection"
    features = _listed(drawn.get("features")) if isinstance(drawn, dict) and is_collection else [drawn]
    geometries = [each.get("geometry") if isinstance(each, dict) and "geometry" in each else each for each in features]
    parts = [footprint_from_geojson(geometry) for geometry in geometries]
    return parts[0] if len(parts) == 1 else checked_footprint(shapely.union_all(parts))


def checked_footprint(footprint: BaseGeometry) -> BaseGeometry:
    """The footprint without heights, if it can be one.

    Args:
        footprint: Polygon or MultiPolygon, EPSG:4326.

    Raises:
        UsageError: another type, empty, out of range, crossing itself, too many vertices or too large an area.
    """
    if footprint.geom_type not in ("Polygon", "MultiPolygon") or footprint.is_empty:
        raise UsageError("The footprint is no polygon", _EXPECTED, _REMEDY)
    flat = shapely.force_2d(footprint)
    if shapely.get_num_coordinates(flat) > VERTICES_MAX + _RINGS_MAX:
        raise UsageError("The footprint has too many vertices", f"at most {VERTICES_MAX:,}", _REMEDY)
    west, south, east, north = flat.bounds
    if not all(map(math.isfinite, flat.bounds)) or west < -180 or east > 180 or south < -90 or north > 90:
        raise UsageError("The footprint has a corner that is no place on Earth", _EXPECTED, _REMEDY)
    if not flat.is_valid:
        raise UsageError("The outline crosses or touches itself", "an outline without crossings", _REMEDY)
    area_ha = geodesic_area_ha(flat)
    if not 0 < area_ha <= AREA_MAX_HA:
        raise UsageError(f"The outline holds {area_ha:,.0f} ha", f"up to {AREA_MAX_HA:,.0f} ha", _REMEDY)
    return flat


Ring = list[tuple[float, float]]


def _polygons(geometry: object) -> list[list[Ring]]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or kind not in ("Polygon", "MultiPolygon"):
        raise UsageError("The footprint is no polygon", _EXPECTED, _REMEDY)
    coordinates = geometry.get("coordinates")
    parts = [coordinates] if kind == "Polygon" else _listed(coordinates)
    polygons = [[_listed(ring) for ring in _listed(part)] for part in parts]
    rings = [ring for polygon in polygons for ring in polygon]
    if len(rings) > _RINGS_MAX or sum(map(len, rings)) > VERTICES_MAX:
        raise UsageError("The footprint has too many vertices", f"at most {VERTICES_MAX:,}", _REMEDY)
    return [[_ring(ring) for ring in polygon] for polygon in polygons]


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise UsageError("The footprint has no outline", _EXPECTED, _REMEDY)
    return list(value)


def _ring(vertices: list[Any]) -> Ring:
    ring = [_vertex(vertex) for vertex in vertices]
    if len(set(ring)) < 3:
        raise UsageError("The footprint has fewer than three corners", _EXPECTED, _REMEDY)
    return ring


def _vertex(vertex: object) -> tuple[float, float]:
    if isinstance(vertex, list | tuple) and len(vertex) in (2, 3):
        lon, lat = vertex[:2]
        if _is_within(lon, 180) and _is_within(lat, 90):
            return float(lon), float(lat)
    raise UsageError("The footprint has a corner that is no place on Earth", _EXPECTED, _REMEDY)


def _is_within(value: object, limit_deg: int) -> bool:
    """Whether it is a number of degrees; NaN is within nothing."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= limit_deg
