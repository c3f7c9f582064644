"""`bench workers` on a small file: all its figures are there, and all ways find the same; their speed is no test."""

from __future__ import annotations

import math

from minedisc_core.bench.workers import bench_workers


def test_a_small_run_of_the_bench_has_all_its_figures_and_equal_results() -> None:
    found = bench_workers(1_400, 1)
    figures = {figure["name"].split(":")[0]: figure for figure in found["figures"]}
    assert set(figures) >= {
        "ways whose result differs from one process's",
        "efficiency of 2 workers",
        "efficiency of 2 threads of one process",
        "peak memory of a worker",
        "workers that one scan's own process can keep busy",
    }
    assert found["equal"] is True
    assert figures["ways whose result differs from one process's"]["holds"] is True
    assert isinstance(figures["peak memory of a worker"]["holds"], bool)
    assert all(math.isfinite(figure["value"]) for figure in figures.values())
    assert set(found["seconds"]) == {"1 worker", "2 workers", "one process, 1 thread", "one process, 2 threads"}
    assert found["tiles"] == 4
