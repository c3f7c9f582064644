"""Coordinates as registers write them: decimal with point or comma, or degrees, minutes and seconds.

Understood: `-10.6534`, `-10,6534`, `10,6534 S`, `-10°07'16.390''`, `10 07 16,39 S`, `-10:07:16,390`
(ANM's `±GG:MM:SS,SSS`), `S 10º 7,5'`, `48° 30' 0" O`. Nothing is guessed: what could mean two places is
an error, and latitude and longitude are never swapped.
"""

from __future__ import annotations

import math
import re

from minedisc_core.errors import UsageError
from minedisc_core.registers.text import shown

BRAZIL = (-74.1, -33.9, -28.6, 5.4)
"""West, south, east, north of Brazil with its islands, in degrees (IBGE, extreme points, rounded outwards)."""

_DECIMAL = re.compile(r"[+-]?\s?\d{1,3}(?:[.,]\d+)?(?:[eE][+-]?\d{1,3})?")
_NUMBER = r"\d{1,%d}(?:[.,]\d+)?"
_DEGREE_SIGN = r"\s*(?:Â?[°º˚ᵒ\ufffd]|:|\s)\s*"
_MINUTE_SIGN = r"\s*(?:['’′´`:]|\s)\s*"
_SECOND_SIGN = r"\s*(?:''|[\"”″“]|['’′´`]{1,2})?\s*"
_DMS = re.compile(
    r"(?P<before>[NSEWLO])?\s*(?P<sign>[+-])?\s*"
    rf"(?P<degrees>{_NUMBER % 3})"
    rf"(?:{_DEGREE_SIGN}(?:(?P<minutes>{_NUMBER % 2})(?:{_MINUTE_SIGN}(?P<seconds>{_NUMBER % 2})?)?)?)?"
    rf"{_SECOND_SIGN}(?P<after>[NSEWLO])?",
    re.IGNORECASE,
)
_SIDES = {"latitude": {"N": 1, "S": -1}, "longitude": {"E": 1, "L": 1, "W": -1, "O": -1}}
_LONGEST = 60
_LIMIT_DEG = {"latitude": 90.0, "longitude": 180.0}


def parse_degrees(text: str, axis: str) -> float:
    """Degrees of one coordinate, north and east positive.

    Args:
        text: the cell.
        axis: `latitude` or `longitude`.

    Raises:
        ValueError: with the reason, fit for a list of problems.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"{axis} {shown(text)} is not understood")
    plain = text.replace("\u2212", "-").replace("\u2013", "-").replace("\xa0", " ").strip()
    value = _decimal(plain) if _DECIMAL.fullmatch(plain) else _sexagesimal(plain, text, axis)
    if abs(value) > _LIMIT_DEG[axis]:
        raise ValueError(f"{axis} {shown(text)} is outside -{_LIMIT_DEG[axis]:.0f}..{_LIMIT_DEG[axis]:.0f} degrees")
    return value


def read_place(text: str) -> tuple[float, float]:
    """Latitude and longitude of a place as people write it: `-19.93, -43.81`, `19°55'48"S 43°48'36"W`.

    Raises:
        UsageError: it is no place.
    """
    parts = re.split(r"\s*;\s*|\s*,\s+|\s+(?=[+-])|(?<=[NSns])\s+", text.strip(), maxsplit=1)
    if len(parts) == 1:
        parts = re.split(r"\s*,\s*|\s+", text.strip())
    try:
        if len(parts) != 2:
            raise ValueError(f"{shown(text)} has {len(parts)} parts")
        return parse_degrees(parts[0], "latitude"), parse_degrees(parts[1], "longitude")
    except ValueError as error:
        raise UsageError(
            f"{shown(text)} is no place", "latitude and longitude in degrees, such as -19.93, -43.81"
        ) from error


def _decimal(plain: str) -> float:
    return float(plain.replace(",", ".").replace(" ", ""))


def _sexagesimal(plain: str, text: str, axis: str) -> float:
    found = _DMS.fullmatch(plain)
    if found is None:
        raise ValueError(f"{axis} {shown(text)} is not understood")
    parts = [found["degrees"], found["minutes"], found["seconds"]]
    given = [part for part in parts if part]
    numbers = [_decimal(part) for part in given]
    if any("." in part or "," in part for part in given[:-1]):
        raise ValueError(f"{axis} {shown(text)} has a fraction before its last part")
    if any(number >= 60 for number in numbers[1:2]) or any(number > 60 for number in numbers[2:]):
        raise ValueError(f"{axis} {shown(text)} has minutes or seconds of 60 or more")
    size = math.fsum(number / 60.0**power for power, number in enumerate(numbers))
    return _side(found, text, axis) * size


def _side(found: re.Match[str], text: str, axis: str) -> int:
    """+1 or -1, from the sign and the letter, which must not contradict each other."""
    letters = {letter.upper() for letter in (found["before"], found["after"]) if letter}
    if len(letters) > 1 or (found["before"] and found["after"]):
        raise ValueError(f"{axis} {shown(text)} names its side twice")
    negative = found["sign"] == "-"
    if not letters:
        return -1 if negative else 1
    letter = letters.pop()
    if letter not in _SIDES[axis]:
        raise ValueError(f"{shown(text)} is no {axis}: {letter} belongs to the other column")
    side = _SIDES[axis][letter]
    if found["sign"] and (side < 0) != negative:
        raise ValueError(f"{axis} {shown(text)}: the sign and {letter} contradict each other")
    return side


def why_outside_brazil(lon: float, lat: float) -> str | None:
    """None for a place in Brazil's box; else the reason, with what it looks like. Nothing is corrected."""
    if _in_brazil(lon, lat):
        return None
    place = f"lon {lon:.5f}, lat {lat:.5f} is outside Brazil"
    if _in_brazil(lat, lon):
        return f"{place}: latitude and longitude look swapped"
    if any(_in_brazil(x, y) for x, y in ((-lon, lat), (lon, -lat), (-lon, -lat))):
        return f"{place}: a minus sign looks lost"
    return place


def _in_brazil(lon: float, lat: float) -> bool:
    west, south, east, north = BRAZIL
    return west <= lon <= east and south <= lat <= north
