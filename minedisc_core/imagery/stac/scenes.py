"""From a catalogue's items to scenes: their files, footprint, day and the offset of their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import shapely
from pystac import Item
from shapely.geometry.base import BaseGeometry

from minedisc_core.imagery.composites.source import SceneFacts

BOA_OFFSET = 1_000
"""Added to the numbers of products since processing baseline 04.00 (ESA; from 2022-01-25, older dates reprocessed)."""
_FIRST_WITH_OFFSET = (4, 0)
_APPLIED = "earthsearch:boa_offset_applied"
_BASELINE_FIELDS = ("s2:processing_baseline", "processing:version")
_BASELINE = re.compile(r"N?0?(\d)\.?(\d\d)")


@dataclass(frozen=True)
class Scene:
    """One item that can be used."""

    facts: SceneFacts
    files: Mapping[str, str]
    """Address of each band (canonical name) and of `scl`; one that the item does not list is left out."""
    footprint: BaseGeometry
    """EPSG:4326."""
    crs: str
    """`EPSG:32723`; empty if the item does not say."""
    solar_day: date
    """Day by the sun's time at the scene's middle: files of one pass share it."""
    place: str
    """Grid code (MGRS tile); empty if the item does not say."""
    corner: tuple[float, float] | None
    """Upper left corner of the files, x and y in `crs`: their tiles are counted from it. None if it is not stated."""
    moment: str
    """Time of acquisition to the second, and the platform: the same in every processing of it."""


@dataclass(frozen=True)
class Unusable:
    """An item that is left out, and why, in a sentence."""

    scene_id: str
    reason: str


def scene_of(item: Item, assets: Mapping[str, str]) -> Scene | Unusable:
    """What an item says of itself.

    Args:
        item: a catalogue's item.
        assets: asset key of each band and of `scl`.
    """
    taken = _taken_at(item)
    if taken is None or item.geometry is None:
        return Unusable(item.id, "it states no time or no footprint")
    baseline = baseline_of(item.properties)
    offset = offset_of(item.properties)
    if offset is None:
        return Unusable(
            item.id,
            "it states neither a processing baseline nor that the offset of 1,000 was removed, which is never guessed",
        )
    files = {name: item.assets[key].get_absolute_href() or "" for name, key in assets.items() if key in item.assets}
    footprint = shapely.make_valid(shapely.geometry.shape(item.geometry))
    cloud = item.properties.get("eo:cloud_cover")
    share = float(cloud) if isinstance(cloud, int | float) else None
    return Scene(
        SceneFacts(item.id, taken.date(), share, baseline, offset),
        files,
        footprint,
        _crs(item.properties),
        (taken + timedelta(hours=footprint.centroid.x / 15)).date(),
        _place(item.properties),
        _corner(item, assets),
        f"{taken:%Y-%m-%dT%H:%M:%S} {item.properties.get('platform', '')}",
    )


def baseline_of(properties: Mapping[str, object]) -> str:
    """Processing baseline as `04.00`; empty if none is stated in a form that is certain."""
    for name in _BASELINE_FIELDS:
        stated = properties.get(name)
        text = f"{stated:05.2f}" if isinstance(stated, float) else str(stated or "").strip()
        if found := _BASELINE.fullmatch(text):
            return f"0{found[1]}.{found[2]}"
    return ""


def offset_of(properties: Mapping[str, object]) -> int | None:
    """What must be taken off an item's numbers, 0 or 1,000; None if the item does not tell."""
    if properties.get(_APPLIED) is True:
        return 0
    baseline = baseline_of(properties)
    if not baseline:
        return None
    major, minor = baseline.split(".")
    return BOA_OFFSET if (int(major), int(minor)) >= _FIRST_WITH_OFFSET else 0


def newest_processings(scenes: Sequence[Scene]) -> list[Scene]:
    """Each acquisition once: of several processings of one tile and moment those of the newest baseline.

    Two files of the same baseline stay both: they are the two parts of a split acquisition, and share a
    solar day, so that no pixel counts twice.
    """
    newest: dict[tuple[str, str], str] = {}
    for scene in scenes:
        key = _key(scene)
        newest[key] = max(newest.get(key, ""), scene.facts.baseline)
    unique = {scene.facts.scene_id: scene for scene in scenes if scene.facts.baseline == newest[_key(scene)]}
    return sorted(unique.values(), key=lambda scene: (scene.solar_day, scene.facts.scene_id))


def _key(scene: Scene) -> tuple[str, str]:
    return (scene.place, scene.moment) if scene.place else (scene.facts.scene_id, "")


def _taken_at(item: Item) -> datetime | None:
    taken = item.datetime or item.common_metadata.start_datetime
    if taken is None:
        return None
    return taken.astimezone(UTC).replace(tzinfo=None) if taken.tzinfo else taken


def _crs(properties: Mapping[str, object]) -> str:
    code = properties.get("proj:code")
    if isinstance(code, str):
        return code
    number = properties.get("proj:epsg")
    return f"EPSG:{number}" if isinstance(number, int) else ""


def _corner(item: Item, assets: Mapping[str, str]) -> tuple[float, float] | None:
    held = [item.assets[key].extra_fields for key in assets.values() if key in item.assets]
    for fields in (*held, item.properties):
        transform = fields.get("proj:transform")
        if isinstance(transform, list) and len(transform) >= 6 and all(isinstance(n, int | float) for n in transform):
            return float(transform[2]), float(transform[5])
    return None


def _place(properties: Mapping[str, object]) -> str:
    code = properties.get("grid:code") or properties.get("s2:mgrs_tile")
    return str(code or "").removeprefix("MGRS-")
