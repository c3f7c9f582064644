"""The start bench in small: a click on the real page, with both engines; its times are for a quiet machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from minedisc_core.settings import PROJECT_ROOT

ONCE = "import json; from minedisc_core.bench.start import bench_start; print(json.dumps(bench_start(700, repeats=1)))"


def test_a_small_start_bench_times_a_click_with_each_engine(chromium_path: str) -> None:
    told = {**os.environ, "MINEDISC_CHROMIUM": chromium_path}
    command = [sys.executable, "-c", ONCE]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=500, check=False, env=told)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    figures = {figure["name"]: figure for figure in found["figures"]}
    assert figures["from the click to the candidates of 49 km2"]["goal"] == "< 15"
    assert figures["the same without OpenVINO"]["baseline"].startswith("TensorFlow")
    assert min(figure["value"] for figure in figures.values()) > 0
    assert {engine: len(all_) for engine, all_ in found["seconds"].items()} == {"auto": 1, "tensorflow": 1}
