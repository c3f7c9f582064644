"""GeoPackage and GeoParquet, EPSG:4326."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from minedisc_core.domain import Candidate
from minedisc_core.exports.rows import CAUTION, COLUMNS, NAMES, geometry, registers_as_of, row

LAYER = "candidates"
_TYPES: dict[type, str] = {str: "str", float: "float64", int: "int64", bool: "bool"}


def frame(candidates: Sequence[Candidate]) -> gpd.GeoDataFrame:
    """The export's columns with what `rows.geometry` shows, all as MultiPolygon (one type for every reader)."""
    rows = [row(candidate) for candidate in candidates]
    columns: dict[str, Any] = {
        column.name: pd.Series([values[place] for values in rows], dtype=_TYPES[column.kind])
        for place, column in enumerate(COLUMNS)
    }
    return gpd.GeoDataFrame(columns, geometry=_multipolygons(candidates), crs="EPSG:4326", columns=[*NAMES, "geometry"])


def _multipolygons(candidates: Sequence[Candidate]) -> list[Any]:
    given = np.fromiter((geometry(candidate) for candidate in candidates), object, len(candidates))
    return [shapely.multipolygons(list(getattr(shape, "geoms", [shape]))) for shape in shapely.force_2d(given)]


def write_geopackage(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write a GeoPackage with one layer, `candidates`; no candidate gives an empty layer."""
    facts = {"DESCRIPTION": CAUTION, "REGISTERS_AS_OF": registers_as_of(candidates)}
    pyogrio.write_dataframe(
        frame(candidates), path, driver="GPKG", layer=LAYER, geometry_type="MultiPolygon", layer_metadata=facts
    )


def write_parquet(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write GeoParquet 1.1 (WKB, EPSG:4326)."""
    frame(candidates).to_parquet(path, compression="zstd", index=False)
