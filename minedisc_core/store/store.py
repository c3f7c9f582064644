"""The store: everything that is kept about candidates, in one DuckDB file that one process owns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from minedisc_core.domain import Candidate, Change, RegisterMatch, RunSummary, Site, VerdictEvent
from minedisc_core.store import (
    champions,
    changes,
    filters,
    in_view,
    point_corrections,
    progress,
    queries,
    sample_queue,
    seen,
    take_in,
    verdicts,
)
from minedisc_core.store.connection import Database
from minedisc_core.store.in_view import Cluster, MapSite
from minedisc_core.store.loop_records import ChampionEvent, RetrainingRow, Spot
from minedisc_core.store.migrations import migrate
from minedisc_core.store.order import QueueOrder
from minedisc_core.store.records import (
    CandidateFilter,
    CorrectionEvent,
    Counters,
    DatasetRow,
    FilterChoices,
    Pixels,
    Progress,
    QueueRow,
    RunRow,
    StatusChange,
    TakeIn,
)

EVERYTHING = CandidateFilter()
"""Every candidate that is not hidden, highest score first."""


class Store:
    """Candidates, verdicts and the retraining queue. Threads may share it; processes may not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        try:
            migrate(database)
        except BaseException:
            database.close()
            raise

    @classmethod
    def open(cls, database: Path) -> Store:
        """Open the file, make it if it is missing, bring it to this version.

        Raises:
            StoreOwned: another process has it open: send it the verb instead.
            StoreError: the file is damaged, no database, or made by a newer minedisc.
        """
        return cls(Database.open(database))

    @classmethod
    def in_memory(cls) -> Store:
        """A store that is gone when it is closed."""
        return cls(Database.in_memory())

    def close(self) -> None:
        """Give the file up. Closing twice is harmless."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take_in(
        self, summary: RunSummary, run_dir: Path, sites: Sequence[Site], matches: Sequence[RegisterMatch]
    ) -> TakeIn:
        """Take a finished run in, once; the second time changes nothing.

        A run that was resumed since brings what it found more; verdicts stay (`store.resumed`).

        Raises:
            StoreError: sites and matches do not fit, or a candidate with a verdict is now elsewhere.
        """
        run = take_in.check_run(summary, run_dir, sites, matches)
        done = self._database.write(lambda cursor: take_in.take_in(cursor, run))
        if done.new:
            self._database.checkpoint()
        return done

    def record(self, events: Sequence[VerdictEvent]) -> tuple[str, ...]:
        """Write verdicts and undos with their samples; on return they are on disk.

        Gives the ids of all events, also of those that were there already: a retry is harmless.
        All are written or none.

        Raises:
            StoreError: unknown candidate; an undo of something that is no verdict on it.
        """
        return self._database.write(lambda cursor: verdicts.record(cursor, events))

    def undo(self, analyst: str, event_id: str, candidate_id: str | None = None) -> list[VerdictEvent]:
        """Undo the analyst's last verdict that was not undone; gives the undos, an empty list if there was none.

        Of verdicts given with one gesture (`batch_id`) all that are still in force go together; those that
        somebody has changed since stay. With a candidate, only the analyst's last verdict on it is undone.
        Again and again, it goes back step by step. `event_id` is a new UUID; the same one undoes once.
        """
        return self._database.write(lambda cursor: verdicts.undo(cursor, analyst, event_id, candidate_id))

    def history(self, candidate_id: str) -> list[VerdictEvent]:
        """All events of a candidate, oldest first."""
        with self._database.reading() as cursor:
            return verdicts.history(cursor, candidate_id)

    def histories(self, candidate_ids: Sequence[str]) -> dict[str, list[VerdictEvent]]:
        """All events of each candidate, oldest first; an empty list where there is none."""
        with self._database.reading() as cursor:
            return verdicts.histories(cursor, candidate_ids)

    def mark_seen(self, candidate_ids: Sequence[str], analyst: str) -> None:
        """Write down that the analyst looked at candidates (the first time counts). Changes no verdict."""
        with self._database.reading() as reader:  # a look that is known already costs no write
            new = seen.not_looked_at(reader, candidate_ids, analyst)
        if new:
            self._database.write(lambda cursor: seen.mark_seen(cursor, new, analyst))

    def rebuild_states(self) -> int:
        """Fold all states, looks too, from the logs again; gives the number of decided candidates."""
        return self._database.write(verdicts.rebuild_states)

    def candidates(
        self, wanted: CandidateFilter = EVERYTHING, limit: int | None = None, offset: int = 0
    ) -> list[Candidate]:
        """Candidates in the filter's order."""
        with self._database.reading() as cursor:
            return queries.candidates(cursor, wanted, limit, offset)

    def candidate_ids(
        self, wanted: CandidateFilter = EVERYTHING, limit: int | None = None, offset: int = 0
    ) -> list[str]:
        """Ids of the candidates, in the filter's order."""
        with self._database.reading() as cursor:
            return queries.candidate_ids(cursor, wanted, limit, offset)

    def queue(self, wanted: CandidateFilter = EVERYTHING) -> QueueOrder:
        """All candidates of the filter, in its order."""
        with self._database.reading() as cursor:
            return queries.queue(cursor, wanted)

    def number_of(self, candidate_id: str) -> int | None:
        """The number under which a candidate stands in a queue; None if there is no such candidate."""
        with self._database.reading() as cursor:
            return queries.number_of(cursor, candidate_id)

    def candidates_by_number(self, numbers: Sequence[int]) -> list[Candidate]:
        """Candidates in the order of the numbers.

        Raises:
            EventRefused: one of them is gone.
        """
        with self._database.reading() as cursor:
            return queries.candidates_by_number(cursor, numbers)

    def count(self, wanted: CandidateFilter = EVERYTHING) -> int:
        """How many candidates a filter holds."""
        with self._database.reading() as cursor:
            return in_view.count(cursor, wanted)

    def sites_in(self, wanted: CandidateFilter, view: in_view.Box, most: int) -> list[MapSite] | None:
        """The candidates of a filter in a map's view (west, south, east, north); None if more than `most`."""
        with self._database.reading() as cursor:
            return in_view.sites_in(cursor, wanted, view, most)

    def clusters_in(self, wanted: CandidateFilter, view: in_view.Box, across: int) -> list[Cluster]:
        """How many candidates of a filter lie in each square of a view, `across` squares wide and high."""
        with self._database.reading() as cursor:
            return in_view.clusters_in(cursor, wanted, view, across)

    def candidates_by_id(self, candidate_ids: Sequence[str]) -> list[Candidate]:
        """Candidates in the order of the ids.

        Raises:
            StoreError: an id that no candidate has.
        """
        with self._database.reading() as cursor:
            return queries.candidates_by_id(cursor, candidate_ids)

    def candidate(self, candidate_id: str) -> Candidate:
        """One candidate.

        Raises:
            StoreError: no candidate has this id.
        """
        return self.candidates_by_id([candidate_id])[0]

    def all_sites(self, run_id: str | None = None) -> list[Site]:
        """Sites, hidden ones too, in the order they came in."""
        with self._database.reading() as cursor:
            return queries.all_sites(cursor, run_id)

    def runs(self) -> list[RunRow]:
        """Runs that were taken in, newest first."""
        with self._database.reading() as cursor:
            return queries.runs(cursor)

    def run(self, run_id: str) -> RunRow:
        """One run.

        Raises:
            StoreError: it was not taken in.
        """
        with self._database.reading() as cursor:
            return queries.runs(cursor, run_id)[0]

    def counters(self, run_id: str | None = None, analyst: str | None = None) -> Counters:
        """How far the review is."""
        with self._database.reading() as cursor:
            return queries.counters(cursor, run_id, analyst)

    def progress(self, wanted: CandidateFilter = EVERYTHING) -> Progress:
        """How far the review of some candidates is, who did what, and whether verdicts follow the score.

        Choices of the filter that depend on verdicts or looks (statuses, reasons, analysts, seen) are left
        open: what is decided stays part of the whole.
        """
        with self._database.reading() as cursor:
            return progress.progress(cursor, wanted)

    def choices(self, run_id: str | None = None) -> FilterChoices:
        """Lands and analysts that a filter can ask for, in one run or in all."""
        with self._database.reading() as cursor:
            return filters.choices(cursor, run_id)

    def by_change(self, run_id: str | None = None) -> dict[Change, int]:
        """Candidates that are not hidden, by what became of the place against a scan of another date."""
        with self._database.reading() as cursor:
            return queries.by_change(cursor, run_id)

    def confirmed_repeats(self) -> frozenset[str]:
        """Ids of confirmed candidates whose place is confirmed in a newer run as well (finished later)."""
        with self._database.reading() as cursor:
            return queries.confirmed_repeats(cursor)

    def rematch(self, candidate_ids: Sequence[str], matches: Sequence[RegisterMatch], note: str) -> list[StatusChange]:
        """Replace the register matches of candidates; gives (and keeps) the statuses that changed.

        Args:
            candidate_ids: all different.
            matches: one for each.
            note: what happened to the registers, e.g. `loaded sigbm 2026-11-02`.
        """
        return self._database.write(lambda cursor: changes.rematch(cursor, candidate_ids, matches, note))

    def status_changes(self, limit: int = 100) -> list[StatusChange]:
        """Register statuses that changed, newest first."""
        with self._database.reading() as cursor:
            return changes.status_changes(cursor, limit)

    def sample_queue(self, include_withdrawn: bool = False) -> list[QueueRow]:
        """The retraining queue, oldest first."""
        with self._database.reading() as cursor:
            return sample_queue.queue(cursor, include_withdrawn)

    def note_pixels(self, sample_id: str, pixels: Pixels, problem: str = "", sha256: str = "") -> None:
        """Write down that a sample's pixels were cut, or why they could not be."""
        self._database.write(lambda cursor: sample_queue.note_pixels(cursor, sample_id, pixels, problem, sha256))

    def add_dataset(self, version: str, folder: Path, sample_ids: Sequence[str]) -> None:
        """Write down which samples a new dataset version holds."""
        self._database.write(lambda cursor: sample_queue.add_dataset(cursor, version, folder, sample_ids))

    def datasets(self) -> list[DatasetRow]:
        """Dataset versions, newest first."""
        with self._database.reading() as cursor:
            return sample_queue.datasets(cursor)

    def correct_point(self, event: CorrectionEvent) -> None:
        """Write what a person decided about a point of a register; on return it is on disk. A retry is harmless.

        Raises:
            EventRefused: a move without a place on Earth.
        """
        self._database.write(lambda cursor: point_corrections.record(cursor, event))

    def undo_correction(self, register_id: str, analyst: str, event_id: str) -> CorrectionEvent | None:
        """Undo the analyst's last decision on a register that is not undone; gives it, None if there is none."""
        return self._database.write(lambda cursor: point_corrections.undo(cursor, register_id, analyst, event_id))

    def corrections(self, register_id: str | None = None) -> list[CorrectionEvent]:
        """The decision in force of each point that has one; of one register, or of all."""
        with self._database.reading() as cursor:
            return point_corrections.in_force(cursor, register_id)

    def correction_history(self, register_id: str | None = None) -> list[CorrectionEvent]:
        """All decisions about points and their undos, oldest first."""
        with self._database.reading() as cursor:
            return point_corrections.history(cursor, register_id)

    def add_champion_event(self, event: ChampionEvent) -> None:
        """Make another model champion: one row, one transaction; the same event id counts once.

        Raises:
            StoreError: the champion is not the one that the event replaces.
        """
        self._database.write(lambda cursor: champions.add_event(cursor, event))

    def champion(self, level: str, bands: Sequence[str]) -> ChampionEvent | None:
        """The event that made the champion of a product level and its bands; None if none was ever made."""
        with self._database.reading() as cursor:
            return champions.champion(cursor, level, bands)

    def champion_events(self, level: str | None = None, bands: Sequence[str] | None = None) -> list[ChampionEvent]:
        """Promotions and rollbacks, newest first."""
        with self._database.reading() as cursor:
            return champions.events(cursor, level, bands)

    def add_retraining(self, row: RetrainingRow, spots: Sequence[Spot]) -> None:
        """Write down a retraining and all its samples, once.

        Raises:
            StoreError: it would learn from a sample that was held out earlier.
        """
        self._database.write(lambda cursor: champions.add_retraining(cursor, row, spots))

    def retrainings(self) -> list[RetrainingRow]:
        """Retrainings that were begun, newest first."""
        with self._database.reading() as cursor:
            return champions.retrainings(cursor)

    def spots(self, *, is_held_out: bool) -> list[Spot]:
        """Every sample that any retraining held out, or learned from; each once."""
        with self._database.reading() as cursor:
            return champions.spots_of(cursor, is_held_out=is_held_out)
