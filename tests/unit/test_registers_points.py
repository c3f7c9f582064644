from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from minedisc_core.errors import RegisterError, UsageError
from minedisc_core.registers.points import read_places, read_points
from minedisc_core.settings import Settings

ROWS = [(-20.0, -44.0, "Areia"), (-20.1, -44.1, "Minério de Ferro")]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(text: str, encoding: str = "utf-8", name: str = "points.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return make


def found(path: Path, settings: Settings, column: str | None = None) -> list[tuple[float, float, str]]:
    return [(round(p.lat, 6), round(p.lon, 6), p.label) for p in read_points(path, settings, column).points]


@pytest.mark.parametrize(
    "text",
    [
        "central point latitude; central point longitude; class\n-20.0;-44.0;Areia\n-20.1;-44.1;Minério de Ferro\n",
        "-20,0;-44,0;Areia\n-20,1;-44,1;Minério de Ferro\n",
        "-20.0,-44.0,Areia\n-20.1,-44.1,Minério de Ferro\n",
        "lat,lon,class\n-20.0,-44.0,Areia\n\n-20.1,-44.1,Minério de Ferro\n",
        "first;second;c\n-20°00'00'';-44°00'00'';Areia\n-20°06'00'';-44°06'00'';Minério de Ferro\n",
        "a;b;c;d;e\n-20,01;-44,01;-19,99;-43,99;Areia\n-20,11;-44,11;-20,09;-44,09;Minério de Ferro\n",
        "-20.01,-44.01,-19.99,-43.99,Areia\n-20.11,-44.11,-20.09,-44.09,Minério de Ferro\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_both_layouts_of_the_paper_are_read_with_and_without_a_header(
    write: Callable[..., Path], settings: Settings, text: str, encoding: str
) -> None:
    path = write(text, encoding)
    assert found(path, settings) == ROWS
    assert read_points(path, settings).has_label


def test_columns_that_name_coordinates_count_whatever_their_place(
    write: Callable[..., Path], settings: Settings
) -> None:
    text = "x;y;ore\n-44.0;-20.0;Areia\n-44.1;-20.1;Minério de Ferro\n"
    assert found(write(text), settings, "ore") == ROWS
    assert found(write(text), settings) == [(lat, lon, "") for lat, lon, _ in ROWS]
    named = "Nome;Latitude;Longitude;Minério\nA;-20°00'00'';44º0' O;Areia\nB;-20,1;-44,1;Minério de Ferro\n"
    assert found(write(named, "cp1252"), settings, "MINERIO") == ROWS


def test_rows_without_a_place_are_listed_by_line(write: Callable[..., Path], settings: Settings) -> None:
    text = "a;b;c\n-20,0;-44,0;dam\n\nx;-44;dam\n-20;-44\n-95;-44;dam\n"
    read = read_points(write(text), settings)
    assert [point.line for point in read.points] == [2]
    assert [problem.line for problem in read.problems] == [4, 5, 6]
    upside = read_points(write("-20,-44,-19,-43,a\n-19,-43,-20,-44,b\n"), settings)
    assert [(p.line, p.reason) for p in upside.problems] == [(2, "its second corner is not north-east of the first")]


@pytest.fixture
def frame() -> gpd.GeoDataFrame:
    shapes = [shapely.Point(lon, lat) for lat, lon, _ in ROWS]
    return gpd.GeoDataFrame({"minério": [ore for *_, ore in ROWS]}, geometry=shapes, crs="EPSG:4674")


@pytest.mark.parametrize("name", ["points.shp", "points.gpkg", "points.geojson", "points.zip"])
@pytest.mark.parametrize("crs", ["EPSG:4674", "EPSG:31983"])
def test_layers_of_any_crs_are_read(
    tmp_path: Path, settings: Settings, frame: gpd.GeoDataFrame, name: str, crs: str
) -> None:
    path = tmp_path / name
    if name.endswith(".zip"):
        (tmp_path / "parts").mkdir()
        frame.to_crs(crs).to_file(tmp_path / "parts" / "points.shp", encoding="UTF-8")
        with zipfile.ZipFile(path, "w") as packed:
            for part in (tmp_path / "parts").iterdir():
                packed.write(part, part.name)
    else:
        frame.to_crs("EPSG:4326" if name.endswith("json") else crs).to_file(path, encoding="UTF-8")
    assert found(path, settings, "Minerio") == ROWS
    assert len(read_places(path, settings)) == 2


def test_of_several_layers_the_one_with_the_label_column_counts(
    tmp_path: Path, settings: Settings, frame: gpd.GeoDataFrame
) -> None:
    path = tmp_path / "two.gpkg"
    frame.to_file(path, layer="mines")
    frame[["geometry"]].to_file(path, layer="other")
    assert found(path, settings, "minério") == ROWS
    with pytest.raises(RegisterError, match="holds 2 layers"):
        read_points(path, settings)


def test_groups_of_points_and_outlines_are_listed(tmp_path: Path, settings: Settings) -> None:
    shapes = [shapely.Point(-44, -20), shapely.MultiPoint([(-44, -20), (-45, -20)]), shapely.box(-44, -20, -43, -19),
              shapely.MultiPoint([(-44.5, -20.5)])]  # fmt: skip
    path = tmp_path / "mixed.geojson"
    gpd.GeoDataFrame(geometry=shapes, crs="EPSG:4326").to_file(path)
    read = read_points(path, settings)
    assert [point.line for point in read.points] == [1, 4]
    assert [(p.line, "2 points" in p.reason or "polygon" in p.reason) for p in read.problems] == [(2, True), (3, True)]
    assert len(read_places(path, settings)) == 4


def test_a_wrong_column_a_personal_one_and_no_file_are_refused(
    write: Callable[..., Path], settings: Settings, tmp_path: Path
) -> None:
    path = write("lat;lon;ore;CPF\n-20;-44;iron;123\n")
    with pytest.raises(UsageError, match=r"no column class.*one of: lat, lon, ore"):
        read_points(path, settings, "class")
    with pytest.raises(UsageError, match="personal"):
        read_points(path, settings, "CPF")
    with pytest.raises(RegisterError, match="is no file"):
        read_points(tmp_path / "none.csv", settings)
    with pytest.raises(RegisterError, match="no usable"):
        read_points(write("lat;lon;a;b\nx;y;1;2\n"), settings)
