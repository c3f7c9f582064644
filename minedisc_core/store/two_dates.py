"""What became of a place between two runs of one model on imagery of two dates: new, grown, unchanged or gone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from minedisc_core.domain import Change
from minedisc_core.store.same_place import overlaps

GROWN_RATIO = 1.5
"""Least ratio of the later area, in cells, to the earlier one."""
GROWN_CELLS = 1
"""Least number of cells more: the ratio alone would call one cell's rounding growth."""

_COMMON_CELLS = 0.25
"""Least common ground of two sites that are one place, in cells: on one grid that is any common cell, on grids that
lie a little apart no mere touch. Less strict than `same_place`, which carries verdicts: of a place where the other run
found part of a site nobody may say that it is new or gone."""


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


class Places(NamedTuple):
    """The places of two runs; sites that hang together by common ground are one place.

    So of a site that fell apart, and of sites that grew together, all parts count, in both runs alike.
    """

    of_earlier: NDArray[np.int64]
    """Index of the place of each site of the earlier run."""
    of_later: NDArray[np.int64]
    earlier_sizes: NDArray[np.float64]
    """Places x measures: sums over the sites of the earlier run; 0 where it found nothing."""
    later_sizes: NDArray[np.float64]


def places(
    earlier: NDArray[np.object_],
    later: NDArray[np.object_],
    earlier_sizes: NDArray[np.float64],
    later_sizes: NDArray[np.float64],
) -> Places:
    """Join the sites of two runs to places.

    Args:
        earlier: valid polygons of the earlier run, EPSG:4326.
        later: the same of the later run.
        earlier_sizes: sites x measures of the earlier run; the first measure is the number of cells.
        later_sizes: the same of the later run.
    """
    first, total = len(earlier), len(earlier) + len(later)
    new, old, overlap = overlaps(later, earlier)
    cell = np.minimum(
        (shapely.area(later) / later_sizes[:, 0])[new], (shapely.area(earlier) / earlier_sizes[:, 0])[old]
    )
    new, old = new[overlap >= _COMMON_CELLS * cell], old[overlap >= _COMMON_CELLS * cell]
    links = coo_array((np.ones(len(new), bool), (old, new + first)), shape=(total, total))
    count, labels = connected_components(links, directed=False)
    return Places(
        labels[:first],
        labels[first:],
        _sums(labels[:first], earlier_sizes, count),
        _sums(labels[first:], later_sizes, count),
    )


def _sums(labels: NDArray[np.int64], sizes: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.stack([np.bincount(labels, column, count) for column in sizes.T], axis=1)
