"""The review map's content: the runs' mosaics, their sites, and the registers around them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from minedisc_core.domain import Impact
from minedisc_core.store import CandidateFilter
from pages import layers, maps, shared, words
from pages.maps import Picture

DAM_COLOUR, TITLE_COLOUR, LAND_COLOUR = "#2f7df6", "#c77dff", "#5ad469"


def pictures(run_id: str | None) -> list[Picture]:
    """Mosaics of one run, or of the newest runs."""
    rows = [shared.store().run(run_id)] if run_id else shared.store().runs()[: maps.PICTURES_MAX]
    labels = shared.run_labels()
    found = [maps.picture(row.run_id, labels[row.run_id], words.credit(row.summary)) for row in rows]
    return [picture for picture in found if picture]


def groups(wanted: CandidateFilter, shown: list[Picture], queue: str) -> list[Any]:
    """Sites, dams, titles and lands as switchable layers."""
    found = shared.store().candidates(wanted, limit=layers.LAYER_MAX)
    made = [layers.site_group(found)]
    return made


def legend() -> None:
    """What the colours mean."""
    marks = [(words.IMPACT_COLOUR[impact], words.IMPACT[impact]) for impact in Impact]
    marks += [(DAM_COLOUR, "Registered dam or mine"), (TITLE_COLOUR, "Mining title"), (LAND_COLOUR, "Protected land")]
    dots = "".join(f'<span><i style="background:{colour}"></i>{label}</span>' for colour, label in marks)
    st.html(f'<div class="md-legend">{dots}</div>')
