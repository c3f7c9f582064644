"""Review: one candidate at a time, the map on the left, chips, facts and verdicts on the right."""

from __future__ import annotations

import streamlit as st

from minedisc_core.store import CandidateFilter
from pages import (
    address_bar,
    analysts,
    filters,
    frame,
    map_sites,
    maps,
    names,
    progress,
    queues,
    region,
    review_panel,
    shared,
    views,
)
from pages.session import SessionKeys
from pages.texts import t

MAP_HEIGHT_PX = 560


def main() -> None:
    """The page."""
    for sentence in shared.house().take_in_finished():
        st.toast(sentence)
    runs = {row.run_id: names.run_label(row.summary, shared.settings().demo) for row in shared.store().runs()}
    if not runs:
        frame.heading(t("Review"), t("Candidates of finished scans wait here for a person's verdict."))
        frame.empty(t("No scan has finished yet, so there is nothing to review."), "scan.py", t("Scan a mosaic"))
        return
    if analysts.has_login() and not analysts.signed_in():
        ask_to_sign_in()
        return
    known = views.fields(list(runs), shared.store().choices())
    wanted, basemap = filter_bar(runs, known)
    queue = current_queue(wanted)
    left, right = st.columns([46, 54], gap="small")
    with left:
        draw_map(wanted, queue, basemap)
    with right:
        panel(queue, wanted.run_id)
    address_bar.write_view(known)


def ask_to_sign_in() -> None:
    """Verdicts carry a name that is known here: nobody decides without it."""
    frame.heading(t("Review"), t("Candidates of finished scans wait here for a person's verdict."))
    frame.empty(t("Sign in first: every verdict carries the name of the one who gave it."), icon=":material/lock:")
    st.button(t("Sign in"), on_click=st.login, type="primary")


def filter_bar(runs: dict[str, str], known: list[views.Field]) -> tuple[CandidateFilter, str | None]:
    """What is in the queue and in which order, who decides, how far it is; the base map, if any."""
    if frame.is_entered():
        address_bar.open_view(known)
    preset = st.session_state.pop(SessionKeys.REVIEW_RUN, None)
    if preset in runs:
        st.session_state["review_run_choice"] = preset
    filters.begin(known)
    run, status, order, name, more, done = st.columns(
        [2.1, 2.1, 1.25, 1.25, 1.1, 1.25], gap="small", vertical_alignment="bottom"
    )
    filters.bar(run, status, order, runs)
    analysts.name_field(name)
    basemap = filters.popover(more, known)
    wanted = filters.wanted()
    progress.popover(done, wanted)
    return wanted, basemap


def current_queue(wanted: CandidateFilter) -> queues.Queue:
    """The queue of this filter: kept while the page is open, so that decided candidates can be gone back to."""
    kept: queues.Queue | None = st.session_state.get(SessionKeys.QUEUE)
    asked_again = st.session_state.pop(SessionKeys.STALE, False)
    if kept is None or kept.wanted != wanted or frame.is_entered() or asked_again:
        linked = address_bar.linked_candidate()
        current = linked or (shared.house().queues.last_look(kept.name) if kept else "")
        kept = queues.new_queue(wanted, current, is_linked=bool(linked) and frame.is_entered())
        st.session_state[SessionKeys.QUEUE] = kept
        if kept.has_guest:
            st.toast(t("The candidate of the link does not pass this filter. It stands first."))
    return kept


def draw_map(wanted: CandidateFilter, queue: queues.Queue, basemap: str | None) -> None:
    """The leafmap map: the run's mosaic, sites by class, registers and lands."""
    from streamlit_folium import st_folium

    pictures = region.mosaics_of(wanted.run_id)
    st_folium(
        maps.base(pictures, basemap),
        key="review_map",
        height=MAP_HEIGHT_PX,
        use_container_width=True,
        returned_objects=[],
        feature_group_to_add=region.groups(map_sites.whatever_was_decided(wanted), pictures),
        layer_control=maps.layer_control(),
        center=queue.start,
        zoom=14 if queue.start else None,
    )
    region.legend(wanted.run_id, pictures)


@st.fragment
def panel(queue: queues.Queue, run_id: str | None) -> None:
    """Chips, facts and buttons; it runs alone, so that a verdict redraws nothing else."""
    state = review_panel.show(queue, run_id, analysts.name())
    if state.analyst and not analysts.name():
        st.session_state[SessionKeys.OFFERED] = state.analyst  # the name this browser used last
        st.rerun()
    if getattr(state, "box", None) is not None:
        filters.set_box(state.box)
        st.rerun()
    if state.stale:
        st.session_state[SessionKeys.STALE] = True
        st.rerun()


main()
