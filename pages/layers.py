"""The layers of a map: mosaics, scores, sites, registers, lands, the area asked for."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from minedisc_core.domain import Candidate, Impact, Status
from pages import addresses, words
from pages.pictures import Box, Picture, kind_label
from pages.texts import t

LAYER_MAX = 2000
"""Most shapes of one layer that a browser draws without effort."""


def harmless(text: str) -> str:
    """Text for a map's tooltip, layer name or credit: names in files and registers must not become HTML or script."""
    escaped = html.escape(text)
    return "".join(f"&#{ord(c)};" if c in "`\\{}$" else c for c in escaped)


def mosaic_layers(picture: Picture, alone: bool) -> Iterator[Any]:
    """A mosaic's kinds of picture, the first shown; the scores, off at first; what was not seen, always on at first.

    `mosaic` and `kind` among a layer's options tell the map's script which is which.
    """
    import folium

    west, south, east, north = picture.bounds
    whose = "" if alone else f": {harmless(picture.label)}"
    for kind in picture.kinds:
        yield folium.TileLayer(
            tiles=addresses.signed_address(f"tiles/{picture.name}/{kind}/{{z}}/{{x}}/{{y}}", f"tiles:{picture.name}"),
            name=f"{kind_label(kind)}{whose}",
            attr=harmless(picture.credit),
            overlay=True,
            show=kind == picture.kinds[0],
            max_zoom=19,
            max_native_zoom=picture.max_zoom,
            bounds=[[south, west], [north, east]],
            keep_buffer=4,
            update_when_idle=False,
            mosaic=picture.name,
            kind=kind,
        )
    if picture.score_bounds:
        scores = addresses.signed_address(f"scores/{picture.name}", f"tiles:{picture.name}")
        yield _overlay(f"{t('Scores')}{whose}", scores, picture.score_bounds, opacity=0.7, show=False)
    if picture.score_bounds and picture.not_seen:
        yield _overlay(f"{words.not_seen()}{whose}", picture.not_seen, picture.score_bounds, opacity=1, show=True)


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


def site_group(candidates: Iterable[Candidate]) -> Any:
    """Sites as one feature group, coloured by impact class; each knows its candidate id."""
    import folium

    group = folium.FeatureGroup(name=t("Sites"))
    looks: dict[tuple[Impact, Status], list[dict[str, Any]]] = {}
    for candidate in candidates:
        looks.setdefault((candidate.impact, candidate.status), []).append(_site_feature(candidate))
    for (impact, status), features in looks.items():
        _shapes(features, site_style(impact, status)).add_to(group)
    return group


def _site_feature(candidate: Candidate) -> dict[str, Any]:
    site = candidate.site
    score = t("score {score}", score=f"{site.score:.2f}")
    label = f"{words.IMPACT[candidate.impact]} · {score} · {words.ha(site.area_cells_ha)}"
    return {
        "type": "Feature",
        "geometry": site.polygon.__geo_interface__,
        "properties": {"candidate_id": candidate.candidate_id, "label": label},
    }


def site_style(impact: Impact, status: Status) -> dict[str, Any]:
    """Leaflet path options of a site: colour by class, fill and dashes by status."""
    fill = {Status.CONFIRMED: 0.28, Status.REJECTED: 0.0}.get(status, 0.12)
    dashes = {Status.REJECTED: "3 5", Status.UNSURE: "8 5"}.get(status)
    colour = words.IMPACT_COLOUR[impact]
    return {"color": colour, "weight": 2, "fillColor": colour, "fillOpacity": fill, "dashArray": dashes}


def layer_group(name: str, features: Sequence[Mapping[str, Any]], colour: str) -> Any:
    """A register's shapes and points as one switchable layer; a `label` property shows on hover."""
    import folium

    group = folium.FeatureGroup(name=name)
    point = folium.CircleMarker(radius=5, color="#ffffff", weight=1.5, fill=True, fill_color=colour, fill_opacity=0.95)
    for marker in (point, None):
        chosen = [f for f in features if (f["geometry"]["type"] == "Point") == bool(marker)]
        if chosen:
            _shapes(chosen, {} if marker else shape_style(colour), marker).add_to(group)
    return group


def shape_style(colour: str) -> dict[str, Any]:
    """Leaflet path options of a register's outline."""
    return {"color": colour, "weight": 1.5, "fillColor": colour, "fillOpacity": 0.08}


def outline_group(name: str, geometry: Mapping[str, Any], colour: str = "#ffffff") -> Any:
    """One outline without a fill: the area asked for."""
    import folium

    group = folium.FeatureGroup(name=name)
    style = {"color": colour, "weight": 2.5, "fill": False, "dashArray": "6 4"}
    feature = {"type": "Feature", "geometry": geometry, "properties": {}}
    folium.GeoJson(feature, style_function=lambda _: style).add_to(group)
    return group


def _shapes(features: Sequence[Mapping[str, Any]], style: dict[str, Any], marker: Any = None) -> Any:
    import folium

    safe = [{**f, "properties": {**f["properties"], "label": harmless(f["properties"]["label"])}} for f in features]
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": safe},
        style_function=(lambda _: style) if style else None,
        marker=marker,
        tooltip=folium.GeoJsonTooltip(fields=["label"], labels=False, sticky=True),
    )
