"""What may be asked of Earth Engine: collections, bands, dates and cut-offs; checked before anything is sent.

Sources: Earth Engine Data Catalog, COPERNICUS/S2_HARMONIZED, COPERNICUS/S2_SR_HARMONIZED ("QA60") and
GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED.
"""

from __future__ import annotations

import math
from datetime import date

import shapely.geometry

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import UsageError
from minedisc_core.imagery.bands import ALL_BANDS, L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.composites.request import CompositeRequest

COLLECTIONS = {ProductLevel.L1C: "COPERNICUS/S2_HARMONIZED", ProductLevel.L2A: "COPERNICUS/S2_SR_HARMONIZED"}
"""Collections whose numbers have lost the offset of baseline 04.00 and later."""
CLOUD_SCORE = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
CLEAR = "cs_cdf"
"""Band of Cloud Score+ that is compared with the cut-off: 0 = hidden, 1 = clear."""
RECIPES = ("paper", "paper-as-released", "cloud-score-plus")
QA60_GAP = (date(2022, 1, 25), date(2024, 2, 28))
"""First and last day on which QA60 is masked out."""
MARGIN_DEG = 0.03
"""How far around the area scenes are looked for: more than the context that a mosaic has around its area (2.55 km)."""
_DEFAULT_BANDS = {ProductLevel.L1C: L1C_BANDS, ProductLevel.L2A: L2A_BANDS}
_MASKS = {
    "paper": "QA60 bits 10 (opaque cloud) and 11 (cirrus) masked",
    "paper-as-released": "none: the released code tests bits 3 and 5 of QA60, which are never set",
}


def check_request(request: CompositeRequest) -> None:
    """That Earth Engine can make the composite with its true meaning.

    Raises:
        UsageError: recipe, bands, dates, cut-offs or area are not possible; says which and why.
    """
    if request.recipe not in RECIPES:
        raise UsageError(
            f"recipe {request.recipe} from Earth Engine",
            f"one of {', '.join(RECIPES)}",
            "choose another --recipe, or take Level-2A files from a STAC catalogue (--source stac)",
        )
    bands_of(request)
    _check_dates(request)
    _check_cutoffs(request)
    search_bounds(request)


def bands_of(request: CompositeRequest) -> tuple[str, ...]:
    """The bands asked for, or the twelve of the level.

    Raises:
        UsageError: one of them is no band of the level, or stands there twice.
    """
    known = [band for band in ALL_BANDS if band != "B10" or request.level is ProductLevel.L1C]
    strangers = [band for band in request.bands if band not in known]
    if strangers or len(set(request.bands)) < len(request.bands):
        named = f"{', '.join(strangers)} is no band of {request.level}" if strangers else "a band is named twice"
        raise UsageError(named, f"bands among {', '.join(known)}, each once", "choose other bands")
    return request.bands or _DEFAULT_BANDS[request.level]


def mask_in_words(request: CompositeRequest) -> str:
    """What is no valid look, for the mosaic's tags."""
    words = _MASKS.get(request.recipe)
    return words or f"{CLOUD_SCORE} {CLEAR} below {request.clear_cutoff:g} masked"


def search_bounds(request: CompositeRequest) -> tuple[float, float, float, float]:
    """West, south, east, north of the area with its margin, degrees.

    Raises:
        UsageError: the area is empty or lies outside -180..180, -90..90.
    """
    west, south, east, north = shapely.geometry.shape(request.aoi).bounds
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise UsageError(
            f"an area from {west:g}, {south:g} to {east:g}, {north:g}",
            "longitudes from -180 to 180 and latitudes from -90 to 90, in degrees (EPSG:4326)",
            "check the area's file",
        )
    wide = MARGIN_DEG / max(0.1, math.cos(math.radians(max(abs(south), abs(north)))))
    return (
        max(-180.0, west - wide),
        max(-90.0, south - MARGIN_DEG),
        min(180.0, east + wide),
        min(90.0, north + MARGIN_DEG),
    )


def _check_dates(request: CompositeRequest) -> None:
    if request.end <= request.start:
        raise UsageError(
            f"dates {request.start} to {request.end}",
            "an end after the start (the day after the last one)",
            "choose other dates",
        )
    first, last = QA60_GAP
    if request.recipe == "paper" and request.start <= last and request.end > first:
        raise UsageError(
            f"recipe paper from {request.start} up to {request.end}: its cloud mask QA60 is missing in all scenes from "
            f"{first} to {last}, so that the mask would drop every pixel of them",
            f"dates that end by {first} or start after {last}",
            "choose other dates, or --recipe cloud-score-plus, which covers all of them",
        )


def _check_cutoffs(request: CompositeRequest) -> None:
    if not 0 < request.most_cloud_percent <= 100:
        raise UsageError(
            f"a cloud limit of {request.most_cloud_percent:g} %", "more than 0, at most 100", "choose another --cloud"
        )
    if not 0 <= request.clear_cutoff <= 1:
        raise UsageError(
            f"a cut-off of {request.clear_cutoff:g} for {CLEAR}",
            "0 (all is clear) to 1; 0.50 to 0.65 are usual",
            "choose another --clear",
        )
