"""From blocks to a mosaic: pixels, looks, tags, the whole story beside it, and what is missing is said."""

import json
import resource
from datetime import date
from itertools import count

import numpy as np
import pytest
import rasterio
import shapely
from shapely.geometry import box, mapping

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import MinediscError, RunError
from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.composites.assembly import Assembly, assemble, looks_path, story_path, summary_of
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.composites.source import Block, SceneFacts, Survey
from minedisc_core.imagery.composites.target import area_in_pixels, target_grid, wanted_blocks
from minedisc_core.imagery.geotiff import open_mosaic

AREA = shapely.Polygon([(-44.0, -20.0), (-43.85, -20.0), (-43.9, -19.9), (-44.0, -19.88)])
GRID = target_grid(AREA)
BANDS = ("B2", "B3", "B4")
REQUEST = CompositeRequest(
    "ee", "cloud-score-plus", mapping(AREA), date(2019, 1, 1), date(2020, 1, 1), project="a-project", bands=BANDS
)
SCENES = tuple(
    SceneFacts(f"20190{month}05T140059_20190{month}05T140057_T23KP{letter}", date(2019, month, 5), 3.5, baseline, 0)
    for month, letter, baseline in [(n % 9 + 1, "RSTU"[n % 4], "02.07" if n % 3 else "") for n in range(30)]
)
SURVEY = Survey(
    "COPERNICUS/S2_HARMONIZED", ProductLevel.L1C, BANDS, SCENES, ("2 scenes give no pixel",), {"mask": "cs_cdf < 0.6"}
)


@pytest.fixture(scope="module")
def truth():
    numbers = np.random.default_rng(3)
    looks = numbers.integers(0, 9, (GRID.height_px, GRID.width_px)).astype(np.uint16)
    looks[:, 700:760] = 0
    values = numbers.integers(1, 10_000, (*looks.shape, 3)).astype(np.uint16)
    values[looks == 0] = 0
    return values, looks


def nothing(window):
    return None


def job(truth, failed=0, problems=(), survey=SURVEY, request=REQUEST):
    values, looks = truth
    wanted = wanted_blocks(GRID, AREA)
    failures = dict.fromkeys(wanted[:failed], "Earth Engine failed.")

    def load(window):
        if window in failures or window not in wanted:
            return None
        rows, cols = slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)
        return Block(values[rows, cols], looks[rows, cols], problems)

    return Assembly(request, AREA, GRID, survey, load, failures)


def rows_cols(window: PixelWindow):
    return slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)


def test_pixels_and_looks_are_those_of_the_blocks(truth, tmp_path):
    out = tmp_path / "m.tif"
    assemble(job(truth), out, tmp_path / "scratch")
    with rasterio.open(out) as made, rasterio.open(looks_path(out)) as looks:
        assert np.array_equal(np.moveaxis(made.read(), 0, -1), truth[0])
        assert np.array_equal(looks.read(1), truth[1])
        assert (made.transform, made.crs.to_string()) == (GRID.transform, GRID.crs)
        assert (looks.transform, looks.crs.to_string()) == (GRID.transform, GRID.crs)
        assert (made.descriptions, looks.descriptions) == (BANDS, ("valid observations",))
        assert (made.nodata, looks.nodata) == (0, None)
        assert (made.profile["compress"], made.profile["interleave"], made.block_shapes[0]) == (
            "zstd",
            "band",
            (512, 512),
        )
        assert (looks.dtypes, looks.profile["compress"], looks.block_shapes) == (("uint16",), "zstd", [(512, 512)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.looks.tif", "m.tif", "m.tif.json", "scratch"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_overviews_go_down_to_one_block_and_leave_no_data_out(truth, tmp_path):
    out = tmp_path / "m.tif"
    assemble(job(truth), out, tmp_path / "scratch")
    with rasterio.open(out) as made:
        assert made.overviews(1) == [2, 4]
        assert max(made.shape) / 4 <= 512 < max(made.shape) / 2
        small = made.read(1, out_shape=(made.height // 2, made.width // 2))
    values = truth[0][: GRID.height_px // 2 * 2, : GRID.width_px // 2 * 2, 0].astype(float)
    four = values.reshape(GRID.height_px // 2, 2, GRID.width_px // 2, 2)
    seen = (four > 0).sum(axis=(1, 3))
    mean = np.divide(four.sum(axis=(1, 3)), seen, where=seen > 0, out=np.zeros(seen.shape))
    assert np.abs(small - mean).max() <= 1
    assert ((small == 0) == (seen == 0)).all()


def test_coverage_counts_the_pixels_of_the_area(truth, tmp_path):
    summary = assemble(job(truth), tmp_path / "m.tif", tmp_path / "scratch")
    rows, cols = np.mgrid[: GRID.height_px, : GRID.width_px] + 0.5
    inside = shapely.contains_xy(area_in_pixels(GRID, AREA), cols, rows)
    looks = truth[1][inside]
    assert summary.asked_km2 == pytest.approx(inside.sum() / 1e4, abs=0.002)
    assert summary.seen_km2 == pytest.approx((looks > 0).sum() / 1e4, abs=0.002)
    assert 0.5 * summary.asked_km2 < summary.seen_km2 < 0.9 * summary.asked_km2
    assert summary.median_looks == np.median(looks[looks > 0])
    assert summary.is_complete
    assert summary.problems == ("2 scenes give no pixel",)


def test_blocks_that_failed_are_no_data_and_are_said(truth, tmp_path):
    out = tmp_path / "m.tif"
    whole = assemble(job(truth), out, tmp_path / "scratch")
    summary = assemble(job(truth, failed=1), out, tmp_path / "scratch")
    window = wanted_blocks(GRID, AREA)[0]
    with rasterio.open(out) as made, rasterio.open(looks_path(out)) as looks:
        values, seen = np.moveaxis(made.read(), 0, -1), looks.read(1)
    assert not values[rows_cols(window)].any()
    assert not seen[rows_cols(window)].any()
    assert np.array_equal(values[1024:], truth[0][1024:])
    assert not summary.is_complete
    assert summary.problems[0] == "block at row 0, column 0: Earth Engine failed."
    assert summary.asked_km2 == whole.asked_km2
    assert summary.seen_km2 < whole.seen_km2
    assert json.loads(story_path(out).read_text())["is_complete"] is False


def test_the_same_problem_in_many_blocks_is_told_once(truth, tmp_path):
    summary = assemble(job(truth, problems=("s1, B2: cut off",)), tmp_path / "m.tif", tmp_path / "scratch")
    blocks = len(wanted_blocks(GRID, AREA))
    assert summary.problems[0] == f"s1, B2: cut off (in {blocks} blocks)"
    assert len(summary.problems) == 2


def test_the_tags_say_what_it_is_made_of_and_shorten_long_lists(truth, tmp_path):
    out = tmp_path / "m.tif"
    assemble(job(truth), out, tmp_path / "scratch")
    with rasterio.open(out) as made:
        tags = made.tags()
    assert tags["MINEDISC_LEVEL"] == "L1C"
    assert tags["MINEDISC_DN_OFFSET"] == "0"
    assert (tags["MINEDISC_IMAGERY_START"], tags["MINEDISC_IMAGERY_END"]) == ("2019-01-05", "2019-09-05")
    assert tags["MINEDISC_SOURCE"] == "Google Earth Engine: COPERNICUS/S2_HARMONIZED, recipe cloud-score-plus"
    assert tags["MINEDISC_COLLECTION"] == "COPERNICUS/S2_HARMONIZED"
    assert tags["MINEDISC_RECIPE"] == "cloud-score-plus"
    assert (tags["MINEDISC_ASKED_START"], tags["MINEDISC_ASKED_END"]) == ("2019-01-01", "2020-01-01")
    assert tags["MINEDISC_MOST_CLOUD_PERCENT"] == "20"
    assert tags["MINEDISC_SCENE_COUNT"] == "30"
    assert tags["MINEDISC_SCENES"].endswith(" and 10 more")
    assert tags["MINEDISC_SCENES"].count(",") == 19
    assert tags["MINEDISC_BASELINES"] == "02.07, not stated"
    assert tags["MINEDISC_MASK"] == "cs_cdf < 0.6"
    assert "a-project" not in str(tags)
    with open_mosaic([out]) as mosaic:
        assert (mosaic.bands, mosaic.level) == (BANDS, ProductLevel.L1C)
        assert (mosaic.imagery_start, mosaic.imagery_end) == (date(2019, 1, 5), date(2019, 9, 5))


def test_the_json_holds_all_of_it(truth, tmp_path):
    out = tmp_path / "m.tif"
    summary = assemble(job(truth), out, tmp_path / "scratch")
    story = json.loads(story_path(out).read_text())
    assert [scene["scene_id"] for scene in story["scene_list"]] == [scene.scene_id for scene in SCENES]
    assert story["scene_list"][0] == {
        "scene_id": SCENES[0].scene_id, "day": "2019-01-05", "cloud_percent": 3.5, "baseline": "", "dn_offset": 0,
    }  # fmt: skip
    assert CompositeRequest.from_json(story["request"]) == CompositeRequest.from_json(REQUEST.to_json())
    assert (story["level"], story["bands"], story["looks_file"]) == ("L1C", list(BANDS), "m.looks.tif")
    assert (story["height_px"], story["width_px"], story["crs"]) == (GRID.height_px, GRID.width_px, GRID.crs)
    assert summary_of(story) == summary
    with pytest.raises(RunError, match="has no 'is_complete'"):
        summary_of({"path": ""})


def test_an_area_in_two_zones_says_its_distortion(truth, tmp_path):
    area = box(-42.05, -20, -41.95, -19.95)
    grid = target_grid(area, "EPSG:32723")
    empty = Assembly(REQUEST, area, grid, SURVEY, lambda _: None, {})
    summary = assemble(empty, tmp_path / "m.tif", tmp_path / "scratch")
    assert summary.problems[-1].startswith("The area lies in UTM 23S, 24S; the mosaic is in 23S")
    assert (summary.seen_km2, summary.median_looks) == (0, 0)


def test_looks_alone_decide_what_was_seen_and_twelve_bands_are_kept(tmp_path):
    survey = Survey("c", ProductLevel.L1C, L1C_BANDS, SCENES)

    def load(window):
        shape = (window.height, window.width)
        return Block(np.full((*shape, 12), 7, np.uint16), np.full(shape, 65_535, np.uint16))

    summary = assemble(Assembly(REQUEST, AREA, GRID, survey, load, {}), tmp_path / "m.tif", tmp_path / "scratch")
    assert summary.median_looks == 65_535
    assert summary.seen_km2 == summary.asked_km2
    with open_mosaic([tmp_path / "m.tif"]) as mosaic:
        assert mosaic.bands == L1C_BANDS


def test_a_load_that_raises_leaves_the_earlier_mosaic_as_it_was(truth, tmp_path):
    out = tmp_path / "m.tif"
    assemble(job(truth), out, tmp_path / "scratch")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("m.*")}
    calls = count()

    def load(window):
        if next(calls) == len(wanted_blocks(GRID, AREA)):
            raise RunError("gone")

    with pytest.raises(RunError, match="gone"):
        assemble(Assembly(REQUEST, AREA, GRID, SURVEY, load, {}), out, tmp_path / "scratch")
    assert {path.name: path.read_bytes() for path in tmp_path.glob("m.*")} == before


@pytest.mark.parametrize("share", [0.05, 0.5, 0.79, 0.85, 0.9, 0.97, 0.99])
def test_a_full_disk_at_any_moment_leaves_the_earlier_mosaic_as_it_was(truth, tmp_path, share):
    out = tmp_path / "m.tif"
    assemble(job(truth), out, tmp_path / "scratch")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("m.*")}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * out.stat().st_size), limits[1]))
    try:
        with pytest.raises(MinediscError, match="could not be written"):
            assemble(job(truth, problems=("other",)), out, tmp_path / "scratch")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("m.*")} == before
