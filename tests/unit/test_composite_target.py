"""The grid of a composite: Sentinel-2's lines, the area and its margin, zones, and the words for what cannot be."""

import math

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from rasterio.features import geometry_mask
from shapely.geometry import box

from minedisc_core.errors import UsageError
from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.composites.source import BLOCK_PX, BlockLayout
from minedisc_core.imagery.composites.target import (
    MARGIN_PX,
    all_blocks,
    area_in_pixels,
    distortion,
    parts_by_zone,
    pieces,
    scale_error,
    target_grid,
    wanted_blocks,
    zone_name,
    zones_of,
)

lons = st.floats(-179.5, 179.0)
lats = st.floats(-79.0, 83.0)
sizes = st.floats(0.005, 0.4)


@st.composite
def areas(draw):
    """Triangles and boxes somewhere in UTM, inside -180..180."""
    west, south = draw(lons), draw(lats)
    east, north = min(west + draw(sizes), 180.0), min(south + draw(sizes), 83.9)
    corners = [(west, south), (east, south), (east, north), (west, north)]
    if draw(st.booleans()):
        corners.pop(draw(st.integers(0, 3)))
    return shapely.Polygon(corners)


def in_metres(area, crs):
    to_utm = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return shapely.transform(
        shapely.segmentize(area, 0.005), lambda xy: np.column_stack(to_utm.transform(xy[:, 0], xy[:, 1]))
    )


def frame(grid):
    left, top = grid.transform @ (0, 0)
    right, bottom = grid.transform @ (grid.width_px, grid.height_px)
    return left, bottom, right, top


@given(areas())
def test_the_grid_holds_the_area_and_what_its_cells_look_at_and_no_more(area):
    grid = target_grid(area)
    west, south, east, north = in_metres(area, grid.crs).bounds
    left, bottom, right, top = frame(grid)
    margin = MARGIN_PX * 10
    for inner, outer in (
        (west - left, "left"),
        (south - bottom, "bottom"),
        (right - east, "right"),
        (top - north, "top"),
    ):
        assert margin - 0.5 <= inner <= margin + 20.5, outer


@given(areas())
def test_all_corners_lie_on_lines_of_20_m(area):
    grid = target_grid(area)
    assert grid.transform[:6][:2] == (10, 0)
    assert grid.transform[:6][3:5] == (0, -10)
    assert [metres % 20 for metres in frame(grid)] == [0, 0, 0, 0]


@given(areas())
def test_the_wanted_blocks_cover_every_window_of_a_cell_in_the_area(area):
    grid = target_grid(area)
    wanted = wanted_blocks(grid, area)
    covered = np.zeros((grid.height_px, grid.width_px), bool)
    for window in wanted:
        part = covered[window.row : window.row + window.height, window.col : window.col + window.width]
        assert part.shape == (window.height, window.width)
        assert not part.any()
        part[:] = True
    inside = geometry_mask([area_in_pixels(grid, area)], covered.shape, Affine.identity(), invert=True)
    rows, cols = np.nonzero(inside)
    for row, col in {(rows[i], cols[i]) for i in (np.argmin(rows), np.argmax(rows), np.argmin(cols), np.argmax(cols))}:
        looked_at = covered[max(0, row - 127) : row + 128, max(0, col - 127) : col + 128]
        assert looked_at.all()
    assert covered[inside].all()


@given(areas())
def test_the_blocks_of_a_grid_are_its_pixels_each_once(area):
    grid = target_grid(area)
    blocks = all_blocks(grid)
    assert sum(window.height * window.width for window in blocks) == grid.height_px * grid.width_px
    assert all(window.row % BLOCK_PX == 0 and window.col % BLOCK_PX == 0 for window in blocks)
    assert max(max(window.height, window.width) for window in blocks) <= BLOCK_PX
    assert set(wanted_blocks(grid, area)) <= set(blocks)


@given(areas(), st.sampled_from([1_024, 2_048]), st.integers(0, 4_000), st.integers(0, 4_000))
def test_any_layout_holds_each_pixel_once_and_is_cut_at_its_lines(area, side, row, col):
    grid = target_grid(area)
    blocks = all_blocks(grid, BlockLayout(side, row, col))
    assert sum(window.height * window.width for window in blocks) == grid.height_px * grid.width_px
    assert max(max(window.height, window.width) for window in blocks) <= side
    assert all(window.row in (0, row) or (window.row - row) % side == 0 for window in blocks)
    assert all(window.col in (0, col) or (window.col - col) % side == 0 for window in blocks)
    assert len(set(blocks)) == len(blocks)


@given(*[st.integers(0, 5_000)] * 2, *[st.integers(1, 3_000)] * 2)
def test_the_pieces_of_a_window_are_its_pixels_and_each_lies_in_one_block_file(row, col, height, width):
    window = PixelWindow(row, col, height, width)
    found = pieces(window)
    assert sum(piece.height * piece.width for piece in found) == height * width
    for piece in found:
        assert row <= piece.row < piece.row + piece.height <= row + height
        assert piece.row // BLOCK_PX == (piece.row + piece.height - 1) // BLOCK_PX
        assert piece.col // BLOCK_PX == (piece.col + piece.width - 1) // BLOCK_PX


def test_blocks_that_an_area_leaves_out_are_not_wanted():
    strip = shapely.Polygon([(-44.5, -20.5), (-44.45, -20.5), (-43.5, -19.5), (-43.55, -19.5)])
    grid = target_grid(strip)
    assert len(wanted_blocks(grid, strip)) < 0.5 * len(all_blocks(grid))


@given(st.floats(-175, 165), st.floats(-60, 60), st.floats(0.5, 12), st.floats(0.1, 2))
def test_the_parts_of_the_zones_add_up_to_the_area(west, south, wide, high):
    area = box(west, south, west + wide, south + high)
    parts = parts_by_zone(area)
    assert tuple(crs for crs, _ in parts) == zones_of(area)
    assert sum(part.area for _, part in parts) == pytest.approx(area.area)
    assert shapely.union_all([part for _, part in parts]).symmetric_difference(area).area < 1e-9 * area.area
    for crs, part in parts:
        middle = 6 * (int(crs[-2:])) - 183
        assert abs(part.centroid.x - middle) <= 3
        assert target_grid(part, crs).crs == crs


@pytest.mark.parametrize(
    ("area", "crs"),
    [
        (box(-44, -20, -43.9, -19.9), "EPSG:32723"),
        (box(-44, 20, -43.9, 20.1), "EPSG:32623"),
        (box(-44, -0.1, -43.9, 0.3), "EPSG:32623"),
        (box(-44, -0.3, -43.9, 0.1), "EPSG:32723"),
        (box(179.8, -17, 180, -16.8), "EPSG:32760"),
        (box(-180, -17, -179.8, -16.8), "EPSG:32701"),
        (box(0, 51, 0.2, 51.2), "EPSG:32631"),
        (box(-0.2, 51, 0, 51.2), "EPSG:32630"),
        (box(20, 83.5, 20.5, 84), "EPSG:32634"),
        (box(20, -80, 20.5, -79.8), "EPSG:32734"),
    ],
)
def test_the_zone_is_that_of_the_areas_middle(area, crs):
    assert target_grid(area).crs == crs
    assert zones_of(area) == (crs,)
    assert distortion(target_grid(area), area) == ""


def test_across_the_equator_coordinates_go_on_in_one_hemisphere():
    area = box(-44, -0.3, -43.9, 0.1)
    grid = target_grid(area)
    _, bottom, _, top = frame(grid)
    assert bottom < 10_000_000 < top
    assert grid.footprint.buffer(1e-6).contains(area)
    assert zones_of(area) == ("EPSG:32723",)


def test_an_area_on_both_sides_of_the_antimeridian_becomes_two_mosaics():
    area = shapely.MultiPolygon([box(179.8, -17, 180, -16.8), box(-180, -17, -179.8, -16.8)])
    with pytest.raises(UsageError, match=r"360\.0 degrees of longitude wide.*--zone each"):
        target_grid(area)
    parts = parts_by_zone(area)
    assert [zone_name(crs) for crs, _ in parts] == ["1S", "60S"]
    assert [target_grid(part, crs).crs for crs, part in parts] == ["EPSG:32701", "EPSG:32760"]


@pytest.mark.parametrize(
    ("area", "crs", "sentence"),
    [
        (box(0, 84.5, 1, 85), "", r"latitude 84\.5 to 85\.0.*-80 to 84"),
        (box(0, -85, 1, -79), "", r"latitude -85\.0 to -79\.0"),
        (box(-50, -20, -40.5, -19), "", r"9\.5 degrees of longitude wide.*--zone each"),
        (box(-44, -60, -36, 0), "", r"x 6,\d\d\d km.*at most 4,000 blocks.*in parts"),
        (box(-44, -20, -43.9, -19.9), "EPSG:4326", r"EPSG:4326 is no UTM zone.*EPSG:32601 to 32660"),
        (box(-44, -20, -43.9, -19.9), "EPSG:32661", r"is no UTM zone"),
        (box(-44, -20, -43.9, -19.9), "somewhere", r"somewhere is no UTM zone"),
        (box(-44, -20, -43.9, -19.9), "EPSG:32633", r"59 degrees from the middle of UTM zone 33N.*leave --zone out"),
        (box(-44, -20, -43.9, -19.9), "EPSG:32653", r"179 degrees from the middle of UTM zone 53N"),
    ],
)
def test_what_has_no_grid_is_refused_in_words(area, crs, sentence):
    with pytest.raises(UsageError, match=sentence):
        target_grid(area, crs)


def test_the_poles_have_no_parts_either():
    with pytest.raises(UsageError, match="where UTM is defined"):
        parts_by_zone(box(0, 84.5, 1, 85))


def test_the_neighbouring_zone_may_be_chosen_and_its_code_may_be_short():
    area = box(-42.2, -20, -41.8, -19.9)
    assert {target_grid(area, crs).crs for crs in ("EPSG:32723", "epsg:32723", "32723")} == {"EPSG:32723"}
    assert target_grid(area, "EPSG:32724").crs == "EPSG:32724"


@given(st.floats(-0.2, 6.0), st.floats(-70, 70))
def test_the_distortion_that_is_told_is_the_one_that_is_there(past, south):
    """Lengths of short lines on the ellipsoid beside the grid's, at all corners and edges of the mosaic."""
    line = -42.0
    area = box(line - 1, south, line + 0.3 + past, south + 0.5)
    grid = target_grid(area)
    worst = max(length_error(grid, row, col) for row, col in edge(grid))
    assert scale_error(grid) == pytest.approx(worst, abs=2e-5)
    told = distortion(grid, area)
    zones = " ".join(map(zone_name, zones_of(area)))
    assert told.startswith(f"The area lies in UTM {zones.replace(' ', ', ')}; the mosaic is in {zone_name(grid.crs)}")
    assert told.endswith(f"lengths are off by {scale_error(grid):.2%}")


def edge(grid):
    for t in np.linspace(0, 1, 9):
        yield from ((0, t * grid.width_px), (grid.height_px, t * grid.width_px))
        yield from ((t * grid.height_px, 0), (t * grid.height_px, grid.width_px))


def length_error(grid, row, col):
    (lon0, lat0), (lon1, lat1) = grid.lonlat(np.array([row, row], float), np.array([col - 5, col + 5], float))
    metres = Geod(ellps="WGS84").inv(lon0, lat0, lon1, lat1)[2]
    return abs(100 / metres - 1)


def test_a_zone_of_the_other_hemisphere_is_told():
    area = box(-44, -20, -43.9, -19.9)
    assert distortion(target_grid(area, "EPSG:32623"), area).startswith(
        "The area lies in UTM 23S; the mosaic is in 23N"
    )


def test_pixels_of_an_area_count_its_ground():
    area = box(-44, -20, -43.9, -19.9)
    grid = target_grid(area)
    true_km2 = abs(Geod(ellps="WGS84").geometry_area_perimeter(area)[0]) / 1e6
    scale = (1 - scale_error(grid)) ** 2
    assert area_in_pixels(grid, area).area / 1e4 == pytest.approx(true_km2, rel=1.5 * (1 - scale))
    assert math.isclose(area_in_pixels(grid, area).bounds[0], MARGIN_PX, abs_tol=2)
