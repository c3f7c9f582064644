"""How far a job is: lines that it appends to `progress.jsonl`, and what they add up to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minedisc_core.domain import RunState
from minedisc_core.errors import RunError
from minedisc_core.jobs.ownership import is_alive
from minedisc_core.runs import CANCEL, PROGRESS, REQUEST, RESULT, read_json, read_summary

FAILED = "failed.json"
"""Why a run failed: `found`, `expected`, `remedy`."""
_INTERRUPTED = "interrupted: can be resumed"
_PROBLEMS_TOLD, _LONGEST_PROBLEM = 3, 200
"""How much of a summary's problems goes into the sentence; `result.json` has all."""


@dataclass(frozen=True)
class ScanProgress:
    """How far a run is, for a page or a terminal."""

    state: RunState
    tiles_done: int
    tiles: int
    km2_done: float
    km2: float
    km2_per_s: float
    """Of this attempt; 0 before its first tile."""
    seconds_left: float | None
    """None while nothing can be said."""
    message: str
    """One sentence: what is being done, or why the run ended."""
    can_resume: bool = False
    tiles_failed: int = 0

    @property
    def fraction(self) -> float:
        """Share of the tiles that is done or has failed, 0..1."""
        return (self.tiles_done + self.tiles_failed) / self.tiles if self.tiles else 0.0

    @property
    def is_over(self) -> bool:
        """Whether no process works on the run."""
        return self.state is not RunState.RUNNING


class LineFile:
    """A file of JSON lines that only grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            self._append("")  # a killed process may leave half a line

    def append(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Add a line, stamped with the time (`at`); the line as it stands there.

        Raises:
            RunError: the disk is full.
        """
        stamped = {**line, "at": datetime.now(UTC).timestamp()}
        self._append(json.dumps(stamped))
        return stamped

    def _append(self, text: str) -> None:
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(handle, f"{text}\n".encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise RunError(
                f"{self._path} could not be written: {error.strerror or error}", remedy="free disk space, then resume"
            ) from error


class ProgressLog:
    """Appends to `progress.jsonl` and tells a listener; used from one thread at a time."""

    def __init__(self, run_dir: Path, on_progress: Callable[[ScanProgress], None] | None = None) -> None:
        self._on_progress, self._tally = on_progress, _Tally()
        self._lines = LineFile(run_dir / PROGRESS)

    def start(self, tiles: int, km2: float, features: int, message: str = "scanning") -> None:
        """The tiles begin, or go on; `features` is what the sizes of all tiles add up to."""
        sizes = {"tiles": tiles, "km2": round(km2, 4), "features": features}
        self._write({"kind": "start", **sizes, "message": message})

    def tile(self, name: str, features: int, reason: str | None, is_new: bool) -> None:
        """A tile of the size `features` is done (found done if not `is_new`) or failed."""
        self._write({"kind": "tile", "name": name, "features": features, "new": is_new, "reason": reason})

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
        self.tiles = self.done = self.failed = self.features = self.features_done = self.features_new = 0
        self.km2, self.started, self.latest = 0.0, 0.0, 0.0
        self.message = "starting"

    def add(self, line: dict[str, Any]) -> None:
        kind, at = line.get("kind"), float(line.get("at", 0))
        if kind == "start":
            self.__init__()  # type: ignore[misc]  # a new attempt counts from nothing
            self.tiles, self.km2, self.features = int(line["tiles"]), float(line["km2"]), int(line["features"])
            self.started = self.latest = at
            self.message = str(line.get("message", "scanning"))
        elif kind == "tile" and line.get("reason"):
            self.failed += 1
        elif kind == "tile":
            self.done += 1
            self.features_done += int(line["features"])
            self.features_new += int(line["features"]) if line.get("new") else 0
            self.latest = at
        elif kind == "phase":
            self.message = str(line["message"])

    def progress(self, state: RunState, message: str | None = None, can_resume: bool = False) -> ScanProgress:
        share = self.features_done / self.features if self.features else 0.0
        elapsed = self.latest - self.started
        rate = self.km2 * self.features_new / self.features / elapsed if elapsed > 0 and self.features else 0.0
        left = self.km2 * (1 - share) / rate if rate > 0 else None
        return ScanProgress(
            state, self.done, self.tiles, self.km2 * share, self.km2, rate, left, message or self.message, can_resume,
            self.failed,
        )  # fmt: skip


Ending = tuple[RunState, str, bool]
"""State, sentence, and whether resuming makes sense, of a job that nobody works on."""


def read_progress(run_dir: Path, finished: Callable[[Path], Ending | None] | None = None) -> ScanProgress:
    """How far a job is, read from its folder; works in any process.

    Args:
        run_dir: the job's folder.
        finished: how a finished job is told from its folder; None: as a scan.

    Raises:
        RunError: the folder holds no job.
    """
    if not (run_dir / REQUEST).is_file():
        raise RunError(f"{run_dir} holds no run", f"a folder with a {REQUEST}", "scan first")
    tally = _Tally()
    for line in read_lines(run_dir / PROGRESS):
        tally.add(line)
    alive = is_alive(run_dir)
    if alive and (run_dir / CANCEL).exists():
        return tally.progress(RunState.RUNNING, "stopping")
    if alive:
        return tally.progress(RunState.RUNNING)
    return tally.progress(*((finished or _finished_scan)(run_dir) or stopped(run_dir)))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a progress file; half a line of a killed process is passed over."""
    if not path.exists():
        return
    for text in path.read_text("utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and {"kind", "at"} <= line.keys():
            yield line


def reasons(problems: Sequence[str]) -> str:
    """The first problems, each cut, to be set behind a sentence."""
    return "".join(f"; {problem[:_LONGEST_PROBLEM]}" for problem in problems[:_PROBLEMS_TOLD])


def _finished_scan(run_dir: Path) -> Ending | None:
    if not (run_dir / RESULT).exists():
        return None
    summary = read_summary(run_dir)
    told = f"{summary.sites} sites in {summary.coverage.seen_km2:,.0f} km2"
    why = reasons(summary.problems)
    if summary.state is RunState.COMPLETE:
        return summary.state, f"finished: {told}{why}", False
    if not summary.coverage.cells_failed:  # files that could not be opened
        return summary.state, f"incomplete: {told}; some files could not be read{why}", True
    failed = f"{summary.coverage.cells_failed} cells could not be scanned"
    return summary.state, f"incomplete: {told}; {failed}{why}", True


def stopped(run_dir: Path) -> Ending:
    """How a job that nobody works on, and that left no result, ended."""
    if (run_dir / CANCEL).exists():
        return RunState.CANCELLED, "cancelled: can be resumed", True
    if (run_dir / FAILED).exists():
        error = read_json(run_dir / FAILED)
        parts = [str(error.get("found", "failed")), str(error.get("remedy", ""))]
        return RunState.FAILED, ". ".join(part.rstrip(".") for part in parts if part) + ".", True
    return RunState.FAILED, _INTERRUPTED, True
