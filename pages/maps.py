"""The leafmap maps: the mosaic's own map tiles, its scores and, if switched on, another host's map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages import addresses, words
from pages.layers import harmless
from pages.pictures import KINDS, Box, Picture

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


def base(pictures: Sequence[Picture], basemap: str | None = None, bounds: Box | None = None) -> Any:
    """A leafmap map of mosaics: one mosaic's kinds are base layers, several mosaics lie above each other."""
    import leafmap.foliumap as leafmap  # slow the first time: the app imports it in a thread at its start

    centre = pictures[0].centre if pictures else (-15.0, -52.0)
    made = leafmap.Map(
        center=list(centre),
        zoom=11 if pictures else 4,
        tiles=None,
        fullscreen_control=False,
        layers_control=False,
        max_zoom=19,
        font_size="0.75rem",
    )
    _use_own_scripts(made)
    if bounds:
        west, south, east, north = bounds
        made.fit_bounds([[south, west], [north, east]])
    if basemap:
        _add_basemap(made, basemap)
    for picture in pictures[:PICTURES_MAX]:
        _add_tiles(made, picture, alone=len(pictures) == 1, shown=not basemap)
        _add_overlays(made, picture, alone=len(pictures) == 1)
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
    tools.default_js = [("draw", addresses.vendored("draw/leaflet.draw.js", tools.default_js[0][1]))]
    tools.default_css = [("draw", addresses.vendored("draw/leaflet.draw.css", tools.default_css[0][1]))]
    tools.add_to(made)


def _use_own_scripts(made: Any) -> None:
    """Leaflet from this app instead of a CDN; jquery, bootstrap and icon fonts are not needed."""
    made.default_js = [("leaflet", addresses.vendored("leaflet/leaflet.js", made.default_js[0][1]))]
    made.default_css = [("leaflet_css", addresses.vendored("leaflet/leaflet.css", made.default_css[0][1]))]


def _add_tiles(made: Any, picture: Picture, alone: bool, shown: bool) -> None:
    import folium

    west, south, east, north = picture.bounds
    for kind in picture.kinds if alone else picture.kinds[:1]:
        folium.TileLayer(
            tiles=addresses.signed_address(f"tiles/{picture.name}/{kind}/{{z}}/{{x}}/{{y}}", f"tiles:{picture.name}"),
            name=KINDS[kind] if alone else f"{KINDS[kind]}: {harmless(picture.label)}",
            attr=harmless(picture.credit),
            overlay=not alone,
            show=shown and kind == picture.kinds[0],
            max_zoom=19,
            max_native_zoom=picture.max_zoom,
            bounds=[[south, west], [north, east]],
        ).add_to(made)


def _add_overlays(made: Any, picture: Picture, alone: bool) -> None:
    """The scores, off at first, and what was not seen, always on at first; nothing where all was seen."""
    whose = "" if alone else f": {harmless(picture.label)}"
    scores = addresses.signed_address(f"scores/{picture.name}", f"tiles:{picture.name}")
    if picture.score_bounds:
        _overlay(f"Scores{whose}", scores, picture.score_bounds, opacity=0.7, show=False).add_to(made)
    if picture.score_bounds and picture.not_seen:
        _overlay(f"{words.NOT_SEEN}{whose}", picture.not_seen, picture.score_bounds, opacity=1, show=True).add_to(made)


def _overlay(name: str, address: str, bounds: Box, opacity: float, show: bool) -> Any:
    import folium

    west, south, east, north = bounds
    overlay = folium.raster_layers.ImageOverlay(
        image="data:,",  # folium would open a local address as a file
        bounds=[[south, west], [north, east]],
        name=name,
        opacity=opacity,
        show=show,
        pixelated=True,
    )
    overlay.url = address
    return overlay


def _add_basemap(made: Any, basemap: str) -> None:
    import folium

    address, _, credit, max_zoom = BASEMAPS[basemap]
    folium.TileLayer(address, name=basemap, attr=credit, max_zoom=19, max_native_zoom=max_zoom).add_to(made)


def basemap_choice(key: str) -> str | None:
    """A switch for maps of other hosts: off by default, the host named beside it."""
    labels = {"": "None"} | {name: f"{name} ({host})" for name, (_, host, _, _) in BASEMAPS.items()}
    chosen = st.selectbox(
        "Base map from the internet",
        list(labels),
        format_func=labels.get,
        key=key,
        help="Off by default. When you choose one, your browser asks the named host for its map.",
    )
    return chosen or None
