"""`bench scan` on a small file: all its figures are there, with their goals; how fast it is, is no test."""

from __future__ import annotations

import math

import pytest

from minedisc_core.bench.scan import bench_scan

pytestmark = pytest.mark.tensorflow


def test_a_small_run_of_the_bench_has_all_its_figures() -> None:
    found = bench_scan(700, 1, 0, (420, 600))
    figures = {figure["name"]: figure for figure in found["figures"]}
    goals = {name for name, figure in figures.items() if figure["goal"]}
    assert {name.split(",")[0] for name in goals} >= {
        "scoring / tf.function",
        "file to candidates / trunk alone",
        "file to candidates / bare network",
        "rate / one call per 201 px window",
        "rate / the paper's way",
        "dearest km2 / cheapest km2",
    }
    assert all(math.isfinite(figure["value"]) and figure["value"] > 0 for figure in figures.values())
    assert all(isinstance(figures[name]["holds"], bool) for name in goals)
    assert found["engine"].split()[0] in ("TensorFlow", "OpenVINO")
    assert set(found["seconds"]) == set(found["processor_seconds"]) == set(found["megapixels"])
