"""One process's hold on one MINEDISC_HOME: its store, its secret, its review queues."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from minedisc_core import service
from minedisc_core.domain import RunState
from minedisc_core.jobs import list_runs
from minedisc_core.learning.samples import cut_pending
from minedisc_core.review import Leases
from minedisc_core.settings import Settings
from minedisc_core.store import Store
from pages import names, words
from pages.cutter import Cutter
from pages.noted import Noted
from pages.queue_memory import QueueMemory
from pages.signing import Signer
from pages.taking_in import TakingIn
from pages.texts import t, translated

LOG = logging.getLogger("minedisc.pages")
FINISHED = (RunState.COMPLETE, RunState.INCOMPLETE)


class House:
    """Settings, store, signer and queues of one home folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.signer = Signer()
        self.queues = QueueMemory()
        self.leases = Leases()
        """Who is looking at which candidate."""
        self.refused: dict[str, str] = {}
        """Runs that could not be taken in, with the reason: not tried again by themselves."""
        self._taken_in: set[str] = set()
        self._taking = TakingIn(self._take_in)
        self.on_open: Callable[[], object] = lambda: None
        """Called once the database is open: the server announces itself then."""
        self.preparing = threading.Lock()
        """Held while a picture of a mosaic is made: two tabs must not make the same one."""
        self._cutter = Cutter(self._cut)
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
        self._taking.close()
        self._cutter.stop()
        with self._lock:
            if self._store is not None:
                self._store.close()
            self._store = None

    def cut_soon(self) -> None:
        """Cut the pixels of new samples in the background; a verdict never waits for them."""
        self._cutter.soon()

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

    def take_in_finished(self) -> list[str]:
        """Take in the finished runs of HOME/runs that are not in the store yet; a sentence for each.

        A run of very many sites is taken in while the pages go on: its sentence comes with a later call.
        """
        finished = {run.run_id: run.path for run in list_runs(self.settings) if run.state in FINISHED}
        if not finished.keys() <= self._taken_in | self.refused.keys():
            # else without asking the database: this is looked up each time a page is drawn
            self._taken_in = {row.run_id for row in self.store.runs()}
            known = self._taken_in | self.refused.keys()
            self._taking.begin([path for run_id, path in finished.items() if run_id not in known])
        return [self._told(folder, taken) for folder, taken in self._taking.done()]

    def _take_in(self, folder: Path) -> dict[str, Any]:
        return service.take_in(self.store, self.settings, str(folder))

    def _told(self, folder: Path, taken: Future[dict[str, Any]]) -> str:
        with Noted() as noted:
            found = taken.result()
            label = names.run_label(self.store.run(found["run_id"]).summary, self.settings.demo)
            return f"{label}: {words.count(found['new'], 'new candidate')}."
        LOG.warning("run %s was not taken in: %s", folder.name, noted.problem)
        self.refused[folder.name] = noted.problem
        return t("Run {name} could not be taken in. {problem}", name=folder.name, problem=translated(noted.problem))
