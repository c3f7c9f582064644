"""What a list of sites is worth against a scene's ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from minedisc_core.detection.sites import Hits, find_sites
from minedisc_core.domain import Site
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.demo import Feature

GROWN_M = 270.0
"""A mine is found if a site, grown by one cell, meets it."""
CLEAN_FALSE_PER_100_KM2, CLEAN_FAR_FRACTION = 0.7, 0.15
"""A threshold is fit for use if its false sites and far cells stay below these on the tuning scenes."""
FAR_M = 1000.0
"""Site cells with their centre farther than this from all mines are counted as far."""


@dataclass(frozen=True)
class Tally:
    """Counts over one or more scenes."""

    km2: float = 0.0
    mines: int = 0
    """Mines: a pit with its heaps and ponds counts once."""
    mines_found: int = 0
    polygons: int = 0
    """Polygons of the truth that are (part of) a mine."""
    polygons_found: int = 0
    sites: int = 0
    false_sites: int = 0
    """Sites that, grown, meet no mine."""
    off_sites: int = 0
    """Sites that, as they are, meet no mine."""
    cells: int = 0
    far_cells: int = 0
    impact_right: int = 0
    """True sites whose class is that of the mine they meet most of."""
    hidden: int = 0
    """True sites that are discarded as "no ore"."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def recall(self) -> float:
        """Share of the mines that are found."""
        return self.mines_found / self.mines if self.mines else 1.0

    @property
    def polygon_recall(self) -> float:
        """Share of the mine polygons that are found."""
        return self.polygons_found / self.polygons if self.polygons else 1.0

    @property
    def true_sites(self) -> int:
        """Sites that, grown, meet a mine."""
        return self.sites - self.false_sites

    @property
    def false_per_100_km2(self) -> float:
        """False sites per 100 km2."""
        return 100 * self.false_sites / self.km2 if self.km2 else 0.0

    @property
    def far_fraction(self) -> float:
        """Share of the site cells that are far from all mines."""
        return self.far_cells / self.cells if self.cells else 0.0

    @property
    def impact_fraction(self) -> float:
        """Share of the true sites with the right impact class."""
        return self.impact_right / self.true_sites if self.true_sites else 0.0

    @property
    def merit(self) -> float:
        """F1 of recall and precision, times the share of cells that are not far off."""
        precision = self.true_sites / self.sites if self.sites else 0.0
        total = self.recall + precision
        return 2 * self.recall * precision / total * (1 - self.far_fraction) if total else 0.0

    @property
    def preference(self) -> tuple[bool, float]:
        """What thresholds are chosen by: few false sites and far cells first, then recall; else merit."""
        is_clean = self.false_per_100_km2 <= CLEAN_FALSE_PER_100_KM2 and self.far_fraction <= CLEAN_FAR_FRACTION
        return is_clean, self.recall + self.polygon_recall if is_clean else self.merit


def tally(grid: RasterGrid, features: Sequence[Feature], sites: Sequence[Site]) -> Tally:
    """Count one scene.

    Args:
        grid: the scene's pixels; its CRS must be metric.
        features: the ground truth.
        sites: what was found; discarded ones count like any other.
    """
    to_m = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    truth = [f for f in features if f.is_mine]
    mines = _metric([f.polygon for f in truth], to_m)
    exact = _metric([site.polygon for site in sites], to_m)
    meets = _meets(shapely.buffer(exact, GROWN_M), mines)
    found = meets.any(axis=0)
    numbers = np.array([f.mine for f in truth], int)
    true_sites = meets.any(axis=1)
    cells, far = _cells(grid, sites, mines, to_m)
    right = [str(s.impact) == _impact(shape, mines, truth) for s, shape in zip(sites, exact, strict=True)]
    return Tally(
        km2=abs(grid.transform.a * grid.transform.e) * grid.height_px * grid.width_px / 1e6,
        mines=len(np.unique(numbers)),
        mines_found=len(np.unique(numbers[found])),
        polygons=len(truth),
        polygons_found=int(found.sum()),
        sites=len(sites),
        false_sites=int((~true_sites).sum()),
        off_sites=int((~_meets(exact, mines).any(axis=1)).sum()),
        cells=cells,
        far_cells=far,
        impact_right=int((np.array(right, bool) & true_sites).sum()),
        hidden=int((np.array([site.discarded for site in sites], bool) & true_sites).sum()),
    )


def sites_above(grid: RasterGrid, scores: NDArray[np.float32], threshold: float) -> list[Site]:
    """Group cells above a threshold into sites, as a scan without an impact net does; NaN is never above."""
    cells = np.argwhere(scores > threshold)
    values = scores[cells[:, 0], cells[:, 1]].astype(np.float32)
    return find_sites("tally", grid, Hits(cells, values, np.zeros(len(cells), np.float32)))


def total(tallies: Iterable[Tally]) -> Tally:
    """All counts together."""
    return sum(tallies, Tally())


def _metric(shapes: Sequence[BaseGeometry], to_m: Transformer) -> NDArray[np.object_]:
    given = np.array(shapes, object)
    if not len(given):
        return given
    turned: NDArray[np.object_] = shapely.transform(
        given, lambda xy: np.column_stack(to_m.transform(xy[:, 0], xy[:, 1]))
    )
    return turned


def _meets(first: NDArray[np.object_], second: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Matrix (first, second): whether they meet."""
    table = np.zeros((len(first), len(second)), bool)
    if table.size:
        table[tuple(shapely.STRtree(second).query(first, predicate="intersects"))] = True
    return table


def _impact(site: BaseGeometry, mines: NDArray[np.object_], truth: Sequence[Feature]) -> str:
    """Class of the mine that covers most of the site; of the nearest one if none does."""
    if not len(mines):
        return ""
    shared = shapely.area(shapely.intersection(mines, site))
    best = int(np.argmax(shared)) if shared.max() > 0 else int(np.argmin(shapely.distance(mines, site)))
    return truth[best].impact


def _cells(grid: RasterGrid, sites: Sequence[Site], mines: NDArray[np.object_], to_m: Transformer) -> tuple[int, int]:
    """Number of cells of all sites, and of those far from all mines."""
    if not sites:
        return 0, 0
    inside = np.argwhere(grid.asked_cells(shapely.union_all([site.polygon for site in sites])))
    lonlat = grid.cell_centres(inside)
    centres = shapely.points(*to_m.transform(lonlat[:, 0], lonlat[:, 1]))
    if not len(mines):
        return len(inside), len(inside)
    _, apart = shapely.STRtree(mines).query_nearest(centres, return_distance=True, all_matches=False)
    return len(inside), int((apart > FAR_M).sum())
