"""Points for samples: any register of points, and the two layouts of the paper's released CSV files.

The paper's layouts go by their columns' places, whatever these are called (loadSentinelDams.ipynb of the release):
1. south-west latitude, south-west longitude, north-east latitude, north-east longitude, class
2. latitude of the centre, longitude of the centre, class
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import Snapshot
from minedisc_core.errors import RegisterError, RunError, UsageError
from minedisc_core.registers.coordinates import parse_degrees
from minedisc_core.registers.csv_rows import LATITUDE, LONGITUDE, SEPARATORS, read_csv_rows, text_lines
from minedisc_core.registers.dams import NAME
from minedisc_core.registers.outlines import sound_points
from minedisc_core.registers.snapshots import content_hash, list_snapshots, read_rows
from minedisc_core.registers.tables import RawRows, RowProblem
from minedisc_core.registers.text import column_texts, find_column, fold, is_personal
from minedisc_core.registers.vectors import FORMATS, VectorLayer, open_layers, read_vector_rows
from minedisc_core.runs import write_atomically
from minedisc_core.settings import Settings

_CSV_SUFFIXES = (".csv", ".txt", ".tsv")
_CORNERS, _CENTRE = 5, 3
"""Columns of the paper's two layouts."""
_CLASS = "class"
_CLASSES = ("class", "class name", "classname", "label", "classe", "nome da classe", "rotulo")


@dataclass(frozen=True)
class RegisterPoint:
    """One row of a register of points."""

    line: int
    """Line of a CSV (the header is line 1), number of the record, from 1, in other files."""
    lon: float
    """EPSG:4326."""
    lat: float
    label: str
    """Text of the label column, cleaned; empty where there is none."""
    name: str = ""
    """What the register calls it; empty where it says nothing."""


@dataclass(frozen=True)
class PointFile:
    """The rows of a register of points."""

    source: str
    """Name of the file."""
    register_id: str
    """What tells this register from others: the SHA-256 of the file, or the snapshot's id."""
    points: tuple[RegisterPoint, ...]
    problems: tuple[RowProblem, ...]
    """Rows that were left out, and why."""
    has_label: bool
    """The file has the label column; the paper's layouts always do."""


def open_points(source: str | Path, settings: Settings, label_column: str | None = None) -> PointFile:
    """Points of a file, or of a register that is loaded, by its snapshot's id.

    Raises:
        RegisterError: no such file or snapshot, or it holds no usable point.
        UsageError: it has no such column.
    """
    known = {snapshot.snapshot_id: snapshot for snapshot in list_snapshots(settings, include_retired=True)}
    if str(source) in known and not Path(source).is_file():
        return read_snapshot_points(known[str(source)], settings, label_column)
    return read_points(Path(source), settings, label_column)


def read_snapshot_points(snapshot: Snapshot, settings: Settings, label_column: str | None = None) -> PointFile:
    """Points of a loaded register; its rows are numbered from 1, its columns are those of `tables.COLUMNS`.

    Raises:
        RegisterError: it holds no usable point, or its file is damaged.
        UsageError: it has no such column.
    """
    frame = read_rows(settings, snapshot)
    texts = frame.drop(columns="geometry").astype(object)
    column = _column(list(texts.columns), label_column, snapshot.name)
    geometry, lines = np.asarray(frame.geometry.array, dtype=object), list(range(1, len(frame) + 1))
    rows = RawRows(snapshot.name, tuple(texts.columns), texts, geometry, lines, [])
    return _points(rows, column, snapshot.snapshot_id)


def read_points(path: Path, settings: Settings, label_column: str | None = None) -> PointFile:
    """Read points from CSV, shapefile (plain or zipped), GeoPackage, GeoJSON or KML, in any CRS.

    Args:
        path: the file. A CSV is in degrees (EPSG:4326 or 4674): with a header that names the coordinates, or in
            one of the paper's two layouts.
        settings: limits of zips.
        label_column: name of the column with each point's label; None: no label is read.

    Raises:
        RegisterError: the file cannot be read, or holds no usable point.
        UsageError: the file has no such column, or the column holds CPF or CNPJ numbers.
    """
    if label_column is not None and is_personal(label_column):
        raise UsageError(f"the column {label_column} holds personal numbers", "a column of labels", "choose another")
    if not path.is_file():
        raise RegisterError(f"{path} is no file", f"a CSV, {FORMATS}", "check the path")
    if path.suffix.lower() in _CSV_SUFFIXES:
        rows, column = _csv(path, label_column)
    else:
        rows, column = _layer(path, settings, label_column)
    return _points(rows, column, content_hash(path))


def point_columns(source: str | Path, settings: Settings) -> tuple[str, ...]:
    """Columns of a register of points that may hold labels: all that are named, but those of CPF and CNPJ numbers.

    Raises:
        RegisterError: no such file or snapshot, or it cannot be read.
    """
    known = {snapshot.snapshot_id: snapshot for snapshot in list_snapshots(settings, include_retired=True)}
    path = Path(source)
    if str(source) in known and not path.is_file():
        names = list(read_rows(settings, known[str(source)]).drop(columns="geometry").columns)
    elif path.suffix.lower() in _CSV_SUFFIXES:
        names = [_CLASS] if _paper_rows(path) is not None else list(read_csv_rows(path).texts.columns)
    else:
        with open_layers(path, settings) as layers:
            names = [name for layer in layers for name in layer.fields]
    return tuple(dict.fromkeys(name for name in names if name.strip() and not is_personal(name)))


def _csv(path: Path, label_column: str | None) -> tuple[RawRows, str | None]:
    paper = _paper_rows(path) if label_column is None or fold(label_column) in _CLASSES else None
    if paper is not None:
        return paper, _CLASS
    rows = read_csv_rows(path)
    return rows, _column(list(rows.texts.columns), label_column, path.name)


def _layer(path: Path, settings: Settings, label_column: str | None) -> tuple[RawRows, str | None]:
    with open_layers(path, settings) as layers:
        layer = _choose(layers, label_column, path.name)
        column = _column(layer.fields, label_column, layer.shown)
        name = find_column(layer.fields, NAME)
        return read_vector_rows(layer, [each for each in (column, name) if each]), column


def _choose(layers: Sequence[VectorLayer], label_column: str | None, name: str) -> VectorLayer:
    """The only layer, or the only one with the label column."""
    fitting = [layer for layer in layers if label_column and find_column(layer.fields, [fold(label_column)])]
    chosen = fitting if len(layers) > 1 else layers
    if len(chosen) != 1:
        held = ", ".join(layer.shown for layer in layers) or "none"
        raise RegisterError(
            f"{name} holds {len(layers)} layers: {held}", "one layer, or one with the label column", "export it alone"
        )
    return chosen[0]


def _column(columns: Sequence[str], wanted: str | None, name: str) -> str | None:
    if wanted is None:
        return None
    found = find_column(columns, [fold(wanted)])
    if found is None:
        held = ", ".join(column for column in columns if column.strip() and not is_personal(column))
        raise UsageError(f"{name} has no column {wanted}", f"one of: {held}", "choose another --label-column")
    return found


def _points(rows: RawRows, column: str | None, register_id: str) -> PointFile:
    sound = sound_points(rows.geometry, rows.lines)
    problems = [*rows.problems, *sound.problems]
    labels = column_texts(rows.texts, column)
    names = column_texts(rows.texts, find_column(list(rows.texts.columns), NAME))
    points = []
    for index in np.flatnonzero(sound.keep):
        parts = shapely.get_parts(sound.geometry[index])
        if len(parts) == 1:
            place = float(parts[0].x), float(parts[0].y)
            points.append(RegisterPoint(rows.lines[index], *place, labels[index], names[index]))
        else:
            problems.append(RowProblem(rows.lines[index], f"holds {len(parts)} points, expected one"))
    if not points:
        first = f" (line {problems[0].line}: {problems[0].reason})" if problems else ""
        raise RegisterError(f"{rows.source} holds no usable point{first}", "rows with a place that can be read")
    problems.sort(key=lambda problem: problem.line)
    return PointFile(rows.source, register_id, tuple(points), tuple(problems), column is not None)


def _paper_rows(path: Path) -> RawRows | None:
    """The rows, if the file is in one of the paper's layouts."""
    lines = text_lines(path)
    for separator in SEPARATORS:
        split = ([cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator))
        rows = [(line, row) for line, row in enumerate(split, 1) if any(row)]
        width = len(rows[0][1]) if rows else 0
        if width in (_CENTRE, _CORNERS) and _is_paper([row for _, row in rows[:2]], width):
            return _read_paper(path.name, rows, width)
    return None


def _is_paper(first: Sequence[Sequence[str]], width: int) -> bool:
    """Places in the first columns of the first row, or of the second row under a header that contradicts nothing."""
    head = first[0]
    if not _why_no_place(head, width):
        return True
    if len(first) < 2 or _why_no_place(first[1], width):
        return False
    lat, lon = find_column(head, LATITUDE), find_column(head, LONGITUDE)
    if lat is None and lon is None:
        return True
    return width == _CENTRE and [lat, lon] == list(head[:2]) and fold(head[2]) in _CLASSES


def _why_no_place(row: Sequence[str], width: int) -> str:
    try:
        _place(row, width)
    except ValueError as error:
        return str(error)
    return ""


def _place(row: Sequence[str], width: int) -> shapely.Point:
    """The centre that a row in one of the two layouts gives.

    Raises:
        ValueError: it gives none.
    """
    if len(row) != width:
        raise ValueError(f"has {len(row)} cells, expected {width}")
    lat, lon = parse_degrees(row[0], "latitude"), parse_degrees(row[1], "longitude")
    if width == _CENTRE:
        return shapely.Point(lon, lat)
    north, east = parse_degrees(row[2], "latitude"), parse_degrees(row[3], "longitude")
    if not (lat < north and lon < east):
        raise ValueError("its second corner is not north-east of the first")
    return shapely.Point((lon + east) / 2, (lat + north) / 2)


def _read_paper(name: str, rows: Sequence[tuple[int, Sequence[str]]], width: int) -> RawRows:
    first = 1 if _why_no_place(rows[0][1], width) else 0
    places, lines, labels, problems = [], [], [], []
    for line, row in rows[first:]:
        problem = _why_no_place(row, width)
        if problem:
            problems.append(RowProblem(line, problem))
            continue
        places.append(_place(row, width))
        lines.append(line)
        labels.append(row[-1])
    texts = pd.DataFrame({_CLASS: labels}, dtype=object)
    return RawRows(name, (_CLASS,), texts, np.array(places, dtype=object), lines, problems)


def read_places(path: Path, settings: Settings) -> list[BaseGeometry]:
    """All places of a register of any kind, points or outlines, EPSG:4326: what to keep away from.

    Raises:
        RegisterError: the file cannot be read, or holds no place.
    """
    if path.is_file() and path.suffix.lower() not in _CSV_SUFFIXES:
        with open_layers(path, settings) as layers:
            shapes = [shape for layer in layers for shape in read_vector_rows(layer, []).geometry]
    else:
        shapes = [shapely.Point(point.lon, point.lat) for point in read_points(path, settings).points]
    sound = [shape for shape in shapes if shape is not None and not shape.is_empty and _is_on_earth(shape)]
    if not sound:
        raise RegisterError(f"{path.name} holds no place", "a register of mines")
    return sound


def _is_on_earth(shape: BaseGeometry) -> bool:
    west, south, east, north = shape.bounds
    return bool(west >= -180 and east <= 180 and south >= -90 and north <= 90)


def keep_points(settings: Settings, name: str, content: bytes) -> Path:
    """Keep a register of points that was handed in under HOME/points; the same content is kept once.

    Raises:
        RegisterError: it cannot be read as points, or cannot be written.
    """
    folder = settings.home / "points" / hashlib.sha256(content).hexdigest()[:16]
    path = folder / Path(name).name
    with tempfile.TemporaryDirectory() as scratch:
        tried = Path(scratch) / path.name
        tried.write_bytes(content)
        read_points(tried, settings)
    for known in folder.glob("*"):
        return known
    try:
        write_atomically(path, content)
    except RunError as error:
        raise RegisterError(error.found, remedy=error.remedy) from error
    return path


def kept_points(settings: Settings) -> list[Path]:
    """Registers of points that were handed in, by name."""
    return sorted((settings.home / "points").glob("*/[!.]*"), key=lambda path: path.name.casefold())
