"""A view as an address: what is written is read back, and what is hostile or gone is left out and named."""

from __future__ import annotations

from typing import Any

import pytest

from minedisc_core.domain import Change, Impact, Reason, RegisterStatus, Status
from minedisc_core.store import FilterChoices
from pages import views
from pages.views import EVERY_SCORE, Field

RUNS = ("20260102-030405-abcd", "20250102-030405-abcd")
CHOICES = FilterChoices(lands=("Serra & Mar", "Água = Clara, <Norte>"), analysts=("Ana", "all"))


@pytest.fixture
def known() -> list[Field]:
    return views.fields(RUNS, CHOICES)


def beginning(known: list[Field]) -> dict[str, Any]:
    return {field.key: field.default for field in known}


def test_a_view_is_read_back_as_it_was_written(known: list[Field]) -> None:
    chosen = beginning(known) | {
        "review_run_choice": "",
        "review_status": [],
        "review_order": "place",
        "review_impact": [Impact.HIGH, Impact.LOW],
        "review_score": (0.25, 0.9),
        "review_register": [RegisterStatus.NOTHING_FOUND],
        "review_land": ["Água = Clara, <Norte>", "Serra & Mar"],
        "review_reason": [Reason.BURN],
        "review_change": [Change.NEW, Change.GROWN],
        "review_analyst": ["Ana"],
        "review_seen": "no",
        "review_hidden": "only",
        "review_box": (-44.5, -20.25, -44.0, -20.0),
    }
    assert views.read(known, views.write(known, chosen)) == (chosen, [])


def test_what_a_view_begins_with_is_run_status_and_order(known: list[Field]) -> None:
    assert views.write(known, beginning(known)) == {"run": [RUNS[0]], "status": ["undecided"], "order": ["priority"]}
    assert views.read(known, {}) == (beginning(known), [])


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("run", ["nobody"]), ("run", [""]), ("status", ["silly"]), ("order", ["score; x"]), ("class", ["HIGH"]),
        ("score", ["0.9-0.2"]), ("score", ["0-2"]), ("score", ["nan-1"]), ("score", [""]), ("land", ["Atlantis"]),
        ("reason", ["x" * 10_000]), ("analyst", ["Nobody"]), ("seen", ["maybe"]), ("no_ore", ["1"]), ("box", ["1,2"]),
        ("box", ["-44,-20,-45,-19"]), ("box", ["-44,-20,nan,-19"]), ("box", ["-44,-95,-43,-19"]),
        ("box", ["-44,-20,-43,-19,0"]), ("change", ["shrunk"]),
    ],
)  # fmt: skip
def test_what_a_link_gets_wrong_is_left_out_and_named(known: list[Field], name: str, given: list[str]) -> None:
    assert views.read(known, {name: given}) == (beginning(known), [name])


def test_the_good_part_of_a_choice_is_kept(known: list[Field]) -> None:
    values, odd = views.read(known, {"status": ["rejected", "silly", "rejected"], "class": ["low"]})
    assert (values["review_status"], values["review_impact"], odd) == ([Status.REJECTED], [Impact.LOW], ["status"])


def test_a_choice_that_is_gone_is_not_kept(known: list[Field]) -> None:
    land = next(field for field in known if field.name == "land")
    run = next(field for field in known if field.name == "run")
    assert land.possible(["Serra & Mar", "gone"]) == ["Serra & Mar"]
    assert (run.possible("gone"), run.possible("")) == (RUNS[0], "")


def test_the_count_of_choices_leaves_out_what_a_view_begins_with(known: list[Field]) -> None:
    keys = ["review_impact", "review_score", "review_box"]
    assert views.changed(known, beginning(known), keys) == 0
    assert views.changed(known, {"review_impact": [Impact.LOW], "review_score": EVERY_SCORE}, keys) == 1


@pytest.mark.parametrize(
    "drawn", [None, [], {}, "box", [1, 2, 3], [1, 2, 3, "4"], [2, 0, 1, 1], [True, 0, 2, 1], [0] * 4]
)
def test_what_is_no_box_is_no_limit(drawn: object) -> None:
    assert views.checked_box(drawn) is None
