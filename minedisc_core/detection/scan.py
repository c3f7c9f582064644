"""The scan: tiles of a mosaic through the discovery net, exact at the seams (paper section 5.2.5, without its slices).

The trunk of the net scores tile after tile, the features of a band of tiles are put together, and the
head runs over them: no seam, no cell lost, and never more than a band in memory. Pixels, nets and files
come in as callables, so this module needs neither TensorFlow nor a file.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.band import FeatureBand, fill_blocks
from minedisc_core.detection.refine import refined
from minedisc_core.errors import Cancelled, MinediscError
from minedisc_core.grid import PixelWindow, RasterGrid, Tile, tile_read, tiles

NOT_SEEN_FILL = 0.5
"""A cell with more no data than this share of its 201 px window is not seen."""
FLAGGED_FILL = 0.10
"""A cell with more no data than this share is scored and flagged."""
FEATURES_PER_SIDE = 48
"""Side of a tile in features (1,296 px): 6 % halo, and 230 MB in the widest layer for each scoring thread."""
ATTEMPTS = 3
READ_AHEAD = 2
"""Tiles read beyond those being scored."""
TILE_ERRORS = (MinediscError, OSError, MemoryError, ValueError, RuntimeError)
"""What a tile may fail with and the scan goes on: reading and scoring, not the saving of results."""

Item = TypeVar("Item")
Fetched = TypeVar("Fetched")
Result = TypeVar("Result")


class Net(Protocol):
    """The discovery net in two halves; of a patch model the trunk gives the scores, and the head hands them on."""

    def trunk(self, dn: NDArray[np.uint16], no_data: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Features (h // 27, w // 27, 64) of DN (h, w, band); `no_data` (h, w), None if there is none.

        Called from several threads at once.
        """

    def head(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores 0..1 (h - 6, w - 6) of features (h, w, 64)."""


@dataclass(frozen=True)
class TileResult:
    """What a tile leaves behind: enough to go on without its pixels."""

    features: NDArray[np.float32]
    """(rows, cols, channels) of the tile."""
    blocks: NDArray[np.uint8]
    """No-data pixels per 3 x 3 px block, (9 rows + 4, 9 cols + 4): see `grid.window_fill`."""


class TileStore(Protocol):
    """Where finished tiles are kept, so that a scan can go on after a crash."""

    def load(self, tile: Tile) -> TileResult | None:
        """The tile's result, None if it is not there."""

    def save(self, tile: Tile, result: TileResult) -> None:
        """Keep a result, whole or not at all."""


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

    Raises:
        Cancelled: `hooks.is_cancelled` said so.
        RunError: a result could not be saved.
    """
    job = _Scan(grid, asked, read_tile, net, store, hooks or Hooks(), retry_wait_s)
    wanted = tiles(asked, features_per_side, grid.geometry)
    # `closing`: whatever ends the scan, no thread reads on when this returns and the mosaic is closed.
    with (
        closing(_in_order(wanted, job.fetch, job.score, scorers)) as outcomes,
        ThreadPoolExecutor(1, "save") as saving,
        ThreadPoolExecutor(scorers, "look") as looking,
    ):
        job.second = (second_look, looking) if second_look else None
        for _, band in groupby(outcomes, key=lambda pair: pair[0].row0):
            job.finish_band(band, saving)
    return job.result()


@dataclass(frozen=True)
class _Pixels:
    """A tile read from the mosaic, ready for the trunk."""

    dn: NDArray[np.uint16]
    no_data: NDArray[np.bool_] | None
    blocks: NDArray[np.uint8]


class _Failure(str):
    """Why a tile could not be done."""

    __slots__ = ()


@dataclass(frozen=True)
class _Outcome:
    """What became of a tile."""

    found: TileResult | _Failure
    is_new: bool
    """It was computed now, not found in the store."""


class _Scan:
    """One scan under way."""

    def __init__(
        self, grid: RasterGrid, asked: NDArray[np.bool_], read_tile: Callable[[PixelWindow], NDArray[np.uint16]],
        net: Net, store: TileStore, hooks: Hooks, retry_wait_s: float,
    ) -> None:  # fmt: skip
        self.grid, self.asked, self.hooks, self.retry_wait_s = grid, asked, hooks, retry_wait_s
        self.read_tile, self.net, self.store = read_tile, net, store
        self.scores = np.full(grid.cells, np.nan, np.float32)
        self.fill = np.zeros(grid.cells, np.float32)
        self.failed = np.zeros(grid.cells, bool)
        self.problems: list[TileProblem] = []
        self.second: tuple[SecondLook, ThreadPoolExecutor] | None = None
        self.looked_twice = 0
        self.band = FeatureBand.before_the_first(grid.features[1], grid.geometry)

    def fetch(self, tile: Tile) -> TileResult | _Pixels | _Failure:
        """A tile's saved result, else its pixels (in the reading thread)."""
        if self.hooks.is_cancelled():
            return _Failure("cancelled")
        saved = self.store.load(tile)
        return self._attempts(lambda: self._read(tile, self.read_tile)) if saved is None else saved

    def _read(self, tile: Tile, read: Callable[[PixelWindow], NDArray[np.uint16]]) -> _Pixels:
        wanted = tile_read(tile, self.grid.height_px, self.grid.width_px, self.grid.geometry)
        dn = read(wanted.window)
        no_data = dn.min(axis=-1) == 0
        blocks = fill_blocks(no_data, tile, wanted, self.grid.geometry)
        return _Pixels(dn, no_data if no_data.any() else None, blocks)

    def _attempts(self, action: Callable[[], Result]) -> Result | _Failure:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return action()
            except TILE_ERRORS as error:
                reason = _Failure(
                    f"{error}" if isinstance(error, MinediscError) else f"{type(error).__name__}: {error}"
                )
            if attempt < ATTEMPTS and not self.hooks.is_cancelled():
                time.sleep(self.retry_wait_s)
        return reason

    def score(self, tile: Tile, fetched: TileResult | _Pixels | _Failure) -> _Outcome:
        """The trunk over a tile's pixels (in a scoring thread)."""
        if not isinstance(fetched, _Pixels) or self.hooks.is_cancelled():
            return _Outcome(_Failure("cancelled") if isinstance(fetched, _Pixels) else fetched, is_new=False)
        features = self._attempts(lambda: self._features(self.net, tile, fetched))
        if isinstance(features, _Failure):
            return _Outcome(features, is_new=True)
        return _Outcome(TileResult(features, fetched.blocks), is_new=True)

    def _features(self, net: Net, tile: Tile, pixels: _Pixels) -> NDArray[np.float32]:
        wanted = tile_read(tile, self.grid.height_px, self.grid.width_px, self.grid.geometry)
        features = net.trunk(pixels.dn, pixels.no_data)
        rows, cols = tile.row1 - tile.row0, tile.col1 - tile.col0
        kept = features[wanted.drop_rows : wanted.drop_rows + rows, wanted.drop_cols : wanted.drop_cols + cols]
        return np.ascontiguousarray(kept)

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
            return _Failure("cancelled")
        return self._attempts(lambda: self._features(second.net, tile, self._read(tile, second.read)))

    def _stop_if_cancelled(self) -> None:
        if self.hooks.is_cancelled():
            raise Cancelled("the scan was cancelled", remedy="resume it when you like: finished tiles are kept")

    def result(self) -> ScanResult:
        """All scores so far."""
        return ScanResult(self.scores, self.fill, self.failed, tuple(self.problems), self.looked_twice)


def _in_order(
    items: Sequence[Item], fetch: Callable[[Item], Fetched], score: Callable[[Item, Fetched], Result], scorers: int
) -> Generator[tuple[Item, Result], None, None]:
    """Each item with its result, in order: fetched in one thread, scored in several, a few items ahead."""
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(1, "read") as reading, ThreadPoolExecutor(scorers, "score") as scoring:
        try:
            for item in items:
                fetched = reading.submit(fetch, item)
                waiting.append((item, scoring.submit(_score_fetched, score, item, fetched)))
                if len(waiting) >= scorers + READ_AHEAD:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _score_fetched(score: Callable[[Item, Fetched], Result], item: Item, fetched: Future[Fetched]) -> Result:
    return score(item, fetched.result())
