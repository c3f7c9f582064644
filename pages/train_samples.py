"""Samples at the points of a register: what is asked, and the button."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from minedisc_core.detection.models import list_models
from minedisc_core.detection.patch_cards import PatchCard
from minedisc_core.grid import PATCH_PX
from minedisc_core.jobs import ScanRequest
from minedisc_core.learning.queue_datasets import datasets_folder
from minedisc_core.learning.register_samples import SIZES, SampleRequest
from pages import (
    boundary,
    frame,
    kept,
    mosaics,
    point_register,
    shared,
    train_cutting,
    train_form,
    train_made,
    train_more,
)
from pages.shared import SessionKeys
from pages.texts import t
from pages.train_cutting import Asked

NONE = ""


def section() -> None:
    """The widgets, the button, and what the last cutting gave."""
    st.markdown(f"##### {t('Samples')}")
    left, right = st.columns(2)
    with left:
        source = point_register.choose()
    with right:
        chosen = mosaics.several("train_mosaics")
    with shared.Noted() as noted:
        asked = _asked(source, chosen)
        missing = _missing(asked, source, chosen)
        if st.button(
            t("Cut samples"), type="primary", icon=":material/content_cut:", disabled=bool(missing), key="train_cut",
            help=missing or None,
        ):  # fmt: skip
            st.session_state.pop(SessionKeys.CUT, None)
            train_cutting.cut(asked)
            st.session_state[train_form.DATASET_KEY] = asked.name  # what was just cut is what one trains on next
            frame.say(t("Dataset version {name} is made.", name=asked.name))
            st.rerun()
    boundary.explain(noted.error)
    train_made.show()


def _asked(source: str | None, chosen: Sequence[ScanRequest]) -> Asked:
    """Size, labels, backgrounds, bands and name."""
    size = st.segmented_control(
        t("Window"), SIZES, format_func=_side, default=SIZES[0], required=True, key="train_size",
        help=t("255 or 201 px train the discovery net, 21 px the impact net."),
    )  # fmt: skip
    is_patch = size == PATCH_PX
    left, right = st.columns(2)
    columns = kept.point_columns(source, shared.settings()) if source else ()
    every = t("Choose a column") if is_patch else t("None: every point is a mine")
    label = left.selectbox(
        t("Label column"), [NONE, *columns], format_func=lambda column: column or every, key="train_label",
        help=t("The column with the class or the ore of each point."),
    )  # fmt: skip
    model = right.selectbox(
        t("Bands"), [NONE, *_models(is_patch)], key="train_bands",
        format_func=lambda name: t("As the model {name}", name=name) if name else t("All that the mosaics have"),
    )  # fmt: skip
    backgrounds = left.number_input(
        t("Backgrounds"), min_value=0, value=None, step=1, key="train_backgrounds",
        placeholder=t("none") if is_patch else t("as many as mines"),
    )  # fmt: skip
    apart = right.number_input(t("Metres from any known mine"), min_value=0, value=2000, step=100, key="train_apart")
    rejected = left.toggle(t("Look-alikes from rejected candidates"), key="train_rejected")
    corrected = right.toggle(t("Use the corrections of its points"), key="train_corrections")
    proposed = _proposed(source, int(size))
    request = train_more.samples(
        SampleRequest(
            points=source or "", window_px=int(size), label_column=label or None, apart_m=float(apart),
            backgrounds=None if backgrounds is None else int(backgrounds),
        )
    )  # fmt: skip
    name = st.text_input(
        t("Name of the dataset version"), key="train_version", placeholder=proposed,
        help=t("Left empty: the name that is shown."),
    )  # fmt: skip
    return Asked(request, tuple(chosen), model or None, rejected, corrected, name.strip() or proposed)


def _side(size: int) -> str:
    return t("{side} px", side=size)


def _models(is_patch: bool) -> list[str]:
    """Models with a net for such windows."""
    found = list_models(shared.settings())
    return [m.name for m in found if not isinstance(m.discovery, PatchCard) and (m.impact or not is_patch)]


def _proposed(source: str | None, size: int) -> str:
    """A new name for the version: the register's, with the size of the windows."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(source or "").stem).strip("-")[:40] or "samples"
    name, number = f"{stem}-{size}px", 1
    while (datasets_folder(shared.settings()) / name).exists():
        number += 1
        name = f"{stem}-{size}px-{number}"
    return name


def _missing(asked: Asked, source: str | None, chosen: Sequence[ScanRequest]) -> str:
    """Why nothing can be cut yet; empty if it can."""
    if source is None or not chosen:
        return t("Choose a register of points and at least one mosaic.")
    if asked.request.window_px == PATCH_PX and asked.request.label_column is None:
        return t("The impact net needs a class for each point: choose the label column.")
    return ""
