"""Who works on a run folder: one process at a time, and everybody can see whether it lives."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from minedisc_core.errors import RunError
from minedisc_core.runs import read_json, write_json

WORKER = "worker.json"
"""Process id and start time of the process that works on the run, and whether it leads a group of its own."""
_LOCK = "lock"
_LETTING_GO_S = 5.0
"""A killed process is gone for who asks for it, and holds its lock until the last of its threads has ended."""


@dataclass(frozen=True)
class Worker:
    """The process that works, or worked, on a run."""

    pid: int
    started: float
    """Seconds since 1970, as the system says: tells a process from a later one of the same number."""
    has_group: bool
    """It leads a process group of its own, which may be ended as a whole."""

    def process(self) -> psutil.Process | None:
        """The process if it still runs (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started) < 1.0
            return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def note_worker(run_dir: Path, pid: int, has_group: bool) -> None:
    """Write down that the process `pid` works on the run."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.Error:  # it has ended already
        started = 0.0
    write_json(run_dir / WORKER, {"pid": pid, "started": started, "has_group": has_group})


def read_worker(run_dir: Path) -> Worker | None:
    """The process that was last noted, None if none was."""
    if not (run_dir / WORKER).is_file():
        return None
    try:
        found = read_json(run_dir / WORKER)
        return Worker(int(found["pid"]), float(found["started"]), bool(found["has_group"]))
    except (RunError, KeyError, TypeError, ValueError):  # half a note is no note
        return None


def is_alive(run_dir: Path) -> bool:
    """Whether the noted process still runs."""
    worker = read_worker(run_dir)
    return worker is not None and worker.process() is not None


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def sole_worker(run_dir: Path) -> Iterator[None]:
    """Hold the run folder for this process; the system lets go of it when the process ends, however it ends.

    Raises:
        RunError: another process works on the run.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + _LETTING_GO_S
    with (run_dir / _LOCK).open("a") as file:
        while not _locked(file):
            if is_alive(run_dir) or time.monotonic() > until:
                raise RunError(
                    f"another process works on {run_dir}", "one process per run", "wait for it, or cancel it"
                )
            time.sleep(0.05)
        noted = read_worker(run_dir)
        if noted is not None and noted.pid == os.getpid():
            yield  # a worker process ends with its run: its note may stay, and says so when it is gone
            return
        note_worker(run_dir, os.getpid(), has_group=False)
        try:
            yield
        finally:
            (run_dir / WORKER).unlink(missing_ok=True)
