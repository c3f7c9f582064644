"""`minedisc scan` as a process: several files, progress, Ctrl-C, resume, and what it says when it cannot scan."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minedisc_core import cli
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import save_model
from minedisc_core.detection.networks import tensor_shapes
from minedisc_core.domain import ProductLevel
from minedisc_core.runs import CANCEL, RESULT, TILES

MINEDISC = str(Path(sys.executable).parent / "minedisc")
BANDS = ("B2", "B3", "B4")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model whose score is 0.73 everywhere."""
    tensors = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes("discovery", len(BANDS)).items()}
    tensors["output/bias"] = np.array([0, 1], np.float32)
    card = ModelCard(
        "even", "1", "discovery", ProductLevel.L1C, BANDS, mean=(1000.0,) * len(BANDS), std=(500.0,) * len(BANDS)
    )
    save_model(tmp_path / "model", (card, tensors))
    return tmp_path / "model"


@pytest.fixture
def ground(write_raster: Callable[..., Path]) -> Callable[..., str]:
    """A raster of one value: `ground("a.tif", 400, columns_before=0)`."""

    def write(name: str, side_px: int, columns_before: int = 0) -> str:
        pixels = np.full((side_px, side_px, len(BANDS)), 1000, np.uint16)
        origin = (600_000.0 + 10 * columns_before, 7_800_000.0)
        return str(write_raster(pixels, name, bands=BANDS, origin=origin, compress="deflate", tiled=True))

    return write


def minedisc(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MINEDISC, *words], capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.tensorflow
def test_a_scan_of_two_files_ends_in_a_run_that_can_be_taken_in(
    model: Path, ground: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right = ground("left.tif", 400), ground("right.tif", 400, columns_before=400)
    run, home = str(tmp_path / "run"), str(tmp_path / "home")
    done = minedisc("scan", "--mosaic", left, right, "--model", str(model), "--level", "L1C", "--run", run, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["sites"], told["fraction"]) == ("complete", 1, 1.0)
    assert told["coverage"]["cells_seen"] == (800 // 27 - 6) * (400 // 27 - 6)
    assert cli.main(["take-in", run, "--home", home]) == 0
    assert cli.main(["candidates", "--home", home, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.partition("\n[")[2].join(["[", ""]))
    assert [candidate["impact"] for candidate in found] == ["unknown"]
    again = minedisc("scan", "--mosaic", left, right, "--model", str(model), "--level", "L1C", "--run", run)
    assert again.returncode == 1
    assert "resume" in again.stderr


@pytest.mark.tensorflow
def test_ctrl_c_keeps_the_finished_tiles_and_resume_goes_on(
    model: Path, ground: Callable[..., str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["scan", "--mosaic", ground("large.tif", 4000), "--model", str(model), "--level", "L1C", "--run", str(run)]
    scan = subprocess.Popen([MINEDISC, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not list((run / TILES).glob("*.npz")) and time.monotonic() < until:
        time.sleep(0.01)
    scan.send_signal(signal.SIGINT)
    _, told = scan.communicate(timeout=60)
    assert scan.returncode == 1
    assert "--resume" in told
    assert "Traceback" not in told
    assert not (run / RESULT).exists()
    kept = {path.name: path.stat().st_mtime_ns for path in (run / TILES).glob("*.npz")}
    assert kept
    done = minedisc(*words, "--resume")
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout
    assert {name: (run / TILES / name).stat().st_mtime_ns for name in kept} == kept
    assert not (run / CANCEL).exists()


@pytest.mark.parametrize("change", ["mosaic", "model", "aoi", "bands"])
def test_a_scan_that_cannot_be_done_is_one_line_and_exit_code_1(
    change: str, model: Path, ground: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aoi = tmp_path / "aoi.geojson"
    ring = [[10, 50], [11, 50], [11, 51], [10, 50]]
    aoi.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    words = {"mosaic": ground("a.tif", 400), "model": str(model), "level": "L1C", "run": str(tmp_path / "run")}
    words |= {
        "mosaic": {"mosaic": str(tmp_path / "nowhere.tif")},
        "model": {"model": "nobody"},
        "aoi": {"aoi": str(aoi)},
        "bands": {"bands": "B11,B12,B8A"},
    }[change]
    options = [part for name, value in words.items() for part in (f"--{name}", value)]
    assert cli.main(["scan", *options, "--home", str(tmp_path / "home")]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("minedisc: ")
    assert told.err.count("\n") == 1
