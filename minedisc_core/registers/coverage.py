"""Where a register is complete: only there does "nothing found" mean anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import RegisterKind
from minedisc_core.errors import UsageError
from minedisc_core.registers.areas import read_aoi
from minedisc_core.registers.states import STATES, lie_in, state_code, state_codes
from minedisc_core.registers.tables import RegisterTable
from minedisc_core.registers.text import fold
from minedisc_core.settings import Settings

BRAZIL = "BR"
POLYGON = "polygon"
EVERYWHERE = "everywhere"
NOT_STATED = "not stated"
"""Coverage of a register that does not say where it is complete: matches count, their absence does not."""
_FEW_TITLES = 200
_FEW_FRACTION = 0.01


@dataclass(frozen=True)
class StatedCoverage:
    """Where one snapshot is complete."""

    text: str
    """States (`MG`, `MT,PA`), `BR`, `polygon`, `everywhere` or `not stated`."""
    polygon: BaseGeometry | None = None
    """EPSG:4326; only for `polygon`."""


def state_coverage(
    table: RegisterTable, stated: str | None, polygon: BaseGeometry | None, settings: Settings
) -> StatedCoverage:
    """The coverage of a load: what the user states, else the states its rows name.

    Args:
        table: the rows; only dams and titles with a column UF speak for whole states.
        stated: `BR`, `everywhere`, states (`MG`, `PA,MT`), or the path of a polygon file.
        polygon: EPSG:4326; wins over `stated`.
        settings: limits for reading a polygon file.

    Raises:
        UsageError: `stated` is neither, or its file cannot be read.
    """
    if polygon is not None:
        return StatedCoverage(POLYGON, polygon)
    if stated and stated.strip():
        return _stated(stated.strip(), settings)
    codes = _states_of_rows(table)
    return StatedCoverage(",".join(codes) if codes else NOT_STATED)


def _stated(text: str, settings: Settings) -> StatedCoverage:
    if fold(text) in ("br", "brazil", "brasil"):
        return StatedCoverage(BRAZIL)
    if fold(text) in (EVERYWHERE, NOT_STATED):
        return StatedCoverage(fold(text))
    codes = [state_code(part) for part in text.replace(";", ",").split(",") if part.strip()]
    known = sorted({code for code in codes if code is not None})
    if known and None not in codes:
        return StatedCoverage(",".join(known))
    if Path(text).is_file():
        return StatedCoverage(POLYGON, read_aoi(Path(text), settings))
    raise UsageError(
        f"the coverage {text!r} is not known",
        f"BR, everywhere, states such as MG or PA,MT (of {', '.join(STATES)}), or a polygon file",
        "correct it",
    )


def _states_of_rows(table: RegisterTable) -> list[str]:
    """States that the rows speak for. A stray neighbour in a state's titles does not make that state covered."""
    if table.kind not in (RegisterKind.SIGBM, RegisterKind.SIGMINE) or not table.declares_state:
        return []
    counts = Counter(code for text in table.frame["state"] for code in state_codes(text))
    if table.kind is RegisterKind.SIGBM:
        return sorted(counts)
    enough = min(_FEW_TITLES, _FEW_FRACTION * len(table.frame))
    return sorted(code for code, count in counts.items() if count >= enough)


def covered(
    places: Sequence[BaseGeometry] | NDArray[np.object_], stated: Sequence[StatedCoverage]
) -> NDArray[np.bool_]:
    """Which places (EPSG:4326) lie wholly where at least one of the coverages is complete.

    A place near a state's border needs all states it may lie in; a place near the frontier of Brazil is
    covered by a polygon only (`states.possible_states`).
    """
    array = np.asarray(places, dtype=object)
    if any(coverage.text == EVERYWHERE for coverage in stated):
        return np.ones(len(array), bool)
    inside = np.zeros(len(array), bool)
    polygons = [coverage.polygon for coverage in stated if coverage.polygon is not None]
    if polygons:
        area = shapely.union_all(polygons)
        shapely.prepare(area)
        inside = shapely.covers(area, array)
        array = np.where(inside, array, shapely.difference(array, area))
    codes = {code for coverage in stated for code in _codes(coverage.text)}
    if codes:
        rest = np.flatnonzero(~inside)
        inside[rest] = lie_in(array[rest], codes)
    return inside


def _codes(text: str) -> list[str]:
    if text == BRAZIL:
        return list(STATES)
    return [code for code in text.split(",") if code in STATES]
