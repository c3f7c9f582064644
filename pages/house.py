"""One process's hold on one MINEDISC_HOME: its store, its secret, its review queues."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from minedisc_core import service
from minedisc_core.domain import RunState
from minedisc_core.errors import MinediscError
from minedisc_core.jobs import list_runs
from minedisc_core.learning.samples import cut_pending
from minedisc_core.settings import Settings
from minedisc_core.store import Store
from pages import names, words
from pages.signing import Signer

LOG = logging.getLogger("minedisc.pages")
QUEUES_KEPT = 64
"""Review queues kept in memory; a browser tab whose queue was dropped gets a new one."""
CUT_AFTER_S = 3.0
"""After a verdict: those that follow are cut in the same go."""
FINISHED = (RunState.COMPLETE, RunState.INCOMPLETE)


class Noted:
    """Turns an error of one item among many into a note, so that the others go on."""

    def __init__(self, *kinds: type[Exception]) -> None:
        self._kinds = kinds or (MinediscError,)
        self.error: Exception | None = None
        """What went wrong; None if nothing did."""

    @property
    def problem(self) -> str:
        """The error as text; empty if there is none."""
        return str(self.error) or type(self.error).__name__ if self.error else ""

    def __enter__(self) -> Noted:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, self._kinds):
            return False
        self.error = error
        return True


class House:
    """Settings, store, signer and queues of one home folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.signer = Signer()
        self.queues: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self.refused: dict[str, str] = {}
        """Runs that could not be taken in, with the reason: not tried again by themselves."""
        self.on_open: Callable[[], object] = lambda: None
        """Called once the database is open: the server announces itself then."""
        self.preparing = threading.Lock()
        """Held while a picture of a mosaic is made: two tabs must not make the same one."""
        self._cutter: threading.Timer | None = None
        self._store: Store | None = None
        self._lock = threading.RLock()

    @property
    def store(self) -> Store:
        """The database, opened at first use and kept.

        Raises:
            StoreOwned: another process has it.
        """
        with self._lock:
            if self._store is None:
                self.settings.home.mkdir(parents=True, exist_ok=True)
                self._store = Store.open(self.settings.database)
                self.on_open()
            return self._store

    def close(self) -> None:
        """Close the database."""
        if self._cutter is not None:
            self._cutter.cancel()
        with self._lock:
            if self._store is not None:
                self._store.close()
            self._store = None

    def cut_soon(self) -> None:
        """Cut the pixels of new samples in the background; a verdict never waits for them."""
        with self._lock:
            if self._cutter is None or not self._cutter.is_alive():
                self._cutter = threading.Timer(CUT_AFTER_S, self._cut)
                self._cutter.daemon = True
                self._cutter.start()

    def _cut(self) -> None:
        with Noted() as noted:
            done = cut_pending(self.store, self.settings)
            LOG.debug("samples cut: %s", done)
        if noted.error:
            LOG.warning("samples were not cut: %s", noted.problem)

    def run_folder(self, run_id: str) -> Path | None:
        """Folder of a run by its id; None if there is no such run."""
        inside = self.settings.runs / run_id
        if inside.parent == self.settings.runs and run_id not in ("", ".", "..") and inside.is_dir():
            return inside
        return next((row.run_dir for row in self.store.runs() if row.run_id == run_id), None)

    def keep_queue(self, candidate_ids: Sequence[str]) -> str:
        """Remember an order of candidates for the review panel; its name."""
        name = uuid4().hex
        with self._lock:
            self.queues[name] = tuple(candidate_ids)
            while len(self.queues) > QUEUES_KEPT:
                self.queues.popitem(last=False)
        return name

    def take_in_finished(self) -> list[str]:
        """Take in the finished runs of HOME/runs that are not in the store yet; a sentence for each."""
        with self._lock:
            known = {row.run_id for row in self.store.runs()} | set(self.refused)
            finished = [run for run in list_runs(self.settings) if run.state in FINISHED]
            return [self._take_in(run.path) for run in finished if run.run_id not in known]

    def _take_in(self, folder: Path) -> str:
        with Noted() as noted:
            taken = service.take_in(self.store, self.settings, str(folder))
            label = names.run_label(self.store.run(taken["run_id"]).summary, self.settings.demo)
            return f"{label}: {words.count(taken['new'], 'new candidate')}."
        LOG.warning("run %s was not taken in: %s", folder.name, noted.problem)
        self.refused[folder.name] = noted.problem
        return f"Run {folder.name} could not be taken in. {noted.problem}"
