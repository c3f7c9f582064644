"""The leafmap maps: mosaics as map tiles and, if switched on, another host's map below them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pages import addresses, layers, map_words
from pages.pictures import Box, Picture
from pages.texts import t

BASEMAPS = {
    "Esri World Imagery": (
        "https://server.arcgisonline.com/ArcGIS/rest/services/World_Imagery/MapServer/tile/{z}/{y}/{x}",
        "server.arcgisonline.com",
        "Esri, Maxar, Earthstar Geographics",
        18,
    ),
    "OpenStreetMap": (
        "https://tile.openstreetmap.org/{z}/{x}/{y}.png",
        "tile.openstreetmap.org",
        "© OpenStreetMap contributors",
        19,
    ),
}
"""Maps of other hosts, used only when switched on: address, host, credit, largest zoom."""
PICTURES_MAX = 4
"""Mosaics on one map at most."""
STYLE = (Path(__file__).parent / "panel" / "map.css").read_text("utf-8")
"""For the map's frame: a document of its own, which the page's styles do not reach."""


def base(pictures: Sequence[Picture], basemap: str | None = None, bounds: Box | None = None) -> Any:
    """A leafmap map of mosaics, each a layer per kind of picture; another host's map lies below them."""
    import leafmap.foliumap as leafmap  # slow the first time: the app imports it in a thread at its start

    made = leafmap.Map(
        center=list(pictures[0].centre if pictures else (-15.0, -52.0)),
        zoom=11 if pictures else 4,
        tiles=None,
        fullscreen_control=False,
        layers_control=False,
        max_zoom=19,
        font_size="0.75rem",
        fade_animation=False,  # a tile that fades in flickers when the map jumps to the next candidate
    )
    _use_own_scripts(made)
    map_words.element().add_to(made)
    if bounds:
        west, south, east, north = bounds
        made.fit_bounds([[south, west], [north, east]])
    if basemap:
        _add_basemap(made, basemap)
    for picture in pictures[:PICTURES_MAX]:
        for layer in layers.mosaic_layers(picture, alone=len(pictures) == 1):
            layer.add_to(made)
    return made


def layer_control() -> Any:
    """The switch for all layers, closed until the mouse is over it."""
    import folium

    return folium.LayerControl(collapsed=True)


def add_drawing(made: Any) -> None:
    """Tools for rectangles and polygons."""
    from folium.plugins import Draw

    shape = {"shapeOptions": {"color": "#ffffff", "weight": 3, "opacity": 1, "fillOpacity": 0.05}}
    none = dict.fromkeys(("polyline", "circle", "marker", "circlemarker"), False)
    tools = Draw(export=False, draw_options={**none, "rectangle": shape, "polygon": shape})
    tools.default_js, tools.default_css = [], []  # every map of the app has them: `_use_own_scripts`
    tools.add_to(made)


def _use_own_scripts(made: Any) -> None:
    """Leaflet and its drawing tools from this app, not a CDN; jquery, bootstrap and icon fonts are not needed."""
    import folium
    from folium.plugins import Draw

    made.default_js = [
        ("leaflet", addresses.vendored("leaflet/leaflet.js", made.default_js[0][1])),
        ("draw", addresses.vendored("draw/leaflet.draw.js", Draw.default_js[0][1])),
    ]
    made.default_css = [
        ("leaflet_css", addresses.vendored("leaflet/leaflet.css", made.default_css[0][1])),
        ("draw", addresses.vendored("draw/leaflet.draw.css", Draw.default_css[0][1])),
    ]
    made.get_root().header.add_child(folium.Element(f"<style>{STYLE}</style>"), name="minedisc")


def _add_basemap(made: Any, basemap: str) -> None:
    import folium

    address, host, credit, max_zoom = BASEMAPS[basemap]
    name = f"{basemap} ({host})"
    folium.TileLayer(address, name=name, attr=credit, max_zoom=19, max_native_zoom=max_zoom).add_to(made)


def basemap_choice(key: str) -> str | None:
    """A switch for maps of other hosts: off by default, the host named beside it."""
    labels = {"": t("None")} | {name: f"{name} ({host})" for name, (_, host, _, _) in BASEMAPS.items()}
    chosen = st.selectbox(
        t("Base map from the internet"),
        list(labels),
        format_func=labels.get,
        key=key,
        help=t("Off by default. When you choose one, your browser asks the named host for its map."),
    )
    return chosen or None
