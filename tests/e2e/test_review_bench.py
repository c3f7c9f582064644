"""The review bench in small: what it prints and that no key press is lost; its times are for a quiet machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from minedisc_core.bench.review import bench_review
from minedisc_core.errors import UsageError
from minedisc_core.settings import PROJECT_ROOT


def test_a_small_review_bench_times_every_press_and_loses_no_verdict(chromium_path: str) -> None:
    command = [sys.executable, "-m", "minedisc_core.cli", "bench", "review", "--candidates", "200", "--presses", "10"]
    told = {**os.environ, "MINEDISC_CHROMIUM": chromium_path}
    done = subprocess.run(
        [*command, "--json"], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=400, check=False, env=told
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    figures = {figure["name"]: figure for figure in found["figures"]}
    stored = figures.pop("verdicts stored of key presses")
    assert (stored["value"], stored["baseline"]) == (1, "35 key presses")
    assert {figure["goal"] for figure in figures.values()} == {"< 80", "< 400", "< 4", ">= 4", "<= 1.2", ""}
    assert min(figure["value"] for figure in figures.values()) > 0
    assert set(found["opened_ms"]) == {"20", "200", "2000"}


def test_a_review_bench_with_too_few_candidates_for_its_presses_is_refused() -> None:
    with pytest.raises(UsageError, match="20 candidates for each"):
        bench_review(candidates=100, presses=10)
