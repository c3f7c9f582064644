"""Threads that read files, several at once: most of a read is waiting for a server."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

import rasterio

from minedisc_core.errors import Cancelled

_Result = TypeVar("_Result")
_Task = tuple[Future[Any], Callable[[], Any]] | None
POLL_SECONDS = 0.2
"""How often a wait asks whether it was cancelled."""


class Readers:
    """A pool whose threads die with the process.

    `ThreadPoolExecutor` makes the process wait for its threads at the end, and a thread that waits for a
    stalled server cannot be stopped: a cancelled job would hang for the length of a time-out.
    """

    def __init__(self, threads: int, options: dict[str, Any]) -> None:
        tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._tasks = tasks
        for _ in range(threads):
            threading.Thread(target=_work, args=(tasks, options), daemon=True).start()
        weakref.finalize(self, _send_home, tasks, threads)

    def results(
        self, calls: Sequence[Callable[[], _Result]], is_cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, _Result]]:
        """Number and result of each call, as they come; what has come is not kept.

        Raises:
            Cancelled: `is_cancelled` said so; what has not started does not start.
        """
        waiting: dict[Future[Any], int] = {}
        for number, call in enumerate(calls):
            future: Future[Any] = Future()
            waiting[future] = number
            self._tasks.put((future, call))
        try:
            while waiting:
                done, _ = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
                if is_cancelled():
                    raise Cancelled("The composite was cancelled.")
                while done:
                    future = done.pop()
                    yield waiting.pop(future), future.result()
        finally:
            for future in waiting:
                future.cancel()


def _work(tasks: queue.SimpleQueue[_Task], options: dict[str, Any]) -> None:
    with rasterio.Env(**options):
        while (task := tasks.get()) is not None:
            _answer(*task)
            del task  # or the last result would stay in memory until the next task


def _answer(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for the result
        future.set_exception(error)


def _send_home(tasks: queue.SimpleQueue[_Task], threads: int) -> None:
    for _ in range(threads):
        tasks.put(None)
