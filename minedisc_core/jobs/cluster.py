"""Tiles on the workers of a Dask cluster: the only module that knows `distributed`.

The scan gives out tiles in order, a few for each thread of the workers; a worker leaves its results where the run
keeps them and answers with nothing, or with the reason why not. Dask gives the tiles of a worker that died to another.
What it does not do is done here: refuse workers that cannot work, and begin anew with a scheduler that was restarted.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker, LocalCluster, WorkerPlugin
from distributed.client import CancelledError

from minedisc_core.detection.scan import TileResult
from minedisc_core.detection.tile_work import Failure
from minedisc_core.errors import RunError
from minedisc_core.grid import Tile
from minedisc_core.jobs import orders
from minedisc_core.jobs.orders import PROBE, Facts, Order, Readiness
from minedisc_core.jobs.reach import REACH_S, no_scheduler, reach
from minedisc_core.jobs.versions import check_facts, check_versions, some

Answer = TypeVar("Answer")

PATIENCE_S = 60.0
"""How long a run waits for a first worker, and for a scheduler or the last worker to come back."""
TILES_PER_THREAD = 3
"""Tiles that are given out for each thread of the workers: so many may be done before one that takes long."""
_LOOK_S = 0.2
"""Between two looks at the flag that cancels."""
_POLL_S = 0.005
"""Between two looks at the status of a tile."""
_COUNT_S = 2.0
"""Between two looks at how many workers there are."""
_MOST_RESTARTS = 5
_SEEN_TRIES = 5
"""Looks for a result that a worker has written: a network file system may show it late."""


@contextmanager
def local_workers(count: int, **options: Any) -> Iterator[str]:
    """Start so many worker processes of one thread each on this machine; the address of their scheduler.

    The main module must be guarded (`if __name__ == "__main__"`), for the processes are spawned. They are started
    again when they die, and end with this process.
    """
    _say_it_in_the_log()
    settings = {"n_workers": count, "threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**{**settings, "host": "127.0.0.1", **options}) as cluster:
        yield str(cluster.scheduler_address)


@contextmanager
def cluster(address: str, is_cancelled: Callable[[], bool] = lambda: False) -> Iterator[Cluster]:
    """The cluster of a scheduler, after a look at its versions.

    Raises:
        RunError: nobody answers, there is no worker, or versions of Python, Dask or minedisc differ.
    """
    found = Cluster(address, is_cancelled)
    try:
        found.connect(REACH_S)
        yield found
    finally:
        found.close()


def ask_workers(address: str, question: Callable[[], Answer]) -> list[Answer]:
    """What each worker of a scheduler answers to a function of the package."""
    with Client(address, timeout=REACH_S, set_as_default=False) as client:
        return list(client.run(question).values())


def _say_it_in_the_log() -> None:
    """What Dask says of its own accord goes where libraries' notes go (standard error), not over a progress bar."""
    logger = logging.getLogger("distributed")
    if not any(isinstance(handler, _ToStandardError) for handler in logger.handlers):
        logger.handlers = [_ToStandardError(logging.WARNING)]


class _ToStandardError(logging.Handler):
    """Writes to the file that is standard error now, whatever `sys.stderr` shows to people."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        with suppress(OSError):
            os.write(2, f"{self.format(record)}\n".encode(errors="replace"))


class _Bring(WorkerPlugin):  # type: ignore[misc]  # distributed has no types that mypy reads
    """Hands an order to every worker, also to those that come later."""

    def __init__(self, order: Order) -> None:
        self.order, self.name = order, order.name

    def setup(self, worker: Any) -> None:
        """The worker takes the order."""
        orders.receive(self.order, worker.state.nthreads)

    def teardown(self, worker: Any) -> None:  # noqa: ARG002 - distributed gives the worker
        """The worker lets go of it."""
        orders.forget(self.order.name)


@dataclass(frozen=True)
class _Size:
    """How many work there."""

    workers: int
    threads: int


class Cluster:
    """A scheduler and its workers, working on one run (`detection.scan.TileWorkers`)."""

    def __init__(self, address: str, is_cancelled: Callable[[], bool]) -> None:
        self.address, self._is_cancelled = address, is_cancelled
        self.most_workers = 0
        self.processors: list[str] = []
        """Of workers, other than the run's own."""
        self.generation = 0
        """Grows with each new connection: what an older one was given must be given again."""
        self._client: Client | None = None
        self._order: Order | None = None
        self._lost = ""
        self._counted, self._size = 0.0, _Size(0, 0)

    def connect(self, within_s: float) -> None:
        """Reach the scheduler and look at the versions; see `cluster` for what it raises."""
        _say_it_in_the_log()
        reach(self.address, within_s)
        try:
            self._client = Client(self.address, timeout=within_s, name="minedisc", set_as_default=False)
            check_versions(self._client.get_versions())
            check_facts(self._first_facts(self._client))
        except (OSError, ValueError, ImportError) as error:
            raise no_scheduler(self.address, str(error)) from error
        self.generation += 1
        self.count(at_once=True)

    def _first_facts(self, client: Client) -> dict[str, Facts | Exception]:
        """What all workers say of themselves; where there is none yet, a task calls for one."""
        if not client.nthreads():
            task = client.submit(orders.facts, pure=False)
            self._wait_for_a_worker(client)
            task.release()
        return self._ask(client, orders.facts)

    def _ask(self, client: Client, question: Callable[..., Answer], *words: str) -> dict[str, Answer | Exception]:
        """What each worker answers, or why it cannot; one that has gone in this moment says nothing."""
        until = time.monotonic() + PATIENCE_S
        while True:
            told: dict[str, Answer | Exception] = client.run(question, *words, on_error="return")
            there = {worker: answer for worker, answer in told.items() if not isinstance(answer, OSError)}
            if there or self._is_cancelled() or time.monotonic() > until:
                return there
            time.sleep(_LOOK_S)

    def _wait_for_a_worker(self, client: Client) -> None:
        until = time.monotonic() + PATIENCE_S
        while not client.nthreads():
            if time.monotonic() > until or self._is_cancelled():
                raise RunError(
                    f"the scheduler {self.address} has no worker",
                    f"a worker within {PATIENCE_S:.0f} s",
                    f"start workers: dask worker {self.address}",
                )
            time.sleep(_LOOK_S)

    def give(self, order: Order) -> None:
        """Hand out an order and ask every worker whether it can work on it.

        Raises:
            RunError: a worker cannot read the mosaic, load the model or write results; all are named.
        """
        self._order = order
        order.files.place.write(PROBE, order.probe)
        client = self._connected()
        client.register_plugin(_Bring(order))
        told: dict[str, Readiness | Exception] = self._ask(client, orders.ready, order.name)
        problems = {
            worker: str(each) if isinstance(each, Exception) else f"on {each.host}: {each.problem}"
            for worker, each in told.items()
            if isinstance(each, Exception) or each.problem
        }
        if problems:
            raise RunError(f"{len(problems)} of {len(told)} workers cannot work on the run: {some(problems)}")
        answers = [each for each in told.values() if isinstance(each, Readiness)]
        self.processors = orders.other_processors(order, answers)

    def _connected(self) -> Client:
        if self._client is None:
            raise RunError(self._lost or f"not connected with {self.address}", remedy="resume the run")
        return self._client

    def ahead(self) -> int:
        """Tiles to be given out before the first is waited for."""
        return TILES_PER_THREAD * self.count().threads + 2

    def begin(self, tile: Tile) -> _GivenOut:
        """Give out a tile."""
        if self._order is None:
            raise RunError("the workers were given no order")
        return _GivenOut(self, self._order, tile)

    def count(self, at_once: bool = False) -> _Size:
        """How many workers can take a tile, looked up every two seconds."""
        if self._client is not None and (at_once or time.monotonic() > self._counted + _COUNT_S):
            self._counted = time.monotonic()
            with suppress(OSError, RuntimeError, ValueError):  # the scheduler has gone: the tiles will tell
                workers = self._client.scheduler_info()["workers"].values()
                running = [worker["nthreads"] for worker in workers if worker.get("status") == "running"]
                self._size = _Size(len(running), sum(running))
                self.most_workers = max(self.most_workers, len(running))
        return self._size

    def is_connected(self, generation: int) -> bool:
        """Whether what was given out in this generation may still be answered."""
        return self._client is not None and generation == self.generation

    def is_lost(self, generation: int) -> bool:
        """Whether nobody has begun anew since this generation."""
        return self._client is None or generation == self.generation

    def submit(self, tile: Tile) -> Future | None:
        """The future of a tile; None if the scheduler is lost."""
        if self._client is None or self._order is None:
            return None
        key = f"minedisc-{self._order.name}-{tile.name}-{secrets.token_hex(4)}"
        try:
            return self._client.submit(orders.work, self._order.name, tile, key=key, pure=False)
        except (OSError, RuntimeError):  # it has gone in this moment
            return None

    def come_back(self) -> str:
        """Begin anew with a scheduler that was lost; why that did not work, else nothing."""
        until = time.monotonic() + PATIENCE_S
        self._leave()
        while not self._lost and not self._is_cancelled():
            try:
                self.connect(2.0)
                if self._order is not None:
                    self.give(self._order)
                return ""
            except (RunError, OSError, RuntimeError) as failure:
                self._leave()
                error = failure.found if isinstance(failure, RunError) else str(failure)
                if time.monotonic() > until:
                    self._lost = f"the scheduler {self.address} was lost and did not come back ({error})"
            time.sleep(_LOOK_S)
        return self._lost or "cancelled"

    def wait(self, future: Future) -> str | None:
        """Wait for a tile; its future is asked for its status only, which is known here: nothing is fetched.

        Returns:
            None: it is done; else why not.

        Raises:
            CancelledError: the scheduler was lost, and the tile must be given out again.
        """
        alone_since: float | None = None
        looked = time.monotonic()
        while future.status in ("pending", "lost"):
            time.sleep(_POLL_S)
            if time.monotonic() < looked + _LOOK_S:
                continue
            looked = time.monotonic()
            if self._is_cancelled():
                return Failure("cancelled")
            alone_since = None if self.count().workers else alone_since or looked
            if alone_since and looked > alone_since + PATIENCE_S:
                return Failure(
                    f"no worker of {self.address} took it for {PATIENCE_S:.0f} s: all have gone or have no memory left"
                )
        return None if future.status == "finished" else self._why(future)

    def _why(self, future: Future) -> str:
        """Why a future did not end well."""
        try:
            future.result()
        except orders.TileFailed as error:
            return str(error)
        except KilledWorker as error:
            return Failure(
                f"{error.allowed_failures + 1} workers that had it died one after the other: give them more memory "
                "or fewer threads, or look into their logs, then resume the run"
            )
        except (ImportError, AttributeError, OSError, RuntimeError, ValueError) as error:
            if self._client is None or self._client.status != "running":
                raise CancelledError from error
            return f"{type(error).__name__}: {str(error)[:300]}"
        return "the worker gave no answer"

    def close(self) -> None:
        """Take the order back and leave; what a worker has begun it still finishes."""
        if self._order is not None:
            with suppress(RunError):
                self._order.files.place.remove(PROBE)
            if self._client is not None and self._client.status == "running":
                with suppress(OSError, RuntimeError, ValueError, TimeoutError):
                    self._client.unregister_worker_plugin(self._order.name)
        self._leave()

    def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, RuntimeError, TimeoutError):
                client.close(timeout=2)


class _GivenOut:
    """A tile in the hands of a cluster (`detection.scan.Pending`)."""

    def __init__(self, cluster: Cluster, order: Order, tile: Tile) -> None:
        self._cluster, self._order, self._tile = cluster, order, tile
        self._generation = cluster.generation
        self._future: Future | None = cluster.submit(tile)

    def result(self) -> TileResult | Failure:
        """Wait for the tile and read its result."""
        for _ in range(_MOST_RESTARTS):
            if self._future is None or not self._cluster.is_connected(self._generation):
                reason = self._again()
                if reason:
                    return Failure(reason)
                continue
            try:
                answer = self._cluster.wait(self._future)
            except CancelledError:
                self._future = None
                continue
            return self._kept() if answer is None else Failure(answer)
        return Failure(f"the scheduler {self._cluster.address} was lost {_MOST_RESTARTS} times")

    def _again(self) -> str:
        """Give the tile out once more, to the scheduler that came back; why not, else nothing."""
        if self._cluster.is_lost(self._generation):
            reason = self._cluster.come_back()
            if reason:
                return reason
        self._generation = self._cluster.generation
        self._future = self._cluster.submit(self._tile)
        return ""

    def _kept(self) -> TileResult | Failure:
        for _ in range(_SEEN_TRIES):
            found = self._order.files.load(self._tile)
            if found is not None:
                return found
            time.sleep(_LOOK_S)
        return Failure(f"a worker has done it, but its result is not found in {self._order.files.place}")

    def cancel(self) -> None:
        """Nobody waits for it any more: a worker that has not begun need not."""
        if self._future is not None:
            with suppress(OSError, RuntimeError, CancelledError):
                self._future.cancel()
