"""Made-up registers for the demo area in the layout of the real ones: SIGBM, SIGMINE, FUNAI, rivers (README).

Some mines have a dam or an extracting title, some a title that may not extract, some nothing; a few dam
points lie 300 to 800 m off, as real ones do. All names are invented.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import uuid
import zipfile
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from minedisc_core.grid import GEOD, RasterGrid, square_around
from minedisc_core.imagery.demo.scene import Feature, Watercourse

SIGBM_COLUMNS = (
    "ID", "Nome", "Empreendedor", "UF", "Município", "Latitude", "Longitude", "Categoria de Risco - CRI",
    "Dano Potencial Associado - DPA", "Classe", "Inserido na PNSB", "Nível de Emergência",
    "Tipo de Barragem de Mineração", "Situação Operacional", "Minério principal presente no reservatório",
    "Método construtivo da barragem",
)  # fmt: skip
_OWNERS = ("Mineração Serra Clara Ltda.", "Extração São João & Filhos Ltda.", "Cia. Mineira de Demonstração S.A.",
           "Pedreira Água Santa Ltda.", "Areal do Córrego Fundo Ltda.")  # fmt: skip
_TOWNS = ("ITABIRINHA DA SERRA", "SÃO GONÇALO DO DEMO", "CONCEIÇÃO DO EXEMPLO")
_MAY_EXTRACT = {"quarry": "LICENCIAMENTO", "sand_pit": "LICENCIAMENTO", "clay_pit": "REGISTRO DE EXTRAÇÃO",
                "garimpo": "LAVRA GARIMPEIRA"}  # fmt: skip
_MAY_NOT = (
    "AUTORIZAÇÃO DE PESQUISA",
    "REQUERIMENTO DE LAVRA",
    "DIREITO DE REQUERER A LAVRA",
    "REQUERIMENTO DE PESQUISA",
)
_EMPTY_LAND_TITLES = 24


def sigbm_csv(features: Sequence[Feature], grid: RasterGrid, seed: int) -> bytes:
    """The dam register: cp1252, semicolons, coordinates in degrees, minutes and seconds.

    An area too small for a dam or a mine gets one 6 km outside it: a register is never empty.
    """
    rng = np.random.default_rng([seed, 41])
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(SIGBM_COLUMNS)
    dams = [f for f in features if f.kind == "tailings" and f.registered == "registered"]
    if not dams:
        dams = [f for f in features if f.is_mine and f.registered == "registered"][:1]
    for number, dam in enumerate(dams):
        distance = rng.uniform(300, 800) if number % 4 == 1 else rng.uniform(0, 60)
        middle = dam.polygon.representative_point()
        lon, lat, _ = GEOD.fwd(middle.x, middle.y, rng.uniform(0, 360), distance)
        writer.writerow(_dam_row(9100 + number, f"Barragem {number + 1} - {dam.name}", dam.ore, lon, lat, rng))
    if not dams:
        west, _, _, north = grid.footprint.bounds
        lon, lat, _ = GEOD.fwd(west, north, 315, 6_000)
        writer.writerow(_dam_row(9100, "Barragem da Vizinhança", "Minério de Ferro", lon, lat, rng))
    return text.getvalue().encode("cp1252")


def _dam_row(code: int, name: str, ore: str, lon: float, lat: float, rng: np.random.Generator) -> list[object]:
    owner, town = _OWNERS[int(rng.integers(len(_OWNERS)))], _TOWNS[int(rng.integers(len(_TOWNS)))]
    pnsb = rng.random() < 0.7
    risk = (("Baixo", "Médio", "Alto")[int(rng.integers(3))], "Alto", "B", "Sim") if pnsb else ("-", "-", "-", "Não")
    method = ("Etapa única", "Alteamento a jusante", "Alteamento a montante ou desconhecido")[int(rng.integers(3))]
    state = ("Ativa", "Inativa", "Em Descaracterização")[int(rng.choice(3, p=(0.6, 0.3, 0.1)))]
    return [code, name, owner, "MG", town, dms(lat), dms(lon), *risk, "Sem emergência", "Barragem/Barramento/Dique",
            state, ore, method]  # fmt: skip


def dms(degrees: float) -> str:
    """Degrees as the dam register writes them: `-10°07'16.390''`."""
    thousandths = round(abs(degrees) * 3_600_000)
    whole, rest = divmod(thousandths, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{'-' if degrees < 0 else ''}{whole:02d}°{minutes:02d}'{rest / 1000:06.3f}''"


def sigmine_zip(features: Sequence[Feature], grid: RasterGrid, seed: int) -> bytes:
    """The titles: a zipped shapefile in SIRGAS 2000 (EPSG:4674) with SIGMINE's fields."""
    rng = np.random.default_rng([seed, 42])
    rows, shapes = [], []
    mines = {f.mine: f for f in features if f.is_mine}
    parts = {number: shapely.union_all([f.polygon for f in features if f.mine == number]) for number in mines}
    for number, mine in mines.items():
        if mine.registered != "nothing_found":
            kind = next(f.kind for f in features if f.mine == number)
            extracts = mine.registered == "registered"
            phase = _MAY_EXTRACT.get(kind, "CONCESSÃO DE LAVRA") if extracts else _MAY_NOT[int(rng.integers(4))]
            shapes.append(_block(parts[number], rng.uniform(250, 400)))
            rows.append(_title_row(rng, phase, mine.ore.upper(), shapes[-1]))
    for shape in _empty_land(grid, shapely.union_all(list(parts.values())), rng):
        ore = ("MINÉRIO DE FERRO", "OURO", "AREIA", "GRANITO", "BAUXITA")[int(rng.integers(5))]
        rows.append(_title_row(rng, _MAY_NOT[int(rng.integers(4))], ore, shape))
        shapes.append(shape)
    return _zipped_shapefile(gpd.GeoDataFrame(rows, geometry=shapes, crs="EPSG:4674"))


def _block(mine: BaseGeometry, margin_m: float) -> BaseGeometry:
    """A title's outline: corners at right angles around the mine, one of them notched."""
    west, south, east, north = mine.bounds
    pad = square_around(west, south, 2 * margin_m).bounds
    dx, dy = west - pad[0], south - pad[1]
    x0, y0, x1, y1 = west - dx, south - dy, east + dx, north + dy
    return Polygon([(x0, y0), (x1, y0), (x1, y1 - dy / 2), (x1 - dx / 2, y1 - dy / 2), (x1 - dx / 2, y1), (x0, y1)])


def _empty_land(grid: RasterGrid, mines: BaseGeometry, rng: np.random.Generator) -> list[BaseGeometry]:
    """Prospecting blocks on land without a mine, at least about 1.5 km from all of them."""
    keep_off = mines.buffer(0.015)
    wanted = max(2, round(_EMPTY_LAND_TITLES * grid.height_px * grid.width_px / 2048**2))
    found: list[BaseGeometry] = []
    for _ in range(20 * wanted):
        row, col = rng.uniform(0, grid.height_px, 1), rng.uniform(0, grid.width_px, 1)
        lon, lat = grid.lonlat(row, col)[0]
        dx, dy = rng.uniform(0.004, 0.02, 2)
        shape = shapely.box(lon - dx, lat - dy, lon + dx, lat + dy)
        if len(found) < wanted and not shape.intersects(keep_off):
            found.append(shape)
    return found


def _title_row(rng: np.random.Generator, phase: str, ore: str, shape: BaseGeometry) -> dict[str, object]:
    number, year = int(rng.integers(800_000, 839_999)), int(rng.integers(1968, 2024))
    area_m2, _ = GEOD.geometry_area_perimeter(shapely.orient_polygons(shape))
    return {
        "PROCESSO": f"{number // 1000}.{number % 1000:03d}/{year}",
        "NUMERO": number,
        "ANO": year,
        "AREA_HA": round(abs(area_m2) / 10_000, 2),
        "ID": "{" + str(uuid.UUID(bytes=rng.bytes(16), version=4)).upper() + "}",
        "FASE": phase,
        "ULT_EVENTO": "264 - AUT PESQ/PAGAMENTO TAH EFETUADO EM 28/07/2023",
        "NOME": _OWNERS[int(rng.integers(len(_OWNERS)))].upper(),
        "SUBS": ore,
        "USO": "Industrial" if "FERRO" in ore else "Construção civil",
        "UF": "MG",
    }


def _zipped_shapefile(frame: gpd.GeoDataFrame) -> bytes:
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch:
        frame.to_file(Path(scratch) / "MG.shp", engine="pyogrio", encoding="UTF-8")
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(Path(scratch).iterdir()):
                archive.writestr(zipfile.ZipInfo(part.name, (2023, 8, 1, 0, 0, 0)), part.read_bytes())
    return packed.getvalue()


def land_geojson(features: Sequence[Feature], grid: RasterGrid, seed: int) -> bytes:
    """One protected land with FUNAI's columns, over a mine that no register knows; mid-area if there is no mine."""
    rng = np.random.default_rng([seed, 43])
    mines = [f for f in features if f.is_mine]
    unknown = [f for f in mines if f.registered == "nothing_found"]
    inside = (unknown or mines)[0].polygon.centroid if mines else grid.footprint.centroid
    side_m = 0.22 * grid.height_px * 10
    lon, lat, _ = GEOD.fwd(inside.x, inside.y, rng.uniform(0, 360), 0.2 * side_m)
    turns = np.linspace(0, 360, 40, endpoint=False)
    reach = side_m / 2 * (1 + 0.18 * np.sin(np.radians(3 * turns)) + 0.1 * np.cos(np.radians(7 * turns)))
    ring = [GEOD.fwd(lon, lat, float(turn), float(length))[:2] for turn, length in zip(turns, reach, strict=True)]
    shape = Polygon(ring).intersection(grid.footprint)
    properties = {
        "terrai_codigo": 99901,
        "terrai_nome": "Terra de Demonstração Água Clara",
        "etnia_nome": "Povo inventado",
        "municipio_nome": "São Gonçalo do Demo",
        "uf_sigla": "MG",
        "fase_ti": "Regularizada",
        "modalidade_ti": "Tradicionalmente ocupada",
    }
    return collection([(shape, properties)])


def rivers_geojson(rivers: Sequence[Watercourse]) -> bytes:
    """The true courses of the rivers, with names as IBGE's columns have them."""
    return collection([(river.line, {"nome": river.name, "largura_m": river.width_m}) for river in rivers])


def collection(rows: Sequence[tuple[BaseGeometry, dict[str, object]]]) -> bytes:
    """A GeoJSON FeatureCollection (EPSG:4326), coordinates rounded to 1e-7 degrees (1 cm)."""
    features = [
        {"type": "Feature", "properties": properties, "geometry": shapely.geometry.mapping(_rounded(shape))}
        for shape, properties in rows
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode()


def _rounded(shape: BaseGeometry) -> BaseGeometry:
    return shapely.transform(shape, lambda xy: np.round(xy, 7))
