from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.errors import UsageError
from minedisc_core.grid import geodesic_distance_m
from minedisc_core.learning.places import place_name, places_of

POINTS = st.lists(st.tuples(st.floats(-44.2, -43.8), st.floats(-20.2, -19.8)), min_size=1, max_size=40)


def test_a_chain_of_near_samples_is_one_place_and_a_far_one_another() -> None:
    step = 4_900 / 111_320
    found = places_of(np.array([(-44.0, -20 + step * n) for n in (0, 2, 1)] + [(-44.0, -21.0)]))
    assert found == ["-20.00000-044.00000"] * 3 + ["-21.00000-044.00000"]


def test_what_is_not_a_chain_within_the_distance_is_apart() -> None:
    apart = np.array([(-44.0, -20.0), (-44.0, -20 + 5_100 / 110_700)])
    assert len(set(places_of(apart))) == 2
    assert len(set(places_of(apart, within_m=6_000))) == 1


@given(POINTS, st.randoms())
def test_samples_of_two_places_are_never_nearer_than_5_km_and_order_changes_nothing(points: list, random) -> None:  # type: ignore[no-untyped-def]  # hypothesis' own
    names = dict(zip(points, places_of(np.array(points)), strict=True))
    for one in names:
        for other in names:
            if names[one] != names[other]:
                assert geodesic_distance_m(*one, *other) > 4_999.9
    shuffled = list(points)
    random.shuffle(shuffled)
    assert dict(zip(shuffled, places_of(np.array(shuffled)), strict=True)) == names


def test_the_date_line_parts_no_place() -> None:
    assert len(set(places_of(np.array([(179.99, 0.0), (-179.99, 0.0)])))) == 1


def test_no_sample_has_no_place() -> None:
    assert places_of(np.empty((0, 2))) == []


@pytest.mark.parametrize("wrong", [(181.0, 0.0), (0.0, -91.0), (np.nan, 0.0)])
def test_a_position_that_is_not_on_earth_is_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="nowhere on Earth"):
        places_of(np.array([(0.0, 0.0), wrong]))


def test_a_place_is_named_as_iso_6709_writes_it() -> None:
    assert place_name(-43.5, 4.25) == "+04.25000-043.50000"
