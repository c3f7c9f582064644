"""The mosaic with the register's points on it; a click moves the point that is looked at."""

from __future__ import annotations

from typing import Any

import streamlit as st
from shapely.geometry import Point, mapping
from streamlit_folium import st_folium

from minedisc_core.grid import WINDOW_PX, square_around
from minedisc_core.learning.walk import WalkPoint
from pages import layers, maps, point_decisions
from pages.chosen import Chosen, preview
from pages.texts import t

MAP_KEY = "points_map"
HEIGHT_PX = 640
ZOOM = 14
HERE, UNDECIDED, DECIDED, REGISTER = "#ff3d00", "#4fc3f7", "#81c784", "#ffd54a"


def draw(source: str, points: list[WalkPoint], at: int, chosen: Chosen) -> None:
    """The map, centred on the point; what is clicked is kept before the page is drawn again."""
    picture = preview(chosen.mosaic, chosen.label)
    bounds = chosen.mosaic.grid.footprint.bounds
    made = maps.base([picture] if picture else [], st.session_state.get("points_basemap"), bounds)
    lon, lat = points[at].lonlat
    st_folium(
        made,
        key=MAP_KEY,
        height=HEIGHT_PX,
        use_container_width=True,
        returned_objects=["last_clicked"],
        feature_group_to_add=_groups(points, at),
        center=(lat, lon),
        zoom=ZOOM,
        layer_control=maps.layer_control(),
        on_change=lambda: _take_click(source, points[at].point.line),
    )
    maps.basemap_choice("points_basemap")


def _groups(points: list[WalkPoint], at: int) -> list[Any]:
    here = points[at]
    others = [each for index, each in enumerate(points) if index != at]
    window = square_around(*here.lonlat, 10.0 * WINDOW_PX)
    groups = [
        (t("Undecided"), [_feature(*each.lonlat, each) for each in others if not each.correction], UNDECIDED),
        (t("Decided"), [_feature(*each.lonlat, each) for each in others if each.correction], DECIDED),
        (t("In the register"), [_feature(here.point.lon, here.point.lat, here)], REGISTER),
        (t("This point"), [_feature(*here.lonlat, here)], HERE),
    ]
    shown = [layers.layer_group(name, found[: layers.LAYER_MAX], colour) for name, found, colour in groups if found]
    return [layers.outline_group(t("Window of 2 km"), mapping(window)), *shown]


def _feature(lon: float, lat: float, shown: WalkPoint) -> dict[str, Any]:
    label = shown.point.name or t("Line {line}", line=shown.point.line)
    return {"type": "Feature", "geometry": mapping(Point(lon, lat)), "properties": {"label": label}}


def _take_click(source: str, line: int) -> None:
    clicked = (st.session_state.get(MAP_KEY) or {}).get("last_clicked")
    if clicked:
        lon = (clicked["lng"] + 180) % 360 - 180  # the map goes round the Earth more than once
        point_decisions.decide(source, line, "moved", (lon, clicked["lat"]), line)
