"""The review map's content: the runs' mosaics, their sites, and the registers around them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from minedisc_core.detection.models import list_models
from minedisc_core.domain import Impact, RunSummary
from minedisc_core.registers.active import load_active
from minedisc_core.registers.map_features import features_in
from minedisc_core.store import CandidateFilter
from pages import layers, map_sites, maps, names, pictures, shared, words
from pages.pictures import Picture
from pages.texts import t

DAM_COLOUR, TITLE_COLOUR, LAND_COLOUR, RIVER_COLOUR = "#2f7df6", "#c77dff", "#5ad469", "#4cc9f0"


def mosaics_of(run_id: str | None) -> list[Picture]:
    """Mosaics of one run, or of the newest runs."""
    runs = [run_id] if run_id else [row.run_id for row in shared.store().runs()[: maps.PICTURES_MAX]]
    found = [_picture(run, shared.run_summary(run)) for run in runs]
    return [picture for picture in found if picture]


def _picture(run_id: str, summary: RunSummary) -> Picture | None:
    label = names.run_label(summary, shared.settings().demo)
    return pictures.picture(run_id, label, names.credit(summary))


def groups(wanted: CandidateFilter, shown: list[Picture]) -> list[Any]:
    """Lands, titles, rivers, dams and, above them, the sites, each a layer that can be switched.

    Of more sites than a layer takes the panel draws those of the view (`map_sites`).
    """
    candidates = [] if map_sites.are_many(wanted) else shared.store().candidates(wanted)
    boxes = [picture.bounds for picture in shown] or [c.site.polygon.bounds for c in candidates]
    around = features_in(load_active(shared.settings()), boxes, layers.LAYER_MAX)
    return [
        layers.layer_group(t("Protected lands"), around.lands, LAND_COLOUR),
        layers.layer_group(t("Mining titles"), around.titles, TITLE_COLOUR),
        layers.layer_group(t("Rivers"), around.rivers, RIVER_COLOUR),
        layers.layer_group(t("Registered dams and mines"), around.dams, DAM_COLOUR),
        layers.site_group(candidates),
    ]


def legend(run_id: str | None, shown: list[Picture]) -> None:
    """What the colours mean, and whether the scores are worth anything."""
    marks = [(words.IMPACT_COLOUR[impact], words.IMPACT[impact]) for impact in Impact]
    marks += [
        (DAM_COLOUR, t("Registered dam or mine")),
        (TITLE_COLOUR, t("Mining title")),
        (LAND_COLOUR, t("Protected land")),
        (RIVER_COLOUR, t("River")),
    ]
    if any(picture.not_seen for picture in shown):
        marks.append((words.NOT_SEEN_COLOUR, words.not_seen()))
    dots = "".join(f'<span><i style="background:{colour}"></i>{label}</span>' for colour, label in marks)
    note = f"<span>{t('Demonstration model: its scores say nothing about real places.')}</span>"
    st.html(f'<div class="md-legend">{dots}{note if _is_demonstration(run_id) else ""}</div>')


def _is_demonstration(run_id: str | None) -> bool:
    runs = [shared.run_summary(run_id)] if run_id else [row.summary for row in shared.store().runs()]
    used = {run.model for run in runs}
    return any(model.discovery.is_demonstration for model in list_models(shared.settings()) if model.name in used)
