"""The files that the items of a STAC item collection name: one with many bands, or one for each band.

What an item tells of a file (place, size, baseline) is believed until the file is opened, and checked then: a
collection of a thousand scenes costs no request before the first pixel. Standards: STAC 1.0 and 1.1 (`bands`), the
extensions `eo`, `raster` and `proj`.
"""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from affine import Affine
from pystac import Asset, Item, ItemCollection
from pystac.errors import STACError, STACTypeError

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.imagery.bands import canonical_band
from minedisc_core.imagery.network import READ_TIMEOUT_S, full_address, gdal_path, is_remote, shown
from minedisc_core.imagery.network_faults import in_words
from minedisc_core.imagery.raster_file import BandSource, RasterFile, Unreadable, bands_of, describe_file
from minedisc_core.imagery.stac.scenes import offset_of

_CURL = "/vsicurl/"
_NO_PIXELS = {"thumbnail", "overview", "visual", "metadata"}
"""Roles of assets that show or describe the bands."""
_CODES = ("proj:code", "proj:epsg")
_MOST_BYTES = 200_000_000


@dataclass(frozen=True)
class SceneFiles:
    """What one item gives to a mosaic."""

    name: str
    bands: Mapping[str, BandSource]
    level: ProductLevel | None
    day: date | None
    facts: tuple[object, ...]
    """What the item says of itself, without signatures: the same for as long as it is the same scene."""


@dataclass
class _Named:
    """Assets of an item by what they hold."""

    single: dict[str, Asset] = field(default_factory=dict)
    """By band."""
    several: list[tuple[Asset, list[str]]] = field(default_factory=list)
    """With the names of their bands."""
    unnamed: list[Asset] = field(default_factory=list)


def read_items(path: str) -> list[Item]:
    """The items of a collection: a FeatureCollection of items, or one item, on disk or behind http(s).

    Args:
        path: as `network.gdal_path` gives it.

    Raises:
        ImageryError: it cannot be read, or is no collection of items.
    """
    content = _content(path)
    features = content.get("features") if content.get("type") == "FeatureCollection" else [content]
    try:
        items = list(ItemCollection(features or []).items)
    except (STACError, STACTypeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ImageryError(
            f"{path} is no STAC item collection ({type(error).__name__}: {str(error)[:120]})",
            "a FeatureCollection of STAC items, as a search of a catalogue answers",
            "save the answer of the search as it is",
        ) from error
    if not items:
        raise ImageryError(f"{path} holds no item", "at least one STAC item", "search again with other dates or area")
    return items


def _content(path: str) -> dict[str, Any]:
    try:
        if path.startswith(_CURL):
            address = full_address(path).removeprefix(_CURL)
            with urllib.request.urlopen(address, timeout=READ_TIMEOUT_S) as answer:  # noqa: S310 - http, by the prefix
                text = answer.read(_MOST_BYTES)
        else:
            text = Path(path).read_bytes()
        content = json.loads(text)
    except (OSError, ValueError) as error:
        why = in_words(error, READ_TIMEOUT_S) if path.startswith(_CURL) else f"{type(error).__name__}: {error}"
        raise ImageryError(
            f"{path} cannot be read ({why})", "a STAC item collection (JSON)", "check path and address"
        ) from None
    if not isinstance(content, dict):
        raise ImageryError(f"{path} holds a {type(content).__name__}", "a FeatureCollection of STAC items")
    return content


def scene_files(item: Item, collection: str, stated: int | None) -> SceneFiles:
    """The files of an item.

    Args:
        item: of a collection.
        collection: the path that the item was read from: addresses may be relative to it.
        stated: the offset of the stored numbers, if the caller knows it.

    Raises:
        ImageryError: the item names no file that can be used, or does not tell the offset of its numbers.
    """
    named = _by_band(item)
    most = max((len(bands) for _, bands in named.several), default=0)
    if named.single and len(named.single) >= most:
        bands = _files_of_bands(item, collection, named.single, _offset(item, stated))
    else:
        bands = _many_bands(item, collection, named, _told_offset(item, stated))
    taken = item.datetime or item.common_metadata.start_datetime
    return SceneFiles(item.id, bands, _level(item), taken.date() if taken else None, (_stamp(item, bands),))


def _by_band(item: Item) -> _Named:
    named = _Named()
    for key, asset in item.assets.items():
        if _NO_PIXELS & set(asset.roles or ()) or not _is_geotiff(asset):
            continue
        told = [_band(band) for band in asset.extra_fields.get("bands") or asset.extra_fields.get("eo:bands") or ()]
        by_key = canonical_band(key)
        if len(told) > 1 and any(told):
            named.several.append((asset, [name or "" for name in told]))
        elif by_key or (told and told[0]):
            named.single[by_key or told[0] or ""] = asset
        elif not told:
            named.unnamed.append(asset)
    return named


def _band(told: Mapping[str, Any]) -> str | None:
    names = (told.get("name"), told.get("description"), told.get("common_name"), told.get("eo:common_name"))
    return next((found for name in names if isinstance(name, str) and (found := canonical_band(name))), None)


def _is_geotiff(asset: Asset) -> bool:
    kind = asset.media_type or ""
    return "tiff" in kind if kind else shown(asset.href).lower().endswith((".tif", ".tiff"))


def _told_offset(item: Item, stated: int | None) -> int | None:
    told = offset_of(item.properties)
    if told is not None and stated is not None and told != stated:
        raise ImageryError(
            f"{item.id} says that its DN offset is {told}, not {stated}", "one offset", "leave out --dn-offset"
        )
    return told if told is not None else stated


def _offset(item: Item, stated: int | None) -> int:
    offset = _told_offset(item, stated)
    if offset is None:
        raise Unreadable(
            f"{item.id} was left out: it states neither a processing baseline nor that the offset of 1,000 was "
            "removed, which is never guessed",
            "s2:processing_baseline or earthsearch:boa_offset_applied",
            "state it with --dn-offset if you know it",
        )
    return offset


def _files_of_bands(item: Item, collection: str, assets: Mapping[str, Asset], offset: int) -> dict[str, BandSource]:
    found = {}
    for band, asset in assets.items():
        path = _path(item, asset, collection)
        file = _as_told(item, asset, path, band, offset) or describe_file(path, [band], offset)
        found[band] = BandSource(file, 1)
    return found


def _many_bands(item: Item, collection: str, named: _Named, offset: int | None) -> dict[str, BandSource]:
    if named.several:
        asset, bands = max(named.several, key=lambda pair: len(pair[1]))
        return bands_of(describe_file(_path(item, asset, collection), bands if all(bands) else None, offset))
    if len(named.unnamed) == 1:
        return bands_of(describe_file(_path(item, named.unnamed[0], collection), None, offset))
    raise Unreadable(
        f"{item.id} names no GeoTIFF of Sentinel-2 bands: {', '.join(item.assets) or 'no assets'}",
        "assets called by their bands (B02, blue), or one with all of them",
        "name other items",
    )


def _path(item: Item, asset: Asset, collection: str) -> str:
    """Where GDAL finds an asset; relative addresses count from the item, else from the collection."""
    href = asset.get_absolute_href() or asset.href
    base = collection.removeprefix(_CURL)
    path = gdal_path(href if "://" in href or href.startswith("/") else _joined(base, href))
    if is_remote(collection) and not is_remote(path):
        raise Unreadable(f"{item.id} names the file {path} of this machine", "addresses, in a collection of a network")
    return path


def _joined(base: str, href: str) -> str:
    return urljoin(base, href) if "://" in base else str(Path(base).parent / href)


def _as_told(item: Item, asset: Asset, path: str, band: str, offset: int) -> RasterFile | None:
    """The file as the item describes it; None if it does not tell where it lies, or how large it is."""
    told = asset.extra_fields
    # An item's own place and size are those of one resolution: only the asset's own are believed.
    transform: list[float] = told.get("proj:transform") or []
    shape: list[int] = told.get("proj:shape") or []
    code = next((fields[n] for fields in (told, item.properties) for n in _CODES if fields.get(n)), None)
    is_whole = len(transform) >= 6 and len(shape) == 2 and all(isinstance(n, int | float) for n in (*transform, *shape))
    if not code or not is_whole:
        return None
    raster = (asset.extra_fields.get("raster:bands") or asset.extra_fields.get("bands") or [{}])[0]
    crs = code if isinstance(code, str) else f"EPSG:{code}"
    return RasterFile(
        path=path, height_px=int(shape[0]), width_px=int(shape[1]), transform=Affine(*transform[:6]), crs=crs,
        dtype=str(raster.get("data_type") or "uint16"), bands=(band,), gain=1.0, dn_offset=offset,
        nodata=float(raster["nodata"]) if isinstance(raster.get("nodata"), int | float) else 0.0,
        is_masked=False, has_alpha=False, tags=(), stamp="",
    )  # fmt: skip


def _level(item: Item) -> ProductLevel | None:
    told = (item.properties.get("processing:level"), item.properties.get("s2:product_type"), item.collection_id)
    for text in told:
        for level in ProductLevel:
            if level.value.lower() in str(text or "").lower() or level.value[1:] == str(text or "")[-2:]:
                return level
    return None


def _stamp(item: Item, bands: Mapping[str, BandSource]) -> str:
    files = sorted((name, s.file.path, s.file.stamp, s.file.dn_offset, s.index) for name, s in bands.items())
    said = [item.properties.get(name) for name in ("updated", "s2:processing_baseline", "processing:version")]
    return hashlib.sha256(repr((item.id, files, said)).encode()).hexdigest()
