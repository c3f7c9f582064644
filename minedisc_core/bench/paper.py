"""`minedisc bench paper`: the paper's table beside ours, on generated data in the paper's counts.

Discovery: 2,860 windows of 201 px, ten seeded draws of a fifth (572) to validate, as the paper's matrix implies;
impact: 1,275 patches of 21 px in ten folds. The recipe is the paper's. Everything is kept in a work folder: datasets,
each fold when it is done, and the epochs of the one that is not; with `resume` a run goes on where it stopped.

On generated data this proves the code, not the method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.detection.cards import PAPER_FIGURES
from minedisc_core.detection.networks import MINE, NetKind
from minedisc_core.errors import StoreError
from minedisc_core.jobs.train_progress import TrainProgress
from minedisc_core.jobs.train_request import TrainRequest
from minedisc_core.jobs.training import run_training
from minedisc_core.learning.datasets import Dataset, open_dataset
from minedisc_core.learning.demo_samples import COUNTS, write_demo_dataset
from minedisc_core.learning.study import classes_of
from minedisc_core.settings import load_settings

NOTE = "On generated data this proves the code, not the method."
PAPER_MATRICES: Mapping[NetKind, tuple[tuple[float, ...], ...]] = {
    "discovery": ((272.6, 5.1), (5.0, 289.3)),
    "impact": ((40.3, 1.9, 0.3), (1.6, 36.0, 4.9), (0.9, 3.0, 38.6)),
}
"""As printed in sections 5.2.3 (rows and columns: mine, not mine) and 5.2.4 (high, low, no ore)."""
GOALS: Mapping[NetKind, Mapping[str, float]] = {
    "discovery": {"accuracy": 0.9685, "f1": 0.9689},
    "impact": {"accuracy": 0.9270},
}
"""Of the validation, means over the folds."""
FOLDS = 10
DESCRIPTION = "Trained on generated scenes only, for `minedisc bench paper`: it has seen no real mine."


def bench_paper(
    samples: int | None = None,
    net: Literal["discovery", "impact", "both"] = "both",
    resamplings: int = FOLDS,
    epochs: int = 30,
    work: Path | None = None,
    resume: bool = False,
    policy: str = "auto",
    recipe: str = "paper",
    on_progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Train both nets as the paper did, ten times each; about an hour on two cores with bfloat16.

    Args:
        samples: another number of samples than the paper's (in its shares).
        net: one net, or both.
        resamplings: of discovery; folds of impact.
        epochs: the paper's are 30.
        work: folder for datasets and folds; None: `bench-paper` in the home.
        resume: go on with what the work folder holds; without it, trainings that were begun there are refused.
        policy: `float32`, `mixed_bfloat16`, or `auto`.
        recipe: another than the paper's shows what it brings on the same data (in folders of its own; its folds may
            be of places).
        on_progress: is told a sentence after each epoch.

    Raises:
        RunError: the work folder holds trainings of other settings, or some and `resume` is not set.
        MinediscError: the disk is full, or a training fails.
    """
    folder = work or load_settings().home / "bench-paper"
    chosen: tuple[NetKind, ...] = ("discovery", "impact") if net == "both" else (net,)
    found = {}
    for each in chosen:
        dataset = _dataset(folder, each, samples or COUNTS[each], on_progress)
        request = replace(_request(each, dataset, resamplings, epochs, policy), recipe=recipe)
        tell = _teller(each, on_progress)
        out = folder / (each if recipe == "paper" else f"{each}-{recipe}")
        found[each] = run_training(request, out, resume=resume or not _is_begun(out), on_progress=tell)
    figures = [one for each, result in found.items() for one in _figures(each, result)]
    beside = [row for each, result in found.items() for row in rows_beside(each, result)]
    results = {each: {**result, "paper_matrix": PAPER_MATRICES[each]} for each, result in found.items()}
    return report("paper", figures, note=NOTE, beside=beside, work=str(folder), results=results)


def _is_begun(folder: Path) -> bool:
    return (folder / "request.json").is_file()


def _request(net: NetKind, dataset: Dataset, count: int, epochs: int, policy: str) -> TrainRequest:
    folds, drawn = (1, count) if net == "discovery" else (count, 0)
    return TrainRequest(
        net, str(dataset.folder), recipe="paper", epochs=epochs, policy=policy, final=False, folds=folds,
        resamplings=drawn, description=DESCRIPTION, is_demonstration=True,
    )  # fmt: skip


def _dataset(folder: Path, net: NetKind, count: int, on_progress: Callable[[str], None] | None) -> Dataset:
    """The generated dataset, made once."""
    place = folder / "datasets" / f"{net}-{count}"
    try:
        return open_dataset(place, check_files=False)
    except StoreError:
        if place.exists():
            raise

    def told(done: int, wanted: int) -> None:
        if on_progress:
            on_progress(f"{net}: generating samples, {done:,} of {wanted:,}")

    return write_demo_dataset(place, net, count=count, on_progress=told)


def _teller(net: NetKind, on_progress: Callable[[str], None] | None) -> Callable[[TrainProgress], None]:
    def told(progress: TrainProgress) -> None:
        if on_progress:
            on_progress(f"{net}: {progress.sentence}")

    return told


def _figures(net: NetKind, result: Mapping[str, Any]) -> list[Figure]:
    text, validation = PAPER_FIGURES[net], result["validation"]
    matrix = f"its matrix: {accuracy_of(PAPER_MATRICES[net]):.3f}"
    said = text["training_accuracy"], text["validation_accuracy"]
    folds = len(result["folds"])
    rows = [
        figure(f"{net}: folds", folds, "folds"),
        figure(f"{net}: training accuracy", result["training"]["accuracy"]["mean"], "fraction",
               baseline=f"paper: {said[0]}"),
        figure(f"{net}: validation accuracy", validation["accuracy"]["mean"], "fraction",
               f">= {GOALS[net]['accuracy']}", f"paper: {said[1]}; {matrix}"),
    ]  # fmt: skip
    if "f1" in GOALS[net]:
        of_matrix = f"its matrix: {f1_of(PAPER_MATRICES[net]):.3f}"
        rows.append(
            figure(f"{net}: F1", validation["f1"]["mean"], "fraction", f">= {GOALS[net]['f1']}",
                   f"paper: {text['f1']}; {of_matrix}")
        )  # fmt: skip
    return [*rows, figure(f"{net}: all folds", result["seconds"], "s")]


def rows_beside(net: NetKind, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The paper's table beside ours: a row per statement, and the mean confusion matrices.

    Args:
        net: which net.
        result: of its training (`jobs.training`).
    """
    text, training, validation = PAPER_FIGURES[net], result["training"], result["validation"]
    printed = PAPER_MATRICES[net]
    rows = [
        _row(net, "training accuracy", text["training_accuracy"], None, training["accuracy"]),
        _row(net, "validation accuracy", text["validation_accuracy"], accuracy_of(printed), validation["accuracy"]),
        _row(net, "validation F1", text.get("f1"), f1_of(printed), validation["f1"]),
    ]
    names = classes_of(net)
    ours = np.asarray(validation["confusion"])
    order = [MINE, 1 - MINE] if net == "discovery" else [0, 1, 2]  # the paper prints the mines first
    for i, row in enumerate(printed):
        for j, value in enumerate(row):
            told = f"mean confusion: {names[order[i]]} taken for {names[order[j]]}"
            rows.append({"net": net, "what": told, "paper_text": None, "paper_matrix": value,
                         "ours": round(float(ours[order[i], order[j]]), 2), "deviation": None})  # fmt: skip
    return rows


def _row(
    net: NetKind, what: str, text: float | None, matrix: float | None, ours: Mapping[str, float]
) -> dict[str, Any]:
    rounded = None if matrix is None else round(matrix, 4)
    return {"net": net, "what": what, "paper_text": text, "paper_matrix": rounded,
            "ours": ours["mean"], "deviation": ours["deviation"]}  # fmt: skip


def accuracy_of(matrix: tuple[tuple[float, ...], ...]) -> float:
    """Accuracy that a confusion matrix adds up to: 0.982 and 0.901 for the paper's."""
    counts = np.asarray(matrix)
    return float(counts.trace() / counts.sum())


def f1_of(matrix: tuple[tuple[float, ...], ...]) -> float:
    """F1 of the first class of two, or the mean over three classes, that a matrix adds up to."""
    counts = np.asarray(matrix)
    of_each = 2 * counts.diagonal() / (counts.sum(axis=0) + counts.sum(axis=1))
    return float(of_each[0] if len(counts) == 2 else of_each.mean())
