"""The choices of a new mosaic: source, recipe, days and cut-offs; together they make the request."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import streamlit as st

from minedisc_core.domain import ProductLevel
from minedisc_core.imagery.composites.request import CompositeRequest, default_dates
from minedisc_core.imagery.earth_engine import what_is_missing
from minedisc_core.imagery.stac.catalogues import EXAMPLE_ASSETS, read_assets
from minedisc_core.jobs import check_composite
from pages import boundary, shared, words
from pages.labels import CATALOGUES, RECIPES, SCENE_CLASSES, SOURCES
from pages.texts import t, translated

OWN = "own"
EXAMPLE_ADDRESS, EXAMPLE_COLLECTION = "https://…/v1", "sentinel-2-l2a"


def choose(asked: dict[str, Any] | None) -> CompositeRequest | None:
    """The widgets; the request, None while something is missing or makes no sense (which is said)."""
    source = st.segmented_control(
        t("Source"), list(SOURCES), format_func=SOURCES.get, key="download_source", default="stac", required=True
    )
    given = _earth_engine() if source == "ee" else _catalogue()
    days = _days(given["recipe"])
    given |= _cutoffs(given["recipe"])
    if asked is None:
        st.markdown(t("**No area yet.**"))
    if asked is None or len(days) < 2 or given.get("assets") == {}:
        return None
    request = CompositeRequest(
        source=source, aoi=asked, start=days[0], end=days[1] + timedelta(days=1), **given
    )  # fmt: skip
    with shared.Noted() as noted:
        check_composite(request)
        return request
    boundary.explain(noted.error)
    return None


def _earth_engine() -> dict[str, Any]:
    left, right = st.columns([3, 2])
    recipe = left.selectbox(t("Recipe"), list(RECIPES), format_func=RECIPES.get, key="download_recipe")
    level = right.selectbox(t("Product level"), list(ProductLevel), key="download_level")
    project = st.text_input(
        t("Google Cloud project"), key="download_project",
        help=t("The project that Earth Engine bills; empty: MINEDISC_EE_PROJECT, else the sign-in's own."),
    )  # fmt: skip
    missing = what_is_missing(project.strip())
    if missing:
        st.warning(boundary.plain(translated(missing)), icon=":material/key:")
    return {"recipe": recipe, "level": level, "project": project.strip()}


def _catalogue() -> dict[str, Any]:
    name = st.selectbox(t("Catalogue"), list(CATALOGUES), format_func=CATALOGUES.get, key="download_catalogue")
    common = {"recipe": "scl", "level": ProductLevel.L2A}
    if name != OWN:
        return {**common, "catalogue": name}
    address = st.text_input(t("Address of the STAC API"), key="download_address", placeholder=EXAMPLE_ADDRESS)
    collection = st.text_input(t("Collection"), key="download_collection", placeholder=EXAMPLE_COLLECTION)
    text = st.text_area(
        t("Asset of each band"), key="download_assets", height=80,
        placeholder=EXAMPLE_ASSETS,
    )  # fmt: skip
    with shared.Noted() as noted:
        return {**common, "catalogue": address.strip(), "collection": collection.strip(), "assets": read_assets(text)}
    boundary.explain(noted.error)
    return {**common, "assets": {}}


def _days(recipe: str) -> tuple[date, ...]:
    last_year = date.today().year - 1
    start, end = default_dates(recipe)
    usual = (start, end - timedelta(days=1)) if start and end else (date(last_year, 1, 1), date(last_year, 12, 31))
    days: tuple[date, ...] = st.date_input(
        t("First and last day"), value=usual, min_value=date(2015, 6, 23), max_value=date.today(),
        key=f"download_days_{recipe}", format=words.date_format(),
    )  # fmt: skip
    return days


def _cutoffs(recipe: str) -> dict[str, Any]:
    with st.expander(t("Clouds")):
        share = st.number_input(
            t("Leave out scenes with more cloud than (%)"), 1, 100, 20, key="download_cloud",
            help=t("The share that the catalogue states for the whole scene."),
        )  # fmt: skip
        given: dict[str, Any] = {"most_cloud_percent": float(share)}
        if recipe == "cloud-score-plus":
            given["clear_cutoff"] = st.number_input(
                t("Least Cloud Score+ of a valid pixel"), 0.0, 1.0, 0.6, 0.05, key="download_clear",
                help=t("0 = hidden, 1 = clear; 0.50 to 0.65 are usual."),
            )  # fmt: skip
        if recipe == "scl":
            classes = st.multiselect(
                t("Classes that are no valid look"), list(SCENE_CLASSES), CompositeRequest.masked_classes,
                format_func=SCENE_CLASSES.get, key="download_classes",
            )  # fmt: skip
            given["masked_classes"] = tuple(classes)
    return given
