"""Retrainings in a home: how far each is, and what a finished one has shown, without TensorFlow or the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shapely.geometry import shape

from minedisc_core.domain import RunState
from minedisc_core.errors import RunError
from minedisc_core.jobs.progress import Ending, ScanProgress, read_progress
from minedisc_core.jobs.retraining import SAMPLES, scan_folder
from minedisc_core.jobs.retraining_request import retrainings_folder
from minedisc_core.learning.comparison import MODELS, Comparison, Judged, Scanned, compare
from minedisc_core.learning.whole_scene import read_scores
from minedisc_core.runs import REQUEST, RESULT, read_json
from minedisc_core.settings import Settings


@dataclass(frozen=True)
class RetrainingFolder:
    """One folder under `HOME/retrainings`."""

    retraining_id: str
    path: Path
    champion: str
    out: str
    asked_at_utc: datetime | None
    state: RunState
    message: str
    can_resume: bool
    progress: ScanProgress | None
    """None for a folder that cannot be read."""
    remarks: tuple[str, ...] = ()
    """What was left out, and why."""


def list_retrainings(settings: Settings) -> list[RetrainingFolder]:
    """All retrainings, newest first; a broken one is listed with its problem."""
    folder = retrainings_folder(settings)
    found = [_read(path.parent) for path in folder.glob(f"*/{REQUEST}")] if folder.is_dir() else []
    return sorted(found, key=lambda each: (each.asked_at_utc or datetime.min, each.retraining_id), reverse=True)


def _read(path: Path) -> RetrainingFolder:
    try:
        request, progress = read_json(path / REQUEST), read_progress(path, _finished)
        asked = datetime.fromisoformat(request["asked_at_utc"])
        return RetrainingFolder(
            path.name, path, str(request["champion"]), str(request["out"]), asked, progress.state, progress.message,
            progress.can_resume, progress, tuple(map(str, request["remarks"])),
        )  # fmt: skip
    except (RunError, KeyError, TypeError, ValueError) as error:
        problem = f"cannot be read: {error}"
        return RetrainingFolder(path.name, path, "", "", None, RunState.FAILED, problem, False, None)


def read_retraining_progress(folder: Path) -> ScanProgress:
    """How far a retraining is, read from its folder; `tiles` are the units of the step that it is at.

    Raises:
        RunError: the folder holds no job.
    """
    return read_progress(folder, _finished)


def _finished(folder: Path) -> Ending | None:
    if not (folder / RESULT).is_file():
        return None
    return RunState.COMPLETE, f"finished: {read_json(folder / RESULT)['challenger']} was made", False


def retraining_of(settings: Settings, model: str) -> RetrainingFolder | None:
    """The finished retraining that made a model; None if none did."""
    found = [r for r in list_retrainings(settings) if r.state is RunState.COMPLETE]
    return next((r for r in found if read_json(r.path / RESULT)["challenger"] == model), None)


def compare_retraining(folder: Path, without: Collection[str] = ()) -> Comparison:
    """Both models of a finished retraining on what was held out.

    Args:
        folder: of the retraining.
        without: sample ids whose verdicts were taken back since: they prove nothing any more.

    Raises:
        RunError: it is not finished, or a file of it cannot be read.
    """
    request, result = read_json(folder / REQUEST), read_json(folder / RESULT)
    try:
        rows = [row for row in request["judged"] if row["sample_id"] not in without]
        judged = {row["sample_id"]: Judged(**{**row, "shape": shape(row["shape"])}) for row in rows}
        scenes = [_scanned(folder, n, scene, judged) for n, scene in enumerate(request["scenes"])]
        scores = read_json(folder / SAMPLES)["scores"]
        problems = [*request["remarks"], *_taken_back(request, without)]
        return compare(list(judged.values()), scores, scenes, result["thresholds"], problems)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{folder} is no whole retraining ({error})", remedy="retrain anew") from error


def _scanned(folder: Path, number: int, scene: Mapping[str, Any], judged: Mapping[str, Judged]) -> Scanned:
    scores = {which: read_scores(scan_folder(folder, number, which)) for which in MODELS}
    return Scanned(scores, tuple(judged[name] for name in scene["samples"] if name in judged))


def _taken_back(request: Mapping[str, Any], without: Collection[str]) -> list[str]:
    count = sum(row["sample_id"] in without for row in request["judged"])
    return [f"{count} held-out verdicts were taken back since: they do not count"] if count else []
