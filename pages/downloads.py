"""Mosaics that are being made, with progress and cancel, and those that are there or were stopped."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from minedisc_core.domain import RunState
from minedisc_core.jobs import (
    CompositeFolder,
    ScanRequest,
    cancel,
    list_composites,
    read_composite_progress,
    remove_composite,
    start_composite,
    work_folder,
)  # fmt: skip
from pages import area, boundary, frame, labels, mosaics, past_runs, shared, words
from pages.chosen import Chosen
from pages.texts import t, translated

WIDTHS = [2.3, 2.6, 1.7, 3.0, 1.2]


def running() -> None:
    """A card for each download that runs, redrawn twice a second by itself."""
    found = [made for made in list_composites(shared.settings()) if made.state is RunState.RUNNING]
    for made in found:
        with st.container(border=True):
            st.fragment(_card, run_every=0.5)(made)
    st.fragment(_watch, run_every=past_runs.LOOK_AGAIN_S)({made.out for made in found})


def _watch(drawn: set[object]) -> None:
    """Draw the page again when a download has begun that it does not show."""
    now = {made.out for made in list_composites(shared.settings()) if made.state is RunState.RUNNING}
    if now - drawn:
        st.rerun()


def _card(made: CompositeFolder) -> None:
    progress = read_composite_progress(made.out)
    if progress is None or progress.is_over:
        if progress is None:
            frame.say(t("The mosaic {name} is ready to be scanned.", name=made.out.stem))
        st.rerun()
    name, figures, button = st.columns([2.2, 5, 1.1], vertical_alignment="center")
    name.markdown(f"**{boundary.plain(made.out.stem)}**  \n{_source(made)}")
    figures.progress(min(1.0, progress.fraction), boundary.plain(" · ".join(past_runs.in_words(progress))))
    button.button(t("Cancel"), key=f"stop_{made.out.name}", use_container_width=True, on_click=_cancel, args=(made,))


def _cancel(made: CompositeFolder) -> None:
    with shared.Noted() as noted:
        cancel(work_folder(made.out))
        frame.say(t("The download was stopped. It can be resumed below."))
    boundary.show_next_run(noted.error)


def table() -> None:
    """Mosaics that were made here, newest first, and what can be done with each."""
    found = [made for made in list_composites(shared.settings()) if made.state is not RunState.RUNNING]
    if not found:
        return
    st.markdown(f"##### {t('Mosaics made here')}")
    titles = [t("Mosaic"), t("Source"), t("Days"), t("State"), ""]
    for column, title in zip(st.columns(WIDTHS), titles, strict=True):
        column.caption(title)
    shown = None if st.session_state.get("downloads_all") else past_runs.SHOWN
    for made in found[:shown]:
        _row(made)
    if len(found) > past_runs.SHOWN:
        st.toggle(t("Show all"), key="downloads_all")


def _row(made: CompositeFolder) -> None:
    name, source, days, state, action = st.columns(WIDTHS, vertical_alignment="center")
    name.markdown(boundary.plain(made.out.stem))
    source.markdown(_source(made))
    if made.request:
        days.markdown(words.dates(made.request.start, made.request.end - timedelta(days=1)))
    state.markdown(f"{words.RUN_STATE[made.state]}  \n:small[{boundary.plain(translated(made.message))}]")
    key = made.out.name
    if made.out.is_file() and made.request:
        action.button(t("Scan it"), key=f"use_{key}", use_container_width=True, on_click=_use, args=(made,))
    if made.can_resume:
        action.button(t("Resume"), key=f"go_on_{key}", use_container_width=True, on_click=_resume, args=(made,))
    with action.popover(t("Remove"), use_container_width=True):
        st.markdown(t("The mosaic is removed from the disk. Runs and candidates stay."))
        st.button(t("Remove for good"), key=f"remove_{key}", on_click=_remove, args=(made,))


def _source(made: CompositeFolder) -> str:
    if made.request is None:
        return ""
    if made.request.source == "ee":
        recipe = labels.RECIPES.get(made.request.recipe, made.request.recipe)
        return f"Earth Engine, {made.request.level}  \n:small[{recipe}]"
    catalogue = labels.CATALOGUES.get(made.request.catalogue, made.request.catalogue)
    return f"STAC, {made.request.level}  \n:small[{boundary.plain(catalogue)}]"


def _use(made: CompositeFolder) -> None:
    """Choose the mosaic above, with the area it was made for."""
    with shared.Noted() as noted:
        chosen = Chosen(request := ScanRequest((str(made.out),), ""), shared.opened_mosaics(request), "")
        if made.request:
            area.save(chosen.key, made.request.aoi)
        st.session_state[mosaics.KEY] = str(made.out)
    boundary.show_next_run(noted.error)


def _resume(made: CompositeFolder) -> None:
    if made.request is None:
        return
    with shared.Noted() as noted:
        start_composite(made.request, made.out, resume=True, settings=shared.settings())
        frame.say(t("The download goes on where it stopped."))
    boundary.show_next_run(noted.error)


def _remove(made: CompositeFolder) -> None:
    with shared.Noted() as noted:
        remove_composite(made.out)
        frame.say(t("{name} was removed.", name=made.out.stem))
    boundary.show_next_run(noted.error)
