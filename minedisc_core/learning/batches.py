"""Batches of an epoch: gathered and turned in a thread while the net learns from the one before."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Windows = NDArray[np.uint16]
Batch = tuple[Windows, NDArray[np.int32]]
_AHEAD = 3
"""Batches that wait at most."""


@dataclass
class Batches:
    """Draws batches from windows in memory."""

    windows: Windows
    """(n, side, side, band)."""
    labels: NDArray[np.int32]
    side_px: int
    """Leading pixels of a (turned) window that are kept."""
    batch: int
    symmetries: bool
    seed: int
    waited_s: float = 0.0
    """Seconds that the net has waited for batches."""

    def epoch(self, order: NDArray[np.intp], number: int) -> Generator[Batch]:
        """The windows of `order`, each in a symmetry that depends on the seed and the number of the epoch."""
        turns = np.random.default_rng([self.seed, number, 8]).integers(8 if self.symmetries else 1, size=len(order))
        waiting: queue.Queue[Batch | BaseException | None] = queue.Queue(_AHEAD)
        stop = threading.Event()
        thread = threading.Thread(target=self._fill, args=(waiting, stop, order, turns), daemon=True, name="batches")
        thread.start()
        try:
            while (found := self._next(waiting)) is not None:
                yield found
        finally:
            stop.set()
            thread.join()

    def plain(self, order: NDArray[np.intp]) -> Iterator[Windows]:
        """The windows of `order` as they are."""
        for start in range(0, len(order), 2 * self.batch):
            yield self._gather(order[start : start + 2 * self.batch], None)

    def _next(self, waiting: queue.Queue[Batch | BaseException | None]) -> Batch | None:
        started = time.perf_counter()
        found = waiting.get()
        self.waited_s += time.perf_counter() - started
        if isinstance(found, BaseException):
            raise found
        return found

    def _fill(
        self,
        waiting: queue.Queue[Batch | BaseException | None],
        stop: threading.Event,
        order: NDArray[np.intp],
        turns: NDArray[np.int64],
    ) -> None:
        try:
            for start in range(0, len(order), self.batch):
                chosen = order[start : start + self.batch]
                batch = self._gather(chosen, turns[start : start + self.batch])
                if not _put(waiting, stop, (batch, self.labels[chosen])):
                    return
            _put(waiting, stop, None)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the batch was wanted
            _put(waiting, stop, error)

    def _gather(self, chosen: NDArray[np.intp], turns: NDArray[np.int64] | None) -> Windows:
        side = self.side_px
        batch = np.empty((len(chosen), side, side, self.windows.shape[-1]), np.uint16)
        for slot, index in enumerate(chosen):
            turned = symmetry(self.windows[index], 0 if turns is None else int(turns[slot]))
            batch[slot] = turned[:side, :side]
        return batch


def _put(
    waiting: queue.Queue[Batch | BaseException | None], stop: threading.Event, what: Batch | BaseException | None
) -> bool:
    """Put something in the queue; False if nobody wants it any more."""
    while not stop.is_set():
        try:
            waiting.put(what, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def symmetry(window: NDArray[Any], which: int) -> NDArray[Any]:
    """One of the eight symmetries (0..7) of a square (side, side, band) array; 0 leaves it as it is."""
    turned = np.rot90(window, which % 4)
    return turned[:, ::-1] if which >= 4 else turned
