"""The keys of st.session_state that pages set by hand, and the choices that outlive their page."""

from __future__ import annotations

from enum import StrEnum


class SessionKeys(StrEnum):
    """Every key of st.session_state that a page sets by hand."""

    PAGE = "page"
    ENTERED = "entered"
    FLASH = "flash"
    ANALYST = "analyst"
    AREA = "area"
    PROBLEM = "problem"
    QUEUE = "queue"
    STALE = "stale"
    REVIEW_RUN = "review_run"
    BOX = "review_box"
    OFFERED = "offered"
    PLAN = "plan"
    PLACE = "download_place"
    KEPT = "kept"
    POINT = "point"
    CUT = "cut"


KEPT_CHOICES = (
    "review_run_choice", "review_status", "review_order", "review_impact", "review_score", "review_register",
    "review_land", "review_reason", "review_analyst", "review_seen", "review_hidden", SessionKeys.BOX,
    SessionKeys.ANALYST, "review_basemap", "scan_basemap", "scan_mosaic", "scan_paths",
    "points_mosaic", "points_register",
)  # fmt: skip
"""Keys of widgets whose choice outlives their page."""
