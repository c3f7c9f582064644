"""The review map's content: the runs' mosaics, their sites, and the registers around them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from minedisc_core.detection.models import list_models
from minedisc_core.domain import Impact
from minedisc_core.registers.active import load_active
from minedisc_core.registers.map_features import features_in
from minedisc_core.store import CandidateFilter
from pages import layers, maps, names, pictures, shared, words
from pages.pictures import Picture

DAM_COLOUR, TITLE_COLOUR, LAND_COLOUR = "#2f7df6", "#c77dff", "#5ad469"


def mosaics_of(run_id: str | None) -> list[Picture]:
    """Mosaics of one run, or of the newest runs."""
    rows = [shared.store().run(run_id)] if run_id else shared.store().runs()[: maps.PICTURES_MAX]
    labels = shared.run_labels()
    found = [pictures.picture(row.run_id, labels[row.run_id], names.credit(row.summary)) for row in rows]
    return [picture for picture in found if picture]


def groups(wanted: CandidateFilter, shown: list[Picture]) -> list[Any]:
    """Lands, titles, dams and, above them, sites, each a layer that can be switched."""
    candidates = shared.store().candidates(wanted, limit=layers.LAYER_MAX)
    boxes = [picture.bounds for picture in shown] or [c.site.polygon.bounds for c in candidates]
    around = features_in(load_active(shared.settings()), boxes, layers.LAYER_MAX)
    return [
        layers.layer_group("Protected lands", around.lands, LAND_COLOUR),
        layers.layer_group("Mining titles", around.titles, TITLE_COLOUR),
        layers.layer_group("Registered dams and mines", around.dams, DAM_COLOUR),
        layers.site_group(candidates),
    ]


def legend(run_id: str | None) -> None:
    """What the colours mean, and whether the scores are worth anything."""
    marks = [(words.IMPACT_COLOUR[impact], words.IMPACT[impact]) for impact in Impact]
    marks += [(DAM_COLOUR, "Registered dam or mine"), (TITLE_COLOUR, "Mining title"), (LAND_COLOUR, "Protected land")]
    if any(picture.not_seen for picture in mosaics_of(run_id)):
        marks.append((words.NOT_SEEN_COLOUR, words.NOT_SEEN))
    dots = "".join(f'<span><i style="background:{colour}"></i>{label}</span>' for colour, label in marks)
    note = "<span>Demonstration model: its scores say nothing about real places.</span>"
    st.html(f'<div class="md-legend">{dots}{note if _is_demonstration(run_id) else ""}</div>')


def _is_demonstration(run_id: str | None) -> bool:
    rows = shared.store().runs()
    used = {row.summary.model for row in rows if run_id in (None, row.run_id)}
    return any(model.discovery.is_demonstration for model in list_models(shared.settings()) if model.name in used)
