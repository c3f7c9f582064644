"""What the registers say of each site: nearest dam and river, titles, protected lands, and one careful status.

- `registered`: a dam or mine point within `distance_m` of the site, a mine polygon that meets it, or a
  title whose phase may extract and that covers at least 1 % of it.
- `title_without_extraction_right`: none of these, but a title of another phase covers at least 1 % of it.
- `nothing_found`: neither. Like the status before it said only where a dam register (SIGBM) and a title
  register (SIGMINE) are loaded and complete; else `not_checked`, naming what is missing.

The nearest river is told beside it and changes no status.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import (
    LandMatch,
    NearestDam,
    NearestRiver,
    RegisterKind,
    RegisterMatch,
    RegisterStatus,
    Site,
    TitleMatch,
)
from minedisc_core.errors import UsageError
from minedisc_core.registers.active import ActiveRegisters, Layer
from minedisc_core.registers.coverage import StatedCoverage, covered
from minedisc_core.registers.nearest import nearest_entries, nearest_within
from minedisc_core.registers.overlaps import Overlaps, covered_fraction, find_overlaps

T = TypeVar("T")
DISTANCE_M = 1_000.0
"""Default distance within which a register point stands for the site; points are often off target."""
RIVER_WITHIN_M = 5_000.0
"""Farther rivers say nothing of a site."""
_NEEDED = {RegisterKind.SIGBM: "dam register (SIGBM)", RegisterKind.SIGMINE: "title register (SIGMINE)"}


def match_sites(
    sites: Sequence[Site], registers: ActiveRegisters, distance_m: float = DISTANCE_M
) -> list[RegisterMatch]:
    """What the registers say of each site, in the order of the sites; see `match_polygons`."""
    return match_polygons([site.polygon for site in sites], registers, distance_m)


def match_polygons(
    polygons: Sequence[BaseGeometry], registers: ActiveRegisters, distance_m: float = DISTANCE_M
) -> list[RegisterMatch]:
    """What the registers say of each polygon.

    Args:
        polygons: EPSG:4326, not across the antimeridian.
        registers: from `active.load_active`.
        distance_m: geodesic distance from the polygon within which a dam or mine point counts, >= 0.

    Raises:
        UsageError: `distance_m` is negative or no number.
    """
    if not distance_m >= 0:
        raise UsageError(f"a distance of {distance_m} m", "0 or more metres", "correct it")
    if not len(polygons):
        return []
    sites = _valid(polygons)
    with ThreadPoolExecutor() as pool:  # each has registers of its own: prepared geometries cannot be shared
        asked = [pool.submit(find_overlaps, sites, layer) for layer in (registers.titles, registers.lands)]
        nearest = pool.submit(_nearest_dams, sites, registers, distance_m)
        beside = pool.submit(_nearest_rivers, sites, registers.rivers)
        lacking = pool.submit(_missing, sites, registers)
    titles, lands = (one.result() for one in asked)
    (dams, is_near), rivers, (missing, has_titles) = nearest.result(), beside.result(), lacking.result()
    shown_lands = _grouped(lands, _lands(lands, registers.lands), len(sites))
    shown = _grouped(titles, _titles(titles, registers.titles), len(sites))
    outside = _outside_extracting(sites, titles, registers.titles)
    as_of = registers.as_of
    return [
        RegisterMatch(_status(near, found, without), dam, found, share if has else None, land, without, as_of, river)
        for near, found, without, dam, share, has, land, river in zip(
            is_near.tolist(),
            shown,
            missing,
            dams,
            outside.tolist(),
            has_titles.tolist(),
            shown_lands,
            rivers,
            strict=True,
        )
    ]


def _valid(polygons: Sequence[BaseGeometry]) -> NDArray[np.object_]:
    sites = np.empty(len(polygons), dtype=object)
    sites[:] = polygons
    is_broken = ~shapely.is_valid(sites)
    sites[is_broken] = shapely.make_valid(sites[is_broken])
    return sites


def _status(is_near: bool, titles: Sequence[TitleMatch], missing: Sequence[str]) -> RegisterStatus:
    if is_near or any(title.may_extract for title in titles):
        return RegisterStatus.REGISTERED
    if missing:
        return RegisterStatus.NOT_CHECKED
    return RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT if titles else RegisterStatus.NOTHING_FOUND


def _nearest_dams(
    sites: NDArray[np.object_], registers: ActiveRegisters, distance_m: float
) -> tuple[list[NearestDam | None], NDArray[np.bool_]]:
    """The entry to show for each site (one that counts before one that does not), and whether one counts."""
    chosen, nearest_m = np.full(len(sites), None), np.full(len(sites), np.inf)
    is_near = np.zeros(len(sites), bool)
    for layer, within_m in ((registers.points, distance_m), (registers.outlines, 0.0)):
        if not len(layer):
            continue
        rows, metres = nearest_entries(sites, layer)
        counts = metres <= within_m
        is_better = ~(is_near & ~counts) & ((counts & ~is_near) | (metres < nearest_m))
        chosen[is_better] = _dams(layer, rows[is_better], metres[is_better])
        nearest_m[is_better] = metres[is_better]
        is_near |= counts
    return chosen.tolist(), is_near


def _dams(layer: Layer, rows: NDArray[np.int64], metres: NDArray[np.float64]) -> list[NearestDam]:
    names, owners = layer.values("name", rows), layer.values("owner", rows)
    labels = [layer.labels[row] for row in rows.tolist()]
    return list(map(NearestDam, names, owners, metres.tolist(), labels))


def _nearest_rivers(sites: NDArray[np.object_], layer: Layer) -> list[NearestRiver | None]:
    rows, metres = nearest_within(sites, layer, RIVER_WITHIN_M)
    return [
        NearestRiver(layer.value("name", int(row)), float(distance), layer.labels[row]) if row >= 0 else None
        for row, distance in zip(rows, metres, strict=True)
    ]


def _titles(overlaps: Overlaps, layer: Layer) -> list[TitleMatch]:
    rows = overlaps.entry
    texts = [layer.values(name, rows) for name in ("process", "phase", "holder", "substance")]
    process, phase, holder, substance = texts
    may_extract = layer.may_extract[rows].tolist() if len(rows) else []
    return list(map(TitleMatch, process, phase, may_extract, holder, substance, overlaps.fraction.tolist()))


def _lands(overlaps: Overlaps, layer: Layer) -> list[LandMatch]:
    names, kinds = layer.values("name", overlaps.entry), layer.values("kind", overlaps.entry)
    return list(map(LandMatch, names, kinds, overlaps.fraction.tolist()))


def _grouped(overlaps: Overlaps, entries: Sequence[T], sites: int) -> list[tuple[T, ...]]:
    """Entries of each site, largest share first; the same entry of two snapshots once."""
    site, fraction = overlaps.site, overlaps.fraction
    ends = np.searchsorted(site, np.arange(sites), "right").tolist()
    groups = [tuple(entries[start:end]) for start, end in pairwise([0, *ends])]
    is_alike = (np.diff(site) == 0) & (np.diff(fraction) == 0)  # only such neighbours can be the same entry
    for one in np.unique(site[:-1][is_alike]).tolist():
        groups[one] = tuple(dict.fromkeys(groups[one]))
    return groups


def _outside_extracting(sites: NDArray[np.object_], titles: Overlaps, layer: Layer) -> NDArray[np.float64]:
    """Share of each site outside all titles that may extract, 0..1; titles may overlap one another."""
    outside = np.ones(len(sites))
    extracting = np.flatnonzero(layer.may_extract[titles.entry]) if len(titles.entry) else np.empty(0, int)
    where, first, count = np.unique(titles.site[extracting], return_index=True, return_counts=True)
    outside[where] = 1 - titles.fraction[extracting[first]]
    several = np.flatnonzero((count > 1) & (outside[where] > 0))
    if len(several):
        unions = [shapely.union_all(titles.piece[extracting[first[k] : first[k] + count[k]]]) for k in several]
        joined = np.empty(len(unions), dtype=object)
        joined[:] = unions
        outside[where[several]] = 1 - covered_fraction(joined, sites[where[several]])
    return outside


def _missing(sites: NDArray[np.object_], registers: ActiveRegisters) -> tuple[list[tuple[str, ...]], NDArray[np.bool_]]:
    """What each site lacks for a check, and whether a title register covers it."""
    texts: list[list[str]] = [[] for _ in sites]
    covers = np.zeros(len(sites), bool)
    asked: tuple[StatedCoverage, ...] = ()  # the registers of a state mostly cover the same: looked up once
    for kind, name in _NEEDED.items():
        stated = tuple(registers.coverage.get(kind, ()))
        if stated != asked:
            covers = covered(sites, stated) if stated else np.zeros(len(sites), bool)
            asked = stated
        where = ", ".join(
            f"{label} covers: {coverage.text}" for label, coverage in zip(registers.labels(kind), stated, strict=True)
        )
        reason = f"{name}: none that covers this place ({where})" if stated else f"{name}: none is loaded"
        for i in np.flatnonzero(~covers):
            texts[i].append(reason)
    return [tuple(text) for text in texts], covers
