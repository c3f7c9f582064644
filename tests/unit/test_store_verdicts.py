from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import Impact, Reason, Status, VerdictEvent
from minedisc_core.errors import StoreError
from minedisc_core.review import new_verdict
from minedisc_core.store import Store
from minedisc_core.store.connection import Database
from minedisc_core.store.verdicts import fold

RUN = "20260101-000000-aaaa"
IDS = [f"{RUN}-{number:04d}" for number in range(1, 4)]
NOW = datetime(2026, 3, 4, 5, 6, 7)


@pytest.fixture
def store() -> Iterator[Store]:
    with filled() as opened:
        yield opened


def filled(count: int = 3) -> Store:
    store = Store.in_memory()
    store.take_in(made_up_summary(count, RUN), Path("x"), made_up_sites(count, run_id=RUN), made_up_matches(count))
    return store


def confirm(candidate_id: str, event_id: str, analyst: str = "ana") -> VerdictEvent:
    return new_verdict(candidate_id, Status.CONFIRMED, analyst, event_id=event_id)


def reject(candidate_id: str, event_id: str, analyst: str = "ana") -> VerdictEvent:
    return new_verdict(candidate_id, Status.REJECTED, analyst, reason=Reason.BURN, event_id=event_id)


def undo_of(event: VerdictEvent, event_id: str) -> VerdictEvent:
    return VerdictEvent(event_id, event.candidate_id, Status.UNDECIDED, "ana", NOW, undoes=event.event_id)


def queue(store: Store) -> list[tuple[str, str]]:
    return [(row.candidate_id, row.label) for row in store.sample_queue()]


def test_a_verdict_says_all(store: Store) -> None:
    event = new_verdict(
        IDS[0], Status.CONFIRMED, "Zé", notes="dois\npits", impact=Impact.LOW, moved=(-44.1, -20.2), at_utc=NOW
    )
    assert store.record([event]) == (event.event_id,)
    found = store.candidate(IDS[0])
    assert (found.status, found.verdict_by, found.notes, found.impact) == ("confirmed", "Zé", "dois\npits", "low")
    assert (found.moved_lon, found.moved_lat, found.verdict_at_utc) == (-44.1, -20.2, NOW)
    store.record([confirm(IDS[0], "later")])
    assert (store.candidate(IDS[0]).notes, store.candidate(IDS[0]).moved_lon) == ("", None)


def test_a_repeated_event_is_acknowledged_and_changes_nothing(store: Store) -> None:
    first, second = confirm(IDS[0], "e1"), reject(IDS[0], "e2")
    store.record([first])
    store.record([second])
    assert store.record([first, second]) == ("e1", "e2")
    assert store.candidate(IDS[0]).status is Status.REJECTED
    assert [event.event_id for event in store.history(IDS[0])] == ["e1", "e2"]


def test_one_id_cannot_stand_for_two_verdicts(store: Store) -> None:
    store.record([confirm(IDS[0], "e1")])
    with pytest.raises(StoreError, match="already used"):
        store.record([confirm(IDS[1], "e1")])


def test_of_several_events_all_are_written_or_none(store: Store) -> None:
    with pytest.raises(StoreError, match="no candidate 'nobody'"):
        store.record([confirm(IDS[0], "e1"), confirm("nobody", "e2")])
    assert store.candidate(IDS[0]).status is Status.UNDECIDED
    assert store.history(IDS[0]) == []
    assert store.sample_queue() == []


def test_an_undo_is_an_event_and_the_verdict_before_is_in_force_again(store: Store) -> None:
    store.record([confirm(IDS[0], "e1"), reject(IDS[0], "e2")])
    [undone] = store.undo("ana", "u1")
    assert (undone.undoes, undone.candidate_id) == ("e2", IDS[0])
    assert store.candidate(IDS[0]).status is Status.CONFIRMED
    assert [event.event_id for event in store.history(IDS[0])] == ["e1", "e2", "u1"]


def test_undo_goes_back_step_by_step_over_candidates(store: Store) -> None:
    store.record([confirm(name, f"e{i}") for i, name in enumerate(IDS)])
    assert [len(store.undo("ana", f"u{i}")) for i in range(4)] == [1, 1, 1, 0]
    assert {c.status for c in store.candidates()} == {Status.UNDECIDED}


def test_an_analyst_undoes_only_their_own(store: Store) -> None:
    store.record([confirm(IDS[0], "e1", "ana"), confirm(IDS[1], "e2", "bea")])
    assert store.undo("carl", "u0") == []
    assert store.undo("bea", "u3", IDS[0]) == []
    [done] = store.undo("ana", "u1")
    assert done.candidate_id == IDS[0]


def test_undoing_a_verdict_that_somebody_overruled_leaves_theirs_in_force(store: Store) -> None:
    store.record([confirm(IDS[0], "e1", "ana"), reject(IDS[0], "e2", "bea")])
    store.undo("ana", "u1")
    assert store.candidate(IDS[0]).status is Status.REJECTED
    assert queue(store) == [(IDS[0], "background")]


def test_a_repeated_undo_undoes_once(store: Store) -> None:
    store.record([confirm(IDS[0], "e1"), confirm(IDS[1], "e2")])
    assert store.undo("ana", "u1") == store.undo("ana", "u1")
    assert store.candidate(IDS[0]).status is Status.CONFIRMED


def test_an_undo_may_come_as_an_event_from_the_client(store: Store) -> None:
    verdict = confirm(IDS[0], "e1")
    store.record([verdict, undo_of(verdict, "u1"), undo_of(verdict, "u2")])
    assert store.candidate(IDS[0]).status is Status.UNDECIDED


@pytest.mark.parametrize(
    "event",
    [
        VerdictEvent("u1", IDS[0], Status.UNDECIDED, "ana", NOW, undoes="nothing"),
        VerdictEvent("u1", IDS[1], Status.UNDECIDED, "ana", NOW, undoes="e1"),
        VerdictEvent("u1", IDS[0], Status.UNDECIDED, "ana", NOW),
        VerdictEvent("u1", IDS[0], Status.CONFIRMED, "ana", NOW, undoes="e1"),
        VerdictEvent("", IDS[0], Status.CONFIRMED, "ana", NOW),
    ],
    ids=["of nothing", "of another candidate", "of no event", "that is a verdict", "without an id"],
)
def test_an_undo_must_undo_a_verdict_on_its_candidate(store: Store, event: VerdictEvent) -> None:
    store.record([confirm(IDS[0], "e1")])
    with pytest.raises(StoreError):
        store.record([event])
    assert store.candidate(IDS[0]).status is Status.CONFIRMED


def test_an_undo_cannot_be_undone(store: Store) -> None:
    verdict = confirm(IDS[0], "e1")
    undo = undo_of(verdict, "u1")
    store.record([verdict, undo])
    with pytest.raises(StoreError, match="no verdict u1"):
        store.record([undo_of(undo, "u2")])


def test_confirmed_and_rejected_give_a_sample_unsure_gives_none(store: Store) -> None:
    store.record([confirm(IDS[0], "e1"), reject(IDS[1], "e2"), new_verdict(IDS[2], Status.UNSURE)])
    assert queue(store) == [(IDS[0], "mine"), (IDS[1], "background")]
    assert [row.reason for row in store.sample_queue()] == [None, Reason.BURN]


def test_the_queue_follows_the_verdict_in_force(store: Store) -> None:
    store.record([confirm(IDS[0], "e1")])
    store.record([reject(IDS[0], "e2")])
    assert queue(store) == [(IDS[0], "background")]
    store.undo("ana", "u1")
    assert queue(store) == [(IDS[0], "mine")]
    store.undo("ana", "u2")
    assert queue(store) == []
    assert len(store.sample_queue(include_withdrawn=True)) == 2
    store.record([new_verdict(IDS[0], Status.UNSURE)])
    assert queue(store) == []


def test_a_sample_lies_at_the_moved_point(store: Store) -> None:
    store.record([new_verdict(IDS[0], Status.CONFIRMED, moved=(-44.5, -20.5)), confirm(IDS[1], "e2")])
    moved, still = store.sample_queue()
    assert (moved.lon, moved.lat, moved.is_moved) == (-44.5, -20.5, True)
    peak = store.candidate(IDS[1]).site
    assert (still.lon, still.lat, still.is_moved) == (peak.peak_lon, peak.peak_lat, False)


def test_hostile_words_from_a_client_are_only_words(store: Store) -> None:
    nasty = "x'); DROP TABLE verdict_events; --"
    store.record([VerdictEvent(nasty, IDS[0], Status.CONFIRMED, nasty, NOW, notes="\ud800\x00 " + nasty)])
    found = store.candidate(IDS[0])
    assert (found.verdict_by, found.notes) == (nasty, nasty)
    assert len(store.undo(nasty, "u1")) == 1


def test_folding_takes_the_last_verdict_that_was_not_undone() -> None:
    first, second = confirm(IDS[0], "e1"), reject(IDS[0], "e2")
    assert fold([]) is None
    assert fold([first, second]) == second
    assert fold([first, second, undo_of(second, "u1")]) == first
    assert fold([first, undo_of(first, "u1")]) is None


steps = st.lists(
    st.tuples(
        st.sampled_from(["confirm", "reject", "unsure", "undo", "undo one"]), st.integers(0, 2), st.sampled_from("ab")
    ),
    max_size=16,
)


@settings(max_examples=12)
@given(steps)
def test_rebuilding_the_states_gives_what_was_kept_step_by_step(taken: list[tuple[str, int, str]]) -> None:
    with filled() as store:
        for number, (what, which, analyst) in enumerate(taken):
            name = f"event-{number}"
            if what.startswith("undo"):
                store.undo(analyst, name, IDS[which] if what == "undo one" else None)
            else:
                status = {"confirm": Status.CONFIRMED, "reject": Status.REJECTED, "unsure": Status.UNSURE}[what]
                reason = Reason.OTHER if status is Status.REJECTED else None
                store.record([new_verdict(IDS[which], status, analyst, reason=reason, event_id=name)])
        before, queued = store.candidates(), store.sample_queue(include_withdrawn=True)
        states = [fold(store.history(c.candidate_id)) for c in before]
        assert [c.status for c in before] == [Status.UNDECIDED if s is None else s.verdict for s in states]
        assert store.rebuild_states() == sum(s is not None for s in states)
        assert store.candidates() == before
        assert store.sample_queue(include_withdrawn=True) == queued


def test_ten_threads_at_once_lose_nothing() -> None:
    with filled(20) as store:
        names = store.candidate_ids()

        def work(thread: int) -> int:
            for turn in range(10):
                store.record([confirm(names[(thread + turn) % 20], f"{thread}-{turn}", f"analyst {thread}")])
                assert len(store.candidates(limit=5)) == 5
            return len(store.candidates())

        with ThreadPoolExecutor(10) as threads:
            assert list(threads.map(work, range(10))) == [20] * 10
        assert sum(len(store.history(name)) for name in names) == 100
        before = store.candidates()
        store.rebuild_states()
        assert store.candidates() == before


def test_a_conflict_is_tried_again() -> None:
    database = Database.in_memory()
    tried: list[int] = []

    def work(_: object) -> str:
        tried.append(1)
        if len(tried) < 3:
            raise duckdb.TransactionException("Transaction conflict")
        return "done"

    assert database.write(work) == "done"
    assert len(tried) == 3
    database.close()


def test_a_conflict_without_end_is_an_error() -> None:
    database = Database.in_memory()

    def work(_: object) -> None:
        raise duckdb.TransactionException("Transaction conflict")

    with pytest.raises(StoreError, match="Transaction conflict"):
        database.write(work)
    assert database.write(lambda cursor: cursor.execute("SELECT 1").fetchall()) == [(1,)]
    database.close()


def test_a_thread_that_ends_leaves_no_open_cursor_behind() -> None:
    with filled() as store:
        thread = threading.Thread(target=store.candidates)
        thread.start()
        thread.join()
        store.record([confirm(IDS[0], "e1")])
        assert store.candidate(IDS[0]).status is Status.CONFIRMED
