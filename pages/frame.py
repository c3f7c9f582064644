"""What all pages have in common on the screen: style, messages of the page before, notices."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages import addresses, shared
from pages.shared import SessionKeys

STYLE = (Path(__file__).parent / "style.css").read_text("utf-8")


def draw(page: str) -> None:
    """Style, messages and notices; called once a run, before the page."""
    st.html(f"<style>{STYLE}</style>")
    st.session_state[SessionKeys.ENTERED] = st.session_state.get(SessionKeys.PAGE) != page
    st.session_state[SessionKeys.PAGE] = page
    for key in shared.KEPT_CHOICES:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]  # or Streamlit forgets it on the next page
    message = st.session_state.pop(SessionKeys.FLASH, None)
    if message:
        st.toast(message, icon=":material/check_circle:")
    if not addresses.is_offline():
        st.warning(
            "The map's scripts are not on this machine, so the map loads them from **cdn.jsdelivr.net** and "
            "**cdnjs.cloudflare.com**. `make vendor` fetches them once.",
            icon=":material/cloud:",
        )


def is_entered() -> bool:
    """Whether this is the first run since the page was opened."""
    return bool(st.session_state.get(SessionKeys.ENTERED))


def heading(title: str, sentence: str) -> None:
    """A page's title with one sentence that says what the page is for."""
    st.markdown(f"#### {title}")
    st.caption(sentence)


def empty(sentence: str, page: str = "", label: str = "", icon: str = ":material/info:") -> None:
    """An empty state: what is missing, and the page where it comes from."""
    with st.container(border=True):
        st.markdown(f"{icon} {sentence}")
        if page:
            st.page_link(f"{Path(__file__).parent / page}", label=label, icon=":material/arrow_forward:")


def say(message: str) -> None:
    """Show a message at the top of the next run: after a button that reruns the page."""
    st.session_state[SessionKeys.FLASH] = message
