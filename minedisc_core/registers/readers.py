"""One door for every register file: `read_register(kind, path, settings)`."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd

from minedisc_core.domain import RegisterKind
from minedisc_core.errors import RegisterError
from minedisc_core.registers import dams, lands, rivers, titles
from minedisc_core.registers.csv_rows import read_csv_rows
from minedisc_core.registers.outlines import Sound, sound_points, sound_polygons, sound_rivers
from minedisc_core.registers.tables import COLUMNS, UNNAMED, RawRows, RegisterTable, RowProblem
from minedisc_core.registers.text import column_texts, find_column
from minedisc_core.registers.vectors import FORMATS, VectorLayer, open_layers, read_vector_rows
from minedisc_core.settings import Settings

_CSV_SUFFIXES = (".csv", ".txt", ".tsv")
_STATE = ("uf", "estado", "state", "sg uf", "uf sigla")
_ALIASES = {
    RegisterKind.SIGBM: dams.ALIASES,
    RegisterKind.POINTS: dams.ALIASES,
    RegisterKind.SIGMINE: titles.ALIASES,
    RegisterKind.LANDS: lands.ALIASES,
    RegisterKind.POLYGONS: (dams.NAME,),
    RegisterKind.RIVERS: rivers.ALIASES,
}
_SHOWN_PROBLEMS = 3


def read_register(kind: RegisterKind, path: Path, settings: Settings) -> RegisterTable:
    """Read a register file: CSV (stated EPSG:4326), GeoPackage, GeoJSON, KML, shapefile, plain or zipped.

    Rows that cannot be used are listed with line and reason, the rest goes in. Columns with CPF or CNPJ
    numbers are never read, and such numbers are taken out of names.

    Raises:
        RegisterError: the file cannot be read, lacks a column or a CRS, or holds no usable row.
    """
    rows = _raw_rows(kind, Path(path), settings)
    _check_columns(kind, rows)
    if not rows.lines and not rows.problems:
        raise RegisterError(f"{rows.source} holds no rows", "at least one row", "download it again")
    sound = _sound(kind, rows)
    columns, notes = _columns(kind, rows)
    problems = [*rows.problems, *sound.problems, *_of_kept(notes, rows, sound)]
    if not sound.keep.any():
        raise _nothing_usable(rows, problems)
    columns["geometry"] = list(sound.geometry)
    frame = gpd.GeoDataFrame(columns, columns=[*COLUMNS[kind], "geometry"], geometry="geometry", crs="EPSG:4326")
    kept = frame[sound.keep].reset_index(drop=True)
    has_state = find_column(rows.fields, _STATE) is not None
    return RegisterTable(kind, kept, tuple(sorted(problems, key=lambda problem: problem.line)), has_state)


def _raw_rows(kind: RegisterKind, path: Path, settings: Settings) -> RawRows:
    if not path.is_file():
        raise RegisterError(f"{path} is no file", f"a CSV, {FORMATS}", "check the path")
    if path.suffix.lower() in _CSV_SUFFIXES:
        return read_csv_rows(path)
    with open_layers(path, settings) as layers:
        layer = _choose(kind, layers, path.name)
        wanted = [find_column(layer.fields, [alias]) for aliases in _ALIASES[kind] for alias in aliases]
        return read_vector_rows(layer, [*filter(None, wanted)])


def _choose(kind: RegisterKind, layers: list[VectorLayer], name: str) -> VectorLayer:
    """The layer with the most of the kind's columns; two that are alike are not chosen between."""
    known = [sum(find_column(layer.fields, aliases) is not None for aliases in _ALIASES[kind]) for layer in layers]
    best = [layer for layer, count in zip(layers, known, strict=True) if count == max(known)]
    if len(best) != 1:
        held = ", ".join(layer.shown for layer in best) or "none"
        raise RegisterError(f"{name} holds {len(best)} layers alike: {held}", "one layer", "export the one you need")
    return best[0]


def _check_columns(kind: RegisterKind, rows: RawRows) -> None:
    """Refuse a file that is plainly of another kind: taken for mines, titles or lands would register every site."""
    are_titles = bool(find_column(rows.fields, titles.PROCESS) and find_column(rows.fields, titles.PHASE))
    if kind in (RegisterKind.LANDS, RegisterKind.POLYGONS, RegisterKind.RIVERS) and are_titles:
        raise RegisterError(f"{rows.source} holds mining titles", f"a file for `{kind}`", "load it as `sigmine`")
    if kind is RegisterKind.POLYGONS and find_column(rows.fields, lands.UNMISTAKABLE):
        raise RegisterError(f"{rows.source} holds protected lands", "outlines of mines", "load it as `lands`")
    if kind is RegisterKind.RIVERS and find_column(rows.fields, lands.UNMISTAKABLE):
        raise RegisterError(f"{rows.source} holds protected lands", "rivers", "load it as `lands`")
    if kind is RegisterKind.SIGMINE and find_column(rows.fields, titles.PHASE) is None:
        raise RegisterError(
            f"{rows.source} has no column of phases",
            "a column FASE: without it nobody can say which titles may extract",
            "download the titles from SIGMINE",
        )


def _sound(kind: RegisterKind, rows: RawRows) -> Sound:
    if kind in (RegisterKind.SIGMINE, RegisterKind.LANDS, RegisterKind.POLYGONS):
        return sound_polygons(rows.geometry, rows.lines)
    if kind is RegisterKind.RIVERS:
        return sound_rivers(rows.geometry, rows.lines)
    sound = sound_points(rows.geometry, rows.lines)
    if kind is RegisterKind.SIGBM:
        sound.problems.extend(dams.outside_brazil(sound.geometry, rows.lines, sound.keep))
    return sound


def _columns(kind: RegisterKind, rows: RawRows) -> tuple[dict[str, list[object]], list[RowProblem]]:
    if kind is RegisterKind.SIGMINE:
        return titles.title_columns(rows)
    if kind is RegisterKind.LANDS:
        return lands.land_columns(rows), []
    if kind is RegisterKind.POLYGONS:
        names = column_texts(rows.texts, find_column(list(rows.texts.columns), dams.NAME))
        return {"name": [name or UNNAMED for name in names]}, []
    if kind is RegisterKind.RIVERS:
        return rivers.river_columns(rows), []
    return dams.point_columns(rows), []


def _of_kept(notes: list[RowProblem], rows: RawRows, sound: Sound) -> list[RowProblem]:
    kept = {line for line, keep in zip(rows.lines, sound.keep, strict=True) if keep}
    return [note for note in notes if note.line in kept]


def _nothing_usable(rows: RawRows, problems: list[RowProblem]) -> RegisterError:
    first = "; ".join(f"line {problem.line}: {problem.reason}" for problem in problems[:_SHOWN_PROBLEMS])
    return RegisterError(
        f"{rows.source} holds no usable row of {len({p.line for p in problems}):,} ({first})",
        "rows with a place that can be read",
        "correct the rows, or check that the kind of register fits the file",
    )
