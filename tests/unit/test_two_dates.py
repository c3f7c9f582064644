"""What became of a place between two dates."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.domain import Change
from minedisc_core.store.two_dates import change_between

CELLS = st.integers(1, 100_000)


@given(CELLS, CELLS)
def test_a_place_without_a_look_is_neither_new_nor_gone(earlier: int, later: int) -> None:
    assert change_between(None, later, other_saw_it=False) is None
    assert change_between(earlier, None, other_saw_it=False) is None


@given(CELLS)
def test_a_seen_place_found_once_is_new_or_gone(cells: int) -> None:
    assert change_between(None, cells, other_saw_it=True) is Change.NEW
    assert change_between(cells, None, other_saw_it=True) is Change.GONE


@given(CELLS, CELLS, st.booleans())
def test_only_one_order_of_two_dates_can_be_growth(a: int, b: int, saw: bool) -> None:
    both = {change_between(a, b, other_saw_it=saw), change_between(b, a, other_saw_it=saw)}
    assert both <= {Change.GROWN, Change.UNCHANGED}
    assert Change.UNCHANGED in both


def test_growth_needs_half_as_much_again_and_a_whole_cell() -> None:
    assert change_between(2, 3, other_saw_it=True) is Change.GROWN
    assert change_between(3, 4, other_saw_it=True) is Change.UNCHANGED
    assert change_between(1, 1.6, other_saw_it=True) is Change.UNCHANGED
