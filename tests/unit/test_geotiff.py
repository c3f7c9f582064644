import pickle
import resource
import threading
from datetime import date

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.geotiff import check_aoi, check_bands, open_mosaic, open_mosaics, pixel_size_m, write_mosaic

UTM = Affine(10, 0, 600_000, 0, -10, 7_800_000)
RGB = ("B2", "B3", "B4")


def numbered(height, width, bands=3):
    """DN that tell their own place."""
    rows, cols, band = np.mgrid[:height, :width, :bands]
    return (1 + rows * 211 + cols * 7 + band).astype(np.uint16)


def save(path, array, *, names=RGB, transform=UTM, crs="EPSG:32723", tags=None, **profile):
    height, width, count = array.shape
    options = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": array.dtype, **profile}
    with rasterio.open(path, "w", crs=crs, transform=transform, **options) as dataset:
        dataset.write(np.moveaxis(array, -1, 0))
        dataset.descriptions = names
        dataset.update_tags(**(tags or {}))
    return path


def whole(mosaic, bands=RGB):
    return mosaic.read(PixelWindow(0, 0, mosaic.grid.height_px, mosaic.grid.width_px), bands)


def test_a_written_mosaic_reads_back_with_bands_level_dates_and_source(tmp_path):
    array = numbered(70, 50, 12)
    array[3:9, 4:8] = 0
    grid = RasterGrid(70, 50, UTM, "EPSG:32723")
    path = write_mosaic(
        tmp_path / "new" / "m.tif", array, grid, L1C_BANDS, ProductLevel.L1C,
        imagery_start=date(2019, 6, 1), imagery_end=date(2019, 9, 30), source="a test",
    )  # fmt: skip
    with open_mosaic([path]) as mosaic:
        assert mosaic.grid == grid
        assert (mosaic.bands, mosaic.level, mosaic.source) == (L1C_BANDS, ProductLevel.L1C, "a test")
        assert (mosaic.imagery_start, mosaic.imagery_end) == (date(2019, 6, 1), date(2019, 9, 30))
        assert np.array_equal(whole(mosaic, L1C_BANDS), array)
    assert [p.name for p in path.parent.iterdir()] == ["m.tif"]


def test_a_mosaic_is_written_from_blocks_in_any_order(tmp_path):
    array = numbered(600, 530)
    windows = [PixelWindow(512, 0, 88, 512), PixelWindow(0, 512, 512, 18), PixelWindow(0, 0, 512, 512)]
    blocks = ((w, array[w.row : w.row + w.height, w.col : w.col + w.width]) for w in windows)
    path = write_mosaic(tmp_path / "m.tif", blocks, RasterGrid(600, 530, UTM, "EPSG:32723"), RGB, None)
    array[512:, 512:] = 0
    with open_mosaic([path]) as mosaic:
        assert np.array_equal(whole(mosaic), array)
        assert mosaic.level is None


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_window_of_any_cut_into_tiles_reads_as_from_one_raster_with_zeros_outside(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("tiles")
    array = numbered(40, 60)
    cut_row, cut_col = data.draw(st.integers(1, 39)), data.draw(st.integers(1, 59))
    paths = []
    for rows in (slice(0, cut_row), slice(cut_row, 40)):
        for cols in (slice(0, cut_col), slice(cut_col, 60)):
            moved = UTM @ Affine.translation(cols.start, rows.start)
            paths.append(save(folder / f"{len(paths)}.tif", array[rows, cols], transform=moved))
    shuffled = data.draw(st.permutations(paths))
    row, col = data.draw(st.integers(-20, 50)), data.draw(st.integers(-20, 70))
    height, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
    expected = np.zeros((200, 200, 3), np.uint16)
    expected[50:90, 50:110] = array
    with open_mosaic(shuffled) as mosaic:
        found = mosaic.read(PixelWindow(row, col, height, width), ("B4", "B2"))
        assert (mosaic.grid.height_px, mosaic.grid.width_px) == (40, 60)
    assert found.dtype == np.uint16
    assert np.array_equal(found, expected[row + 50 : row + 50 + height, col + 50 : col + 50 + width, [2, 0]])


def test_bands_are_picked_by_description_whatever_their_order_and_other_bands_are_ignored(tmp_path):
    array = numbered(30, 30, 4)
    path = save(tmp_path / "m.tif", array, names=("QA60", "red", "B02", "Band 3"))
    with open_mosaic([path]) as mosaic:
        assert mosaic.bands == ("B4", "B2", "B3")
        assert np.array_equal(whole(mosaic), array[..., [2, 3, 1]])


def test_bands_without_names_are_taken_in_the_order_given(tmp_path):
    path = save(tmp_path / "m.tif", numbered(30, 30), names=("", "", ""))
    with pytest.raises(ImageryError, match=r"none of the 3 bands .* is named.*--bands"):
        open_mosaic([path])
    with pytest.raises(ImageryError, match=r"2 band names .* 3, one for each"):
        open_mosaic([path], bands=("B2", "B3"))
    with pytest.raises(ImageryError, match="'B99' is no Sentinel-2 band"):
        open_mosaic([path], bands=("B2", "B3", "B99"))
    with open_mosaic([path], bands=("B02", "green", "B4")) as mosaic:
        assert mosaic.bands == RGB


def test_the_same_band_twice_is_refused(tmp_path):
    path = save(tmp_path / "m.tif", numbered(30, 30), names=("B2", "blue", "B4"))
    with pytest.raises(ImageryError, match="more than one band B2"):
        open_mosaic([path])


def test_the_offset_is_taken_off_and_dark_water_stays_data(tmp_path):
    array = np.array([[[0, 5, 1000], [1001, 1002, 3000]]], np.uint16)
    expected = [[[0, 1, 1], [1, 2, 2000]]]
    plain, tagged = (
        save(tmp_path / "a.tif", array),
        save(tmp_path / "b.tif", array, tags={"MINEDISC_DN_OFFSET": "1000"}),
    )
    with open_mosaic([plain], dn_offset=1000) as mosaic:
        assert whole(mosaic).tolist() == expected
    with open_mosaic([tagged]) as mosaic:
        assert whole(mosaic).tolist() == expected
    with open_mosaic([plain]) as mosaic:
        assert whole(mosaic).tolist() == array.tolist()


def test_the_offset_that_gdal_scale_and_offset_state_is_taken_off(tmp_path):
    path = save(tmp_path / "m.tif", np.full((4, 4, 3), 1500, np.uint16))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.0001,) * 3, (-0.1,) * 3
    with open_mosaic([path]) as mosaic:
        assert np.unique(whole(mosaic)).tolist() == [500]


@pytest.mark.parametrize("tag", ["0", "900"])
def test_two_different_offsets_are_refused(tmp_path, tag):
    path = save(tmp_path / "m.tif", numbered(4, 4), tags={"MINEDISC_DN_OFFSET": tag})
    with pytest.raises(ImageryError, match=f"{tag} by its tag MINEDISC_DN_OFFSET, 1000 by the call"):
        open_mosaic([path], dn_offset=1000)


@pytest.mark.parametrize("tag", ["many", "-1000", "99999", "1e3"])
def test_an_offset_that_is_none_is_refused(tmp_path, tag):
    path = save(tmp_path / "m.tif", numbered(4, 4), tags={"MINEDISC_DN_OFFSET": tag})
    with pytest.raises(ImageryError, match=r"offset|OFFSET"):
        open_mosaic([path])


def test_float_reflectance_becomes_dn_and_nan_becomes_no_data(tmp_path):
    array = np.array([[[0.1, np.nan, 0.0], [0.00001, -0.05, 7.0], [-3.0, np.inf, 0.55556]]], np.float32)
    with open_mosaic([save(tmp_path / "m.tif", array)]) as mosaic:
        assert whole(mosaic).tolist() == [[[1000, 0, 0], [1, 1, 65535], [0, 0, 5556]]]


def test_zero_reflectance_is_dark_where_the_file_has_another_no_data_value(tmp_path):
    array = np.array([[[0.0, np.nan, -9999.0]]], np.float32)
    with open_mosaic([save(tmp_path / "a.tif", array, nodata=np.nan)]) as mosaic:
        assert whole(mosaic).tolist() == [[[1, 0, 0]]]
    with open_mosaic([save(tmp_path / "b.tif", array, nodata=-9999)]) as mosaic:
        assert whole(mosaic).tolist() == [[[1, 0, 0]]]


def test_the_files_own_no_data_value_becomes_zero(tmp_path):
    array = np.array([[[65535, 0, 300]]], np.uint16)
    with open_mosaic([save(tmp_path / "a.tif", array, nodata=65535)]) as mosaic:
        assert whole(mosaic).tolist() == [[[0, 0, 300]]]
    with open_mosaic([save(tmp_path / "b.tif", array.astype(np.int32), nodata=300)]) as mosaic:
        assert whole(mosaic).tolist() == [[[65535, 0, 0]]]


def test_signed_integers_are_read_and_undeclared_fill_below_the_lowest_dn_is_no_data(tmp_path):
    array = np.array([[[-9999, -400, 0], [1, 2, 32767]]], np.int16)
    with open_mosaic([save(tmp_path / "m.tif", array)]) as mosaic:
        assert whole(mosaic).tolist() == [[[0, 1, 0], [1, 2, 32767]]]


def test_a_mask_in_the_file_becomes_no_data(tmp_path):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = save(tmp_path / "m.tif", numbered(20, 20))
        with rasterio.open(path, "r+") as dataset:
            mask = np.full((20, 20), 255, np.uint8)
            mask[:5] = 0
            dataset.write_mask(mask)
    with open_mosaic([path]) as mosaic:
        found = whole(mosaic)
    assert not found[:5].any()
    assert np.array_equal(found[5:], numbered(20, 20)[5:])


def test_earth_engine_pixels_in_degrees_are_measured_in_metres(tmp_path):
    degrees = Affine(8.983152841195215e-05, 0, -44.2, 0, -8.983152841195215e-05, -20.1)
    path = save(tmp_path / "m.tif", numbered(30, 40), transform=degrees, crs="EPSG:4326")
    with open_mosaic([path]) as mosaic:
        height, width = pixel_size_m(mosaic.grid)
    assert height == pytest.approx(9.94, abs=0.01)
    assert width == pytest.approx(9.39, abs=0.01)


@pytest.mark.parametrize("size_m", [20, 60, 7.5, 12.5])
def test_a_wrong_pixel_size_names_the_call_that_warps_to_10_m(tmp_path, size_m):
    path = save(tmp_path / "a b.tif", numbered(30, 30), transform=Affine(size_m, 0, 6e5, 0, -size_m, 7.8e6))
    with pytest.raises(ImageryError) as caught:
        open_mosaic([path])
    assert f"{size_m:.2f}"[:3] in caught.value.found
    assert f"minedisc mosaic --source files '{path}' --bands B2,B3,B4 --out mosaic_10m.tif" in caught.value.remedy


def test_the_named_call_repeats_all_that_was_stated_of_the_file(tmp_path):
    path = save(tmp_path / "m.tif", numbered(9, 9, 12), names=[""] * 12, transform=Affine(20, 0, 6e5, 0, -20, 7.8e6))
    with pytest.raises(ImageryError) as caught:
        open_mosaic([path], level=ProductLevel.L2A, bands=L2A_BANDS, dn_offset=1000)
    words = f"--file-bands {','.join(L2A_BANDS)} --level L2A --dn-offset 1000 --out mosaic_10m.tif"
    assert f"minedisc mosaic --source files {path} {words}" in caught.value.remedy


def test_an_area_outside_the_mosaic_is_refused_with_both_extents(tmp_path):
    with open_mosaic([save(tmp_path / "m.tif", numbered(100, 100))]) as mosaic:
        west, south, _, _ = mosaic.grid.footprint.bounds
        check_aoi(mosaic, shapely.box(west, south, west + 1, south + 1))
        with pytest.raises(ImageryError, match=r"\(10\.0000, 20\.0000, 11\.0000, 21\.0000\) lies outside") as caught:
            check_aoi(mosaic, shapely.box(10, 20, 11, 21))
    assert str(round(west, 4)) in caught.value.expected


@pytest.mark.parametrize("transform", [UTM @ Affine.rotation(10), Affine(10, 0, 6e5, 0, 10, 7.8e6)])
def test_a_rotated_or_mirrored_raster_is_refused_with_the_call_that_warps_it(tmp_path, transform):
    path = save(tmp_path / "m.tif", numbered(30, 30), transform=transform)
    with pytest.raises(ImageryError, match=r"rotated or mirrored.*minedisc mosaic --source files"):
        open_mosaic([path])


def test_where_files_overlap_the_first_that_has_all_bands_counts_else_the_first_that_has_any(tmp_path):
    first, second = numbered(30, 30), numbered(30, 30) + 5000
    first[5, 20:25, 0] = 0
    first[6, 20:25] = 0
    second[7, :5] = 0
    second[6, 10:12, 1] = 0
    paths = [save(tmp_path / "a.tif", first)]
    paths.append(save(tmp_path / "b.tif", second, transform=UTM @ Affine.translation(10, 0)))
    with open_mosaic(paths) as mosaic:
        assert (mosaic.grid.height_px, mosaic.grid.width_px) == (30, 40)
        found = whole(mosaic)
    assert np.array_equal(found[8:, :30], first[8:])
    assert np.array_equal(found[:, 30:], second[:, 20:])
    assert np.array_equal(found[5, 20:25], second[5, 10:15])  # a pixel without one band gives way to a whole one
    assert np.array_equal(found[6, 22:25], second[6, 12:15])
    assert np.array_equal(found[6, 20:22], second[6, 10:12])  # where no file has all, one that has some
    with open_mosaic([*paths, paths[0]]) as mosaic:
        assert np.array_equal(whole(mosaic), found)


@pytest.mark.parametrize(
    "other",
    [
        {"transform": UTM @ Affine.translation(30.3, 0) @ Affine.scale(1.01)},
        {"transform": Affine(10.2, 0, 600_300, 0, -10.2, 7_800_000)},
    ],
)
def test_tiles_of_another_grid_name_the_call_that_warps_them(tmp_path, other):
    paths = [save(tmp_path / "a.tif", numbered(30, 30)), save(tmp_path / "b.tif", numbered(30, 30), **other)]
    with pytest.raises(ImageryError, match=r"does not lie on the pixel grid.*minedisc mosaic"):
        open_mosaic(paths)


def test_files_of_several_coordinate_systems_are_one_mosaic_each(tmp_path):
    moved = UTM @ Affine.translation(30, 0)
    paths = [save(tmp_path / "a.tif", numbered(30, 30))]
    paths.append(save(tmp_path / "b.tif", numbered(30, 30), crs="EPSG:32722", transform=moved))
    paths.append(save(tmp_path / "c.tif", numbered(30, 30), transform=moved))
    with pytest.raises(ImageryError, match=r"several coordinate systems: .*a.tif in EPSG:32723, .*b.tif in EPSG:32722"):
        open_mosaic(paths)
    made = open_mosaics(paths)
    assert [(crs, mosaic.grid.width_px, len(mosaic.paths)) for crs, mosaic in made.items()] == [
        ("EPSG:32723", 60, 2),
        ("EPSG:32722", 30, 1),
    ]
    assert open_mosaic(paths, crs="EPSG:32722").identity == made["EPSG:32722"].identity
    with pytest.raises(ImageryError, match="no file lies in EPSG:32724"):
        open_mosaic(paths, crs="EPSG:32724")


def test_tiles_with_different_bands_are_refused(tmp_path):
    paths = [save(tmp_path / "a.tif", numbered(30, 30))]
    moved = UTM @ Affine.translation(30, 0)
    paths.append(save(tmp_path / "b.tif", numbered(30, 30), transform=moved, names=("B2", "B3", "B8")))
    with pytest.raises(ImageryError, match="do not hold the same bands: B4, B8"):
        open_mosaic(paths)


def test_level_comes_from_the_tag_the_call_or_band_10_and_is_never_guessed(tmp_path):
    twelve = numbered(4, 4, 12)
    with_b10, with_b8a = (
        save(tmp_path / "a.tif", twelve, names=L1C_BANDS),
        save(tmp_path / "b.tif", twelve, names=L2A_BANDS),
    )
    tagged = save(tmp_path / "c.tif", twelve, names=L2A_BANDS, tags={"MINEDISC_LEVEL": "L2A"})
    assert open_mosaic([with_b10]).level is ProductLevel.L1C
    assert open_mosaic([with_b8a]).level is None
    assert open_mosaic([with_b8a], level=ProductLevel.L2A).level is ProductLevel.L2A
    assert open_mosaic([tagged]).level is ProductLevel.L2A
    with pytest.raises(ImageryError, match="L2A by the call; L1C by band B10"):
        open_mosaic([with_b10], level=ProductLevel.L2A)
    with pytest.raises(ImageryError, match="MINEDISC_LEVEL='L3'"):
        open_mosaic([save(tmp_path / "d.tif", twelve, names=L1C_BANDS, tags={"MINEDISC_LEVEL": "L3"})])


def test_a_missing_band_a_wrong_level_and_an_unknown_level_are_told_apart(tmp_path):
    mosaic = open_mosaic([save(tmp_path / "a.tif", numbered(4, 4), tags={"MINEDISC_LEVEL": "L2A"})])
    check_bands(mosaic, ("B4", "B2"), ProductLevel.L2A)
    with pytest.raises(ImageryError, match="has no band B8, B11; it has B2, B3, B4"):
        check_bands(mosaic, ("B2", "B8", "B11"), ProductLevel.L2A)
    with pytest.raises(ImageryError, match=r"is L2A. Expected: L1C"):
        check_bands(mosaic, RGB, ProductLevel.L1C)
    with pytest.raises(ImageryError, match=r"nothing says whether .* --level L1C"):
        check_bands(open_mosaic([save(tmp_path / "b.tif", numbered(4, 4))]), RGB, ProductLevel.L1C)
    with pytest.raises(ImageryError, match="has no band B8"):
        mosaic.read(PixelWindow(0, 0, 2, 2), ("B8",))
    with pytest.raises(ImageryError, match="has no band B8"):
        mosaic.read(PixelWindow(90, 90, 2, 2), ("B8",))


def not_rasters(folder):
    (folder / "empty.tif").touch()
    (folder / "text.tif").write_text("not a raster")
    whole_file = save(folder / "whole.tif", numbered(300, 300))
    (folder / "cut.tif").write_bytes(whole_file.read_bytes()[:100])
    save(folder / "complex.tif", np.ones((4, 4, 3), np.complex64))
    save(folder / "picture.tif", np.ones((4, 4, 3), np.uint8))
    save(folder / "float_dn.tif", np.full((4, 4, 3), 1834.5, np.float64))
    save(folder / "nowhere.tif", numbered(4, 4), crs=None)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing.tif", "does not exist"),
        ("empty.tif", "is empty"),
        ("text.tif", "cannot be opened as a raster"),
        ("cut.tif", "cannot be opened as a raster|cannot be read"),
        ("complex.tif", "holds complex64 numbers"),
        ("picture.tif", "holds uint8 numbers"),
        ("float_dn.tif", "floats with a median of 183[45].*rio convert"),
        ("nowhere.tif", "does not say where on Earth"),
        ("", "is a folder.*minedisc mosaic"),
        ("/vsizip/nothing.zip/a.tif", "cannot be opened"),
        ("a" * 300, "is no file name"),
        ("\0.tif", "is no file name|does not exist"),
    ],
)
def test_what_cannot_be_a_mosaic_is_refused_in_words(tmp_path, name, sentence):
    not_rasters(tmp_path)
    with pytest.raises(ImageryError, match=sentence):
        open_mosaic([tmp_path / name if not name.startswith("/vsi") else name])


def test_no_file_at_all_is_refused():
    with pytest.raises(ImageryError, match="the file name is empty"):
        open_mosaic([""])
    with pytest.raises(ImageryError, match="no file given"):
        open_mosaic([])


def test_a_file_damaged_inside_is_reported_when_its_rows_are_read(tmp_path):
    ramp = numbered(512, 512)
    path = save(tmp_path / "m.tif", ramp, tiled=True, blockxsize=256, blockysize=256, compress="deflate")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 500] = b"\xff" * 500
    path.write_bytes(content)
    with open_mosaic([path]) as mosaic, pytest.raises(ImageryError, match=r"rows 0-512 of .* cannot be read"):
        whole(mosaic)


def test_identity_changes_with_the_file_and_with_how_it_is_understood(tmp_path):
    path = save(tmp_path / "m.tif", numbered(20, 20))
    first = open_mosaic([path]).identity
    assert open_mosaic([path]).identity == first
    assert open_mosaic([path], dn_offset=1000).identity != first
    assert open_mosaic([path], level=ProductLevel.L1C).identity != first
    save(path, numbered(20, 20) + 1, tags={"a": "b"})
    assert open_mosaic([path]).identity != first


def test_a_pickled_mosaic_reads_the_same(tmp_path):
    with open_mosaic([save(tmp_path / "m.tif", numbered(20, 20))], dn_offset=3) as mosaic:
        copy = pickle.loads(pickle.dumps(mosaic))  # noqa: S301 -- our own bytes
        assert np.array_equal(whole(copy), whole(mosaic))
        assert copy.identity == mosaic.identity


def test_many_threads_read_the_same_file_at_once(tmp_path):
    array = numbered(300, 300)
    grid = RasterGrid(300, 300, UTM, "EPSG:32723")
    wrong = []
    with open_mosaic([write_mosaic(tmp_path / "m.tif", array, grid, RGB, None)]) as mosaic:

        def work(seed):
            for row, col in np.random.default_rng(seed).integers(0, 250, (40, 2)):
                found = mosaic.read(PixelWindow(int(row), int(col), 50, 50), RGB)
                if not np.array_equal(found, array[row : row + 50, col : col + 50]):
                    wrong.append((row, col))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    assert not wrong


def test_a_disk_that_fills_up_leaves_no_half_written_mosaic(tmp_path):
    noise = np.random.default_rng(0).integers(1, 60_000, (1024, 1024, 3)).astype(np.uint16)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(ImageryError, match=r"could not be written.*free disk space"):
            write_mosaic(tmp_path / "m.tif", noise, RasterGrid(1024, 1024, UTM, "EPSG:32723"), RGB, None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_mosaic_that_fails_while_its_pixels_are_made_leaves_the_old_file(tmp_path):
    def blocks():
        yield PixelWindow(0, 0, 4, 4), numbered(4, 4)
        raise ZeroDivisionError

    path = tmp_path / "m.tif"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_mosaic(path, blocks(), RasterGrid(8, 4, UTM, "EPSG:32723"), RGB, None)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.tif"]
