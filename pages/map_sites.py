"""Sites on the review map where there are too many for one layer: those in its view, or clusters of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from minedisc_core.errors import UsageError
from minedisc_core.store import CandidateFilter, Cluster, MapSite
from pages import layers, sent, shared, views, words
from pages.texts import t

LAYER_SITES_MAX = 1_000
"""Up to so many sites come with the page, as one layer."""
VIEW_SITES_MAX = 400
"""Up to so many sites of a view are drawn; of more, clusters."""
SQUARES_ACROSS = 8


def whatever_was_decided(wanted: CandidateFilter) -> CandidateFilter:
    """What the map shows: the filter without its choices of verdicts and looks."""
    return replace(wanted, statuses=(), reasons=(), analysts=(), seen=None)


def are_many(wanted: CandidateFilter) -> bool:
    """Whether a filter holds more sites than one layer takes."""
    return shared.store().count(whatever_was_decided(wanted)) > LAYER_SITES_MAX


def in_view(queue: str, edges: str) -> dict[str, Any]:
    """The sites of a queue's filter in a view of the map, or clusters where they are many.

    Args:
        queue: name of the queue.
        edges: `west,south,east,north` of the view in degrees.

    Raises:
        UsageError: the queue is not known any more, or that is no view.
    """
    wanted = shared.house().queues.filter_of(queue)
    if wanted is None:
        raise UsageError("this review queue is not known any more", remedy=sent.RELOAD)
    box = views.checked_box([float(edge) for edge in edges.split(",")] if views.BOX.fullmatch(edges) else None)
    if box is None:
        raise UsageError("this is no view of the map", "west, south, east, north in degrees", sent.RELOAD)
    store, asked = shared.store(), whatever_was_decided(wanted)
    sites = store.sites_in(asked, box, VIEW_SITES_MAX)
    if sites is not None:
        return {"sites": [_site(site) for site in sites], "clusters": []}
    return {"sites": [], "clusters": [_cluster(each) for each in store.clusters_in(asked, box, SQUARES_ACROSS)]}


def _site(site: MapSite) -> dict[str, Any]:
    score = t("score {score}", score=f"{site.score:.2f}")
    label = f"{words.IMPACT[site.impact]} · {score} · {words.ha(site.area_cells_ha)}"
    return {
        "type": "Feature",
        "geometry": site.polygon.__geo_interface__,
        "properties": {
            "candidate_id": site.candidate_id,
            "label": layers.harmless(label),
            "style": layers.site_style(site.impact, site.status),
        },
    }


def _cluster(found: Cluster) -> dict[str, Any]:
    label = t("{n} sites: click to come nearer", n=words.number(found.sites))
    return {"lon": found.lon, "lat": found.lat, "count": found.sites, "box": found.box, "label": label}
