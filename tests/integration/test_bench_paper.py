"""The paper's table beside ours, in small: what the full run prints is checked in shape and arithmetic."""

import json

import numpy as np
import pytest

from minedisc_core.bench import train as bench_train_module
from minedisc_core.bench.paper import PAPER_MATRICES, accuracy_of, bench_paper, f1_of
from minedisc_core.bench.train import bench_train
from minedisc_core.cli import main
from minedisc_core.errors import RunError
from minedisc_core.learning import demo_samples
from tests.training_sets import small_dataset

pytestmark = pytest.mark.tensorflow


def test_the_papers_matrices_add_up_to_other_figures_than_its_text():
    assert accuracy_of(PAPER_MATRICES["discovery"]) == pytest.approx(0.982, abs=5e-4)
    assert f1_of(PAPER_MATRICES["discovery"]) == pytest.approx(0.982, abs=5e-4)
    assert accuracy_of(PAPER_MATRICES["impact"]) == pytest.approx(0.901, abs=5e-4)
    assert np.sum(PAPER_MATRICES["discovery"]) == pytest.approx(572)
    assert np.sum(PAPER_MATRICES["impact"]) == pytest.approx(127.5, abs=0.1)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A work folder with both trainings done, on datasets of one generated scene each."""
    folder = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_samples, "_LEAST_PLACES", 1)
        found = bench_paper(24, resamplings=2, epochs=2, work=folder, policy="float32")
    return folder, found


def test_the_report_holds_both_nets_beside_the_paper_and_says_what_it_proves(work):
    _, found = work
    assert "proves the code, not the method" in found["note"]
    by_name = {figure["name"]: figure for figure in found["figures"]}
    accuracy = by_name["discovery: validation accuracy"]
    assert accuracy["goal"] == ">= 0.9685"
    assert accuracy["holds"] == (accuracy["value"] >= 0.9685)
    assert "0.982" in accuracy["baseline"]
    assert "0.9685" in accuracy["baseline"]
    assert by_name["discovery: F1"]["goal"] == ">= 0.9689"
    assert by_name["impact: validation accuracy"]["goal"] == ">= 0.927"
    rows = [row for row in found["beside"] if "confusion" in row["what"]]
    assert [row["paper_matrix"] for row in rows[:4]] == [272.6, 5.1, 5.0, 289.3]
    assert rows[0]["what"] == "mean confusion: mine taken for mine"
    assert sum(row["ours"] for row in rows[:4]) == pytest.approx(5)  # a fifth of 24
    assert sum(row["ours"] for row in rows[4:]) == pytest.approx(12)  # one of two folds


def test_a_run_goes_on_with_what_its_work_folder_holds_and_only_if_it_is_asked_to(work):
    folder, found = work
    with pytest.raises(RunError, match="begun"):
        bench_paper(24, resamplings=2, epochs=2, work=folder, policy="float32")
    again = bench_paper(24, resamplings=2, epochs=2, work=folder, policy="float32", resume=True)
    assert again["beside"] == found["beside"]
    with pytest.raises(RunError, match="another resamplings"):
        bench_paper(24, net="discovery", resamplings=3, epochs=2, work=folder, policy="float32", resume=True)


def test_the_command_prints_the_table_and_refuses_options_of_other_benchmarks(work, capsys):
    folder, _ = work
    words = ["bench", "paper", "--size", "24", "--net", "impact", "--resamplings", "2", "--epochs", "2"]
    words += ["--policy", "float32", "--work", str(folder), "--resume"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "paper matrix" in told
    assert "proves the code, not the method" in told
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bench"] == "paper"
    assert main(["bench", "store", "--net", "impact"]) == 2


def test_the_contenders_train_in_turns_and_each_is_measured(tmp_path, monkeypatch):
    small_dataset(tmp_path / "datasets" / "discovery-20", "discovery", count=20)
    monkeypatch.setattr(bench_train_module, "has_bfloat16", lambda: False)
    found = bench_train(20, epochs=3, work=tmp_path)
    assert [row["contender"] for row in found["beside"]] == ["Keras float32", "ours float32", "ours, default recipe"]
    assert all(row["s_per_epoch"] > 0 and row["peak_mb"] > 100 for row in found["beside"])
    waits = [figure for figure in found["figures"] if "waits for data" in figure["name"]]
    assert [figure["goal"] for figure in waits] == ["< 0.1", "< 0.1"]
    assert all(0 <= figure["value"] < 1 for figure in waits)
