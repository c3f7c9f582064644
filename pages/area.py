"""The area to scan: the whole mosaic, drawn on the map, or from a file. Saved as soon as it is there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit_folium import st_folium

from minedisc_core.registers.areas import aoi_from_geojson, read_aoi
from minedisc_core.runs import read_json, write_json
from minedisc_core.uploads import check_upload
from pages import boundary, layers, maps, shared
from pages.pictures import Box, Picture
from pages.shared import SessionKeys
from pages.texts import Labels, t

MAP_KEY, KIND_KEY, FILE_KEY = "scan_map", "scan_area_kind", "scan_area_file"
FORMATS = ["geojson", "json", "kml", "kmz", "zip", "gpkg"]
MAP_HEIGHT_PX = 540


class Kind(StrEnum):
    """Where the area comes from."""

    WHOLE = "Whole mosaic"
    DRAWN = "Drawn"
    FILE = "From a file"


KINDS = Labels({Kind.WHOLE: "Whole mosaic", Kind.DRAWN: "Drawn", Kind.FILE: "From a file"})
"""The values stand in saved files, so they stay as they are; these are shown."""


def choose(key: str, kinds: Sequence[Kind] = tuple(Kind)) -> dict[str, Any] | None:
    """The widgets; the area as a GeoJSON geometry in EPSG:4326, None for the whole mosaic.

    Args:
        key: what the area belongs to: a mosaic's key, or a name of one's own.
        kinds: which kinds may be chosen; the first is the default.
    """
    _remember(key, kinds[0])
    label = t("Area to scan") if Kind.WHOLE in kinds else t("Area")
    kind = st.segmented_control(label, list(kinds), format_func=KINDS.get, key=KIND_KEY, required=True)
    if kind == Kind.FILE:
        st.file_uploader(
            t("GeoJSON, KML, GeoPackage or zipped shapefile"), FORMATS, key=FILE_KEY, on_change=_take_file,
            args=(key,),
        )  # fmt: skip
    area = st.session_state[SessionKeys.AREA]
    if kind == Kind.WHOLE:
        return None
    if kind == Kind.DRAWN and not area["drawn"]:
        st.caption(t("Draw a rectangle or a polygon with the tools at the left edge of the map."))
    return area["drawn"] if kind == Kind.DRAWN else area["file"]


def is_waiting(area: dict[str, Any] | None) -> bool:
    """Whether an area is to be drawn or uploaded and is not there yet."""
    return area is None and st.session_state.get(KIND_KEY) != Kind.WHOLE


def _remember(key: str, usual: Kind) -> None:
    """Bring back the area of this mosaic that was saved last."""
    if st.session_state.get(SessionKeys.AREA, {}).get("mosaic") == key:
        st.session_state.setdefault(KIND_KEY, Kind(st.session_state[SessionKeys.AREA]["kind"]))
        return
    path = _path(key)
    saved = read_json(path) if path.is_file() else {"kind": usual, "drawn": None, "file": None}
    st.session_state[SessionKeys.AREA] = {**saved, "mosaic": key}
    st.session_state[KIND_KEY] = Kind(saved["kind"])


def _keep(key: str, kind: Kind, geometry: Any) -> None:
    """Save an area in the session and on disk, and choose it."""
    area = st.session_state[SessionKeys.AREA]
    area["drawn" if kind == Kind.DRAWN else "file"] = geometry
    area["kind"] = st.session_state[KIND_KEY] = kind
    write_json(_path(key), area)


def save(key: str, geometry: Any) -> None:
    """Make a geometry the area of a mosaic, before it is chosen."""
    write_json(_path(key), {"kind": Kind.DRAWN, "drawn": geometry, "file": None, "mosaic": key})


def _path(key: str) -> Path:
    return shared.settings().home / "areas" / f"{key}.json"


def _take_drawing(key: str) -> None:
    drawings = (st.session_state.get(MAP_KEY) or {}).get("all_drawings")
    if drawings is None:
        return
    if not drawings:
        _keep(key, Kind.DRAWN, None)
        return
    with shared.Noted() as noted:
        _keep(key, Kind.DRAWN, aoi_from_geojson(drawings).__geo_interface__)
    boundary.show_next_run(noted.error)


def _take_file(key: str) -> None:
    upload = st.session_state.get(FILE_KEY)
    if upload is None:
        return
    with shared.Noted() as noted, tempfile.TemporaryDirectory() as scratch:
        check_upload(upload.name, upload.size, shared.settings())
        path = Path(scratch) / f"area{Path(upload.name).suffix.lower()}"
        path.write_bytes(upload.getbuffer())
        _keep(key, Kind.FILE, read_aoi(path, shared.settings()).__geo_interface__)
    boundary.show_next_run(noted.error)


def draw_map(
    key: str,
    pictures: Sequence[Picture],
    outline: dict[str, Any] | None,
    area: dict[str, Any] | None,
    bounds: Box | None,
) -> None:
    """Mosaics in true colour, as far as there are pictures, with tools to draw and the area as it is now."""
    made = maps.base(pictures, st.session_state.get("scan_basemap"), bounds)
    maps.add_drawing(made)
    groups = [layers.outline_group(t("Mosaic"), outline, "#ffd54a")] if outline else []
    live = (st.session_state.get(MAP_KEY) or {}).get("all_drawings")
    if area and not (live and st.session_state.get(KIND_KEY) == Kind.DRAWN):
        groups.append(layers.outline_group(t("Area"), area))
    st_folium(
        made,
        key=MAP_KEY,
        height=MAP_HEIGHT_PX,
        use_container_width=True,
        returned_objects=["all_drawings"],
        feature_group_to_add=groups,
        layer_control=maps.layer_control(),
        on_change=lambda: _take_drawing(key),
    )
