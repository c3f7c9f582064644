"""A new mosaic: from which source, by which recipe, of which days and area; what there is, and the button."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.jobs import CompositePlan, list_composites, start_composite
from minedisc_core.registers.coordinates import read_place
from pages import area, boundary, download_form, frame, maps, shared, words
from pages.area import Kind
from pages.looked import Looked
from pages.shared import SessionKeys
from pages.texts import t, translated

AREA_KEY = "download"
_WIDTH_DEG = 0.12
"""What the map shows around a place: about 25 km."""


def choose() -> dict[str, Any] | None:
    """The widgets; gives the area."""
    st.text_input(
        t("Go to a place"), key=SessionKeys.PLACE, placeholder="-19.93, -43.81",
        help=t("Latitude and longitude in degrees; the map goes there."),
    )  # fmt: skip
    asked = area.choose(AREA_KEY, (Kind.DRAWN, Kind.FILE))
    request = download_form.choose(asked)
    if request is None:
        st.button(t("Look for scenes"), disabled=True, key="download_look")
        return asked
    st.button(
        t("Look for scenes"), key="download_look", icon=":material/search:", on_click=_look, args=(request,),
        type="secondary" if _plan(request) else "primary",
    )  # fmt: skip
    _answer(request)
    return asked


def _look(request: CompositeRequest) -> None:
    st.session_state[SessionKeys.PLAN] = Looked(request)


def _looked(request: CompositeRequest) -> Looked | None:
    looked = st.session_state.get(SessionKeys.PLAN)
    return looked if looked and looked.request == request else None


def _plan(request: CompositeRequest) -> CompositePlan | None:
    looked = _looked(request)
    return looked.plan if looked else None


def _answer(request: CompositeRequest) -> None:
    """Ask the source what was to be looked for, if it was not asked yet, and show what it said."""
    looked = _looked(request)
    if looked is None:
        if SessionKeys.PLAN in st.session_state:
            st.caption(t("The area or the choices have changed since you looked: look again."))
        return
    with st.spinner(t("Asking which scenes there are …")):
        looked.ask()
    boundary.explain(looked.error)
    if looked.plan:
        _show(request, looked.plan)


def _show(request: CompositeRequest, plan: CompositePlan) -> None:
    """What there is, the mosaic's name, and the button."""
    days = [scene.day for scene in plan.survey.scenes]
    facts = [words.count(len(days), "scene"), words.dates(min(days), max(days))]
    if plan.cloud_percent is not None:
        facts.append(t("{share} cloud on average", share=words.percent(plan.cloud_percent / 100)))
    size = t("about {megabytes} MB", megabytes=words.number(max(1, plan.megabytes)))
    st.markdown(f"**{' · '.join(facts)}**  \n{words.km2(plan.km2)} · {size}")
    for remark in plan.remarks:
        st.caption(boundary.plain(translated(remark)))
    usual = _usual_name(request)
    name = st.text_input(t("Name of the mosaic"), usual, key=f"download_name_{usual}", max_chars=60)
    out = shared.settings().mosaics / f"{_file_name(name)}.tif"
    if out.exists():
        st.warning(t("A mosaic of this name is there already. It is replaced when the new one is whole."))
    st.button(
        t("Make the mosaic"), type="primary", icon=":material/download:", key="download_start", on_click=_start,
        args=(request, out),
    )  # fmt: skip


def _start(request: CompositeRequest, out: Path) -> None:
    with shared.Noted() as noted:
        start_composite(request, out, settings=shared.settings())
        st.session_state.pop(SessionKeys.PLAN, None)
        frame.say(t("The download has started."))
    boundary.show_next_run(noted.error)


def _usual_name(request: CompositeRequest) -> str:
    last = request.end - timedelta(days=1)
    stem = f"{request.source}-{request.level.lower()}-{request.start:%Y%m}-{last:%Y%m}"
    taken = {made.out.stem for made in list_composites(shared.settings())}
    return next(name for n in count(1) if (name := stem if n == 1 else f"{stem}-{n}") not in taken)


def _file_name(text: str) -> str:
    """A name without what a file system or a shell would trip over."""
    return re.sub(r"[^\w.-]+", "-", text.strip()).strip("-.") or "mosaic"


def show_map(asked: dict[str, Any] | None) -> None:
    """An empty map with tools to draw; a base map helps to find the place."""
    area.draw_map(AREA_KEY, [], None, asked, _bounds(asked))
    if not maps.basemap_choice("scan_basemap"):
        st.caption(t("To see where you are, choose a base map, type a place, or give the area as a file."))


def _bounds(asked: dict[str, Any] | None) -> tuple[float, float, float, float] | None:
    """What the map shows: the place that was typed, else the area."""
    from shapely.geometry import shape

    text = st.session_state.get(SessionKeys.PLACE, "")
    with shared.Noted() as noted:
        if text.strip():
            lat, lon = read_place(text)
            return lon - _WIDTH_DEG, lat - _WIDTH_DEG, lon + _WIDTH_DEG, lat + _WIDTH_DEG
    boundary.explain(noted.error)
    return shape(asked).bounds if asked else None
