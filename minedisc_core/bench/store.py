"""`minedisc bench store`: how long a page or a key press waits for the store."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.domain import Reason, Status
from minedisc_core.review import new_verdict
from minedisc_core.store import CandidateFilter, Store

PAGE = 50
_RUNS = 3
"""An absolute time counts as the best of three runs."""
_REPEATS = 100
_GIVEN_BEFORE = 2_000
"""Verdicts that are in the log before the measured ones."""


def bench_store(rows: int = 100_000) -> dict[str, Any]:
    """Times of the store with `rows` candidates in a file on disk."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "bench.duckdb") as store:
        sites = made_up_sites(rows)
        seconds = _seconds(lambda: store.take_in(made_up_summary(rows), Path(folder), sites, made_up_matches(rows)))
        ids = iter([site.site_id for site in sites])
        before = min(_GIVEN_BEFORE, rows // 10)
        store.record([new_verdict(next(ids), Status.CONFIRMED, "bench") for _ in range(before)])
        figures = [figure("take in a run", rows / seconds, "candidates/s"), *_reading(store), *_writing(store, ids)]
    return report("store", figures, rows=rows, verdicts_before=before, load_average=list(os.getloadavg()))


def _reading(store: Store) -> Iterator[Figure]:
    for order in ("score", "uncertainty", "place"):
        wanted = CandidateFilter(statuses=(Status.UNDECIDED,), order=order)
        yield from _timed(f"first {PAGE} undecided by {order}", lambda w=wanted: store.candidates(w, PAGE), "< 60")  # type: ignore[misc]  # bound default
    yield from _timed("counters", store.counters)


def _writing(store: Store, ids: Iterator[str]) -> Iterator[Figure]:
    turn = count()

    def decide() -> None:
        """A verdict as the screen gives it: checked, stored with its state and its sample, on disk."""
        if next(turn) % 2:
            store.record([new_verdict(next(ids), Status.REJECTED, "bench", reason=Reason.RIVER_BANK)])
        else:
            store.record([new_verdict(next(ids), Status.CONFIRMED, "bench", notes="pit and slurry")])

    def undo() -> None:
        store.undo("bench", f"undo-{next(turn)}")

    yield from _timed("verdict", decide, "< 30")
    yield from _timed("undo", undo)


def _timed(name: str, work: Callable[[], object], goal: str = "") -> Iterator[Figure]:
    """p95 (with the goal) and p50 of the run with the best p95 of three."""
    runs = [np.array([_seconds(work) for _ in range(_REPEATS)]) * 1000 for _ in range(_RUNS)]
    best = min(runs, key=lambda run: float(np.percentile(run, 95)))
    yield figure(f"{name}, p95", float(np.percentile(best, 95)), "ms", goal)
    yield figure(f"{name}, p50", float(np.percentile(best, 50)), "ms")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
