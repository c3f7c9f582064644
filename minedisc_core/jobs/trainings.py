"""Trainings in a home: how far each is, and what a finished one has shown, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from minedisc_core.detection.models import is_half_trained
from minedisc_core.domain import RunState
from minedisc_core.errors import MinediscError
from minedisc_core.jobs.train_progress import RESULT, TrainProgress, read_train_progress
from minedisc_core.jobs.train_request import TrainRequest, read_train_request
from minedisc_core.runs import REQUEST, is_training, read_json
from minedisc_core.settings import Settings


@dataclass(frozen=True)
class TrainingFolder:
    """One folder under `HOME/models` that a training works on, or has made."""

    name: str
    path: Path
    request: TrainRequest | None
    """None where it cannot be read."""
    asked_at_utc: datetime | None
    state: RunState
    message: str
    can_resume: bool
    progress: TrainProgress | None
    """None for a folder that cannot be read."""
    report: Mapping[str, Any]
    """What `training.json` holds; empty before the training has finished."""

    @property
    def is_running(self) -> bool:
        """Whether a process works on it."""
        return self.state is RunState.RUNNING

    @property
    def is_model(self) -> bool:
        """Whether it holds a model that a scan takes: a net that finds mines."""
        return bool(self.report) and not is_half_trained(self.path)


def list_trainings(settings: Settings) -> list[TrainingFolder]:
    """All trainings among the models, newest first; a broken one is listed with its problem."""
    folders = [path.parent for path in settings.models.glob(f"*/{REQUEST}")] if settings.models.is_dir() else []
    found = [_read(path) for path in folders if not path.name.startswith((".", "_")) and is_training(path)]
    return sorted(found, key=lambda each: (each.asked_at_utc or datetime.min, each.name), reverse=True)


def _read(path: Path) -> TrainingFolder:
    try:
        stored, progress = read_json(path / REQUEST), read_train_progress(path)
        is_finished = progress.state is RunState.COMPLETE
        return TrainingFolder(
            path.name, path, read_train_request(path), datetime.fromisoformat(stored["asked_at_utc"]), progress.state,
            progress.message, progress.can_resume, progress, read_json(path / RESULT) if is_finished else {},
        )  # fmt: skip
    except (MinediscError, KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"cannot be read: {error}"
        return TrainingFolder(path.name, path, None, None, RunState.FAILED, problem, False, None, {})
