"""Verdicts given with one gesture, drawn footprints, and verdicts of several people on one candidate."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely
from shapely import box

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import Reason, Status, VerdictEvent
from minedisc_core.errors import EventRefused, UsageError
from minedisc_core.grid import geodesic_area_ha
from minedisc_core.review import new_verdict
from minedisc_core.store import Store

RUN, LATER = "20260101-000000-aaaa", "20260102-000000-bbbb"
IDS = [f"{RUN}-{number:04d}" for number in range(1, 7)]
DRAWN = shapely.MultiPolygon(
    [box(-44, -20, -43.99, -19.99).difference(box(-43.997, -19.997, -43.993, -19.993)), box(-43.9, -20, -43.89, -19.99)]
)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        opened.take_in(made_up_summary(6, RUN), Path("x"), made_up_sites(6, run_id=RUN), made_up_matches(6))
        yield opened


def gesture(batch: str, *candidate_ids: str, analyst: str = "ana") -> list[VerdictEvent]:
    return [
        new_verdict(name, Status.REJECTED, analyst, reason=Reason.BURN, batch_id=batch, event_id=f"{batch}-{name}")
        for name in candidate_ids
    ]


def statuses(store: Store) -> str:
    """One letter a candidate."""
    return "".join(candidate.status[0] for candidate in store.candidates_by_id(IDS))


def test_one_undo_takes_a_gesture_back_with_one_event_each(store: Store) -> None:
    store.record([new_verdict(IDS[5], Status.CONFIRMED, "ana")])
    store.record(gesture("b1", *IDS[:4]))
    undone = store.undo("ana", "u1")
    assert [event.candidate_id for event in undone] == IDS[:4]
    assert len({event.event_id for event in undone}) == 4
    assert undone[0].event_id == "u1"
    assert statuses(store) == "uuuuuc"
    assert [len(events) for events in store.histories(IDS).values()] == [2, 2, 2, 2, 0, 1]
    assert store.sample_queue()[0].candidate_id == IDS[5]


def test_a_repeated_undo_of_a_gesture_undoes_once_and_says_the_same(store: Store) -> None:
    store.record(gesture("b1", *IDS[:2]))
    store.record(gesture("b2", *IDS[2:4]))
    assert store.undo("ana", "u1") == store.undo("ana", "u1")
    assert statuses(store) == "rruuuu"
    assert len(store.undo("ana", "u2")) == 2
    assert store.undo("ana", "u3") == []


def test_what_others_changed_of_a_gesture_stays_theirs(store: Store) -> None:
    store.record(gesture("b1", *IDS[:4]))
    store.record([new_verdict(IDS[1], Status.CONFIRMED, "bea"), new_verdict(IDS[3], Status.UNSURE, "bea")])
    assert [event.candidate_id for event in store.undo("ana", "u1")] == [IDS[0], IDS[2]]
    assert statuses(store)[:4] == "ucuu"
    assert store.candidate(IDS[3]).status is Status.UNSURE
    assert store.undo("ana", "u2") == []
    assert store.undo("bea", "u3")[0].candidate_id == IDS[3]
    assert statuses(store)[:4] == "ucur"


def test_an_undo_of_one_named_candidate_leaves_the_rest_of_its_gesture(store: Store) -> None:
    store.record(gesture("b1", *IDS[:3]))
    assert [event.candidate_id for event in store.undo("ana", "u1", IDS[1])] == [IDS[1]]
    assert statuses(store)[:3] == "rur"
    assert [event.candidate_id for event in store.undo("ana", "u2")] == [IDS[0], IDS[2]]


def test_a_gesture_is_undone_before_what_was_decided_before_it(store: Store) -> None:
    store.record([new_verdict(IDS[0], Status.CONFIRMED, "ana")])
    store.record(gesture("b1", *IDS[:2]))
    store.undo("ana", "u1")
    assert statuses(store)[:2] == "cu"


def test_two_people_may_use_the_same_gesture_id_and_undo_only_their_own(store: Store) -> None:
    store.record(gesture("b1", *IDS[:2]) + gesture("b1", *IDS[2:4], analyst="bea"))
    store.undo("bea", "u1")
    assert statuses(store)[:4] == "rruu"


def test_a_gesture_with_an_unknown_candidate_is_not_half_written(store: Store) -> None:
    with pytest.raises(EventRefused):
        store.record(gesture("b1", IDS[0], "no such candidate"))
    assert statuses(store) == "uuuuuu"


def test_a_changed_verdict_of_somebody_else_shows_both(store: Store) -> None:
    store.record([new_verdict(IDS[0], Status.CONFIRMED, "ana", notes="pit")])
    store.record([new_verdict(IDS[0], Status.REJECTED, "bea", reason=Reason.ROCK_OUTCROP)])
    [first, second] = store.history(IDS[0])
    assert (first.analyst, first.verdict, first.notes) == ("ana", Status.CONFIRMED, "pit")
    assert (second.analyst, second.verdict) == ("bea", Status.REJECTED)
    assert (store.candidate(IDS[0]).verdict_by, store.candidate(IDS[0]).notes) == ("bea", "")
    counted = {a.name: (a.confirmed, a.rejected) for a in store.progress().by_analyst}
    assert counted == {"ana": (0, 0), "bea": (0, 1)}


def test_a_drawn_footprint_comes_back_with_its_area_beside_the_machines(store: Store) -> None:
    machine = store.candidate(IDS[0]).site
    store.record([new_verdict(IDS[0], Status.CONFIRMED, "ana", footprint=DRAWN)])
    found = store.candidate(IDS[0])
    assert found.footprint == DRAWN
    assert found.area_drawn_ha == pytest.approx(geodesic_area_ha(DRAWN))
    assert (found.site.area_cells_ha, found.site.polygon) == (machine.area_cells_ha, machine.polygon)
    assert store.history(IDS[0])[0].footprint == DRAWN
    assert store.rebuild_states() == 1
    assert store.candidate(IDS[0]) == found


def test_a_footprint_is_in_force_with_its_verdict_only(store: Store) -> None:
    store.record([new_verdict(IDS[0], Status.CONFIRMED, "ana", footprint=DRAWN)])
    store.record([new_verdict(IDS[0], Status.CONFIRMED, "bea")])
    assert (store.candidate(IDS[0]).footprint, store.candidate(IDS[0]).area_drawn_ha) == (None, None)
    store.undo("bea", "u1")
    assert store.candidate(IDS[0]).footprint == DRAWN
    store.undo("ana", "u2")
    assert store.candidate(IDS[0]).footprint is None


def test_a_footprint_is_carried_over_with_the_verdict_of_the_same_imagery(store: Store) -> None:
    store.record([new_verdict(IDS[0], Status.CONFIRMED, "ana", footprint=DRAWN, moved=(-44.1, -20.2))])
    store.record([new_verdict(IDS[1], Status.UNSURE, "ana")])
    again = [
        dataclasses.replace(site, site_id=f"{LATER}-{number:04d}")
        for number, site in enumerate(made_up_sites(6, run_id=RUN), 1)
    ]
    store.take_in(made_up_summary(6, LATER), Path("y"), again, made_up_matches(6))
    carried, plain = (store.candidate(again[place].site_id) for place in (0, 1))
    assert (carried.status, carried.footprint, carried.moved_lon) == (Status.CONFIRMED, DRAWN, -44.1)
    assert carried.area_drawn_ha == pytest.approx(geodesic_area_ha(DRAWN))
    assert (plain.status, plain.footprint, plain.area_drawn_ha) == (Status.UNSURE, None, None)
    store.rebuild_states()
    assert store.candidate(again[0].site_id) == carried


def test_heights_of_a_footprint_are_left_out() -> None:
    event = new_verdict("c", Status.CONFIRMED, footprint=shapely.force_3d(DRAWN, 900))
    assert event.footprint is not None
    assert event.footprint.has_z is False


@pytest.mark.parametrize(
    "wrong",
    [
        shapely.Point(-44, -20),
        shapely.Polygon(),
        shapely.Polygon([(-44, -20), (-43, -19), (-43, -20), (-44, -19)]),
        shapely.Polygon([(-44, -20), (-43.9, -20), (-43.8, -20)]),
        box(179, 0, 181, 1),
        box(-44, -91, -43, -89),
        box(-50, -20, -40, -10),
        shapely.Polygon([(0, 0), (float("inf"), 1), (1, 1)]),
        shapely.Point(-44, -20).buffer(0.01, quad_segs=3_000),
    ],
    ids=["point", "empty", "crossing", "line", "east", "south", "huge", "endless", "vertices"],
)
def test_an_outline_that_is_none_is_no_footprint(wrong: shapely.Geometry) -> None:
    with pytest.raises(UsageError):
        new_verdict("c", Status.CONFIRMED, footprint=wrong)


def test_histories_name_every_candidate_that_was_asked_for(store: Store) -> None:
    store.record([new_verdict(IDS[0], Status.CONFIRMED, "ana")])
    found = store.histories([IDS[1], IDS[0], "unknown"])
    assert list(found) == [IDS[1], IDS[0], "unknown"]
    assert found[IDS[0]] == store.history(IDS[0])
    assert (found[IDS[1]], found["unknown"], store.histories([])) == ([], [], {})


def test_the_sample_of_a_drawn_mine_lies_inside_the_outline_and_keeps_it(store: Store) -> None:
    store.record([new_verdict(IDS[0], Status.CONFIRMED, "ana", footprint=DRAWN)])
    store.record([new_verdict(IDS[1], Status.CONFIRMED, "ana", footprint=DRAWN, moved=(-44.2, -20.3))])
    store.record([new_verdict(IDS[2], Status.REJECTED, "ana", reason=Reason.BURN, footprint=DRAWN)])
    store.record([new_verdict(IDS[3], Status.CONFIRMED, "ana")])
    inside, moved, rejected, plain = store.sample_queue()
    assert DRAWN.contains(shapely.Point(inside.lon, inside.lat))
    assert (moved.lon, moved.lat, moved.is_moved, inside.is_moved) == (-44.2, -20.3, True, True)
    peak = store.candidate(IDS[2]).site
    assert (rejected.lon, rejected.lat, rejected.is_moved) == (peak.peak_lon, peak.peak_lat, False)
    assert [row.footprint for row in (inside, moved, rejected, plain)] == [DRAWN, DRAWN, DRAWN, None]
