"""Register files in the formats of ANM, FUNAI and CNUC, whole, odd and broken."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from minedisc_core.domain import RegisterKind
from minedisc_core.errors import RegisterError
from minedisc_core.registers.readers import read_register
from minedisc_core.registers.tables import COLUMNS, RegisterTable
from minedisc_core.registers.titles import may_extract
from minedisc_core.settings import Settings

SIGBM_HEADER = (
    "ID;Nome;Empreendedor;CPF/CNPJ;UF;Município;Latitude;Longitude;Minério principal presente no reservatório"
)
SIGBM_ROW = "1;Barragem São João;Vale & Cia;12.345.678/0001-95;MG;Itabirito;-20°10'30.5'';-43°50'00.0'';Ferro"
SQUARE = shapely.box(-44.0, -20.0, -43.9, -19.9)
BOW_TIE = shapely.Polygon([(-44, -20), (-43, -19), (-43, -20), (-44, -19)])


def write_csv(path: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path.write_bytes(end.join(lines).encode(encoding))
    return path


def titles_frame(**columns: list[object]) -> gpd.GeoDataFrame:
    rows = len(next(iter(columns.values())))
    base: dict[str, list[object]] = {
        "PROCESSO": [f"83000{i}/2004" for i in range(rows)],
        "FASE": ["CONCESSÃO DE LAVRA"] * rows,
        "NOME": ["Mineração São João"] * rows,
        "SUBS": ["MINÉRIO DE FERRO"] * rows,
        "USO": ["Industrial"] * rows,
        "UF": ["MG"] * rows,
    }
    return gpd.GeoDataFrame({**base, **columns}, geometry=[SQUARE] * rows, crs="EPSG:4674")


def zipped_shapefile(frame: gpd.GeoDataFrame, path: Path, folder: str = "", encoding: str = "cp1252") -> Path:
    stem = path.with_suffix(".shp")
    frame.to_file(stem, encoding=encoding, engine="pyogrio")
    stem.with_suffix(".cpg").unlink(missing_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for part in sorted(path.parent.glob(f"{path.stem}.*")):
            if part.suffix != ".zip":
                archive.write(part, f"{folder}{part.name}")
                part.unlink()
    return path


def reasons(table: RegisterTable) -> dict[int, str]:
    return {problem.line: problem.reason for problem in table.problems}


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_dams_load_in_any_encoding_with_any_separator(
    encoding: str, separator: str, tmp_path: Path, settings: Settings
) -> None:
    lines = [line.replace(";", separator) for line in (SIGBM_HEADER, SIGBM_ROW)]
    table = read_register(RegisterKind.SIGBM, write_csv(tmp_path / "d.csv", *lines, encoding=encoding), settings)
    row = table.frame.iloc[0]
    assert (row["name"], row["owner"], row["municipality"], row["state"], row["ore"]) == (
        "Barragem São João", "Vale & Cia", "Itabirito", "MG", "Ferro",
    )  # fmt: skip
    assert (row.geometry.x, row.geometry.y) == pytest.approx((-43 - 50 / 60, -20 - 10 / 60 - 30.5 / 3600))
    assert table.frame.crs == "EPSG:4326"
    assert tuple(table.frame.columns) == (*COLUMNS[RegisterKind.SIGBM], "geometry")
    assert table.problems == ()


def test_no_personal_number_gets_in_from_any_column(tmp_path: Path, settings: Settings) -> None:
    row = "1;Dique 123.456.789-09;João 12345678909;123.456.789-09;MG;X;-20;-43;Ferro"
    table = read_register(RegisterKind.SIGBM, write_csv(tmp_path / "d.csv", SIGBM_HEADER, row), settings)
    assert "456" not in table.frame.to_json()
    assert list(table.frame["name"]) == ["Dique"]
    assert list(table.frame["owner"]) == ["João"]


def test_broken_rows_are_listed_with_line_and_reason_and_the_rest_goes_in(tmp_path: Path, settings: Settings) -> None:
    path = write_csv(
        tmp_path / "d.csv",
        "Nome;UF;lat;lon",
        "good;MG;-20,5;-43,5",
        "swapped;MG;-43,5;-20,5",
        "no latitude;MG;-;-43,5",
        "no sign;MG;20,5;43,5",
        "words;MG;south;-43,5",
        "too long;MG;-20,5;-43,5;x",
        "short;MG",
        "",
        "=SUM(A1);MG;-21;-44",
        "zero;MG;0;0",
        ";;;",
        "-;MG;-22;-45",
    )
    table = read_register(RegisterKind.SIGBM, path, settings)
    assert list(table.frame["name"]) == ["good", "=SUM(A1)", "unnamed"]
    found = reasons(table)
    assert sorted(found) == [3, 4, 5, 6, 7, 8, 11]
    assert "swapped" in found[3]
    assert found[4] == "latitude is missing"
    assert "minus sign" in found[5]
    assert "'south' is not understood" in found[6]
    assert found[7] == "has 5 cells, the header has 4"
    assert found[8] == "latitude is missing"
    assert table.left_out == 7


def test_a_title_line_and_a_quoted_line_break_do_not_shift_the_line_numbers(tmp_path: Path, settings: Settings) -> None:
    path = write_csv(
        tmp_path / "d.csv",
        "Relatório de barragens",
        "Nome,lat,lon",
        '"two\nlines",-20,-43',
        "bad,x,-43",
        "last,-21,-43",
        end="\r\n",
    )
    table = read_register(RegisterKind.SIGBM, path, settings)
    assert list(table.frame["name"]) == ["two lines", "last"]
    assert list(reasons(table)) == [5]


def test_a_stray_quote_costs_no_other_row(tmp_path: Path, settings: Settings) -> None:
    unpaired = write_csv(tmp_path / "d.csv", "Nome;lat;lon", '"Dique 2;-20;-43', "B;-21;-43", "C;-22;-43")
    paired_later = write_csv(tmp_path / "e.csv", "Nome;lat;lon", '"Dique 2;-20;-43', '"B";-21;-43', "C;-22;-43")
    for path in (unpaired, paired_later):
        table = read_register(RegisterKind.SIGBM, path, settings)
        assert list(table.frame["name"]) == ['"Dique 2', "B", "C"]


def test_lines_of_two_encodings_in_one_file_are_both_read(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(b"Nome;lat;lon\n" + "São A;-20;-43\n".encode() + "São B;-21;-43\n".encode("cp1252"))
    assert list(read_register(RegisterKind.SIGBM, path, settings).frame["name"]) == ["São A", "São B"]


def test_names_with_markup_signs_stay_as_they_are(tmp_path: Path, settings: Settings) -> None:
    path = write_csv(tmp_path / "d.csv", "name,lat,lon", '"a & b < c > ""d"" \'e\'",-20,-43')
    assert list(read_register(RegisterKind.POINTS, path, settings).frame["name"]) == ["a & b < c > \"d\" 'e'"]


@pytest.mark.parametrize("pair", ["lat,lon", "Latitude,Longitude", "LATITUDE,LONG", "y,x", "lat,lng"])
def test_coordinates_are_found_by_many_names(pair: str, tmp_path: Path, settings: Settings) -> None:
    path = write_csv(tmp_path / "m.csv", f"mine,{pair}", "A,-10.5,25.25")
    assert read_register(RegisterKind.POINTS, path, settings).frame.geometry[0].equals(shapely.Point(25.25, -10.5))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n \n", "is empty"),
        (b"Nome;lat;lon\n", "no rows"),
        (b"Nome;lat;lon\n;;\n", "no rows"),
        (b"Nome;valor\nA;1\n", "no columns of coordinates"),
        (b"\x00\x01\x02\xff" * 500, "is not text"),
        (bytes(range(1, 256)) * 40, "no columns of coordinates"),
        (b"Nome;lat;lon\nA;x;y\nB;;\n", "no usable row of 2"),
    ],
)
def test_a_file_without_usable_rows_is_an_error_that_says_why(
    content: bytes, said: str, tmp_path: Path, settings: Settings
) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(content)
    with pytest.raises(RegisterError, match=said):
        read_register(RegisterKind.SIGBM, path, settings)


@pytest.mark.parametrize("kind", list(RegisterKind))
@pytest.mark.parametrize("name", ["d.zip", "d.gpkg", "d.geojson", "d.shp", "d.kml", "d.parquet", "d"])
def test_junk_under_any_name_is_an_error(kind: RegisterKind, name: str, tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x00\x01\x02 junk \xff" * 50)
    with pytest.raises(RegisterError):
        read_register(kind, path, settings)


def test_a_missing_file_is_an_error(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(RegisterError, match="no file"):
        read_register(RegisterKind.SIGMINE, tmp_path / "none.zip", settings)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_titles_load_from_a_zip_with_a_sub_folder(encoding: str, tmp_path: Path, settings: Settings) -> None:
    frame = titles_frame(FASE=["CONCESSÃO DE LAVRA", "Autorização de Pesquisa"], PROCESSO=["830001/2004"] * 2)
    path = zipped_shapefile(frame, tmp_path / "MG.zip", "sigmine/MG/", encoding)
    table = read_register(RegisterKind.SIGMINE, path, settings)
    assert list(table.frame["process"]) == ["830001/2004"] * 2
    assert list(table.frame["phase"]) == ["CONCESSÃO DE LAVRA", "Autorização de Pesquisa"]
    assert list(table.frame["may_extract"]) == [True, False]
    assert list(table.frame["holder"]) == ["Mineração São João"] * 2
    assert list(table.frame["state"]) == ["MG", "MG"]
    assert table.frame.geometry[0].equals_exact(SQUARE.normalize(), 1e-7) or table.frame.geometry[0].equals(SQUARE)


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("CONCESSÃO DE LAVRA", True),
        ("concessao de lavra", True),
        ("Lavra Garimpeira", True),
        ("LICENCIAMENTO", True),
        ("Registro de Extração", True),
        ("MANIFESTO DE MINA", True),
        ("CONCESS?O DE LAVRA", True),
        ("REGISTRO DE EXTRA\ufffd\ufffdO", True),
        ("REQUERIMENTO DE LAVRA", False),
        ("Requerimento de Lavra Garimpeira", False),
        ("REQUERIMENTO DE REGISTRO DE EXTRAÇÃO", False),
        ("AUTORIZAÇÃO DE PESQUISA", False),
        ("DIREITO DE REQUERER A LAVRA", False),
        ("DISPONIBILIDADE", False),
        ("APTO PARA DISPONIBILIDADE", False),
        ("RECONHECIMENTO GEOLÓGICO", False),
        ("DADO NÃO CADASTRADO", False),
        ("XPTO", None),
        ("", None),
        ("????", None),
        ("Licenciamento ambiental", None),
    ],
)
def test_phases_may_extract_as_anm_says(phase: str, expected: bool | None) -> None:
    assert may_extract(phase) is expected


def test_unknown_phases_do_not_extract_and_are_noted_once(tmp_path: Path, settings: Settings) -> None:
    frame = titles_frame(FASE=["LICENCIAMENTO", "XPTO", "XPTO", None])
    path = tmp_path / "t.gpkg"
    frame.to_file(path, engine="pyogrio")
    table = read_register(RegisterKind.SIGMINE, path, settings)
    assert list(table.frame["may_extract"]) == [True, False, False, False]
    assert "2 rows" in reasons(table)[2]
    assert "missing" in reasons(table)[4]
    assert table.left_out == 0


def test_titles_without_a_phase_column_are_refused(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "t.gpkg"
    titles_frame(NOME=["a"]).drop(columns="FASE").to_file(path, engine="pyogrio")
    with pytest.raises(RegisterError, match="no column of phases"):
        read_register(RegisterKind.SIGMINE, path, settings)


@pytest.mark.parametrize("kind", [RegisterKind.LANDS, RegisterKind.POLYGONS])
def test_titles_are_not_taken_for_lands_or_mines(kind: RegisterKind, tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "t.gpkg"
    titles_frame(NOME=["a"]).to_file(path, engine="pyogrio")
    with pytest.raises(RegisterError, match="load it as `sigmine`"):
        read_register(kind, path, settings)


def test_protected_lands_are_not_taken_for_mines(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "ti.gpkg"
    gpd.GeoDataFrame({"terrai_nom": ["Yanomami"]}, geometry=[SQUARE], crs=4674).to_file(path, engine="pyogrio")
    with pytest.raises(RegisterError, match="load it as `lands`"):
        read_register(RegisterKind.POLYGONS, path, settings)


def test_crossing_outlines_are_mended_and_noted_and_empty_ones_left_out(tmp_path: Path, settings: Settings) -> None:
    frame = titles_frame(NOME=["a", "b", "c", "d"])
    flat = shapely.Polygon([(-44, -20), (-43, -20), (-44, -20)])
    frame = frame.set_geometry(gpd.GeoSeries([SQUARE, BOW_TIE, None, flat], crs=4674))
    path = tmp_path / "t.gpkg"
    frame.to_file(path, engine="pyogrio")
    table = read_register(RegisterKind.SIGMINE, path, settings)
    assert list(table.frame["holder"]) == ["a", "b"]
    assert table.frame.geometry.is_valid.all()
    assert table.frame.geometry[1].area == pytest.approx(0.5)
    assert [(problem.line, problem.left_out) for problem in table.problems] == [(2, False), (3, True), (4, True)]


def test_other_coordinate_systems_come_out_as_longitude_and_latitude(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "t.gpkg"
    titles_frame(NOME=["a"]).to_crs("EPSG:31983").to_file(path, engine="pyogrio")
    table = read_register(RegisterKind.SIGMINE, path, settings)
    assert table.frame.total_bounds == pytest.approx(SQUARE.bounds, abs=1e-6)


def test_a_layer_without_its_coordinate_system_is_refused(tmp_path: Path, settings: Settings) -> None:
    frame = titles_frame(NOME=["a"])
    zipped = zipped_shapefile(frame.set_crs(None, allow_override=True), tmp_path / "MG.zip")
    with pytest.raises(RegisterError, match="does not say which coordinate system"):
        read_register(RegisterKind.SIGMINE, zipped, settings)
    bare = tmp_path / "bare.gpkg"
    frame.set_crs(None, allow_override=True).to_file(bare, engine="pyogrio")
    with pytest.raises(RegisterError, match="does not say which coordinate system"):
        read_register(RegisterKind.SIGMINE, bare, settings)


def test_metres_in_a_geojson_are_listed_and_never_taken_for_degrees(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "p.geojson"
    metres = shapely.box(600_000, 7_700_000, 601_000, 7_701_000)
    features = [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(metres)}]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(RegisterError, match="projected metres"):
        read_register(RegisterKind.POLYGONS, path, settings)


def test_an_open_outline_is_closed(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "p.geojson"
    path.write_text('{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}')
    assert read_register(RegisterKind.POLYGONS, path, settings).frame.geometry[0].equals(shapely.box(0, 0, 1, 1))


@pytest.mark.parametrize("stated", ["UTF-8", "ISO-8859-1", "1252", ""])
@pytest.mark.parametrize("written", ["cp1252", "utf-8"])
def test_a_shapefile_is_read_whatever_encoding_it_states(
    stated: str, written: str, tmp_path: Path, settings: Settings
) -> None:
    titles_frame(NOME=["São João"]).to_file(tmp_path / "t.shp", encoding=written, engine="pyogrio")
    (tmp_path / "t.cpg").write_text(stated)
    table = read_register(RegisterKind.SIGMINE, tmp_path / "t.shp", settings)
    assert list(table.frame["holder"]) == ["São João"]
    assert list(table.frame["may_extract"]) == [True]


def test_signs_of_addresses_in_file_names_do_no_harm(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "what? now!"
    folder.mkdir()
    titles_frame(NOME=["a"]).to_file(tmp_path / "t.shp", engine="pyogrio")
    with zipfile.ZipFile(tmp_path / "t#1.zip", "w") as archive:
        for part in tmp_path.glob("t.*"):
            archive.write(part, f"A!b/t?{part.suffix}")
            part.rename(folder / f"t.zip!{part.suffix}")
    for path in (folder / "t.zip!.shp", tmp_path / "t#1.zip"):
        assert list(read_register(RegisterKind.SIGMINE, path, settings).frame["holder"]) == ["a"]


def test_indigenous_lands_load_with_long_and_with_short_names(tmp_path: Path, settings: Settings) -> None:
    columns = {"terrai_codigo": [1, 2], "terrai_nome": ["Yanomami", None], "fase_ti": ["Regularizada", "Em Estudo"]}
    frame = gpd.GeoDataFrame(columns, geometry=[SQUARE, SQUARE], crs=4674)
    frame.to_file(tmp_path / "long.gpkg", engine="pyogrio")
    short = frame.rename(columns={"terrai_codigo": "terrai_cod", "terrai_nome": "terrai_nom"})
    for path in (tmp_path / "long.gpkg", zipped_shapefile(short, tmp_path / "ti.zip")):
        table = read_register(RegisterKind.LANDS, path, settings)
        assert list(table.frame["name"]) == ["Yanomami", "unnamed"]
        assert list(table.frame["kind"]) == ["Indigenous land (Regularizada)", "Indigenous land (Em Estudo)"]


def test_conservation_units_show_group_and_category(tmp_path: Path, settings: Settings) -> None:
    columns = {
        "cd_cnuc": ["1", "2"],
        "nome_uc": ["FLORESTA DE SARACÁ", "PARNA"],
        "grupo": ["Uso Sustentável", "Proteção Integral".encode().decode("cp1252")],
        "categoria": ["Floresta", "Parque"],
        "esfera": ["Federal", "Federal"],
    }
    path = tmp_path / "uc.geojson"
    gpd.GeoDataFrame(columns, geometry=[SQUARE, SQUARE], crs=4326).to_file(path, engine="pyogrio")
    table = read_register(RegisterKind.LANDS, path, settings)
    assert list(table.frame["kind"]) == [
        "Conservation unit: Uso Sustentável, Floresta",
        "Conservation unit: Proteção Integral, Parque",
    ]


def test_outlines_of_mines_load_from_wkt_in_a_csv(tmp_path: Path, settings: Settings) -> None:
    path = write_csv(tmp_path / "m.csv", "name;wkt", f"A;{SQUARE.wkt}", "B;POLYGON ((", "C;POINT (1 2)")
    table = read_register(RegisterKind.POLYGONS, path, settings)
    assert list(table.frame["name"]) == ["A"]
    assert "not WKT" in reasons(table)[3]
    assert "a point" in reasons(table)[4]


def test_points_and_outlines_are_not_mixed_up(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "mixed.geojson"
    frame = gpd.GeoDataFrame({"name": ["p", "a"]}, geometry=[shapely.Point(-44, -20), SQUARE], crs=4326)
    frame.to_file(path, engine="pyogrio")
    assert list(read_register(RegisterKind.POINTS, path, settings).frame["name"]) == ["p"]
    assert list(read_register(RegisterKind.POLYGONS, path, settings).frame["name"]) == ["a"]


RIVER = shapely.LineString([(-44, -20), (-43.9, -20.1)])


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"noriocomp": "Rio das Velhas", "cocursodag": "74921"}, "Rio das Velhas"),
        ({"nooriginal": "Córrego São João"}, "Córrego São João"),
        ({"NOME": "Rio Doce"}, "Rio Doce"),
        ({"cocursodag": "74921", "noriocomp": None}, "cocursodag 74921"),
        ({"HYRIV_ID": 60_200_123, "MAIN_RIV": 60_200_000}, "HYRIV_ID 60200123"),
        ({"name": "Sem nome"}, ""),
        ({"length_km": 3.5}, ""),
    ],
)
def test_rivers_take_their_name_from_the_columns_of_ana_ibge_and_hydrorivers(
    columns: dict[str, object], name: str, tmp_path: Path, settings: Settings
) -> None:
    frame = gpd.GeoDataFrame({key: [value] for key, value in columns.items()}, geometry=[RIVER], crs=4674)
    frame.to_file(tmp_path / "r.gpkg", engine="pyogrio")
    table = read_register(RegisterKind.RIVERS, tmp_path / "r.gpkg", settings)
    assert list(table.frame["name"]) == [name]
    assert table.problems == ()


def test_rivers_are_lines_or_polygons_in_any_crs_and_the_rest_is_listed(tmp_path: Path, settings: Settings) -> None:
    bow_tie = shapely.Polygon([(-44, -20), (-43, -19), (-43, -20), (-44, -19)])
    broken = shapely.MultiLineString([RIVER, shapely.LineString([(1, 1), (1, 1)])])
    shapes = [RIVER, SQUARE, shapely.Point(-44, -20), None, bow_tie, shapely.LineString([(1, 1), (1, 1)]), broken]
    frame = gpd.GeoDataFrame({"nome": list("abcdefg")}, geometry=shapes, crs=4326).to_crs(31983)
    frame.to_file(tmp_path / "r.gpkg", engine="pyogrio")
    table = read_register(RegisterKind.RIVERS, tmp_path / "r.gpkg", settings)
    assert list(table.frame["name"]) == ["a", "b", "e", "g"]
    assert shapely.equals_exact(table.frame.geometry[0], RIVER, tolerance=1e-6)
    assert table.frame.geometry.is_valid.all()
    told = reasons(table)
    assert "a point, expected lines or polygons" in told[3]
    assert "no geometry" in told[4]
    assert "no length" in told[6]
    assert table.left_out == 3


def test_rivers_load_from_a_zipped_shapefile_and_from_wkt_in_a_csv(tmp_path: Path, settings: Settings) -> None:
    zipped = zipped_shapefile(gpd.GeoDataFrame({"NORIOCOMP": ["São"]}, geometry=[RIVER], crs=4674), tmp_path / "r.zip")
    assert list(read_register(RegisterKind.RIVERS, zipped, settings).frame["name"]) == ["São"]
    path = write_csv(tmp_path / "r.csv", "name;wkt", f"A;{RIVER.wkt}", "B;POINT (1 2)")
    assert list(read_register(RegisterKind.RIVERS, path, settings).frame["name"]) == ["A"]


@pytest.mark.parametrize("columns", [{"PROCESSO": "1", "FASE": "x"}, {"terrai_nome": "x"}])
def test_titles_and_lands_are_not_taken_for_rivers(columns: dict[str, str], tmp_path: Path, settings: Settings) -> None:
    frame = gpd.GeoDataFrame({key: [value] for key, value in columns.items()}, geometry=[SQUARE], crs=4674)
    frame.to_file(tmp_path / "x.gpkg", engine="pyogrio")
    with pytest.raises(RegisterError, match="holds"):
        read_register(RegisterKind.RIVERS, tmp_path / "x.gpkg", settings)


def test_a_zip_with_two_like_layers_asks_for_one(tmp_path: Path, settings: Settings) -> None:
    for name in ("a.gpkg", "b.gpkg"):
        titles_frame(NOME=["x"]).to_file(tmp_path / name, engine="pyogrio")
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.write(tmp_path / "a.gpkg", "a.gpkg")
        archive.write(tmp_path / "b.gpkg", "b.gpkg")
    with pytest.raises(RegisterError, match="2 layers alike"):
        read_register(RegisterKind.SIGMINE, tmp_path / "both.zip", settings)


@pytest.mark.parametrize(
    "content",
    [
        "<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer>",
        '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /tmp/x"}',
        "<!DOCTYPE kml [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><html>&x;</html>",
    ],
)
def test_a_file_that_points_at_other_files_is_not_opened(content: str, tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "x.geojson"
    path.write_text(content)
    with pytest.raises(RegisterError, match="none of the formats"):
        read_register(RegisterKind.POLYGONS, path, settings)
