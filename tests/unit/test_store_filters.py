"""Filters, the order by priority, progress and looks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import (
    Impact,
    LandMatch,
    NearestDam,
    NearestRiver,
    PriorityWeights,
    Reason,
    RegisterMatch,
    RegisterStatus,
    Site,
    Status,
)
from minedisc_core.review import new_verdict, priority, priority_terms
from minedisc_core.store import CandidateFilter, FilterChoices, Store
from minedisc_core.store.progress import agreement

RUN, OTHER = "20260101-000000-aaaa", "20260102-000000-bbbb"
PARK, TRIBE = LandMatch("Parque Nacional X", "Parque", 0.5), LandMatch("Terra 'Y'", "Indígena", 1.0)


def sites_of_all_kinds() -> list[Site]:
    """Twelve sites: classes in turn, areas from one cell to more than the fullest, scores falling from 1 to 0.6."""
    impacts = list(Impact)
    return [
        dataclasses.replace(site, impact=impacts[place % 4], area_cells_ha=7.29 * (1 + 2 * place))
        for place, site in enumerate(made_up_sites(12, run_id=RUN))
    ]


def matches_of_all_kinds() -> list[RegisterMatch]:
    statuses = list(RegisterStatus)
    return [
        RegisterMatch(
            statuses[place // 3],
            NearestDam("B", "o", 4_000.0 * place, "sigbm") if place % 2 else None,
            (),
            None,
            ((), (PARK,), (TRIBE, PARK))[place % 3],
            (),
            "",
            NearestRiver("Rio", 900.0 * place, "rivers") if place % 3 else None,
        )
        for place in range(12)
    ]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        opened.take_in(made_up_summary(12, RUN), Path("x"), sites_of_all_kinds(), matches_of_all_kinds())
        yield opened


def ids(*numbers: int) -> list[str]:
    return [f"{RUN}-{number:04d}" for number in numbers]


weights = st.builds(PriorityWeights, *[st.floats(0, 5) for _ in range(6)])


@given(weights)
def test_the_store_orders_by_the_sum_that_the_screen_shows(given_weights: PriorityWeights) -> None:
    with Store.in_memory() as store:
        store.take_in(made_up_summary(12, RUN), Path("x"), sites_of_all_kinds(), matches_of_all_kinds())
        store.record([new_verdict(ids(2)[0], Status.CONFIRMED, impact=Impact.HIGH)])
        found = store.candidates(CandidateFilter(order="priority", weights=given_weights))
    totals = [priority(candidate, given_weights) for candidate in found]
    assert len(totals) == 12
    assert np.diff(totals).max() <= 1e-9


def test_every_term_of_the_priority_is_a_share_and_has_its_weight(store: Store) -> None:
    for candidate in store.candidates():
        terms = priority_terms(candidate, PriorityWeights(land=7))
        assert [term.name for term in terms] == [field.name for field in dataclasses.fields(PriorityWeights)]
        assert all(0 <= term.value <= 1 for term in terms)
        assert terms[1].weight == 7


def test_nearness_is_to_the_nearest_of_dam_and_river_and_nothing_where_no_register_tells(store: Store) -> None:
    def nearness(number: int) -> float:
        return priority_terms(store.candidate(ids(number)[0]), PriorityWeights())[-1].value

    assert nearness(1) == 0  # neither
    assert nearness(2) == pytest.approx(1 - 0.09)  # river at 900 m, dam at 4 km
    assert nearness(4) == 0  # dam at 12 km only
    assert nearness(3) == pytest.approx(1 - 0.18)  # river alone


def test_what_a_register_changes_moves_in_the_order_by_priority(store: Store) -> None:
    last = store.candidate_ids(CandidateFilter(order="priority"))[-1]
    best = RegisterMatch(RegisterStatus.NOTHING_FOUND, NearestDam("B", "o", 0.0, "r"), (), None, (PARK,), (), "", None)
    store.rematch([last], [best], "loaded")
    wanted = CandidateFilter(order="priority", weights=PriorityWeights(1, 1, 0, 0, 0, 1))
    assert store.candidate_ids(wanted)[0] == last
    assert last in store.candidate_ids(CandidateFilter(lands=(PARK.name,)))


def test_the_score_filter_holds_its_edges(store: Store) -> None:
    scores = [candidate.site.score for candidate in store.candidates()]
    chosen = store.candidates(CandidateFilter(score_min=scores[7], score_max=scores[4]))
    assert [candidate.site.score for candidate in chosen] == scores[4:8]


def test_a_land_filter_takes_candidates_that_meet_one_of_the_lands(store: Store) -> None:
    assert store.candidate_ids(CandidateFilter(lands=(TRIBE.name,))) == ids(3, 6, 9, 12)
    assert len(store.candidate_ids(CandidateFilter(lands=(TRIBE.name, PARK.name)))) == 8
    assert store.candidate_ids(CandidateFilter(lands=("nowhere' OR true --",))) == []


def test_a_box_holds_the_peaks_inside_it(store: Store) -> None:
    box = (-45.0, -20.0, -43.0, -18.0)
    inside = {
        c.candidate_id
        for c in store.candidates()
        if box[0] <= c.site.peak_lon <= box[2] and box[1] <= c.site.peak_lat <= box[3]
    }
    assert inside
    assert set(store.candidate_ids(CandidateFilter(box=box))) == inside


def test_reasons_and_analysts_are_those_of_the_verdict_in_force(store: Store) -> None:
    store.record([new_verdict(ids(1)[0], Status.REJECTED, "ana", reason=Reason.BURN)])
    store.record([new_verdict(ids(2)[0], Status.REJECTED, "ana", reason=Reason.URBAN)])
    store.record([new_verdict(ids(1)[0], Status.REJECTED, "bea", reason=Reason.OTHER)])
    assert store.candidate_ids(CandidateFilter(reasons=(Reason.BURN,))) == []
    assert store.candidate_ids(CandidateFilter(reasons=(Reason.URBAN, Reason.OTHER))) == ids(1, 2)
    assert store.candidate_ids(CandidateFilter(analysts=("ana",))) == ids(2)
    assert store.candidate_ids(CandidateFilter(analysts=("bea", "ana"), reasons=(Reason.OTHER,))) == ids(1)


def test_the_choices_of_a_filter_are_what_candidates_have(store: Store) -> None:
    store.record([new_verdict(ids(1)[0], Status.CONFIRMED, "bea"), new_verdict(ids(2)[0], Status.CONFIRMED, "ana")])
    store.record([new_verdict(ids(3)[0], Status.CONFIRMED, "carl")])
    store.undo("carl", "u1")
    assert store.choices() == store.choices(RUN) == FilterChoices((PARK.name, TRIBE.name), ("ana", "bea"))
    assert store.choices("another run") == FilterChoices((), ())


def test_progress_counts_verdicts_in_force_and_hides_the_discarded(store: Store) -> None:
    hidden = dataclasses.replace(made_up_sites(1, 5, OTHER)[0], discarded=True)
    store.take_in(made_up_summary(1, OTHER), Path("y"), [hidden], made_up_matches(1))
    store.record([new_verdict(ids(1)[0], Status.CONFIRMED, "ana"), new_verdict(ids(2)[0], Status.UNSURE, "bea")])
    store.record([new_verdict(ids(2)[0], Status.REJECTED, "ana", reason=Reason.BURN)])
    store.mark_seen(ids(1, 2, 3), "ana")
    found = store.progress()
    assert (found.total, found.decided, found.left, found.seen, found.per_hour) == (12, 2, 10, 3, 3)
    assert [(a.name, a.confirmed, a.rejected, a.unsure, a.per_hour) for a in found.by_analyst] == [
        ("ana", 1, 1, 0, 2),
        ("bea", 0, 0, 0, 1),
    ]
    assert store.progress(CandidateFilter(run_id=OTHER)).total == 0


def test_progress_is_of_the_whole_whatever_verdicts_the_filter_asks_for(store: Store) -> None:
    store.record([new_verdict(ids(1)[0], Status.CONFIRMED, "ana")])
    narrow = CandidateFilter(statuses=(Status.UNDECIDED,), analysts=("nobody",), reasons=(Reason.BURN,), seen=True)
    assert store.progress(narrow) == store.progress()
    assert store.progress(CandidateFilter(lands=(TRIBE.name,))).total == 4


def test_verdicts_of_an_hour_ago_and_undone_ones_are_not_this_hours_pace(store: Store) -> None:
    long_ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=61)
    store.record([new_verdict(ids(1)[0], Status.CONFIRMED, "ana", at_utc=long_ago)])
    store.record([new_verdict(ids(2)[0], Status.CONFIRMED, "ana")])
    store.undo("ana", "u1")
    assert (store.progress().per_hour, store.progress().decided) == (0, 1)


def test_the_histogram_holds_every_candidate_once_without_gaps(store: Store) -> None:
    store.record([new_verdict(ids(1)[0], Status.CONFIRMED), new_verdict(ids(12)[0], Status.UNSURE)])
    bins = store.progress().histogram
    assert sum(b.confirmed + b.rejected + b.unsure + b.undecided for b in bins) == 12
    assert (bins[0].low, bins[0].unsure, bins[-1].high, bins[-1].confirmed) == (0.6, 1, 1.0, 1)
    assert all(a.high == b.low for a, b in pairwise(bins))
    assert store.progress(CandidateFilter(run_id="none")).histogram == ()


def test_agreement_is_one_when_every_confirmed_scores_above_every_rejected(store: Store) -> None:
    assert store.progress().agreement is None
    store.record([new_verdict(name, Status.CONFIRMED) for name in ids(1, 2)])
    assert store.progress().agreement is None
    store.record([new_verdict(name, Status.REJECTED, reason=Reason.BURN) for name in ids(11, 12)])
    assert store.progress().agreement == 1
    store.record([new_verdict(ids(1)[0], Status.REJECTED, reason=Reason.BURN)])
    assert store.progress().agreement == pytest.approx(2 / 3)


scores = st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.5001, 1.0]), max_size=8)


@given(scores, scores)
def test_agreement_is_the_share_of_pairs_in_order(confirmed: list[float], rejected: list[float]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in confirmed for b in rejected]
    found = agreement(np.array(confirmed), np.array(rejected))
    assert found == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


def test_looking_changes_no_verdict_and_deciding_is_no_look(store: Store) -> None:
    store.record([new_verdict(ids(1)[0], Status.CONFIRMED, "ana")])
    before = store.candidate(ids(1)[0])
    store.mark_seen(ids(1, 2), "bea")
    assert store.candidate(ids(1)[0]) == dataclasses.replace(before, site=store.candidate(ids(1)[0]).site, seen=True)
    assert store.candidate_ids(CandidateFilter(seen=True)) == ids(1, 2)
    store.record([new_verdict(ids(3)[0], Status.CONFIRMED, "ana")])
    assert ids(3)[0] in store.candidate_ids(CandidateFilter(seen=False))
    assert len(store.history(ids(1)[0])) == 1


def test_looks_survive_rebuilding_the_states_and_an_undo(store: Store) -> None:
    store.mark_seen(ids(1, 2), "ana")
    store.record([new_verdict(ids(2)[0], Status.CONFIRMED, "ana")])
    store.undo("ana", "u1")
    store.rebuild_states()
    assert store.candidate_ids(CandidateFilter(seen=True)) == ids(1, 2)


def test_looking_again_or_at_nothing_changes_nothing(store: Store) -> None:
    for analyst in ("ana", "ana", "bea", "\x00"):
        store.mark_seen([*ids(1, 1), "no such candidate"], analyst)
    store.mark_seen([], "ana")
    assert store.progress().seen == 1


def test_a_run_that_replaces_itself_is_unseen(store: Store) -> None:
    store.mark_seen(ids(1), "ana")
    store.take_in(made_up_summary(3, RUN), Path("x"), made_up_sites(3, 9, RUN), made_up_matches(3))
    assert store.progress().seen == 0
    store.mark_seen(ids(1), "ana")
    assert store.progress().seen == 1
