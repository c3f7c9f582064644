"""What the recipes say to Earth Engine, compared as trees; nothing is computed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from affine import Affine
from shapely.geometry import box, mapping

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import UsageError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.earth_engine.products import check_request, mask_in_words
from tests.earth_engine_server import read_graph, serve_earth_engine

GRID = RasterGrid(8, 8, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
REQUEST = CompositeRequest("ee", "paper", mapping(box(-44.0, -20.0, -43.9, -19.9)), date(2018, 1, 1), date(2020, 1, 1))
COLLECTIONS = {"L1C": "COPERNICUS/S2_HARMONIZED", "L2A": "COPERNICUS/S2_SR_HARMONIZED"}
BANDS = {"L1C": L1C_BANDS, "L2A": L2A_BANDS}
LEVELS = ["L1C", "L2A"]


@pytest.fixture(scope="module", autouse=True)
def signed_in() -> Iterator[None]:
    """The library learns its functions from a server of ours."""
    from minedisc_core.imagery.earth_engine.sign_in import sign_in

    values = np.ones((8, 8, 12), np.uint16)
    with serve_earth_engine(values, L1C_BANDS, GRID) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINEDISC_EE_URL", server.url)
        sign_in("minedisc-test")
        yield


def graph(request: CompositeRequest) -> Any:
    from minedisc_core.imagery.earth_engine.recipes import composite

    return read_graph(json.loads(composite(request).serialize()))


def constant(value: float) -> dict[str, Any]:
    return {"Image.constant": {"value": value}}


def selected(bands: list[str], image: Any) -> dict[str, Any]:
    return {"Image.select": {"input": image, "bandSelectors": bands}}


def mapped(collection: Any, body: Any) -> dict[str, Any]:
    function = {"function": ["_MAPPING_VAR_0_0"], "body": body}
    return {"Collection.map": {"collection": collection, "baseAlgorithm": function}}


def filtered(collection: str, start: str, end: str) -> dict[str, Any]:
    corners = [-44.03192533317428, -20.03, -43.86807466682572, -19.869999999999997]
    area = {"GeometryConstructors.Rectangle": {"coordinates": pytest.approx(corners), "geodesic": False}}
    near = {"Filter.intersects": {"leftField": ".all", "rightValue": {"Feature": {"geometry": area}}}}
    dates = {"DateRange": {"start": start, "end": end}}
    during = {"Filter.dateRangeContains": {"leftValue": dates, "rightField": "system:time_start"}}
    loaded = {"ImageCollection.load": {"id": collection}}
    found = {"Collection.filter": {"collection": loaded, "filter": near}}
    return {"Collection.filter": {"collection": found, "filter": during}}


def scenes_of(level: str, cloud: float = 20, start: str = "2018-01-01", end: str = "2020-01-01") -> dict[str, Any]:
    few_clouds = {"Filter.lessThan": {"leftField": "CLOUDY_PIXEL_PERCENTAGE", "rightValue": cloud}}
    return {"Collection.filter": {"collection": filtered(COLLECTIONS[level], start, end), "filter": few_clouds}}


def median_and_looks(clear: Any, bands: tuple[str, ...]) -> dict[str, Any]:
    chosen = mapped(clear, selected(list(bands), "<_MAPPING_VAR_0_0>"))
    least_1 = {"Image.max": {"image1": {"reduce.median": {"collection": chosen}}, "image2": constant(1)}}
    filled = {"Image.unmask": {"input": least_1, "value": constant(0), "sameFootprint": False}}
    counted = {"reduce.count": {"collection": chosen}}
    counted = {"Image.unmask": {"input": counted, "value": constant(0), "sameFootprint": False}}
    fewest = {"Image.toUint16": {"value": {"Image.reduce": {"image": counted, "reducer": {"Reducer.min": {}}}}}}
    looks = {"Image.rename": {"input": fewest, "names": ["looks"]}}
    return {"Image.addBands": {"dstImg": {"Image.toUint16": {"value": filled}}, "srcImg": looks}}


@pytest.mark.parametrize("level", LEVELS)
def test_the_paper_masks_bits_10_and_11_of_qa60_and_takes_the_median(level):
    qa60 = selected(["QA60"], "<_MAPPING_VAR_0_0>")
    clouds = {"Image.bitwiseAnd": {"image1": qa60, "image2": constant(1024 + 2048)}}
    clear = {"Image.eq": {"image1": clouds, "image2": constant(0)}}
    masked = mapped(scenes_of(level), {"Image.updateMask": {"image": "<_MAPPING_VAR_0_0>", "mask": clear}})
    assert graph(replace(REQUEST, level=ProductLevel(level))) == median_and_looks(masked, BANDS[level])


@pytest.mark.parametrize("level", LEVELS)
def test_the_paper_as_released_masks_nothing(level):
    request = replace(REQUEST, recipe="paper-as-released", level=ProductLevel(level))
    assert graph(request) == median_and_looks(scenes_of(level), BANDS[level])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("cutoff", [0.0, 0.6, 0.65])
def test_cloud_score_plus_joins_the_score_and_keeps_what_reaches_the_cutoff(level, cutoff):
    score = {"ImageCollection.load": {"id": "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"}}
    scene = "<_MAPPING_VAR_0_0>"
    link = {"Image.linkCollection": {"input": scene, "imageCollection": score, "linkedBands": ["cs_cdf"]}}
    clear = {"Image.gte": {"image1": selected(["cs_cdf"], scene), "image2": constant(cutoff)}}
    joined = mapped(scenes_of(level), link)
    masked = mapped(joined, {"Image.updateMask": {"image": scene, "mask": clear}})
    request = replace(REQUEST, recipe="cloud-score-plus", level=ProductLevel(level), clear_cutoff=cutoff)
    assert graph(request) == median_and_looks(masked, BANDS[level])


def test_dates_cloud_limit_and_bands_of_the_request_stand_in_the_graph():
    request = replace(
        REQUEST,
        recipe="paper-as-released",
        start=date(2024, 6, 1),
        end=date(2024, 9, 1),
        most_cloud_percent=35,
        bands=("B4", "B8A", "B10"),
    )
    expected = scenes_of("L1C", 35, "2024-06-01", "2024-09-01")
    assert graph(request) == median_and_looks(expected, ("B4", "B8A", "B10"))


@pytest.mark.parametrize("recipe", ["paper", "cloud-score-plus"])
def test_the_survey_asks_for_ids_moments_clouds_and_baselines_of_the_same_scenes(recipe):
    from minedisc_core.imagery.earth_engine.recipes import scene_facts

    found = read_graph(json.loads(scene_facts(replace(REQUEST, recipe=recipe)).serialize()))
    keys = {
        "ids": "system:index",
        "moments": "system:time_start",
        "clouds": "CLOUDY_PIXEL_PERCENTAGE",
        "baselines": "PROCESSING_BASELINE",
    }
    scenes = scenes_of("L1C")
    wanted = {
        name: {"AggregateFeatureCollection.array": {"collection": scenes, "property": key}}
        for name, key in keys.items()
    }
    if recipe == "cloud-score-plus":
        scored = filtered("GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED", "2018-01-01", "2020-01-01")
        wanted["scored"] = {"AggregateFeatureCollection.array": {"collection": scored, "property": "system:index"}}
    assert found == wanted


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2018, 1, 1), date(2022, 1, 26)),
        (date(2022, 1, 25), date(2022, 1, 26)),
        (date(2023, 1, 1), date(2023, 2, 1)),
        (date(2024, 2, 28), date(2024, 6, 1)),
        (date(2018, 1, 1), date(2026, 1, 1)),
    ],
)
def test_the_paper_is_refused_where_qa60_is_missing(start, end):
    request = replace(REQUEST, start=start, end=end)
    words = r"QA60 is missing in all scenes from 2022-01-25 to 2024-02-28.*drop every pixel.*cloud-score-plus"
    with pytest.raises(UsageError, match=words):
        check_request(request)
    check_request(replace(request, recipe="cloud-score-plus"))
    check_request(replace(request, recipe="paper-as-released"))


def test_the_paper_is_taken_up_to_the_day_before_the_gap_and_from_the_day_after():
    check_request(replace(REQUEST, end=date(2022, 1, 25)))
    check_request(replace(REQUEST, start=date(2024, 2, 29), end=date(2024, 6, 1)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": "scl"}, "recipe scl from Earth Engine.*--source stac"),
        ({"clear_cutoff": 1.01}, r"cut-off of 1.01 for cs_cdf.*--clear"),
        ({"clear_cutoff": -0.1}, r"cut-off of -0.1"),
        ({"clear_cutoff": float("nan")}, r"cut-off of nan"),
        ({"most_cloud_percent": 0}, r"cloud limit of 0 %.*--cloud"),
        ({"most_cloud_percent": 100.5}, r"cloud limit of 100.5 %"),
        ({"most_cloud_percent": float("nan")}, r"cloud limit of nan %"),
        ({"end": date(2018, 1, 1)}, r"dates 2018-01-01 to 2018-01-01.*an end after the start"),
        ({"level": ProductLevel.L2A, "bands": ("B4", "B10")}, "B10 is no band of L2A"),
        ({"bands": ("B4", "SCL")}, "SCL is no band of L1C"),
        ({"bands": ("B4", "B4")}, "a band is named twice"),
        ({"aoi": mapping(box(600_000, 7_800_000, 610_000, 7_810_000))}, "in degrees"),
        ({"aoi": {"type": "Polygon", "coordinates": []}}, "longitudes from -180 to 180"),
    ],
)
def test_what_earth_engine_cannot_make_is_refused_before_anything_is_sent(changes, words):
    with pytest.raises(UsageError, match=words) as refused:
        check_request(replace(REQUEST, **changes))
    assert refused.value.expected
    assert refused.value.remedy


def test_the_mask_stands_in_words_for_the_tags():
    assert "bits 10" in mask_in_words(REQUEST)
    assert mask_in_words(replace(REQUEST, recipe="paper-as-released")).startswith("none")
    assert mask_in_words(replace(REQUEST, recipe="cloud-score-plus", clear_cutoff=0.65)).endswith(
        "cs_cdf below 0.65 masked"
    )
