"""Mosaics of many files: cut anywhere, overlapping, between pixels, in patterns, VRTs and STAC item collections."""

import json
import pickle
from datetime import date

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from minedisc_core.detection.scan import scan
from minedisc_core.detection.sites import Hits, find_sites
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery import network
from minedisc_core.imagery.geotiff import open_mosaic, open_mosaics
from tests.unit.test_geotiff import RGB, UTM, numbered, save, whole
from tests.unit.test_scan import Memory, NumpyNet

NET = NumpyNet()


def scanned(mosaic):
    """Scores, fill and sites of a mosaic of two bands."""
    asked = mosaic.grid.asked_cells(None)
    found = scan(
        mosaic.grid, asked, lambda window: mosaic.read(window, ("B2", "B3")), NET, Memory(), features_per_side=5
    )
    cells = np.argwhere(found.scores > np.nanmedian(found.scores))
    hits = Hits(cells, found.scores[cells[:, 0], cells[:, 1]], found.fill[cells[:, 0], cells[:, 1]])
    return found, find_sites("run", mosaic.grid, hits)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_raster_cut_into_overlapping_files_in_any_order_gives_the_scores_and_sites_of_the_whole(
    tmp_path_factory, data
):
    folder = tmp_path_factory.mktemp("cut")
    height, width = data.draw(st.integers(230, 400)), data.draw(st.integers(230, 400))
    seed = data.draw(st.integers(0, 99))
    array = np.random.default_rng(seed).integers(1, 3000, (height, width, 2)).astype(np.uint16)
    array[40:70, 30:60] = 0
    one = save(folder / "one.tif", array, names=("B2", "B3"))
    rows = sorted(data.draw(st.lists(st.integers(1, height - 1), min_size=1, max_size=2, unique=True)))
    cols = sorted(data.draw(st.lists(st.integers(1, width - 1), min_size=1, max_size=2, unique=True)))
    more = data.draw(st.integers(0, 60))
    paths = []
    for top, bottom in zip([0, *rows], [*rows, height], strict=True):
        for left, right in zip([0, *cols], [*cols, width], strict=True):
            top_, left_ = max(0, top - more), max(0, left - more)
            part = array[top_ : bottom + more, left_ : right + more]
            moved = UTM @ Affine.translation(left_, top_)
            paths.append(save(folder / f"{len(paths)}.tif", part, names=("B2", "B3"), transform=moved))
    with open_mosaic([one]) as uncut, open_mosaic(data.draw(st.permutations(paths))) as cut:
        assert (cut.grid.height_px, cut.grid.width_px, cut.grid.covered) == (height, width, None)
        expected, sites = scanned(uncut)
        found, found_sites = scanned(cut)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.fill, expected.fill)
    assert [site.cells for site in found_sites] == [site.cells for site in sites]
    assert all(a.polygon.equals_exact(b.polygon, 1e-9) for a, b in zip(found_sites, sites, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_a_file_between_pixels_is_moved_by_half_a_pixel_at_most_and_that_is_told(tmp_path_factory, right, down):
    folder = tmp_path_factory.mktemp("between")
    array = numbered(30, 60)
    paths = [save(folder / "a.tif", array[:, :30])]
    paths.append(save(folder / "b.tif", array[:, 30:], transform=UTM @ Affine.translation(30 + right, down)))
    with open_mosaic(paths) as mosaic:
        off = max(abs(right), abs(down))
        shift = [int(np.ceil(by - 0.5 - 1e-6)) for by in (down, right)]
        assert shift == [0, 0] or off == pytest.approx(0.5, abs=1e-5)
        found = mosaic.read(PixelWindow(shift[0], 30 + shift[1], 30, 30), RGB)
        assert np.array_equal(found, array[:, 30:])
        if off > 0.051:
            assert f"by up to {off:.2f} px" in mosaic.remarks[0]
            assert "b.tif" in mosaic.remarks[0]
        elif off < 0.049:
            assert mosaic.remarks == ()


def test_a_gap_between_files_is_outside_and_a_narrow_one_is_no_edge(tmp_path):
    array = numbered(300, 300)
    left = save(tmp_path / "a.tif", array)
    near = save(tmp_path / "b.tif", array, transform=UTM @ Affine.translation(304, 0))
    far = save(tmp_path / "c.tif", array, transform=UTM @ Affine.translation(1000, 600))
    with open_mosaic([left, near]) as mosaic:
        assert mosaic.grid.covered is None
    with open_mosaic([left, far]) as mosaic:
        asked = mosaic.grid.asked_cells(None)
        assert asked.any()
        centres = np.argwhere(asked) * 27 + 100.5
        in_one = ((centres < 300).all(axis=1)) | ((centres[:, 0] > 600) & (centres[:, 1] > 1000))
        assert in_one.all()
        assert asked[0, 0]
        assert mosaic.grid.footprint.geom_type == "MultiPolygon"
        everywhere = shapely.box(*mosaic.grid.footprint.bounds).buffer(0.1)
        assert np.array_equal(mosaic.grid.asked_cells(everywhere), asked)


def test_a_thousand_small_files_are_one_mosaic_and_few_stay_open(tmp_path):
    side, across = 10, 40
    array = numbered(25 * side, across * side)
    paths = []
    for row in range(25):
        for col in range(across):
            part = array[row * side : (row + 1) * side, col * side : (col + 1) * side]
            moved = UTM @ Affine.translation(col * side, row * side)
            paths.append(save(tmp_path / f"{row:02}_{col:02}.tif", part, transform=moved))
    with open_mosaic([tmp_path / "*.tif"]) as mosaic:
        assert len(mosaic.paths) == len(paths) == 1000
        assert np.array_equal(whole(mosaic), array)
        assert np.array_equal(mosaic.read(PixelWindow(95, 195, 11, 7), RGB), array[95:106, 195:202])
        assert len(mosaic._handles._all) <= 48


def test_a_pattern_that_matches_nothing_is_refused_and_brackets_in_a_name_are_no_pattern(tmp_path):
    with pytest.raises(ImageryError, match=r"no file matches .*/\*\.tif"):
        open_mosaic([tmp_path / "*.tif"])
    odd = save(tmp_path / "a[1].tif", numbered(30, 30))
    with open_mosaic([odd]) as mosaic:
        assert mosaic.paths == (str(odd),)


def test_a_vrt_over_files_reads_as_they_do(tmp_path):
    array = numbered(40, 60)
    save(tmp_path / "a.tif", array[:, :30])
    save(tmp_path / "b.tif", array[:, 30:], transform=UTM @ Affine.translation(30, 0))
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{number}"><Description>{name}</Description>'
        + "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{file}</SourceFilename><SourceBand>{number}</SourceBand>'
            f'<SrcRect xOff="0" yOff="0" xSize="30" ySize="40"/><DstRect xOff="{at}" yOff="0" xSize="30" ySize="40"/>'
            "</SimpleSource>"
            for file, at in (("a.tif", 0), ("b.tif", 30))
        )
        + "</VRTRasterBand>"
        for number, name in enumerate(RGB, 1)
    )
    with rasterio.open(tmp_path / "a.tif") as raster:
        system = raster.crs.to_wkt().replace('"', "&quot;")
    transform = ", ".join(map(str, UTM.to_gdal()))
    (tmp_path / "both.vrt").write_text(
        f'<VRTDataset rasterXSize="60" rasterYSize="40"><SRS>{system}</SRS>'
        f"<GeoTransform>{transform}</GeoTransform>{bands}</VRTDataset>"
    )
    with open_mosaic([tmp_path / "both.vrt"]) as mosaic:
        assert np.array_equal(whole(mosaic), array)


def test_an_unreadable_file_among_others_is_left_out_and_named_and_alone_is_refused(tmp_path):
    good = save(tmp_path / "good.tif", numbered(30, 30))
    cut = tmp_path / "cut.tif"
    cut.write_bytes(good.read_bytes()[:60])
    with open_mosaic([cut, good]) as mosaic:
        assert mosaic.paths == (str(good),)
        assert "cut.tif" in mosaic.left_out[0]
    with pytest.raises(ImageryError, match=r"cut\.tif"):
        open_mosaic([cut])
    with pytest.raises(ImageryError, match=r"missing.tif does not exist"):  # a slip of the pen, not a broken file
        open_mosaic([good, tmp_path / "missing.tif"])


# --- STAC item collections ---


def asset(href, bands=None, file=None, **more):
    """An asset; with `file`, also where it lies."""
    told = {"href": href, "type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data"], **more}
    if bands:
        told["eo:bands"] = [{"name": band} for band in bands]
    if file is not None:
        with rasterio.open(file) as raster:
            told |= {"proj:transform": list(raster.transform)[:6], "proj:shape": list(raster.shape)}
    return told


def item(name, assets, **properties):
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "sentinel-2-l2a", "links": [],
        "geometry": {"type": "Point", "coordinates": [-44, -20]}, "bbox": [-44, -20, -44, -20], "assets": assets,
        "stac_extensions": [],
        "properties": {"datetime": "2024-06-03T13:00:00Z", "proj:epsg": 32723, **properties},
    }  # fmt: skip


def collection(path, *items):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(items)}))
    return path


def scene(folder, name, array, *, col=0, offset=0, told=True):
    """Files of one band each at its native pixel size, and the item that names them."""
    assets = {}
    for number, (key, step) in enumerate({"B02": 1, "B05": 2, "B01": 6}.items()):
        moved = UTM @ Affine.translation(col, 0) @ Affine.scale(step)
        pixels = (array[::step, ::step, number : number + 1] + offset).astype(np.uint16)
        path = save(folder / f"{name}_{key}.tif", pixels, names=("",), transform=moved, nodata=0)
        assets[key] = asset(path.name, file=path if told else None)
    return item(name, assets, **{"s2:processing_baseline": "05.09" if offset else "02.08"})


def steps(array):
    """What nearest neighbour makes of bands of 10, 20 and 60 m on 10 m pixels."""
    shown = array.copy()
    for number, step in ((1, 2), (2, 6)):
        band = array[::step, ::step, number]
        shown[..., number] = band.repeat(step, 0).repeat(step, 1)[: array.shape[0], : array.shape[1]]
    return shown


@pytest.mark.parametrize("told", [True, False])
def test_items_with_a_file_for_each_band_are_read_on_the_10_m_grid_without_their_offset(tmp_path, told):
    array = numbered(60, 120)
    items = collection(
        tmp_path / "items.json",
        scene(tmp_path, "west", array[:, :66], told=told),
        scene(tmp_path, "east", array[:, 60:], col=60, offset=1000, told=told),
    )
    with open_mosaic([items]) as mosaic:
        assert (mosaic.bands, mosaic.level) == (("B1", "B2", "B5"), ProductLevel.L2A)
        assert (mosaic.imagery_start, mosaic.imagery_end) == (date(2024, 6, 3), date(2024, 6, 3))
        assert mosaic.paths == ("west", "east")
        found = whole(mosaic, ("B2", "B5", "B1"))
        odd = mosaic.read(PixelWindow(7, 31, 11, 40), ("B1", "B2"))
        copy = pickle.loads(pickle.dumps(mosaic))  # noqa: S301 -- our own bytes
        assert np.array_equal(whole(copy, ("B2", "B5", "B1")), found)
    expected = steps(array)
    assert np.array_equal(found, expected)
    assert np.array_equal(odd, expected[7:18, 31:71][..., [2, 0]])


def test_items_with_one_file_of_many_bands_take_names_from_the_item_or_the_file(tmp_path):
    array = numbered(30, 60)
    save(tmp_path / "a.tif", array[:, :30], names=("", "", ""))
    save(tmp_path / "b.tif", array[:, 30:], transform=UTM @ Affine.translation(30, 0))
    shown = {"thumbnail": {"href": "a.png", "type": "image/png", "roles": ["thumbnail"]}}
    items = collection(
        tmp_path / "items.geojson",
        item("one", {"mosaic": asset("a.tif", RGB), **shown}),
        item("two", {"mosaic": asset("b.tif")}),
    )
    with open_mosaic([items]) as mosaic:
        assert np.array_equal(whole(mosaic), array)


def test_an_item_that_does_not_tell_its_offset_is_left_out_unless_it_is_stated(tmp_path):
    array = numbered(60, 120)
    silent = scene(tmp_path, "silent", array[:, :60])
    silent["properties"].pop("s2:processing_baseline")
    items = collection(tmp_path / "items.json", silent, scene(tmp_path, "good", array[:, 60:], col=60))
    with open_mosaic([items]) as mosaic:
        assert mosaic.paths == ("good",)
        assert "silent was left out: it states neither" in mosaic.left_out[0]
    with open_mosaic([items], dn_offset=0) as mosaic:
        assert mosaic.paths == ("silent", "good")


def test_a_file_that_is_not_as_its_item_says_fails_where_it_is_read(tmp_path):
    array = numbered(60, 60)
    good = scene(tmp_path, "moved", array)
    good["assets"]["B05"]["proj:transform"][2] += 20
    with open_mosaic([collection(tmp_path / "items.json", good)]) as mosaic:
        assert mosaic.read(PixelWindow(0, 0, 9, 9), ("B2",)).any()
        with pytest.raises(ImageryError, match="lies elsewhere, or has another size, than was said of it"):
            mosaic.read(PixelWindow(0, 0, 9, 9), ("B5",))


def test_a_scene_without_a_band_that_others_have_fails_where_it_is_read(tmp_path):
    array = numbered(60, 120)
    short = scene(tmp_path, "short", array[:, :60])
    short["assets"].pop("B01")
    items = collection(tmp_path / "items.json", short, scene(tmp_path, "good", array[:, 60:], col=60))
    with open_mosaic([items]) as mosaic:
        assert mosaic.read(PixelWindow(0, 60, 60, 60), ("B1",)).any()
        with pytest.raises(ImageryError, match="short has no file of B1"):
            mosaic.read(PixelWindow(0, 30, 60, 60), ("B1", "B2"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1]", "holds a list"),
        ("nonsense", "cannot be read"),
        ('{"type": "FeatureCollection", "features": []}', "holds no item"),
        ('{"type": "FeatureCollection", "features": [{"type": "Feature"}]}', "is no STAC item collection"),
        (json.dumps(item("bare", {})), "bare names no GeoTIFF of Sentinel-2 bands: no assets"),
    ],
)
def test_what_is_no_item_collection_is_refused_in_words(tmp_path, text, sentence):
    (tmp_path / "items.json").write_text(text)
    with pytest.raises(ImageryError, match=sentence):
        open_mosaic([tmp_path / "items.json"])


def test_items_of_two_zones_are_two_mosaics(tmp_path):
    array = numbered(60, 60)
    other = scene(tmp_path, "east", array)
    other["properties"]["proj:epsg"] = 32724
    items = collection(tmp_path / "items.json", scene(tmp_path, "west", array), other)
    made = open_mosaics([items])
    assert {crs: mosaic.paths for crs, mosaic in made.items()} == {"EPSG:32723": ("west",), "EPSG:32724": ("east",)}


# --- addresses ---


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("https://host/a.tif?X-Amz-Signature=abc&b=1", "/vsicurl/https://host/a.tif"),
        ("https://user:word@host:8080/a.tif", "/vsicurl/https://host:8080/a.tif"),
        ("s3://bucket/key.tif", "/vsis3/bucket/key.tif"),
        ("/vsicurl/http://host/a.tif", "/vsicurl/http://host/a.tif"),
        ("/data/a?b.tif", "/data/a?b.tif"),
    ],
)
def test_an_address_is_known_without_what_is_secret_in_it_and_read_with_it(typed, known):
    assert network.gdal_path(typed) == known
    assert (
        network.full_address(known)
        .removeprefix("/vsicurl/")
        .endswith(typed.removeprefix("s3:/").removeprefix("/vsicurl/"))
    )


def test_two_addresses_that_differ_only_in_what_is_not_shown_are_refused():
    with pytest.raises(ImageryError, match=r"two addresses differ only in what is behind the \? of https://host/get"):
        open_mosaic(["https://host/get?id=1", "https://host/get?id=2"])


def test_what_gdal_logs_of_a_signed_address_has_no_signature(caplog):
    import logging

    network.gdal_path("https://host/a.tif?sig=topsecret")
    with caplog.at_level(logging.DEBUG, "rasterio"):
        logging.getLogger("rasterio._env").error("CPLE_AppDefined in %s", "/vsicurl/https://host/a.tif?sig=topsecret")
    assert "/vsicurl/https://host/a.tif" in caplog.text
    assert "topsecret" not in caplog.text


def test_grids_with_gaps_are_equal_where_their_gaps_are():
    gap = shapely.box(0, 0, 5, 5)
    first, second = (RasterGrid(9, 9, UTM, "EPSG:32723", covered=gap) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != RasterGrid(9, 9, UTM, "EPSG:32723")
