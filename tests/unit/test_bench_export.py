"""The bench of exports in small: its figures, goals and baselines; its times are for a quiet machine."""

from __future__ import annotations

from minedisc_core.bench.export import bench_export


def test_a_small_bench_of_exports_has_all_its_figures() -> None:
    found = bench_export(200)
    figures = found["figures"]
    assert found["bench"] == "export"
    assert {figure["goal"] for figure in figures if figure["goal"]} == {"<= 1.2", "<= 2"}
    assert min(figure["value"] for figure in figures) > 0
    assert any("LIBKML" in figure["baseline"] for figure in figures)
    assert any("to_csv" in figure["baseline"] for figure in figures)
