"""Rivers: lines or polygons of water, from ANA, IBGE, HydroRIVERS, OpenStreetMap or anywhere else."""

from __future__ import annotations

from minedisc_core.registers.tables import RawRows
from minedisc_core.registers.text import column_texts, find_column, fold

NAME = (
    "noriocomp", "nooriginal", "norio", "nome rio", "nome do rio", "nm rio", "rio", "nome completo", "nome",
    "river name", "rivername", "river", "name pt", "name", "nm", "titulo", "title",
)  # fmt: skip
"""Columns with a river's name, in the order in which they are looked for: ANA's base of stretches
(`noriocomp`, `nooriginal`), IBGE (`nome`), OpenStreetMap (`name`)."""
_NUMBER = ("cocursodag", "cotrecho", "hyriv id")
"""Where no name is: ANA's code of the watercourse or stretch, HydroRIVERS' number."""
ALIASES = (NAME, _NUMBER)
_NAMELESS = ("sem nome", "s nome", "s n", "unnamed", "unknown")


def river_columns(rows: RawRows) -> dict[str, list[object]]:
    """Name of each river: the register's, else its code as the column has it (`HYRIV_ID 60200`), else ''."""
    columns = list(rows.texts.columns)
    column = find_column(columns, _NUMBER)
    names = column_texts(rows.texts, find_column(columns, NAME))
    codes = column_texts(rows.texts, column)
    return {"name": [_name(name, f"{column} {code}" if code else "") for name, code in zip(names, codes, strict=True)]}


def _name(name: str, code: str) -> str:
    return code if not name or fold(name) in _NAMELESS else name
