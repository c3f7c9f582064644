"""Who decides: the person who is signed in where a login is configured, else a name that was typed.

The panel's token carries the name of a person who is signed in, and its signature covers it: with it, nobody
can sign a verdict as somebody else.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import streamlit as st

from minedisc_core.review import ANALYST_LENGTH
from minedisc_core.store.text import one_line
from pages import boundary, shared
from pages.session import SessionKeys
from pages.texts import t

SCOPE = "review"
"""What the panel's token opens."""


def has_login() -> bool:
    """Whether the app knows who its users are (`[auth]` in Streamlit's secrets)."""
    return st.user.get("is_logged_in") is not None


def signed_in() -> str:
    """Name of the person who is signed in; empty without one."""
    if not st.user.get("is_logged_in"):
        return ""
    given = [st.user.get(key) for key in ("name", "email", "sub")]
    return next((name for name in (one_line(str(g or ""), ANALYST_LENGTH) for g in given) if name), "")


def name() -> str:
    """Name of whoever reviews in this browser tab; empty where none is given."""
    return signed_in() or str(st.session_state.get(SessionKeys.ANALYST, ""))


def name_field(place: Any) -> None:
    """The name of the person who is signed in, else a field for one; a name that the browser knows is taken over."""
    offered = st.session_state.pop(SessionKeys.OFFERED, "")
    if signed_in():
        place.caption(t("Your name"))
        place.markdown(f"**{boundary.plain(signed_in())}**")
        return
    st.session_state[SessionKeys.ANALYST] = st.session_state.get(SessionKeys.ANALYST) or offered
    place.text_input(t("Your name"), key=SessionKeys.ANALYST, max_chars=ANALYST_LENGTH, placeholder=t("analyst"))


def token() -> str:
    """What lets the panel call the app's routes; it binds the name of a person who is signed in."""
    name = signed_in()
    made = shared.house().signer.token(_scope(name))
    return f"{made}~{quote(name, safe='')}" if name else made


def bound_name(given: str) -> str | None:
    """The name that a token binds, empty for a typed one; None if the token opens nothing."""
    made, _, quoted = given.partition("~")
    name = unquote(quoted)
    return name if shared.house().signer.opens(made, _scope(name)) else None


def _scope(name: str) -> str:
    return f"{SCOPE}:{name}" if name else SCOPE
