"""Dams (SIGBM, ANM) and any other register of points."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from minedisc_core.registers.coordinates import why_outside_brazil
from minedisc_core.registers.tables import UNNAMED, RawRows, RowProblem
from minedisc_core.registers.text import column_texts, find_column

NAME = (
    "nome", "nome da barragem", "nome barragem", "barragem", "nome da mina", "name", "mina", "mine", "mine name", "dam",
    "dam name", "titulo", "title",
)  # fmt: skip
_TEXTS = {
    "owner": ("empreendedor", "nome do empreendedor", "titular", "empresa", "owner", "company", "operator", "holder"),
    "municipality": ("municipio", "nome do municipio", "cidade", "municipality", "city"),
    "state": ("uf", "estado", "state", "sg uf", "uf sigla"),
    "ore": (
        "minerio principal presente no reservatorio", "minerio principal", "minerio", "substancia", "ore", "mineral",
        "commodity",
    ),
}  # fmt: skip
ALIASES = (NAME, *_TEXTS.values())


def point_columns(rows: RawRows) -> dict[str, list[object]]:
    """Name, owner, municipality, state and ore of each point; '' where the register says nothing."""
    columns = list(rows.texts.columns)
    names = column_texts(rows.texts, find_column(columns, NAME))
    filled: dict[str, list[object]] = {"name": [name or UNNAMED for name in names]}
    for name, aliases in _TEXTS.items():
        filled[name] = list(column_texts(rows.texts, find_column(columns, aliases)))
    return filled


def outside_brazil(geometry: NDArray[np.object_], lines: list[int], keep: NDArray[np.bool_]) -> list[RowProblem]:
    """A problem for each kept point outside Brazil's box: SIGBM lists dams of Brazil only."""
    problems = []
    for i in np.flatnonzero(keep):
        place = shapely.centroid(geometry[i])
        reason = why_outside_brazil(place.x, place.y)
        if reason is not None:
            problems.append(RowProblem(lines[i], reason))
            keep[i] = False
    return problems
