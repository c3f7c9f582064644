"""The rule of promotion: what it allows, what it refuses, and that no way round it exists."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.learning.promotion import (
    LEAST_MINES,
    LEAST_PLACES,
    Mine,
    Pair,
    View,
    decide,
    recall_of,
    threshold_alike,
)


def mines(count: int = 40, places: int = 4, champion: int = 30, challenger: int = 30) -> tuple[Mine, ...]:
    """Of so many mines each model finds the first few."""
    return tuple(Mine(f"m{k}", f"p{k % places}", k < champion, k < challenger) for k in range(count))


BETTER = View(mines(challenger=31), Pair(20, 8), Pair(18, 6), Pair(5, 4))


@st.composite
def views(draw: st.DrawFn) -> View:
    found = st.tuples(st.booleans(), st.booleans())
    rows = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5), found), max_size=70))
    pairs = st.builds(Pair, st.integers(0, 30), st.integers(0, 30))
    alike = st.builds(Pair, st.integers(0, 30), st.one_of(st.none(), st.integers(0, 30)))
    given_mines = tuple(Mine(f"m{name}", f"p{place}", *pair) for name, place, pair in rows)
    return View(given_mines, draw(pairs), draw(alike), draw(pairs))


def test_a_challenger_that_finds_no_fewer_mines_with_fewer_false_alarms_is_allowed() -> None:
    decision = decide(BETTER, BETTER)
    assert decision.is_allowed
    assert decision.reasons == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mines": mines(challenger=29)}, "finds 72.5% of 40 held-out mines, the champion 75.0%"),
        ({"false": Pair(20, 20)}, "its false alarms are 20, the champion's 20: they must be fewer"),
        ({"false": Pair(20, 21)}, "its false alarms are 21"),
        ({"false_alike": Pair(6, 6)}, "at equal recall its false alarms are 6, the champion's 6"),
        ({"false_alike": Pair(6, None)}, "at no threshold"),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_each_condition_alone_refuses_on_scenes_and_on_samples(change: dict, said: str, side: int) -> None:
    pair = [BETTER, BETTER]
    pair[side] = dataclasses.replace(BETTER, **change)
    decision = decide(*pair)
    assert not decision.is_allowed
    (failure,) = decision.failures
    assert failure.startswith(("on the whole scenes", "on the samples")[side])
    assert said in failure


def test_new_sites_that_nobody_judged_cannot_hide_more_alarms() -> None:
    decision = decide(dataclasses.replace(BETTER, unjudged=Pair(5, 18)), BETTER)
    assert decision.failures == ("on the whole scenes its false and unjudged sites together are 26, the champion's 25",)


def test_what_is_missing_is_named_with_its_numbers() -> None:
    few = dataclasses.replace(BETTER, mines=mines(29, 2, 20, 20))
    decision = decide(few, BETTER)
    assert decision.missing == (
        "29 held-out confirmed mines on the whole scenes, 30 are needed: 1 more",
        "they lie at 2 places, 3 are needed (5 km apart): 1 more",
    )
    assert not decision.is_allowed
    assert "on the samples" not in decision.reasons


def test_enough_mines_on_samples_do_not_replace_the_whole_scenes() -> None:
    decision = decide(dataclasses.replace(BETTER, mines=()), BETTER)
    assert decision.missing[0].startswith("0 held-out confirmed mines on the whole scenes")


def test_samples_of_one_mine_count_once() -> None:
    seen_twice = (*mines(29), *(dataclasses.replace(mine, challenger=False) for mine in mines(29)))
    assert decide(dataclasses.replace(BETTER, mines=seen_twice), BETTER).missing[0].startswith("29 ")
    assert recall_of(seen_twice).challenger == 1.0


@given(views(), views(), st.integers(0, 3))
def test_whatever_is_allowed_keeps_every_condition_of_the_rule(sites: View, samples: View, seed: int) -> None:
    decision = decide(sites, samples, seed)
    holds = []
    for view in (sites, samples):
        found = recall_of(view.mines)
        enough = found.mines >= LEAST_MINES and found.places >= LEAST_PLACES
        fewer = view.false.challenger is not None and view.false.challenger < view.false.champion
        alike = view.false_alike.challenger is not None and view.false_alike.challenger < view.false_alike.champion
        holds.append(enough and found.challenger >= found.champion and fewer and alike)
    no_more = sites.false.challenger + sites.unjudged.challenger <= sites.false.champion + sites.unjudged.champion  # type: ignore[operator]  # drawn without None
    assert decision.is_allowed == (all(holds) and no_more)
    assert decision.is_allowed == (decision.reasons == "")


@given(views(), st.integers(0, 5))
def test_the_interval_is_the_same_for_the_same_seed_and_holds_possible_differences(view: View, seed: int) -> None:
    found = recall_of(view.mines, seed)
    assert found == recall_of(tuple(reversed(view.mines)), seed)
    assert -1 <= found.low <= found.high <= 1


def test_the_interval_is_around_the_difference() -> None:
    found = recall_of(mines(100, 4, champion=50, challenger=70))
    assert found.low < 0.2 < found.high
    assert found.low > 0.1
    assert found.high < 0.3


def test_many_places_are_drawn_as_wholes() -> None:
    assert recall_of(mines(60, 12)).drawn == "places"
    assert recall_of(mines(60, 9)).drawn == "mines"


@given(st.lists(st.floats(0, 1, width=32), max_size=40), st.integers(0, 45))
def test_the_threshold_at_equal_recall_is_the_highest_that_keeps_it(scores: list[float], wanted: int) -> None:
    found = threshold_alike(scores, wanted)
    if wanted > len(scores):
        assert found is None
        return
    assert found is not None
    assert sum(score > found for score in scores) >= wanted
    if wanted > 0:
        above = float(np.nextafter(np.float32(found), np.float32(2)))
        assert sum(score > above for score in scores) < wanted or above in scores


def test_a_score_that_is_missing_is_no_score() -> None:
    assert threshold_alike([float("nan"), 0.5], 2) is None
