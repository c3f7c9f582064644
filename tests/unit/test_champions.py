"""Champions: the append-only record, promotion by the rule or with a reason, rollback, what is held out for ever."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minedisc_core.errors import MinediscError, ModelError, RunError, StoreError, UsageError
from minedisc_core.service.door import call
from minedisc_core.settings import Settings
from minedisc_core.store import RetrainingRow, Spot, Store
from minedisc_core.store.champions import utc_now
from tests.loop_home import MINES, REJECTED, make_loop_home
from tests.made_up_retraining import finish_by_hand

PLACES, HELD = 16, 8
"""Eight of them are held out: 32 mines."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with verdicts at many places; copied for each test."""
    home = tmp_path_factory.mktemp("loop") / "home"
    home.mkdir()
    make_loop_home(Settings(home), places=PLACES)
    return home


@pytest.fixture
def home(made: Path, settings: Settings) -> Settings:
    """The runs stay where they are: nothing writes there."""
    for name in ("minedisc.duckdb", "models"):
        source, target = made / name, settings.home / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return settings


@pytest.fixture
def store(home: Settings) -> Iterator[Store]:
    with Store.open(home.database) as opened:
        yield opened


def ask(store: Store, home: Settings, verb: str, **arguments: Any) -> Any:
    return call(store, home, verb, arguments)


def begin(store: Store, home: Settings, **more: Any) -> Path:
    asked = {"champion": "bright", "without_own_dataset": True} | more
    return Path(ask(store, home, "retrain_begin", **asked)["folder"])


@pytest.fixture
def champion(store: Store, home: Settings) -> str:
    """`bright` is the champion."""
    why = {"analyst": "Ana", "override": "it is the only one we have"}
    ask(store, home, "models_promote", name="bright", **why)
    return "bright"


def now(store: Store, home: Settings) -> str:
    rows = ask(store, home, "models_champion")["champions"]
    return next(row["champion"] for row in rows if row["level"] == "L1C")


def test_a_better_challenger_is_promoted_by_the_rule_and_a_rollback_brings_the_champion_back(
    store: Store, home: Settings, champion: str
) -> None:
    folder = begin(store, home)
    finish_by_hand(folder, home)
    shown = ask(store, home, "retrain_show", retraining_id=folder.name)
    assert shown["refusals"] == []
    assert shown["sites"]["mines"] == HELD * MINES
    done = ask(store, home, "models_promote", name="bright-r1", event_id="e1")
    assert (done["changed"], done["action"]) == (True, "promoted")
    assert now(store, home) == "bright-r1"
    assert not ask(store, home, "models_promote", name="bright-r1", event_id="e1")["changed"]
    assert ask(store, home, "models_rollback", event_id="e2")["champion"] == "bright"
    assert not ask(store, home, "models_rollback", event_id="e2")["changed"]
    assert now(store, home) == "bright"
    actions = [event["action"] for event in ask(store, home, "models_champion")["history"]]
    assert actions == ["rolled_back", "promoted", "overridden"]


def test_one_that_finds_fewer_mines_is_refused_with_the_numbers_and_a_typed_reason_is_kept(
    store: Store, home: Settings, champion: str
) -> None:
    folder = begin(store, home)
    finish_by_hand(folder, home, misses=2)
    with pytest.raises(RunError, match=r"finds 93\.8% of 32 held-out mines, the champion 100\.0%"):
        ask(store, home, "models_promote", name="bright-r1")
    for reason, analyst, said in (("short", "Ana", "at least 10 letters"), ("a long enough reason", " ", "nobody")):
        with pytest.raises(UsageError, match=said):
            ask(store, home, "models_promote", name="bright-r1", override=reason, analyst=analyst)
    assert now(store, home) == "bright"
    why = "The two that are lost are closed since 2020"
    assert ask(store, home, "models_promote", name="bright-r1", override=why, analyst="Ana")["action"] == "overridden"
    event = store.champion_events()[0]
    assert (event.reason, event.analyst) == (why, "Ana")
    assert "93.8%" in event.report["refused_because"]
    assert event.report["figures"]["challenger"]["sites_found"] == 30


def test_fewer_mines_than_the_rule_needs_after_verdicts_were_taken_back(
    store: Store, home: Settings, champion: str
) -> None:
    folder = begin(store, home)
    finish_by_hand(folder, home)
    rows = [row for row in json.loads((folder / "request.json").read_text())["judged"] if row["is_mine"]]
    for number, row in enumerate(rows[:3]):
        store.undo("Ana", f"undo-{number}", row["candidate_id"])
    with pytest.raises(RunError, match="29 held-out confirmed mines on the whole scenes, 30 are needed: 1 more"):
        ask(store, home, "models_promote", name="bright-r1")


def test_a_model_that_was_never_compared_or_was_changed_since_is_refused(
    store: Store, home: Settings, champion: str
) -> None:
    with pytest.raises(RunError, match="no retraining has compared it"):
        ask(store, home, "models_promote", name="demo-l1c")
    folder = begin(store, home)
    finish_by_hand(folder, home)
    card = home.models / "bright-r1" / "discovery.json"
    card.write_text(card.read_text().replace('"threshold": 0.6', '"threshold": 0.5'))
    with pytest.raises(RunError, match="its files were changed after it was judged"):
        ask(store, home, "models_promote", name="bright-r1")


def test_figures_against_another_champion_do_not_count(store: Store, home: Settings) -> None:
    folder = begin(store, home)
    finish_by_hand(folder, home)
    assert now(store, home) == "demo-l1c"
    with pytest.raises(RunError, match="judged against bright, which is not the champion"):
        ask(store, home, "models_promote", name="bright-r1")


def test_a_rollback_without_a_promotion_or_to_a_model_that_is_gone_is_refused(store: Store, home: Settings) -> None:
    with pytest.raises(StoreError, match="no promotion to take back"):
        ask(store, home, "models_rollback")
    ask(store, home, "models_promote", name="bright", override="it is the one of this test", analyst="Ana")
    folder = begin(store, home)
    finish_by_hand(folder, home)
    ask(store, home, "models_promote", name="bright-r1")
    shutil.rmtree(home.models / "bright")
    with pytest.raises(StoreError, match="bright cannot be brought back"):
        ask(store, home, "models_rollback")
    assert now(store, home) == "bright-r1"


def test_rollbacks_go_back_step_by_step_and_not_in_circles(store: Store, home: Settings, champion: str) -> None:
    folder = begin(store, home)
    finish_by_hand(folder, home)
    ask(store, home, "models_promote", name="bright-r1")
    assert ask(store, home, "models_rollback")["champion"] == "bright"
    assert ask(store, home, "models_rollback")["champion"] == "demo-l1c"
    with pytest.raises(StoreError, match="no promotion to take back"):
        ask(store, home, "models_rollback")


def test_of_two_promotions_judged_against_one_champion_the_second_is_refused(
    store: Store, home: Settings, champion: str
) -> None:
    folder = begin(store, home)
    finish_by_hand(folder, home)
    ask(store, home, "models_promote", name="bright-r1")
    event = store.champion_events()[0]
    import dataclasses

    late = dataclasses.replace(event, event_id="late", model="other", model_identity="x")
    with pytest.raises(StoreError, match="the champion is bright-r1 by now"):
        store.add_champion_event(late)
    assert now(store, home) == "bright-r1"


def test_places_once_held_out_stay_so_in_every_later_retraining(store: Store, home: Settings) -> None:
    first = json.loads((begin(store, home, seed=1) / "request.json").read_text())
    held = {row["sample_id"] for row in first["judged"]}
    assert len(held) == HELD * (MINES + REJECTED)
    second = json.loads((begin(store, home, seed=2, out="again") / "request.json").read_text())
    assert {row["sample_id"] for row in second["judged"]} == held
    sides = {row["sample_id"]: row["split"] for row in second["samples"]}
    assert {sides[name] for name in held} == {"held-out"}
    assert {spot.sample_id for spot in store.spots(is_held_out=True)} == held
    assert not held & {spot.sample_id for spot in store.spots(is_held_out=False)}


def test_the_store_itself_refuses_to_learn_from_what_was_held_out(store: Store, home: Settings) -> None:
    row = RetrainingRow("r1", utc_now(), home.home, "m", "i", "o", "d")
    store.add_retraining(row, [Spot("s", 0, 0, "p", True)])
    later = RetrainingRow("r2", utc_now(), home.home, "m", "i", "o", "d")
    with pytest.raises(StoreError, match="1 held-out samples would be learned from"):
        store.add_retraining(later, [Spot("s", 0, 0, "p", False)])
    assert [each.retraining_id for each in store.retrainings()] == ["r1"]


def test_an_undone_verdict_is_in_no_later_retraining(store: Store, home: Settings) -> None:
    first = json.loads((begin(store, home) / "request.json").read_text())
    gone = first["samples"][0]
    candidate = next(r.candidate_id for r in store.sample_queue() if r.sample_id == gone["sample_id"])
    store.undo("Ana", "u1", candidate)
    second = json.loads((begin(store, home, out="again") / "request.json").read_text())
    assert gone["sample_id"] not in {row["sample_id"] for row in second["samples"]}
    assert len(second["samples"]) == len(first["samples"]) - 1


def test_a_retraining_begun_twice_with_one_id_is_one(store: Store, home: Settings) -> None:
    folders = {begin(store, home, retraining_id="20260101-000000-abcd") for _ in range(2)}
    assert len(folders) == 1
    assert len(store.retrainings()) == 1


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ({"out": "demo-l1c"}, UsageError, "there is a model demo-l1c already"),
        ({"out": "../evil"}, UsageError, "cannot name a model"),
        ({"champion": "nobody"}, ModelError, "there is no model 'nobody'"),
        ({"epochs": 0}, UsageError, "0 epochs"),
    ],
)
def test_what_cannot_be_begun_is_refused_and_nothing_is_held_out(
    store: Store, home: Settings, asked: dict, kind: type[MinediscError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        begin(store, home, **asked)
    assert store.retrainings() == []
    assert store.spots(is_held_out=True) == []


def test_a_second_retraining_is_refused_while_one_runs(
    store: Store, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begin(store, home)
    monkeypatch.setattr("minedisc_core.jobs.retraining_request.is_alive", lambda path: path == folder)
    with pytest.raises(RunError, match=f"retraining {folder.name} is running.*one retraining at a time"):
        begin(store, home, out="second")


def test_a_dataset_that_the_champion_names_and_that_is_gone_is_told(store: Store, home: Settings) -> None:
    card = home.models / "bright" / "discovery.json"
    content = json.loads(card.read_text())
    content["training"] = {"dataset": {"version": "v0009"}}
    card.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=r"the dataset of bright is gone.*--without-own-dataset"):
        begin(store, home, without_own_dataset=False)
