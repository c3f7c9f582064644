"""Review: one candidate at a time, the map on the left, chips, facts and verdicts on the right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from minedisc_core.domain import Status
from minedisc_core.store import CandidateFilter
from pages import frame, maps, queues, region, review_panel, shared, words
from pages.shared import SessionKeys

MAP_HEIGHT_PX = 560
ALL_RUNS = ""
HIDDEN = {"hide": "Leave out", "show": "Show too", "only": "Show only these"}
ORDERS = {"score": "Score", "uncertainty": "Uncertainty", "place": "Place", "oldest": "Oldest"}


def main() -> None:
    """The page."""
    for sentence in shared.house().take_in_finished():
        st.toast(sentence)
    runs = [row.run_id for row in shared.store().runs()]
    if not runs:
        frame.heading("Review", "Candidates of finished scans wait here for a person's verdict.")
        frame.empty("No scan has finished yet, so there is nothing to review.", "scan.py", "Scan a mosaic")
        return
    wanted, basemap = filter_bar(runs)
    queue = current_queue(wanted)
    left, right = st.columns([46, 54], gap="small")
    with left:
        draw_map(wanted, queue, basemap)
    with right:
        panel(queue, wanted.run_id)


def filter_bar(runs: list[str]) -> tuple[CandidateFilter, str | None]:
    """The compact bar: what is in the queue and in which order; the base map, if any."""
    run, status, impact, register, order, name, more = st.columns(
        [1.7, 1.5, 1.3, 1.5, 0.9, 1.0, 0.7], gap="small", vertical_alignment="bottom"
    )
    preset = st.session_state.pop(SessionKeys.REVIEW_RUN, None)
    if preset in runs:
        st.session_state["review_run_choice"] = preset
    labels = shared.run_labels()
    chosen = run.selectbox(
        "Run", [*runs, ALL_RUNS], format_func=lambda r: labels.get(r, "All runs"), key="review_run_choice"
    )
    with more.popover("More", use_container_width=True):
        hidden = st.radio("Sites that look like no ore", list(HIDDEN), format_func=HIDDEN.get, key="review_hidden")
        basemap = maps.basemap_choice("review_basemap")
    wanted = CandidateFilter(
        run_id=chosen or None,
        statuses=_choice(status, "Status", words.STATUS, [Status.UNDECIDED], "review_status"),
        impacts=_choice(impact, "Impact class", words.IMPACT, [], "review_impact"),
        register_statuses=_choice(register, "Registers say", words.REGISTER_STATUS, [], "review_register"),
        include_discarded=hidden == "show",
        only_discarded=hidden == "only",
        order=order.selectbox("Order", list(ORDERS), format_func=ORDERS.get, key="review_order"),
    )
    st.session_state[SessionKeys.ANALYST] = name.text_input(
        "Your name", st.session_state.get(SessionKeys.ANALYST, ""), max_chars=80, placeholder="analyst"
    )
    return wanted, basemap


def _choice(place: Any, label: str, named: dict[Any, str], default: list[Any], key: str) -> tuple[Any, ...]:
    given = {} if key in st.session_state else {"default": default}
    return tuple(place.multiselect(label, list(named), format_func=named.get, key=key, placeholder="All", **given))


def current_queue(wanted: CandidateFilter) -> queues.Queue:
    """The queue of this filter: kept while the page is open, so that decided candidates can be gone back to."""
    kept: queues.Queue | None = st.session_state.get(SessionKeys.QUEUE)
    asked_again = st.session_state.pop(SessionKeys.STALE, False)
    if kept is None or kept.wanted != wanted or frame.is_entered() or asked_again:
        kept = queues.new_queue(wanted, st.session_state.get(SessionKeys.CANDIDATE))
        st.session_state[SessionKeys.QUEUE] = kept
    return kept


def draw_map(wanted: CandidateFilter, queue: queues.Queue, basemap: str | None) -> None:
    """The leafmap map: the run's mosaic, sites by class, registers and lands."""
    from streamlit_folium import st_folium

    pictures = region.mosaics_of(wanted.run_id)
    groups = region.groups(replace(wanted, statuses=()), pictures)
    st_folium(
        maps.base(pictures, basemap),
        key="review_map",
        height=MAP_HEIGHT_PX,
        use_container_width=True,
        returned_objects=[],
        feature_group_to_add=groups,
        layer_control=maps.layer_control(),
        center=queue.start,
        zoom=14 if queue.start else None,
    )
    region.legend(wanted.run_id)


@st.fragment
def panel(queue: queues.Queue, run_id: str | None) -> None:
    """Chips, facts and buttons; it runs alone, so that a verdict redraws nothing else."""
    state = review_panel.show(queue, run_id, st.session_state.get(SessionKeys.ANALYST, ""))
    if state.analyst and not st.session_state.get(SessionKeys.ANALYST):
        st.session_state[SessionKeys.ANALYST] = state.analyst  # the name this browser used last
        st.rerun()
    if state.current:
        st.session_state[SessionKeys.CANDIDATE] = state.current
    if state.stale:
        st.session_state[SessionKeys.STALE] = True
        st.rerun()


main()
