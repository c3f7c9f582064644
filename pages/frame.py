"""What all pages have in common on the screen: style, messages of the page before, notices."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages import addresses, shared, texts
from pages.shared import SessionKeys
from pages.texts import t

SWITCH_KEY = "language_switch"
STYLE = (Path(__file__).parent / "style.css").read_text("utf-8")


def draw(page: str) -> None:
    """Style, messages and notices; called once a run, before the page."""
    st.html(f"<style>{STYLE}</style>")
    language_switch()
    st.session_state[SessionKeys.ENTERED] = st.session_state.get(SessionKeys.PAGE) != page
    st.session_state[SessionKeys.PAGE] = page
    _keep_choices()
    message = st.session_state.pop(SessionKeys.FLASH, None)
    if message:
        st.toast(message, icon=":material/check_circle:")
    if not addresses.is_offline():
        st.warning(
            t(
                "The map's scripts are not on this machine, so the map loads them from **cdn.jsdelivr.net** and "
                "**cdnjs.cloudflare.com**. `make vendor` fetches them once."
            ),
            icon=":material/cloud:",
        )


def _keep_choices() -> None:
    """Streamlit forgets a widget's value as soon as another page is opened: these are written down and set again."""
    kept = st.session_state.setdefault(SessionKeys.KEPT, {})
    for key in shared.KEPT_CHOICES:
        if key in st.session_state:
            kept[key] = st.session_state[key]
        if key in kept:
            st.session_state[key] = kept[key]


def language_switch() -> None:
    """English or Portuguese, in the top corner of every page; the page's `lang` follows it."""
    st.session_state[SWITCH_KEY] = texts.language()
    with st.container(key="md-language", width="content"):
        st.segmented_control(
            t("Language"), list(texts.NAMES), format_func=texts.NAMES.get, key=SWITCH_KEY,
            label_visibility="collapsed", required=True, on_change=_switch,
        )  # fmt: skip
        code = texts.HTML_CODES[texts.language()]
        st.html(f'<script>document.documentElement.lang = "{code}"</script>', unsafe_allow_javascript=True)


def _switch() -> None:
    """Speak the language that was clicked; what was chosen elsewhere stays chosen.

    Streamlit's selections are kept as the labels that were shown: those of the other language would be unknown to it
    in the next run, so each is set as the value that it stands for.
    """
    for key, value in list(st.session_state.items()):
        if isinstance(value, str | list | tuple):
            st.session_state[key] = value
    texts.choose(st.session_state[SWITCH_KEY])
    st.query_params[texts.ADDRESS_KEY] = texts.language()


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
