"""A filter as SQL over the narrow table `states`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minedisc_core.errors import StoreError
from minedisc_core.store.connection import Cursor
from minedisc_core.store.priority import priority_sql
from minedisc_core.store.records import CandidateFilter, FilterChoices
from minedisc_core.store.text import one_line

VISIBLE = "(NOT discarded OR status = 'confirmed')"
"""A "no ore" site is hidden until a person confirms it."""
_ORDERS = {
    "score": "score DESC, site_no",
    "uncertainty": "abs(margin), site_no",
    "oldest": "run_id, site_no",
    "place": "place_key, site_no",
    "priority": "{priority} DESC, site_no",
    "disagreement": "disagreement DESC NULLS LAST, site_no",
}


def where(wanted: CandidateFilter) -> tuple[str, list[Any]]:
    """The condition of a filter, and the values to bind in it."""
    terms: list[str] = []
    values: list[Any] = []
    for term, bound in _terms(wanted):
        terms.append(term)
        values.extend(bound)
    return (" AND ".join(terms) or "true"), values


def _terms(wanted: CandidateFilter) -> Iterator[tuple[str, list[Any]]]:
    for column, choices in (
        ("status", wanted.statuses),
        ("coalesce(impact_corrected, machine_impact)", wanted.impacts),
        ("register_status", wanted.register_statuses),
        ("reason", wanted.reasons),
        ("change", wanted.changes),
        ("analyst", wanted.analysts),
        ("run_id", () if wanted.run_id is None else (wanted.run_id,)),
    ):
        if choices:
            yield f"{column} IN ({', '.join('?' * len(choices))})", [one_line(choice) for choice in choices]
    if wanted.lands:
        contains = " OR ".join(
            ["list_contains(land_names, ?)"] * len(wanted.lands)
        )  # ten times as fast as list_has_any
        yield f"({contains})", [one_line(name) for name in wanted.lands]
    yield from _numbers(wanted)
    if wanted.seen is not None:
        yield "seen = ?", [wanted.seen]
    if wanted.only_discarded:
        yield "discarded", []
    elif not wanted.include_discarded:
        yield VISIBLE, []


def _numbers(wanted: CandidateFilter) -> Iterator[tuple[str, list[Any]]]:
    if wanted.score_min is not None:
        yield "score >= ?", [float(wanted.score_min)]
    if wanted.score_max is not None:
        yield "score <= ?", [float(wanted.score_max)]
    if wanted.box is not None:
        west, south, east, north = (float(edge) for edge in wanted.box)
        yield "peak_lon BETWEEN ? AND ? AND peak_lat BETWEEN ? AND ?", [west, east, south, north]


def select(wanted: CandidateFilter, column: str, limit: int | None, offset: int) -> tuple[str, list[Any]]:
    """The query for one column of the filter's candidates in its order.

    Raises:
        StoreError: an unknown order.
    """
    if wanted.order not in _ORDERS:
        raise StoreError(f"There is no order {wanted.order!r}", " or ".join(_ORDERS))
    condition, values = where(wanted)
    order = _ORDERS[wanted.order]
    if wanted.order == "priority":
        priority, weights = priority_sql(wanted.weights)
        order, values = order.format(priority=f"({priority})"), values + weights
    query = f"SELECT {column} FROM states WHERE {condition} ORDER BY {order}"  # noqa: S608  # fixed texts, values bound
    if limit is not None:
        query += f" LIMIT {max(0, int(limit))}"
    return f"{query} OFFSET {max(0, int(offset))}", values


def choices(cursor: Cursor, run_id: str | None) -> FilterChoices:
    """What a person can choose from in a filter, sorted."""
    lands = cursor.execute(
        "SELECT DISTINCT unnest(land_names) AS name FROM states WHERE ? IS NULL OR run_id = ? ORDER BY name",
        [run_id, run_id],
    ).fetchall()
    analysts = cursor.execute(
        "SELECT DISTINCT analyst FROM states WHERE status <> 'undecided' AND (? IS NULL OR run_id = ?)"
        " ORDER BY analyst", [run_id, run_id]
    ).fetchall()  # fmt: skip
    return FilterChoices(tuple(row[0] for row in lands), tuple(row[0] for row in analysts))
