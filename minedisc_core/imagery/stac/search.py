"""What a catalogue holds for a request: searched once, checked again here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

import pystac_client
import shapely
from pystac import Item
from pystac.errors import STACError
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO

from minedisc_core.errors import ImageryError
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.stac.catalogues import MASK, Catalogue
from minedisc_core.imagery.stac.scenes import Scene, Unusable, newest_processings, scene_of

FindItems = Callable[[CompositeRequest, Catalogue], Iterable[Item]]
MARGIN_DEG = 0.02
"""About 2 km around the area: the mosaic reaches half a context past it."""
MOST_ITEMS = 5_000
"""Two years of one tile are about 290 items."""
_TIMEOUT_S = 60.0
_RETRIES = 3
_NAMED_IN_REMARK = 5


@dataclass(frozen=True)
class Found:
    """What the search found, and what was left out of it."""

    scenes: tuple[Scene, ...]
    remarks: tuple[str, ...]


def search_items(request: CompositeRequest, catalogue: Catalogue) -> list[Item]:
    """All items of the area and dates; those over the cloud limit only where the API cannot leave them out.

    Raises:
        ImageryError: the catalogue cannot be reached, answers nonsense, or holds far too many items.
    """
    last_moment = request.end - timedelta(days=1)
    query = {"eo:cloud_cover": {"lte": request.most_cloud_percent}} if catalogue.is_cloud_filtered else None
    try:
        client = pystac_client.Client.open(
            catalogue.url, stac_io=StacApiIO(max_retries=_RETRIES, timeout=_TIMEOUT_S), timeout=_TIMEOUT_S
        )
        found = client.search(
            collections=[catalogue.collection],
            bbox=search_bounds(request),
            datetime=f"{request.start}T00:00:00Z/{last_moment}T23:59:59Z",
            query=query,
            limit=100,
            max_items=MOST_ITEMS + 1,
        )
        items = list(found.items())
    except (APIError, STACError, OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise ImageryError(
            f"The catalogue {catalogue.url} could not be searched: {str(error)[:200]}",
            "a STAC API that answers",
            "check the address and the network, and try again later",
        ) from error
    if len(items) > MOST_ITEMS:
        raise ImageryError(
            f"more than {MOST_ITEMS:,} scenes", "an area and dates with fewer", "choose a smaller area or fewer days"
        )
    return items


def search_bounds(request: CompositeRequest) -> tuple[float, float, float, float]:
    """West, south, east, north of the area with its margin, degrees."""
    west, south, east, north = shapely.geometry.shape(request.aoi).bounds
    wide = MARGIN_DEG / max(0.1, math.cos(math.radians(max(abs(south), abs(north)))))
    return west - wide, south - MARGIN_DEG, east + wide, north + MARGIN_DEG


def choose_scenes(request: CompositeRequest, catalogue: Catalogue, items: Iterable[Item]) -> Found:
    """The scenes that go into the composite: dates, cloud share and area checked, each acquisition once.

    Raises:
        ImageryError: nothing is left.
    """
    area = shapely.box(*search_bounds(request))
    known = [scene_of(item, catalogue.assets) for item in items]
    unusable = [scene for scene in known if isinstance(scene, Unusable)]
    scenes = [s for s in known if isinstance(s, Scene) and request.start <= s.facts.day < request.end]
    near = [scene for scene in scenes if scene.footprint.intersects(area)]
    clear = [scene for scene in near if _is_clear(scene, request.most_cloud_percent)]
    chosen = newest_processings(clear)
    remarks = [*_left_out(unusable), *_cloudy(len(near) - len(clear), request), *_older(len(clear) - len(chosen))]
    remarks += _without_cloud_share(chosen) + _without_files(chosen, catalogue)
    if not chosen:
        raise ImageryError(
            f"No usable scene in {catalogue.collection} of {catalogue.url} from {request.start} up to {request.end}"
            + "".join(f"; {remark}" for remark in remarks),
            "at least one scene over the area",
            "choose other dates, a higher --cloud, or another catalogue",
        )
    return Found(tuple(chosen), tuple(remarks))


def _is_clear(scene: Scene, most_percent: float) -> bool:
    share = scene.facts.cloud_percent
    return share is None or share <= most_percent


def _left_out(unusable: list[Unusable]) -> list[str]:
    reasons = Counter(scene.reason for scene in unusable)
    return [
        f"left out, because {reason}: {_named([s.scene_id for s in unusable if s.reason == reason])}"
        for reason in reasons
    ]


def _cloudy(count: int, request: CompositeRequest) -> list[str]:
    return [f"left out for more than {request.most_cloud_percent:g} % cloud: {count}"] if count else []


def _older(count: int) -> list[str]:
    return [f"left out for a newer processing in the catalogue: {count}"] if count > 0 else []


def _without_cloud_share(scenes: list[Scene]) -> list[str]:
    names = [scene.facts.scene_id for scene in scenes if scene.facts.cloud_percent is None]
    return [f"used though no cloud share is stated: {_named(names)}"] if names else []


def _without_files(scenes: list[Scene], catalogue: Catalogue) -> list[str]:
    names = [f"{s.facts.scene_id} ({', '.join(sorted(set(catalogue.assets) - set(s.files)))})" for s in scenes]
    lacking = [name for name, s in zip(names, scenes, strict=True) if set(catalogue.assets) - set(s.files)]
    note = f"an item without {MASK} is not used, one without a band is not used for that band"
    return [f"files missing in the catalogue ({note}): {_named(lacking)}"] if lacking else []


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED_IN_REMARK} more" if len(names) > _NAMED_IN_REMARK else ""
    return ", ".join(names[:_NAMED_IN_REMARK]) + more
