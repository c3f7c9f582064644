from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.errors import MinediscError, StoreError, StoreOwned, UsageError


def test_an_error_says_what_was_found_expected_and_what_to_do() -> None:
    error = MinediscError("band B10 is missing", "12 bands of L1C", "choose another mosaic")
    assert str(error) == "band B10 is missing. Expected: 12 bands of L1C. What to do: choose another mosaic."


def test_parts_that_are_empty_are_left_out() -> None:
    assert str(MinediscError("the disk is full")) == "the disk is full."
    assert str(MinediscError("x", remedy="y")) == "x. What to do: y."


@pytest.mark.parametrize("end", [".", "!", "?"])
def test_no_second_full_stop_is_added(end: str) -> None:
    assert str(MinediscError(f"really{end}")) == f"really{end}"


def test_a_store_owned_by_another_process_is_a_store_error() -> None:
    assert issubclass(StoreOwned, StoreError)
    assert not issubclass(UsageError, StoreError)


@given(st.text(min_size=1), st.text(), st.text())
def test_every_part_stands_in_the_text(found: str, expected: str, remedy: str) -> None:
    text = str(MinediscError(found, expected, remedy))
    assert found in text
    assert expected in text
    assert remedy in text
