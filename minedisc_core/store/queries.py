"""Reading: filters become SQL, rows become candidates.

Ids come from the narrow table `states`, the wide rows are fetched for those ids only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from minedisc_core.domain import Candidate, Change, Impact, PlaceChange, Reason, SecondScore, Site, Status
from minedisc_core.errors import StoreError
from minedisc_core.store.comparison import CHANGE_COLUMNS
from minedisc_core.store.connection import Cursor, first_row, maybe_row
from minedisc_core.store.filters import VISIBLE, select
from minedisc_core.store.order import QueueOrder
from minedisc_core.store.records import CandidateFilter, Counters, RunRow
from minedisc_core.store.rows import (
    MATCH_COLUMNS,
    SITE_COLUMNS,
    match_from,
    number_list,
    sites_from,
    summary_from,
)
from minedisc_core.store.same_place import earlier_sentence
from minedisc_core.store.second_scores import SECOND_COLUMNS
from minedisc_core.store.text import one_line
from minedisc_core.store.verdicts import unknown_candidate

_STATE_COLUMNS = ("run_id", "status", "reason", "notes", "analyst", "decided_utc", "impact_corrected", "moved_lon",
                  "moved_lat", "footprint", "area_drawn_ha", "seen", *CHANGE_COLUMNS, *SECOND_COLUMNS)  # fmt: skip
_RUN_COLUMNS = ("model", "imagery_start", "imagery_end", "threshold")
_COMPARED_COLUMNS = ("imagery_start", "imagery_end")
_SECOND_RUN_COLUMNS = ("model", "threshold")
_LITERAL_NUMBERS = 2_000
"""Up to here row numbers go into the SQL text, where DuckDB uses its index; above, as a table."""


def candidate_ids(cursor: Cursor, wanted: CandidateFilter, limit: int | None, offset: int) -> list[str]:
    """Ids in the filter's order."""
    query, values = select(wanted, "candidate_id", limit, offset)
    return [row[0] for row in cursor.execute(query, values).fetchall()]


def queue(cursor: Cursor, wanted: CandidateFilter) -> QueueOrder:
    """Numbers of all candidates of the filter, in its order."""
    query, values = select(wanted, "site_no", None, 0)
    return QueueOrder(np.asarray(cursor.execute(query, values).fetchnumpy()["site_no"], np.int64))


def number_of(cursor: Cursor, candidate_id: str) -> int | None:
    """The number of a candidate; None if there is none of this id."""
    row = maybe_row(cursor.execute("SELECT site_no FROM states WHERE candidate_id = ?", [one_line(candidate_id)]))
    return int(row[0]) if row else None


def candidates_by_number(cursor: Cursor, numbers: Sequence[int]) -> list[Candidate]:
    """Candidates in the order of `numbers`.

    Raises:
        EventRefused: one of them is gone.
    """
    return _fetch(cursor, list(numbers))


def candidates(cursor: Cursor, wanted: CandidateFilter, limit: int | None, offset: int) -> list[Candidate]:
    """Candidates in the filter's order."""
    query, values = select(wanted, "site_no", limit, offset)
    return _fetch(cursor, [row[0] for row in cursor.execute(query, values).fetchall()])


def candidates_by_id(cursor: Cursor, ids: Sequence[str]) -> list[Candidate]:
    """Candidates in the order of `ids`.

    Raises:
        StoreError: an id that no candidate has.
    """
    rows = cursor.execute(
        "SELECT candidate_id, site_no FROM states WHERE candidate_id IN (SELECT unnest(?))", [list(ids)]
    ).fetchall()
    numbers = dict(rows)
    for candidate_id in ids:
        if candidate_id not in numbers:
            raise unknown_candidate(candidate_id)
    return _fetch(cursor, [numbers[candidate_id] for candidate_id in ids])


def _fetch(cursor: Cursor, numbers: list[int]) -> list[Candidate]:
    if not numbers:
        return []
    columns = [f"s.{name}" for name in SITE_COLUMNS] + [f"m.{name}" for name in MATCH_COLUMNS]
    columns += [f"t.{name}" for name in _STATE_COLUMNS] + [f"r.{name}" for name in _RUN_COLUMNS]
    columns += [f"o.{name}" for name in _COMPARED_COLUMNS] + [f"b.{name}" for name in _SECOND_RUN_COLUMNS]
    rows = _for_numbers(
        cursor,
        f"SELECT s.site_no, {', '.join(columns)} FROM sites s JOIN matches m USING (site_no)"  # noqa: S608  # our own names
        " JOIN states t USING (site_no) JOIN runs r ON r.run_id = t.run_id"
        " LEFT JOIN runs o ON o.run_id = t.change_run LEFT JOIN runs b ON b.run_id = t.second_run WHERE s.site_no IN ",
        numbers,
    )
    by_number = {row[0]: row[1:] for row in rows}
    gone = [number for number in numbers if number not in by_number]
    if gone:
        raise unknown_candidate(f"number {gone[0]}")
    ordered = [by_number[number] for number in numbers]
    earlier = _earlier(cursor, numbers)
    sites = sites_from([row[: len(SITE_COLUMNS)] for row in ordered])
    return [
        _candidate(site, row[len(SITE_COLUMNS) :], earlier.get(number, ()))
        for site, row, number in zip(sites, ordered, numbers, strict=True)
    ]


def _for_numbers(cursor: Cursor, query: str, numbers: list[int], tail: str = "") -> list[tuple[Any, ...]]:
    if len(numbers) <= _LITERAL_NUMBERS:
        return list(cursor.execute(f"{query} ({number_list(numbers)}) {tail}").fetchall())
    cursor.register("asked", pa.table({"number": pa.array(numbers, pa.int64())}))
    try:
        return list(cursor.execute(f"{query} (SELECT number FROM asked) {tail}").fetchall())  # noqa: S608  # our own texts
    finally:
        cursor.unregister("asked")


def _candidate(site: Site, row: tuple[Any, ...], earlier: tuple[str, ...]) -> Candidate:
    match = match_from(row[: len(MATCH_COLUMNS)])
    state = row[len(MATCH_COLUMNS) :]
    run_id, status, reason, notes, analyst, decided, impact, moved_lon, moved_lat = state[:9]
    footprint, area_drawn_ha, seen = state[9:12]
    changes, second = state[12 : 12 + len(CHANGE_COLUMNS)], state[12 + len(CHANGE_COLUMNS) : len(_STATE_COLUMNS)]
    model, start, end, threshold, *others = state[len(_STATE_COLUMNS) :]
    return Candidate(
        site.site_id, run_id, site, match, Status(status), Reason(reason) if reason else None, notes, analyst, decided,
        Impact(impact) if impact else None, moved_lon, moved_lat, earlier, model, start, end, threshold,
        shapely.from_wkb(footprint) if footprint else None, area_drawn_ha, seen,
        _place_change(*changes, *others[: len(_COMPARED_COLUMNS)]),
        _second_score(*second, *others[len(_COMPARED_COLUMNS) :]),
    )  # fmt: skip


def _place_change(
    change: str | None,
    run_id: str,
    earlier_ha: float | None,
    later_ha: float | None,
    start: date | None,
    end: date | None,
) -> PlaceChange | None:
    return None if change is None else PlaceChange(Change(change), run_id, start, end, earlier_ha, later_ha)


def _second_score(
    score: float | None, run_id: str | None, disagreement: float | None, model: str | None, threshold: float | None
) -> SecondScore | None:
    if score is None or run_id is None or model is None or threshold is None:
        return None
    return SecondScore(score, run_id, model, threshold, disagreement or 0.0)


def _earlier(cursor: Cursor, numbers: list[int]) -> dict[int, tuple[str, ...]]:
    """Sentences on earlier verdicts by site number, newest first; one verdict carried along appears once."""
    linked = _for_numbers(cursor, "SELECT DISTINCT site_no FROM same_places WHERE site_no IN ", numbers)
    if not linked:
        return {}
    rows = _for_numbers(
        cursor,
        "SELECT p.site_no, t.status, t.reason, t.analyst, t.decided_utc, r.imagery_start, r.imagery_end, t.notes"
        " FROM same_places p JOIN states t ON t.site_no = p.earlier_site_no JOIN runs r ON r.run_id = t.run_id"
        " WHERE t.status <> 'undecided' AND p.site_no IN ",
        [row[0] for row in linked],
        "ORDER BY t.decided_utc DESC, t.site_no DESC",
    )
    found: dict[int, dict[str, None]] = {}
    for number, status, reason, analyst, decided, start, end, notes in rows:
        because = Reason(reason) if reason else None
        sentence = earlier_sentence(Status(status), because, analyst, decided, (start, end), notes)
        found.setdefault(number, {})[sentence] = None
    return {number: tuple(sentences) for number, sentences in found.items()}


def all_sites(cursor: Cursor, run_id: str | None) -> list[Site]:
    """Sites of one run or of all, discarded ones too, in the order they came in."""
    query = f"SELECT {', '.join(SITE_COLUMNS)} FROM sites WHERE ? IS NULL OR run_id = ? ORDER BY site_no"  # noqa: S608  # our own names
    return sites_from(cursor.execute(query, [run_id, run_id]).fetchall())


def runs(cursor: Cursor, run_id: str | None = None) -> list[RunRow]:
    """Runs that were taken in, newest first.

    Raises:
        StoreError: the run that was asked for is not there.
    """
    counted = [f"{VISIBLE}", f"NOT {VISIBLE}", *(f"{VISIBLE} AND status = '{status}'" for status in Status)]
    counts = ", ".join(f"count(*) FILTER (WHERE {what}) AS n{k}" for k, what in enumerate(counted))  # our own words
    told = ", ".join(f"coalesce(n{k}, 0)" for k in range(len(counted)))
    rows = (
        cursor.execute(  # counted before the join: grouped by a run's summary, 100,000 sites took a tenth of a second
            f"SELECT r.summary, r.run_dir, r.taken_in_utc, {told}, r.mosaic_identity FROM runs r LEFT JOIN"  # noqa: S608  # fixed texts
            f" (SELECT run_id, {counts} FROM states GROUP BY run_id) USING (run_id) WHERE ? IS NULL OR r.run_id = ?"
            " ORDER BY r.finished_utc DESC, r.run_id DESC",
            [run_id, run_id],
        ).fetchall()
    )
    if run_id is not None and not rows:
        raise StoreError(f"Run {run_id!r} was not taken in", "the id of a run", "take it in: `minedisc take-in`")
    return [RunRow(summary_from(row[0]), Path(row[1]), *row[2:]) for row in rows]


def counters(cursor: Cursor, run_id: str | None, analyst: str | None) -> Counters:
    """How far the review is; see `Counters`."""
    query = (
        "SELECT count(*), count(*) FILTER (status = 'undecided'),"  # noqa: S608  # fixed text, values bound
        " count(*) FILTER (status = 'confirmed' AND mine), count(*) FILTER (status = 'rejected' AND mine),"
        " count(*) FILTER (status = 'unsure' AND mine) FROM (SELECT status, ? IS NULL OR analyst = ? AS mine"
        f" FROM states WHERE {VISIBLE} AND (? IS NULL OR run_id = ?))"
    )
    row = first_row(cursor.execute(query, [analyst, analyst, run_id, run_id]))
    total, left, confirmed, rejected, unsure = row
    recent = _per_hour(cursor, run_id, analyst)
    return Counters(total, confirmed + rejected + unsure, left, confirmed, rejected, unsure, recent)


def _per_hour(cursor: Cursor, run_id: str | None, analyst: str | None) -> int:
    since = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)
    row = first_row(cursor.execute(
        "SELECT count(*) FROM verdict_events e WHERE given_utc > ? AND undoes IS NULL AND carried_from IS NULL"
        " AND (? IS NULL OR analyst = ?) AND NOT EXISTS (SELECT 1 FROM verdict_events u WHERE u.undoes = e.event_id)"
        " AND (? IS NULL OR candidate_id IN (SELECT candidate_id FROM states WHERE run_id = ?))",
        [since, analyst, analyst, run_id, run_id],
    ))  # fmt: skip
    return int(row[0])


def by_change(cursor: Cursor, run_id: str | None) -> dict[Change, int]:
    """Candidates that are not hidden by their change; those without a comparison are not counted."""
    rows = cursor.execute(
        f"SELECT change, count(*) FROM states WHERE {VISIBLE} AND change IS NOT NULL AND (? IS NULL OR run_id = ?)"  # noqa: S608  # fixed text
        " GROUP BY change", [run_id, run_id]
    ).fetchall()  # fmt: skip
    counts = dict(rows)
    return {change: counts[change] for change in Change if change in counts}


def confirmed_repeats(cursor: Cursor) -> frozenset[str]:
    """Confirmed candidates whose place a confirmed candidate of a newer run stands for.

    Going from the newest run back, one is a repeat if it is linked to one that is none itself. So what is left
    out always overlaps something that stays, also where places hang together like a chain.
    """
    links = cursor.execute(
        "SELECT a.candidate_id, ra.finished_utc, ra.run_id, b.candidate_id, rb.finished_utc, rb.run_id"
        " FROM same_places p JOIN states a ON a.site_no = p.site_no JOIN states b ON b.site_no = p.earlier_site_no"
        " JOIN runs ra ON ra.run_id = a.run_id JOIN runs rb ON rb.run_id = b.run_id"
        " WHERE a.status = 'confirmed' AND b.status = 'confirmed'"
    ).fetchall()
    pairs = [sorted(((row[1:3], row[0]), (row[4:6], row[3])), reverse=True) for row in links]
    repeats: set[str] = set()
    for (_, newer), (_, older) in sorted(pairs, reverse=True):
        if newer not in repeats:
            repeats.add(older)
    return frozenset(repeats)
