"""From a request to a trained model in a folder: fold by fold, epoch by epoch, cancelled and resumed at will.

request.json, progress.jsonl, cancel, failed.json   as of every job
folds/NN/state.safetensors   how far the fold is (weights, Adam's moments, history); gone when it is done
folds/NN/NET.json, NET.safetensors, fold.json   the fold's net with its card, and what it showed; fold.json comes last
final/                       the same of the model of all samples
NET.json, NET.safetensors    the model: with both nets, a model folder as every command takes it
NET.keras                    the same net as Keras writes it: takes z-scores, gives probabilities
curves.png, training.json    the training curves; what all folds together showed, written last
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import load_tensors, save_net, weights_path
from minedisc_core.detection.networks import NetKind, Tensors, keras_bytes
from minedisc_core.errors import UsageError
from minedisc_core.jobs.ownership import sole_worker
from minedisc_core.jobs.process import ScanProcess, start_job
from minedisc_core.jobs.progress import FAILED
from minedisc_core.jobs.train_progress import RESULT, TrainLog, TrainProgress
from minedisc_core.jobs.train_report import finished_report, fold_card, model_card
from minedisc_core.jobs.train_request import (
    ReadyTraining,
    TrainRequest,
    enter_training,
    prepare,
    read_train_request,
)
from minedisc_core.learning.batches import Windows
from minedisc_core.learning.curves import training_curves
from minedisc_core.learning.datasets import open_dataset
from minedisc_core.learning.fitting import Fit, FitPlan, FitState
from minedisc_core.learning.folds import Split
from minedisc_core.learning.step import ready_windows
from minedisc_core.learning.study import fold_record, study_figures, windows_of
from minedisc_core.learning.training import dark_of, normalisation
from minedisc_core.runs import CANCEL, read_json, write_atomically, write_json
from minedisc_core.settings import Settings, load_settings

FOLDS, FINAL = "folds", "final"
FOLD_RESULT, STATE = "fold.json", "state.safetensors"
CURVES = "curves.png"
CHECKPOINT_S = 10.0
"""The state is kept after an epoch if the last one kept is at least this old: what a crash costs at most."""
_READY_SHARE = 0.6
"""Of the free memory that normalised windows may take at most."""


def run_training(
    request: TrainRequest,
    out: Path,
    *,
    resume: bool = False,
    on_progress: Callable[[TrainProgress], None] | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Train in this process and leave a finished folder; gives what `training.json` holds.

    Args:
        request: what to train, on what.
        out: the folder; new or empty, or begun by the same request if `resume`.
        resume: go on with what was begun: finished folds are not repeated, an unfinished one goes on behind its last
            kept epoch; a training that is whole is left as it is.
        on_progress: called after each epoch and at each step.
        settings: folders of models; None reads the environment.

    Raises:
        Cancelled: the folder's `cancel` flag was set; what was trained is kept.
        MinediscError: the request cannot be met, or the disk is full.
    """
    chosen = settings or load_settings()
    ready = prepare(request, chosen)
    with _claimed(out, ready, resume=resume):
        (out / CANCEL).unlink(missing_ok=True)
        return _Training(ready, out, on_progress).execute()


@contextmanager
def _claimed(out: Path, ready: ReadyTraining, *, resume: bool) -> Iterator[None]:
    """Hold the folder and write the request; a refused request leaves no folder behind that was not there."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "a new folder", "choose another name")
    is_new = not out.exists()
    with sole_worker(out):
        try:
            enter_training(ready, out, resume=resume)
        except BaseException:
            if is_new:
                shutil.rmtree(out, ignore_errors=True)
            raise
        yield


def start_training(
    request: TrainRequest, out: Path, *, resume: bool = False, settings: Settings | None = None
) -> ScanProcess:
    """Check a request, then train in a process of its own that outlives this one (`jobs.cancel` stops it).

    Raises:
        RunError: the folder holds another training, or a process that works on it.
        MinediscError: the request cannot be met (nothing is started).
    """
    chosen = settings or load_settings()
    ready = prepare(request, chosen)
    return start_job(out, lambda: enter_training(ready, out, resume=resume), chosen)


def work_on_training(out: Path) -> dict[str, Any]:
    """Go on with what `start_training` has entered; a cancel flag that came in the meantime counts.

    Raises:
        MinediscError: as `run_training`.
    """
    ready = prepare(read_train_request(out), load_settings())
    with sole_worker(out):
        enter_training(ready, out, resume=True)
        return _Training(ready, out, None).execute()


class _Training:
    """One attempt at a training."""

    def __init__(self, ready: ReadyTraining, out: Path, on_progress: Callable[[TrainProgress], None] | None) -> None:
        self.ready, self.out, self.net = ready, out, ready.request.net
        self.log = TrainLog(out, on_progress)
        self.windows: Windows | None = None
        self.buffer: Windows | None = None
        self.kept_at = time.monotonic()

    def execute(self) -> dict[str, Any]:
        """Everything, in order; `training.json` is written last."""
        if (self.out / RESULT).is_file():
            return read_json(self.out / RESULT)
        (self.out / FAILED).unlink(missing_ok=True)
        ready = self.ready
        self.log.start(len(ready.splits) + ready.trains_final, ready.epochs)
        records = [self._fold(number, split) for number, split in enumerate(ready.splits, 1)]
        figures = study_figures(records, ready.examples, self.net, ready.recipe)
        final = self._final(records) if ready.trains_final else None
        self.log.phase("writing the model")
        return self._finish(records, figures, final)

    def _fold(self, number: int, split: Split) -> dict[str, Any]:
        return self._unit(self.out / FOLDS / f"{number:02}", number, split, self.ready.epochs)

    def _final(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        """A net of all samples, for as many epochs as the folds found best (or all, where the last counts)."""
        epochs = self.ready.epochs
        if self.ready.recipe.keep == "best":
            epochs = round(statistics.median(record["best_epoch"] for record in records))
        everything = np.arange(len(self.ready.examples.labels))
        return self._unit(self.out / FINAL, len(records) + 1, Split(everything, everything[:0]), epochs)

    def _unit(self, folder: Path, number: int, split: Split, epochs: int) -> dict[str, Any]:
        if (folder / FOLD_RESULT).is_file():
            self.log.unit_done(number)
            return read_json(folder / FOLD_RESULT)
        fit = self._taken_up(split, number, folder / STATE)
        if fit.needs_warming:
            self.log.phase("fitting the head on the ground")
        self.log.unit(number, fit.state.epoch)
        fit.run(epochs, lambda state: self._after_epoch(fit, state, folder), self._is_cancelled)
        seconds = sum(epoch["seconds"] for epoch in fit.state.history)
        record = fold_record(fit, self.ready.examples, number, seconds)
        record |= {"mean": list(fit.plan.mean), "std": list(fit.plan.std), "dark": list(fit.plan.dark)}
        save_net(folder, fold_card(self.ready, record), fit.tensors())
        write_json(folder / FOLD_RESULT, record)
        (folder / STATE).unlink(missing_ok=True)
        self.log.unit_done(number)
        return record

    def _fit(self, split: Split, number: int) -> Fit:
        ready, windows = self.ready, self._dn()
        start, card = self._start()
        own = (card.mean, card.std) if card else (None, None)
        mean, std = normalisation(windows, split.training, *own)
        dark: tuple[float, ...] = ()
        if self.net == "discovery" and ready.recipe.head == "spread":
            dark = card.dark if card else dark_of(windows, mean, split.training)
        entering = self._normalised(windows, mean, std)
        plan = FitPlan(
            self.net, ready.recipe, mean, std, ready.policy, ready.request.seed + number,
            start=start, is_ready=entering is not windows, dark=dark,
        )  # fmt: skip
        return Fit(plan, entering, ready.examples.labels, split)

    def _start(self) -> tuple[Tensors | None, ModelCard | None]:
        model = self.ready.start
        if model is None:
            return None, None
        return load_tensors(model, self.net), model.discovery if self.net == "discovery" else model.impact

    def _dn(self) -> Windows:
        """The windows, read once; each file is compared with its hash before."""
        if self.windows is None:
            ready = self.ready
            self.log.phase("reading the samples")
            open_dataset(ready.dataset.folder)
            self.windows = windows_of(ready.dataset, ready.examples, self.net, ready.bands, ready.recipe)
        return self.windows

    def _normalised(self, windows: Windows, mean: tuple[float, ...], std: tuple[float, ...]) -> Windows:
        """Windows ready for bfloat16, in memory that all folds share; where it lacks, DN that the graph normalises."""
        if self.ready.policy == "float32":
            return windows
        if self.buffer is None:
            if windows.nbytes > _READY_SHARE * psutil.virtual_memory().available:
                return windows
            self.buffer = np.empty_like(windows)
        return ready_windows(windows, mean, std, self.buffer)

    def _taken_up(self, split: Split, number: int, state: Path) -> Fit:
        """The fold's training, as far as it was kept; a broken state is left aside, and the fold begins anew."""
        fit = self._fit(split, number)
        if not state.is_file():
            return fit
        try:
            fit.unpack(state.read_bytes())
        except UsageError as error:
            self.log.phase(f"the fold begins anew: {error.found}")
            return self._fit(split, number)
        return fit

    def _after_epoch(self, fit: Fit, state: FitState, folder: Path) -> None:
        if time.monotonic() - self.kept_at >= CHECKPOINT_S:
            write_atomically(folder / STATE, fit.pack())
            self.kept_at = time.monotonic()
        self.log.epoch(state.epoch, state.history[-1])

    def _is_cancelled(self) -> bool:
        return (self.out / CANCEL).exists()

    def _finish(
        self, records: list[dict[str, Any]], figures: dict[str, Any], final: dict[str, Any] | None
    ) -> dict[str, Any]:
        ready, chosen = self.ready, final or records[0]
        report = finished_report(ready, records, figures, final)
        folder = self.out / FINAL if final else self.out / FOLDS / "01"
        if final or len(records) == 1:
            tensors = _read_tensors(folder, self.net)
            card = model_card(ready, self.out.name, chosen, report)
            save_net(self.out, card, tensors)
            _write_keras(self.out / f"{self.net}.keras", card, tensors)
            self._put_beside()
        title = f"{self.net} net, {ready.dataset.version}, recipe {ready.recipe.name}: accuracy"
        write_atomically(self.out / CURVES, training_curves(title, [record["history"] for record in records]))
        write_json(self.out / RESULT, report)
        return report

    def _put_beside(self) -> None:
        """The other net of the model that was named, unchanged."""
        model = self.ready.beside
        other: NetKind = "impact" if self.net == "discovery" else "discovery"
        card = model and (model.impact if other == "impact" else model.discovery)
        if model and card:
            save_net(self.out, replace(card, name=self.ready.request.name or self.out.name), load_tensors(model, other))


def _read_tensors(folder: Path, net: NetKind) -> dict[str, NDArray[np.float32]]:
    from safetensors.numpy import load

    return dict(load(weights_path(folder, net).read_bytes()))


def _write_keras(path: Path, card: ModelCard, tensors: Tensors) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".keras.") as scratch:
        write_atomically(path, keras_bytes(card.net, tensors, Path(scratch), card.ground))
