"""When a site of a later run is the same place as one of an earlier run.

Two sites are the same place if their polygons overlap by at least half of the smaller. The pairing is
one to one, largest overlap first: of a site that fell apart only the largest part stays the same place.
Areas are compared in square degrees: over one place a degree has one length, so the ratio is right.
"""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import shapely
from numpy.typing import NDArray

from minedisc_core.domain import Reason, Status

OVERLAP_FRACTION = 0.5
"""Least share of the smaller polygon."""
_ROUNDING = 1e-9
_NOTE_LENGTH = 80


def same_places(later: NDArray[np.object_], earlier: NDArray[np.object_]) -> list[tuple[int, int]]:
    """Pairs of indices (later, earlier), each index at most once, in the order of `later`.

    Args:
        later: valid polygons of the new run, EPSG:4326.
        earlier: valid polygons of one earlier run, EPSG:4326.
    """
    new, old, overlap = overlaps(later, earlier)
    smaller = np.minimum(shapely.area(later[new]), shapely.area(earlier[old]))
    enough = overlap >= OVERLAP_FRACTION * smaller * (1 - _ROUNDING)
    new, old, overlap = new[enough], old[enough], overlap[enough]
    order = np.lexsort((old, new, -overlap))
    return sorted(_one_to_one(new[order].tolist(), old[order].tolist()))


def overlaps(
    later: NDArray[np.object_], earlier: NDArray[np.object_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Every pair with common ground: index in `later`, index in `earlier`, overlap in square degrees."""
    if not len(later) or not len(earlier):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    new, old = shapely.STRtree(earlier).query(later, predicate="intersects")
    overlap = shapely.area(shapely.intersection(later[new], earlier[old]))
    some = overlap > 0
    return new[some], old[some], overlap[some]


def _one_to_one(new: list[int], old: list[int]) -> list[tuple[int, int]]:
    taken_new: set[int] = set()
    taken_old: set[int] = set()
    pairs = []
    for i, j in zip(new, old, strict=True):
        if i not in taken_new and j not in taken_old:
            taken_new.add(i)
            taken_old.add(j)
            pairs.append((i, j))
    return pairs


def is_same_imagery(a: tuple[date | None, date | None, str], b: tuple[date | None, date | None, str]) -> bool:
    """Whether two runs saw the same imagery.

    Args:
        a: first and last day of the imagery and the mosaic's identity (empty if unknown).
        b: the same of the other run.

    Where a date is missing, only the identical file counts as the same imagery.
    """
    if a[0] is None or a[1] is None:
        return a[:2] == b[:2] and bool(a[2]) and a[2] == b[2]
    return a[:2] == b[:2]


def earlier_sentence(
    status: Status,
    reason: Reason | None,
    analyst: str,
    decided_utc: datetime,
    imagery: tuple[date | None, date | None],
    notes: str = "",
) -> str:
    """An earlier verdict on the same place, for the screen: who, when, on which imagery."""
    because = f" ({reason.replace('_', ' ')})" if reason else ""
    said = f': "{notes[:_NOTE_LENGTH]}"' if notes else ""
    start, end = imagery
    seen = f"imagery of {start} to {end}" if start and end else "imagery without dates"
    return f"{status.capitalize()}{because} by {analyst} on {decided_utc:%Y-%m-%d %H:%M} UTC, {seen}{said}"
