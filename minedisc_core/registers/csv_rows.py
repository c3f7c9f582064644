"""CSV files as offices write them: any of four separators, UTF-8 or Windows-1252 or both, a title line on top."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from minedisc_core.errors import RegisterError
from minedisc_core.registers.coordinates import parse_degrees
from minedisc_core.registers.tables import RawRows, RowProblem
from minedisc_core.registers.text import decode, find_column, is_missing, is_personal, shown

SEPARATORS = (";", ",", "\t", "|")
LATITUDE = (
    "lat", "latitude", "latitude decimal", "latitude dd", "lat dd", "lat decimal", "latitude graus", "nr latitude",
    "nu latitude", "num latitude", "latitude sirgas 2000", "latitude wgs84", "lat wgs84", "coord y", "y",
)  # fmt: skip
LONGITUDE = (
    "lon", "lng", "long", "longitude", "longitude decimal", "longitude dd", "lon dd", "lon decimal",
    "longitude graus", "nr longitude", "nu longitude", "num longitude", "longitude sirgas 2000",
    "longitude wgs84", "lon wgs84", "coord x", "x",
)  # fmt: skip
WKT = ("wkt", "geometry", "geom", "the geom", "geometria", "wkt geom")
_HEADER_WITHIN = 20
_LONGEST_CELL = 50_000_000
"""A WKT outline of a large land may be long."""


@dataclass(frozen=True)
class _Sheet:
    header: list[str]
    rows: list[tuple[int, list[str]]]
    """Line in the file and cells."""
    problems: list[RowProblem]


def read_csv_rows(path: Path) -> RawRows:
    """Rows of a CSV with coordinates in two columns or as WKT, stated to be EPSG:4326.

    SIRGAS 2000 (EPSG:4674) differs by less than a pixel and is taken as it is. Columns with CPF or CNPJ
    numbers are dropped here. Rows whose place cannot be read are listed.

    Raises:
        RegisterError: no text, no header with coordinates, or no row at all.
    """
    sheet = _sheet(text_lines(path), path.name)
    kept = [i for i, column in enumerate(sheet.header) if column.strip() and not is_personal(column)]
    read_place = _place_reader(sheet.header)
    places: list[BaseGeometry] = []
    lines: list[int] = []
    cells: list[list[str]] = []
    problems = list(sheet.problems)
    for line, row in sheet.rows:
        try:
            _check_width(row, sheet.header)
            places.append(read_place(row))
        except ValueError as error:
            problems.append(RowProblem(line, str(error)))
            continue
        lines.append(line)
        cells.append([row[i] if i < len(row) else "" for i in kept])
    columns = [sheet.header[i] for i in kept]
    texts = pd.DataFrame(cells, columns=pd.Index(range(len(kept))), dtype=object)
    texts.columns = pd.Index(columns)
    return RawRows(path.name, tuple(sheet.header), texts, np.array(places, dtype=object), lines, problems)


def text_lines(path: Path) -> list[str]:
    """The lines of a text file, whatever its encoding.

    Raises:
        RegisterError: it is empty, or not text.
    """
    raw = path.read_bytes()
    if not raw.strip():
        raise RegisterError(f"{path.name} is empty", "a CSV with a header and rows", "download it again")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = raw.decode("utf-16", errors="replace")
    elif b"\0" in raw[:100_000]:
        raise RegisterError(
            f"{path.name} is not text", "a CSV file", "export the table as CSV (a spreadsheet: save as CSV UTF-8)"
        )
    else:
        text = "\n".join(map(decode, raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")))
    return list(io.StringIO(text, newline=""))


def _sheet(lines: list[str], name: str) -> _Sheet:
    """Find the header line and its separator: the first line that names coordinates."""
    for number, line in enumerate(lines[:_HEADER_WITHIN]):
        for separator in SEPARATORS:
            header = _split(line, separator)
            if _names_places(header):
                rows, problems = _rows(lines[number + 1 :], separator, len(header), number + 1)
                if not rows:
                    raise RegisterError(f"{name} has a header and no rows", "at least one row", "download it again")
                return _Sheet(header, rows, problems)
    raise RegisterError(
        f"{name} has no columns of coordinates in its first lines (it starts with {shown(lines[0])})",
        "columns such as Latitude and Longitude (lat, lon) or a column wkt, separated by ; , tab or |",
        "name the columns so, or export the layer as GeoPackage",
    )


def _split(line: str, separator: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def _names_places(header: Sequence[str]) -> bool:
    has_pair = find_column(header, LATITUDE) and find_column(header, LONGITUDE)
    return bool(has_pair or (len(header) > 1 and find_column(header, WKT)))


def _rows(
    lines: list[str], separator: str, width: int, before: int
) -> tuple[list[tuple[int, list[str]]], list[RowProblem]]:
    """Records with the line each starts on; a stray quote costs its own line only, not the rest of the file."""
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(lines, delimiter=separator)
    rows: list[tuple[int, list[str]]] = []
    problems: list[RowProblem] = []
    while True:
        start = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return rows, problems
        except csv.Error as error:
            problems.append(RowProblem(before + start + 1, f"cannot be split into cells: {error}"))
            continue
        spanned = lines[start : reader.line_num]
        if len(spanned) > 1 and _is_swallowed(row, spanned, separator, width):
            split = [(start + i, _unquoted(line, separator)) for i, line in enumerate(spanned)]
        else:
            split = [(start, row)]
        rows.extend((before + at + 1, cells) for at, cells in split if any(cell.strip() for cell in cells))


def _is_swallowed(row: list[str], spanned: list[str], separator: str, width: int) -> bool:
    """Whether a record over several lines is a stray quote that ate rows, not a cell with line breaks."""
    whole = [len(_unquoted(line, separator)) == width for line in spanned]
    return whole[0] and whole[-1] if len(row) == width else any(whole)


def _unquoted(line: str, separator: str) -> list[str]:
    """Cells of one line that stands for itself; quotes that do not pair are signs like others."""
    even = line.count('"') % 2 == 0
    return _split(line, separator) if even else [cell.strip() for cell in line.rstrip("\r\n").split(separator)]


def _check_width(row: list[str], header: list[str]) -> None:
    if any(cell.strip() for cell in row[len(header) :]):
        raise ValueError(f"has {len(row)} cells, the header has {len(header)}")


def _place_reader(header: list[str]) -> Callable[[list[str]], BaseGeometry]:
    latitude, longitude = find_column(header, LATITUDE), find_column(header, LONGITUDE)
    if latitude and longitude:
        lat_at, lon_at = header.index(latitude), header.index(longitude)
        return lambda row: _point(_cell(row, lon_at), _cell(row, lat_at))
    outline_at = header.index(str(find_column(header, WKT)))
    return lambda row: _outline(_cell(row, outline_at))


def _cell(row: list[str], at: int) -> str:
    return row[at].strip() if at < len(row) else ""


def _point(lon_text: str, lat_text: str) -> BaseGeometry:
    for axis, text in (("latitude", lat_text), ("longitude", lon_text)):
        if is_missing(text):
            raise ValueError(f"{axis} is missing")
    lat, lon = parse_degrees(lat_text, "latitude"), parse_degrees(lon_text, "longitude")
    if lat == 0 and lon == 0:
        raise ValueError("lon 0, lat 0 stands for a missing place")
    return shapely.Point(lon, lat)


def _outline(text: str) -> BaseGeometry:
    if is_missing(text):
        raise ValueError("the outline is missing")
    try:
        return shapely.from_wkt(text.split(";", 1)[-1] if text.upper().startswith("SRID=4326;") else text)
    except ShapelyError as error:
        raise ValueError(f"the outline {shown(text)} is not WKT") from error
