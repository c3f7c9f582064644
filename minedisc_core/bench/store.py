"""`minedisc bench store`: how long a page or a key press waits for the store."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, cycle
from pathlib import Path
from typing import Any, get_args

import numpy as np

from minedisc_core.bench.made_up import LAND_NAMES, RUN_ID, made_up_matches, made_up_sites, made_up_summary
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.domain import Impact, Reason, RegisterStatus, Status
from minedisc_core.review import new_verdict
from minedisc_core.store import CandidateFilter, Order, Store

PAGE = 50
WINDOW = 30
"""Candidates that come with the review page."""
_LARGE = 100_000
"""Up to so many candidates the goals are those of a home; above, those of a country."""
GESTURE = 24
"""Chips of the smallest grid view."""
_RUNS = 3
"""An absolute time counts as the best of three runs."""
_REPEATS = 100
_GIVEN_BEFORE = 2_000
"""Verdicts that are in the log before the measured ones."""


def bench_store(rows: int = 100_000, repeats: int | None = None) -> dict[str, Any]:
    """Times of the store in a file on disk.

    Args:
        rows: candidates.
        repeats: of each question and action, three times over; None: 100, of questions to a country's store 20.
    """
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "bench.duckdb") as store:
        sites = made_up_sites(rows)
        seconds = _seconds(lambda: store.take_in(made_up_summary(rows), Path(folder), sites, made_up_matches(rows)))
        ids = cycle([site.site_id for site in sites])  # of a small store some are decided again
        before = min(_GIVEN_BEFORE, rows // 10)
        store.record([new_verdict(next(ids), Status.CONFIRMED, "bench") for _ in range(before)])
        figures = [
            figure("take in a run", rows / seconds, "candidates/s"),
            *_reading(store, rows, repeats),
            *_writing(store, ids, repeats or _REPEATS),
        ]
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        figures.append(figure("peak memory, made-up sites included", peak_mb, "MB (RSS)"))
    return report("store", figures, rows=rows, verdicts_before=before, load_average=list(os.getloadavg()))


def _reading(store: Store, rows: int, asked: int | None) -> Iterator[Figure]:
    goal, counted, usual = ("< 60", "", _REPEATS) if rows <= _LARGE else ("< 150", "< 200", _REPEATS // 5)
    repeats, often = asked or usual, asked or _REPEATS
    for name, wanted in _questions():
        yield from _timed(f"first {PAGE} undecided {name}", lambda w=wanted: store.candidates(w, PAGE), goal, repeats)  # type: ignore[misc]  # bound default
        yield from _timed(f"queue and first window {name}", lambda w=wanted: _open_queue(store, w), "< 150", repeats)  # type: ignore[misc]  # bound default
    yield from _timed("counters", store.counters, counted, often)
    yield from _timed("counters of a run and an analyst", lambda: store.counters(RUN_ID, "bench"), counted, often)
    yield from _timed("runs with their counts", store.runs, counted, often)
    yield from _timed("progress", store.progress, repeats=often)
    yield from _timed("choices of a filter", store.choices, repeats=often)


def _open_queue(store: Store, wanted: CandidateFilter) -> None:
    """As the review page does: the whole order, kept as numbers, and the first candidates with their histories."""
    found = store.candidates_by_number(store.queue(wanted).part(0, WINDOW))
    store.histories([candidate.candidate_id for candidate in found])


def _questions() -> Iterator[tuple[str, CandidateFilter]]:
    """Every order, and the filters that the review page adds to them."""
    open_ones = CandidateFilter(statuses=(Status.UNDECIDED,))
    for order in get_args(Order):
        yield f"by {order}", replace(open_ones, order=order)
    by_priority = replace(open_ones, order="priority")
    yield "in a land by priority", replace(by_priority, lands=(LAND_NAMES[3],))
    yield "in a box by priority", replace(by_priority, box=(-44.0, -20.0, -43.5, -19.5))
    yield (
        "in a land and a box by place",
        replace(open_ones, order="place", lands=LAND_NAMES[:2], box=(-44.0, -20.0, -43.0, -19.0)),
    )
    yield "of one analyst by oldest", CandidateFilter(statuses=(Status.CONFIRMED,), analysts=("bench",), order="oldest")
    yield "hidden ones by score", replace(open_ones, only_discarded=True)
    yield "of a run by uncertainty", replace(open_ones, run_id=RUN_ID, order="uncertainty")
    yield "with all choices by score", replace(
        open_ones, impacts=(Impact.HIGH,), score_min=0.7, score_max=0.9, box=(-45.5, -20.5, -42.5, -17.5),
        lands=LAND_NAMES[:6], register_statuses=(RegisterStatus.NOTHING_FOUND,), seen=False,
    )  # fmt: skip


def _writing(store: Store, ids: Iterator[str], repeats: int) -> Iterator[Figure]:
    turn = count()

    def decide() -> None:
        """A verdict as the screen gives it: checked, stored with its state and its sample, on disk."""
        if next(turn) % 2:
            store.record([new_verdict(next(ids), Status.REJECTED, "bench", reason=Reason.RIVER_BANK)])
        else:
            store.record([new_verdict(next(ids), Status.CONFIRMED, "bench", notes="pit and slurry")])

    def undo() -> None:
        store.undo("bench", f"undo-{next(turn)}")

    def decide_with_outline() -> None:
        store.record([new_verdict(next(ids), Status.CONFIRMED, "bench", footprint=outline)])

    def look() -> None:
        store.mark_seen([next(ids)], "bench")

    def decide_together() -> None:
        """A gesture in the grid: one reason for many look-alikes."""
        batch = f"batch-{next(turn)}"
        reason = Reason.RIVER_BANK
        store.record(
            [new_verdict(next(ids), Status.REJECTED, "bench", reason=reason, batch_id=batch) for _ in range(GESTURE)]
        )

    outline = made_up_sites(1)[0].polygon
    yield from _timed("verdict", decide, "< 30", repeats)
    yield from _timed("verdict with an outline", decide_with_outline, "< 30", repeats)
    yield from _timed("look", look, repeats=repeats)
    yield from _timed("undo", undo, repeats=repeats)
    yield from _timed(f"{GESTURE} verdicts in one gesture", decide_together, repeats=min(10, repeats))
    yield from _timed(f"undo of {GESTURE} in one gesture", undo, repeats=min(10, repeats))


def _timed(name: str, work: Callable[[], object], goal: str = "", repeats: int = _REPEATS) -> Iterator[Figure]:
    """p95 (with the goal) and p50 of the run with the best p95 of three, and processor time of all."""
    begun = time.process_time()
    runs = [np.array([_seconds(work) for _ in range(repeats)]) * 1000 for _ in range(_RUNS)]
    cpu_ms = 1000 * (time.process_time() - begun) / (_RUNS * repeats)
    best = min(runs, key=lambda run: float(np.percentile(run, 95)))
    yield figure(f"{name}, p95", float(np.percentile(best, 95)), "ms", goal)
    yield figure(f"{name}, p50", float(np.percentile(best, 50)), "ms")
    yield figure(f"{name}, processor", cpu_ms, "CPU ms")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
