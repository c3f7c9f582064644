"""`minedisc bench sites`: from very many hit cells to sites with polygons and register matches.

Beside it the plain way on a tenth of the hits, in turns: SciPy's labels, one `shapely.union_all` a site, and
joins of geopandas with the same registers.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from scipy import ndimage

from minedisc_core.bench.made_up_country import made_up_grid, made_up_hits, made_up_registers
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.detection.sites import Hits, group_sites
from minedisc_core.domain import RegisterMatch
from minedisc_core.grid import RasterGrid
from minedisc_core.jobs.collector import collector_paused
from minedisc_core.registers.active import ActiveRegisters, Layer
from minedisc_core.registers.matching import match_sites
from minedisc_core.registers.overlaps import MIN_COVERED_FRACTION

_PART = 10
"""The plain way gets one hit of so many."""


@dataclass
class _Taken:
    """Seconds by the clock and of the processor, one of each per repeat."""

    clock_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def time(self, work: Callable[[], Any]) -> Any:
        """Do it, and keep how long it took."""
        clock, cpu = time.perf_counter(), time.process_time()
        made = work()
        self.clock_s.append(time.perf_counter() - clock)
        self.cpu_s.append(time.process_time() - cpu)
        return made

    def figures(self, name: str, goal: str = "") -> Iterator[Figure]:
        """Both medians."""
        yield figure(name, statistics.median(self.clock_s), "s", goal)
        yield figure(f"{name}, processor", statistics.median(self.cpu_s), "CPU s")


def bench_sites(hits: int = 1_000_000, repeats: int = 3) -> dict[str, Any]:
    """Times from `hits` hit cells to matched sites; the index of the registers is built anew each time.

    Args:
        hits: cells above the threshold, 4 % of the mosaic's; with a title for every four of them and a land for
            every thousand, as dense as 250,000 titles and 1,000 lands are in Brazil.
        repeats: of each way, in turns; medians count.
    """
    titles, lands = hits // 4, hits // 1_000
    ours, dense, part, plain = (_Taken() for _ in range(4))
    grouping, matching = _Taken(), _Taken()
    grid, small = made_up_grid(hits), made_up_grid(max(1, hits // _PART))
    found, few = made_up_hits(grid, hits), made_up_hits(small, max(1, hits // _PART))
    sites = differing = 0
    for _ in range(repeats):
        registers = made_up_registers(grid, titles, lands)
        sites = ours.time(lambda r=registers: _matched(grid, found, r, grouping, matching))  # type: ignore[misc]  # bound default
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        registers = made_up_registers(grid, titles, lands, spread=1)
        dense.time(lambda r=registers: _matched(grid, found, r, _Taken(), _Taken()))  # type: ignore[misc]  # bound default
        registers = made_up_registers(small, titles // _PART, lands // _PART)
        matches = part.time(lambda r=registers: _made(small, few, r))  # type: ignore[misc]  # bound default
        pairs = plain.time(lambda r=registers: _plain(small, few, r))  # type: ignore[misc]  # bound default
        differing = abs(sum(len(match.titles) + len(match.lands) for match in matches) - pairs)
    figures = [
        *ours.figures(f"{hits:,} hits to matched sites", "< 10"),
        *grouping.figures("of that grouping, polygons and figures of sites"),
        *matching.figures("of that the register match, indexes included"),
        *dense.figures("the same with all titles and lands inside the mosaic"),
        figure("peak memory, made-up data included", peak_mb, "MB (RSS)"),
        *_beside(part, plain, len(few.cells)),
        figure("meetings with titles and lands that the plain way counts otherwise", differing, "pairs", "== 0"),
    ]
    return report("sites", figures, hits=hits, sites=sites, titles=titles, lands=lands, repeats=repeats)


def _matched(grid: RasterGrid, hits: Hits, registers: ActiveRegisters, grouping: _Taken, matching: _Taken) -> int:
    with collector_paused():
        sites = grouping.time(lambda: group_sites("bench", grid, hits).sites)
        matching.time(lambda: match_sites(sites, registers))
    return len(sites)


def _made(grid: RasterGrid, hits: Hits, registers: ActiveRegisters) -> list[RegisterMatch]:
    with collector_paused():
        return match_sites(group_sites("bench", grid, hits).sites, registers)


def _beside(part: _Taken, plain: _Taken, hits: int) -> Iterator[Figure]:
    for name, ours, theirs in (("time", part.clock_s, plain.clock_s), ("processor time", part.cpu_s, plain.cpu_s)):
        ratio = statistics.median(theirs) / statistics.median(ours)
        told = (
            f"on {hits:,} hits, in turns: {statistics.median(theirs):.1f} s of SciPy labels, one union a site and"
            f" geopandas joins, against {statistics.median(ours):.1f} s"
        )
        yield figure(f"the plain way's {name} over ours", ratio, "x", ">= 1", told)


def _plain(grid: RasterGrid, hits: Hits, registers: ActiveRegisters) -> int:
    """Pairs of a site and a title or land that covers enough of it, the plain way."""
    rows, cols = hits.cells.T
    mask = np.zeros(grid.cells, bool)
    mask[rows, cols] = True
    label = ndimage.label(mask, structure=np.ones((3, 3)))[0][rows, cols]
    order = np.argsort(label, kind="stable")
    groups = np.split(hits.cells[order], np.flatnonzero(np.diff(label[order])) + 1)
    sites = gpd.GeoDataFrame(geometry=[grid.site_polygon(cells) for cells in groups], crs="EPSG:4326")
    points = gpd.GeoDataFrame(geometry=registers.points.geometry, crs="EPSG:4326")
    gpd.sjoin_nearest(sites.to_crs(3395), points.to_crs(3395), distance_col="metres")
    return sum(_meetings(sites, layer) for layer in (registers.titles, registers.lands))


def _meetings(sites: gpd.GeoDataFrame, layer: Layer) -> int:
    entries = gpd.GeoDataFrame(geometry=layer.geometry, crs="EPSG:4326")
    pairs = gpd.sjoin(sites, entries, predicate="intersects")
    of_site = sites.geometry.loc[pairs.index].reset_index(drop=True)
    of_entry = entries.geometry.loc[pairs["index_right"]].reset_index(drop=True)
    pieces = of_site.intersection(of_entry).to_crs(6933)
    shares = shapely.area(pieces.to_numpy()) / shapely.area(of_site.to_crs(6933).to_numpy())
    return int((shares >= MIN_COVERED_FRACTION).sum())
