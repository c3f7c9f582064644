from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from affine import Affine
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import Impact, Site
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.demo import Feature
from minedisc_core.learning.demo_tally import Tally, sites_above, tally, total
from minedisc_core.learning.dense import cell_distances_px, label_cells

GRID = RasterGrid(1000, 1000, Affine(10, 0, 560_000, 0, -10, 7_790_000), "EPSG:32723")


def square(row: float, col: float, half_px: float) -> BaseGeometry:
    box = shapely.box(col - half_px, row - half_px, col + half_px, row + half_px)
    return shapely.transform(box, lambda xy: GRID.lonlat(xy[:, 1], xy[:, 0]))


def mine(row: float, col: float, number: int = 1, impact: str = "high") -> Feature:
    return Feature(square(row, col, 8), "open_pit", True, impact, number, "M", "ore", "registered")


def site_at(*cells: tuple[int, int], impact: Impact = Impact.HIGH, discarded: bool = False) -> Site:
    scores = np.zeros(GRID.cells, np.float32)
    for i, j in cells:
        scores[i, j] = 0.9
    (found,) = sites_above(GRID, scores, 0.5)
    return replace(found, impact=impact, discarded=discarded)


def test_a_mine_is_found_if_a_site_grown_by_270_m_meets_it() -> None:
    # cell (10, 10) has its centre at pixel 370 and reaches 13.5 px; grown, 40.5 px
    assert tally(GRID, [mine(370, 370 + 48)], [site_at((10, 10))]).mines_found == 1
    assert tally(GRID, [mine(370, 370 + 50)], [site_at((10, 10))]).mines_found == 0


def test_a_site_that_meets_no_mine_is_false_and_one_that_only_grown_meets_it_is_off() -> None:
    near = tally(GRID, [mine(370, 410)], [site_at((10, 10))])
    assert (near.false_sites, near.off_sites, near.true_sites) == (0, 1, 1)
    away = tally(GRID, [mine(370, 700)], [site_at((10, 10))])
    assert (away.false_sites, away.off_sites, away.true_sites) == (1, 1, 0)


def test_cells_farther_than_1_km_from_all_mines_are_counted() -> None:
    result = tally(GRID, [mine(370, 375)], [site_at((10, 10), (10, 11), (10, 12), (10, 13), (10, 14), (10, 15))])
    assert result.cells == 6
    assert result.far_cells == 1  # 122 px off; the one before is 95 px off


def test_a_mine_of_several_polygons_counts_once_and_each_polygon_once() -> None:
    result = tally(GRID, [mine(370, 370, 1), mine(370, 600, 1), mine(700, 700, 2)], [site_at((10, 10))])
    assert (result.mines, result.mines_found) == (2, 1)
    assert (result.polygons, result.polygons_found) == (3, 1)


def test_the_impact_is_that_of_the_mine_the_site_meets_most_of() -> None:
    features = [mine(370, 370, 1, "high"), mine(370, 392, 2, "low")]
    assert tally(GRID, features, [site_at((10, 10), impact=Impact.HIGH)]).impact_right == 1
    assert tally(GRID, features, [site_at((10, 10), impact=Impact.LOW)]).impact_right == 0


def test_a_discarded_true_site_counts_as_hidden_and_a_discarded_false_one_does_not() -> None:
    sites = [site_at((10, 10), discarded=True), site_at((20, 20), discarded=True)]
    assert tally(GRID, [mine(370, 370)], sites).hidden == 1


def test_no_site_and_no_mine_can_be_counted() -> None:
    empty = tally(GRID, [], [])
    assert (empty.recall, empty.far_fraction, empty.false_per_100_km2) == (1.0, 0.0, 0.0)
    alone = tally(GRID, [], [site_at((3, 3))])
    assert (alone.false_sites, alone.far_cells) == (1, 1)
    assert tally(GRID, [mine(300, 300)], []).recall == 0


def test_rates_follow_from_the_counts_of_all_scenes_together() -> None:
    both = total([Tally(km2=100, mines=4, mines_found=4, sites=4), Tally(km2=100, mines=4, mines_found=2, sites=4,
                  false_sites=2, cells=10, far_cells=1)])  # fmt: skip
    assert both.recall == 0.75
    assert both.false_per_100_km2 == 1.0
    assert both.far_fraction == 0.1
    assert both.merit == 0.75 * 0.9


def test_a_cell_is_labelled_by_the_distance_of_its_centre_to_the_nearest_mine() -> None:
    distances = cell_distances_px(GRID, [mine(370.5, 370.5).polygon])
    assert distances.shape == GRID.cells
    assert distances[10, 10] == 0
    assert abs(distances[10, 13] - (81 - 8)) < 0.2
    labels = label_cells(distances, 20, 50)
    assert labels[10, 11] == 1
    assert labels[10, 12] == -1
    assert labels[10, 13] == 0


def test_without_mines_every_cell_is_background() -> None:
    assert not label_cells(cell_distances_px(GRID, []), 20, 50).any()
