"""Finished runs come in by a thread, and no page waits for a very large one."""

from __future__ import annotations

import dataclasses
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from shapely import box

from minedisc_core.domain import Status
from minedisc_core.errors import RunError
from minedisc_core.review import new_verdict
from minedisc_core.runs import SITES, read_sites, read_summary, write_sites, write_summary
from minedisc_core.settings import Settings
from pages import shared
from pages.taking_in import TakingIn


def test_a_page_waits_for_a_usual_run(home: Settings) -> None:
    said = shared.house().take_in_finished()
    assert len(said) == 1
    assert said[0].endswith("new candidates.")
    assert shared.house().take_in_finished() == []


def test_a_page_goes_on_without_a_large_run_which_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.taking_in.PAGE_WAITS_S", 0.0)
    may_end, calls = threading.Event(), []

    def take_in(folder: Path) -> dict[str, object]:
        calls.append(folder)
        may_end.wait(30)
        return {"run_id": folder.name}

    taking = TakingIn(take_in)
    taking.begin([Path("a")])
    taking.begin([Path("a")])  # another tab
    assert taking.done() == []
    may_end.set()
    taking.close()
    assert [(path, future.result()) for path, future in taking.done()] == [(Path("a"), {"run_id": "a"})]
    assert (calls, taking.done()) == ([Path("a")], [])


def test_an_error_is_told_to_whoever_asks() -> None:
    def take_in(folder: Path) -> dict[str, object]:
        raise RunError(f"{folder} is broken")

    taking = TakingIn(take_in)
    taking.begin([Path("a")])
    [(_, future)] = taking.done()
    assert isinstance(future.exception(), RunError)
    taking.close()


def test_a_run_that_was_resumed_comes_in_again_with_its_verdicts_kept(taken_in: Settings, run_folder: Path) -> None:
    house = shared.house()
    assert house.take_in_finished() == []
    summary, sites = read_summary(run_folder), read_sites(run_folder)
    house.store.record([new_verdict(sites[0].site_id, Status.CONFIRMED, "ana")])
    more = dataclasses.replace(sites[0], site_id=f"{summary.run_id}-0999", polygon=box(-44.5, -19.9, -44.49, -19.89))
    write_sites(run_folder, [*sites, more])
    later = summary.finished_at_utc + timedelta(minutes=5)
    write_summary(run_folder, dataclasses.replace(summary, sites=len(sites) + 1, finished_at_utc=later))
    [said] = house.take_in_finished()
    assert said.endswith(": 1 new candidate.")
    assert house.store.candidate(sites[0].site_id).status is Status.CONFIRMED
    assert house.store.candidate(more.site_id).status is Status.UNDECIDED
    assert house.take_in_finished() == []


def test_a_resumed_run_that_was_refused_is_tried_when_it_has_finished_again(
    taken_in: Settings, run_folder: Path
) -> None:
    house, good = shared.house(), (run_folder / SITES).read_bytes()
    summary = read_summary(run_folder)
    (run_folder / SITES).write_bytes(b"torn")
    for minutes in (1, 2):
        later = summary.finished_at_utc + timedelta(minutes=minutes)
        write_summary(run_folder, dataclasses.replace(summary, finished_at_utc=later))
        [said] = house.take_in_finished()
        assert ("could not be taken in" in said) is (minutes == 1)
        assert bool(house.refused) is (minutes == 1)
        assert house.take_in_finished() == []
        (run_folder / SITES).write_bytes(good)
