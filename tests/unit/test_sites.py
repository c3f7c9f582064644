"""Hits to sites, and what was seen."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.detection.coverage import area_km2, cell_areas_ha, coverage
from minedisc_core.detection.scan import ScanResult
from minedisc_core.detection.sites import Hits, SiteRules, find_sites, group_sites
from minedisc_core.domain import Impact
from minedisc_core.grid import RasterGrid, geodesic_area_ha

GRID = RasterGrid(27 * 26, 27 * 31, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
HIGH, LOW, NO_ORE = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.02, 0.03, 0.95)


def hits(*cells, scores=None, probabilities=None, fill=None):
    count = len(cells)
    return Hits(
        np.array(cells, np.int64).reshape(count, 2),
        np.array(scores or [0.7] * count, np.float32),
        np.array(fill or [0] * count, np.float32),
        None if probabilities is None else np.array(probabilities, np.float32).reshape(count, 3),
    )


def test_no_hits_make_no_sites():
    assert find_sites("r", GRID, hits()) == []


def test_cells_that_touch_at_a_corner_are_one_site_and_cells_apart_are_two():
    assert [site.cells for site in find_sites("r", GRID, hits((1, 1), (2, 2), (2, 4)))] == [2, 1]


def test_sites_are_named_by_falling_peak_score():
    sites = find_sites("20260101-000000-abcd", GRID, hits((1, 1), (5, 5), (5, 6), (9, 9), scores=[0.7, 0.65, 0.9, 0.8]))
    assert [site.site_id[-5:] for site in sites] == ["-0001", "-0002", "-0003"]
    assert [site.score for site in sites] == pytest.approx([0.9, 0.8, 0.7])
    assert sites[0].site_id == "20260101-000000-abcd-0001"
    assert sites[0].mean_score == pytest.approx(0.775)
    assert (sites[0].peak_row_px, sites[0].peak_col_px) == (27 * 5 + 100, 27 * 6 + 100)


@given(
    st.lists(
        st.tuples(st.integers(0, 19), st.integers(0, 24), st.integers(61, 99)), max_size=60, unique_by=lambda c: c[:2]
    )
)
def test_every_hit_is_in_exactly_one_site_whatever_their_order(found):
    given_hits = hits(*((i, j) for i, j, _ in found), scores=[s / 100 for *_, s in found])
    groups = group_sites("r", GRID, given_hits)
    cells = [tuple(cell) for part in groups.cells for cell in part.tolist()]
    assert sorted(cells) == sorted((i, j) for i, j, _ in found)
    assert [len(part) for part in groups.cells] == [site.cells for site in groups.sites]
    back = find_sites(
        "r", GRID, hits(*reversed([(i, j) for i, j, _ in found]), scores=[s / 100 for *_, s in reversed(found)])
    )
    assert back == groups.sites


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 24)), min_size=1, max_size=40, unique=True))
def test_a_site_has_the_polygon_and_area_of_its_cells(cells):
    groups = group_sites("r", GRID, hits(*cells))
    for site, part in zip(groups.sites, groups.cells, strict=True):
        assert site.polygon.equals_exact(GRID.site_polygon(part).normalize(), 1e-9) or site.polygon.equals(
            GRID.site_polygon(part)
        )
        assert site.area_cells_ha == pytest.approx(sum(geodesic_area_ha(p) for p in GRID.cell_polygons(part)), rel=1e-5)
        lon, lat = GRID.cell_centres(part[:1])[0]
        assert (site.peak_lon, site.peak_lat) == pytest.approx((lon, lat))


def test_without_an_impact_net_the_class_is_unknown_and_nothing_is_discarded():
    site = find_sites("r", GRID, hits((1, 1)))[0]
    assert (site.impact, site.impact_probabilities, site.discarded) == (Impact.UNKNOWN, None, False)


def test_one_cell_with_ore_keeps_a_site_of_no_ore_cells_and_gives_its_class():
    site = find_sites("r", GRID, hits((1, 1), (1, 2), (1, 3), probabilities=[NO_ORE, LOW, NO_ORE]))[0]
    assert (site.impact, site.discarded) == (Impact.LOW, False)
    assert site.impact_probabilities.low == pytest.approx(0.8)


def test_the_class_is_the_mean_weighted_by_score():
    site = find_sites("r", GRID, hits((1, 1), (1, 2), scores=[0.9, 0.61], probabilities=[HIGH, LOW]))[0]
    assert site.impact is Impact.HIGH
    assert site.impact_probabilities.high == pytest.approx((0.9 * 0.8 + 0.61 * 0.1) / 1.51, abs=1e-6)


def test_cells_with_ore_never_average_to_no_ore():
    mixed = [(0.5, 0.02, 0.48), (0.02, 0.5, 0.48)]
    site = find_sites("r", GRID, hits((1, 1), (1, 2), scores=[0.7, 0.69], probabilities=mixed))[0]
    assert site.impact is Impact.HIGH
    assert not site.discarded


def test_a_site_is_discarded_only_if_all_its_cells_are_no_ore_by_the_margin():
    weak = (0.3, 0.1, 0.6)
    all_sure = find_sites("r", GRID, hits((1, 1), (1, 2), probabilities=[NO_ORE, NO_ORE]))[0]
    one_weak = find_sites("r", GRID, hits((1, 1), (1, 2), probabilities=[NO_ORE, weak]))[0]
    assert (all_sure.impact, all_sure.discarded) == (Impact.NO_ORE, True)
    assert (one_weak.impact, one_weak.discarded) == (Impact.NO_ORE, False)
    lenient = find_sites("r", GRID, hits((1, 1), (1, 2), probabilities=[NO_ORE, weak]), SiteRules(no_ore_margin=0.2))[0]
    assert lenient.discarded


def test_a_patch_without_data_says_nothing_and_hides_nothing():
    nothing = (np.nan,) * 3
    alone = find_sites("r", GRID, hits((1, 1), probabilities=[nothing]))[0]
    beside = find_sites("r", GRID, hits((1, 1), (1, 2), probabilities=[nothing, NO_ORE]))[0]
    assert (alone.impact, alone.impact_probabilities, alone.discarded) == (Impact.UNKNOWN, None, False)
    assert (beside.impact, beside.discarded) == (Impact.NO_ORE, False)


def test_lone_weak_cells_can_be_asked_for_a_higher_score():
    given_hits = hits((1, 1), (5, 5), (9, 9), (9, 10), scores=[0.62, 0.9, 0.61, 0.61])
    assert len(find_sites("r", GRID, given_hits)) == 3
    kept = find_sites("r", GRID, given_hits, SiteRules(isolated_threshold=0.8))
    assert [(site.cells, site.site_id) for site in kept] == [(1, "r-0001"), (2, "r-0002")]


def test_a_site_with_much_fill_in_a_window_is_flagged():
    sites = find_sites("r", GRID, hits((1, 1), (1, 2), (9, 9), fill=[0.0, 0.11, 0.10]))
    assert [site.flagged_fill for site in sorted(sites, key=lambda site: -site.cells)] == [True, False]


@pytest.mark.parametrize(
    "grid",
    [
        GRID,
        RasterGrid(27 * 400, 201, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723"),
        RasterGrid(9_000, 9_000, Affine(9e-5, 0, -44.1, 0, -9e-5, -20.05), "EPSG:4326"),
    ],
)
def test_areas_of_cells_are_geodesic(grid):
    rows, cols = grid.cells
    chosen = np.array([(0, 0), (rows // 3, cols // 2), (rows - 1, cols - 1)])
    expected = [geodesic_area_ha(square) for square in grid.cell_polygons(chosen)]
    assert cell_areas_ha(grid, chosen) == pytest.approx(expected, rel=1e-6)


def test_coverage_tells_seen_no_data_failed_and_flagged_apart():
    asked = np.ones(GRID.cells, bool)
    asked[0] = False
    scores = np.full(GRID.cells, 0.1, np.float32)
    scores[:4] = np.nan
    fill = np.zeros(GRID.cells, np.float32)
    fill[1], fill[5, :3] = 0.7, 0.2
    failed = np.zeros(GRID.cells, bool)
    failed[2:4] = True
    found = coverage(GRID, asked, ScanResult(scores, fill, failed))
    columns = GRID.cells[1]
    assert found.cells_asked == 19 * columns
    assert (found.cells_no_data, found.cells_failed, found.cells_flagged) == (columns, 2 * columns, 3)
    assert found.cells_seen == 16 * columns
    assert found.fraction == pytest.approx(16 / 19)
    assert found.asked_km2 == pytest.approx(area_km2(GRID, asked))
    assert found.seen_km2 / found.asked_km2 == pytest.approx(16 / 19, rel=1e-4)


def test_a_hundred_thousand_hits_are_grouped():
    grid = RasterGrid(27 * 1006, 27 * 1006, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
    cells = np.argwhere(np.ones((1000, 1000), bool))[::10]
    many = Hits(cells, np.full(len(cells), 0.7, np.float32), np.zeros(len(cells), np.float32))
    groups = group_sites("r", grid, many)
    assert sum(site.cells for site in groups.sites) == 100_000
