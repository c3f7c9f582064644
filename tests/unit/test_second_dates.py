"""The same ground on other dates: which runs count, what their pictures show, and what may go wrong."""

import json
import resource
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pytest
from affine import Affine
from PIL import Image

from minedisc_core.detection.sites import SiteGroups
from minedisc_core.domain import Coverage, Impact, ProductLevel, RunState, RunSummary, Site
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.chips import CHIP_KINDS, chip_name, chip_names
from minedisc_core.imagery.geotiff import open_mosaic, write_mosaic
from minedisc_core.imagery.same_ground import read_same_ground
from minedisc_core.jobs import ScanRequest, second_dates
from minedisc_core.jobs.pictures import write_pictures
from minedisc_core.jobs.second_dates import SecondDates, dates_of_site, make_pair, other_dates, read_dated
from minedisc_core.runs import REQUEST, SCORES, write_json, write_summary

SIDE = 460
GRID = RasterGrid(SIDE, SIDE, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
PEAK = (230, 225)
DAYS = (date(2024, 6, 1), date(2024, 8, 31))
MARK_LONLAT = GRID.lonlat(np.array([250.5]), np.array([205.5]))[0]
"""20 rows below and 20 columns left of the peak: chip pixel (120, 80)."""


def pixels_with_mark(grid, bands=L1C_BANDS):
    array = np.random.default_rng(5).integers(900, 1_000, (grid.height_px, grid.width_px, len(bands))).astype(np.uint16)
    row, col = grid.pixel(*MARK_LONLAT)
    array[row - 2 : row + 3, col - 2 : col + 3] = 8_000
    return array


def site(row=PEAK[0], col=PEAK[1], name="r-0001", score=0.9):
    polygon = GRID.site_polygon(np.array([[(row - 100) // 27, (col - 100) // 27]]))
    lon, lat = GRID.lonlat(np.array([row + 0.5]), np.array([col + 0.5]))[0].tolist()
    return Site(name, polygon, lon, lat, lon, lat, row, col, score, 0.8, 1, 7.3, Impact.HIGH, None, False)


def save_run(runs, name, grid=GRID, days=DAYS, pixels=None, bands=L1C_BANDS):
    """A finished run's folder with its mosaic beside it, as a scan leaves them."""
    folder = runs / name
    folder.mkdir(parents=True)
    array = pixels_with_mark(grid, bands) if pixels is None else pixels
    path = write_mosaic(runs.parent / f"{name}.tif", array, grid, bands, ProductLevel.L1C, imagery_start=days[0],
                        imagery_end=days[1], source="a test")  # fmt: skip
    with open_mosaic([path]) as mosaic:
        identity = mosaic.identity
    asked = ScanRequest((str(path),), "m").to_json()
    write_json(folder / REQUEST, {**asked, "run_id": name, "mosaic_identity": identity})
    save_scores(folder, grid)
    summary = RunSummary(
        name, RunState.COMPLETE, "m", ProductLevel.L1C, 0.6, (str(path),), *days, "a test",
        Coverage(1, 1, 1, 1, 0, 0, 0), 1, 0, 1.0, datetime(2026, 1, 2),
    )  # fmt: skip
    write_summary(folder, summary)
    return folder


def save_scores(folder, grid):
    import rasterio

    rows, cols = grid.cells
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "float32"}
    with rasterio.open(folder / SCORES, "w", crs=grid.crs, transform=grid.cell_transform, **profile) as raster:
        raster.write(np.zeros((rows, cols), np.float32), 1)


def save_stretch(run, low, high):
    (run.folder / "chips").mkdir()
    limits = {band: [low, high] for band in ("B2", "B3", "B4", "B8", "B12")}
    (run.folder / "chips" / "stretch.json").write_text(json.dumps(limits))


def moved(rows, cols):
    return RasterGrid(SIDE, SIDE, GRID.transform @ Affine.translation(cols, rows), GRID.crs)


def in_next_zone():
    """The same ground in UTM zone 24, where the grid is turned by two degrees."""
    from pyproj import Transformer

    lon, lat = site().peak_lon, site().peak_lat
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32724", always_xy=True).transform(lon, lat)
    return RasterGrid(SIDE, SIDE, Affine(10, 0, x - 2_303, 0, -10, y + 2_297), "EPSG:32724")


def in_degrees():
    lon, lat = site().peak_lon, site().peak_lat
    step = 10 / 111_320
    return RasterGrid(SIDE, SIDE, Affine(step, 0, lon - 230 * step, 0, -step, lat + 230 * step), "EPSG:4326")


GRIDS = {"same": GRID, "shifted": moved(-37, 12), "half a pixel off": moved(0.5, -3.5), "zone 24": in_next_zone(),
         "degrees": in_degrees()}  # fmt: skip
LATER = (date(2025, 6, 1), date(2025, 8, 31))


@pytest.mark.parametrize("name", GRIDS)
def test_a_marker_lands_on_the_same_chip_pixel_whatever_the_other_grid_is(tmp_path, name):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "first"))
    (other,) = other_dates(own, [save_run(runs, "second", GRIDS[name], LATER)])
    save_stretch(other, 0, 9_000)
    assert make_pair(own.folder, own.grid, site(), other)
    folder = second_dates.pair_folder(own.folder, other)
    assert {path.name for path in folder.iterdir()} == set(chip_names("r-0001", CHIP_KINDS))
    with Image.open(folder / chip_name("r-0001", "true_colour")) as picture:
        found = np.asarray(picture.convert("L")).astype(int)
    bright = np.argwhere(found > (found.max() + np.median(found)) / 2)
    assert bright.mean(axis=0) == pytest.approx([120, 80], abs=1)


@pytest.mark.parametrize("name", ["same", "shifted"])
def test_on_one_pixel_grid_the_pixels_are_the_files_own(tmp_path, name):
    other = GRIDS[name]
    array = pixels_with_mark(other)
    with open_mosaic([write_mosaic(tmp_path / "m.tif", array, other, L1C_BANDS, ProductLevel.L1C)]) as mosaic:
        row, col = (
            round((GRID.transform.f - other.transform.f) / -10),
            round((GRID.transform.c - other.transform.c) / 10),
        )
        found = read_same_ground(mosaic, GRID, PixelWindow(120, 130, 50, 60), ("B8", "B2"))
    expected = array[120 + row : 170 + row, 130 + col : 190 + col][..., [7, 1]]
    assert np.array_equal(found, expected)


def test_warping_never_mixes_in_what_is_no_data(tmp_path):
    grid = GRIDS["zone 24"]
    array = np.full((SIDE, SIDE, 12), 5_000, np.uint16)
    array[:, :230] = 0
    with open_mosaic([write_mosaic(tmp_path / "m.tif", array, grid, L1C_BANDS, ProductLevel.L1C)]) as mosaic:
        found = read_same_ground(mosaic, GRID, PixelWindow(130, 125, 201, 201), ("B4",))
    assert set(np.unique(found)) == {0, 5_000}


def test_ground_that_lies_far_away_is_no_data(tmp_path):
    far = RasterGrid(SIDE, SIDE, Affine(10, 0, 300_000, 0, -10, 8_500_000), "EPSG:32722")
    array = np.full((SIDE, SIDE, 12), 5_000, np.uint16)
    with open_mosaic([write_mosaic(tmp_path / "m.tif", array, far, L1C_BANDS, ProductLevel.L1C)]) as mosaic:
        assert not read_same_ground(mosaic, GRID, PixelWindow(130, 125, 201, 201), ("B4",)).any()


def test_only_other_dates_of_the_same_ground_count_newest_first(tmp_path):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "own"))
    far = RasterGrid(SIDE, SIDE, GRID.transform @ Affine.translation(5_000, 0), GRID.crs)
    older, alike = (date(2019, 1, 1), date(2019, 12, 31)), pixels_with_mark(GRID) + np.uint16(1)
    folders = [
        own.folder,
        save_run(runs, "alike", pixels=alike),
        save_run(runs, "older", days=older),
        save_run(runs, "later", days=LATER),
        save_run(runs, "far", far, LATER),
        runs / "missing",
    ]
    assert [other.run_id for other in other_dates(own, folders)] == ["later", "older"]


def test_a_run_without_dates_or_half_a_run_is_left_out(tmp_path):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "own"))
    without = save_run(runs, "without", days=(None, None))
    half = save_run(runs, "half", days=LATER)
    (half / SCORES).unlink()
    assert other_dates(own, [without, half]) == ()


def test_two_runs_of_one_date_are_one_date_and_two_dates_are_enough(tmp_path):
    own = read_dated(save_run(tmp_path / "runs", "own"))
    others = [replace(own, run_id=f"r{k}", end=date(2026 - k // 2, 1, 1)) for k in range(8)]
    assert [other.run_id for other in dates_of_site(site(), others)] == ["r0", "r2"]


def test_a_site_outside_the_other_mosaic_has_no_second_date(tmp_path):
    own = read_dated(save_run(tmp_path / "runs", "own"))
    beside = replace(own, grid=moved(0, 240))
    assert dates_of_site(site(), [beside]) == []


def test_ground_without_data_is_remembered_and_not_offered_again(tmp_path):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "own"))
    empty = np.zeros((SIDE, SIDE, 12), np.uint16)
    (other,) = other_dates(own, [save_run(runs, "empty", days=LATER, pixels=empty)])
    assert second_dates.pair_names(own.folder, "r-0001", other)
    assert not make_pair(own.folder, own.grid, site(), other)
    assert second_dates.pair_names(own.folder, "r-0001", other) == ()


def test_a_mosaic_with_three_bands_gives_the_kinds_it_can(tmp_path):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "own"))
    (other,) = other_dates(own, [save_run(runs, "rgb", days=LATER, bands=("B2", "B3", "B4"))])
    assert make_pair(own.folder, own.grid, site(), other)
    names = second_dates.pair_names(own.folder, "r-0001", other)
    assert set(names) == {"r-0001_true_colour.webp", "r-0001_true_colour_own.webp"}


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_mosaic_that_is_gone_or_changed_gives_no_pair(tmp_path, is_gone):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "own"))
    (other,) = other_dates(own, [save_run(runs, "later", days=LATER)])
    path = tmp_path / "later.tif"
    path.unlink()
    if not is_gone:
        write_mosaic(path, pixels_with_mark(moved(0, 1)), moved(0, 1), L1C_BANDS, ProductLevel.L1C)
    assert second_dates.pair_names(own.folder, "r-0001", other) == ()
    assert not make_pair(own.folder, own.grid, site(), other)
    assert not SecondDates().made(own, site(), other)


def test_pairs_that_were_made_stay_when_the_mosaic_goes(tmp_path):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "own"))
    (other,) = other_dates(own, [save_run(runs, "later", days=LATER)])
    make_pair(own.folder, own.grid, site(), other)
    (tmp_path / "later.tif").unlink()
    assert set(second_dates.pair_names(own.folder, "r-0001", other)) == set(chip_names("r-0001", CHIP_KINDS))
    assert second_dates.pair_names(own.folder, "r-0002", other) == ()


def test_many_who_ask_at_once_make_a_pair_once(tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "own"))
    (other,) = other_dates(own, [save_run(runs, "later", days=LATER)])
    calls, really = [], second_dates.make_pair

    def counted(*asked):
        calls.append(asked)
        return really(*asked)

    monkeypatch.setattr(second_dates, "make_pair", counted)
    maker = SecondDates()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: maker.made(own, site(), other), range(24))) == [True] * 24
    assert len(calls) == 1


def test_a_full_disk_gives_no_pair_and_no_half_a_file(tmp_path):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "own"))
    (other,) = other_dates(own, [save_run(runs, "later", days=LATER)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(ImageryError, match="could not be written"):
            make_pair(own.folder, own.grid, site(), other)
        assert not SecondDates().made(own, site(), other)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(second_dates.pair_folder(own.folder, other).iterdir()) == []


def test_what_is_known_is_read_again_after_it_was_forgotten(tmp_path):
    runs = tmp_path / "runs"
    folder = save_run(runs, "own")
    known = SecondDates()
    assert known.of(folder, lambda: [])[1] == ()
    later = save_run(runs, "later", days=LATER)
    assert known.of(folder, lambda: [later])[1] == ()
    known.forget()
    assert [other.run_id for other in known.of(folder, lambda: [later])[1]] == ["later"]


def test_the_stretch_is_the_other_runs_own(tmp_path):
    runs = tmp_path / "runs"
    own = read_dated(save_run(runs, "own"))
    (other,) = other_dates(own, [save_run(runs, "later", days=LATER)])
    save_stretch(other, 1, 2)
    make_pair(own.folder, own.grid, site(), other)
    with Image.open(second_dates.pair_folder(own.folder, other) / "r-0001_swir.webp") as picture:
        assert np.asarray(picture.convert("L")).min() > 250


def end_run(tmp_path, folder_name="new"):
    """What the job does with pictures when a scan ends, in a home that holds an earlier run of another date."""
    runs = tmp_path / "runs"
    save_run(runs, "later", moved(-37, 12), LATER)
    new = save_run(runs, folder_name)
    steps = []
    with open_mosaic([tmp_path / f"{folder_name}.tif"]) as mosaic:
        groups = SiteGroups([site(), site(250, 240, "r-0002"), site(200, 200, "r-0003")], [np.array([[4, 4]])] * 3)
        groups.sites[2] = replace(groups.sites[2], discarded=True)
        problems = write_pictures(mosaic, groups, new, steps.append, runs)
    return new, steps, problems


def test_the_job_makes_pairs_of_the_sites_that_are_not_discarded(tmp_path):
    new, steps, problems = end_run(tmp_path)
    assert problems == []
    assert steps[-1] == "writing chips of the same places on other dates"
    names = {name for site_id in ("r-0001", "r-0002") for name in chip_names(site_id, CHIP_KINDS)}
    assert {path.name for path in (new / "pairs" / "later").iterdir()} == names


def test_the_job_makes_pairs_of_the_best_sites_only(tmp_path, monkeypatch):
    monkeypatch.setattr(second_dates, "MOST_SITES", 1)
    own = read_dated(save_run(tmp_path / "runs", "own"))
    others = other_dates(own, [save_run(tmp_path / "runs", "later", days=LATER)])
    assert second_dates.write_pairs(own, [site(score=0.7), site(name="r-0002", score=0.8)], others) == 1
    assert (own.folder / "pairs" / "later" / "r-0002_swir.webp").is_file()


def test_a_disk_that_fills_up_is_a_problem_of_the_pictures_and_the_job_goes_on(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(second_dates, "write_chip_files", full)
    new, _, problems = end_run(tmp_path)
    assert len(problems) == 1
    assert "pairs" in problems[0]
    assert "No space left on device" in problems[0]
    assert (new / "chips" / "r-0001_swir.webp").is_file()


def test_a_run_alone_writes_no_pairs(tmp_path):
    new = save_run(tmp_path / "runs", "new")
    with open_mosaic([tmp_path / "new.tif"]) as mosaic:
        assert write_pictures(mosaic, SiteGroups([site()], [np.array([[4, 4]])]), new, print, tmp_path / "runs") == []
    assert not (new / "pairs").exists()
