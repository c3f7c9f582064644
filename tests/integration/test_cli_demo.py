"""`minedisc demo`: area, registers, scan and take-in, each done once, whatever happens in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minedisc_core import cli
from minedisc_core.cli.demo import STATE_FILE, demo_is_ready
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import save_model
from minedisc_core.detection.networks import tensor_shapes
from minedisc_core.domain import ProductLevel
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.runs import RESULT, TILES
from minedisc_core.settings import Settings

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def home(settings: Settings) -> Settings:
    """A home whose own `demo-l1c`, found before the shipped one, scores 0.73 everywhere: fast, and always a site."""
    bands = len(L1C_BANDS)
    tensors = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes("discovery", bands).items()}
    tensors["output/bias"] = np.array([0, 1], np.float32)
    card = ModelCard("even", "1", "discovery", ProductLevel.L1C, L1C_BANDS, (1000.0,) * bands, (500.0,) * bands)
    save_model(settings.models / "demo-l1c", (card, tensors))
    return settings


def answer(capsys: pytest.CaptureFixture[str], home: Settings, *words: str) -> Any:
    code = cli.main([*words, "--json", "--home", str(home.home)])
    told = capsys.readouterr()
    assert code == 0, told.err
    return json.loads(told.out)


def demo(capsys: pytest.CaptureFixture[str], home: Settings, seed: int = 0) -> dict[str, Any]:
    state: dict[str, Any] = answer(capsys, home, "demo", "--size", "512", "--seed", str(seed))
    return state


def written(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_demo_area_is_ready_for_review_and_making_it_again_changes_nothing(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not demo_is_ready(home)
    state = demo(capsys, home)
    assert demo_is_ready(home)
    assert {path.name for path in home.demo.iterdir()} >= {"mosaic.tif", "mosaic_l2a.tif", "truth.geojson"}
    found = answer(capsys, home, "candidates")
    assert {candidate["run_id"] for candidate in found} == {state["run_id"]}
    assert "not_checked" not in {candidate["register_status"] for candidate in found}
    snapshots = answer(capsys, home, "registers", "list")
    assert [(snapshot["kind"], snapshot["coverage"]) for snapshot in snapshots] == [
        ("sigbm", "polygon"),
        ("sigmine", "polygon"),
        ("lands", "polygon"),
        ("rivers", "polygon"),
    ]
    before = written(home.demo) | written(home.runs)
    assert demo(capsys, home) == state
    assert written(home.demo) | written(home.runs) == before


def test_rivers_are_told_with_each_candidate_as_long_as_they_are_loaded(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    demo(capsys, home)
    found = answer(capsys, home, "candidates")
    assert all("Demo" in candidate["nearest_river"]["name"] for candidate in found)
    (rivers,) = (s for s in answer(capsys, home, "registers", "list") if s["kind"] == "rivers")
    assert answer(capsys, home, "registers", "retire", rivers["snapshot_id"])["changes"] == []
    assert [candidate["nearest_river"] for candidate in answer(capsys, home, "candidates")] == [None] * len(found)
    answer(capsys, home, "registers", "add", "rivers", str(home.demo / "rivers.geojson"))
    assert [c["nearest_river"] for c in answer(capsys, home, "candidates")] == [c["nearest_river"] for c in found]


def test_a_demo_that_was_stopped_goes_on_where_it_stopped(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    state = demo(capsys, home)
    run = home.runs / state["run_id"]
    (run / RESULT).unlink()
    (home.home / STATE_FILE).write_text(json.dumps(state | {"done": False}))
    tiles, area = written(run / TILES), written(home.demo)
    assert not demo_is_ready(home)
    assert demo(capsys, home) == state
    assert written(run / TILES) == tiles
    assert written(home.demo) == area
    assert len(answer(capsys, home, "summary")) > 5
    assert answer(capsys, home, "summary")["runs"] == 1


def test_another_seed_is_another_run_and_its_registers_replace_those_before(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = demo(capsys, home), demo(capsys, home, seed=1)
    assert first["run_id"] != second["run_id"]
    assert answer(capsys, home, "summary")["runs"] == 2
    kinds = [snapshot["kind"] for snapshot in answer(capsys, home, "registers", "list")]
    assert kinds == ["sigbm", "sigmine", "lands", "rivers"]
    assert len(answer(capsys, home, "registers", "list", "--retired")) == 8


@pytest.mark.parametrize(("size", "seed"), [(201, 1), (256, 2), (511, 0)])
def test_a_small_area_is_scanned_and_taken_in_too(
    size: int, seed: int, home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    state = answer(capsys, home, "demo", "--size", str(size), "--seed", str(seed))
    assert demo_is_ready(home)
    assert answer(capsys, home, "summary")["runs"] == 1
    found = answer(capsys, home, "candidates")
    assert {candidate["run_id"] for candidate in found} == {state["run_id"]}
    assert all(candidate["register_status"] != "not_checked" for candidate in found)


def test_an_area_without_room_for_a_cell_is_made_and_says_that_there_is_nothing_to_scan(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert cli.main(["demo", "--size", "100", "--home", str(home.home)]) == 0
        assert "100 x 100 px hold no cell, there is nothing to scan" in capsys.readouterr().out
    assert demo_is_ready(home)
    assert answer(capsys, home, "candidates") == []
    assert len(answer(capsys, home, "registers", "list")) == 4


def test_an_area_without_a_side_is_wrong_use(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--size", "0", "--home", str(home.home)]) == 2
    assert cli.main(["demo", "--size", "20001", "--home", str(home.home)]) == 2
    assert "would leave Minas Gerais" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{", '{"done": true}'])
def test_a_broken_note_of_the_demo_means_that_it_is_not_ready(home: Settings, content: str) -> None:
    (home.home / STATE_FILE).write_text(content)
    assert not demo_is_ready(home)
