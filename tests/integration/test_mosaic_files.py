"""From files as downloaded to one mosaic: grids of 10, 20 and 60 m, folders, zips, offsets, overlaps."""

import json
import math
import resource
import shlex
import subprocess
import sys
import zipfile
from datetime import date

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.bands import ALL_BANDS, L1C_BANDS, L2A_BANDS, NATIVE_RESOLUTION_M
from minedisc_core.imagery.demo import generate_scene
from minedisc_core.imagery.files import build_mosaic, utm_crs
from minedisc_core.imagery.geotiff import open_mosaic, pixel_size_m
from minedisc_core.imagery.writing import write_mosaic

WEST, NORTH = 600_000, 7_800_000
RGB = ("B2", "B3", "B4")


def save(path, array, *, pixel_m=10, west=WEST, north=NORTH, crs="EPSG:32723", names=None, transform=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = array if array.ndim == 3 else array[..., None]
    height, width, count = array.shape
    grid = transform or Affine(pixel_m, 0, west, 0, -pixel_m, north)
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": array.dtype, **options}
    with rasterio.open(path, "w", crs=crs, transform=grid, **profile) as dataset:
        dataset.write(np.moveaxis(array, -1, 0))
        if names:
            dataset.descriptions = names
    return path


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(1, 9_000, (height, width)).astype(np.uint16)


def scene_folder(
    folder, *, size_m=1_200, west=WEST, north=NORTH, overhang_m=0, skip=(), name="T23_{}.jp2", bands=ALL_BANDS
):
    """Single-band files on grids of their own; coarse ones start `overhang_m` further north-west."""
    for index, band in enumerate(ALL_BANDS):
        pixel_m = NATIVE_RESOLUTION_M[band]
        start = overhang_m if pixel_m > 10 else 0
        side = math.ceil((size_m + start) / pixel_m)
        code = band if band == "B8A" else f"B{int(band[1:]):02d}"
        if band not in skip:
            place = {"pixel_m": pixel_m, "west": WEST - start, "north": NORTH + start}
            save(folder / f"T23_{code}.jp2", noise(side, side, index), **place)
    return folder


def pixels(path, bands=None):
    with open_mosaic([path]) as mosaic:
        window = PixelWindow(0, 0, mosaic.grid.height_px, mosaic.grid.width_px)
        return mosaic.read(window, bands or mosaic.bands)


def at_centres(file, mosaic_path):
    """Values of a single-band file at the centres of the mosaic's pixels, by plain arithmetic."""
    with rasterio.open(mosaic_path) as mosaic, rasterio.open(file) as source:
        rows, cols = np.mgrid[: mosaic.height, : mosaic.width] + 0.5
        x, y = mosaic.transform.c + 10 * cols, mosaic.transform.f - 10 * rows
        col = np.floor((x - source.transform.c) / source.transform.a).astype(int)
        row = np.floor((y - source.transform.f) / source.transform.e).astype(int)
        inside = (row >= 0) & (row < source.height) & (col >= 0) & (col < source.width)
        values = source.read(1)[np.clip(row, 0, source.height - 1), np.clip(col, 0, source.width - 1)]
        return np.where(inside, values, 0)


@pytest.mark.parametrize("overhang_m", [0, 10, 20, 40])
def test_bands_of_all_resolutions_meet_at_their_place_whatever_their_corners(tmp_path, overhang_m):
    folder = scene_folder(tmp_path / "scene", overhang_m=overhang_m)
    out = build_mosaic([folder], tmp_path / "m.tif", imagery_start=date(2019, 7, 1))
    with open_mosaic([out]) as mosaic:
        assert (mosaic.bands, mosaic.level) == (L1C_BANDS, ProductLevel.L1C)
        assert mosaic.grid.transform == Affine(10, 0, WEST, 0, -10, NORTH)
        assert (mosaic.grid.height_px, mosaic.grid.width_px, mosaic.grid.crs) == (120, 120, "EPSG:32723")
        assert (mosaic.imagery_start, mosaic.source) == (date(2019, 7, 1), "files: scene")
    found = pixels(out)
    for index, band in enumerate(L1C_BANDS):
        file = folder / f"T23_B{int(band[1:]):02d}.jp2"
        assert np.array_equal(found[..., index], at_centres(file, out)), band


@settings(max_examples=12, deadline=None)
@given(east=st.integers(-30, 30), south=st.integers(-30, 30), coarse=st.sampled_from([20, 60]))
def test_a_coarse_grid_shifted_by_whole_pixels_lands_where_its_coordinates_say(tmp_path_factory, east, south, coarse):
    folder = tmp_path_factory.mktemp("scene")
    save(folder / "s_B02.tif", noise(40, 40))
    save(folder / "s_B11.tif", noise(14, 14, 1), pixel_m=coarse, west=WEST + 10 * east, north=NORTH - 10 * south)
    out = build_mosaic([folder], folder / "m.tif", bands=("B2", "B11"))
    assert np.array_equal(pixels(out)[..., 1], at_centres(folder / "s_B11.tif", out))


def test_a_level_2a_product_in_a_zip_gives_the_finest_of_each_band(tmp_path):
    product = "S2A_MSIL2A_20190701T130251_N0212_R095_T23KNP_20190701T160000.SAFE"
    image = tmp_path / product / "GRANULE" / "L2A_T23KNP" / "IMG_DATA"
    for resolution in (10, 20, 60):
        for index, band in enumerate(ALL_BANDS):
            if band != "B10" and NATIVE_RESOLUTION_M[band] <= resolution:
                code = band if band == "B8A" else f"B{int(band[1:]):02d}"
                name = f"R{resolution}m/T23KNP_20190701T130251_{code}_{resolution}m.jp2"
                save(image / name, noise(1200 // resolution, 1200 // resolution, index), pixel_m=resolution)
    save(image / "R10m" / "T23KNP_20190701T130251_TCI_10m.jp2", np.ones((120, 120, 3), np.uint8))
    save(image / "R20m" / "T23KNP_20190701T130251_SCL_20m.jp2", np.ones((60, 60), np.uint8), pixel_m=20)
    archive = tmp_path / "download.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted((tmp_path / product).rglob("*.jp2")):
            packed.write(file, file.relative_to(tmp_path))
    out = build_mosaic([archive], tmp_path / "m.tif")
    with open_mosaic([out]) as mosaic:
        assert (mosaic.bands, mosaic.level) == (L2A_BANDS, ProductLevel.L2A)
    found = pixels(out)
    for band in ("B2", "B8A", "B11", "B1"):
        code = band if band == "B8A" else f"B{int(band[1:]):02d}"
        native = NATIVE_RESOLUTION_M[band]
        file = image / f"R{native}m" / f"T23KNP_20190701T130251_{code}_{native}m.jp2"
        assert np.array_equal(found[..., L2A_BANDS.index(band)], at_centres(file, out)), band


@pytest.mark.parametrize(("baseline", "offset"), [("0209", 0), ("0301", 0), ("0400", 1000), ("0510", 1000)])
def test_the_processing_baseline_in_the_products_name_states_the_offset(tmp_path, baseline, offset):
    product = tmp_path / f"S2B_MSIL1C_20220301T130251_N{baseline}_R095_T23KNP_20220301T160000.SAFE"
    scene_folder(product, size_m=240)
    found = pixels(build_mosaic([product], tmp_path / "m.tif"))
    stored = at_centres(product / "T23_B02.jp2", tmp_path / "m.tif").astype(int)
    assert np.array_equal(found[..., 1], np.maximum(stored - offset, 1))
    with pytest.raises(ImageryError, match=rf"baseline {baseline}, so its DN offset is {offset}, not 500"):
        build_mosaic([product], tmp_path / "n.tif", dn_offset=500)


def test_a_mosaic_never_replaces_a_file_that_it_is_made_of(tmp_path):
    path = save(tmp_path / "a.tif", np.stack([noise(60, 60, k) for k in range(3)], -1), names=RGB)
    before = path.read_bytes()
    with pytest.raises(ImageryError, match="is one of the files"):
        build_mosaic([path], tmp_path / "a.tif", level=ProductLevel.L1C, bands=RGB)
    assert path.read_bytes() == before


def test_an_offset_that_was_stated_is_taken_off_and_recorded_as_gone(tmp_path):
    folder = tmp_path / "s"
    save(folder / "s_B02.tif", np.array([[0, 300, 1000, 1500]] * 4, np.uint16))
    out = build_mosaic([folder], tmp_path / "m.tif", bands=("B2",), dn_offset=1000)
    assert pixels(out)[0, :, 0].tolist() == [0, 1, 1, 500]
    with rasterio.open(out) as dataset:
        assert dataset.tags()["MINEDISC_DN_OFFSET"] == "0"


def test_the_call_that_a_wrong_pixel_size_names_works_as_written(tmp_path):
    coarse = save(tmp_path / "a 20 m.tif", np.dstack([noise(60, 60, k) for k in range(3)]), pixel_m=20, names=RGB)
    with pytest.raises(ImageryError) as caught:
        open_mosaic([coarse], dn_offset=100)
    words = shlex.split(caught.value.remedy.split(": ", 1)[1])
    run = subprocess.run(
        [sys.executable, "-m", "minedisc_core.cli", *words[1:], "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    facts = json.loads(run.stdout)
    assert (facts["width_px"], facts["height_px"], facts["bands"]) == (120, 120, list(RGB))
    assert np.array_equal(pixels(tmp_path / "mosaic_10m.tif")[::2, ::2, 0], np.maximum(noise(60, 60) - 100.0, 1))


def test_pixels_in_degrees_are_warped_to_the_utm_zone_of_their_middle(tmp_path):
    step = 20 / 111_320
    array = np.dstack([noise(50, 60, k) for k in range(3)])
    path = save(
        tmp_path / "d.tif", array, transform=Affine(step, 0, -44.2, 0, -step, -20.1), crs="EPSG:4326", names=RGB
    )
    out = build_mosaic([path], tmp_path / "m.tif", bands=RGB)
    with open_mosaic([out]) as mosaic:
        assert mosaic.grid.crs == "EPSG:32723"
        assert (mosaic.grid.transform.a, mosaic.grid.transform.c % 10, mosaic.grid.transform.f % 10) == (10, 0, 0)
        assert pixel_size_m(mosaic.grid) == pytest.approx((10, 10), rel=1e-3)
        grid = mosaic.grid
    found = pixels(out)
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    right = 0
    for row, col in np.random.default_rng(0).integers(15, 75, (200, 2)):
        lon, lat = to_degrees.transform(*(grid.transform @ (col + 0.5, row + 0.5)))
        i, j = (-20.1 - lat) / step, (lon + 44.2) / step
        right += np.array_equal(found[row, col], array[int(i), int(j)])
    assert right >= 198


@pytest.mark.parametrize(
    ("bounds", "code"),
    [((-44, -21, -43, -20), "EPSG:32723"), ((-61, 1, -60.1, 2), "EPSG:32620"), ((179, 5, 180, 6), "EPSG:32660")],
)
def test_the_zone_is_that_of_the_middle(bounds, code):
    assert utm_crs(bounds) == code


def test_pixels_finer_than_8_m_are_averaged(tmp_path):
    fine = noise(80, 80)
    path = save(tmp_path / "s_B02.tif", fine, pixel_m=5)
    found = pixels(build_mosaic([path], tmp_path / "m.tif", bands=("B2",)))[..., 0]
    expected = fine.reshape(40, 2, 40, 2).mean(axis=(1, 3))
    assert np.abs(found - expected).max() <= 1


def test_where_scenes_overlap_the_first_whole_pixel_wins(tmp_path):
    for name, west, value in (("a", WEST, 100), ("b", WEST + 200, 200)):
        for band in ("B02", "B03"):
            array = np.full((40, 40), value, np.uint16)
            if name == "a" and band == "B03":
                array[:, 30:35] = 0
            array[:10, 20:30] = 0 if name == "a" else value
            save(tmp_path / "s" / f"{name}_{band}.tif", array, west=west)
    found = pixels(build_mosaic([tmp_path / "s"], tmp_path / "m.tif", bands=("B2", "B3")))
    assert found.shape == (40, 60, 2)
    assert (found[:, :20] == 100).all()
    assert (found[:10, 20:30] == 200).all()
    assert (found[10:, 20:30] == 100).all()
    assert (found[:, 30:35] == 200).all()
    assert (found[:, 35:40] == 100).all()
    assert (found[:, 40:] == 200).all()


def test_scenes_of_two_zones_meet_in_the_zone_of_the_middle(tmp_path):
    to_23 = Transformer.from_crs("EPSG:4326", "EPSG:32723", always_xy=True)
    to_22 = Transformer.from_crs("EPSG:4326", "EPSG:32722", always_xy=True)
    first, second = to_23.transform(-47.99, -15.5), to_22.transform(-48.01, -15.5)
    array = np.full((300, 300), 700, np.uint16)
    save(tmp_path / "s" / "a_B02.tif", array, west=round(first[0]), north=round(first[1]))
    save(tmp_path / "s" / "b_B02.tif", array + 1, west=round(second[0]), north=round(second[1]), crs="EPSG:32722")
    found = pixels(build_mosaic([tmp_path / "s"], tmp_path / "m.tif", bands=("B2",)))[..., 0]
    assert 400 < found.shape[1] < 600
    assert set(np.unique(found)) == {0, 700, 701}


def test_an_area_cuts_the_mosaic_and_leaves_what_its_cells_look_at(tmp_path):
    path = save(tmp_path / "s_B02.tif", noise(600, 700))
    whole = pixels(build_mosaic([path], tmp_path / "whole.tif", bands=("B2",)))
    to_degrees = Transformer.from_crs("EPSG:32723", "EPSG:4326", always_xy=True)
    corners = [to_degrees.transform(WEST + 10 * c, NORTH - 10 * r) for c, r in ((300, 200), (400, 260))]
    aoi = shapely.box(*np.sort([c[0] for c in corners]), *np.sort([c[1] for c in corners]))
    aoi = shapely.box(corners[0][0], corners[1][1], corners[1][0], corners[0][1])
    out = build_mosaic([path], tmp_path / "m.tif", bands=("B2",), aoi=aoi)
    with open_mosaic([out]) as mosaic:
        col = round((mosaic.grid.transform.c - WEST) / 10)
        row = round((NORTH - mosaic.grid.transform.f) / 10)
        assert (row, col) == pytest.approx((200 - 127, 300 - 127), abs=3)
        assert (mosaic.grid.height_px, mosaic.grid.width_px) == pytest.approx((60 + 254, 100 + 254), abs=6)
    found = pixels(out)
    assert np.array_equal(found, whole[row : row + found.shape[0], col : col + found.shape[1]])


def test_an_area_outside_is_refused_with_both_extents(tmp_path):
    path = save(tmp_path / "s_B02.tif", noise(60, 60))
    with pytest.raises(ImageryError, match=r"\(10\.000, 10\.000, 11\.000, 11\.000\) lies outside .*-44\.\d+ to -4"):
        build_mosaic([path], tmp_path / "m.tif", bands=("B2",), aoi=shapely.box(10, 10, 11, 11))
    assert not (tmp_path / "m.tif").exists()


def test_floats_with_nan_and_files_with_a_mask_keep_their_holes(tmp_path):
    array = np.full((20, 20), 0.25, np.float32)
    array[:5] = np.nan
    save(tmp_path / "f_B02.tif", array, pixel_m=20)
    found = pixels(build_mosaic([tmp_path / "f_B02.tif"], tmp_path / "f.tif", bands=("B2",)))[..., 0]
    assert (found[:10] == 0).all()
    assert (found[10:] == 2500).all()
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        masked = save(tmp_path / "g_B02.tif", noise(20, 20), pixel_m=20)
        with rasterio.open(masked, "r+") as dataset:
            mask = np.full((20, 20), 255, np.uint8)
            mask[:, :7] = 0
            dataset.write_mask(mask)
    found = pixels(build_mosaic([masked], tmp_path / "g.tif", bands=("B2",)))[..., 0]
    assert (found[:, :14] == 0).all()
    assert np.array_equal(found[::2, 14::2], noise(20, 20)[:, 7:])


@pytest.mark.parametrize("pixel_m", [10, 20])
def test_an_alpha_band_is_a_mask(tmp_path, pixel_m):
    array = np.dstack([noise(40, 40, k) for k in range(3)] + [np.full((40, 40), 65_535, np.uint16)])
    array[:10, :, 3] = 0
    names = (*RGB, "")
    path = save(tmp_path / "a.tif", array, pixel_m=pixel_m, names=names, photometric="rgb", alpha="yes")
    times = pixel_m // 10
    found = pixels(build_mosaic([path], tmp_path / "m.tif", bands=RGB))
    assert not found[: 10 * times].any()
    assert np.array_equal(found[10 * times :: times, ::times], array[10:, :, :3])


def test_a_rotated_raster_is_turned_north(tmp_path):
    turned = Affine.translation(WEST, NORTH) @ Affine.rotation(30) @ Affine.scale(10, -10)
    path = save(tmp_path / "s_B02.tif", np.full((100, 100), 900, np.uint16), transform=turned)
    with pytest.raises(ImageryError, match="rotated"):
        open_mosaic([path], bands=("B2",))
    out = build_mosaic([path], tmp_path / "m.tif", bands=("B2",))
    assert (pixels(out) == 900).sum() == pytest.approx(10_000, rel=0.01)


def test_a_mosaic_built_into_the_sources_folder_can_be_built_again(tmp_path):
    folder = scene_folder(tmp_path, size_m=240)
    out = build_mosaic([folder], tmp_path / "m.tif")
    first = pixels(out)
    assert np.array_equal(pixels(build_mosaic([folder], out)), first)


def test_unnamed_bands_take_the_order_given(tmp_path):
    array = np.dstack([noise(30, 30, k) for k in range(13)])
    path = save(tmp_path / "x.tif", array, pixel_m=20)
    out = build_mosaic([path], tmp_path / "m.tif", file_bands=ALL_BANDS)
    assert np.array_equal(pixels(out, ("B8",))[::2, ::2, 0], array[..., ALL_BANDS.index("B8")])


def test_progress_ends_with_all_blocks(tmp_path):
    told = []
    path = save(tmp_path / "s_B02.tif", noise(1100, 30))
    build_mosaic([path], tmp_path / "m.tif", bands=("B2",), on_progress=lambda done, all_: told.append((done, all_)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda p: scene_folder(p / "s", size_m=240, skip=("B11", "B9")), r"has no band B9, B11; found: B1, .*--bands"),
        (lambda p: scene_folder(p / "s", size_m=240, skip=("B10",)), r"nothing says whether .* is L1C or L2A.*--level"),
        (lambda p: (p / "s").mkdir(), r"holds no raster of a Sentinel-2 band"),
        (lambda p: [save(p / "s" / name, noise(4, 4)) for name in ("B02.tif", "B02.jp2")], r"are both band B2"),
        (lambda p: save(p / "s" / "a_B02.tif", np.ones((4, 4), np.uint8)), r"holds uint8 numbers"),
        (lambda p: save(p / "s" / "a_B02.tif", noise(4, 4), crs=None), r"does not say where on Earth"),
    ],
)  # fmt: skip
def test_a_folder_that_makes_no_mosaic_is_refused_in_words(tmp_path, prepare, sentence):
    prepare(tmp_path)
    with pytest.raises(ImageryError, match=sentence):
        build_mosaic([tmp_path / "s"], tmp_path / "m.tif")
    assert not list(tmp_path.glob("*m.tif*"))


def test_sources_that_are_none_are_refused_in_words(tmp_path):
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(ImageryError, match=r"no whole zip"):
        build_mosaic([tmp_path / "broken.zip"], tmp_path / "m.tif")
    with pytest.raises(ImageryError, match=r"does not exist"):
        build_mosaic([tmp_path / "gone"], tmp_path / "m.tif")
    with pytest.raises(ImageryError, match=r"no source given"):
        build_mosaic([], tmp_path / "m.tif")


def test_levels_that_disagree_are_refused(tmp_path):
    folder = scene_folder(tmp_path / "s", size_m=240)
    with pytest.raises(ImageryError, match=r"said to be L1C and L2A"):
        build_mosaic([folder], tmp_path / "m.tif", level=ProductLevel.L2A)


def test_a_source_cut_short_and_a_full_disk_leave_no_mosaic(tmp_path):
    path = save(tmp_path / "s" / "s_B02.tif", noise(600, 600), tiled=True, blockxsize=256, blockysize=256)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ImageryError, match=r"could not be written.*free disk space"):
            build_mosaic([path], tmp_path / "m.tif", bands=("B2",))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    path.write_bytes(path.read_bytes()[:300_000])
    with pytest.raises(ImageryError, match=r"s_B02.tif cannot be read"):
        build_mosaic([path], tmp_path / "m.tif", bands=("B2",))
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_pieces_of_an_export_become_one_mosaic_with_their_counts_of_looks(tmp_path):
    scene = generate_scene(402, 5)
    looks = np.arange(402 * 402, dtype=np.uint16).reshape(402, 402) % 30
    pieces = tmp_path / "drive"
    pieces.mkdir()
    for col, name in ((0, "0000000000-0000000000"), (201, "0000000000-0000000201")):
        part = RasterGrid(402, 201, scene.grid.transform @ Affine.translation(col, 0), scene.grid.crs)
        write_mosaic(pieces / f"mg-{name}.tif", scene.l1c[:, col : col + 201], part, L1C_BANDS, None)
        write_mosaic(pieces / f"mg_looks-{name}.tif", looks[:, col : col + 201, None], part, ["looks"], None)
    out = build_mosaic([pieces], tmp_path / "mg.tif")
    with open_mosaic([out]) as made:
        assert np.array_equal(made.read(PixelWindow(0, 0, 402, 402), L1C_BANDS), scene.l1c)
    with rasterio.open(tmp_path / "mg.looks.tif") as counted:
        assert np.array_equal(counted.read(1), looks)
    story = json.loads((tmp_path / "mg.tif.json").read_text())
    assert (story["level"], story["looks_file"], len(story["scene_list"])) == ("L1C", "mg.looks.tif", 2)


def test_a_mosaic_of_files_tells_beside_it_what_it_is_made_of_and_touches_no_file_of_another_name(
    tmp_path,
):
    scene = generate_scene(402, 5)
    write_mosaic(tmp_path / "one.tif", scene.l1c, scene.grid, L1C_BANDS, None)
    (tmp_path / "area.json").write_text("my own")
    out = build_mosaic([tmp_path / "one.tif"], tmp_path / "area.tif", imagery_start=date(2024, 6, 1))
    story = json.loads((tmp_path / "area.tif.json").read_text())
    assert (story["start"], story["end"], story["looks_file"]) == ("2024-06-01", None, None)
    assert "not counted" in story["looks_note"]
    assert (tmp_path / "area.json").read_text() == "my own"
    assert out == tmp_path / "area.tif"
