"""How long many cores take for the tiles of a scan that read from one storage: an event simulation, core by core.

Each core scores one tile while the next one is read for it, as a scan does. Those that read at one time share the
storage evenly, and none gets more than its part of its machine's line. One driver hands the tiles out, one after
the other, and finishes each mosaic once its last tile is scored: meanwhile it hands out nothing.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import IntEnum
from itertools import count

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Work:
    """Tiles in the order in which they are handed out; arrays of one length."""

    seconds: NDArray[np.float64]
    """Processor seconds of each."""
    megabytes: NDArray[np.float64]
    """To read for each."""
    mosaic: NDArray[np.int64]
    """Number of the mosaic of each, 0.. without gaps."""


@dataclass(frozen=True)
class Site:
    """Where the work is done."""

    cores: int
    core_mb_s: float
    """Most that one core reads: its part of its machine's line."""
    shared_mb_s: float
    """What the storage gives all cores together."""
    start_s: float = 0.0
    """Until a core can score: loading the nets."""
    hand_out_s: float = 0.0
    """Of the driver, for each tile."""
    finish_s: float = 0.0
    """Of the driver, for each mosaic: grouping, files."""


@dataclass(frozen=True)
class Schedule:
    """What came out."""

    wall_s: float
    waiting_s: float
    """Sum over the cores of the time that they waited for bytes, or for the driver to hand a tile out."""
    driver_s: float
    """Time that the driver was at work."""


class _Kind(IntEnum):
    HANDED_OUT = 0
    SCORED = 1


def simulate(work: Work, site: Site) -> Schedule:
    """Play the work through on a site."""
    return _Play(work, site).run()


class _Play:
    """One simulation. Reading is counted in megabytes that each reader has got since the begin: all get the same."""

    def __init__(self, work: Work, site: Site) -> None:
        self.work, self.site = work, site
        self.seconds, self.megabytes = work.seconds.tolist(), work.megabytes.tolist()
        self.left_of = np.bincount(work.mosaic).tolist() if len(work.mosaic) else []
        self.mosaic = work.mosaic.tolist()
        self.now = self.read_mb = self.driver_free = self.driver_s = self.waiting_s = 0.0
        self.next_tile = 0
        self.numbers = count()
        self.events: list[tuple[float, int, _Kind, int, int]] = []
        """Time, number, what, core, tile."""
        self.readers: list[tuple[float, int, int, int]] = []
        """Megabytes at which each reader is done, number, core, tile."""
        self.ready: dict[int, int] = {}
        """Tile that has been read for a busy core."""
        self.idle_since = dict.fromkeys(range(min(site.cores, len(self.seconds))), site.start_s)

    def run(self) -> Schedule:
        """Until all tiles are scored and all mosaics finished."""
        self.now = self.site.start_s
        for core in list(self.idle_since):
            self._ask(core)
        while self.events or self.readers:
            read_at = self._next_read()
            if self.events and self.events[0][0] <= read_at:
                self._to(self.events[0][0])
                _, _, kind, core, tile = heapq.heappop(self.events)
                (self._handed_out if kind is _Kind.HANDED_OUT else self._scored)(core, tile)
            else:
                self._to(read_at)
                _, _, core, tile = heapq.heappop(self.readers)
                self._read(core, tile)
        return Schedule(max(self.now, self.driver_free), self.waiting_s, self.driver_s)

    def _rate(self) -> float:
        return min(self.site.core_mb_s, self.site.shared_mb_s / max(1, len(self.readers)))

    def _next_read(self) -> float:
        if not self.readers:
            return float("inf")
        return self.now + max(0.0, self.readers[0][0] - self.read_mb) / self._rate()

    def _to(self, time: float) -> None:
        if self.readers:
            self.read_mb += (time - self.now) * self._rate()
        self.now = time

    def _driver(self, seconds: float) -> float:
        """The driver's next turn: when it ends."""
        self.driver_s += seconds
        self.driver_free = max(self.now, self.driver_free) + seconds
        return self.driver_free

    def _ask(self, core: int) -> None:
        if self.next_tile < len(self.seconds):
            self._later(self._driver(self.site.hand_out_s), _Kind.HANDED_OUT, core, self.next_tile)
            self.next_tile += 1

    def _later(self, time: float, kind: _Kind, core: int, tile: int) -> None:
        heapq.heappush(self.events, (time, next(self.numbers), kind, core, tile))

    def _handed_out(self, core: int, tile: int) -> None:
        heapq.heappush(self.readers, (self.read_mb + self.megabytes[tile], next(self.numbers), core, tile))

    def _read(self, core: int, tile: int) -> None:
        if core in self.idle_since:
            self._score(core, tile)
        else:
            self.ready[core] = tile

    def _score(self, core: int, tile: int) -> None:
        self.waiting_s += self.now - self.idle_since.pop(core, self.now)
        self._later(self.now + self.seconds[tile], _Kind.SCORED, core, tile)
        self._ask(core)  # the next one is read meanwhile

    def _scored(self, core: int, tile: int) -> None:
        mosaic = self.mosaic[tile]
        self.left_of[mosaic] -= 1
        if not self.left_of[mosaic]:
            self._driver(self.site.finish_s)
        self.idle_since[core] = self.now
        if core in self.ready:
            self._score(core, self.ready.pop(core))
