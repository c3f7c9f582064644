"""Hits to sites: connected groups of cells, each with a polygon, figures and an impact class.

The paper clusters hits and drops each whose impact class is "no ore". A hit's window is 2 km wide and
its impact patch 210 m, so most cells of a small mine are "no ore": here the class of a site comes from
its cells that are not, and a site is hidden only if all its cells are "no ore" by a margin.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from minedisc_core.detection.cell_outlines import outlines
from minedisc_core.detection.coverage import cell_areas_ha
from minedisc_core.detection.scan import FLAGGED_FILL
from minedisc_core.domain import IMPACT_CLASSES, Impact, ImpactProbabilities, Site
from minedisc_core.grid import RasterGrid

_NO_ORE = IMPACT_CLASSES.index(Impact.NO_ORE)
_COLUMNS = tuple(field.name for field in fields(Site))[1:]
"""All fields of a site but its id."""


@dataclass(frozen=True)
class Hits:
    """Cells above the threshold; all arrays have one entry per hit."""

    cells: NDArray[np.int64]
    """(n, 2): row and column of the cell."""
    scores: NDArray[np.float32]
    """0..1."""
    fill: NDArray[np.float32]
    """Share of no data in the 201 px window, 0..1."""
    probabilities: NDArray[np.float32] | None = None
    """(n, 3) high, low, no ore of the 21 px patch; NaN where it has no data. None without an impact net."""


@dataclass(frozen=True)
class SiteRules:
    """How hits become sites."""

    no_ore_margin: float = 0.5
    """A site is discarded only if p(no ore) - max(others) is at least this in all its cells."""
    isolated_threshold: float | None = None
    """Single cells without a neighbour need a higher score than this; None = off."""


@dataclass(frozen=True)
class SiteGroups:
    """Sites and the cells each is made of."""

    sites: list[Site]
    cells: list[NDArray[np.int64]]
    """Per site its hit cells (n, 2), the peak first."""


def find_sites(run_id: str, grid: RasterGrid, hits: Hits, rules: SiteRules | None = None) -> list[Site]:
    """Group hits that touch (8 neighbours) into sites, by falling peak score.

    Args:
        run_id: prefix of the site ids.
        grid: the mosaic's pixels.
        hits: cells above the threshold, each once, in any order.
        rules: margin of "no ore", and the stricter threshold for lone cells.
    """
    return group_sites(run_id, grid, hits, rules).sites


def group_sites(run_id: str, grid: RasterGrid, hits: Hits, rules: SiteRules | None = None) -> SiteGroups:
    """As `find_sites`, with the cells of each site."""
    chosen = rules or SiteRules()
    ordered, starts = _grouped(grid, hits, chosen)
    if not len(starts):
        return SiteGroups([], [])
    columns = _site_columns(grid, ordered, starts, chosen)
    ids = [site_id(run_id, rank) for rank in range(1, len(starts) + 1)]
    sites = list(map(Site, ids, *(columns[name] for name in _COLUMNS)))  # by position: a million cells are many sites
    edges = [*starts.tolist(), len(ordered.cells)]
    return SiteGroups(sites, [ordered.cells[start:end] for start, end in pairwise(edges)])


def site_id(run_id: str, number: int) -> str:
    """Name of a run's site, from 1 on."""
    return f"{run_id}-{number:04d}"


def _grouped(grid: RasterGrid, hits: Hits, rules: SiteRules) -> tuple[Hits, NDArray[np.int64]]:
    """Hits sorted by site (falling peak score), within a site by falling score; and where each site starts."""
    mask = np.zeros(grid.cells, bool)
    rows, cols = hits.cells[:, 0], hits.cells[:, 1]
    mask[rows, cols] = True
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    label = labels[rows, cols]
    peak = np.zeros(count + 1, np.float32)
    np.maximum.at(peak, label, hits.scores)
    order = np.lexsort((cols, rows, -hits.scores, label, -peak[label]))
    if rules.isolated_threshold is not None:
        cells_of = np.bincount(label, minlength=count + 1)
        kept = (cells_of[label] > 1) | (hits.scores > rules.isolated_threshold)
        order = order[kept[order]]
    sorted_labels = label[order]
    starts = np.flatnonzero(np.diff(sorted_labels, prepend=-1))
    given = None if hits.probabilities is None else hits.probabilities[order]
    return Hits(hits.cells[order], hits.scores[order], hits.fill[order], given), starts


def _site_columns(grid: RasterGrid, hits: Hits, starts: NDArray[np.int64], rules: SiteRules) -> dict[str, list[object]]:
    cells = np.diff(starts, append=len(hits.cells))
    polygons = outlines(grid, hits.cells, starts)
    centroids = shapely.get_coordinates(shapely.centroid(polygons))
    peaks = hits.cells[starts]
    peak_lonlat, peak_px = grid.cell_centres(peaks), grid.peak_pixels(peaks)
    impact, probabilities, discarded = _impacts(hits, starts, cells, rules)
    return {
        "polygon": list(polygons),
        "lon": centroids[:, 0].tolist(),
        "lat": centroids[:, 1].tolist(),
        "peak_lon": peak_lonlat[:, 0].tolist(),
        "peak_lat": peak_lonlat[:, 1].tolist(),
        "peak_row_px": peak_px[:, 0].tolist(),
        "peak_col_px": peak_px[:, 1].tolist(),
        "score": hits.scores[starts].tolist(),
        "mean_score": (np.add.reduceat(hits.scores.astype(float), starts) / cells).tolist(),
        "cells": cells.tolist(),
        "area_cells_ha": np.add.reduceat(cell_areas_ha(grid, hits.cells), starts).tolist(),
        "impact": impact,
        "impact_probabilities": probabilities,
        "discarded": discarded,
        "flagged_fill": np.logical_or.reduceat(hits.fill > FLAGGED_FILL, starts).tolist(),
    }


def _impacts(
    hits: Hits, starts: NDArray[np.int64], cells: NDArray[np.int64], rules: SiteRules
) -> tuple[list[object], list[object], list[object]]:
    """Class, probabilities and "discarded" of each site."""
    sites = len(starts)
    if hits.probabilities is None:
        return [Impact.UNKNOWN] * sites, [None] * sites, [False] * sites
    p = hits.probabilities.astype(float)
    known = np.isfinite(p).all(axis=1)
    margin = p[:, _NO_ORE] - p[:, :_NO_ORE].max(axis=1)
    is_ore = known & (margin < 0)
    discarded = np.logical_and.reduceat(known & (margin >= rules.no_ore_margin), starts)
    has_ore = np.repeat(np.logical_or.reduceat(is_ore, starts), cells)
    weight = np.where(np.where(has_ore, is_ore, known), hits.scores.astype(float), 0)
    total = np.add.reduceat(weight, starts)
    summed = np.add.reduceat(np.where(known[:, None], p, 0) * weight[:, None], starts)
    mean = np.divide(summed, total[:, None], out=np.zeros((sites, 3)), where=total[:, None] > 0)
    best = mean[:, :_NO_ORE].argmax(axis=1)
    best = np.where(has_ore[starts], best, _NO_ORE)
    impacts = [IMPACT_CLASSES[k] if t > 0 else Impact.UNKNOWN for k, t in zip(best, total, strict=True)]
    rows = [ImpactProbabilities(*row) if t > 0 else None for row, t in zip(mean.tolist(), total, strict=True)]
    return list(impacts), list(rows), discarded.tolist()
