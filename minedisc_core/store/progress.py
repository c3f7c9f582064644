"""How far the review is, who decided what, and whether verdicts follow the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.store.connection import Cursor, first_row
from minedisc_core.store.filters import where
from minedisc_core.store.records import AnalystProgress, CandidateFilter, Progress, ScoreBin

BINS = 20
"""Bins of the histogram over scores 0..1; the empty ones at both ends are left out."""


def progress(cursor: Cursor, wanted: CandidateFilter) -> Progress:
    """Progress over a filter without what depends on verdicts and looks; see `Store.progress`."""
    terms, values = where(replace(wanted, statuses=(), reasons=(), analysts=(), seen=None))
    totals = first_row(cursor.execute(
        "SELECT count(*), count(*) FILTER (status <> 'undecided'), count(*) FILTER (seen) FROM states"  # noqa: S608  # fixed texts, values bound
        f" WHERE {terms}", values
    ))  # fmt: skip
    hourly = _hourly(cursor, terms, values)
    agreeing, models = _agreement(cursor, terms, values)
    return Progress(
        total=totals[0],
        decided=totals[1],
        left=totals[0] - totals[1],
        seen=totals[2],
        per_hour=sum(hourly.values()),
        by_analyst=_by_analyst(cursor, terms, values, hourly),
        agreement=agreeing,
        histogram=_histogram(cursor, terms, values),
        models=models,
    )


def _hourly(cursor: Cursor, terms: str, values: list[Any]) -> dict[str, int]:
    """Verdicts of the last 60 minutes that were not undone, by analyst."""
    since = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)
    rows = cursor.execute(
        "SELECT analyst, count(*) FROM verdict_events e WHERE given_utc > ? AND undoes IS NULL AND carried_from IS NULL"  # noqa: S608  # fixed texts
        " AND NOT EXISTS (SELECT 1 FROM verdict_events u WHERE u.undoes = e.event_id)"
        f" AND candidate_id IN (SELECT candidate_id FROM states WHERE {terms}) GROUP BY analyst",
        [since, *values],
    ).fetchall()
    return dict(rows)


def _by_analyst(cursor: Cursor, terms: str, values: list[Any], hourly: dict[str, int]) -> tuple[AnalystProgress, ...]:
    rows = cursor.execute(
        "SELECT analyst, count(*) FILTER (status = 'confirmed'), count(*) FILTER (status = 'rejected'),"  # noqa: S608  # fixed texts
        f" count(*) FILTER (status = 'unsure') FROM states WHERE status <> 'undecided' AND {terms} GROUP BY analyst",
        values,
    ).fetchall()
    counts = {name: (confirmed, rejected, unsure) for name, confirmed, rejected, unsure in rows}
    names = sorted({*counts, *hourly})
    return tuple(AnalystProgress(name, *counts.get(name, (0, 0, 0)), hourly.get(name, 0)) for name in names)


def _agreement(cursor: Cursor, terms: str, values: list[Any]) -> tuple[float | None, tuple[str, ...]]:
    """Agreement over the pairs of each model alone (scores of two models cannot be compared), and the models."""
    found = cursor.execute(
        "SELECT score, status = 'confirmed' AS yes, (SELECT model || ' ' || coalesce(model_identity, '') FROM runs r"  # noqa: S608  # fixed texts
        f" WHERE r.run_id = states.run_id) AS model FROM states WHERE status IN ('confirmed', 'rejected') AND {terms}",
        values,
    ).fetchnumpy()
    scores, yes = np.asarray(found["score"], float), np.asarray(found["yes"], bool)
    models = np.asarray(found["model"], str)
    names = tuple(sorted({str(name) for name in models}))
    parts = [(scores[(models == name) & yes], scores[(models == name) & ~yes]) for name in names]
    return agreement_of(parts), tuple(name.rpartition(" ")[0] for name in names)


def agreement_of(parts: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float | None:
    """Agreement over the pairs within each part (scores of the confirmed, and of the rejected); None without a pair."""
    pairs = [(agreement(yes, no), len(yes) * len(no)) for yes, no in parts]
    total = sum(count for _, count in pairs)
    return sum((value or 0.0) * count for value, count in pairs) / total if total else None


def agreement(confirmed: NDArray[np.float64], rejected: NDArray[np.float64]) -> float | None:
    """Share of pairs (confirmed, rejected) in which the confirmed one scores higher; a tie counts half.

    Args:
        confirmed: scores of the confirmed.
        rejected: scores of the rejected.

    Returns:
        0..1 (0.5: verdicts do not follow the score at all); None without both.
    """
    if not len(confirmed) or not len(rejected):
        return None
    order = np.sort(rejected)
    below, upto = np.searchsorted(order, confirmed, "left"), np.searchsorted(order, confirmed, "right")
    return float((below + upto).sum() / 2 / len(confirmed) / len(rejected))


def _histogram(cursor: Cursor, terms: str, values: list[Any]) -> tuple[ScoreBin, ...]:
    rows = cursor.execute(
        f"SELECT greatest(0, least({BINS - 1}, floor(score * {BINS})))::INTEGER AS bin, status, count(*) FROM states"  # noqa: S608  # fixed texts
        f" WHERE {terms} GROUP BY ALL",
        values,
    ).fetchall()
    if not rows:
        return ()
    counts = {(number, status): count for number, status, count in rows}
    numbers = range(min(row[0] for row in rows), max(row[0] for row in rows) + 1)
    words = ("confirmed", "rejected", "unsure", "undecided")
    return tuple(
        ScoreBin(number / BINS, (number + 1) / BINS, *(counts.get((number, word), 0) for word in words))
        for number in numbers
    )
