"""Finished runs are taken in by a thread: a page waits for a usual run, and goes on without a very large one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

PAGE_WAITS_S = 10.0
"""A run of 100,000 sites takes about that long."""


class TakingIn:
    """Takes runs in, one after the other."""

    def __init__(self, take_in: Callable[[Path], dict[str, Any]]) -> None:
        self._take_in = take_in
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="take-in")
        self._under_way: dict[Path, Future[dict[str, Any]]] = {}

    def begin(self, folders: Sequence[Path]) -> None:
        """Take in those that are not under way; returns when they are in, or after `PAGE_WAITS_S`."""
        with self._lock:
            new = {path: self._thread.submit(self._take_in, path) for path in folders if path not in self._under_way}
            self._under_way |= new
        wait(new.values(), PAGE_WAITS_S)

    def done(self) -> list[tuple[Path, Future[dict[str, Any]]]]:
        """What has been done and was not told yet, with its result or error."""
        with self._lock:
            told = [(path, future) for path, future in self._under_way.items() if future.done()]
            for path, _ in told:
                del self._under_way[path]
        return told

    def close(self) -> None:
        """Wait for what is being taken in; what has not begun is left for another time."""
        self._thread.shutdown(wait=True, cancel_futures=True)
