"""Areas asked for, as people hand them in."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from shapely.geometry import mapping

from minedisc_core.errors import UsageError
from minedisc_core.registers.areas import aoi_from_geojson, read_aoi
from minedisc_core.settings import Settings

SQUARE = shapely.box(-44.0, -20.0, -43.9, -19.9)
OTHER = shapely.box(-43.5, -20.0, -43.4, -19.9)
KML = """<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark>
<name>Área &amp; mais</name><Polygon><outerBoundaryIs><LinearRing><coordinates>
-44,-20,0 -43.9,-20,0 -43.9,-19.9,0 -44,-19.9,0 -44,-20,0</coordinates></LinearRing></outerBoundaryIs></Polygon>
</Placemark></Document></kml>"""


def feature(geometry: shapely.Geometry) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": mapping(geometry)}


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    [
        mapping(SQUARE),
        feature(SQUARE),
        {"type": "FeatureCollection", "features": [feature(SQUARE)]},
        {"type": "GeometryCollection", "geometries": [mapping(SQUARE)]},
    ],
)
def test_every_form_of_geojson_gives_the_area(content: dict[str, Any], tmp_path: Path, settings: Settings) -> None:
    assert read_aoi(write_json(tmp_path / "a.geojson", content), settings).equals(SQUARE)
    assert aoi_from_geojson(content).equals(SQUARE)


def test_several_polygons_are_one_area(tmp_path: Path, settings: Settings) -> None:
    content = {"type": "FeatureCollection", "features": [feature(SQUARE), feature(OTHER)]}
    area = read_aoi(write_json(tmp_path / "a.json", content), settings)
    assert area.equals(shapely.union_all([SQUARE, OTHER]))
    assert aoi_from_geojson([feature(SQUARE), feature(OTHER)]).equals(area)


def test_kml_and_kmz_are_read(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "a.kml").write_text(KML)
    with zipfile.ZipFile(tmp_path / "a.kmz", "w") as archive:
        archive.write(tmp_path / "a.kml", "doc.kml")
    for name in ("a.kml", "a.kmz"):
        area = read_aoi(tmp_path / name, settings)
        assert area.equals_exact(SQUARE, 1e-9) or area.equals(SQUARE)
        assert not area.has_z


@pytest.mark.parametrize("crs", ["EPSG:4674", "EPSG:31983", "EPSG:3857"])
def test_a_shapefile_or_geopackage_is_brought_to_longitude_and_latitude(
    crs: str, tmp_path: Path, settings: Settings
) -> None:
    frame = gpd.GeoDataFrame(geometry=[SQUARE], crs=4326).to_crs(crs)
    frame.to_file(tmp_path / "a.gpkg", engine="pyogrio")
    frame.to_file(tmp_path / "a.shp", engine="pyogrio")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for suffix in ("shp", "shx", "dbf", "prj"):
            archive.write(tmp_path / f"a.{suffix}", f"sub/a.{suffix}")
    for name in ("a.gpkg", "a.zip", "a.shp"):
        assert read_aoi(tmp_path / name, settings).bounds == pytest.approx(SQUARE.bounds, abs=1e-6)


def test_an_outline_that_crosses_itself_is_mended() -> None:
    bow_tie = shapely.Polygon([(-44, -20), (-43, -19), (-43, -20), (-44, -19)])
    area = aoi_from_geojson(mapping(bow_tie))
    assert area.is_valid
    assert area.area == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("geometry", "said"),
    [
        (shapely.Point(-44, -20), "Point"),
        (shapely.LineString([(-44, -20), (-43, -20)]), "LineString"),
        (shapely.box(600_000, 7_700_000, 601_000, 7_701_000), "outside -180..180"),
        (shapely.box(-20, -95, -19, -80), "outside -180..180"),
        (shapely.box(-179, 0, 179, 1), "180 degrees wide"),
        (shapely.Polygon([(-44, -20), (-43, -20), (-44, -20)]), "encloses no area"),
    ],
)
def test_what_is_no_area_is_an_error_that_says_why(
    geometry: shapely.Geometry, said: str, tmp_path: Path, settings: Settings
) -> None:
    with pytest.raises(UsageError, match=said):
        read_aoi(write_json(tmp_path / "a.geojson", feature(geometry)), settings)
    with pytest.raises(UsageError, match=said):
        aoi_from_geojson(feature(geometry))


def test_points_beside_polygons_are_an_error_too() -> None:
    with pytest.raises(UsageError, match="Point"):
        aoi_from_geojson([feature(SQUARE), feature(shapely.Point(0, 0))])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"type": "FeatureCollection", "features": []}',
        b'{"type": "Feature", "properties": {}, "geometry": null}',
        b'{"type": "Polygon", "coordinates": "x"}',
        b"not a polygon",
        b"PK\x03\x04 no zip",
        b"<kml></kml>",
    ],
)
def test_a_broken_or_empty_file_is_an_error(content: bytes, tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "a.geojson").write_bytes(content)
    with pytest.raises(UsageError):
        read_aoi(tmp_path / "a.geojson", settings)


@pytest.mark.parametrize(
    "drawn",
    [{}, [], {"type": "Polygon"}, {"type": "FeatureCollection"}, ["x"], {"type": "Polygon", "coordinates": [[[0, 0]]]}],
)
def test_a_broken_drawing_is_an_error(drawn: Any) -> None:
    with pytest.raises(UsageError):
        aoi_from_geojson(drawn)


def test_a_missing_file_and_a_huge_one_are_errors(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(UsageError, match="no file"):
        read_aoi(tmp_path / "none.kml", settings)
    with (tmp_path / "a.geojson").open("wb") as file:
        file.truncate(settings.upload_max_mb * 1_000_000 + 1)
    with pytest.raises(UsageError, match="at most"):
        read_aoi(tmp_path / "a.geojson", settings)
