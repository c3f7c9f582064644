"""Addresses of what the app serves beside its pages: below its base path, signed where they are guarded."""

from __future__ import annotations

import streamlit as st

from minedisc_core.settings import PROJECT_ROOT
from pages import shared

VENDOR = PROJECT_ROOT / "vendor"
"""JavaScript of the map library, put there by `make install`."""


def prefix() -> str:
    """Path before every address of the app (server.baseUrlPath), with a leading slash; may be empty."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def signed_address(path: str, scope: str) -> str:
    """Address of something the app serves, with a token that opens `scope`."""
    return f"{prefix()}/minedisc/{path}?t={shared.house().signer.token(scope)}"


def vendored(path: str, elsewhere: str) -> str:
    """Address of a vendored file, or `elsewhere` (a CDN) if `make install` could not fetch it."""
    return f"{prefix()}/minedisc/vendor/{path}" if (VENDOR / path).is_file() else elsewhere


def is_offline() -> bool:
    """Whether the map's scripts come from this app."""
    return (VENDOR / "leaflet" / "leaflet.js").is_file()
