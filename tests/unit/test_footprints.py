"""Footprints from outside: what is no outline of a mine is refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from minedisc_core.errors import UsageError
from minedisc_core.grid import geodesic_area_ha
from minedisc_core.review.footprints import VERTICES_MAX, footprint_from_geojson

SQUARE = [[-44.0, -20.0], [-43.99, -20.0], [-43.99, -19.99], [-44.0, -19.99], [-44.0, -20.0]]
AWAY = [[lon + 0.1, lat] for lon, lat in SQUARE]
HOLE = [[-43.997, -19.997], [-43.993, -19.997], [-43.993, -19.993], [-43.997, -19.997]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def test_a_square_becomes_a_polygon_of_its_area() -> None:
    assert geodesic_area_ha(footprint_from_geojson(polygon(SQUARE))) == pytest.approx(116, abs=1)


def test_a_ring_that_is_left_open_is_closed() -> None:
    assert footprint_from_geojson(polygon(SQUARE[:-1])).equals(footprint_from_geojson(polygon(SQUARE)))


def test_holes_and_parts_are_kept() -> None:
    holed, whole = (footprint_from_geojson(polygon(*rings)) for rings in ((SQUARE, HOLE), (SQUARE,)))
    assert geodesic_area_ha(holed) < geodesic_area_ha(whole)
    parts = footprint_from_geojson({"type": "MultiPolygon", "coordinates": [[SQUARE], [AWAY]]})
    assert parts.geom_type == "MultiPolygon"


def test_a_height_is_left_out() -> None:
    assert not footprint_from_geojson(polygon([[*corner, 900.0] for corner in SQUARE])).has_z


@pytest.mark.parametrize(
    ("geometry", "said"),
    [
        (None, "no polygon"),
        ("Polygon", "no polygon"),
        ({"type": "Point", "coordinates": [1, 2]}, "no polygon"),
        ({"type": ["Polygon"], "coordinates": [SQUARE]}, "no polygon"),
        ({"type": "Polygon"}, "no outline"),
        (polygon(), "no outline"),
        (polygon([]), "no outline"),
        (polygon("abcd"), "no outline"),
        ({"type": "MultiPolygon", "coordinates": [SQUARE]}, "fewer than three|no outline|no place"),
        (polygon(SQUARE[:2]), "three corners"),
        (polygon([SQUARE[0]] * 5), "three corners"),
        (polygon([[-44, -20], [-43, float("nan")], [-43, -19]]), "no place"),
        (polygon([[-44, -20], [-43, float("inf")], [-43, -19]]), "no place"),
        (polygon([[-44, -20], ["-43", -20], [-43, -19]]), "no place"),
        (polygon([[-44, -20], [True, False], [-43, -19]]), "no place"),
        (polygon([[-44, -20], [-43, -91], [-43, -19]]), "no place"),
        (polygon([[-44, -20], [10**400, -20], [-43, -19]]), "no place"),
        (polygon([[-44, -20], [-43], [-43, -19]]), "no place"),
        (polygon([[-44, -20], {"lon": 1}, [-43, -19]]), "no place"),
        (polygon([[0, 0], [0.01, 0.01], [0.01, 0], [0, 0.01]]), "crosses"),
        (polygon([[0, 0], [0.01, 0.01], [0.02, 0.02]]), "crosses|0 ha"),
        (polygon(SQUARE, AWAY), "crosses"),
        (polygon([[-50, -20], [-40, -20], [-40, -10], [-50, -10]]), "100,000 ha"),
        (polygon([[-44 + k * 1e-9, -20] for k in range(VERTICES_MAX + 1)]), "too many"),
        ({"type": "MultiPolygon", "coordinates": [[SQUARE]] * 300}, "too many"),
    ],
)
def test_what_is_no_footprint_is_refused_in_words(geometry: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        footprint_from_geojson(geometry)
