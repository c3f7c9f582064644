"""What a map shows of many candidates, and queues as numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import Status
from minedisc_core.errors import EventRefused
from minedisc_core.review import new_verdict
from minedisc_core.store import CandidateFilter, Store

COUNT = 200
SITES = {site.site_id: site for site in made_up_sites(COUNT)}
EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.in_memory() as made:
        made.take_in(made_up_summary(COUNT), Path("run"), list(SITES.values()), made_up_matches(COUNT))
        yield made


def visible() -> set[str]:
    return {name for name, site in SITES.items() if not site.discarded}


views = st.tuples(st.floats(-46.5, -42), st.floats(-21.5, -17.5), st.floats(0.01, 4), st.floats(0.01, 4)).map(
    lambda drawn: (drawn[0], drawn[1], drawn[0] + drawn[2], drawn[1] + drawn[3])
)


@given(views)
def test_a_view_shows_the_sites_in_it_and_clusters_count_each_once(
    store: Store, view: tuple[float, float, float, float]
) -> None:
    west, south, east, north = view
    inside = {
        name for name in visible()
        if west <= SITES[name].peak_lon <= east and south <= SITES[name].peak_lat <= north
    }  # fmt: skip
    found = store.sites_in(CandidateFilter(), view, COUNT)
    assert found is not None
    assert {site.candidate_id for site in found} == inside
    assert all(site.polygon.equals(SITES[site.candidate_id].polygon) for site in found)
    clusters = store.clusters_in(CandidateFilter(), view, 8)
    assert sum(cluster.sites for cluster in clusters) == len(inside)
    assert len(clusters) <= 9 * 9
    for cluster in clusters:
        left, bottom, right, top = cluster.box
        assert left - 1e-9 <= cluster.lon <= right + 1e-9
        assert bottom - 1e-9 <= cluster.lat <= top + 1e-9


def test_more_sites_than_asked_are_none(store: Store) -> None:
    assert store.sites_in(CandidateFilter(), EVERYWHERE, len(visible()) - 1) is None
    assert len(store.sites_in(CandidateFilter(), EVERYWHERE, len(visible())) or ()) == len(visible())


def test_the_box_of_a_filter_holds_in_every_view(store: Store) -> None:
    box = (-45.0, -20.0, -44.0, -19.0)
    inside = {site.candidate_id for site in store.sites_in(CandidateFilter(), box, COUNT) or ()}
    seen = store.sites_in(CandidateFilter(box=box), EVERYWHERE, COUNT) or ()
    assert {site.candidate_id for site in seen} == inside
    assert store.sites_in(CandidateFilter(box=box), (-43.9, -18.9, -42.0, -17.0), COUNT) == []


def test_a_queue_is_the_filters_order_in_numbers(store: Store) -> None:
    wanted = CandidateFilter(order="priority", statuses=(Status.UNDECIDED,))
    queue = store.queue(wanted)
    names = store.candidate_ids(wanted)
    assert len(queue) == len(names) == store.count(wanted)
    assert [each.candidate_id for each in store.candidates_by_number(queue.part(3, 4))] == names[3:7]
    number = store.number_of(names[5])
    assert queue.position(number) == 5
    assert queue.part(len(queue) - 1, 9) == [store.number_of(names[-1])]
    assert (queue.position(None), queue.position(-1), store.number_of("no such")) == (None, None, None)
    assert number is not None
    assert queue.led_by(number).part(0, 2) == [number, queue.part(0, 1)[0]]


def test_a_number_without_a_candidate_is_refused(store: Store) -> None:
    with pytest.raises(EventRefused):
        store.candidates_by_number([10**9])


def test_a_verdict_shows_in_the_view(store: Store) -> None:
    name = sorted(visible())[0]
    store.record([new_verdict(name, Status.UNSURE, "ana")])
    found = {site.candidate_id: site.status for site in store.sites_in(CandidateFilter(), EVERYWHERE, COUNT) or ()}
    assert found[name] is Status.UNSURE
