"""`minedisc bench train`: epochs of our training beside a plain Keras `fit` over the same arrays, in turns.

Each contender is a process of its own that keeps its arrays in memory, so that neither's threads or memory touch the
other's: ours in float32 and, where the processor has it, in bfloat16; Keras with the same net, optimizer and batches
over z-scored float32 arrays, also in both. Then all are trained to the end, and their figures on the same validation
windows are compared: faster is worth nothing if it learns something else.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.detection.networks import build_discovery, keras
from minedisc_core.errors import StoreError
from minedisc_core.learning.batches import Windows
from minedisc_core.learning.datasets import Dataset, open_dataset
from minedisc_core.learning.demo_samples import write_demo_dataset
from minedisc_core.learning.evaluation import classification_figures
from minedisc_core.learning.fitting import Fit, FitPlan
from minedisc_core.learning.folds import Split, resamplings
from minedisc_core.learning.precision import Policy, has_bfloat16
from minedisc_core.learning.recipes import DEFAULT, PAPER, Recipe
from minedisc_core.learning.step import ready_windows
from minedisc_core.learning.study import examples_of, windows_of
from minedisc_core.learning.training import dark_of, normalisation, part_figures

SEED = 1


@dataclass(frozen=True)
class Contender:
    """One way to train."""

    name: str
    is_keras: bool
    policy: Policy
    recipe: Recipe = PAPER


OURS, KERAS = Contender("ours float32", False, "float32"), Contender("Keras float32", True, "float32")
OURS_16 = Contender("ours bfloat16", False, "mixed_bfloat16")
KERAS_16 = Contender("Keras bfloat16", True, "mixed_bfloat16")
TURNED = Contender("ours, default recipe", False, "float32", DEFAULT)


@dataclass
class Clock:
    """What one contender showed."""

    seconds: list[float] = field(default_factory=list)
    """Of each epoch after the first."""
    cpu_seconds: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    """Share of each epoch in which the net waited for batches."""
    peak_mb: float = 0.0
    validation: dict[str, Any] = field(default_factory=dict)


def bench_train(
    windows: int = 240,
    epochs: int = 12,
    work: Path | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Time the epochs of all contenders in turns, on generated windows of 201 px; minutes.

    Args:
        windows: samples of the generated dataset; a fifth validates.
        epochs: epochs of each contender; the first, in which graphs are made, is not counted.
        work: folder that keeps the dataset for the next time; None: a temporary one.
        on_progress: is told a sentence now and then.
    """
    with tempfile.TemporaryDirectory(prefix="minedisc-bench-") as scratch:
        dataset = _dataset(work or Path(scratch), windows, on_progress)
        contenders = [KERAS, OURS, TURNED, *([KERAS_16, OURS_16] if has_bfloat16() else [])]
        clocks = _in_turns(contenders, dataset.folder, epochs, on_progress)
    beside = [_row(name, clock) for name, clock in clocks.items()]
    return report("train", _figures(clocks), beside=beside, windows=windows, epochs=epochs)


def _dataset(folder: Path, count: int, on_progress: Callable[[str], None] | None) -> Dataset:
    place = folder / "datasets" / f"discovery-{count}"
    try:
        return open_dataset(place, check_files=False)
    except StoreError:
        if place.exists():
            raise
    if on_progress:
        on_progress(f"generating {count} windows")
    return write_demo_dataset(place, "discovery", count=count)


def _in_turns(
    contenders: Sequence[Contender], dataset: Path, epochs: int, on_progress: Callable[[str], None] | None
) -> dict[str, Clock]:
    """Epoch by epoch, each contender in turn; every other round in the opposite order."""
    context = multiprocessing.get_context("spawn")
    pools = {each.name: ProcessPoolExecutor(1, context) for each in contenders}
    clocks = {each.name: Clock() for each in contenders}
    try:
        for each in contenders:
            pools[each.name].submit(_prepare, each, str(dataset)).result()
        for number in range(1, epochs + 1):
            for each in contenders if number % 2 else contenders[::-1]:
                _take(clocks[each.name], pools[each.name].submit(_epoch, number).result(), number)
            if on_progress:
                on_progress(f"epoch {number} of {epochs}")
        for each in contenders:
            clocks[each.name].validation = pools[each.name].submit(_validation).result()
    finally:
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)
    return clocks


def _take(clock: Clock, shown: dict[str, float], number: int) -> None:
    clock.peak_mb = max(clock.peak_mb, shown["rss_mb"])
    if number > 1:
        clock.seconds.append(shown["seconds"])
        clock.cpu_seconds.append(shown["cpu_seconds"])
        clock.waited.append(shown["waited"])


class _Runner:
    """Lives in a contender's process."""

    def __init__(self, contender: Contender, dataset: Dataset) -> None:
        examples = examples_of(dataset, "discovery")
        self.labels = examples.labels
        self.split = resamplings(examples.labels, examples.places, 1, "samples", SEED)[0]
        windows = windows_of(dataset, examples, "discovery", dataset.bands, PAPER)
        self.mean, self.std = normalisation(windows, self.split.training)
        self._learn: _Ours | _Plain = (_Plain if contender.is_keras else _Ours)(contender, self, windows)

    def epoch(self, number: int) -> dict[str, float]:
        """One epoch, timed."""
        before, started = psutil.Process().cpu_times(), time.perf_counter()
        waited = self._learn.epoch(number)
        seconds, after = time.perf_counter() - started, psutil.Process().cpu_times()
        cpu = after.user + after.system - before.user - before.system
        return {"seconds": seconds, "cpu_seconds": cpu, "waited": waited / seconds, "rss_mb": _peak_mb()}

    def validation(self) -> dict[str, Any]:
        """Figures on the validation windows."""
        return self._learn.figures()


class _Ours:
    def __init__(self, contender: Contender, runner: _Runner, windows: Windows) -> None:
        is_ready = contender.policy != "float32"
        entering = ready_windows(windows, runner.mean, runner.std) if is_ready else windows
        dark = dark_of(windows, runner.mean, runner.split.training) if contender.recipe.head == "spread" else ()
        plan = FitPlan(
            "discovery", contender.recipe, runner.mean, runner.std, contender.policy, SEED, is_ready=is_ready, dark=dark
        )
        self.fit = Fit(plan, entering, runner.labels, Split(runner.split.training, runner.split.validation[:0]))
        self.validation = runner.split.validation
        if dark:
            self.fit.warm()

    def epoch(self, number: int) -> float:
        self.fit.advance(number)
        return float(self.fit.state.history[-1]["waited_s"])

    def figures(self) -> dict[str, Any]:
        return part_figures(self.fit, self.validation)


class _Plain:
    """What one would write without this project: z-scored float32 arrays and `model.fit`."""

    def __init__(self, contender: Contender, runner: _Runner, windows: Windows) -> None:
        keras().utils.set_random_seed(SEED)
        mean, std = np.asarray(runner.mean, np.float32), np.asarray(runner.std, np.float32)
        self.x: NDArray[np.float32] = (windows - mean) / std
        self.x[(windows == 0).any(axis=-1)] = 0
        self.y, self.split = runner.labels, runner.split
        self.model = build_discovery(windows.shape[-1], policy=contender.policy, side_px=windows.shape[1])
        flat = keras().layers.Flatten()(self.model.output)
        self.model = keras().Model(self.model.input, flat)
        self.model.compile(keras().optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.inputs = (self.x[self.split.training], self.y[self.split.training])

    def epoch(self, number: int) -> float:  # noqa: ARG002 - Keras counts for itself
        self.model.fit(*self.inputs, batch_size=PAPER.batch, epochs=1, verbose=0)
        return 0.0

    def figures(self) -> dict[str, Any]:
        scores = self.model.predict(self.x[self.split.validation], verbose=0)
        return classification_figures(self.y[self.split.validation], scores.argmax(axis=1))


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_running: list[_Runner] = []
"""The contender of this process."""


def _prepare(contender: Contender, dataset: str) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    _running[:] = [_Runner(contender, open_dataset(Path(dataset), check_files=False))]


def _epoch(number: int) -> dict[str, float]:
    return _running[0].epoch(number)


def _validation() -> dict[str, Any]:
    return _running[0].validation()


def _row(name: str, clock: Clock) -> dict[str, Any]:
    return {
        "contender": name,
        "s_per_epoch": round(statistics.median(clock.seconds), 3),
        "cpu_s": round(statistics.median(clock.cpu_seconds), 3),
        "waited": round(statistics.median(clock.waited), 4),
        "peak_mb": round(clock.peak_mb),
        "accuracy": clock.validation["accuracy"],
        "f1": clock.validation["f1"],
    }


def _figures(clocks: dict[str, Clock]) -> list[Figure]:
    figures = [_faster(clocks, OURS, KERAS), _cheaper(clocks, OURS, KERAS)]
    figures += [_waiting(clocks, each) for each in (OURS, TURNED)]
    if OURS_16.name in clocks:
        figures += [_faster(clocks, OURS_16, KERAS), _faster(clocks, OURS_16, KERAS_16), _faster(clocks, OURS_16, OURS)]
        figures += [_waiting(clocks, OURS_16), _apart(clocks, OURS_16, OURS)]
    return [*figures, _apart(clocks, OURS, KERAS), _memory(clocks)]


def _median(clocks: dict[str, Clock], which: Contender, what: str) -> float:
    return float(statistics.median(getattr(clocks[which.name], what)))


def _faster(clocks: dict[str, Clock], one: Contender, other: Contender) -> Figure:
    ratio = _median(clocks, other, "seconds") / _median(clocks, one, "seconds")
    return figure(f"{one.name}: faster per epoch than {other.name}", ratio, "x", ">= 1", f"{other.name}, in turns")


def _cheaper(clocks: dict[str, Clock], one: Contender, other: Contender) -> Figure:
    ratio = _median(clocks, other, "cpu_seconds") / _median(clocks, one, "cpu_seconds")
    return figure(f"{one.name}: less processor time than {other.name}", ratio, "x", ">= 1", f"{other.name}, in turns")


def _waiting(clocks: dict[str, Clock], one: Contender) -> Figure:
    share = _median(clocks, one, "waited")
    return figure(f"{one.name}: share of an epoch that waits for data", share, "fraction", "< 0.1")


def _apart(clocks: dict[str, Clock], one: Contender, other: Contender) -> Figure:
    gap = abs(clocks[one.name].validation["accuracy"] - clocks[other.name].validation["accuracy"])
    samples = clocks[one.name].validation["samples"]
    name = f"{one.name}: validation accuracy apart from {other.name}, {samples} windows"
    return figure(name, gap, "fraction", "<= 0.1", f"{other.name}, same windows")


def _memory(clocks: dict[str, Clock]) -> Figure:
    ratio = clocks[OURS.name].peak_mb / clocks[KERAS.name].peak_mb
    return figure("ours float32: peak memory of that of Keras float32", ratio, "x", "<= 1", KERAS.name)
