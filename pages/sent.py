"""What a script in the browser sends, as far as it can be trusted: an object, with texts of a limited length."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from minedisc_core.errors import UsageError
from minedisc_core.review import ANALYST_LENGTH, NOBODY
from minedisc_core.store.text import one_line
from pages.noted import Noted

RELOAD = "reload the page"


def opened(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        UsageError: it is none, or holds what JSON does not know (NaN, Infinity).
    """
    with Noted(ValueError, RecursionError):
        sent = json.loads(body, parse_constant=_no_number)
        if isinstance(sent, dict):
            return sent
    raise UsageError("this is not what the review panel sends", "a JSON object", RELOAD)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def text(sent: Mapping[str, Any], name: str, limit: int = 200) -> str:
    """One line of text without control characters; empty where something else was sent."""
    value = sent.get(name)
    return one_line(value, limit) if isinstance(value, str) else ""


def uuid(sent: Mapping[str, Any], name: str) -> str:
    """A UUID as the browser writes it; empty where something else was sent."""
    value = text(sent, name)
    with Noted(ValueError):
        if str(UUID(value)) == value:
            return value
    return ""


def number(sent: Mapping[str, Any], name: str) -> float:
    """A finite number; 0 where something else was sent."""
    value = sent.get(name)
    return float(value) if type(value) in (int, float) and abs(value) < 1e15 else 0.0


def analyst(sent: Mapping[str, Any], bound: str) -> str:
    """Who sends it: the person who is signed in, else the name that was typed.

    Raises:
        UsageError: it names somebody else than the person who is signed in.
    """
    named = text(sent, "analyst", ANALYST_LENGTH)
    if bound and named not in ("", bound):
        raise UsageError(f"this was sent in the name of {named}, and {bound} is signed in", remedy=RELOAD)
    return bound or named or NOBODY
