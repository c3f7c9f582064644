"""Coordinates as registers write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.errors import UsageError
from minedisc_core.registers.coordinates import parse_degrees, read_place, why_outside_brazil

LATITUDE = -(10 + 7 / 60 + 16.39 / 3600)


@pytest.mark.parametrize(
    "text",
    [
        "-10°07'16.390''",
        "-10°07'16,390\"",
        "10 07 16,39 S",
        "-10:07:16,390",
        "S 10º07´16,39´´",
        "10º 7' 16.39'' s",
        "−10°07′16.39″",
        "-10\ufffd07'16.390''",
        "-10Â°07'16.390''",
        " -10\xa007\xa016,39 ",
        "10:07:16.39S",
    ],
)
def test_every_way_to_write_one_latitude_gives_the_same_degrees(text: str) -> None:
    assert parse_degrees(text, "latitude") == pytest.approx(LATITUDE, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-43,903247", -43.903247),
        ("-43.903247", -43.903247),
        ("43.9 W", -43.9),
        ("43,9 O", -43.9),
        ("43.9 L", 43.9),
        ("-0°30'0''", -0.5),
        ("48° 30,5'", 48 + 30.5 / 60),
        ("-43", -43.0),
        ("1e-05", 1e-5),
        ("- 43.9", -43.9),
        ("-43°59'60.000''", -44.0),
    ],
)
def test_decimal_points_commas_sides_and_lone_degrees_are_understood(text: str, expected: float) -> None:
    assert parse_degrees(text, "longitude") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not understood"),
        ("abc", "not understood"),
        ("=1+1", "not understood"),
        ("-1.234.567", "not understood"),
        ("10 07 16 39", "not understood"),
        ("nan", "not understood"),
        ("inf", "not understood"),
        ("9" * 5000, "not understood"),
        ("-10 N", "contradict"),
        ("+10 S", "contradict"),
        ("S 10 S", "twice"),
        ("10 W", "belongs to the other column"),
        ("10 75 00 S", "60 or more"),
        ("10 07 61 S", "60 or more"),
        ("10.5 07", "fraction"),
        ("-91", "outside"),
        ("90 00 01 N", "outside"),
    ],
)
def test_what_is_not_clear_is_an_error_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_degrees(text, "latitude")


@given(
    seconds=st.integers(0, 180 * 3600 * 1000),
    west=st.booleans(),
    style=st.sampled_from(
        ["{sign}{d}°{m:02d}'{s}''", "{d} {m} {s} {side}", "{sign}{d:03d}:{m:02d}:{s}", '{side} {d}º{m}´{s}"']
    ),
    comma=st.booleans(),
)
def test_degrees_written_as_minutes_and_seconds_come_back(seconds: int, west: bool, style: str, comma: bool) -> None:
    whole, milliseconds = divmod(seconds, 1000)
    d, m, s = whole // 3600, whole // 60 % 60, f"{whole % 60:02d}.{milliseconds:03d}"
    text = style.format(sign="-" if west else "", d=d, m=m, s=s, side="O" if west else "E")
    expected = (-1 if west else 1) * seconds / 3_600_000
    assert parse_degrees(text.replace(".", ",") if comma else text, "longitude") == pytest.approx(expected, abs=1e-9)


@given(st.text(max_size=30), st.sampled_from(["latitude", "longitude"]))
def test_any_text_is_degrees_in_range_or_an_error(text: str, axis: str) -> None:
    value = 0.0
    with contextlib.suppress(ValueError):
        value = parse_degrees(text, axis)
    assert abs(value) <= (90 if axis == "latitude" else 180)


def test_a_place_outside_brazil_says_what_it_looks_like() -> None:
    assert why_outside_brazil(-43.9, -20.1) is None
    assert "swapped" in str(why_outside_brazil(-20.1, -43.9))
    assert "minus sign" in str(why_outside_brazil(43.9, -20.1))
    assert "minus sign" in str(why_outside_brazil(43.9, 20.1))
    assert str(why_outside_brazil(120.0, 50.0)).endswith("outside Brazil")


@pytest.mark.parametrize(
    "text",
    ["-19.93, -43.81", "-19.93 -43.81", "-19.93;-43.81", "-19.93,-43.81", "-19,93; -43,81", "19°55'48\"S 43°48'36\"W"],
)
def test_a_place_is_read_as_people_write_it(text: str) -> None:
    assert read_place(text) == pytest.approx((-19.93, -43.81))


@pytest.mark.parametrize("text", ["", "here", "-19.93", "-19.93, -243.81", "1 2 3", "95, 10"])
def test_what_is_no_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no place.*-19\.93, -43\.81"):
        read_place(text)
