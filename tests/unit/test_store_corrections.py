from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from minedisc_core.errors import EventRefused
from minedisc_core.store import CorrectionEvent, Store

MOVE = CorrectionEvent("e1", "a" * 64, "mines.csv", 7, "moved", -44.0, -20.0, -44.01, -20.02, "ana",
                       datetime(2026, 1, 2, 3, 4, 5))  # fmt: skip


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


def test_the_last_word_on_a_point_counts_and_all_words_are_kept(store: Store) -> None:
    again = replace(MOVE, event_id="e2", action="not_a_mine", new_lon=None, new_lat=None, analyst="rui")
    other = replace(MOVE, event_id="e3", line=2)
    for event in (MOVE, again, other):
        store.correct_point(event)
    assert store.corrections(MOVE.register_id) == [other, again]
    assert store.correction_history(MOVE.register_id) == [MOVE, again, other]
    assert store.corrections("b" * 64) == []


def test_a_repeated_event_changes_nothing(store: Store) -> None:
    store.correct_point(MOVE)
    store.correct_point(replace(MOVE, new_lon=0.0))
    assert store.correction_history() == [MOVE]


def test_undo_goes_back_step_by_step_over_the_analysts_own_decisions(store: Store) -> None:
    other = replace(MOVE, event_id="e2", analyst="rui", new_lon=-43.0)
    third = replace(MOVE, event_id="e3", line=9)
    for event in (MOVE, other, third):
        store.correct_point(event)
    assert store.undo_correction(MOVE.register_id, "ana", "u1") == third
    assert store.undo_correction(MOVE.register_id, "ana", "u1") == third  # a retry
    assert store.corrections() == [other]
    assert store.undo_correction(MOVE.register_id, "ana", "u2") == MOVE
    assert store.undo_correction(MOVE.register_id, "ana", "u3") is None
    assert store.corrections() == [other]
    assert store.undo_correction(MOVE.register_id, "rui", "u4") == other
    assert store.corrections() == []
    assert [event.action for event in store.correction_history()] == ["moved"] * 3 + ["undone"] * 3


@pytest.mark.parametrize("place", [(None, None), (181.0, 0.0), (0.0, float("nan"))])
def test_a_move_to_nowhere_is_refused(store: Store, place: tuple[float | None, float | None]) -> None:
    with pytest.raises(EventRefused):
        store.correct_point(replace(MOVE, new_lon=place[0], new_lat=place[1]))
    assert store.correction_history() == []


def test_decisions_are_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    with Store.open(tmp_path / "m.duckdb") as store:
        store.correct_point(MOVE)
    with Store.open(tmp_path / "m.duckdb") as store:
        assert store.corrections() == [MOVE]
