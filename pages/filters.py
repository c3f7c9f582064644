"""The bar above the review: run, status and order, and a popover with every other choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from minedisc_core.store import CandidateFilter
from pages import maps, priorities, shared, views, words
from pages.session import SessionKeys
from pages.texts import Labels, t

STATE = st.session_state
HIDDEN = Labels({"hide": "Leave out", "show": "Show too", "only": "Show only these"})
SEEN = Labels({"": "All", "yes": "Seen", "no": "Not seen yet"})
ORDERS = Labels(
    {
        "priority": "Priority",
        "score": "Score",
        "uncertainty": "Uncertainty",
        "disagreement": "Models disagree",
        "place": "Place",
        "oldest": "Oldest",
    }
)
IN_POPOVER = (
    "review_impact", "review_score", "review_register", "review_land", "review_reason", "review_change",
    "review_analyst", "review_seen", "review_hidden", SessionKeys.BOX,
)  # fmt: skip
"""Choices that hide behind the button, which therefore counts them."""


def bar(run: Any, status: Any, order: Any, runs: Mapping[str, str]) -> None:
    """Run, status and order, each in a column of its own."""
    run.selectbox(t("Run"), [*runs, ""], format_func=lambda r: runs.get(r, t("All runs")), key="review_run_choice")
    _several(status, t("Status"), words.STATUS, "review_status")
    order.selectbox(
        t("Order"), list(ORDERS), format_func=ORDERS.__getitem__, key="review_order", help=priorities.order_help()
    )


def popover(place: Any, known: Sequence[views.Field]) -> str | None:
    """All other choices; the base map of another host, if one is switched on."""
    count = views.changed(known, STATE, IN_POPOVER)
    label = t("Filter ({n})", n=count) if count else t("Filter")
    with place.popover(label, icon=":material/filter_alt:", width="stretch", key="review_filter"):
        left, right = st.columns(2, gap="medium")
        _what(left, known)
        with right:
            basemap = _who_and_where(known)
        if count:
            st.button(
                t("Clear all of these"),
                icon=":material/filter_alt_off:",
                type="tertiary",
                on_click=clear,
                args=(known,),
            )
    return basemap


def _what(place: Any, known: Sequence[views.Field]) -> None:
    _several(place, t("Impact class"), words.IMPACT, "review_impact")
    place.slider(t("Score"), *views.EVERY_SCORE, step=0.01, key="review_score")
    _several(place, t("Registers say"), words.REGISTER_STATUS, "review_register")
    _several(place, t("Protected land"), _names(known, "land"), "review_land")
    _several(place, t("Reason of rejection"), words.REASON, "review_reason")
    _several(place, t("Change between dates"), words.CHANGE, "review_change")


def _who_and_where(known: Sequence[views.Field]) -> str | None:
    _several(st, t("Analyst"), _names(known, "analyst"), "review_analyst")
    st.selectbox(t("Seen"), list(SEEN), format_func=SEEN.__getitem__, key="review_seen")
    st.selectbox(t("Sites that look like no ore"), list(HIDDEN), format_func=HIDDEN.__getitem__, key="review_hidden")
    _box()
    return maps.basemap_choice("review_basemap")


def _box() -> None:
    box = STATE.get(SessionKeys.BOX)
    st.caption(t("Place: the box drawn on the map") if box else t("Place: draw a box on the map to keep what is in it"))
    if box:
        st.button(t("Clear the box"), icon=":material/close:", on_click=set_box, args=(None,))


def set_box(drawn: object) -> None:
    """Keep what lies in a box that was drawn on the map; whatever is no box takes the limit away."""
    STATE[SessionKeys.BOX] = views.checked_box(drawn)


def _names(known: Sequence[views.Field], name: str) -> dict[str, str]:
    return next({option: option for option in field.options} for field in known if field.name == name)


def _several(place: Any, label: str, named: Mapping[Any, str], key: str) -> None:
    place.multiselect(label, list(named), format_func=named.__getitem__, key=key, placeholder=t("All"))


def begin(known: Sequence[views.Field]) -> None:
    """Give every choice a value that it can have: runs, lands and analysts come and go."""
    for field in known:
        value = STATE.get(field.key, field.default)
        STATE[field.key] = field.possible(value)


def clear(known: Sequence[views.Field]) -> None:
    """Take all choices of the popover back."""
    for field in known:
        if field.key in IN_POPOVER:
            STATE[field.key] = field.default


def wanted() -> CandidateFilter:
    """The filter that the choices make."""
    low, high = STATE["review_score"]
    hidden = STATE["review_hidden"]
    return CandidateFilter(
        run_id=STATE["review_run_choice"] or None,
        statuses=tuple(STATE["review_status"]),
        impacts=tuple(STATE["review_impact"]),
        register_statuses=tuple(STATE["review_register"]),
        include_discarded=hidden == "show",
        only_discarded=hidden == "only",
        order=STATE["review_order"],
        score_min=low if low > 0 else None,
        score_max=high if high < 1 else None,
        lands=tuple(STATE["review_land"]),
        reasons=tuple(STATE["review_reason"]),
        changes=tuple(STATE["review_change"]),
        analysts=tuple(STATE["review_analyst"]),
        box=STATE[SessionKeys.BOX],
        seen=views.SEEN[STATE["review_seen"]],
        weights=shared.settings().priority_weights,
    )
