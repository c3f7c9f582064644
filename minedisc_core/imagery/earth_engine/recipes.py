"""The recipes as expression graphs: nothing is computed here, Earth Engine computes what they say.

Needs a library that is signed in (`sign_in`): it learns its functions from the server.
"""

from __future__ import annotations

from typing import Any

import ee

from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.earth_engine.products import (
    CLEAR,
    CLOUD_SCORE,
    COLLECTIONS,
    bands_of,
    check_request,
    search_bounds,
)

LOOKS = "looks"
"""Name of the band that counts valid observations."""
CLOUD_SHARE = "CLOUDY_PIXEL_PERCENTAGE"
_CLOUD_BITS = (10, 11)
"""Opaque clouds and cirrus: the only bits of QA60 that mean anything."""
_UNBOUNDED = False
"""`unmask` outside the scenes too: what no scene covers is 0 as well."""


def scenes(request: CompositeRequest) -> Any:
    """The scenes of the request, unmasked: an `ee.ImageCollection`.

    Raises:
        UsageError: the request is not possible (`products.check_request`).
    """
    check_request(request)
    found = _near(COLLECTIONS[request.level], request)
    return found.filter(ee.Filter.lt(CLOUD_SHARE, request.most_cloud_percent))


def composite(request: CompositeRequest) -> Any:
    """The composite: an `ee.Image` of the request's bands and `looks`, all uint16, 0 = no data.

    The median of what the mask leaves (paper, section 3.1). A valid look that measured 0 becomes 1, because 0 means
    no data. `looks` is the least count among the bands.

    Raises:
        UsageError: the request is not possible.
    """
    found = scenes(request)
    clear = _without_clouds(found, request).select(list(bands_of(request)))
    values = clear.median().max(1).unmask(0, _UNBOUNDED).toUint16()
    looks = clear.count().unmask(0, _UNBOUNDED).reduce(ee.Reducer.min()).toUint16().rename(LOOKS)
    return values.addBands(looks)


def scene_facts(request: CompositeRequest) -> Any:
    """Lists of what is known of the scenes, `ee.Dictionary`: ids, moments (ms), clouds, baselines, scored.

    `scored` are the ids that have a Cloud Score+, asked for that recipe only. A list leaves out scenes that lack the
    property, so lists may differ in length.
    """
    found = scenes(request)
    wanted = {
        "ids": "system:index",
        "moments": "system:time_start",
        "clouds": CLOUD_SHARE,
        "baselines": "PROCESSING_BASELINE",
    }
    facts = {name: found.aggregate_array(key) for name, key in wanted.items()}
    if request.recipe == "cloud-score-plus":
        facts["scored"] = _near(CLOUD_SCORE, request).aggregate_array("system:index")
    return ee.Dictionary(facts)


def _near(collection: str, request: CompositeRequest) -> Any:
    area = ee.Geometry.Rectangle(list(search_bounds(request)), None, False)
    dates = request.start.isoformat(), request.end.isoformat()
    return ee.ImageCollection(collection).filterBounds(area).filterDate(*dates)


def _without_clouds(found: Any, request: CompositeRequest) -> Any:
    if request.recipe == "paper":
        return found.map(_masked_by_qa60)
    if request.recipe == "cloud-score-plus":
        scored = found.linkCollection(ee.ImageCollection(CLOUD_SCORE), [CLEAR])
        return scored.map(lambda scene: scene.updateMask(scene.select(CLEAR).gte(request.clear_cutoff)))
    return found  # as released: its mask tests bits that are never set


def _masked_by_qa60(scene: Any) -> Any:
    clouds = sum(1 << bit for bit in _CLOUD_BITS)
    return scene.updateMask(scene.select("QA60").bitwiseAnd(clouds).eq(0))
