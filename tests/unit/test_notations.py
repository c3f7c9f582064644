"""A place as text: what people copy is what a register reads back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.errors import UsageError
from minedisc_core.registers.coordinates import parse_degrees
from minedisc_core.registers.notations import anm_notation, decimal_notation, dms_notation

LONGITUDES = st.floats(-180, 180, allow_nan=False)
LATITUDES = st.floats(-90, 90, allow_nan=False)


def test_a_place_in_minas_gerais_in_all_three_notations() -> None:
    lon, lat = -43.812, -19.93412
    assert decimal_notation(lon, lat) == "-19.934120, -43.812000"
    assert dms_notation(lon, lat) == "19°56'02.83\"S 43°48'43.20\"W"
    assert anm_notation(lon, lat) == "-19:56:02,832 -43:48:43,200"


def test_north_and_east_are_named_and_a_plus_stands_before_them() -> None:
    assert dms_notation(5.5, 4.25) == "4°15'00.00\"N 5°30'00.00\"E"
    assert anm_notation(5.5, 4.25) == "+04:15:00,000 +05:30:00,000"


def test_seconds_that_round_up_make_a_new_minute_and_a_new_degree() -> None:
    almost = 43 + 59 / 60 + 59.9999 / 3600
    assert dms_notation(-almost, -almost) == "44°00'00.00\"S 44°00'00.00\"W"
    assert anm_notation(-almost, -almost) == "-44:00:00,000 -44:00:00,000"


def test_a_hairs_breadth_below_zero_is_zero_without_a_minus() -> None:
    assert decimal_notation(-1e-9, -1e-9) == "0.000000, 0.000000"
    assert anm_notation(-1e-9, -1e-9) == "+00:00:00,000 +00:00:00,000"


@pytest.mark.parametrize(("lon", "lat"), [(math.nan, 0), (0, math.inf), (181, 0), (0, -90.1)])
def test_what_is_no_place_has_no_notation(lon: float, lat: float) -> None:
    for notation in (decimal_notation, dms_notation, anm_notation):
        with pytest.raises(UsageError, match="degrees"):
            notation(lon, lat)


@given(LONGITUDES, LATITUDES)
def test_every_notation_is_read_back_to_the_same_place(lon: float, lat: float) -> None:
    for notation, split, tolerance in (
        (decimal_notation, ", ", 5.1e-7),
        (dms_notation, " ", 0.0051 / 3600),
        (anm_notation, " ", 0.00051 / 3600),
    ):
        north, east = notation(lon, lat).split(split)
        assert parse_degrees(north, "latitude") == pytest.approx(lat, abs=tolerance)
        assert parse_degrees(east, "longitude") == pytest.approx(lon, abs=tolerance)
