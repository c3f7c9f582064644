"""Vector files that people hand in: GeoPackage, GeoJSON, KML, shapefiles, plain or inside a zip.

GDAL recognises files by content and knows formats that point at other files; so only files that start
like the four formats above ever reach it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj.exceptions import CRSError, ProjError

from minedisc_core.errors import RegisterError, UsageError
from minedisc_core.registers.tables import RawRows
from minedisc_core.registers.text import decode, each_once, is_personal, unmangle
from minedisc_core.settings import Settings
from minedisc_core.uploads import is_zip, safe_unzip

FORMATS = "GeoPackage, GeoJSON, KML or a shapefile (zipped, with its .shp, .shx, .dbf and .prj)"
_SUFFIXES = (".shp", ".gpkg", ".geojson", ".json", ".kml")
_URI_SIGNS = "!?#"
_SHAPEFILE_START = b"\x00\x00\x27\x0a"
_SQLITE_START = b"SQLite format 3\x00"
_HEAD_BYTES = 4096
_BYTEWISE = "ISO-8859-1"
"""Read so, a text is its own bytes: each cell is then decoded by itself."""
_ONE_BYTE_OR_UTF8 = re.compile(r"^(|ansi 1252|cp1252|1252|windows-?1252|utf-?8|65001|(iso-?)?8859-?1|latin-?1|88591)$")


@dataclass(frozen=True)
class VectorLayer:
    """One layer of a file that is open for reading."""

    path: Path
    layer: str
    fields: tuple[str, ...]
    shown: str
    """File and layer, for messages."""


@contextmanager
def open_layers(path: Path, settings: Settings) -> Iterator[list[VectorLayer]]:
    """All layers of a vector file, or of the vector files in a zip (unpacked while the context lasts).

    Raises:
        RegisterError: the file is missing, empty or of another format; a zip holds none of them or is unsafe.
    """
    with tempfile.TemporaryDirectory(prefix="minedisc-") as scratch:
        files = _vector_files(path, Path(scratch), settings)
        yield [layer for file in files for layer in _layers(file, _plainly_named(file, Path(scratch)), path.name)]


def _vector_files(path: Path, scratch: Path, settings: Settings) -> list[Path]:
    if not path.is_file():
        raise RegisterError(f"{path} is no file", FORMATS, "check the path")
    if not is_zip(path):
        return [path]
    try:
        unpacked = safe_unzip(path, scratch, settings)
    except UsageError as error:
        raise RegisterError(error.found, error.expected, error.remedy) from error
    files = [file for file in unpacked if file.suffix.lower() in _SUFFIXES and not file.name.startswith("._")]
    if not files:
        held = ", ".join(file.name for file in unpacked[:5]) or "nothing"
        raise RegisterError(f"{path.name} holds no layer (it holds {held})", FORMATS)
    return files


def _plainly_named(file: Path, scratch: Path) -> Path:
    """The file itself, or a link to it and its side files where pyogrio would read signs of the path as a URI."""
    if not any(sign in str(file) for sign in _URI_SIGNS):
        return file
    folder = Path(tempfile.mkdtemp(dir=scratch))
    for part in file.parent.iterdir():
        if part.stem == file.stem:
            (folder / f"layer{part.suffix}").symlink_to(part.resolve())
    return folder / f"layer{file.suffix}"


def _layers(named: Path, file: Path, source: str) -> list[VectorLayer]:
    """The layers of `file`, which people know as `named`."""
    shown = source if named.name == source else f"{source} ({named.name})"
    _check_start(file, shown)
    try:
        found = [str(name) for name, _ in pyogrio.list_layers(file)]
        fields = [tuple(map(str, pyogrio.read_info(file, layer=name)["fields"])) for name in found]
    except (DataSourceError, DataLayerError) as error:
        reason = str(error).replace(f"{file.parent}/", "")
        raise RegisterError(f"{shown} cannot be opened: {reason}", FORMATS, "export the layer again") from error
    titles = [shown if len(found) == 1 else f"{shown}, layer {name}" for name in found]
    return [VectorLayer(file, *rest) for rest in zip(found, fields, titles, strict=True)]


def _check_start(file: Path, shown: str) -> None:
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    is_known = (
        head.startswith(_SHAPEFILE_START)
        or head.startswith(_SQLITE_START)
        or (text.startswith(b"<") and b"<kml" in head)
        or (text.startswith(b"{") and b"gdal_streamed_alg" not in file.read_bytes())
    )
    if not text:
        raise RegisterError(f"{shown} is empty", FORMATS, "download it again")
    if not is_known:
        raise RegisterError(f"{shown} is none of the formats that are read", FORMATS, "export the layer again")


def read_vector_rows(layer: VectorLayer, columns: Iterable[str]) -> RawRows:
    """Rows of a layer in EPSG:4326 with the named columns as text; personal columns are never read.

    Raises:
        RegisterError: the layer cannot be read, or does not say which CRS it is in.
    """
    wanted = [column for column in dict.fromkeys(columns) if not is_personal(column)]
    encoding = _encoding(layer.path)
    frame = _read(layer, wanted, encoding)
    geometry = _in_lonlat(frame, layer.shown)
    cells = {column: _as_texts(frame[column], encoding) for column in wanted}
    texts = pd.DataFrame(cells, index=frame.index, columns=wanted, dtype=object)
    return RawRows(layer.shown, layer.fields, texts, geometry, list(range(1, len(frame) + 1)), [])


def _read(layer: VectorLayer, columns: Sequence[str], encoding: str | None) -> gpd.GeoDataFrame:
    try:
        named = pyogrio.read_info(layer.path, layer=layer.layer, encoding=encoding)["fields"]
        own = dict(zip(layer.fields, map(str, named), strict=True))  # read bytewise, names with accents look otherwise
        frame = pyogrio.read_dataframe(
            layer.path,
            layer=layer.layer,
            columns=[own[column] for column in columns],
            encoding=encoding,
            on_invalid="fix",
        ).rename(columns={own[column]: column for column in columns})
    except (DataSourceError, DataLayerError, ValueError, UnicodeError) as error:
        raise RegisterError(f"{layer.shown} cannot be read: {error}", FORMATS, "export the layer again") from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise RegisterError(f"{layer.shown} has no geometry", "a layer of points, lines or polygons")
    return frame.reset_index(drop=True)


def _encoding(path: Path) -> str | None:
    """Bytewise for shapefiles, unless their .cpg names an encoding that only GDAL can know."""
    if path.suffix.lower() != ".shp":
        return None
    stated = [file for file in path.parent.iterdir() if file.stem == path.stem and file.suffix.lower() == ".cpg"]
    name = stated[0].read_text("ascii", errors="replace").strip().lower() if stated else ""
    return _BYTEWISE if _ONE_BYTE_OR_UTF8.match(name) else None


def _as_texts(values: pd.Series, encoding: str | None) -> NDArray[np.object_]:
    """Every value as text, '' for missing."""
    cells = np.where(values.isna(), "", values.astype(object).to_numpy())
    texts = np.empty(len(cells), dtype=object)
    texts[:] = [cell if isinstance(cell, str) else str(cell) for cell in cells]
    if pd.api.types.is_float_dtype(values.dtype):
        return each_once(texts, lambda text: text.removesuffix(".0"))
    return each_once(texts, unmangle if encoding is None else _decode_cell)


def _decode_cell(text: str) -> str:
    return text if text.isascii() else unmangle(decode(text.encode(_BYTEWISE, errors="replace")))


def _in_lonlat(frame: gpd.GeoDataFrame, shown: str) -> NDArray[np.object_]:
    crs = frame.crs
    if crs is None or crs.name.lower().startswith(("undefined", "unknown")) or crs.is_engineering:
        raise RegisterError(
            f"{shown} does not say which coordinate system it is in",
            "a CRS (a shapefile's .prj, a GeoPackage's SRS)",
            "add the .prj file, or set the CRS in a GIS and export again; registers of Brazil are EPSG:4674",
        )
    try:
        moved = frame.geometry.to_crs("EPSG:4326")
    except (CRSError, ProjError, ValueError) as error:
        raise RegisterError(f"{shown} cannot be brought to longitude and latitude: {error}") from error
    array: NDArray[np.object_] = shapely.force_2d(np.asarray(moved.array, dtype=object))
    return array
