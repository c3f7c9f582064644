"""The scan: tiles of a mosaic through the discovery net, exact at the seams (paper section 5.2.5, without its slices).

The trunk of the net scores tile after tile, the features of a band of tiles are put together, and the
head runs over them: no seam, no cell lost, and never more than a band in memory. Pixels, nets and files
come in as callables, so this module needs neither TensorFlow nor a file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.band import FeatureBand
from minedisc_core.detection.refine import refined
from minedisc_core.detection.tile_work import Failure, Pixels, TileWork
from minedisc_core.detection.tile_work import Net as Net
from minedisc_core.detection.tile_work import TileResult as TileResult
from minedisc_core.errors import Cancelled
from minedisc_core.grid import PixelWindow, RasterGrid, Tile, tiles

NOT_SEEN_FILL = 0.5
"""A cell with more no data than this share of its 201 px window is not seen."""
FLAGGED_FILL = 0.10
"""A cell with more no data than this share is scored and flagged."""
FEATURES_PER_SIDE = 48
"""Side of a tile in features (1,296 px): 6 % halo, and 230 MB in the widest layer for each scoring thread."""
READ_AHEAD = 2
"""Tiles read beyond those being scored."""

Item = TypeVar("Item")
Result = TypeVar("Result", covariant=True)


class TileStore(Protocol):
    """Where finished tiles are kept, so that a scan can go on after a crash."""

    def load(self, tile: Tile) -> TileResult | None:
        """The tile's result, None if it is not there."""

    def save(self, tile: Tile, result: TileResult) -> None:
        """Keep a result, whole or not at all."""


class Pending(Protocol[Result]):
    """What was begun and is waited for, as a `Future`."""

    def result(self) -> Result:
        """Wait for it."""

    def cancel(self) -> object:
        """Nobody waits for it any more."""


class TileWorkers(Protocol):
    """Other processes that read tiles, score them and keep the results; the head and all that follows stay here."""

    def ahead(self) -> int:
        """Tiles to be given out before the first is waited for; changes as workers come and go."""

    def begin(self, tile: Tile) -> Pending[TileResult | Failure]:
        """Give out a tile. Waiting for it ends soon after the scan was cancelled."""


@dataclass(frozen=True)
class Hooks:
    """What the caller wants to know while the scan runs."""

    on_tile: Callable[[Tile, str | None], None] = lambda _tile, _reason: None
    """A tile is done (and saved), or has failed with a reason. Called from the saving thread."""
    on_scores: Callable[[int, NDArray[np.float32]], None] = lambda _first_row, _scores: None
    """Cell rows from `first_row` on are scored, (n, all columns); NaN = not asked, not seen or failed."""
    is_cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class SecondLook:
    """How the cells that a quick net leaves in doubt are scored once more."""

    net: Net
    """The exact net."""
    doubt: Callable[[NDArray[np.float32]], NDArray[np.bool_]]
    """Mask of the scores that are not good enough."""
    read: Callable[[PixelWindow], NDArray[np.uint16]]
    """As `read_tile` of the scan, called from several threads."""


@dataclass(frozen=True)
class TileProblem:
    """A tile that failed three times."""

    tile: Tile
    reason: str


@dataclass(frozen=True)
class ScanResult:
    """Scores of a whole mosaic."""

    scores: NDArray[np.float32]
    """One value per cell, 0..1; NaN = not asked, not seen or failed."""
    fill: NDArray[np.float32]
    """Share of no data in each asked cell's 201 px window, 0..1; 0 where nothing was asked."""
    failed: NDArray[np.bool_]
    """Asked cells that depend on a failed tile."""
    problems: tuple[TileProblem, ...] = field(default=())
    looked_twice: int = 0
    """Asked cells that were scored once more in the exact net."""


def scan(
    grid: RasterGrid,
    asked: NDArray[np.bool_],
    read_tile: Callable[[PixelWindow], NDArray[np.uint16]],
    net: Net,
    store: TileStore,
    *,
    hooks: Hooks | None = None,
    features_per_side: int = FEATURES_PER_SIDE,
    scorers: int = 2,
    retry_wait_s: float = 0.5,
    second_look: SecondLook | None = None,
    workers: TileWorkers | None = None,
) -> ScanResult:
    """Score the asked cells of a mosaic; the result equals one pass over the whole raster.

    Args:
        grid: the mosaic's pixels.
        asked: mask over the cells (`RasterGrid.asked_cells`).
        read_tile: DN (h, w, band) of a window inside the raster, uint16, 0 = no data; called from one thread.
        net: trunk and head.
        store: results of tiles; those it already holds are not computed again.
        hooks: progress, scores as they come, and the wish to stop.
        features_per_side: side of a tile in features.
        scorers: tiles scored at once, each in a thread; one more thread reads ahead.
        retry_wait_s: pause before a failed tile is tried again.
        second_look: for a net whose scores are good enough for most cells only; None: for all.
        workers: who reads and scores the tiles; None: threads of this process.

    Raises:
        Cancelled: `hooks.is_cancelled` said so.
        RunError: a result could not be saved.
    """
    job = _Scan(grid, asked, read_tile, net, store, hooks or Hooks(), retry_wait_s)
    wanted = tiles(asked, features_per_side, grid.geometry)
    # `closing`: whatever ends the scan, no thread reads on when this returns and the mosaic is closed.
    with (
        closing(_elsewhere(workers, wanted) if workers else _here(job, wanted, scorers)) as outcomes,
        ThreadPoolExecutor(1, "save") as saving,
        ThreadPoolExecutor(scorers, "look") as looking,
    ):
        job.second = (second_look, looking) if second_look else None
        for _, band in groupby(outcomes, key=lambda pair: pair[0].row0):
            job.finish_band(band, saving)
    return job.result()


@dataclass(frozen=True)
class _Outcome:
    """What became of a tile."""

    found: TileResult | Failure
    is_new: bool
    """It is not in the store yet."""


class _Scan:
    """One scan under way."""

    def __init__(
        self, grid: RasterGrid, asked: NDArray[np.bool_], read_tile: Callable[[PixelWindow], NDArray[np.uint16]],
        net: Net, store: TileStore, hooks: Hooks, retry_wait_s: float,
    ) -> None:  # fmt: skip
        self.grid, self.asked, self.hooks = grid, asked, hooks
        self.read_tile, self.net, self.store = read_tile, net, store
        self.work = TileWork(grid, net, hooks.is_cancelled, retry_wait_s)
        self.scores = np.full(grid.cells, np.nan, np.float32)
        self.fill = np.zeros(grid.cells, np.float32)
        self.failed = np.zeros(grid.cells, bool)
        self.problems: list[TileProblem] = []
        self.second: tuple[SecondLook, ThreadPoolExecutor] | None = None
        self.looked_twice = 0
        self.band = FeatureBand.before_the_first(grid.features[1], grid.geometry)

    def fetch(self, tile: Tile) -> TileResult | Pixels | Failure:
        """A tile's saved result, else its pixels (in the reading thread)."""
        if self.hooks.is_cancelled():
            return Failure("cancelled")
        saved = self.store.load(tile)
        return self.work.read(tile, self.read_tile) if saved is None else saved

    def score(self, tile: Tile, fetched: TileResult | Pixels | Failure) -> _Outcome:
        """The trunk over a tile's pixels (in a scoring thread)."""
        if not isinstance(fetched, Pixels):
            return _Outcome(fetched, is_new=False)
        if self.hooks.is_cancelled():
            return _Outcome(Failure("cancelled"), is_new=False)
        return _Outcome(self.work.score(tile, fetched), is_new=True)

    def finish_band(self, band: Iterable[tuple[Tile, _Outcome]], saving: ThreadPoolExecutor) -> None:
        """Take in the tiles of one band, then score the cells that have become complete."""
        saved: list[Future[None]] = []
        for tile, outcome in band:
            self._stop_if_cancelled()
            if not self.band.holds(tile):
                self.band = self.band.next_band(tile.row0, tile.row1)
            if isinstance(outcome.found, TileResult):
                self.band.place(tile, outcome.found.features, outcome.found.blocks)
            else:
                self.band.mark_failed(tile)
                self.problems.append(TileProblem(tile, str(outcome.found)))
            saved.append(saving.submit(self._save, tile, outcome))
        self._head()
        for future in saved:
            future.result()

    def _save(self, tile: Tile, outcome: _Outcome) -> None:
        if isinstance(outcome.found, TileResult):
            if outcome.is_new:
                self.store.save(tile, outcome.found)
            self.hooks.on_tile(tile, None)
        else:
            self.hooks.on_tile(tile, str(outcome.found))

    def _head(self) -> None:
        first_row, scores, fill, failed = self.band.score(self.net.head)
        rows = slice(first_row, first_row + len(scores))
        asked = self.asked[rows]
        if self.second is not None:
            is_seen = asked & (fill <= NOT_SEEN_FILL) & ~failed
            scores, failed = self._look_again(*self.second, scores, is_seen, failed)
        seen = asked & (fill <= NOT_SEEN_FILL) & ~failed
        self.scores[rows] = np.where(seen, scores, np.nan)
        self.fill[rows] = np.where(asked, fill, 0)
        self.failed[rows] = asked & failed
        if len(scores):
            self.hooks.on_scores(first_row, self.scores[rows])

    def _look_again(
        self,
        second: SecondLook,
        pool: ThreadPoolExecutor,
        scores: NDArray[np.float32],
        seen: NDArray[np.bool_],
        failed: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Scores and failed cells of the band, exact where there was doubt."""
        doubt = seen & second.doubt(scores)
        if not doubt.any():
            return scores, failed
        self.looked_twice += int(doubt.sum())
        found = refined(self.band, scores, doubt, lambda tile: self._exact(second, tile), second.net.head, pool)
        self.problems += [TileProblem(tile, reason) for tile, reason in found.problems]
        self._stop_if_cancelled()
        return found.scores, failed | found.failed

    def _exact(self, second: SecondLook, tile: Tile) -> NDArray[np.float32] | str:
        if self.hooks.is_cancelled():
            return Failure("cancelled")
        return self.work.attempts(lambda: self.work.features(second.net, tile, self.work.pixels(tile, second.read)))

    def _stop_if_cancelled(self) -> None:
        if self.hooks.is_cancelled():
            raise Cancelled("the scan was cancelled", remedy="resume it when you like: finished tiles are kept")

    def result(self) -> ScanResult:
        """All scores so far."""
        return ScanResult(self.scores, self.fill, self.failed, tuple(self.problems), self.looked_twice)


def _here(job: _Scan, wanted: Sequence[Tile], scorers: int) -> Generator[tuple[Tile, _Outcome], None, None]:
    """Each tile with its outcome: read in one thread, scored in several, a few tiles ahead."""
    with ThreadPoolExecutor(1, "read") as reading, ThreadPoolExecutor(scorers, "score") as scoring:

        def begin(tile: Tile) -> Future[_Outcome]:
            fetched = reading.submit(job.fetch, tile)
            return scoring.submit(lambda: job.score(tile, fetched.result()))

        with closing(_in_order(wanted, begin, lambda: scorers + READ_AHEAD)) as outcomes:
            yield from outcomes


def _elsewhere(workers: TileWorkers, wanted: Sequence[Tile]) -> Generator[tuple[Tile, _Outcome], None, None]:
    """Each tile with its outcome, from workers that keep the results themselves."""
    with closing(_in_order(wanted, workers.begin, workers.ahead)) as found:
        for tile, result in found:
            yield tile, _Outcome(result, is_new=False)


def _in_order(
    items: Sequence[Item], begin: Callable[[Item], Pending[Result]], ahead: Callable[[], int]
) -> Generator[tuple[Item, Result], None, None]:
    """Each item with its result, in order; as many as `ahead` says are begun before the first is waited for."""
    waiting: deque[tuple[Item, Pending[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, begin(item)))
            while len(waiting) >= max(1, ahead()):
                done, pending = waiting.popleft()
                yield done, pending.result()
        while waiting:
            done, pending = waiting.popleft()
            yield done, pending.result()
    finally:
        for _, pending in waiting:
            pending.cancel()
