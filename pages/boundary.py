"""What a person sees when something fails; details go to the log only. `main.py` and `app.py` call it."""

from __future__ import annotations

import logging
from uuid import uuid4

import streamlit as st

from minedisc_core.errors import MinediscError
from pages.session import SessionKeys
from pages.texts import t, translated

LOG = logging.getLogger("minedisc.pages")


def explain(error: Exception | None) -> bool:
    """Show an error in words; True, so that Streamlit shows nothing of its own."""
    if error is None:
        return False
    if isinstance(error, MinediscError):
        LOG.warning("%s: %s", type(error).__name__, error)
        _show(error)
        return True
    name = uuid4().hex[:8]
    LOG.error("error %s", name, exc_info=error)
    st.error(
        t(
            "Something went wrong here that minedisc did not foresee. Nothing that was saved is lost. "
            "Reload the page; if it happens again, look for **error {name}** in the log file.",
            name=name,
        ),
        icon=":material/error:",
    )
    return True


def show_next_run(error: Exception | None) -> None:
    """Keep an error of a callback until the page shows it with `explain_kept`.

    What a button does belongs into its `on_click`: it is done before the page is drawn. A map that reports itself
    in that moment starts the page's run anew, and with it a click that the page would have asked about is lost.
    """
    if error is not None:
        st.session_state[SessionKeys.PROBLEM] = error


def explain_kept() -> None:
    """Show what a callback kept, once."""
    explain(st.session_state.pop(SessionKeys.PROBLEM, None))


def _show(error: MinediscError) -> None:
    lines = [f"**{plain(translated(error.found))}**"]
    if error.expected:
        lines.append(t("Expected: {what}", what=plain(translated(error.expected))))
    if error.remedy:
        lines.append(t("What to do: {what}", what=plain(translated(error.remedy))))
    st.error("  \n".join(lines), icon=":material/error:")


def plain(text: str) -> str:
    """Text that Markdown shows as it is: file names and register names hold its special characters."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|~$:" else c for c in text).replace("\n", " ")
