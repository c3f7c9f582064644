import io
import json
import resource

import numpy as np
import pytest
import shapely
from affine import Affine
from PIL import Image

from minedisc_core.domain import Impact, ProductLevel, Site
from minedisc_core.errors import ImageryError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.chips import (
    CHIP_KINDS,
    available_chip_kinds,
    chip_name,
    chip_window,
    outlines,
    read_outlines,
    write_chips,
)
from minedisc_core.imagery.geotiff import open_mosaic, write_mosaic

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


def test_each_site_gets_all_four_kinds_of_201_px(mosaic, tmp_path):
    sites = [site_at(181, 208), site_at(316, 343, "r-0002")]
    assert write_chips(mosaic, sites, tmp_path / "chips") == 8
    names = {p.name for p in (tmp_path / "chips").iterdir()}
    assert names == {"outlines.json", *(chip_name(s.site_id, kind) for s in sites for kind in CHIP_KINDS)}
    for kind in CHIP_KINDS:
        assert chip(tmp_path / "chips", sites[0], kind).shape == (201, 201, 4)
        assert Image.open(tmp_path / "chips" / chip_name("r-0001", kind)).format == "WEBP"


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
        assert write_chips(mosaic, [site_at(100, 100)], tmp_path / "chips") == 1
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
    whole = Site(**{**site.__dict__, "polygon": polygon})
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
