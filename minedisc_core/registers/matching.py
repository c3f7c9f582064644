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
from minedisc_core.registers.coverage import covered
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
    sites = np.empty(len(polygons), dtype=object)
    sites[:] = polygons
    sites = np.where(shapely.is_valid(sites), sites, shapely.make_valid(sites))
    dams, is_near = _nearest_dams(sites, registers, distance_m)
    titles = find_overlaps(sites, registers.titles)
    lands = _grouped(_lands(find_overlaps(sites, registers.lands), registers.lands), len(sites))
    shown = _grouped(_titles(titles, registers.titles), len(sites))
    outside = _outside_extracting(sites, titles, registers.titles)
    missing, has_titles = _missing(sites, registers)
    rivers = _nearest_rivers(sites, registers.rivers)
    return [
        RegisterMatch(
            status=_status(is_near[i], shown[i], missing[i]),
            nearest_dam=dams[i],
            titles=shown[i],
            outside_extracting_titles_fraction=float(outside[i]) if has_titles[i] else None,
            lands=lands[i],
            missing=missing[i],
            registers_as_of=registers.as_of,
            nearest_river=rivers[i],
        )
        for i in range(len(sites))
    ]


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
    chosen: list[NearestDam | None] = [None] * len(sites)
    is_near = np.zeros(len(sites), bool)
    for layer, within_m in ((registers.points, distance_m), (registers.outlines, 0.0)):
        if not len(layer):
            continue
        rows, metres = nearest_entries(sites, layer)
        for i, (row, distance) in enumerate(zip(rows, metres, strict=True)):
            counts, earlier = distance <= within_m, chosen[i]
            if earlier is None or (bool(is_near[i]), -earlier.distance_m) < (counts, -distance):
                chosen[i] = _dam(layer, int(row), float(distance))
            is_near[i] |= counts
    return chosen, is_near


def _dam(layer: Layer, row: int, distance_m: float) -> NearestDam:
    return NearestDam(layer.value("name", row), layer.value("owner", row), distance_m, layer.labels[row])


def _nearest_rivers(sites: NDArray[np.object_], layer: Layer) -> list[NearestRiver | None]:
    rows, metres = nearest_within(sites, layer, RIVER_WITHIN_M)
    return [
        NearestRiver(layer.value("name", int(row)), float(distance), layer.labels[row]) if row >= 0 else None
        for row, distance in zip(rows, metres, strict=True)
    ]


def _titles(overlaps: Overlaps, layer: Layer) -> list[tuple[int, TitleMatch]]:
    return [
        (
            int(site),
            TitleMatch(
                process=layer.value("process", entry),
                phase=layer.value("phase", entry),
                may_extract=bool(layer.may_extract[entry]),
                holder=layer.value("holder", entry),
                substance=layer.value("substance", entry),
                covered_fraction=float(fraction),
            ),
        )
        for site, entry, fraction in zip(overlaps.site, overlaps.entry, overlaps.fraction, strict=True)
    ]


def _lands(overlaps: Overlaps, layer: Layer) -> list[tuple[int, LandMatch]]:
    return [
        (int(site), LandMatch(layer.value("name", entry), layer.value("kind", entry), float(fraction)))
        for site, entry, fraction in zip(overlaps.site, overlaps.entry, overlaps.fraction, strict=True)
    ]


def _grouped(found: Sequence[tuple[int, T]], sites: int) -> list[tuple[T, ...]]:
    """Entries of each site, largest share first; the same entry of two snapshots once."""
    groups: list[dict[T, None]] = [{} for _ in range(sites)]
    for site, entry in found:
        groups[site][entry] = None
    return [tuple(group) for group in groups]


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
    for kind, name in _NEEDED.items():
        stated = registers.coverage.get(kind, ())
        covers = covered(list(sites), stated) if stated else np.zeros(len(sites), bool)
        where = ", ".join(
            f"{label} covers: {coverage.text}" for label, coverage in zip(registers.labels(kind), stated, strict=True)
        )
        reason = f"{name}: none that covers this place ({where})" if stated else f"{name}: none is loaded"
        for i in np.flatnonzero(~covers):
            texts[i].append(reason)
    return [tuple(text) for text in texts], covers
