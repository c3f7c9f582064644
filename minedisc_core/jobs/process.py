"""A job as a process of its own: started with spawn (TensorFlow hangs after fork), stopped within two seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryFile

from minedisc_core.errors import RunError
from minedisc_core.imagery.network import full_addresses
from minedisc_core.jobs.ownership import WORKER, is_alive, note_worker, read_worker
from minedisc_core.jobs.progress import FAILED
from minedisc_core.jobs.reach import reach
from minedisc_core.jobs.request import ScanRequest
from minedisc_core.jobs.worker import ADDRESSES
from minedisc_core.jobs.zones import enter_all, folders_of, plan
from minedisc_core.runs import CANCEL, write_atomically
from minedisc_core.settings import PROJECT_ROOT, Settings, load_settings

LOG = "worker.log"
"""What the worker and the libraries in it say."""
_ASK_S, _TERM_S = 0.8, 0.6
"""How long a worker has to follow the flag, and then SIGTERM; what comes next cannot be refused."""


@dataclass(frozen=True)
class ScanProcess:
    """A job that was started."""

    run_dir: Path
    pid: int

    @property
    def is_running(self) -> bool:
        """Whether the process still lives."""
        return is_alive(self.run_dir)


def start_scan(
    request: ScanRequest, run_dir: Path, *, resume: bool = False, settings: Settings | None = None
) -> ScanProcess:
    """Check a request, then scan in a process of its own that outlives this one.

    Raises:
        RunError: the folder holds another run, or a process that works on it.
        MinediscError: the mosaic, the model, the area or the settings' scheduler cannot be used (nothing is started).
    """
    chosen = settings or load_settings()
    planned = plan(request, run_dir, chosen)
    first, *others = (one.run_dir for one in planned)

    def enter_scans() -> None:
        if chosen.scheduler:
            reach(chosen.scheduler)
        enter_all(planned, chosen, resume=resume)

    return start_job(first, enter_scans, chosen, others)


def start_job(
    folder: Path, enter_request: Callable[[], None], settings: Settings, others: Sequence[Path] = ()
) -> ScanProcess:
    """Write a job's request into its folder with `enter_request`, then start the process that works on it.

    `others` are folders that the same process works on after the first.

    Raises:
        RunError: another process works on the folder.
        MinediscError: as `enter_request` (nothing is started).
    """
    for busy in filter(is_alive, (folder, *others)):
        raise RunError(f"another process works on {busy}", "one process per run", "wait for it, or cancel it")
    with _starting(folder):
        enter_request()
        for each, name in product((folder, *others), (CANCEL, FAILED)):
            (each / name).unlink(missing_ok=True)
        process = _spawn(folder, settings)
    for each in (folder, *others):
        note_worker(each, process.pid, has_group=True)
    threading.Thread(target=process.wait, daemon=True, name="reap").start()
    return ScanProcess(folder, process.pid)


@contextmanager
def _starting(run_dir: Path) -> Iterator[None]:
    """Until the worker has a number, this process stands for it: who looks in between sees a run that starts."""
    is_new = not run_dir.exists()
    note_worker(run_dir, os.getpid(), has_group=False)
    try:
        yield
    except BaseException:
        (run_dir / WORKER).unlink(missing_ok=True)
        if is_new and not any(run_dir.iterdir()):
            run_dir.rmdir()
        raise


def _spawn(run_dir: Path, settings: Settings) -> subprocess.Popen[bytes]:
    paths = [str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "MINEDISC_HOME": str(settings.home),
        "MINEDISC_THREADS": str(settings.threads),
        "MINEDISC_ENGINE": settings.engine,
        "MINEDISC_ENGINE_CACHE": str(settings.engine_cache),
        "MINEDISC_SCHEDULER": settings.scheduler,
    }
    with (run_dir / LOG).open("ab") as log, TemporaryFile() as secrets:
        # What is secret in addresses lies in a file without a name that only the worker has: never on its command
        # line, in its environment or in the run folder.
        secrets.write(json.dumps(full_addresses()).encode())
        secrets.seek(0)
        return subprocess.Popen(
            [sys.executable, "-m", "minedisc_core.jobs.worker", str(run_dir), ADDRESSES],
            stdin=secrets,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def cancel(run_dir: Path) -> None:
    """Ask the run's process to stop, then make it; it is gone within two seconds and the run can be resumed.

    A run that has finished in the meantime stays finished.

    Raises:
        RunError: the flag cannot be written.
    """
    worker = read_worker(run_dir)
    process = worker.process() if worker else None
    for folder in folders_of(run_dir):
        write_atomically(folder / CANCEL, b"")
    if worker is None or process is None or worker.pid == os.getpid():
        return
    for pause_s, number in ((_ASK_S, signal.SIGTERM), (_TERM_S, signal.SIGKILL)):
        if _ended(run_dir, pause_s):
            return
        _send(worker.pid, number, worker.has_group)
    _ended(run_dir, 0.5)


def _ended(run_dir: Path, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while is_alive(run_dir):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _send(pid: int, number: signal.Signals, has_group: bool) -> None:
    try:
        (os.killpg if has_group else os.kill)(pid, number)
    except ProcessLookupError:
        return
