import io
import math
import threading

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from PIL import Image
from pyproj import Transformer

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.display import TileReader, available_display_kinds, map_grid, source_pixels, write_display
from minedisc_core.imagery.geotiff import open_mosaic, write_mosaic
from minedisc_core.imagery.pictures import Stretch, measure_stretch, render

GRID = RasterGrid(700, 640, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
MARK = (slice(300, 340), slice(200, 240))
"""A bright square of 400 m."""


def scene():
    array = np.random.default_rng(1).integers(900, 1_100, (700, 640, 12)).astype(np.uint16)
    array[MARK] = 6_000
    array[:, 500:] = 0
    return array


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    path = tmp_path_factory.mktemp("m") / "m.tif"
    with open_mosaic([write_mosaic(path, scene(), GRID, L1C_BANDS, ProductLevel.L1C)]) as opened:
        yield opened


@pytest.fixture(scope="module")
def pyramid(mosaic, tmp_path_factory):
    return write_display(mosaic, tmp_path_factory.mktemp("d") / "true_colour.tif", "true_colour")


def tile_of(lon, lat, zoom):
    """Tile x, y and the pixel column and row in it, by the XYZ scheme's own definition."""
    n = 2**zoom * 256
    col = (lon + 180) / 360 * n
    row = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * n
    return int(col // 256), int(row // 256), int(col % 256), int(row % 256)


def picture(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")).astype(int)


def lonlat(row, col):
    return GRID.lonlat(np.array([row]), np.array([col]))[0]


@pytest.mark.parametrize("zoom", [11, 12, 13, 14])
def test_a_tile_shows_the_ground_where_it_lies(pyramid, zoom):
    reader = TileReader(pyramid)
    x, y, col, row = tile_of(*lonlat(320, 220), zoom)
    mark = picture(reader.tile(zoom, x, y))[row, col]
    x, y, col, row = tile_of(*lonlat(100, 100), zoom)
    ground = picture(reader.tile(zoom, x, y))[row, col]
    assert mark[:3].min() > ground[:3].max() + 60
    assert mark[3] == ground[3] == 255


def test_no_data_and_the_surroundings_are_transparent(pyramid):
    reader = TileReader(pyramid)
    x, y, col, row = tile_of(*lonlat(350, 570), 14)
    assert picture(reader.tile(14, x, y))[row, col, 3] == 0
    assert reader.tile(14, x + 5, y) is None
    assert reader.tile(14, x, y + 5) is None


def test_all_tiles_are_256_px_at_the_edges_and_far_out_too(pyramid):
    reader = TileReader(pyramid)
    for zoom in (4, 8, 11, 13, 14):
        west, south, east, north = reader.bounds
        for lon, lat in ((west, north), (east, south), ((west + east) / 2, (north + south) / 2)):
            x, y, _, _ = tile_of(lon, lat, zoom)
            tile = reader.tile(zoom, x, y)
            assert tile is None or picture(tile).shape == (256, 256, 4)
        assert tile is not None


@pytest.mark.parametrize(("zoom", "x", "y"), [(15, 0, 0), (-1, 0, 0), (3, -1, 2), (3, 8, 2), (3, 2, 8), (99, 0, 0)])
def test_tiles_that_cannot_be_are_none(pyramid, zoom, x, y):
    assert TileReader(pyramid).tile(zoom, x, y) is None


def test_bounds_are_those_of_the_mosaic(pyramid):
    assert TileReader(pyramid).bounds == pytest.approx(GRID.footprint.bounds)


def test_the_pyramid_is_an_8_bit_cog_on_the_web_mercator_grid_with_overviews(pyramid):
    with rasterio.open(pyramid) as dataset:
        assert dataset.crs.to_epsg() == 3857
        assert dataset.dtypes[0] == "uint8"
        assert dataset.compression.name == "jpeg"
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.overviews(1)
        assert TileReader(pyramid).max_zoom == 14


@pytest.mark.parametrize(
    "source", [GRID, RasterGrid(9_000, 9_000, Affine(9e-5, 0, -44.2, 0, -9e-5, -20.1), "EPSG:4326")]
)
def test_each_map_pixel_shows_the_mosaic_pixel_under_its_centre(source):
    target = map_grid(source)
    window = PixelWindow(64, 40, 200, 230)
    rows, cols = source_pixels(source, target, window)
    row, col = np.mgrid[64:264, 40:270] + 0.5
    x, y = target.transform.c + col * target.transform.a, target.transform.f + row * target.transform.e
    there = Transformer.from_crs(3857, source.crs, always_xy=True).transform(x, y)
    exact_col = (there[0] - source.transform.c) / source.transform.a
    exact_row = (there[1] - source.transform.f) / source.transform.e
    assert np.abs(rows + 0.5 - exact_row).max() < 0.502
    assert np.abs(cols + 0.5 - exact_col).max() < 0.502


def test_the_map_grid_holds_the_mosaic_in_whole_tiles_at_the_nearest_zoom():
    grid = map_grid(GRID)
    assert (grid.height_px % 256, grid.width_px % 256) == (0, 0)
    assert shapely.box(*grid.footprint.bounds).buffer(1e-9).contains(shapely.box(*GRID.footprint.bounds))
    assert grid.height_px <= 700 + 3 * 256
    assert 2**-0.5 < grid.transform.a * math.cos(math.radians(19.9)) / 10 < 2**0.5


def test_many_threads_get_the_same_tiles(pyramid):
    reader = TileReader(pyramid)
    x, y, _, _ = tile_of(*lonlat(320, 220), 14)
    places = [(14, x, y), (14, x - 1, y), (13, x // 2, y // 2), (12, x // 4, y // 4)]
    expected = [reader.tile(*place) for place in places]
    wrong = []

    def work():
        for _ in range(15):
            wrong.extend(p for p, tile in zip(places, expected, strict=True) if reader.tile(*p) != tile)

    threads = [threading.Thread(target=work) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    reader.close()
    assert not wrong
    assert reader.tile(*places[0]) == expected[0]


def test_a_kind_that_lacks_its_bands_is_left_out_and_refused(tmp_path):
    array = scene()[:100, :100, 1:4]
    grid = RasterGrid(100, 100, GRID.transform, GRID.crs)
    with open_mosaic([write_mosaic(tmp_path / "m.tif", array, grid, ("B2", "B3", "B4"), None)]) as mosaic:
        assert available_display_kinds(mosaic) == ("true_colour",)
        with pytest.raises(ImageryError, match=r"no swir picture can be made of B2, B3, B4.*B12, B8, B4"):
            write_display(mosaic, tmp_path / "swir.tif", "swir")
        with pytest.raises(ImageryError, match="no thermal picture"):
            write_display(mosaic, tmp_path / "thermal.tif", "thermal")
    assert not list(tmp_path.glob("*swir*"))


def test_a_mosaic_in_degrees_is_shown_too(tmp_path):
    grid = RasterGrid(300, 300, Affine(9e-5, 0, -44.2, 0, -9e-5, -20.1), "EPSG:4326")
    path = write_mosaic(tmp_path / "m.tif", scene()[200:500, :300], grid, L1C_BANDS, None)
    with open_mosaic([path]) as mosaic:
        reader = TileReader(write_display(mosaic, tmp_path / "swir.tif", "swir"))
    lon, lat = grid.lonlat(np.array([120.0]), np.array([220.0]))[0]
    x, y, col, row = tile_of(lon, lat, 14)
    assert picture(reader.tile(14, x, y))[row, col, :3].min() > 150


def test_what_is_no_pyramid_is_refused(tmp_path, mosaic):
    with pytest.raises(ImageryError, match="is no map-tile pyramid"):
        TileReader(mosaic.paths[0])
    with pytest.raises(ImageryError, match="does not exist"):
        TileReader(tmp_path / "gone.tif")


def test_the_stretch_is_the_same_each_time_and_leaves_headroom_for_bright_ground(mosaic):
    first = measure_stretch(mosaic, ("B4",))
    assert first == measure_stretch(mosaic, ("B4",))
    low, high = first.limits["B4"]
    assert 895 <= low <= 910
    assert high >= 1_100


def test_a_band_without_data_still_has_a_stretch(tmp_path):
    grid = RasterGrid(50, 50, GRID.transform, GRID.crs)
    path = write_mosaic(tmp_path / "m.tif", np.zeros((50, 50, 3), np.uint16), grid, ("B2", "B3", "B4"), None)
    with open_mosaic([path]) as mosaic:
        low, high = measure_stretch(mosaic).limits["B3"]
        reader = TileReader(write_display(mosaic, tmp_path / "t.tif", "true_colour"))
    assert low < high
    west, south, _, _ = reader.bounds
    x, y, _, _ = tile_of(west, south, 13)
    assert reader.tile(13, x, y) is None


def test_a_picture_is_black_at_the_lower_end_white_at_the_upper_and_clear_without_data():
    stretch = Stretch({"B2": (100, 1_100), "B3": (100, 1_100), "B4": (100, 1_100)})
    dn = {band: np.array([[0, 50, 100, 600, 1_100, 60_000]], np.uint16) for band in stretch.limits}
    found = render("true_colour", dn, stretch)
    assert found[0, 1:, 0].tolist() == [0, 0, 128, 255, 255]
    assert found[0, :, 3].tolist() == [0, 255, 255, 255, 255, 255]


def test_a_pixel_with_data_in_one_band_is_opaque():
    stretch = Stretch({"B2": (0, 9), "B3": (0, 9), "B4": (0, 9)})
    zero, one = np.zeros((1, 1), np.uint16), np.ones((1, 1), np.uint16)
    assert render("true_colour", {"B2": zero, "B3": one, "B4": zero}, stretch)[0, 0, 3] == 255
