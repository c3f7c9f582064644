"""One process's hold on one MINEDISC_HOME: its store, its secret, its review queues."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Any

from minedisc_core import service
from minedisc_core.domain import RunState
from minedisc_core.jobs import RunFolder, list_runs
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


def _finish(run: RunFolder) -> tuple[str, datetime | None]:
    return run.run_id, run.summary.finished_at_utc if run.summary else None


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
        self._settled: set[tuple[str, datetime | None]] = set()
        """Runs that were taken in or tried, and when they had finished: one that is resumed finishes again."""
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
        finished = {_finish(run): run.path for run in list_runs(self.settings) if run.state in FINISHED}
        if not finished.keys() <= self._settled:
            # else without asking the database: this is looked up each time a page is drawn
            self._settled |= {(row.run_id, row.summary.finished_at_utc) for row in self.store.runs()}
            new = [path for finish, path in finished.items() if finish not in self._settled]
            self._settled |= finished.keys()
            self._taking.begin(new)
        return [self._told(folder, taken) for folder, taken in self._taking.done()]

    def _take_in(self, folder: Path) -> dict[str, Any]:
        return service.take_in(self.store, self.settings, str(folder))

    def _told(self, folder: Path, taken: Future[dict[str, Any]]) -> str:
        with Noted() as noted:
            found = taken.result()
            self.refused.pop(folder.name, None)
            label = names.run_label(self.store.run(found["run_id"]).summary, self.settings.demo)
            return f"{label}: {words.count(found['new'], 'new candidate')}."
        LOG.warning("run %s was not taken in: %s", folder.name, noted.problem)
        self.refused[folder.name] = noted.problem
        return t("Run {name} could not be taken in. {problem}", name=folder.name, problem=translated(noted.problem))
