"""Mosaics that were asked for here: those that are being made, those that stopped, those that are done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from minedisc_core.domain import RunState
from minedisc_core.errors import RunError
from minedisc_core.imagery.composites.assembly import story_path
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.jobs.compositing import read_composite_request, work_folder
from minedisc_core.jobs.progress import Ending, ScanProgress, read_progress, reasons
from minedisc_core.runs import REQUEST, RESULT, read_json
from minedisc_core.settings import Settings


@dataclass(frozen=True)
class CompositeFolder:
    """One mosaic under `HOME/mosaics`, finished or not."""

    out: Path
    asked_at_utc: datetime | None
    request: CompositeRequest | None
    """None if it cannot be read."""
    progress: ScanProgress | None
    """None once the mosaic is whole."""
    message: str

    @property
    def state(self) -> RunState:
        """As of a run."""
        return self.progress.state if self.progress else RunState.COMPLETE if self.request else RunState.FAILED

    @property
    def can_resume(self) -> bool:
        """Whether going on makes sense."""
        return bool(self.request and self.progress and self.progress.can_resume)


def list_composites(settings: Settings) -> list[CompositeFolder]:
    """All mosaics that were asked for in this home, newest first; a broken one is listed with its problem."""
    if not settings.mosaics.is_dir():
        return []
    begun = {
        settings.mosaics / path.parent.name.removeprefix(".").removesuffix(".parts")
        for path in settings.mosaics.glob(f".*.parts/{REQUEST}")
    }
    whole = {path for path in settings.mosaics.glob("*.tif") if story_path(path).is_file()}
    found = [_begun(out) for out in begun] + [_whole(out) for out in whole - begun]
    return sorted(found, key=lambda each: (each.asked_at_utc or datetime.min, each.out.name), reverse=True)


def read_composite_progress(out: Path) -> ScanProgress | None:
    """How far a mosaic is; None if nothing is left to do for it.

    Raises:
        RunError: what was begun cannot be read.
    """
    folder = work_folder(out)
    return read_progress(folder, _finished) if (folder / REQUEST).is_file() else None


def _begun(out: Path) -> CompositeFolder:
    try:
        request, _ = read_composite_request(work_folder(out))
        asked_at = datetime.fromisoformat(str(read_json(work_folder(out) / REQUEST)["asked_at_utc"]))
        progress = read_progress(work_folder(out), _finished)
        return CompositeFolder(out, asked_at, request, progress, progress.message)
    except (RunError, KeyError, ValueError) as error:
        return CompositeFolder(out, None, None, None, f"cannot be read: {error}")


def _whole(out: Path) -> CompositeFolder:
    try:
        story = read_json(story_path(out))
        made_at = datetime.fromisoformat(str(story["made_at_utc"]))
        return CompositeFolder(out, made_at, CompositeRequest.from_json(story["request"]), None, told(story))
    except (RunError, KeyError, TypeError, ValueError) as error:
        return CompositeFolder(out, None, None, None, f"cannot be read: {error}")


def told(story: dict[str, Any]) -> str:
    """A mosaic's story in a sentence."""
    seen, asked = float(story["seen_km2"]), float(story["asked_km2"])
    scenes, looks = story["scenes"], story["median_looks"]
    facts = f"scenes: {scenes}; seen: {seen:,.0f} of {asked:,.0f} km2; median looks: {looks}"
    return facts + reasons([str(problem) for problem in story["problems"]])


def _finished(folder: Path) -> Ending | None:
    if not (folder / RESULT).exists():
        return None
    return RunState.INCOMPLETE, f"incomplete: {told(read_json(folder / RESULT))}", True
