"""The server is killed in mid-review: what it acknowledged is on disk, and the browser sends the rest again."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect

from minedisc_core.domain import Status
from minedisc_core.settings import Settings, load_settings
from minedisc_core.store import CandidateFilter, Store
from tests.e2e.conftest import FABRICATED_RUN, free_port, serving, start
from tests.e2e.steps import PANEL, all_saved, open_queue, press

KEYS = ("a", "u", "a", "u", "a", "u")


@pytest.fixture
def own_home(home: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A home with the made-up run, for a server that nobody else uses."""
    settings = load_settings({}, tmp_path / "home")
    shutil.copytree(home.runs / FABRICATED_RUN, settings.runs / FABRICATED_RUN)
    yield settings
    shutil.rmtree(settings.home)


def in_the_database(home: Settings) -> dict[str, Status]:
    """Status of each candidate by falling score, read while no server has the file."""
    with Store.open(home.database) as store:
        return {c.candidate_id: c.status for c in store.candidates(CandidateFilter())}


def acknowledge(answers: dict[str, str], answer: Response) -> None:
    """Note the candidates whose verdicts the server says are stored, with the verdict."""
    if answer.url.endswith("/review/verdicts") and answer.ok:
        sent = {event["event_id"]: event for event in answer.request.post_data_json["events"]}
        for event_id in answer.json()["acknowledged"]:
            answers[sent[event_id]["candidate_id"]] = sent[event_id]["verdict"]


def test_a_killed_server_loses_no_acknowledged_verdict_and_gets_the_rest_when_it_is_back(
    page: Page, own_home: Settings
) -> None:
    port, acknowledged = free_port(), {}
    process = start(own_home, port)
    try:
        page.on("response", lambda answer: acknowledge(acknowledged, answer))
        open_queue(page, f"http://127.0.0.1:{port}", FABRICATED_RUN)
        press(page, *KEYS)
        all_saved(page)
        press(page, *KEYS)  # some of these are on their way
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    known = dict(acknowledged)
    press(page, *KEYS)
    expect(page.locator(".md-unsaved")).to_contain_text("not saved yet")
    found = in_the_database(own_home)
    order = list(found)
    assert {name: found[name] for name in known} == known
    assert list(known)[:6] == order[:6]

    with serving(own_home, port):
        expect(page.locator(".md-panel")).to_have_attribute("data-unsaved", "0", timeout=90_000)
        page.locator(PANEL).wait_for()
    wanted = [{"a": Status.CONFIRMED, "u": Status.UNSURE}[key] for key in KEYS * 3]
    assert list(in_the_database(own_home).values())[:18] == wanted
