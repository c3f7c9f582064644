"""A training from a request to a model folder: resumed, cancelled, refused, never half written."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from minedisc_core.cli import main
from minedisc_core.detection.cards import read_card
from minedisc_core.detection.engines import load_nets_for
from minedisc_core.detection.models import load_model, load_tensors
from minedisc_core.detection.networks import keras
from minedisc_core.detection.openvino_runtime import Threads
from minedisc_core.domain import ProductLevel, RunState
from minedisc_core.errors import Cancelled, MinediscError, RunError, StoreError, UsageError
from minedisc_core.jobs import cancel
from minedisc_core.jobs import training as job
from minedisc_core.jobs.train_progress import read_train_progress
from minedisc_core.jobs.train_request import TrainRequest
from minedisc_core.jobs.training import run_training, start_training
from minedisc_core.learning import recipes
from tests.training_sets import BANDS, small_dataset

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("sets") / "patches", count=36)


@pytest.fixture(autouse=True, scope="module")
def _quick():
    """Small batches, a rate at which few epochs learn something, and every epoch kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "CHECKPOINT_S", 0.0)
        for recipe in (recipes.DEFAULT, recipes.PAPER):
            patch.setitem(recipes.RECIPES, recipe.name, replace(recipe, batch=8, impact_rate=1e-3))
        yield


def asked(dataset, **changes):
    known = {"recipe": "default", "folds": 2, "epochs": 2, "policy": "float32"}
    return TrainRequest("impact", str(dataset.folder), **(known | changes))


@pytest.fixture(scope="module")
def trained(patches, tmp_path_factory):
    """Two folds and the model of all, run through once."""
    out, heard = tmp_path_factory.mktemp("trained") / "model", []
    return out, run_training(asked(patches, epochs=4), out, on_progress=heard.append), heard


def test_a_training_leaves_nets_with_cards_curves_and_a_report(trained, patches):
    out, report, heard = trained
    card = read_card(out / "impact.json", "impact")
    assert (card.bands, card.level, card.window_px, card.pixel_m) == (BANDS, ProductLevel.L1C, 21, 10.0)
    assert card.training["dataset"]["hash"] == patches.hash
    assert card.training["code_version"].count("+") == 1
    assert {"mean", "deviation"} == card.training["validation"]["accuracy"].keys()
    assert np.shape(card.training["validation"]["confusion"]) == (3, 3)
    assert 0 <= card.training["reliability"]["ece"] <= 1
    assert all((card.licence, card.intended_use, card.limits))
    assert [fold["validation"]["samples"] for fold in card.training["folds"]] == [18, 18]
    assert Image.open(out / "curves.png").size == (900, 520)
    assert json.loads((out / "training.json").read_text()) == json.loads(json.dumps(report))
    assert heard[-1].fraction == 1.0
    assert not list(out.rglob("state.safetensors"))


def test_the_keras_file_gives_the_same_probabilities_as_the_tensors(trained):
    out, _, _ = trained
    card = read_card(out / "impact.json", "impact")
    network = keras().models.load_model(out / "impact.keras", compile=False)
    from minedisc_core.detection.networks import build_impact, set_tensors
    from minedisc_core.jobs.training import _read_tensors

    own = build_impact(len(card.bands))
    set_tensors(own, _read_tensors(out, "impact"))
    pixels = np.random.default_rng(0).normal(size=(2, 21, 21, 3)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(network(pixels)), np.asarray(own(pixels)), atol=1e-6)


def test_a_cancelled_training_goes_on_and_ends_as_one_that_ran_through(trained, patches, tmp_path):
    whole, through, _ = trained
    out = tmp_path / "model"

    def stop(progress):
        if progress.figures and (progress.unit, progress.epoch) in ((1, 2), (2, 3)):
            (out / "cancel").touch()

    for _ in range(2):
        with pytest.raises(Cancelled):
            run_training(asked(patches, epochs=4), out, resume=out.exists(), on_progress=stop)
        assert read_train_progress(out).state is RunState.CANCELLED
        assert read_train_progress(out).can_resume
    heard = []
    report = run_training(asked(patches, epochs=4), out, resume=True, on_progress=heard.append)
    learned = [p.epoch for p in heard if p.unit == 2 and p.figures and p.epoch]
    assert learned == [4]  # behind the kept epoch, not from the start
    assert read_train_progress(out).state is RunState.COMPLETE
    assert report["validation"] == through["validation"]
    for place in (".", "folds/01", "folds/02"):
        a, b = (job._read_tensors(folder / place, "impact") for folder in (whole, out))
        assert all(np.allclose(a[name], b[name], atol=1e-6) for name in a)


def test_a_finished_training_is_left_as_it_is_when_it_is_resumed(trained, patches):
    out, report, _ = trained
    before = (out / "impact.safetensors").stat().st_mtime_ns
    assert run_training(asked(patches, epochs=4), out, resume=True)["finished_at_utc"] == report["finished_at_utc"]
    assert (out / "impact.safetensors").stat().st_mtime_ns == before


def test_a_broken_state_begins_the_fold_anew(patches, tmp_path):
    out = tmp_path / "model"

    def stop(progress):
        if progress.epoch == 1:
            (out / "cancel").touch()

    with pytest.raises(Cancelled):
        run_training(asked(patches), out, on_progress=stop)
    (out / "folds/01/state.safetensors").write_bytes(b"broken")
    heard = []
    run_training(asked(patches), out, resume=True, on_progress=heard.append)
    assert any("begins anew" in progress.message for progress in heard)


def test_a_training_in_a_process_of_its_own_is_cancelled_within_two_seconds_and_resumed(patches, tmp_path, settings):
    out = tmp_path / "model"
    request = asked(patches, epochs=400, folds=1)
    start_training(request, out, settings=settings)
    until = time.monotonic() + 240
    while read_train_progress(out).epochs_done < 2:
        assert time.monotonic() < until, (out / "worker.log").read_text()[-2000:]
        time.sleep(0.1)
    started = time.monotonic()
    cancel(out)
    assert time.monotonic() - started < 3
    progress = read_train_progress(out)
    assert progress.state is RunState.CANCELLED
    assert not (out / "training.json").exists()
    with pytest.raises(RunError, match="another epochs"):
        run_training(replace(request, epochs=3), out, resume=True)


def test_fine_tuning_starts_from_a_models_weights_and_its_normalisation(patches, tmp_path, settings):
    windows = small_dataset(tmp_path / "windows", "discovery", count=12)
    first = run_training(replace(asked(windows, folds=1, epochs=1), net="discovery"), settings.models / "first")
    both = replace(asked(patches, folds=1, epochs=1), beside="first")
    run_training(both, settings.models / "both", settings=settings)
    model = load_model("both", settings)
    assert model.impact is not None
    again = replace(both, beside=None, mode="fine-tune", start_from="both", epochs=1)
    run_training(again, tmp_path / "again", settings=settings)
    card = read_card(tmp_path / "again/impact.json", "impact")
    assert card.mean == model.impact.mean
    tuned, start = job._read_tensors(tmp_path / "again", "impact"), load_tensors(model, "impact")
    assert 0 < np.abs(tuned["dense/kernel"] - start["dense/kernel"]).max() < 0.01
    assert first["threshold"] == 0.5 or 0.01 <= first["threshold"] <= 0.99
    wrong = replace(again, bands=("B3", "B2", "B4"))
    with pytest.raises(UsageError, match="same bands in the same order"):
        run_training(wrong, tmp_path / "wrong", settings=settings)


def test_discovery_tells_false_alarms_by_reason_and_takes_windows_in_bfloat16(tmp_path, settings):
    windows = small_dataset(tmp_path / "windows", "discovery", count=16, side=255)
    request = TrainRequest("discovery", str(windows.folder), folds=2, epochs=1, policy="mixed_bfloat16", final=False)
    report = run_training(request, tmp_path / "out", settings=settings)
    assert set(report["false_alarms_by_reason"]) == {"random", "irrigation_dam"}
    assert sum(row["samples"] for row in report["false_alarms_by_reason"].values()) == 8
    assert report["model"] == "none: only folds"
    assert not (tmp_path / "out/discovery.json").exists()
    assert read_card(tmp_path / "out/folds/01/discovery.json", "discovery").window_px == 255
    paper = run_training(replace(request, recipe="paper"), tmp_path / "paper", settings=settings)
    assert paper["threshold"] == 0.5
    assert read_card(tmp_path / "paper/folds/02/discovery.json", "discovery").window_px == 201


def test_the_default_recipe_leaves_a_spread_head_that_scans_and_that_can_be_tuned_further(tmp_path, settings):
    windows = small_dataset(tmp_path / "windows", "discovery", count=12, side=255)
    request = TrainRequest("discovery", str(windows.folder), folds=2, epochs=2, policy="float32")
    report = run_training(request, settings.models / "ours", settings=settings)
    model = load_model("ours", settings)
    assert (model.discovery.head, len(model.discovery.dark)) == ("spread", 3)
    assert report["model_epochs"] in (0, 1, 2)
    dn = np.random.default_rng(0).integers(800, 1_200, (260, 290, 3)).astype(np.uint16)
    nets = load_nets_for(model, "auto", Threads(), tmp_path / "proofs")
    scores = nets.discovery.head(nets.discovery.trunk(dn, None))
    network = keras().models.load_model(settings.models / "ours" / "discovery.keras", safe_mode=True)
    pixels = (dn - np.asarray(model.discovery.mean)) / np.asarray(model.discovery.std)
    np.testing.assert_allclose(network(pixels[None].astype(np.float32)).numpy()[0, ..., 1], scores, atol=5e-3)
    again = replace(request, mode="fine-tune", start_from="ours", folds=1, epochs=1)
    run_training(again, tmp_path / "again", settings=settings)
    tuned = read_card(tmp_path / "again/discovery.json", "discovery")
    assert (tuned.head, tuned.dark, tuned.mean) == ("spread", model.discovery.dark, model.discovery.mean)


def test_a_training_of_an_older_version_is_not_gone_on_with_under_another_head(tmp_path, settings):
    windows = small_dataset(tmp_path / "windows", "discovery", count=12)
    request = TrainRequest("discovery", str(windows.folder), folds=1, epochs=1, policy="float32", recipe="paper")
    out = tmp_path / "out"
    run_training(request, out, settings=settings)
    for file, key in (("request.json", "head"), ("folds/01/fold.json", "dark")):  # as they were before
        content = json.loads((out / file).read_text())
        del content[key]
        (out / file).write_text(json.dumps(content))
    (out / "training.json").unlink()
    assert run_training(request, out, resume=True, settings=settings)["net"] == "discovery"
    assert read_card(out / "discovery.json", "discovery").head == "context"
    stored = json.loads((out / "request.json").read_text())
    stored["request"]["recipe"] = "default"  # it was the paper's head under this name
    (out / "request.json").write_text(json.dumps(stored))
    with pytest.raises(RunError, match="begun with another head"):
        run_training(replace(request, recipe="default"), out, resume=True, settings=settings)


def test_a_net_with_the_papers_head_keeps_it_in_fine_tuning(tmp_path, settings):
    windows = small_dataset(tmp_path / "windows", "discovery", count=12)
    request = TrainRequest("discovery", str(windows.folder), folds=1, epochs=1, policy="float32", recipe="paper")
    run_training(request, settings.models / "old", settings=settings)
    again = replace(request, mode="fine-tune", start_from="old", recipe="default")
    run_training(again, tmp_path / "again", settings=settings)
    assert read_card(tmp_path / "again/discovery.json", "discovery").head == "context"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"folds": 13}, "12 samples of high and 13 folds"),
        ({"bands": ("B2", "B8")}, "has no B8"),
        ({"bands": ("B2", "B2")}, "twice"),
        ({"epochs": 0}, "0 epochs"),
        ({"folds": 0}, "0 folds"),
        ({"seed": -1}, "seed -1"),
        ({"recipe": "best"}, "no recipe"),
        ({"policy": "float16"}, "no precision"),
        ({"mode": "fine-tune"}, "no model"),
        ({"start_from": "demo-l1c"}, "a model"),
        ({"net": "discovery"}, "21 px"),
        ({"mode": "fine-tune", "start_from": "demo-l1c"}, "same bands"),
        ({"mode": "fine-tune", "start_from": "nobody"}, "no model 'nobody'"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_leaves_no_folder(changes, told, patches, tmp_path):
    with pytest.raises(MinediscError, match=told):
        run_training(replace(asked(patches), **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"level": None}, "product level"),
        ({"labels": ("high", "low")}, "12 high, 12 low"),
        ({"labels": ("high", "low", "no_ore", "gold")}, "gold"),
        ({"places": 1}, "places"),
        ({"splits": ["training"] * 23 + ["held-out"]}, None),
        ({"splits": (["training", "training", "validation"] * 8)}, "own training part holds no no_ore"),
    ],
)
def test_datasets_that_cannot_be_trained_on_are_refused(made, told, tmp_path):
    dataset = small_dataset(tmp_path / "set", count=24, **made)
    request = asked(dataset, folds=1, epochs=1)
    if told is None:
        report = run_training(request, tmp_path / "out")
        assert (report["dataset"]["held_out"], report["dataset"]["samples"]) == (1, 23)
        return
    with pytest.raises(UsageError, match=told):
        run_training(request, tmp_path / "out")


def test_the_datasets_own_division_counts_for_one_fold_and_must_not_part_a_place(tmp_path):
    splits = ["training"] * 18 + ["validation"] * 6
    own = small_dataset(tmp_path / "own", count=24, splits=splits)
    report = run_training(asked(own, folds=1, epochs=1), tmp_path / "out")
    assert report["folds"][0]["validation"]["samples"] == 6
    parted = small_dataset(tmp_path / "parted", count=24, splits=splits, places=3)
    with pytest.raises(UsageError, match="parts the place"):
        run_training(asked(parted, folds=1), tmp_path / "out2")


def test_a_damaged_dataset_is_refused_before_anything_is_learned(patches, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(patches.folder, folder)
    victim = folder / patches.samples[3].file
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes()[:-9])
    with pytest.raises(StoreError, match="was changed"):
        run_training(replace(asked(patches), dataset=str(folder)), tmp_path / "out")
    assert not (tmp_path / "out/folds").exists()
    with pytest.raises(StoreError, match="not a whole dataset"):
        run_training(replace(asked(patches), dataset=str(tmp_path)), tmp_path / "out2")


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(patches, tmp_path, trained):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds thesis\.txt"):
        run_training(asked(patches), taken)
    assert [path.name for path in taken.iterdir() if path.name != "lock"] == ["thesis.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        run_training(asked(patches), tmp_path / "file")
    with pytest.raises(RunError, match="--resume"):
        run_training(asked(patches, epochs=4), trained[0])
    (taken / "request.json").write_text('{"kind": "composite"}')
    with pytest.raises(RunError, match="another job"):
        run_training(asked(patches), taken, resume=True)


def test_two_processes_do_not_train_into_one_folder(patches, tmp_path):
    out, errors = tmp_path / "model", []

    def second(progress):
        if progress.epoch == 1 and not errors:
            thread = threading.Thread(target=attempt)
            thread.start()
            thread.join()

    def attempt():
        try:
            run_training(asked(patches), out, resume=True)
        except RunError as error:
            errors.append(error)

    run_training(asked(patches, folds=1), out, on_progress=second)
    assert "another process works" in str(errors[0])


def test_a_full_disk_stops_the_training_with_a_remedy_and_it_goes_on_when_there_is_room(patches, tmp_path, monkeypatch):
    from minedisc_core import runs

    out, sync, calls = tmp_path / "model", runs.os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 4:
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr(runs.os, "fsync", full)
    with pytest.raises(RunError, match="No space left"):
        run_training(asked(patches), out)
    assert not list(out.rglob(".*"))
    monkeypatch.setattr(runs.os, "fsync", sync)
    assert run_training(asked(patches), out, resume=True)["folds"]


def test_the_command_trains_prints_its_figures_and_refuses_with_exit_codes(patches, tmp_path, capsys):
    words = ["train", "--net", "impact", "--dataset", str(patches.folder), "--folds", "2", "--epochs", "1"]
    words += ["--policy", "float32", "--home", str(tmp_path / "home")]
    out = tmp_path / "model"
    assert main([*words, "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "fold 2 of 3, epoch 1 of 1" in shown.err
    assert "validation" in shown.out
    assert main([*words, "--out", str(out)]) == 1
    assert "--resume" in capsys.readouterr().err
    assert main([*words, "--out", str(out), "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folds"][1]["epochs"] == 1
    assert main([*words, "--out", str(tmp_path / "other"), "--bands", "B2,B9"]) == 2
    assert "has no B9" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_ctrl_c_keeps_what_was_trained_and_the_same_command_goes_on(patches, tmp_path):
    out = tmp_path / "model"
    words = [sys.executable, "-m", "minedisc_core.cli", "train", "--net", "impact", "--dataset", str(patches.folder)]
    words += ["--folds", "1", "--epochs", "9999", "--policy", "float32", "--out", str(out), "--recipe", "paper"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "epoch 3 " in line:
                process.send_signal(signal.SIGINT)
                started = time.monotonic()
                break
        process.wait(60)
        took = time.monotonic() - started
    assert process.returncode == 1
    assert took < 20, "the command did not stop"  # two seconds, and a state of 28 MB that a busy disk may be writing
    assert read_train_progress(out).state is RunState.CANCELLED
