"""Places that the runs of one scan found from both sides of a border of coordinate systems: each is kept once."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from minedisc_core.domain import Site
from minedisc_core.grid import geodesic_area_ha
from minedisc_core.imagery.seen_cells import SeenCells
from minedisc_core.store.same_place import overlaps


@dataclass(frozen=True)
class OneRun:
    """What one run of a scan found and saw."""

    run_id: str
    sites: Sequence[Site]
    seen: SeenCells | None
    """None: its scores cannot be read, and it counts as if it had seen nothing."""


@dataclass(frozen=True)
class Joined:
    """A run's sites after the joining."""

    sites: list[Site]
    told: tuple[str, ...]
    """What was joined with which run, a sentence each."""


def join(runs: Sequence[OneRun]) -> list[Joined]:
    """Sites of different runs that overlap on the ground become one, in the run that saw more of it.

    The site that stays has the outline of all, and keeps its own id, score and peak. A site that overlaps with
    nothing of another run stays as it is.
    """
    owner = np.repeat(np.arange(len(runs)), [len(run.sites) for run in runs])
    sites = [site for run in runs for site in run.sites]
    polygons = shapely.make_valid(np.array([site.polygon for site in sites], object))
    replaced: dict[int, Site | None] = {}
    moved: Counter[tuple[int, int]] = Counter()
    for group in _groups(polygons, owner):
        outline = shapely.union_all(polygons[group])
        home = _saw_most(runs, outline, group, owner, sites)
        kept = min((k for k in group if owner[k] == home), key=lambda k: (sites[k].discarded, -sites[k].score))
        replaced |= dict.fromkeys(group.tolist())
        replaced[int(kept)] = _one_of([sites[kept], *(sites[k] for k in group if k != kept)], outline)
        moved.update((other, home) for other in set(owner[group].tolist()) - {home})
    joined = []
    for number in range(len(runs)):
        own = [replaced.get(k, sites[k]) for k in np.flatnonzero(owner == number).tolist()]
        joined.append(Joined([site for site in own if site], tuple(_sentences(number, moved, runs))))
    return joined


def _groups(polygons: NDArray[np.object_], owner: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Indices of the sites that hang together by overlaps between different runs; only groups of several runs."""
    one: list[int] = []
    other: list[int] = []
    for first, second in combinations(np.unique(owner), 2):
        mine, theirs = np.flatnonzero(owner == first), np.flatnonzero(owner == second)
        left, right, _ = overlaps(polygons[mine], polygons[theirs])
        one += mine[left].tolist()
        other += theirs[right].tolist()
    if not one:
        return []
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(owner), len(owner)))
    _, label = connected_components(links, directed=False)
    return [np.flatnonzero(label == found) for found in np.unique(label[one])]


def _saw_most(
    runs: Sequence[OneRun], outline: shapely.Geometry, group: NDArray[np.int64], owner: NDArray[np.int64],
    sites: Sequence[Site],
) -> int:  # fmt: skip
    """The run that saw the greatest share of an outline; of equals the one with the best score."""
    place = np.array([outline], object)

    def rank(number: int) -> tuple[float, float]:
        seen = runs[number].seen
        share = float(seen.shares(place)[0]) if seen else 0.0
        return round(share, 6), max(sites[k].score for k in group if owner[k] == number)

    numbers: list[int] = sorted(set(owner[group].tolist()))
    return max(numbers, key=rank)


def _one_of(group: Sequence[Site], outline: shapely.Geometry) -> Site:
    """The first site of a group with the ground of all."""
    kept = group[0]
    middle = shapely.centroid(outline)
    area_ha = geodesic_area_ha(outline)
    weights = [site.cells for site in group]
    shown = next((site for site in group if not site.discarded), kept)
    return dataclasses.replace(
        kept,
        polygon=outline,
        lon=float(middle.x),
        lat=float(middle.y),
        cells=max(kept.cells, round(area_ha * kept.cells / kept.area_cells_ha)),
        area_cells_ha=area_ha,
        mean_score=float(np.average([site.mean_score for site in group], weights=weights)),
        impact=shown.impact,
        impact_probabilities=shown.impact_probabilities,
        discarded=shown.discarded,
        flagged_fill=any(site.flagged_fill for site in group),
    )


def _sentences(number: int, moved: Counter[tuple[int, int]], runs: Sequence[OneRun]) -> list[str]:
    told = []
    for (source, home), count in sorted(moved.items()):
        if home == number:
            told.append(f"places that run {runs[source].run_id} found too, and that are kept here: {count}")
        if source == number:
            told.append(f"places that are kept in run {runs[home].run_id}, which saw more of them: {count}")
    return told
