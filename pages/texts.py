"""Every text of the app, in the language that the person chose.

The English text is the key; `catalogue.json` beside this file holds the Portuguese one. A JSON file and not gettext
with Babel: two languages need no compiled `.mo` (a build step that can be forgotten) and no 30 MB of other countries'
formats; a translator reads one diff; a missing key shows English instead of failing. The tests play the compiler:
every key of the code has an entry, no entry lacks its key, and both have the same places for values.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages import phrases

LOG = logging.getLogger("minedisc.pages")
ENGLISH, PORTUGUESE = "en", "pt"
NAMES = {ENGLISH: "English", PORTUGUESE: "Português"}
"""The languages, each in its own words."""
HTML_CODES = {ENGLISH: "en", PORTUGUESE: "pt-BR"}
"""For the page's `lang`: screen readers choose their voice by it."""
SESSION_KEY = "language"
"""Where a browser tab's language is kept in st.session_state: script runs and fragments find it there."""
ADDRESS_KEY = "lang"
"""Where the address bar holds it, so that a reload keeps it."""
Key = TypeVar("Key")

_asked: ContextVar[str | None] = ContextVar("language", default=None)
_told: set[str] = set()


class _Values(dict[str, object]):
    """Values for a text; a place without a value stays as it is."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


class Labels(Mapping[Key, str], Generic[Key]):
    """Codes with their labels, each in the language in force when it is read."""

    def __init__(self, english: Mapping[Key, str]) -> None:
        self._english = english

    def __getitem__(self, key: Key) -> str:
        return t(self._english[key])

    def __iter__(self) -> Iterator[Key]:
        return iter(self._english)

    def __len__(self) -> int:
        return len(self._english)


def language() -> str:
    """The language in force: the one a route was asked in, else the browser tab's, else English."""
    asked = _asked.get()
    if asked is not None:
        return asked
    if get_script_run_ctx(suppress_warning=True) is None:
        return ENGLISH
    return str(st.session_state.get(SESSION_KEY, ENGLISH))


@contextmanager
def in_language(asked: str) -> Iterator[None]:
    """What is said inside is said in this language; in English if the app does not speak it."""
    before = _asked.set(asked if asked in NAMES else ENGLISH)
    try:
        yield
    finally:
        _asked.reset(before)


def begin() -> None:
    """Settle the tab's language at the start of a run: the address bar's, else the one it has, else the browser's."""
    browsers = PORTUGUESE if (st.context.locale or "").lower().startswith("pt") else ENGLISH
    addressed = st.query_params.get(ADDRESS_KEY)
    chosen = addressed if addressed in NAMES else st.session_state.get(SESSION_KEY, browsers)
    choose(chosen)
    if chosen != browsers and addressed != chosen:
        st.query_params[ADDRESS_KEY] = chosen  # going to another page has emptied the address


def choose(chosen: str) -> None:
    """Speak this language in this tab from now on."""
    st.session_state[SESSION_KEY] = chosen


def t(text: str, /, **values: object) -> str:
    """`text` in the language in force, with `{name}` replaced by the values."""
    if language() == PORTUGUESE:
        text = _portuguese(text)
    return text.format_map(_Values(values)) if values else text


def _portuguese(text: str) -> str:
    found = phrases.catalogue()["app"].get(text)
    if found is None and text not in _told:
        _told.add(text)
        LOG.warning("no Portuguese for %r", text)
    return found or text


def translated(sentence: str) -> str:
    """A finished sentence of the core in the language in force; English where the catalogue does not know it."""
    return phrases.portuguese(sentence) if language() == PORTUGUESE else sentence


def is_one(number: float) -> bool:
    """Whether a number takes the singular: 1 in English; 0 and 1 in Portuguese."""
    return abs(number) < 2 if language() == PORTUGUESE else number == 1


def numerals(number: str) -> str:
    """A number as English writes it (`1,234.5`), as the language in force does (`1.234,5`)."""
    return phrases.comma_for_point(number) if language() == PORTUGUESE else number
