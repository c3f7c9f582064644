"""What samples and trainings can be asked beyond the usual: folded away until somebody wants it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core.learning.datasets import Dataset
from minedisc_core.learning.register_samples import SampleRequest
from minedisc_core.learning.sample_inputs import class_numbers
from pages.texts import Labels, t

PRECISION = Labels({"auto": "The fastest here", "float32": "float32", "mixed_bfloat16": "bfloat16"})


def samples(usual: SampleRequest) -> SampleRequest:
    """The request with further registers, land cover, shares and seed.

    Raises:
        UsageError: the classes are no whole numbers.
    """
    with st.expander(t("More choices"), key="train_samples_more"):
        known = st.text_area(
            t("Further registers of mines, paths, one a line"), key="train_known", height=80,
            help=t("No background is drawn near to what they hold."),
        )  # fmt: skip
        left, right = st.columns(2)
        land_cover = left.text_input(
            t("Land cover"), key="train_land_cover",
            help=t("A raster of classes; look-alikes are drawn from those that look like mines."),
        )  # fmt: skip
        classes = right.text_input(t("Its classes that look like mines"), key="train_classes", placeholder="50, 60")
        share = left.number_input(
            t("Look-alikes among the backgrounds (%)"), min_value=0, max_value=100, value=50, step=5, key="train_share"
        )
        validation = right.number_input(
            t("Places kept for validation (%)"), min_value=0, max_value=90, value=0, step=5, key="train_validation",
            help=t("0: the training divides the places."),
        )  # fmt: skip
        seed = left.number_input(t("Seed"), min_value=0, value=0, step=1, key="train_samples_seed")
    return replace(
        usual, known=tuple(Path(line.strip()).expanduser() for line in known.splitlines() if line.strip()),
        land_cover=Path(land_cover.strip()).expanduser() if land_cover.strip() else None,
        land_cover_classes=class_numbers(classes), look_alike_share=share / 100, validation_fraction=validation / 100,
        seed=int(seed),
    )  # fmt: skip


def training(dataset: Dataset) -> None:
    """The widgets of bands, resamplings, seed, precision and licence; `chosen` reads them."""
    with st.expander(t("More choices"), key="train_more"):
        st.multiselect(
            t("Bands"), dataset.bands, key=f"train_only_{dataset.version}", placeholder=t("All of the version"),
            help=t("In the order in which they are chosen; a mosaic must have them to be scanned."),
        )  # fmt: skip
        left, right = st.columns(2)
        left.number_input(
            t("Resamplings"), min_value=0, max_value=1000, value=0, step=1, key="train_resamplings",
            help=t("Instead of folds: so many draws of a fifth to validate. 0: folds."),
        )  # fmt: skip
        right.number_input(t("Seed"), min_value=0, value=0, step=1, key="train_seed")
        left.selectbox(t("Precision"), list(PRECISION), format_func=PRECISION.get, key="train_precision")
        right.text_input(t("Licence of the weights"), key="train_licence", help=t("For the card."))


def chosen(dataset: Dataset) -> dict[str, Any]:
    """What the widgets of `training` say, as fields of a `TrainRequest`."""
    said = st.session_state
    return {
        "bands": tuple(said[f"train_only_{dataset.version}"]),
        "resamplings": int(said["train_resamplings"]),
        "seed": int(said["train_seed"]),
        "policy": said["train_precision"],
        "licence": said["train_licence"].strip(),
    }
