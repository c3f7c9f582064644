"""The Train page: samples from a register's points, what was left out, trainings that run, stopped and finished."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from minedisc_core.detection.models import broken_models, list_models
from minedisc_core.domain import RunState
from minedisc_core.jobs.ownership import note_worker
from minedisc_core.jobs.train_progress import TrainLog, read_train_progress
from minedisc_core.jobs.train_request import TrainRequest, enter_training, prepare
from minedisc_core.jobs.trainings import list_trainings
from minedisc_core.learning.datasets import open_dataset
from minedisc_core.learning.queue_datasets import datasets_folder
from minedisc_core.registers.points import keep_points
from minedisc_core.runs import write_json
from minedisc_core.settings import Settings
from minedisc_core.store import Spot, Store
from pages import train_cutting, train_form, trainings
from pages.session import SessionKeys
from tests.pages.conftest import Opener
from tests.pages.fabricated import GRID
from tests.training_sets import small_dataset

Started = list[tuple[TrainRequest, Path, bool]]


def said(app: AppTest) -> str:
    told = [*app.markdown, *app.caption, *app.error, *app.warning]
    bars = [element.proto.text for element in app.get("progress")]
    return "\n".join([*bars, *(str(element.value) for element in told)]).replace("\\", "")


def keep_register(settings: Settings, far: int = 1) -> str:
    """Three mines on the mosaic, and others far from it."""
    lonlat = GRID.lonlat(np.array([200.5, 330.5, 440.5]), np.array([150.5, 330.5, 440.5])).tolist()
    words = ("Ferro", "Areia", "Granito")
    lines = [f"Mina {n};{lat};{lon};{word}" for n, ((lon, lat), word) in enumerate(zip(lonlat, words, strict=True), 1)]
    lines += [f"Longe {n};{-10 - n / 10};-60;Ferro" for n in range(far)]
    text = "\n".join(["Nome;Latitude;Longitude;Minerio", *lines])
    return str(keep_points(settings, "mines.csv", text.encode()))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Trainings that the page asked for; none is really started."""
    calls: Started = []

    def note(request: TrainRequest, out: Path, *, resume: bool = False, settings: Settings | None = None) -> None:
        assert settings is not None
        prepare(request, settings)
        calls.append((request, out, resume))

    for module in (train_form, trainings):
        monkeypatch.setattr(module, "start_training", note)
    return calls


@pytest.fixture
def ready(home: Settings, open_page: Opener) -> AppTest:
    """The page with a register and the home's mosaic chosen, small windows and near backgrounds."""
    keep_register(home)
    app = open_page("train.py")
    app.multiselect(key="train_mosaics").set_value([str(home.demo / "mosaic.tif")]).run()
    app.number_input(key="train_apart").set_value(0).run()
    app.segmented_control(key="train_size").set_value(201).run()
    return app


def begin(settings: Settings, name: str, **more: Any) -> Path:
    """The folder of a training that was begun, as the process of a training leaves it."""
    folder = datasets_folder(settings) / "v1"
    if not folder.exists():
        small_dataset(folder, count=24)
    request = TrainRequest(net="impact", dataset=str(folder), folds=2, **more)
    out = settings.models / name
    out.mkdir(parents=True)
    enter_training(prepare(request, settings), out, resume=False)
    log = TrainLog(out)
    log.start(3, 10)
    log.unit(1, 0)
    log.epoch(4, {"seconds": 2.0, "loss": 0.5, "validation_accuracy": 0.875})
    return out


def finish(out: Path) -> None:
    """What a training writes last."""
    figures = {name: {"mean": 0.912, "deviation": 0.01} for name in ("accuracy", "f1")}
    report = {"net": "impact", "validation": figures, "reliability": {"ece": 0.034}, "folds": [{}, {}]}
    write_json(out / "training.json", report | {"dataset": {"version": "v1"}, "threshold": 0.47})


def test_an_empty_home_says_what_is_missing_and_cuts_nothing(empty_home: Settings, open_page: Opener) -> None:
    app = open_page("train.py")
    assert not app.exception
    assert "No dataset version yet" in said(app)
    assert app.button(key="train_cut").disabled
    assert "Choose a register of points and at least one mosaic" in app.button(key="train_cut").help


def test_samples_are_cut_and_what_was_left_out_is_shown(ready: AppTest, home: Settings) -> None:
    ready.button(key="train_cut").click().run()
    assert not ready.exception
    (made,) = datasets_folder(home).iterdir()
    dataset = open_dataset(made)
    assert dataset.window_px == 201
    assert made.name.endswith("-201px")
    told = said(ready)
    assert f"{len(dataset.samples)} samples of 201 px" in told
    assert dataset.hash in told
    assert "Mine 3" in told
    rows = ready.dataframe[0].value.to_dict("records")
    assert {"Line": "5", "Register": "mines.csv", "Why": "lies off every mosaic"} in rows
    assert "Discovery net" in told
    assert ready.selectbox(key="train_dataset").value == made.name


def test_of_many_points_left_out_the_first_twenty_are_shown(home: Settings, open_page: Opener) -> None:
    keep_register(home, far=25)
    app = open_page("train.py")
    app.multiselect(key="train_mosaics").set_value([str(home.demo / "mosaic.tif")]).run()
    app.number_input(key="train_backgrounds").set_value(0).run()
    app.segmented_control(key="train_size").set_value(201).run()
    app.button(key="train_cut").click().run()
    assert "25 points left out, the first 20:" in said(app)
    assert len(app.dataframe[0].value) == 20


def test_a_patch_needs_a_label_column_which_is_offered(ready: AppTest, home: Settings) -> None:
    ready.segmented_control(key="train_size").set_value(21).run()
    assert ready.button(key="train_cut").disabled
    assert "Minerio" in ready.selectbox(key="train_label").options
    ready.selectbox(key="train_label").set_value("Minerio").run()
    ready.button(key="train_cut").click().run()
    assert not ready.exception
    assert "High impact 1 · Low impact 1" in said(ready)
    (made,) = datasets_folder(home).iterdir()
    assert open_dataset(made).window_px == 21


def test_another_register_has_other_columns(ready: AppTest, home: Settings) -> None:
    ready.selectbox(key="train_label").set_value("Minerio").run()
    other = str(keep_points(home, "other.csv", b"lat;lon;Kind\n-20;-44;mina\n"))
    ready.run()
    ready.selectbox(key="points_register").set_value(other).run()
    assert not ready.exception
    assert ready.selectbox(key="train_label").options == ["None: every point is a mine", "lat", "lon", "Kind"]
    assert not ready.selectbox(key="train_label").value
    ready.button(key="train_cut").click().run()
    assert not ready.exception
    assert "no point gives a sample" in ready.error[0].value


@pytest.mark.parametrize(
    ("name", "told"), [("taken", "there is a dataset version 'taken' already"), ("../x", "cannot be the name")]
)
def test_a_name_that_is_taken_or_no_name_is_refused(ready: AppTest, home: Settings, name: str, told: str) -> None:
    small_dataset(datasets_folder(home) / "taken", count=6)
    ready.text_input(key="train_version").set_value(name).run()
    ready.button(key="train_cut").click().run()
    assert not ready.exception
    assert told in ready.error[0].value.replace("\\", "")
    assert [path.name for path in datasets_folder(home).iterdir()] == ["taken"]


def test_points_off_the_mosaic_and_a_file_that_is_gone_are_told(home: Settings, open_page: Opener) -> None:
    source = Path(keep_points(home, "far.csv", b"lat,lon\n-1,-50\n"))
    app = open_page("train.py")
    app.multiselect(key="train_mosaics").set_value([str(home.demo / "mosaic.tif")]).run()
    app.button(key="train_cut").click().run()
    assert "no point gives a sample" in app.error[0].value
    assert not list(datasets_folder(home).glob("*"))
    source.write_bytes(b"nothing here\n")
    app.run()
    assert not app.exception
    assert app.error


def test_choices_that_people_made_are_used(ready: AppTest, home: Settings) -> None:
    ready.toggle(key="train_rejected").set_value(True).run()
    ready.toggle(key="train_corrections").set_value(True).run()
    ready.selectbox(key="train_bands").set_value("demo-l1c").run()
    ready.button(key="train_cut").click().run()
    assert not ready.exception
    assert not ready.error
    model = next(model for model in list_models(home) if model.name == "demo-l1c")
    assert open_dataset(next(datasets_folder(home).iterdir())).bands == model.discovery.bands


def test_the_button_starts_a_training_of_what_the_page_says(
    empty_home: Settings, open_page: Opener, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_dataset(datasets_folder(empty_home) / "v1", "discovery", count=24, places=6)
    held_out = [Spot("a", 20.0, 50.0, "x", True)]
    monkeypatch.setattr(Store, "spots", lambda _self, *, is_held_out: held_out if is_held_out else [])
    app = open_page("train.py")
    app.segmented_control(key="train_recipe").set_value("paper").run()
    app.number_input(key="train_folds").set_value(3).run()
    app.number_input(key="train_epochs").set_value(7).run()
    app.text_input(key="train_name").set_value("mine-1").run()
    app.button(key="train_start").click().run()
    assert not app.exception
    assert not app.error
    ((request, out, resume),) = started
    assert (request.net, request.recipe, request.folds, request.epochs) == ("discovery", "paper", 3, 7)
    assert (request.mode, request.start_from, request.beside) == ("scratch", None, None)
    assert request.held_out == ((20.0, 50.0),)
    assert (out, resume) == (empty_home.models / "mine-1", False)


def test_more_choices_of_a_training_are_those_of_the_command_line(
    empty_home: Settings, open_page: Opener, started: Started
) -> None:
    small_dataset(datasets_folder(empty_home) / "v1", "discovery", count=24, places=6)
    app = open_page("train.py")
    app.multiselect(key="train_only_v1").set_value(["B4", "B2"]).run()
    app.number_input(key="train_resamplings").set_value(2).run()
    app.number_input(key="train_seed").set_value(9).run()
    app.selectbox(key="train_precision").set_value("float32").run()
    app.text_input(key="train_licence").set_value(" CC0 ").run()
    app.button(key="train_start").click().run()
    assert not app.exception
    assert not app.error
    ((request, _, _),) = started
    assert (request.bands, request.resamplings, request.seed) == (("B4", "B2"), 2, 9)
    assert (request.policy, request.licence) == ("float32", "CC0")


def test_more_choices_of_samples_reach_the_dataset(ready: AppTest, home: Settings) -> None:
    lonlat = GRID.lonlat(np.array([300.5]), np.array([300.5])).tolist()[0]
    further = home.home / "further.csv"
    further.write_text(f"Nome;Latitude;Longitude\nOutra;{lonlat[1]};{lonlat[0]}\n")
    ready.text_area(key="train_known").set_value(f"{further}\n").run()
    ready.number_input(key="train_share").set_value(10).run()
    ready.number_input(key="train_samples_seed").set_value(4).run()
    ready.button(key="train_cut").click().run()
    assert not ready.exception
    assert not ready.error, said(ready)
    (made,) = datasets_folder(home).iterdir()
    asked = json.loads((made / "manifest.json").read_text())["request"]
    assert (asked["seed"], asked["look_alike_share"], asked["known"]) == (4, 0.1, ["further.csv"])


def test_places_that_cannot_be_divided_for_validation_are_told(ready: AppTest, home: Settings) -> None:
    ready.number_input(key="train_validation").set_value(30).run()
    ready.button(key="train_cut").click().run()
    assert not ready.exception
    assert "1 places cannot be split" in said(ready)
    assert not list(datasets_folder(home).glob("[!.]*"))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("train_classes", "50; x", "whole numbers with commas between"),
        ("train_land_cover", "/nowhere/cover.tif", "cover.tif"),
    ],
)
def test_more_choices_that_cannot_be_used_are_explained(
    ready: AppTest, home: Settings, key: str, value: str, told: str
) -> None:
    ready.text_input(key=key).set_value(value).run()
    if key == "train_land_cover":
        ready.text_input(key="train_classes").set_value("50").run()
        ready.button(key="train_cut").click().run()
    assert not ready.exception
    assert told in said(ready)
    assert not datasets_folder(home).exists() or not list(datasets_folder(home).iterdir())


def test_a_small_training_goes_from_the_button_to_its_curves(empty_home: Settings, open_page: Opener) -> None:
    small_dataset(datasets_folder(empty_home) / "v1", count=18)
    app = open_page("train.py")
    app.number_input(key="train_folds").set_value(1).run()
    app.number_input(key="train_epochs").set_value(1).run()
    app.button(key="train_start").click().run()
    assert not app.exception
    assert not app.error
    (begun,) = list_trainings(empty_home)
    until = time.monotonic() + 120
    while read_train_progress(begun.path).state is RunState.RUNNING and time.monotonic() < until:
        time.sleep(0.2)
    app.run()
    assert not app.exception
    row = app.dataframe[0].value.to_dict("records")[0]
    assert (row["Model"], row["Net"], row["Dataset version"], row["Folds"]) == ("v1", "Impact net", "v1", "1")
    assert "**v1** is on the Models page" in said(app)
    assert app.selectbox(key="train_shown").options == ["v1"]
    assert (begun.path / "curves.png").is_file()
    assert "v1" in [model.name for model in list_models(empty_home)]


def test_fine_tuning_needs_a_model_that_fits_and_a_taken_name_is_refused(
    empty_home: Settings, open_page: Opener, started: Started
) -> None:
    small_dataset(datasets_folder(empty_home) / "v1", count=24)
    app = open_page("train.py")
    assert "Impact net" in said(app)
    app.segmented_control(key="train_mode").set_value("fine-tune").run()
    assert app.button(key="train_start").disabled
    assert "No model has such a net" in said(app)
    app.segmented_control(key="train_mode").set_value("scratch").run()
    app.text_input(key="train_name").set_value("demo-l1c").run()
    app.button(key="train_start").click().run()
    assert "there is a model 'demo-l1c' already" in app.error[0].value
    assert not started
    app.text_input(key="train_name").set_value("").run()
    app.button(key="train_start").click().run()
    ((request, out, _),) = started
    assert (request.beside, out.name) == ("demo-l1c", "v1")


def test_a_dataset_of_one_class_is_refused_in_words(empty_home: Settings, open_page: Opener, started: Started) -> None:
    small_dataset(datasets_folder(empty_home) / "v1", "discovery", count=6, labels=["mine"])
    app = open_page("train.py")
    app.button(key="train_start").click().run()
    assert not app.exception
    assert "samples of each of" in said(app)
    assert not started


def test_one_that_runs_has_a_card_with_its_progress_and_no_second_one_starts(
    empty_home: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = begin(empty_home, "m1")
    note_worker(out, os.getpid(), has_group=False)
    stopped: list[Path] = []
    monkeypatch.setattr(trainings, "cancel", stopped.append)
    app = open_page("train.py")
    assert not app.exception
    assert "Training fold 1 of 3 · epoch 4 of 10 · accuracy 0.875 · under a minute left" in said(app)
    assert app.button(key="train_start").disabled
    assert app.button(key="train_start").help == "One training at a time."
    app.button(key="cancel_m1").click().run()
    assert stopped == [out]


def test_one_that_stopped_says_why_and_can_be_resumed(
    empty_home: Settings, open_page: Opener, started: Started
) -> None:
    out = begin(empty_home, "m1")
    app = open_page("train.py")
    assert "interrupted: can be resumed" in said(app)
    app.button(key="resume_m1").click().run()
    assert not app.exception
    ((request, folder, resume),) = started
    assert (request.net, folder, resume) == ("impact", out, True)


def test_one_that_is_done_shows_its_figures(empty_home: Settings, open_page: Opener) -> None:
    finish(begin(empty_home, "m1"))
    app = open_page("train.py")
    assert not app.exception
    row = app.dataframe[0].value.to_dict("records")[0]
    assert (row["Model"], row["Accuracy"], row["Threshold"], row["ECE"]) == ("m1", "0.912 ± 0.010", "0.47", "0.034")
    assert "no model that a scan can use" in said(app)


def test_a_training_that_is_not_finished_is_no_broken_model(empty_home: Settings, open_page: Opener) -> None:
    begin(empty_home, "m1")
    (empty_home.models / "odd").mkdir()
    assert [broken.name for broken in broken_models(empty_home)] == ["odd"]
    assert "m1" not in [model.name for model in list_models(empty_home)]
    assert "m1" not in said(open_page("models.py"))


def test_a_training_whose_files_are_broken_is_listed_with_its_problem(empty_home: Settings, open_page: Opener) -> None:
    out = begin(empty_home, "m1")
    (out / "request.json").write_text('{"kind": "training"}')
    finish(begin(empty_home, "m2"))
    (empty_home.models / "m2" / "training.json").write_text("{")
    assert {each.name: bool(each.report) for each in list_trainings(empty_home)} == {"m1": False, "m2": False}
    app = open_page("train.py")
    assert not app.exception
    assert "cannot be read" in said(app)


def test_two_windows_do_not_cut_at_once(ready: AppTest, home: Settings) -> None:
    with train_cutting._BUSY:
        ready.button(key="train_cut").click().run()
    assert not ready.exception
    assert "being cut in another window" in ready.error[0].value
    ready.button(key="train_cut").click().run()
    assert SessionKeys.CUT in ready.session_state


def test_a_broken_version_is_passed_over(empty_home: Settings, open_page: Opener) -> None:
    folder = datasets_folder(empty_home)
    small_dataset(folder / "v1", count=6)
    (folder / "broken").mkdir()
    (folder / "broken" / "manifest.json").write_text("{")
    app = open_page("train.py")
    assert not app.exception
    assert app.selectbox(key="train_dataset").options == ["v1"]
