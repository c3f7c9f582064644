"""Cells, tiles, pixels, places and areas."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.grid import (
    CONTEXT_PX,
    RasterGrid,
    cells_along,
    features_along,
    geodesic_area_ha,
    geodesic_distance_m,
    needed_features,
    square_around,
    tile_read,
    tiles,
    union_bounds,
    window_fill,
    window_of_cell,
)

UTM = RasterGrid(2_000, 1_500, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
DEGREES = RasterGrid(900, 1_100, Affine(9e-5, 0, -44.1, 0, -8.7e-5, -20.05), "EPSG:4326")


@pytest.mark.parametrize(
    ("size", "cells"), [(188, 0), (189, 1), (201, 1), (215, 1), (216, 2), (4_608, 164), (9_216, 335)]
)
def test_a_side_has_as_many_cells_as_the_paper_says(size, cells):
    assert cells_along(size) == cells


@given(st.integers(0, 3_000), st.integers(0, 3_000), st.integers(1, 70))
def test_tiles_cover_every_feature_of_a_whole_raster_once(height, width, side):
    asked = np.ones((cells_along(height), cells_along(width)), bool)
    covered = np.zeros((features_along(height), features_along(width)), int)
    for tile in tiles(asked, side):
        covered[tile.row0 : tile.row1, tile.col0 : tile.col1] += 1
    assert (covered == (1 if asked.size else 0)).all()


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 39)), max_size=5), st.integers(1, 17))
def test_tiles_of_an_area_hold_all_features_its_cells_look_at_and_no_tile_is_idle(cells, side):
    asked = np.zeros((30, 40), bool)
    for cell in cells:
        asked[cell] = True
    held = np.zeros((36, 46), bool)
    needed = needed_features(asked)
    for tile in tiles(asked, side):
        part = np.s_[tile.row0 : tile.row1, tile.col0 : tile.col1]
        held[part] = True
        assert needed[part].any()
    assert not (needed & ~held).any()
    for row, col in cells:
        assert needed[row : row + 7, col : col + 7].all()


@given(st.integers(189, 2_000), st.integers(189, 2_000), st.integers(1, 40))
def test_what_is_read_for_a_tile_lies_in_the_raster_and_reaches_as_far_as_its_features_look(height, width, side):
    for tile in tiles(np.ones((cells_along(height), cells_along(width)), bool), side):
        read = tile_read(tile, height, width)
        window = read.window
        assert window.row >= 0
        assert window.row + window.height <= height
        assert window.col >= 0
        assert window.col + window.width <= width
        assert window.row <= max(0, 27 * tile.row0 - 13)
        assert window.row + window.height >= min(height, 27 * tile.row1 + 13)
        assert window.row + 27 * read.drop_rows == 27 * tile.row0
        assert window.width // 27 - read.drop_cols >= tile.col1 - tile.col0


def test_names_of_tiles_are_different():
    found = tiles(np.ones((200, 300), bool), 32)
    assert len({tile.name for tile in found}) == len(found)


@given(st.sampled_from([UTM, DEGREES]), st.integers(0, 26), st.integers(0, 26))
def test_the_centre_of_a_cell_lies_in_its_centre_pixel(grid, i, j):
    lon, lat = grid.cell_centres(np.array([(i, j)]))[0]
    assert grid.pixel(lon, lat) == (27 * i + 100, 27 * j + 100)


@given(st.integers(0, 60), st.integers(0, 40))
def test_windows_of_any_odd_size_share_their_centre(i, j):
    for size in (21, 201, CONTEXT_PX):
        window = window_of_cell(i, j, size)
        assert (window.row + size // 2, window.col + size // 2) == (27 * i + 100, 27 * j + 100)
    assert window_of_cell(i, j).row == 27 * i


def test_the_raster_of_scores_puts_the_middle_of_a_pixel_on_the_centre_of_its_cell():
    x, y = UTM.cell_transform * (3.5, 5.5)
    assert (x, y) == (600_000 + 10 * (27 * 3 + 100.5), 7_800_000 - 10 * (27 * 5 + 100.5))


def test_a_cell_is_in_the_aoi_if_its_centre_is():
    lon, lat = UTM.cell_centres(np.array([(10, 12)]))[0]
    asked = UTM.asked_cells(shapely.box(lon - 1e-4, lat - 1e-4, lon + 1e-4, lat + 1e-4))
    assert np.argwhere(asked).tolist() == [[10, 12]]


def test_without_an_aoi_all_cells_are_asked_and_an_aoi_elsewhere_asks_none():
    assert UTM.asked_cells(None).sum() == 68 * 49
    assert not UTM.asked_cells(shapely.box(10, 10, 11, 11)).any()


def test_the_footprint_holds_all_cells_of_the_raster():
    every = np.argwhere(np.ones(DEGREES.cells, bool))
    assert DEGREES.footprint.covers(shapely.union_all(DEGREES.cell_polygons(every)))


@pytest.mark.parametrize("grid", [UTM, DEGREES])
def test_the_footprint_of_the_cells_is_what_they_cover_together(grid):
    every = np.argwhere(np.ones(grid.cells, bool))
    together = shapely.union_all(grid.cell_polygons(every))
    assert grid.cells_footprint.symmetric_difference(together).area < 1e-4 * together.area


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30, unique=True))
def test_the_union_of_cells_has_the_area_of_its_squares_and_no_slivers(cells):
    array = np.array(cells)
    polygon = UTM.site_polygon(array)
    squares = sum(geodesic_area_ha(square) for square in UTM.cell_polygons(array))
    assert polygon.is_valid
    assert geodesic_area_ha(polygon) == pytest.approx(squares, rel=2e-5)


@given(st.data())
def test_the_fill_of_a_window_is_the_mean_of_its_blocks(data):
    rows, cols = data.draw(st.integers(7, 10)), data.draw(st.integers(7, 10))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    blocks = random.integers(0, 10, (9 * rows + 4, 9 * cols + 4)).astype(np.uint8)
    fill = window_fill(blocks)
    assert fill.shape == (rows - 6, cols - 6)
    for i, j in np.ndindex(fill.shape):
        assert fill[i, j] == pytest.approx(blocks[9 * i : 9 * i + 67, 9 * j : 9 * j + 67].mean() / 9, abs=1e-6)


def test_geodesic_measures_agree_with_known_ones():
    assert geodesic_distance_m(0, 0, 1, 0) == pytest.approx(111_319.49, abs=0.01)
    assert geodesic_area_ha(shapely.box(0, 0, 1, 1)) == pytest.approx(1_230_877.8, rel=1e-5)
    hole = shapely.box(0, 0, 1, 1).difference(shapely.box(0.25, 0.25, 0.75, 0.75))
    assert geodesic_area_ha(hole) == pytest.approx(0.75 * 1_230_877.8, rel=1e-3)


@pytest.mark.parametrize("lat", [-30.0, -5.0, 0.0, 4.0])
def test_a_square_around_a_place_has_the_sides_that_were_asked(lat):
    assert geodesic_area_ha(square_around(-45, lat, 2_000)) == pytest.approx(400, rel=1e-3)


def test_the_union_of_boxes_holds_them_all():
    assert union_bounds([(0, 0, 1, 1), (-3, 0.5, -2, 4)]) == (-3, 0, 1, 4)
