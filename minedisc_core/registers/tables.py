"""What every register reader gives: a table with fixed columns, and the rows that had something wrong."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from minedisc_core.domain import RegisterKind

COLUMNS: dict[RegisterKind, tuple[str, ...]] = {
    RegisterKind.SIGBM: ("name", "owner", "municipality", "state", "ore"),
    RegisterKind.POINTS: ("name", "owner", "municipality", "state", "ore"),
    RegisterKind.SIGMINE: ("process", "phase", "may_extract", "holder", "substance", "use", "state"),
    RegisterKind.LANDS: ("name", "kind"),
    RegisterKind.POLYGONS: ("name",),
    RegisterKind.RIVERS: ("name",),
}
"""Normalised columns of each kind, before `geometry`. Text is never missing: an empty text is."""

UNNAMED = "unnamed"
"""Name of a dam, mine or land whose register gives none."""


@dataclass(frozen=True)
class RowProblem:
    """A row that was left out, or one that is in but worth a look."""

    line: int
    """Line of the CSV file (the header is line 1); number of the record, from 1, in other files."""
    reason: str
    left_out: bool = True
    """False: the row is in the table, with a note (a mended outline, an unknown phase)."""


@dataclass(frozen=True)
class RegisterTable:
    """The usable rows of one register file."""

    kind: RegisterKind
    frame: gpd.GeoDataFrame
    """EPSG:4326, lon and lat; columns as in `COLUMNS`, `geometry` last, index 0.. ."""
    problems: tuple[RowProblem, ...]
    """By line; see `RowProblem.left_out`."""
    declares_state: bool = False
    """The file has a column of states (UF): its coverage can be read from the rows."""

    @property
    def left_out(self) -> int:
        """Number of lines that are not in the table."""
        return len({problem.line for problem in self.problems if problem.left_out})


@dataclass(frozen=True)
class RawRows:
    """Rows as a file gave them, before a kind's own rules."""

    source: str
    """Name of the file, for messages."""
    fields: tuple[str, ...]
    """All columns of the file, read or not."""
    texts: pd.DataFrame
    """The file's own columns as text, '' for missing, without personal columns."""
    geometry: NDArray[np.object_]
    """shapely geometries in EPSG:4326, one per row; None where a record has none."""
    lines: list[int]
    """Line or record number of each row, as in `RowProblem.line`."""
    problems: list[RowProblem]
