"""Protected lands: Indigenous lands (FUNAI), conservation units (CNUC) and any other polygons with names."""

from __future__ import annotations

from minedisc_core.registers.tables import UNNAMED, RawRows
from minedisc_core.registers.text import column_texts, find_column

_NAME = (
    "terrai nome", "terrai nom", "nome uc", "nome uc1", "nome da uc", "nm uc", "nome", "name", "name field", "nm",
    "title",
)  # fmt: skip
_PHASE = ("fase ti", "fase", "status field", "status", "situacao")
_GROUP = ("grupo", "grupo4", "group", "gr uc", "grupo uc")
_CATEGORY = ("categoria", "categori3", "categori", "category", "cat uc", "ds categoria")
_TYPE = ("type field", "tipo", "type", "modalidade", "desig")
_INDIGENOUS = (
    "terrai nome", "terrai nom", "terrai codigo", "terrai cod", "etnia nome", "etnia nom", "fase ti",
    "ethnicities field",
)  # fmt: skip
_CONSERVATION = ("cd cnuc", "nome uc", "nome uc1", "codigo uc", "codigo cnuc", "nome da uc")
_KIND = ("kind",)
UNMISTAKABLE = (*_INDIGENOUS, *_CONSERVATION)
"""Columns that only a register of protected lands has."""
ALIASES = (_NAME, _PHASE, _GROUP, _CATEGORY, _TYPE, _INDIGENOUS, _CONSERVATION, _KIND)


def land_columns(rows: RawRows) -> dict[str, list[object]]:
    """Name and kind of each land.

    Kinds read `Indigenous land (Regularizada)`, `Conservation unit: Uso Sustentável, Floresta` (rules
    differ between groups and categories), else `Protected land: ...` or the file's own column `kind`.
    """
    columns = list(rows.texts.columns)
    names = column_texts(rows.texts, find_column(columns, _NAME))
    given = column_texts(rows.texts, find_column(columns, _KIND))
    made = [kind or own for kind, own in zip(given, _kinds(rows, columns), strict=True)]
    return {"name": [name or UNNAMED for name in names], "kind": list(made)}


def _kinds(rows: RawRows, columns: list[str]) -> list[str]:
    phases = column_texts(rows.texts, find_column(columns, _PHASE))
    types = column_texts(rows.texts, find_column(columns, _TYPE))
    groups = column_texts(rows.texts, find_column(columns, _GROUP))
    categories = column_texts(rows.texts, find_column(columns, _CATEGORY))
    if find_column(columns, _INDIGENOUS):
        return [_phrase("Indigenous land", (kind,), phase) for kind, phase in zip(types, phases, strict=True)]
    if find_column(columns, _CONSERVATION) or find_column(columns, _GROUP):
        return [_phrase("Conservation unit", pair, "") for pair in zip(groups, categories, strict=True)]
    return [_phrase("Protected land", (kind,), phase) for kind, phase in zip(types, phases, strict=True)]


def _phrase(what: str, details: tuple[str, ...], phase: str) -> str:
    said = ", ".join(detail for detail in details if detail)
    return what + (f": {said}" if said else "") + (f" ({phase})" if phase else "")
