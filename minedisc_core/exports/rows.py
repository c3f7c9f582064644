"""One row per candidate: the columns that every export format writes, in the same words.

Texts never accuse: they say what the registers hold, and what to check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import Candidate, LandMatch, RegisterMatch, RegisterStatus, Status, TitleMatch
from minedisc_core.store.text import one_line

CAUTION = (
    "Places pointed out by a model in satellite imagery and looked at by people. No entry found in a register is no"
    " proof: registers have gaps and wrong coordinates, a Guia de Utilização can allow extraction earlier than a title,"
    " and an environmental licence is separate. area_cells_ha is the area of 270 m cells, not of a mine; area_drawn_ha"
    " is that of the outline a person drew, which is the geometry where geometry_source says drawn."
)
"""The note that goes into every file."""

REGISTER_TEXTS = {
    RegisterStatus.NOTHING_FOUND: "no dam, mine or extraction title found (check Guia de Utilização)",
    RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT: (
        "title found, its phase by itself does not allow extraction (check Guia de Utilização)"
    ),
    RegisterStatus.REGISTERED: "dam, mine or extraction title found in the registers",
    RegisterStatus.NOT_CHECKED: "not checked, registers missing here",
}
"""What each register status says, for readers of a file."""

_PLACES = 7
"""Decimals of a degree: 1 cm."""


@dataclass(frozen=True)
class Column:
    """One column: its name, its type in typed formats, and where it comes from."""

    name: str
    kind: type
    """str, float, int or bool; all may be empty except `str`, which is then the empty text."""
    value: Callable[[Candidate], Any]


def _day(value: Any) -> str:
    return value.isoformat() if value else ""


def _moment(value: Any) -> str:
    return value.isoformat(timespec="seconds") + "Z" if value else ""


def _lon(candidate: Candidate) -> float:
    return round(candidate.site.lon if candidate.moved_lon is None else candidate.moved_lon, _PLACES)


def _lat(candidate: Candidate) -> float:
    return round(candidate.site.lat if candidate.moved_lat is None else candidate.moved_lat, _PLACES)


def _ha(area: float | None) -> float | None:
    return None if area is None else round(area, 2)


def geometry(candidate: Candidate) -> BaseGeometry:
    """What a file shows of the candidate, EPSG:4326: the outline drawn with its confirmation, else its cells."""
    return candidate.footprint if candidate.footprint and _is_drawn(candidate) else candidate.site.polygon


def _is_drawn(candidate: Candidate) -> bool:
    """An outline counts once the mine is confirmed: what is unsure or rejected is shown as the machine saw it."""
    return candidate.status is Status.CONFIRMED and candidate.footprint is not None


def _dam(candidate: Candidate, name: str) -> str:
    dam = candidate.match.nearest_dam
    return one_line(getattr(dam, name)) if dam else ""


def _dam_distance_m(candidate: Candidate) -> float | None:
    dam = candidate.match.nearest_dam
    return round(dam.distance_m, 1) if dam else None


def _river_distance_m(candidate: Candidate) -> float | None:
    river = candidate.match.nearest_river
    return round(river.distance_m, 1) if river else None


@lru_cache(maxsize=4096)
def _titles(titles: tuple[TitleMatch, ...]) -> str:
    return one_line(
        "; ".join(f"{t.process} ({t.phase}: {'may' if t.may_extract else 'may not'} extract)" for t in titles)
    )


@lru_cache(maxsize=4096)
def _lands(lands: tuple[LandMatch, ...]) -> str:
    return one_line("; ".join(f"{land.name} ({land.kind})" if land.kind else land.name for land in lands))


def _outside(match: RegisterMatch) -> float | None:
    share = match.outside_extracting_titles_fraction
    return None if share is None else round(share, 4)


COLUMNS: tuple[Column, ...] = (
    Column("candidate_id", str, lambda c: c.candidate_id),
    Column("lon", float, _lon),
    Column("lat", float, _lat),
    Column("status", str, lambda c: str(c.status)),
    Column("register_status", str, lambda c: str(c.match.status)),
    Column("register_text", str, lambda c: REGISTER_TEXTS[c.match.status]),
    Column("impact", str, lambda c: str(c.impact)),
    Column("score", float, lambda c: round(c.site.score, 6)),
    Column("mean_score", float, lambda c: round(c.site.mean_score, 6)),
    Column("cells", int, lambda c: c.site.cells),
    Column("area_cells_ha", float, lambda c: round(c.site.area_cells_ha, 2)),
    Column("area_drawn_ha", float, lambda c: _ha(c.area_drawn_ha)),
    Column("geometry_source", str, lambda c: "drawn" if _is_drawn(c) else "cells"),
    Column("reason", str, lambda c: str(c.reason or "")),
    Column("verdict_by", str, lambda c: one_line(c.verdict_by)),
    Column("verdict_at_utc", str, lambda c: _moment(c.verdict_at_utc)),
    Column("notes", str, lambda c: one_line(c.notes)),
    Column("earlier_verdicts", str, lambda c: one_line("; ".join(c.earlier))),
    Column("is_moved", bool, lambda c: c.moved_lon is not None),
    Column("nearest_dam", str, lambda c: _dam(c, "name")),
    Column("nearest_dam_owner", str, lambda c: _dam(c, "owner")),
    Column("nearest_dam_distance_m", float, _dam_distance_m),
    Column("nearest_river", str, lambda c: one_line(c.match.nearest_river.name) if c.match.nearest_river else ""),
    Column("nearest_river_distance_m", float, _river_distance_m),
    Column("titles", str, lambda c: _titles(c.match.titles)),
    Column("outside_extracting_titles_fraction", float, lambda c: _outside(c.match)),
    Column("lands", str, lambda c: _lands(c.match.lands)),
    Column("registers_missing", str, lambda c: one_line("; ".join(c.match.missing))),
    Column("registers_as_of", str, lambda c: one_line(c.match.registers_as_of)),
    Column("change", str, lambda c: str(c.change.kind) if c.change else ""),
    Column("change_earlier_ha", float, lambda c: _ha(c.change.earlier_ha) if c.change else None),
    Column("change_later_ha", float, lambda c: _ha(c.change.later_ha) if c.change else None),
    Column("change_other_start", str, lambda c: _day(c.change.start) if c.change else ""),
    Column("change_other_end", str, lambda c: _day(c.change.end) if c.change else ""),
    Column("change_other_run_id", str, lambda c: c.change.run_id if c.change else ""),
    Column("model", str, lambda c: one_line(c.model)),
    Column("threshold", float, lambda c: c.threshold),
    Column("imagery_start", str, lambda c: _day(c.imagery_start)),
    Column("imagery_end", str, lambda c: _day(c.imagery_end)),
    Column("run_id", str, lambda c: c.run_id),
    Column("discarded", bool, lambda c: c.site.discarded),
    Column("flagged_fill", bool, lambda c: c.site.flagged_fill),
    Column("note", str, lambda _: CAUTION),
)
"""Every column of an export, in order."""

NAMES = tuple(column.name for column in COLUMNS)
_VALUES = tuple(column.value for column in COLUMNS)


def row(candidate: Candidate) -> list[Any]:
    """The values of `COLUMNS` for one candidate; None is empty."""
    return [value(candidate) for value in _VALUES]


def registers_as_of(candidates: Sequence[Candidate]) -> str:
    """The register snapshots that the candidates were matched with."""
    found = dict.fromkeys(one_line(candidate.match.registers_as_of) for candidate in candidates)
    return " | ".join(text for text in found if text) or "none"
