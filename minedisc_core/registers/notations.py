"""A place as people and registers write it: decimal degrees, degrees with minutes and seconds, ANM's own form.

Each is plain text to paste elsewhere, latitude first; `coordinates.parse_degrees` reads every part of it back.
WGS 84 and SIRGAS 2000 differ by centimetres, so the numbers are the same in both.
"""

from __future__ import annotations

import math

from minedisc_core.errors import UsageError

_PER_DEGREE = 3_600_000
"""Thousandths of a second of arc."""


def decimal_notation(lon: float, lat: float) -> str:
    """`-19.934120, -43.812000`: what maps and search fields take.

    Raises:
        UsageError: not a place on Earth.
    """
    _check(lon, lat)
    return f"{lat + 0.0:.6f}, {lon + 0.0:.6f}".replace("-0.000000", "0.000000")


def dms_notation(lon: float, lat: float) -> str:
    """`19°56'02.83"S 43°48'43.20"W`: degrees, minutes and seconds with the side as a letter.

    Raises:
        UsageError: not a place on Earth.
    """
    _check(lon, lat)
    return f"{_dms(lat, 'NS')} {_dms(lon, 'EW')}"


def anm_notation(lon: float, lat: float) -> str:
    """`-19:56:02,832 -43:48:43,200`: SIRGAS 2000 as `±GG:MM:SS,SSS`, the form ANM takes.

    Raises:
        UsageError: not a place on Earth.
    """
    _check(lon, lat)
    return f"{_anm(lat)} {_anm(lon)}"


def _dms(value_deg: float, sides: str) -> str:
    degrees, minutes, thousandths = _parts(value_deg, step=10)
    side = sides[0] if value_deg >= 0 else sides[1]
    return f"{degrees}°{minutes:02d}'{thousandths // 1000:02d}.{thousandths % 1000 // 10:02d}\"{side}"


def _anm(value_deg: float) -> str:
    degrees, minutes, thousandths = _parts(value_deg, step=1)
    sign = "-" if value_deg < 0 and (degrees or minutes or thousandths) else "+"
    return f"{sign}{degrees:02d}:{minutes:02d}:{thousandths // 1000:02d},{thousandths % 1000:03d}"


def _parts(value_deg: float, step: int) -> tuple[int, int, int]:
    """Whole degrees, minutes and thousandths of a second, rounded to `step` thousandths first: never 60 seconds."""
    arc = round(abs(value_deg) * _PER_DEGREE / step) * step
    degrees, rest = divmod(arc, _PER_DEGREE)
    return degrees, *divmod(rest, 60_000)


def _check(lon: float, lat: float) -> None:
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):
        raise UsageError(f"The place is {lon}, {lat}", "longitude and latitude in degrees")
