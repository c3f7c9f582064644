import io
import json
import resource
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import shapely
from affine import Affine
from PIL import Image
from pyproj import Proj

from minedisc_core.domain import Impact, ProductLevel, Site
from minedisc_core.errors import ImageryError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.chips import (
    CHIP_KINDS,
    available_chip_kinds,
    chip_name,
    chip_names,
    chip_window,
    north_deg,
    outlines,
    read_stretch,
    write_chip_files,
    write_chips,
)
from minedisc_core.imagery.geotiff import open_mosaic, write_mosaic
from minedisc_core.imagery.indices import INDICES
from minedisc_core.imagery.outline_file import read_outlines
from minedisc_core.imagery.pictures import Stretch, chip_stretch, measure_stretch, render

GRID = RasterGrid(500, 500, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
RED, NIR = L1C_BANDS.index("B4"), L1C_BANDS.index("B8")


def site_at(row, col, name="r-0001"):
    i, j = (row - 100) // 27, (col - 100) // 27
    polygon = GRID.site_polygon(np.array([[i, j], [i, j + 1]]))
    lon, lat = polygon.centroid.coords[0]
    return Site(name, polygon, lon, lat, lon, lat, row, col, 0.9, 0.8, 2, 14.6, Impact.HIGH, None, False)


def scene():
    array = np.random.default_rng(1).integers(900, 1_100, (500, 500, 12)).astype(np.uint16)
    array[200:260, :, NIR] = 5_000
    array[300:310, 300:310] = 9_000
    return array


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    path = tmp_path_factory.mktemp("m") / "m.tif"
    with open_mosaic([write_mosaic(path, scene(), GRID, L1C_BANDS, ProductLevel.L1C)]) as opened:
        yield opened


def chip(folder, site, kind):
    return np.asarray(Image.open(folder / chip_name(site.site_id, kind)).convert("RGBA")).astype(int)


def test_each_site_gets_all_six_kinds_of_201_px_and_the_colours_in_two_stretches(mosaic, tmp_path):
    sites = [site_at(181, 208), site_at(316, 343, "r-0002")]
    assert write_chips(mosaic, sites, tmp_path / "chips") == 18
    chips = [name for s in sites for name in chip_names(s.site_id, CHIP_KINDS)]
    assert {p.name for p in (tmp_path / "chips").iterdir()} == {"outlines.json", "stretch.json", *chips}
    assert {"r-0002_ndvi.webp", "r-0002_swir.webp", "r-0002_swir_own.webp"} < set(chips)
    for name in chips:
        with Image.open(tmp_path / "chips" / name) as picture:
            assert (picture.format, picture.size) == ("WEBP", (201, 201))


def test_the_peak_pixel_is_in_the_middle(mosaic, tmp_path):
    site = site_at(305, 305)
    write_chips(mosaic, [site], tmp_path)
    found = chip(tmp_path, site, "true_colour")[..., :3].min(axis=-1)
    assert found[100, 100] > 200
    bright = np.argwhere(found > 200)
    assert bright.mean(axis=0) == pytest.approx([99.5, 99.5], abs=1.5)


def test_plants_are_green_in_the_index_and_red_in_near_infrared(mosaic, tmp_path):
    site = site_at(235, 235)
    write_chips(mosaic, [site], tmp_path)
    index, infrared = chip(tmp_path, site, "ndvi"), chip(tmp_path, site, "near_infrared")
    plants, bare = (100, 100), (20, 100)
    assert index[plants][1] > index[plants][0] + 40
    assert index[bare][0] > index[bare][2] + 8
    assert infrared[plants][0] > infrared[bare][0] + 80


@pytest.mark.parametrize(("row", "col"), [(100, 100), (20, 30), (490, 30), (480, 499)])
def test_a_chip_at_the_edge_is_padded_with_clear_pixels(mosaic, tmp_path, row, col):
    site = site_at(row, col)
    write_chips(mosaic, [site], tmp_path)
    window = chip_window(site)
    rows, cols = window.row + np.arange(201), window.col + np.arange(201)
    inside = ((rows >= 0) & (rows < 500))[:, None] & ((cols >= 0) & (cols < 500))[None, :]
    assert np.array_equal(chip(tmp_path, site, "swir")[..., 3] == 255, inside)


def test_kinds_whose_bands_are_missing_are_left_out(tmp_path):
    grid = RasterGrid(250, 250, GRID.transform, GRID.crs)
    path = write_mosaic(tmp_path / "m.tif", scene()[:250, :250, 1:4], grid, ("B2", "B3", "B4"), None)
    with open_mosaic([path]) as mosaic:
        assert available_chip_kinds(mosaic.bands) == ("true_colour",)
        assert write_chips(mosaic, [site_at(100, 100)], tmp_path / "chips") == 2
    assert available_chip_kinds(("B1", "B9")) == ()
    assert available_chip_kinds(L1C_BANDS) == CHIP_KINDS


def test_outlines_are_in_chip_pixels_around_the_middle(mosaic, tmp_path):
    site = site_at(27 * 3 + 100, 27 * 4 + 100)
    hits = {"r-0001": np.array([[181, 208], [181, 235]])}
    write_chips(mosaic, [site], tmp_path, hits)
    found = read_outlines(tmp_path)["r-0001"]
    assert found["size_px"] == 201
    assert found["pixel_height_m"] == pytest.approx(10, abs=0.01)
    assert found["patch"] == [90, 90, 111, 111]
    assert found["cells"] == [[87, 87, 114, 114], [114, 87, 141, 114]]
    xs, ys = zip(*found["rings"][0], strict=True)
    assert (min(xs), max(xs)) == pytest.approx((87, 141), abs=0.02)
    assert (min(ys), max(ys)) == pytest.approx((87, 114), abs=0.02)


def test_outlines_hold_holes_and_parts():
    ring_of_cells = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    cells = np.array([*ring_of_cells, (8, 8)])
    site = site_at(127, 127)
    polygon = GRID.site_polygon(cells)
    assert isinstance(polygon, shapely.MultiPolygon)
    whole = replace(site, polygon=polygon)
    assert len(outlines(whole, GRID).rings) == 3


def test_no_sites_give_no_chips_and_empty_outlines(mosaic, tmp_path):
    assert write_chips(mosaic, [], tmp_path / "chips") == 0
    assert read_outlines(tmp_path / "chips") == {}
    assert read_outlines(tmp_path / "elsewhere") == {}


def test_outlines_that_were_damaged_are_an_error_in_words(tmp_path):
    (tmp_path / "outlines.json").write_text("{")
    with pytest.raises(ImageryError, match=r"outlines\.json cannot be read"):
        read_outlines(tmp_path)


def test_chips_are_the_same_whatever_the_other_sites_are(mosaic, tmp_path):
    sites = [site_at(150 + 20 * k, 400 - 25 * k, f"r-{k:04d}") for k in range(8)]
    write_chips(mosaic, sites, tmp_path / "all")
    write_chips(mosaic, sites[5:6], tmp_path / "one")
    for kind in CHIP_KINDS:
        name = chip_name("r-0005", kind)
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_a_full_disk_is_said_in_words(mosaic, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(ImageryError, match=r"could not be written.*free disk space"):
            write_chips(mosaic, [site_at(200, 200)], tmp_path / "chips")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_outlines_are_plain_json(mosaic, tmp_path):
    write_chips(mosaic, [site_at(200, 200)], tmp_path)
    assert json.loads((tmp_path / "outlines.json").read_text()) == read_outlines(tmp_path)
    assert io.BytesIO((tmp_path / chip_name("r-0001", "ndvi")).read_bytes()).read(4) == b"RIFF"


DN = {"B2": 800, "B3": 1_000, "B4": 1_200, "B8": 3_000, "B11": 2_600, "B12": 2_000}
LIMITS = Stretch({"B2": (800, 1_800), "B3": (0, 2_000), "B4": (200, 2_200), "B8": (1_000, 2_000), "B12": (0, 4_000)})


def ground(**changed):
    """A patch of even ground, 20 x 30 px; DN by band."""
    return {band: np.full((20, 30), dn, np.uint16) for band, dn in (DN | changed).items()}


@pytest.mark.parametrize(
    ("kind", "colour"),
    [("true_colour", (128, 128, 0)), ("swir", (128, 255, 128)), ("near_infrared", (255, 128, 128))],
)
def test_a_colour_is_the_bands_place_between_the_limits(kind, colour):
    for has_table in (True, False):
        picture = render(kind, ground(), LIMITS, has_table=has_table)
        assert set(map(tuple, picture.reshape(-1, 4).tolist())) == {(*colour, 255)}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ndvi", 1_800 / 4_200), ("ndwi", -2_000 / 4_000), ("bare_soil", (3_800 - 3_800) / 7_600)],
)
def test_an_index_is_its_formula_on_its_scale(kind, expected):
    index = INDICES[kind]
    assert index.values(ground()).max() == pytest.approx(expected, abs=1e-6)
    place = (expected - index.low) / (index.high - index.low) * (len(index.colours) - 1)
    one, other = (np.array(index.colours[int(place) + k]) for k in (0, 1))
    shown = index.picture(ground())[0, 0].tolist()
    assert shown == pytest.approx([*(one + (place % 1) * (other - one)), 255], abs=3)


@pytest.mark.parametrize("kind", INDICES)
def test_values_past_an_indexs_scale_have_its_last_colours(kind):
    index = INDICES[kind]
    most = ground(**dict.fromkeys(index.plus, 9_000), **dict.fromkeys(index.minus, 1))
    least = ground(**dict.fromkeys(index.plus, 1), **dict.fromkeys(index.minus, 9_000))
    assert tuple(index.picture(most)[0, 0, :3]) == index.colours[-1]
    assert tuple(index.picture(least)[0, 0, :3]) == index.colours[0]


@pytest.mark.parametrize("kind", CHIP_KINDS)
def test_pixels_without_data_are_clear(kind):
    dn = ground()
    for values in dn.values():
        values[5:8, 3:9] = 0
    hole = np.zeros((20, 30), bool)
    hole[5:8, 3:9] = True
    assert np.array_equal(render(kind, dn, LIMITS)[..., 3] == 0, hole)


def test_an_index_is_clear_where_one_of_its_bands_has_no_data_and_a_colour_is_not():
    dn = ground()
    dn["B8"][0, 0] = 0
    assert [render(kind, dn, LIMITS)[0, 0, 3] for kind in CHIP_KINDS] == [255, 255, 255, 0, 0, 0]


def test_a_chips_own_stretch_reaches_from_black_to_white():
    dn = {"B4": np.random.default_rng(2).integers(5_000, 9_000, (201, 201)).astype(np.uint16)}
    own = chip_stretch(dn)
    shown = own.levels("B4", dn["B4"])
    assert (shown == 0).mean() == pytest.approx(0.01, abs=0.005)
    assert (shown == 255).mean() == pytest.approx(0.01, abs=0.005)


def test_a_constant_chip_is_grey_in_its_own_stretch_and_no_data_counts_for_nothing():
    values = np.full((30, 30), 4_000, np.uint16)
    values[:10] = 0
    own = chip_stretch({"B4": values})
    assert own.levels("B4", values)[20, 20] == pytest.approx(128, abs=1)


def test_a_chip_without_any_data_is_wholly_clear(tmp_path):
    empty = np.zeros((201, 201, 6), np.uint16)
    write_chip_files(empty, tuple(DN), tmp_path, "r-0001", LIMITS)
    for name in chip_names("r-0001", CHIP_KINDS):
        with Image.open(tmp_path / name) as picture:
            assert not np.asarray(picture.convert("RGBA"))[..., 3].any()


def test_the_runs_stretch_is_kept_beside_its_chips(mosaic, tmp_path):
    write_chips(mosaic, [site_at(200, 200)], tmp_path)
    assert read_stretch(tmp_path) == measure_stretch(mosaic)
    (tmp_path / "stretch.json").write_text('{"B4": 3}')
    assert read_stretch(tmp_path) is None
    assert read_stretch(tmp_path / "nowhere") is None


def test_true_north_is_turned_by_the_grids_convergence():
    east = RasterGrid(500, 500, Affine(10, 0, 780_000, 0, -10, 7_800_000), "EPSG:32723")
    site = site_at(250, 250)
    lon, lat = east.lonlat(np.array([250.5]), np.array([250.5]))[0]
    expected = Proj("EPSG:32723").get_factors(lon, lat).meridian_convergence
    assert abs(expected) > 0.5
    assert north_deg(site, east) == pytest.approx(-expected, abs=0.01)


def test_north_is_up_in_degrees_and_a_pixel_is_as_wide_as_its_parallel():
    degrees = RasterGrid(500, 500, Affine(1e-4, 0, -44, 0, -1e-4, -20), "EPSG:4326")
    found = outlines(site_at(250, 250), degrees)
    assert found.north_deg == 0
    assert found.pixel_width_m / found.pixel_height_m == pytest.approx(np.cos(np.radians(20)), abs=0.01)


def test_outlines_say_the_dates_and_the_source(tmp_path):
    days = {"imagery_start": date(2024, 6, 1), "imagery_end": date(2024, 8, 31)}
    path = write_mosaic(tmp_path / "m.tif", scene(), GRID, L1C_BANDS, ProductLevel.L1C, source="a test", **days)
    with open_mosaic([path]) as opened:
        write_chips(opened, [site_at(200, 200)], tmp_path / "chips")
    found = read_outlines(tmp_path / "chips")["r-0001"]
    assert (found["imagery_start"], found["imagery_end"], found["source"]) == ("2024-06-01", "2024-08-31", "a test")


def test_a_full_disk_leaves_no_half_a_chip(mosaic, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, limits[1]))
    try:
        with pytest.raises(ImageryError, match="could not be written"):
            write_chips(mosaic, [site_at(200, 200)], tmp_path / "chips")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in (tmp_path / "chips").iterdir()] == ["stretch.json"]
