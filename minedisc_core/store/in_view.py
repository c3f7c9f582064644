"""What a map shows of very many candidates: those in its view, or how many there are in each of its squares."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import Impact, Status
from minedisc_core.store.connection import Cursor, first_row
from minedisc_core.store.filters import where
from minedisc_core.store.records import CandidateFilter
from minedisc_core.store.rows import number_list

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees (EPSG:4326)."""


class MapSite(NamedTuple):
    """A candidate as a map draws it."""

    candidate_id: str
    polygon: BaseGeometry
    impact: Impact
    status: Status
    score: float
    area_cells_ha: float


class Cluster(NamedTuple):
    """Candidates of one square of the view."""

    lon: float
    """Middle of their peaks."""
    lat: float
    sites: int
    box: Box
    """Around their peaks."""


def count(cursor: Cursor, wanted: CandidateFilter) -> int:
    """Candidates of a filter."""
    condition, values = where(wanted)
    return int(first_row(cursor.execute(f"SELECT count(*) FROM states WHERE {condition}", values))[0])  # noqa: S608  # fixed texts, values bound


def sites_in(cursor: Cursor, wanted: CandidateFilter, view: Box, most: int) -> list[MapSite] | None:
    """The candidates of a filter whose peaks lie in a view; None if they are more than `most`."""
    condition, values = _in_view(wanted, view)
    rows = cursor.execute(
        "SELECT site_no, candidate_id, coalesce(impact_corrected, machine_impact), status, score, area_cells_ha"  # noqa: S608  # fixed texts, values bound
        f" FROM states WHERE {condition} ORDER BY site_no LIMIT {int(most) + 1}",
        values,
    ).fetchall()
    if len(rows) > most:
        return None
    if not rows:
        return []
    numbers = [row[0] for row in rows]
    outlines = dict(cursor.execute(
        f"SELECT site_no, polygon FROM sites WHERE site_no IN ({number_list(numbers)})"  # noqa: S608  # whole numbers
    ).fetchall())  # fmt: skip
    polygons = shapely.from_wkb(np.fromiter((outlines[number] for number in numbers), object, len(numbers)))
    return [
        MapSite(row[1], polygon, Impact(row[2]), Status(row[3]), row[4], row[5])
        for row, polygon in zip(rows, polygons, strict=True)
    ]


def clusters_in(cursor: Cursor, wanted: CandidateFilter, view: Box, across: int) -> list[Cluster]:
    """How many candidates of a filter lie in each square of a view, `across` squares wide and high."""
    west, south, east, north = view
    condition, values = _in_view(wanted, view)
    rows = cursor.execute(
        "SELECT avg(peak_lon), avg(peak_lat), count(*), min(peak_lon), min(peak_lat), max(peak_lon), max(peak_lat)"  # noqa: S608  # fixed texts, values bound
        f" FROM states WHERE {condition} GROUP BY floor((peak_lon - ?) / ?), floor((peak_lat - ?) / ?) ORDER BY ALL",
        [*values, west, (east - west) / across, south, (north - south) / across],
    ).fetchall()
    return [Cluster(lon, lat, sites, (*box,)) for lon, lat, sites, *box in rows]


def _in_view(wanted: CandidateFilter, view: Box) -> tuple[str, list[object]]:
    """The filter's condition within the view; a box of the filter still holds."""
    west, south, east, north = view
    if wanted.box is not None:
        left, bottom, right, top = wanted.box
        west, south, east, north = max(west, left), max(south, bottom), min(east, right), min(north, top)
    return where(replace(wanted, box=(west, south, east, north)))
