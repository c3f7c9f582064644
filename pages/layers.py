"""What lies above the mosaic on a map: sites, registers, lands, the area asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minedisc_core.domain import Candidate, Impact, Status
from pages import words

LAYER_MAX = 2000
"""Most shapes of one layer that a browser draws without effort."""


def site_group(candidates: Iterable[Candidate]) -> Any:
    """Sites as one feature group, coloured by impact class; each knows its candidate id."""
    import folium

    group = folium.FeatureGroup(name="Sites")
    looks: dict[tuple[Impact, Status], list[dict[str, Any]]] = {}
    for candidate in list(candidates)[:LAYER_MAX]:
        looks.setdefault((candidate.impact, candidate.status), []).append(_site_feature(candidate))
    for (impact, status), features in looks.items():
        _shapes(features, site_style(impact, status), ("label",)).add_to(group)
    return group


def _site_feature(candidate: Candidate) -> dict[str, Any]:
    label = f"{words.IMPACT[candidate.impact]} · score {candidate.site.score:.2f} · {words.ha(candidate.site.area_cells_ha)}"
    return {
        "type": "Feature",
        "geometry": candidate.site.polygon.__geo_interface__,
        "properties": {"candidate_id": candidate.candidate_id, "label": label},
    }


def site_style(impact: Impact, status: Status) -> dict[str, Any]:
    """Leaflet path options of a site: colour by class, fill and dashes by status."""
    fill = {Status.CONFIRMED: 0.45, Status.REJECTED: 0.0}.get(status, 0.12)
    dashes = {Status.REJECTED: "3 5", Status.UNSURE: "8 5"}.get(status)
    colour = words.IMPACT_COLOUR[impact]
    return {"color": colour, "weight": 2, "fillColor": colour, "fillOpacity": fill, "dashArray": dashes}


def layer_group(name: str, features: Sequence[Mapping[str, Any]], colour: str, shown: bool) -> Any:
    """A register's shapes or points as one switchable layer; a `label` property shows on hover."""
    import folium

    group = folium.FeatureGroup(name=name, show=shown)
    points = [f for f in features if f["geometry"]["type"] == "Point"]
    shapes = [f for f in features if f["geometry"]["type"] != "Point"]
    for feature in points:
        lon, lat = feature["geometry"]["coordinates"]
        folium.CircleMarker(
            [lat, lon], radius=5, color="#ffffff", weight=1.5, fill=True, fill_color=colour, fill_opacity=0.95,
            tooltip=str(feature["properties"]["label"]),
        ).add_to(group)  # fmt: skip
    if shapes:
        _shapes(shapes, {"color": colour, "weight": 1.5, "fillOpacity": 0.08, "fillColor": colour}, ("label",)).add_to(
            group
        )
    return group


def outline_group(name: str, geometry: Mapping[str, Any], colour: str = "#ffffff") -> Any:
    """One outline without a fill: the area asked for."""
    import folium

    group = folium.FeatureGroup(name=name)
    style = {"color": colour, "weight": 2.5, "fill": False, "dashArray": "6 4"}
    folium.GeoJson({"type": "Feature", "geometry": geometry, "properties": {}}, style_function=lambda _: style).add_to(
        group
    )
    return group


def _shapes(features: Sequence[Mapping[str, Any]], style: dict[str, Any], fields: Sequence[str]) -> Any:
    import folium

    tooltip = folium.GeoJsonTooltip(fields=list(fields), labels=False, sticky=True)
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": list(features)}, style_function=lambda _: style, tooltip=tooltip
    )
