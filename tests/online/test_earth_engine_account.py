"""Earth Engine itself, with somebody's account: the same cases as on loopback, and its arithmetic."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import box, mapping

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.composites.request import CompositeRequest

pytestmark = pytest.mark.skipif(
    os.environ.get("MINEDISC_ONLINE") != "1", reason="MINEDISC_ONLINE=1 is not set: needs an Earth Engine account"
)
GRID = RasterGrid(2_000, 2_000, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
WINDOW = PixelWindow(200, 300, 64, 64)
"""Iron Quadrangle, Minas Gerais."""
REQUEST = CompositeRequest(
    "ee", "cloud-score-plus", mapping(box(-44.02, -19.95, -43.98, -19.91)), date(2019, 6, 1), date(2019, 8, 1)
)
RECIPES = ["paper", "paper-as-released", "cloud-score-plus"]


@pytest.fixture(autouse=True)
def real_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINEDISC_EE_URL", raising=False)


def never() -> bool:
    return False


def pixels(image: object, names: list[str]) -> NDArray[np.float64]:
    """(height, width, band) of one image, NaN where it is masked."""
    import ee

    from minedisc_core.imagery.earth_engine.source import pixel_grid

    filled = ee.Image(image).select(names).toFloat().unmask(-1, False)
    question = {"expression": filled, "fileFormat": "NPY", "bandIds": names, "grid": pixel_grid(GRID, WINDOW)}
    answer = np.load(io.BytesIO(ee.data.computePixels(question)))
    found = np.stack([answer[name] for name in names], axis=-1).astype(float)
    return np.where(found < 0, np.nan, found)


def scenes_masked_here(request: CompositeRequest, names: list[str]) -> NDArray[np.float64]:
    """Every scene of the survey, masked by numpy: (scene, height, width, band)."""
    import ee

    from minedisc_core.imagery.earth_engine.products import COLLECTIONS
    from minedisc_core.imagery.earth_engine.source import EarthEngineSource

    layers = []
    for scene in EarthEngineSource(request).survey().scenes:  # the survey signs in
        image = ee.Image(f"{COLLECTIONS[request.level]}/{scene.scene_id}")
        values = pixels(image, names)
        if request.recipe == "paper":
            qa60 = np.nan_to_num(pixels(image, ["QA60"])[..., 0]).astype(int)
            values[(qa60 & (1 << 10 | 1 << 11)) > 0] = np.nan
        if request.recipe == "cloud-score-plus":
            score = ee.Image(f"GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED/{scene.scene_id}")
            values[~(pixels(score, ["cs_cdf"])[..., 0] >= request.clear_cutoff)] = np.nan
        layers.append(values)
    return np.stack(layers)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("level", list(ProductLevel))
def test_the_composite_is_the_median_of_the_single_masked_scenes(recipe, level):
    from minedisc_core.imagery.earth_engine.source import EarthEngineSource

    request = replace(REQUEST, recipe=recipe, level=level, bands=("B2", "B8", "B11"))
    block = EarthEngineSource(request).read_block(GRID, WINDOW, never)
    layers = scenes_masked_here(request, list(request.bands))
    assert np.array_equal(block.looks, np.isfinite(layers).sum(axis=0).min(axis=-1))
    seen = block.looks > 0
    assert seen.any()
    with np.errstate(all="ignore"):
        expected = np.nanmedian(layers, axis=0)
    assert np.abs(block.values[seen] - np.maximum(expected[seen], 1)).max() <= 1
    assert not block.values[~seen].any()


def test_the_survey_lists_the_scenes_that_earth_engine_lists():
    import ee

    from minedisc_core.imagery.earth_engine.source import EarthEngineSource

    survey = EarthEngineSource(REQUEST).survey()
    found = ee.ImageCollection(survey.collection).filterBounds(ee.Geometry(dict(REQUEST.aoi)))
    listed = found.filterDate("2019-06-01", "2019-08-01").filter("CLOUDY_PIXEL_PERCENTAGE < 20").getInfo()
    ids = {one["properties"]["system:index"] for one in listed["features"]}
    assert ids <= {scene.scene_id for scene in survey.scenes}  # the survey's area has a margin
    assert all(scene.baseline and scene.cloud_percent is not None for scene in survey.scenes)


def test_the_pixels_lie_on_the_grid_of_the_scenes():
    import ee

    from minedisc_core.imagery.earth_engine.source import EarthEngineSource

    scene = EarthEngineSource(REQUEST).survey().scenes[0]
    origin = ee.Image(f"COPERNICUS/S2_HARMONIZED/{scene.scene_id}").select("B2").projection().getInfo()["transform"]
    assert origin[2] % 10 == GRID.transform.c % 10
    assert origin[5] % 10 == GRID.transform.f % 10


def test_all_twelve_bands_of_a_whole_block_come_in_one_answer():
    from minedisc_core.imagery.earth_engine.source import EarthEngineSource

    block = EarthEngineSource(REQUEST).read_block(GRID, PixelWindow(0, 0, 1_024, 1_024), never)
    assert block.values.shape == (1_024, 1_024, 12)
    assert (block.looks > 0).mean() > 0.5


def test_qa60_is_missing_on_the_days_that_the_paper_is_refused():
    import ee

    from minedisc_core.imagery.earth_engine.source import EarthEngineSource

    request = replace(REQUEST, recipe="paper-as-released", start=date(2023, 6, 1), end=date(2023, 8, 1))
    scene = EarthEngineSource(request).survey().scenes[0]
    image = ee.Image(f"COPERNICUS/S2_HARMONIZED/{scene.scene_id}")
    has_band = "QA60" in image.bandNames().getInfo()
    assert not has_band or np.isnan(pixels(image, ["QA60"])).all()


def test_a_time_without_scenes_is_refused_in_words():
    from minedisc_core.imagery.earth_engine.source import EarthEngineSource

    with pytest.raises(ImageryError, match="No scene"):
        EarthEngineSource(replace(REQUEST, start=date(2010, 1, 1), end=date(2010, 2, 1))).survey()


@pytest.mark.skipif(not os.environ.get("MINEDISC_EE_EXPORT_FOLDER"), reason="MINEDISC_EE_EXPORT_FOLDER is not set")
def test_an_export_is_accepted_and_can_be_followed():
    from minedisc_core.imagery.earth_engine.exports import export_status, start_export

    small = replace(GRID, height_px=256, width_px=256)
    folder = os.environ["MINEDISC_EE_EXPORT_FOLDER"]
    ids = start_export(REQUEST, small, to="drive", place=folder, name="minedisc-online-test")
    states = export_status(ids, project=os.environ.get("MINEDISC_EE_PROJECT", ""))
    assert {one.state for one in states} <= {"READY", "RUNNING", "COMPLETED"}
