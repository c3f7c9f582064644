from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import pytest
import shapely
from shapely import box

from minedisc_core.bench.made_up import IMAGERY, made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import (
    Candidate,
    Impact,
    LandMatch,
    NearestDam,
    Reason,
    RegisterMatch,
    RegisterStatus,
    Site,
    Status,
    TitleMatch,
)
from minedisc_core.errors import StoreError
from minedisc_core.review import new_verdict
from minedisc_core.store import CandidateFilter, Store, TakeIn
from minedisc_core.store.text import one_line, several_lines

FIRST, SECOND, THIRD = "20260101-000000-aaaa", "20260102-000000-bbbb", "20260103-000000-cccc"
NEWER = (date(2026, 1, 1), date(2026, 6, 30))
UNCHECKED = RegisterMatch(RegisterStatus.NOT_CHECKED, None, (), None, (), ("title register",), "")


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


def take_in(
    store: Store,
    run_id: str = FIRST,
    count: int = 5,
    imagery: tuple[date | None, date | None] = IMAGERY,
    sites: list[Site] | None = None,
    run_dir: Path = Path("no-such-run"),
) -> list[Site]:
    found = made_up_sites(count, run_id=run_id) if sites is None else sites
    store.take_in(made_up_summary(len(found), run_id, imagery), run_dir, found, made_up_matches(len(found)))
    return found


def decide(store: Store, candidate_id: str, status: Status = Status.CONFIRMED, analyst: str = "ana") -> str:
    reason = Reason.ROAD_AIRSTRIP if status is Status.REJECTED else None
    return store.record([new_verdict(candidate_id, status, analyst, reason=reason)])[0]


def renamed(sites: list[Site], run_id: str) -> list[Site]:
    return [dataclasses.replace(s, site_id=f"{run_id}-{number:04d}") for number, s in enumerate(sites, 1)]


def test_a_candidate_comes_back_as_it_went_in(store: Store) -> None:
    sites = take_in(store)
    candidate = store.candidate(sites[1].site_id)
    polygon = dataclasses.replace(candidate.site, polygon=sites[1].polygon)
    assert polygon == sites[1]
    assert candidate.site.polygon.equals_exact(sites[1].polygon, 0)
    assert candidate.match == made_up_matches(2)[1]
    assert (candidate.status, candidate.run_id, candidate.model) == (Status.UNDECIDED, FIRST, "bench")
    assert (candidate.imagery_start, candidate.imagery_end, candidate.threshold) == (*IMAGERY, 0.6)


def test_holes_parts_and_missing_values_survive(store: Store) -> None:
    ring = box(0, 0, 4, 4).difference(box(1, 1, 2, 2))
    shape = shapely.MultiPolygon([ring, box(10, 10, 11, 11)])
    plain = made_up_sites(1, run_id=FIRST)[0]
    site = dataclasses.replace(
        plain, polygon=shape, impact=Impact.UNKNOWN, impact_probabilities=None, flagged_fill=True
    )
    store.take_in(made_up_summary(1, FIRST, (None, None)), Path("x"), [site], [UNCHECKED])
    found = store.candidate(site.site_id)
    assert found.site.polygon.equals(shape)
    assert found.site.impact_probabilities is None
    assert found.site.flagged_fill
    assert found.match == UNCHECKED
    assert found.imagery_start is None


def test_hostile_names_are_kept_without_control_characters(store: Store) -> None:
    name = "A&B <x> \"q\" 'é' \x00\x1b[31m\ud800\ttab"
    match = RegisterMatch(
        RegisterStatus.REGISTERED,
        NearestDam(name, "'; DROP TABLE sites; --", 1.5, "sigbm"),
        (TitleMatch(name, "f", True, "h", "s", 0.5),),
        0.5,
        (LandMatch(name, "k", 0.1),),
        (),
        name,
    )
    site = made_up_sites(1, run_id=FIRST)[0]
    store.take_in(made_up_summary(1, FIRST), Path("x"), [site], [match])
    found = store.candidate(site.site_id).match
    clean = "A&B <x> \"q\" 'é' [31m tab"
    assert found.nearest_dam is not None
    assert found.nearest_dam.name == found.titles[0].process == found.lands[0].name == found.registers_as_of == clean
    assert found.nearest_dam.owner == "'; DROP TABLE sites; --"


def test_taking_in_a_run_twice_changes_nothing(store: Store) -> None:
    sites = take_in(store)
    decide(store, sites[0].site_id)
    before = store.candidates()
    again = store.take_in(made_up_summary(5, FIRST), Path("elsewhere"), sites, [UNCHECKED] * 5)
    assert again.already_taken_in
    assert again.new == 0
    assert [c.match for c in store.candidates()] == [c.match for c in before]
    assert len(store.runs()) == 1


def test_a_run_without_sites_is_a_run(store: Store) -> None:
    taken = store.take_in(made_up_summary(0, FIRST), Path("x"), [], [])
    assert (taken.new, taken.already_taken_in) == (0, False)
    assert [run.run_id for run in store.runs()] == [FIRST]
    assert store.candidates() == []


def resume(store: Store, sites: list[Site], matches: list[RegisterMatch] | None = None) -> TakeIn:
    """Take in the first run again, with other sites."""
    given = matches or made_up_matches(len(sites))
    return store.take_in(made_up_summary(len(sites), FIRST), Path("x"), sites, given)


def test_a_resumed_run_brings_what_it_found_more_and_keeps_what_it_had(store: Store) -> None:
    sites = made_up_sites(5, run_id=FIRST)
    take_in(store, sites=sites[:3])
    decide(store, sites[0].site_id, Status.REJECTED)
    store.mark_seen([sites[1].site_id], "ana")
    taken = resume(store, sites)
    assert (taken.new, taken.already_taken_in) == (2, False)
    assert {c.candidate_id for c in store.candidates()} == {site.site_id for site in sites}
    assert store.candidate(sites[0].site_id).status is Status.REJECTED
    assert store.candidate(sites[1].site_id).site == sites[1]
    assert [c.candidate_id for c in store.candidates(CandidateFilter(seen=True))] == [sites[1].site_id]
    assert [event.analyst for event in store.history(sites[0].site_id)] == ["ana"]
    assert store.run(FIRST).summary.sites == 5
    assert len(store.runs()) == 1


def test_a_site_that_has_grown_is_renewed_under_its_verdict(store: Store) -> None:
    sites = take_in(store, count=3)
    decide(store, sites[1].site_id)
    grown = dataclasses.replace(
        sites[1], polygon=sites[1].polygon.buffer(0.01), score=0.05, cells=40, discarded=False, peak_lon=sites[1].lon
    )
    match = dataclasses.replace(UNCHECKED, lands=(LandMatch("Reserva", "UC", 0.5),), registers_as_of="2026-11-01")
    taken = resume(store, [sites[0], grown, sites[2]], [UNCHECKED, match, UNCHECKED])
    found = store.candidate(grown.site_id)
    assert (taken.new, found.status, found.verdict_by) == (0, Status.CONFIRMED, "ana")
    assert (found.site, found.match) == (grown, match)
    by_land = store.candidates(CandidateFilter(lands=("Reserva",), include_discarded=True))
    assert [c.candidate_id for c in by_land] == [grown.site_id]
    assert [c.candidate_id for c in store.candidates(CandidateFilter(score_max=0.06))] == [grown.site_id]


def test_a_place_that_grew_into_another_goes_unless_somebody_decided_on_it(store: Store) -> None:
    sites = take_in(store, count=4)
    decide(store, sites[2].site_id)
    resume(store, sites[:2])
    assert {c.candidate_id for c in store.candidates()} == {sites[0].site_id, sites[1].site_id, sites[2].site_id}
    assert store.candidate(sites[2].site_id).status is Status.CONFIRMED
    with pytest.raises(StoreError):
        store.candidate(sites[3].site_id)


def test_new_sites_of_a_resumed_run_get_the_verdict_of_the_same_place_once(store: Store) -> None:
    old = take_in(store)
    decide(store, old[0].site_id)
    decide(store, old[4].site_id, Status.REJECTED)
    new = renamed(old, SECOND)
    take_in(store, SECOND, sites=new[:3])
    decide(store, new[0].site_id, Status.REJECTED)
    taken = store.take_in(made_up_summary(5, SECOND), Path("x"), new, made_up_matches(5))
    assert (taken.new, taken.carried_over) == (2, 1)
    assert [store.candidate(new[k].site_id).status for k in (0, 4)] == [Status.REJECTED, Status.REJECTED]
    assert len(store.history(new[0].site_id)) == 2
    assert len(store.candidate(new[1].site_id).earlier) == 0


def test_a_resumed_run_is_whole_or_not_at_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sites = take_in(store, count=3)

    def full(*_: object) -> None:
        raise StoreError("The disk is full", "free space", "free disk space")

    monkeypatch.setattr("minedisc_core.store.take_in.renew_changes", full)
    with pytest.raises(StoreError, match="full"):
        resume(store, made_up_sites(5, run_id=FIRST))
    assert {c.candidate_id for c in store.candidates()} == {site.site_id for site in sites}


def test_a_resumed_run_that_found_no_more_sites_has_seen_more_all_the_same(store: Store) -> None:
    sites = take_in(store, count=3)
    summary = made_up_summary(3, FIRST)
    summary = dataclasses.replace(summary, coverage=dataclasses.replace(summary.coverage, seen_km2=170_000))
    assert store.take_in(summary, Path("x"), sites, made_up_matches(3)).already_taken_in
    assert store.run(FIRST).summary.coverage.seen_km2 == 170_000


def test_a_run_whose_decided_sites_are_elsewhere_is_refused(store: Store) -> None:
    sites = take_in(store, count=3)
    decide(store, sites[0].site_id)
    with pytest.raises(StoreError, match="scan into a new run"):
        take_in(store, sites=made_up_sites(5, 9, FIRST))
    assert {c.candidate_id for c in store.candidates()} == {site.site_id for site in sites}


def test_a_run_cannot_bring_another_runs_ids(store: Store) -> None:
    sites = take_in(store)
    with pytest.raises(StoreError, match="belongs to another run"):
        take_in(store, SECOND, sites=sites)
    assert [run.run_id for run in store.runs()] == [FIRST]


def test_sites_and_matches_must_be_as_many(store: Store) -> None:
    with pytest.raises(StoreError, match="one match per site"):
        store.take_in(made_up_summary(2, FIRST), Path("x"), made_up_sites(2, run_id=FIRST), made_up_matches(1))


def test_a_verdict_carries_over_for_the_same_imagery(store: Store) -> None:
    old = take_in(store)
    decide(store, old[2].site_id, Status.REJECTED)
    new = renamed(old, SECOND)
    taken = store.take_in(made_up_summary(5, SECOND), Path("x"), new, made_up_matches(5))
    assert taken.carried_over == 1
    found = store.candidate(new[2].site_id)
    assert (found.status, found.reason, found.verdict_by) == (Status.REJECTED, Reason.ROAD_AIRSTRIP, "ana")
    assert len(found.earlier) == 1
    assert store.candidate(new[1].site_id).status is Status.UNDECIDED
    assert len(store.sample_queue()) == 1


def test_with_newer_imagery_the_place_is_undecided_again_and_shows_the_earlier_verdict(store: Store) -> None:
    old = take_in(store)
    decide(store, old[0].site_id)
    new = take_in(store, SECOND, imagery=NEWER, sites=renamed(old, SECOND))
    found = store.candidate(new[0].site_id)
    assert found.status is Status.UNDECIDED
    assert found.earlier[0].startswith("Confirmed by ana on ")
    assert found.earlier[0].endswith("imagery of 2025-01-01 to 2025-12-31")
    assert store.candidate(new[1].site_id).earlier == ()


def test_an_earlier_verdict_that_is_undone_is_shown_no_more(store: Store) -> None:
    old = take_in(store)
    decide(store, old[0].site_id)
    new = take_in(store, SECOND, imagery=NEWER, sites=renamed(old, SECOND))
    store.undo("ana", "u1")
    assert store.candidate(new[0].site_id).earlier == ()


def test_a_verdict_carried_along_two_runs_is_shown_once(store: Store) -> None:
    old = take_in(store)
    decide(store, old[0].site_id)
    take_in(store, SECOND, sites=renamed(old, SECOND))
    third = take_in(store, THIRD, imagery=NEWER, sites=renamed(old, THIRD))
    assert len(store.candidate(third[0].site_id).earlier) == 1


def test_of_a_split_site_only_the_largest_part_gets_the_verdict(store: Store) -> None:
    whole = dataclasses.replace(made_up_sites(1, run_id=FIRST)[0], polygon=box(0, 0, 10, 1))
    take_in(store, sites=[whole])
    decide(store, whole.site_id)
    parts = [box(0, 0, 3, 1), box(4, 0, 10, 1)]
    sites = [dataclasses.replace(s, polygon=p) for s, p in zip(made_up_sites(2, run_id=SECOND), parts, strict=True)]
    take_in(store, SECOND, sites=sites)
    assert [c.status for c in store.candidates_by_id([s.site_id for s in sites])] == ["undecided", "confirmed"]


def test_a_carried_over_verdict_can_be_undone_on_its_candidate_only(store: Store) -> None:
    old = take_in(store)
    decide(store, old[0].site_id)
    new = take_in(store, SECOND, sites=renamed(old, SECOND))
    assert len(store.undo("bea", "u1", new[0].site_id)) == 1
    assert store.candidate(new[0].site_id).status is Status.UNDECIDED
    assert store.candidate(old[0].site_id).status is Status.CONFIRMED


def test_without_dates_a_verdict_carries_over_only_for_the_identical_mosaic(store: Store, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder, identity in zip(folders, ("x", "x", "y"), strict=True):
        folder.mkdir()
        (folder / "request.json").write_text(json.dumps({"mosaic_identity": identity}))
    old = take_in(store, imagery=(None, None), run_dir=folders[0])
    decide(store, old[0].site_id)
    same = take_in(store, SECOND, imagery=(None, None), sites=renamed(old, SECOND), run_dir=folders[1])
    other = take_in(store, THIRD, imagery=(None, None), sites=renamed(old, THIRD), run_dir=folders[2])
    assert store.candidate(same[0].site_id).status is Status.CONFIRMED
    assert store.candidate(other[0].site_id).status is Status.UNDECIDED
    assert store.candidate(other[0].site_id).earlier != ()


def test_self_crossing_polygons_are_compared_all_the_same(store: Store) -> None:
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    site = dataclasses.replace(made_up_sites(1, run_id=FIRST)[0], polygon=bow)
    take_in(store, sites=[site])
    decide(store, site.site_id)
    again = take_in(store, SECOND, sites=renamed([site], SECOND))
    assert store.candidate(again[0].site_id).status is Status.CONFIRMED


def test_discarded_sites_are_hidden_until_asked_for_or_confirmed(store: Store) -> None:
    sites = made_up_sites(3, run_id=FIRST)
    sites[1] = dataclasses.replace(sites[1], discarded=True)
    take_in(store, sites=sites)
    hidden = sites[1].site_id
    assert hidden not in store.candidate_ids()
    assert hidden in store.candidate_ids(CandidateFilter(include_discarded=True))
    assert store.candidate_ids(CandidateFilter(only_discarded=True)) == [hidden]
    assert store.counters().total == 2
    decide(store, hidden)
    assert hidden in store.candidate_ids()
    assert len(store.all_sites()) == 3


def test_filters_take_run_status_class_and_register_status(store: Store) -> None:
    first, second = take_in(store), take_in(store, SECOND, imagery=NEWER)
    decide(store, first[0].site_id, Status.UNSURE)
    store.record([new_verdict(first[1].site_id, Status.CONFIRMED, impact=Impact.LOW)])
    store.rematch([first[2].site_id], [UNCHECKED], "loaded nothing")

    def ids(**choices: object) -> set[str]:
        return set(store.candidate_ids(CandidateFilter(**choices)))  # type: ignore[arg-type]  # any field by name

    assert ids(run_id=SECOND) == {site.site_id for site in second}
    assert ids(statuses=(Status.UNSURE, Status.REJECTED)) == {first[0].site_id}
    assert first[1].site_id in ids(impacts=(Impact.LOW,))
    assert ids(register_statuses=(RegisterStatus.NOT_CHECKED,)) == {first[2].site_id}
    assert ids(run_id="nothing' OR 1=1 --") == set()


def test_orders_go_by_score_uncertainty_run_and_place(store: Store) -> None:
    take_in(store, SECOND, count=8, imagery=NEWER)
    take_in(store, count=8)
    by_score = [c.site.score for c in store.candidates()]
    assert by_score == sorted(by_score, reverse=True)
    unsure = [abs(c.site.score - c.threshold) for c in store.candidates(CandidateFilter(order="uncertainty"))]
    assert unsure == sorted(unsure)
    assert [c.run_id for c in store.candidates(CandidateFilter(order="oldest"))] == [FIRST] * 8 + [SECOND] * 8
    with pytest.raises(StoreError, match="no order"):
        store.candidate_ids(CandidateFilter(order="price"))  # type: ignore[arg-type]  # a hostile caller


def test_in_the_order_of_place_the_way_from_one_to_the_next_is_shorter(store: Store) -> None:
    take_in(store, count=200)

    def way(candidates: list[Candidate]) -> float:
        places = [(c.site.lon, c.site.lat) for c in candidates]
        return sum(math.dist(a, b) for a, b in pairwise(places))

    assert way(store.candidates(CandidateFilter(order="place"))) < way(store.candidates()) / 3


def test_pages_follow_each_other_without_gap_or_repetition(store: Store) -> None:
    take_in(store, count=7)
    pages = [[c.candidate_id for c in store.candidates(limit=3, offset=offset)] for offset in (0, 3, 6, 9)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [name for page in pages for name in page] == store.candidate_ids()
    assert store.candidates(limit=0) == []


def test_thousands_of_rows_come_by_the_other_road_just_the_same(store: Store) -> None:
    sites = take_in(store, count=2_101)
    ids = [site.site_id for site in sites][::-1]
    assert [c.candidate_id for c in store.candidates_by_id(ids)] == ids


def test_an_unknown_candidate_or_run_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no candidate 'nobody'"):
        store.candidate("nobody")
    with pytest.raises(StoreError, match="'nothing' was not taken in"):
        store.run("nothing")


def test_runs_come_newest_first_with_their_counts(store: Store) -> None:
    sites = take_in(store, count=100)
    decide(store, sites[0].site_id)
    decide(store, sites[1].site_id, Status.REJECTED)
    run = store.run(FIRST)
    assert (run.candidates, run.discarded, run.undecided, run.confirmed, run.rejected) == (99, 1, 97, 1, 1)
    assert run.summary == made_up_summary(100, FIRST)


def test_counters_are_everybodys_or_one_analysts(store: Store) -> None:
    sites = take_in(store)
    decide(store, sites[0].site_id)
    decide(store, sites[1].site_id, Status.REJECTED)
    decide(store, sites[2].site_id, Status.UNSURE, "bea")
    store.undo("ana", "u1")
    store.record([new_verdict(sites[3].site_id, Status.CONFIRMED, "ana", at_utc=datetime(2020, 1, 1))])
    everybody, ana = store.counters(), store.counters(analyst="ana")
    assert (everybody.total, everybody.decided, everybody.left, everybody.per_hour) == (5, 3, 2, 2)
    assert (ana.total, ana.decided, ana.left, ana.confirmed, ana.unsure, ana.per_hour) == (5, 2, 2, 2, 0, 1)
    assert store.counters(run_id="none").total == 0


def test_a_status_that_changes_is_an_event_and_is_listed(store: Store) -> None:
    sites = take_in(store)
    changes = store.rematch([s.site_id for s in sites[:2]], [UNCHECKED, made_up_matches(1)[0]], "retired sigbm")
    assert [(c.candidate_id, c.before, c.after, c.note) for c in changes] == [
        (sites[0].site_id, "nothing_found", "not_checked", "retired sigbm")
    ]
    assert store.status_changes() == changes
    assert store.candidate(sites[0].site_id).match == UNCHECKED
    assert store.rematch([sites[0].site_id], [UNCHECKED], "again") == []
    assert store.rematch([], [], "nothing") == []


def test_a_rematch_of_an_unknown_candidate_changes_nothing(store: Store) -> None:
    sites = take_in(store)
    with pytest.raises(StoreError, match="not in the store"):
        store.rematch([sites[0].site_id, "nobody"], [UNCHECKED, UNCHECKED], "x")
    assert store.candidate(sites[0].site_id).match.status is RegisterStatus.NOTHING_FOUND


def test_a_closed_store_says_so() -> None:
    store = Store.in_memory()
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.candidates()


def test_text_is_cut_and_cleaned() -> None:
    assert one_line("a\r\n\tb\x07\u202ec\ud800", None) == "a bc"
    assert one_line(None) == ""
    assert one_line("x" * 10, 3) == "xxx"
    assert several_lines(" a\n b\x00 ") == "a\n b"
