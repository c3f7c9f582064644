"""Finished runs come in by a thread, and no page waits for a very large one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from minedisc_core.errors import RunError
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
