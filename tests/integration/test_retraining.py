"""A small retraining for real: TensorFlow, DuckDB, a process of its own, cancelled, killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from minedisc_core.detection.models import load_model, load_tensors
from minedisc_core.domain import RunState
from minedisc_core.errors import RunError
from minedisc_core.jobs.process import cancel
from minedisc_core.jobs.retraining import HEAD, scan_folder, start_retraining, work_on_retraining
from minedisc_core.jobs.retraining_result import list_retrainings
from minedisc_core.learning.datasets import open_dataset
from minedisc_core.runs import RESULT
from minedisc_core.service import run_verb
from minedisc_core.settings import Settings
from tests.loop_home import MINES, REJECTED, begin, make_loop_home, opened
from tests.pages.fabricated import save_spread_model

pytestmark = pytest.mark.tensorflow
LONGEST_S = 300


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("loop") / "home"
    folder.mkdir()
    settings = Settings(folder, threads=2)
    make_loop_home(settings, places=4)
    return settings


def wait_for(settings: Settings, folder: Path, name: str) -> None:
    """Until a file of the retraining is there, or its process has ended."""
    until = time.monotonic() + LONGEST_S
    while not (folder / name).exists():
        found = next(each for each in list_retrainings(settings) if each.path == folder)
        assert found.state is RunState.RUNNING, found.message
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def finished(home: Settings) -> Path:
    """A retraining that was killed, resumed, cancelled, and went on to its end; its folder."""
    folder = begin(home, epochs=400)
    process = start_retraining(folder, home)
    with pytest.raises(RunError, match=r"retraining .* is running.*one retraining at a time"):
        begin(home, out="second")
    wait_for(home, folder, HEAD)
    os.killpg(process.pid, signal.SIGKILL)
    time.sleep(0.5)
    (stopped,) = list_retrainings(home)
    assert (stopped.state, stopped.can_resume) == (RunState.FAILED, True)
    assert not (home.models / "bright-r1").exists()
    with np.load(folder / HEAD) as kept:
        reached = int(kept["epoch"])
    assert reached >= 1

    start_retraining(folder, home)
    while True:
        with np.load(folder / HEAD) as kept:
            if int(kept["epoch"]) > reached:
                break
        time.sleep(0.05)
    cancel(folder)
    (stopped,) = list_retrainings(home)
    assert (stopped.state, stopped.message) == (RunState.CANCELLED, "cancelled: can be resumed")
    assert not (home.models / "bright-r1").exists()

    (folder / "cancel").unlink()
    work_on_retraining(folder, home)
    return folder


def test_a_retraining_that_is_killed_and_cancelled_goes_on_to_a_whole_result(home: Settings, finished: Path) -> None:
    result = json.loads((finished / RESULT).read_text())
    assert result["challenger"] == "bright-r1"
    model = load_model("bright-r1", home)
    assert model.discovery.training["dataset"]["hash"] == result["dataset"]["hash"]
    before = load_tensors(load_model("bright", home), "discovery")
    after = load_tensors(model, "discovery")
    assert all((before[name] == after[name]).all() for name in before if name.startswith("conv"))
    assert work_on_retraining(finished, home) == result


@pytest.mark.usefixtures("finished")
def test_the_dataset_of_the_retraining_keeps_its_sides_and_places(home: Settings) -> None:
    (done,) = list_retrainings(home)
    shown = run_verb(home, "retrain_show", {"retraining_id": done.retraining_id})
    result = json.loads((done.path / RESULT).read_text())
    dataset = open_dataset(Path(result["dataset"]["folder"]))
    assert len(dataset.samples) == 4 * (MINES + REJECTED)
    sides: dict[str, set[str]] = {}
    for entry in dataset.samples:
        sides.setdefault(entry.place, set()).add(entry.split)
    assert sorted(map(sorted, sides.values())) == [["held-out"], ["held-out"], ["training"], ["training"]]
    assert shown["sites"]["mines"] == 2 * MINES
    assert "8 held-out confirmed mines on the whole scenes, 30 are needed: 22 more" in shown["refusals"]
    with opened(home) as store:
        assert [row.version for row in store.datasets()] == [dataset.version]


def _cells_compared(folder: Path) -> int:
    """How many held-out samples were found to score as their cell does in the scan of the whole scene."""
    request = json.loads((folder / "request.json").read_text())
    scores = json.loads((folder / "samples.json").read_text())["scores"]
    compared = 0
    for number, scene in enumerate(request["scenes"]):
        with rasterio.open(scan_folder(folder, number, "challenger") / "scores.tif") as raster:
            cells, to_cell, crs = raster.read(1), ~raster.transform, raster.crs
        to_crs = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        for row in request["judged"]:
            if row["sample_id"] in scene["samples"]:
                col, line = to_cell @ to_crs.transform(row["lon"], row["lat"])
                inside = 4 <= line < cells.shape[0] - 4 and 4 <= col < cells.shape[1] - 4
                if inside and np.isfinite(cells[int(line), int(col)]):
                    assert scores[row["sample_id"]]["challenger"] == pytest.approx(cells[int(line), int(col)], abs=2e-5)
                    compared += 1
    return compared


@pytest.mark.usefixtures("finished")
def test_scores_on_samples_are_those_of_the_scan_at_the_same_cell(home: Settings) -> None:
    """The sample is centred on the peak's cell, and its 255 px score as the whole scene does."""
    (done,) = list_retrainings(home)
    assert _cells_compared(done.path)


@pytest.mark.usefixtures("finished")
def test_the_next_retraining_learns_the_challengers_dataset_again(home: Settings) -> None:
    run_verb(home, "models_promote", {"name": "bright-r1", "override": "for this test alone", "analyst": "Ana"})
    folder = begin(home, champion=None, without_own_dataset=False, epochs=1)
    request = json.loads((folder / "request.json").read_text())
    assert (request["champion"], request["out"]) == ("bright-r1", "bright-r2")
    assert request["own_dataset"]["hash"] == load_model("bright-r1", home).discovery.training["dataset"]["hash"]
    first = json.loads((list_retrainings(home)[-1].path / "request.json").read_text())
    assert {row["sample_id"]: row["split"] for row in request["samples"]} == {
        row["sample_id"]: row["split"] for row in first["samples"]
    }


@pytest.mark.usefixtures("finished")
def test_a_champion_with_the_spread_head_is_tuned_and_compared_like_any_other(home: Settings) -> None:
    save_spread_model(home.models / "spread", home.mosaics / "place-0.tif")
    folder = begin(home, champion="spread", epochs=20)
    work_on_retraining(folder, home)
    champion, challenger = (load_model(name, home) for name in ("spread", "spread-r1"))
    assert (challenger.discovery.head, challenger.discovery.dark) == ("spread", champion.discovery.dark)
    before, after = (load_tensors(model, "discovery") for model in (champion, challenger))
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed == {"output/kernel", "output/bias"}
    scores = json.loads((folder / "samples.json").read_text())["scores"]
    assert any(each["champion"] != each["challenger"] for each in scores.values())
    assert _cells_compared(folder) > 0
