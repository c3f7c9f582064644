"""The review page's view in the address bar: a link opens it, every choice writes it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from pages import views
from pages.texts import t

CANDIDATE = "candidate"
"""The panel writes it with every move, without a word to the server."""
STATE = st.session_state
SCRIPT = """
(() => {
  if (!location.pathname.endsWith("/review")) return; // somebody has left the page already
  const own = "%s".split(",");
  const view = new URLSearchParams("%s");
  new URLSearchParams(location.search).forEach((value, name) => own.includes(name) || view.append(name, value));
  history.replaceState(history.state, "", `${location.pathname}?${view}${location.hash}`);
})();
"""
"""Names of a view's choices and the view itself, encoded: letters, digits and signs that end no text of a script."""


def open_view(known: Sequence[views.Field]) -> None:
    """On the page's first run: take over the view of a link; what it asks for and is not here is said."""
    given = {field.name: st.query_params.get_all(field.name) for field in known if field.name in st.query_params}
    if not given:
        return
    values, odd = views.read(known, given)
    for key, value in values.items():
        STATE[key] = value
    if odd:
        names = ", ".join(f"`{name}`" for name in odd)
        st.warning(t("The link asks for something that is not here ({names}). It was left out.", names=names))


def linked_candidate() -> str:
    """The candidate in the address; empty without one."""
    return str(st.query_params.get(CANDIDATE, ""))[:200]


def write_view(known: Sequence[views.Field]) -> None:
    """Put the choices of this run into the address; all else in it (the candidate, the language) stays.

    The browser does it, in place: set from here, each choice would become a step of the Back button, and the
    candidate would become the one of some moments ago.
    """
    view = urlencode(views.write(known, STATE), doseq=True)
    own = ",".join(field.name for field in known)
    st.html(f"<script>{SCRIPT % (own, view)}</script>", unsafe_allow_javascript=True)
