"""What a person does with a point: move it, call it no mine, skip it, undo, go on. Each is kept at once."""

from __future__ import annotations

from typing import Any

import streamlit as st

from minedisc_core import service
from minedisc_core.learning.walk import WalkPoint, first_undecided
from minedisc_core.registers.coordinates import read_place
from pages import analysts, boundary, shared
from pages.shared import SessionKeys
from pages.texts import t

PLACE_KEY = "points_place"
NOBODY = "analyst"
"""Who decides where no name is given."""


def place(source: str, line: int) -> None:
    """The field for a point's place, and its button."""
    st.caption(t("Click the map where the mine is, or type its place."))
    field, move = st.columns([2, 1], vertical_alignment="bottom")
    field.text_input(t("Latitude, longitude"), key=PLACE_KEY, placeholder="-19.93, -43.81")
    move.button(
        t("Move here"), key="points_move", icon=":material/edit_location:", use_container_width=True,
        on_click=_move_to_typed, args=(source, line),
    )  # fmt: skip


def buttons(source: str, points: list[WalkPoint], at: int) -> None:
    """The buttons of a point."""
    lines = [each.point.line for each in points]
    line, following = lines[at], lines[_next(points, at)]
    shown: list[tuple[str, str, str, Any, tuple[Any, ...]]] = [
        ("points_back", t("Previous"), "arrow_back", go, (lines[max(0, at - 1)],)),
        ("points_next", t("Next"), "arrow_forward", go, (lines[min(len(lines) - 1, at + 1)],)),
        ("points_undecided", t("Next undecided"), "skip_next", go, (following,)),
        ("points_no_mine", t("Not a mine"), "block", decide, (source, line, "not_a_mine", None, following)),
        ("points_skip", t("Skip"), "redo", decide, (source, line, "skipped", None, following)),
        ("points_undo", t("Undo"), "undo", undo, (source,)),
    ]
    for row in (shown[:3], shown[3:]):
        for column, (key, label, icon, act, given) in zip(st.columns(3), row, strict=True):
            column.button(label, key=key, icon=f":material/{icon}:", use_container_width=True, on_click=act, args=given)


def _next(points: list[WalkPoint], at: int) -> int:
    found = first_undecided(points, at)
    return min(len(points) - 1, at + 1) if found is None else found


def go(line: int) -> None:
    """Look at another point."""
    st.session_state[SessionKeys.POINT] = (st.session_state[SessionKeys.POINT][0], line)
    st.session_state[PLACE_KEY] = ""


def decide(source: str, line: int, action: str, place: tuple[float, float] | None, following: int) -> None:
    """Keep a decision, and go to the next point; what cannot be kept is told, and nothing moves."""
    with shared.Noted() as noted:
        service.VERBS["correct_point"](
            shared.store(), shared.settings(), source, line, action, analysts.name() or NOBODY, move_to=place
        )
        go(following)
    boundary.show_next_run(noted.error)


def _move_to_typed(source: str, line: int) -> None:
    with shared.Noted() as noted:
        lat, lon = read_place(st.session_state.get(PLACE_KEY, ""))
        decide(source, line, "moved", (lon, lat), line)
    boundary.show_next_run(noted.error)


def undo(source: str) -> None:
    """Undo the analyst's last decision about this register, and look at its point again."""
    with shared.Noted() as noted:
        done = service.VERBS["undo_correction"](shared.store(), shared.settings(), source, analysts.name() or NOBODY)
        if done:
            go(done["line"])
        else:
            st.toast(t("You have nothing to undo here."))
    boundary.show_next_run(noted.error)
