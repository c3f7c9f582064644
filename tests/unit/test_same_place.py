from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from minedisc_core.domain import Reason, Status
from minedisc_core.store.same_place import earlier_sentence, is_same_imagery, same_places

A, B = date(2020, 1, 1), date(2020, 12, 31)


def polygons(*shapes: shapely.Polygon) -> np.ndarray:
    return np.array(shapes, object)


def test_half_of_the_smaller_polygon_is_enough() -> None:
    assert same_places(polygons(box(0, 0, 2, 1)), polygons(box(1, 0, 9, 1))) == [(0, 0)]


def test_less_than_half_of_the_smaller_polygon_is_another_place() -> None:
    assert same_places(polygons(box(0, 0, 2, 1)), polygons(box(1.02, 0, 9, 1))) == []


def test_a_shared_edge_is_no_overlap() -> None:
    assert same_places(polygons(box(0, 0, 1, 1)), polygons(box(1, 0, 2, 1))) == []


def test_a_small_site_inside_a_large_one_is_the_same_place() -> None:
    assert same_places(polygons(box(0, 0, 10, 10)), polygons(box(4, 4, 5, 5))) == [(0, 0)]


def test_of_a_site_that_fell_apart_only_the_largest_part_stays_the_same_place() -> None:
    later = polygons(box(0, 0, 3, 1), box(4, 0, 9, 1), box(9.5, 0, 10, 1))
    assert same_places(later, polygons(box(0, 0, 10, 1))) == [(1, 0)]


def test_of_sites_that_grew_together_the_largest_overlap_gives_the_pair() -> None:
    earlier = polygons(box(0, 0, 3, 1), box(4, 0, 9, 1))
    assert same_places(polygons(box(0, 0, 10, 1)), earlier) == [(0, 1)]


def test_a_site_that_lost_its_best_match_takes_the_next() -> None:
    later = polygons(box(0, 0, 4, 1), box(2, 0, 8, 1))
    earlier = polygons(box(2, 0, 9, 1), box(0, 0, 2.5, 1))
    assert same_places(later, earlier) == [(0, 1), (1, 0)]


def test_nothing_matches_nothing() -> None:
    assert same_places(polygons(), polygons(box(0, 0, 1, 1))) == []
    assert same_places(polygons(box(0, 0, 1, 1)), polygons()) == []


squares = st.lists(
    st.builds(
        lambda x, y, w, h: box(x, y, x + w, y + h),
        st.integers(0, 8), st.integers(0, 8), st.integers(1, 5), st.integers(1, 5),
    ),
    max_size=6,
)  # fmt: skip


@given(squares, squares)
def test_the_pairs_are_those_of_the_slow_and_plain_way(later: list, earlier: list) -> None:
    every = [
        (-later[i].intersection(earlier[j]).area, i, j)
        for i in range(len(later))
        for j in range(len(earlier))
        if later[i].intersection(earlier[j]).area >= 0.5 * min(later[i].area, earlier[j].area)
    ]
    wanted: list[tuple[int, int]] = []
    for _, i, j in sorted(every):
        if all(i != a and j != b for a, b in wanted):
            wanted.append((i, j))
    assert same_places(polygons(*later), polygons(*earlier)) == sorted(wanted)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((A, B, "x"), (A, B, "y"), True),
        ((A, B, "x"), (A, A, "x"), False),
        ((A, B, ""), (None, None, ""), False),
        ((None, None, "x"), (None, None, "x"), True),
        ((None, None, "x"), (None, None, "y"), False),
        ((None, None, ""), (None, None, ""), False),
        ((A, None, "x"), (A, None, "x"), True),
        ((A, None, "x"), (A, None, "y"), False),
    ],
)
def test_imagery_is_the_same_by_its_dates_or_without_dates_by_its_file(one: tuple, other: tuple, same: bool) -> None:
    assert is_same_imagery(one, other) is same


def test_an_earlier_verdict_says_who_when_why_and_on_which_imagery() -> None:
    given_at = datetime(2026, 3, 4, 5, 6)
    sentence = earlier_sentence(Status.REJECTED, Reason.RIVER_BANK, "Zé", given_at, (A, B), "só areia")
    assert sentence == (
        'Rejected (river bank) by Zé on 2026-03-04 05:06 UTC, imagery of 2020-01-01 to 2020-12-31: "só areia"'
    )
    assert "imagery without dates" in earlier_sentence(Status.CONFIRMED, None, "Ana", given_at, (None, None))
