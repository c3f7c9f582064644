"""What became of a place between two runs of one model on imagery of two dates: new, grown, unchanged or gone."""

from __future__ import annotations

from enum import StrEnum

GROWN_RATIO = 1.5
"""Least ratio of the later area, in cells, to the earlier one."""
GROWN_CELLS = 1
"""Least number of cells more: the ratio alone would call one cell's rounding growth."""


class Change(StrEnum):
    """Of a place, from the earlier date to the later one."""

    NEW = "new"
    GROWN = "grown"
    UNCHANGED = "unchanged"
    GONE = "gone"


def change_between(earlier: float | None, later: float | None, *, other_saw_it: bool) -> Change | None:
    """The change of one place; None where nothing can be said.

    Args:
        earlier: area in cells in the earlier run, None if it found nothing there.
        later: the same of the later run.
        other_saw_it: whether the run that found nothing saw the place. Without it, nothing found says nothing.
    """
    if earlier is not None and later is not None:
        grown = later >= GROWN_RATIO * earlier and later - earlier >= GROWN_CELLS
        return Change.GROWN if grown else Change.UNCHANGED
    if not other_saw_it or (earlier is None and later is None):
        return None
    return Change.NEW if earlier is None else Change.GONE
