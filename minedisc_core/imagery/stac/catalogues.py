"""Which catalogue is searched, and what its collections call the bands.

Sources: Element 84, Earth Search v1 (collection sentinel-2-l2a); Microsoft, Planetary Computer (collection
sentinel-2-l2a, "Using tokens for data access").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import UsageError
from minedisc_core.imagery.bands import L2A_BANDS, NATIVE_RESOLUTION_M
from minedisc_core.imagery.composites.request import CompositeRequest

MASK = "scl"
"""Key of the scene classification in an asset map, beside the canonical names of bands."""


EXAMPLE_ASSETS = '{"B2": "blue", "B3": "green", ..., "scl": "scl"}'


def read_assets(text: str) -> dict[str, str]:
    """The asset of each band and of `scl`, from JSON; an empty text names none.

    Raises:
        UsageError: it is no JSON object of texts.
    """
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"the map of assets is no JSON ({error})", f"such as {EXAMPLE_ASSETS}") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise UsageError("the map of assets is no object of names", f"such as {EXAMPLE_ASSETS}")
    return found


@dataclass(frozen=True)
class Catalogue:
    """A STAC API, one collection of it, and its names."""

    name: str
    url: str
    collection: str
    assets: Mapping[str, str]
    """Asset key of each band (canonical name) and of `scl`."""
    token_url: str = ""
    """Where a token for the collection's files is given to anyone; empty: the files are open."""
    is_cloud_filtered: bool = False
    """True where the API is known to understand `query` by cloud share: fewer items travel."""


EARTH_SEARCH = Catalogue(
    "earth-search",
    "https://earth-search.aws.element84.com/v1",
    "sentinel-2-l2a",
    {
        "B1": "coastal", "B2": "blue", "B3": "green", "B4": "red", "B5": "rededge1", "B6": "rededge2",
        "B7": "rededge3", "B8": "nir", "B8A": "nir08", "B9": "nir09", "B11": "swir16", "B12": "swir22", MASK: "scl",
    },
    is_cloud_filtered=True,
)  # fmt: skip
PLANETARY_COMPUTER = Catalogue(
    "planetary-computer",
    "https://planetarycomputer.microsoft.com/api/stac/v1",
    "sentinel-2-l2a",
    {
        **{band: "B" + band[1:].zfill(2) for band in L2A_BANDS},
        MASK: "SCL",
    },
    token_url="https://planetarycomputer.microsoft.com/api/sas/v1/token/{collection}",  # noqa: S106 - an address
    is_cloud_filtered=True,
)
PRESETS = {preset.name: preset for preset in (EARTH_SEARCH, PLANETARY_COMPUTER)}


def catalogue_of(request: CompositeRequest) -> Catalogue:
    """The catalogue that a request means, with the assets of its bands and of the classification only.

    Raises:
        UsageError: level or recipe are not those of STAC, the catalogue is unknown, or its collection or
            assets are not told.
    """
    _check_product(request)
    preset = PRESETS.get(request.catalogue) or _by_address(request)
    known = {**preset.assets, **(request.assets or {})}
    wanted = (*bands_of(request), MASK)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise UsageError(
            f"no asset is named for {', '.join(missing)} in {preset.url}",
            'a map such as {"B2": "blue", ..., "scl": "scl"} for each band and the scene classification',
            "give the map with --assets FILE.json",
        )
    assets = {name: known[name] for name in wanted}
    collection = request.collection or preset.collection
    return Catalogue(preset.name, preset.url, collection, assets, preset.token_url, preset.is_cloud_filtered)


def bands_of(request: CompositeRequest) -> tuple[str, ...]:
    """The bands asked for, or the twelve of Level-2A.

    Raises:
        UsageError: one of them is no band of Level-2A.
    """
    strangers = [band for band in request.bands if band not in NATIVE_RESOLUTION_M or band == "B10"]
    if strangers:
        raise UsageError(
            f"{', '.join(strangers)} is no band of Level-2A",
            f"bands among {', '.join(L2A_BANDS)}",
            "choose other bands",
        )
    return request.bands or L2A_BANDS


def _check_product(request: CompositeRequest) -> None:
    if request.level is not ProductLevel.L2A:
        raise UsageError(
            f"level {request.level} from a STAC catalogue",
            "L2A (surface reflectance): its scene classification is the mask",
            "leave --level out, or take L1C from Earth Engine (--source ee)",
        )
    if request.recipe != "scl":
        raise UsageError(
            f"recipe {request.recipe} from a STAC catalogue",
            "scl, the only recipe of STAC catalogues",
            "leave --recipe out, or use Earth Engine (--source ee)",
        )
    if request.end <= request.start:
        raise UsageError(
            f"dates {request.start} to {request.end}", "an end after the start (the day after the last one)", ""
        )
    strange = [number for number in request.masked_classes if not 0 <= number <= 11]
    if strange:
        raise UsageError(
            f"class {strange[0]} of the scene classification",
            "0 to 11: 3 cloud shadow, 8 and 9 cloud, 10 cirrus, 11 snow, ...",
            "choose other --mask-classes",
        )


def _by_address(request: CompositeRequest) -> Catalogue:
    if not request.catalogue.startswith(("https://", "http://")):
        raise UsageError(
            f"no catalogue is called {request.catalogue}",
            f"{', '.join(PRESETS)}, or the address of a STAC API (https://...)",
            "choose another --catalogue",
        )
    if not request.collection:
        raise UsageError(f"no collection is named in {request.catalogue}", remedy="give --collection")
    return Catalogue(request.catalogue, request.catalogue, request.collection, {})
