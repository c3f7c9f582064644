"""How far a training is: a line for each epoch in `progress.jsonl`, and what they add up to."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minedisc_core.domain import RunState
from minedisc_core.errors import RunError
from minedisc_core.jobs.ownership import is_alive
from minedisc_core.jobs.progress import LineFile, read_lines, stopped
from minedisc_core.runs import CANCEL, PROGRESS, REQUEST

RESULT = "training.json"
"""What all folds together showed; written last: with it the training is finished."""
_RECENT = 12
"""Epochs whose median is the guess for those that are left."""


@dataclass(frozen=True)
class TrainProgress:
    """How far a training is, for a page or a terminal."""

    state: RunState
    unit: int
    """Fold that is being trained, from 1; one more than the folds: the model of all samples."""
    units: int
    """Folds, and the model of all samples where there is one."""
    epoch: int
    """Last epoch of this fold."""
    epochs: int
    """Of each fold, at most."""
    epochs_done: int
    """In all folds; those that early stopping saved count as done."""
    seconds_left: float | None
    """None while nothing can be said."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Of the last epoch: loss, accuracy, validation_loss, validation_accuracy."""
    message: str = ""
    """One sentence: what is being done, or why it ended."""
    can_resume: bool = False

    @property
    def fraction(self) -> float:
        """Share of the epochs that is done, 0..1."""
        return self.epochs_done / (self.units * self.epochs) if self.units else 0.0

    @property
    def is_over(self) -> bool:
        """Whether no process works on the training."""
        return self.state is not RunState.RUNNING

    @property
    def sentence(self) -> str:
        """For a line in a terminal: fold, epoch, figures, time left."""
        parts = [self.message]
        if self.epoch:
            parts = [f"fold {self.unit} of {self.units}, epoch {self.epoch} of {self.epochs}"]
            parts += [f"{name.replace('_', ' ')} {value:.4f}" for name, value in self.figures.items()]
        if self.seconds_left is not None:
            parts.append(f"{self.seconds_left / 60:,.0f} min left")
        return ", ".join(parts)


class TrainLog:
    """Appends to `progress.jsonl` and tells a listener; used from one thread."""

    def __init__(self, folder: Path, on_progress: Callable[[TrainProgress], None] | None = None) -> None:
        self._lines, self._on_progress, self._tally = LineFile(folder / PROGRESS), on_progress, _Tally()

    def start(self, units: int, epochs: int) -> None:
        """An attempt begins, or goes on."""
        self._write({"kind": "start", "units": units, "epochs": epochs})

    def unit(self, number: int, epochs_before: int) -> None:
        """A fold begins, or goes on behind `epochs_before` epochs."""
        self._write({"kind": "unit", "unit": number, "epochs_before": epochs_before})

    def epoch(self, number: int, shown: Mapping[str, float]) -> None:
        """An epoch is done."""
        self._write({"kind": "epoch", "epoch": number, **shown})

    def unit_done(self, number: int) -> None:
        """A fold is done, or was found done."""
        self._write({"kind": "unit_done", "unit": number})

    def phase(self, message: str) -> None:
        """What is done now, in words."""
        self._write({"kind": "phase", "message": message})

    def _write(self, line: dict[str, Any]) -> None:
        self._tally.add(self._lines.append(line))
        if self._on_progress:
            self._on_progress(self._tally.progress(RunState.RUNNING))


class _Tally:
    """The sum of the lines of one attempt."""

    def __init__(self) -> None:
        self.units = self.epochs = self.unit = self.epoch = self.finished = 0
        self.seconds: list[float] = []
        self.figures: dict[str, float] = {}
        self.message = "starting"

    def add(self, line: Mapping[str, Any]) -> None:
        kind = line.get("kind")
        if kind == "start":
            self.__init__()  # type: ignore[misc]  # a new attempt counts from nothing
            self.units, self.epochs = int(line["units"]), int(line["epochs"])
        elif kind == "unit":
            self.unit, self.epoch = int(line["unit"]), int(line["epochs_before"])
            self.figures = {}
            self.message = f"training fold {self.unit} of {self.units}"
        elif kind == "epoch":
            self._add_epoch(line)
        elif kind == "unit_done":
            self.finished, self.epoch = max(self.finished, int(line["unit"])), 0
        elif kind == "phase":
            self.message, self.epoch = str(line["message"]), 0

    def _add_epoch(self, line: Mapping[str, Any]) -> None:
        self.epoch = int(line["epoch"])
        self.seconds = [*self.seconds, float(line["seconds"])][-_RECENT:]
        names = ("loss", "accuracy", "validation_loss", "validation_accuracy")
        self.figures = {name: float(line[name]) for name in names if name in line}

    def progress(self, state: RunState, message: str | None = None, can_resume: bool = False) -> TrainProgress:
        done = self.finished * self.epochs + self.epoch
        left = None
        if self.seconds and state is RunState.RUNNING:
            left = (self.units * self.epochs - done) * statistics.median(self.seconds)
        return TrainProgress(
            state, self.unit, self.units, self.epoch, self.epochs, done, left, self.figures, message or self.message,
            can_resume,
        )  # fmt: skip


def read_train_progress(folder: Path) -> TrainProgress:
    """How far a training is, read from its folder; works in any process.

    Raises:
        RunError: the folder holds no training.
    """
    if not (folder / REQUEST).is_file():
        raise RunError(f"{folder} holds no training", f"a folder with a {REQUEST}", "train first")
    tally = _Tally()
    for line in read_lines(folder / PROGRESS):
        tally.add(line)
    alive = is_alive(folder)
    if alive:
        message = "stopping" if (folder / CANCEL).exists() else None
        return tally.progress(RunState.RUNNING, message)
    if (folder / RESULT).exists():
        return tally.progress(RunState.COMPLETE, "finished")
    return tally.progress(*stopped(folder))
