"""What came of cutting samples: how many of each label, and the points that gave none, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from minedisc_core.learning.windows import LeftOut
from pages import boundary, shared, words
from pages.texts import Labels, t, translated

SHOWN = 20
LABEL = Labels(
    {
        "mine": "Mine",
        "background": "Background",
        "high": "High impact",
        "low": "Low impact",
        "no_ore": "No ore",
    }
)


@dataclass(frozen=True)
class Made:
    """A dataset version that was cut just now."""

    version: str
    hash: str
    window_px: int
    by_label: Mapping[str, int]
    places: int
    left_out: tuple[LeftOut, ...]


def labels(by_label: Mapping[str, int]) -> str:
    """`Mine 3 · Background 3`."""
    return " · ".join(f"{LABEL.get(name, name)} {words.number(by_label[name])}" for name in sorted(by_label))


def show() -> None:
    """What the last cutting of this tab gave; nothing before there was one."""
    made = st.session_state.get(shared.SessionKeys.CUT)
    if not isinstance(made, Made):
        return
    with st.container(border=True):
        samples, places = words.count(sum(made.by_label.values()), "sample"), words.count(made.places, "place")
        told = t("{samples} of {side} px at {places}", samples=samples, side=made.window_px, places=places)
        st.markdown(f"**{boundary.plain(made.version)}**: {told}  \n{labels(made.by_label)}")
        st.caption(f"{t('Hash')}: `{made.hash}`")
        left_out(made)


def left_out(made: Made) -> None:
    """The points that gave no sample, the first of them with their reasons."""
    if not made.left_out:
        st.caption(t("No point was left out."))
        return
    count = words.count(len(made.left_out), "point left out", "points left out")
    more = len(made.left_out) - SHOWN
    st.markdown(f"{count}:" if more <= 0 else t("{points}, the first {shown}:", points=count, shown=SHOWN))
    rows = [
        {t("Line"): str(each.line or ""), t("Register"): each.source, t("Why"): translated(each.reason)}
        for each in made.left_out[:SHOWN]
    ]
    st.dataframe(rows, hide_index=True)
