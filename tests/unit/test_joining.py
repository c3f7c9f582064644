"""Places that two runs of one scan found from both sides of a border: kept once, in the run that saw more of them."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from minedisc_core.domain import Impact
from minedisc_core.grid import geodesic_area_ha
from minedisc_core.imagery.seen_cells import SeenCells
from minedisc_core.jobs.joining import OneRun, join

CELL = 0.0025


def seen(west=-44.0, columns=40):
    """Cells of a quarter of a hundredth of a degree, all seen, from a meridian on."""
    return SeenCells(np.ones((40, columns), bool), Affine(CELL, 0, west, 0, -CELL, -19.95), "EPSG:4326")


def place(make_site, number, run_id, column, cells=1, **more):
    """A site over some cells of a row, from a column of the grid at 44 degrees west on."""
    polygon = box(-44 + column * CELL, -20 - CELL, -44 + (column + cells) * CELL, -20)
    known = {"polygon": polygon, "cells": cells, "area_cells_ha": geodesic_area_ha(polygon), "score": 0.9}
    return replace(make_site(number, run_id), **(known | more))


def test_a_place_that_two_runs_found_stays_in_the_run_that_saw_more_with_the_outline_of_both(make_site):
    west = OneRun("west", [place(make_site, 1, "west", 8, 2), place(make_site, 2, "west", 0)], seen(columns=10))
    east = OneRun("east", [place(make_site, 1, "east", 9, 3, score=0.7)], seen(west=-44 + 5 * CELL))
    left, right = join([west, east])
    assert [site.site_id for site in left.sites] == ["west-0002"]
    (kept,) = right.sites
    assert (kept.site_id, kept.score, kept.cells) == ("east-0001", 0.7, 4)
    assert kept.polygon.equals(shapely.union(west.sites[0].polygon, east.sites[0].polygon))
    assert kept.area_cells_ha == pytest.approx(geodesic_area_ha(kept.polygon))
    assert (kept.lon, kept.lat) == pytest.approx((-44 + 10 * CELL, -20 - CELL / 2))
    assert left.told == ("places that are kept in run east, which saw more of them: 1",)
    assert right.told == ("places that run west found too, and that are kept here: 1",)


def test_a_place_that_hangs_together_through_another_run_is_one(make_site):
    west = OneRun("west", [place(make_site, 1, "west", 4, 6)], seen())
    parts = [place(make_site, 1, "east", 3, 2, score=0.8), place(make_site, 2, "east", 9, 2, score=0.95)]
    left, right = join([west, OneRun("east", parts, seen())])
    assert [site.site_id for site in [*left.sites, *right.sites]] == ["east-0002"]
    assert right.sites[0].cells == 8


def test_what_either_run_calls_a_mine_is_not_hidden(make_site):
    hidden = {"discarded": True, "impact": Impact.NO_ORE}
    west = OneRun("west", [place(make_site, 1, "west", 4, **hidden)], seen())
    east = OneRun("east", [place(make_site, 1, "east", 4, score=0.7, impact=Impact.LOW)], None)
    left, right = join([west, east])
    assert [(site.discarded, site.impact) for site in left.sites] == [(False, Impact.LOW)]
    assert right.sites == []
    both = join([west, OneRun("east", [place(make_site, 1, "east", 4, **hidden)], seen())])
    assert [site.discarded for site in [*both[0].sites, *both[1].sites]] == [True]


def test_places_that_only_touch_or_lie_apart_stay_as_they_are(make_site):
    west = OneRun("west", [place(make_site, 1, "west", 4)], seen())
    east = OneRun("east", [place(make_site, 1, "east", 5), place(make_site, 2, "east", 9)], seen())
    left, right = join([west, east])
    assert (left.sites, right.sites) == (list(west.sites), list(east.sites))
    assert left.told == right.told == ()
    assert join([OneRun("none", [], None), OneRun("nothing", [], None)])[0].sites == []


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 4)), max_size=14, unique=True),
    st.permutations([0, 1, 2]),
)
def test_after_the_joining_no_ground_is_lost_and_none_is_in_two_runs(make_site, drawn, order):
    runs = [
        OneRun(
            f"r{run}", [place(make_site, n, f"r{run}", c, k) for n, (o, c, k) in enumerate(drawn) if o == run], seen()
        )
        for run in order
    ]
    joined = join(runs)
    before = shapely.union_all([site.polygon for run in runs for site in run.sites])
    after = shapely.union_all([site.polygon for one in joined for site in one.sites])
    assert shapely.symmetric_difference(before, after).area == pytest.approx(0, abs=1e-12)
    for first in range(3):
        for second in range(first):
            for site in joined[first].sites:
                for other in joined[second].sites:
                    assert site.polygon.intersection(other.polygon).area == pytest.approx(0, abs=1e-12)
    assert [one.sites for one in join([replace(r, sites=j.sites) for r, j in zip(runs, joined, strict=True)])] == [
        one.sites for one in joined
    ]
