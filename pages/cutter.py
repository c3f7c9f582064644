"""Work that follows verdicts and can wait until the analyst pauses: cutting the pixels of new samples."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PAUSE_S = 3.0
"""After the last verdict: whoever goes on deciding is not slowed down by reading and packing pixels."""
LONGEST_S = 60.0
"""After the first one, even if verdicts go on."""


class Cutter:
    """Runs `cut` in a thread of its own some seconds after the last call of `soon`; never two at a time."""

    def __init__(self, cut: Callable[[], object], pause_s: float = PAUSE_S, longest_s: float = LONGEST_S) -> None:
        self._cut, self._pause_s, self._longest_s = cut, pause_s, longest_s
        self._lock = threading.Lock()
        self._asked_s = 0.0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def soon(self) -> None:
        """Something is there to be cut."""
        with self._lock:
            self._asked_s = time.monotonic()
            if self._thread is None:
                self._stopped = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._stopped,), name="cutter", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Leave the rest to the next time: what is not cut stays queued."""
        with self._lock:
            self._stopped.set()
            self._thread = None

    def _run(self, stopped: threading.Event) -> None:
        asked_s = -1.0
        while not self._is_done(asked_s, stopped):
            latest_s = time.monotonic() + self._longest_s
            while (left_s := min(self._asked_s + self._pause_s, latest_s) - time.monotonic()) > 0:
                if stopped.wait(left_s):
                    return
            asked_s = self._asked_s
            self._cut()

    def _is_done(self, asked_s: float, stopped: threading.Event) -> bool:
        """Whether nothing came while the last ones were cut; then the next call starts a thread anew."""
        with self._lock:
            is_done = stopped.is_set() or asked_s == self._asked_s
            if is_done and not stopped.is_set():
                self._thread = None
            return is_done
