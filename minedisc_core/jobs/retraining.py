"""A retraining at work, in a process of its own that never touches the database.

HOME/retrainings/<id>/
    request.json     what is learned from, what is held out (`jobs.retraining_request`)
    progress.jsonl, cancel, failed.json, worker.log    as of a scan
    head.npz         the state after each epoch: a killed training goes on from it
    challenger/      the challenger's model folder, before it gets its name
    samples.json     scores of both models on the held-out samples
    scans/           both models' scans around the held-out places
    result.json      written last: with it the retraining is finished and HOME/models/<name> is whole
"""

from __future__ import annotations

import io
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.models import Model, load_model, load_tensors, model_identity
from minedisc_core.errors import Cancelled, ModelError, RunError
from minedisc_core.jobs.ownership import sole_worker
from minedisc_core.jobs.process import ScanProcess, start_job
from minedisc_core.jobs.progress import FAILED, ProgressLog, ScanProgress
from minedisc_core.jobs.request import ScanRequest
from minedisc_core.jobs.retraining_request import refuse_second, retrainings_folder
from minedisc_core.jobs.run import load_nets, run_scan
from minedisc_core.learning.challenger import Challenger, Learned
from minedisc_core.learning.comparison import MODELS
from minedisc_core.learning.datasets import Dataset, SampleEntry, open_dataset
from minedisc_core.learning.fine_tuning import FineTuningOptions
from minedisc_core.learning.generated import generated_samples
from minedisc_core.learning.loop_dataset import write_loop_dataset
from minedisc_core.learning.queue_datasets import datasets_folder
from minedisc_core.runs import CANCEL, REQUEST, RESULT, read_json, write_atomically, write_json
from minedisc_core.settings import Settings, load_settings

HEAD, SAMPLES, CHALLENGER, SCANS, DRAWN = "head.npz", "samples.json", "challenger", "scans", "drawn"
STEPS = 5


def start_retraining(folder: Path, settings: Settings) -> ScanProcess:
    """Work on a retraining that was begun, in a process of its own; one that stopped goes on where it was.

    Raises:
        RunError: it, or another retraining, is running.
    """
    refuse_second(settings, folder)
    read_json(folder / REQUEST)
    return start_job(folder, lambda: None, settings)


def work_on_retraining(
    folder: Path, settings: Settings | None = None, on_progress: Callable[[ScanProgress], None] | None = None
) -> dict[str, Any]:
    """Do what is left of a retraining; its result.

    Raises:
        Cancelled: the folder's `cancel` flag was set.
        RunError: another process works on a retraining of this home.
        MinediscError: a step failed; what is done is kept.
    """
    chosen = settings or load_settings()
    with _alone(chosen), sole_worker(folder):
        if (folder / RESULT).is_file():
            return read_json(folder / RESULT)
        (folder / FAILED).unlink(missing_ok=True)
        return _Retraining(folder, chosen, on_progress).execute()


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold all retrainings of the home: the system lets go when the process ends, however it ends."""
    import fcntl

    path = retrainings_folder(settings) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError("another retraining is running", "one at a time", "wait for it, or cancel it") from error
        yield


class _Retraining:
    """One attempt."""

    def __init__(self, folder: Path, settings: Settings, on_progress: Callable[[ScanProgress], None] | None) -> None:
        self.folder, self.settings = folder, settings
        self.request = read_json(folder / REQUEST)
        self.options: Mapping[str, Any] = self.request["options"]
        self.log = ProgressLog(folder, on_progress)
        self.started = time.monotonic()

    @cached_property
    def champion(self) -> Model:
        """The champion, if it is still what it was when the retraining was begun."""
        model = load_model(self.request["champion_folder"], self.settings)
        if model_identity(model) != self.request["champion_identity"]:
            raise ModelError(f"{model.name} was changed since", "the champion as it was", "retrain anew")
        return model

    def execute(self) -> dict[str, Any]:
        """All steps; each looks first whether it is done."""
        dataset = self.make_dataset()
        if not (self.folder / SAMPLES).is_file():
            self.learn(dataset)
        challenger = load_model(self.folder / CHALLENGER, self.settings)
        self.scan_both(challenger)
        return self.finish(challenger, dataset)

    def step(self, number: int, what: str, units: int) -> None:
        """A new step of so many units begins."""
        self.check()
        self.log.start(units, 0.0, units, f"step {number} of {STEPS}: {what}")

    def done(self, name: str) -> None:
        """A unit is done."""
        self.log.tile(name, 1, None, True)
        self.check()

    def check(self) -> None:
        """Stop if somebody asked for it."""
        if (self.folder / CANCEL).exists():
            raise Cancelled("the retraining was cancelled", remedy="it can be resumed")

    def make_dataset(self) -> Dataset:
        """Step 1: bring the samples together into a version."""
        entries = [SampleEntry(**row) for row in self.request["samples"]]
        self.step(1, "bringing the samples together", len(entries))
        named = self.request["own_dataset"]
        own = open_dataset(Path(named["folder"]), check_files=False) if named else None
        if own and own.hash != named["hash"]:
            raise RunError(f"{own.folder} was changed since", "the dataset as it was", "retrain anew")
        made = write_loop_dataset(
            datasets_folder(self.settings) / self.request["dataset"], entries, self.champion.discovery,
            self.settings, own, self._generated(), on_sample=self.done,
        )  # fmt: skip
        shutil.rmtree(self.folder / DRAWN, ignore_errors=True)
        return made

    def _generated(self) -> Iterator[tuple[SampleEntry, NDArray[np.uint16]]]:
        if self.request["is_generated"]:
            card = self.champion.discovery
            scratch = self.folder / DRAWN
            scratch.mkdir(exist_ok=True)
            yield from generated_samples(card.level, card.bands, self.options["generated_scenes"], scratch)

    def learn(self, dataset: Dataset) -> None:
        """Steps 2 and 3: features once, then the head, epoch by epoch; the challenger and its scores are written."""
        tensors = load_tensors(self.champion, "discovery")
        learner = Challenger(self.champion.discovery, tensors, dataset)
        self.step(2, "looking at the samples", len(dataset.samples))
        features = learner.features(self.settings.threads, lambda number: self.done(f"sample {number}"))
        self.step(3, "learning", self.options["epochs"])
        options = FineTuningOptions(
            self.options["epochs"], learning_rate=self.options["learning_rate"], seed=self.options["seed"],
            on_epoch=self._keep_state,
        )  # fmt: skip
        learned = learner.learn(features, options, self._state())
        self._save_challenger(learned, dataset)
        write_json(self.folder / SAMPLES, {"scores": learned.scores})

    def _keep_state(self, epoch: int, _figures: Mapping[str, float], state: Mapping[str, NDArray[Any]]) -> None:
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **dict(state))
        write_atomically(self.folder / HEAD, packed.getvalue())
        self.done(f"epoch {epoch}")

    def _state(self) -> dict[str, NDArray[Any]] | None:
        """What an earlier attempt left; half a file of a full disk counts as nothing."""
        try:
            with np.load(self.folder / HEAD, allow_pickle=False) as packed:
                return {name: packed[name] for name in packed.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def _save_challenger(self, learned: Learned, dataset: Dataset) -> None:
        facts = {
            "champion": self.request["champion"],
            "champion_identity": self.request["champion_identity"],
            "retraining": self.request["retraining_id"],
            "dataset": {"version": dataset.version, "hash": dataset.hash},
            "held_out_places": sum(place["split"] == "held-out" for place in self.request["places"]),
            "date": datetime.now(UTC).date().isoformat(),
            "seconds": round(time.monotonic() - self.started, 1),
        }
        learned.save(self.folder / CHALLENGER, self.request["out"], self.champion, facts)

    def scan_both(self, challenger: Model) -> None:
        """Step 4: both models scan around the held-out places."""
        scenes = self.request["scenes"]
        self.step(4, "scanning around the held-out places", 2 * len(scenes))
        for which, model in zip(MODELS, (self.champion, challenger), strict=True):
            nets = load_nets(model, self.settings) if scenes else None
            for number, scene in enumerate(scenes):
                request = ScanRequest.from_json({**scene["request"], "model": str(model.folder)})
                folder = scan_folder(self.folder, number, which)
                run_scan(
                    request, folder, resume=(folder / REQUEST).is_file(), settings=self.settings, nets=nets,
                    on_progress=lambda _: self.check(),
                )  # fmt: skip
                self.done(folder.name)

    def finish(self, challenger: Model, dataset: Dataset) -> dict[str, Any]:
        """Step 5: the challenger gets its name, then the result is written."""
        self.step(5, "comparing", 1)
        target = self.settings.models / self.request["out"]
        install(challenger.folder, target)
        result = {
            "state": "complete", "challenger": target.name, "challenger_folder": target,
            "challenger_identity": model_identity(challenger), "champion": self.request["champion"],
            "thresholds": {"champion": self.champion.discovery.threshold, "challenger": challenger.discovery.threshold},
            "dataset": {"version": dataset.version, "folder": dataset.folder, "hash": dataset.hash},
            "finished_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "seconds": round(time.monotonic() - self.started, 1),
        }  # fmt: skip
        self.done("result")
        write_json(self.folder / RESULT, result)
        return read_json(self.folder / RESULT)


def scan_folder(folder: Path, number: int, which: str) -> Path:
    """Folder of one scan of a retraining."""
    return folder / SCANS / f"{number:03d}-{which}"


def install(challenger: Path, target: Path) -> None:
    """Copy a model folder to its name among the models, whole or not at all; one that is there already stays.

    Raises:
        RunError: the disk is full or the folder cannot be written.
    """
    if target.exists():
        return
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(challenger, scratch)
        scratch.rename(target)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise RunError(f"{target} could not be written: {error.strerror or error}", remedy="free disk space") from error
