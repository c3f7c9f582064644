"""The Retrain page: what is missing, start, progress, comparison, promotion with and against the rule, rollback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from minedisc_core import service
from minedisc_core.domain import Reason, Status
from minedisc_core.review import new_verdict
from minedisc_core.settings import Settings
from pages import retraining, shared
from tests.loop_home import make_loop_home
from tests.made_up_retraining import finish_by_hand
from tests.pages.conftest import Opener


def texts(app: AppTest) -> str:
    told = [*app.markdown, *app.caption, *app.error, *app.warning, *app.success]
    return "\n".join(str(element.value) for element in told)


@pytest.fixture
def home(empty_home: Settings) -> Settings:
    make_loop_home(empty_home, places=4, pictures=True)
    return empty_home


@pytest.fixture
def judged(home: Settings) -> Iterator[Path]:
    """A retraining whose figures were written by hand: the challenger is better, and there are too few mines."""
    make_champion(home)
    begun = service.VERBS["retrain_begin"](
        shared.store(), home, without_own_dataset=True, retraining_id="20260102-000000-aaaa"
    )
    finish_by_hand(Path(begun["folder"]), home)
    return Path(begun["folder"])


def make_champion(home: Settings) -> None:
    why = {"analyst": "Ana", "override": "the model of this test"}
    service.VERBS["models_promote"](shared.store(), home, name="bright", **why)


def test_the_page_says_what_it_would_learn_from_and_what_a_promotion_would_lack(
    home: Settings, open_page: Opener
) -> None:
    app = open_page("retrain.py")
    assert not app.exception
    told = texts(app)
    assert "Champion: **demo\\-l1c**" in told or "Champion: **demo-l1c**" in told
    assert "Would learn from 16 verdicts; held out for the comparison: 8 confirmed mines at 2 places" in told
    assert "8 of 30 held-out confirmed mines" in told
    assert not app.button(key="retrain_start").disabled


def test_the_button_begins_a_retraining_and_a_second_one_is_refused_in_words(
    home: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    monkeypatch.setattr(retraining, "start_retraining", lambda folder, _: started.append(folder))
    app = open_page("retrain.py")
    app.button(key="retrain_start").click().run()
    assert not app.exception
    assert len(started) == 1
    request = json.loads((started[0] / "request.json").read_text())
    assert request["out"] == "demo-l1c-r1"
    monkeypatch.setattr("minedisc_core.jobs.retraining_request.is_alive", lambda _: True)
    app.button(key="retrain_start").click().run()
    assert not app.exception
    assert "is running" in app.error[0].value
    assert "one retraining at a time" in app.error[0].value


def test_one_that_stopped_can_be_resumed_from_the_page(
    home: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = service.VERBS["retrain_begin"](shared.store(), home, champion="bright", without_own_dataset=True)
    resumed: list[Path] = []
    monkeypatch.setattr(retraining, "start_retraining", lambda folder, _: resumed.append(folder))
    app = open_page("retrain.py")
    app.button(key="resume_bright-r1").click().run()
    assert not app.exception
    assert resumed == [Path(begun["folder"])]


def test_the_comparison_stands_side_by_side_with_what_changed_and_the_refusal_with_its_numbers(
    judged: Path, open_page: Opener
) -> None:
    app = open_page("retrain.py")
    assert not app.exception
    rows = {row["Figure"]: row for row in app.dataframe[0].value.to_dict("records")}
    assert rows["False sites, whole scenes"]["Champion"] == "8"
    assert rows["False sites, whole scenes"]["Challenger"] == "0"
    assert rows["False alarms: Irrigation dam"] == {
        "Figure": "False alarms: Irrigation dam", "Champion": "8 of 8", "Challenger": "0 of 8"
    }  # fmt: skip
    told = texts(app)
    assert "8 held-out confirmed mines on the whole scenes, 30 are needed: 22 more" in told.replace("\\", "")
    assert "**What changed** · 8 candidates" in told
    assert app.button(key="retrain_promote").disabled


def test_against_the_rule_a_reason_and_a_name_promote_and_a_click_rolls_back(
    judged: Path, home: Settings, open_page: Opener
) -> None:
    app = open_page("retrain.py")
    assert app.button(key="retrain_override").disabled
    app.text_input(key="analyst").set_value("Ana").run()
    app.text_area(key="retrain_reason").set_value("Too few mines yet, but the dams are gone").run()
    app.button(key="retrain_override").click().run()
    assert not app.exception
    event, _ = shared.store().champion_events()
    assert (event.model, event.analyst, str(event.action)) == ("bright-r1", "Ana", "overridden")
    assert event.reason == "Too few mines yet, but the dams are gone"
    assert "22 more" in event.report["refused_because"]
    app.button(key="rollback_L1C").click().run()
    assert not app.exception
    assert shared.store().champion_events()[0].model == event.previous == "bright"


def test_a_verdict_that_is_taken_back_counts_for_nothing_any_more(
    judged: Path, home: Settings, open_page: Opener
) -> None:
    rows = json.loads((judged / "request.json").read_text())["judged"]
    dam = next(row["candidate_id"] for row in rows if not row["is_mine"])
    shared.store().undo("Ana", "undo-1", dam)
    app = open_page("retrain.py")
    rows = {row["Figure"]: row for row in app.dataframe[0].value.to_dict("records")}
    assert rows["False alarms: Irrigation dam"]["Champion"] == "7 of 7"
    assert "1 held-out verdicts were taken back since" in texts(app).replace("\\", "")


def test_without_any_verdict_outside_the_held_out_places_it_does_not_start(
    empty_home: Settings, open_page: Opener
) -> None:
    make_loop_home(empty_home, places=1)
    store = shared.store()
    for row in store.sample_queue():
        store.undo("Ana", f"undo-{row.sample_id}", row.candidate_id)
    store.record([new_verdict(store.candidate_ids()[0], Status.REJECTED, "Ana", reason=Reason.BURN)])
    held = store.sample_queue()[0]
    from minedisc_core.store import RetrainingRow, Spot
    from minedisc_core.store.champions import utc_now

    spot = Spot("old", held.lon, held.lat, "somewhere", True)
    store.add_retraining(RetrainingRow("r0", utc_now(), Path("x"), "m", "i", "o", "d"), [spot])
    app = open_page("retrain.py")
    assert not app.exception
    assert app.button(key="retrain_start").disabled
    assert "no verdict outside the held-out places" in texts(app).replace("\\", "")


def test_numbers_of_the_hand_made_scores_are_finite(judged: Path) -> None:
    scores = json.loads((judged / "samples.json").read_text())["scores"]
    assert np.isfinite([list(pair.values()) for pair in scores.values()]).all()
