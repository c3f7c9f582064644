"""The form of a training: a dataset version, how to train on it, and the button."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from minedisc_core.detection.adding import new_model_folder
from minedisc_core.detection.models import Model, list_models
from minedisc_core.detection.networks import NetKind
from minedisc_core.detection.patch_cards import PatchCard
from minedisc_core.grid import PATCH_PX
from minedisc_core.jobs.train_request import TrainRequest
from minedisc_core.jobs.training import start_training
from minedisc_core.learning.datasets import Dataset
from minedisc_core.learning.recipes import RECIPES
from pages import boundary, frame, kept, shared, train_made, train_more, words
from pages.texts import Labels, t

NONE, DATASET_KEY = "", "train_dataset"
SCRATCH, FINE_TUNE = "scratch", "fine-tune"
MODES = Labels({SCRATCH: "From scratch", FINE_TUNE: "Fine-tune a model"})
RECIPE = Labels({"default": "Default", "paper": "The paper's"})
NETS = Labels({"discovery": "Discovery net", "impact": "Impact net"})


def section(is_busy: bool) -> None:
    """The widgets and the button."""
    st.markdown(f"##### {t('Training')}")
    versions = kept.datasets(shared.settings())
    if not versions:
        frame.empty(t("No dataset version yet. Cut samples at the points of a register; training reads a version."))
        return
    version = st.selectbox(t("Dataset version"), list(versions), key=DATASET_KEY)
    dataset = versions[version]
    _facts(dataset)
    _how()
    missing = _models(dataset)
    train_more.training(dataset)
    proposed = _proposed(dataset)
    st.text_input(
        t("Name of the model"), key="train_name", placeholder=proposed, help=t("Left empty: the name that is shown.")
    )
    why = t("One training at a time.") if is_busy else missing
    st.button(
        t("Start the training"), type="primary", icon=":material/school:", key="train_start", disabled=bool(why),
        on_click=_begin, args=(dataset, proposed), help=why or None,
    )  # fmt: skip


def net_of(dataset: Dataset) -> NetKind:
    """The net that windows of this size are for."""
    return "impact" if dataset.window_px == PATCH_PX else "discovery"


def _facts(dataset: Dataset) -> None:
    """Which net it trains, and what the version holds."""
    places = words.count(len({sample.place for sample in dataset.samples}), "place")
    held = train_made.labels(Counter(sample.label for sample in dataset.samples))
    side, bands = t("{side} px", side=dataset.window_px), words.count(len(dataset.bands), "band")
    level = str(dataset.level) if dataset.level else t("level not given")
    st.markdown(f"**{NETS[net_of(dataset)]}** · {boundary.plain(held)} · {places}")
    st.caption(f"{side} · {level} · {bands} ({', '.join(dataset.bands)})")


def _how() -> None:
    """Recipe, folds, epochs."""
    recipe, folds, epochs = st.columns([1.3, 1, 1])
    named = recipe.segmented_control(
        t("Recipe"), ["default", "paper"], format_func=RECIPE.get, default="default", required=True,
        key="train_recipe", help=t("The default divides by places and stops early; the paper's is for comparison."),
    )  # fmt: skip
    folds.number_input(
        t("Folds"), min_value=1, max_value=1000, value=5, step=1, key="train_folds",
        help=t("2 or more: as many folds, then a model of all samples. 1: one division."),
    )  # fmt: skip
    epochs.number_input(
        t("Epochs"), min_value=1, max_value=10_000, value=None, step=1, key="train_epochs",
        placeholder=str(RECIPES[named].epochs),
    )  # fmt: skip


def _models(dataset: Dataset) -> str:
    """Mode, and the models that it needs; gives why it cannot start yet, empty if it can."""
    mode = st.segmented_control(
        t("Mode"), [SCRATCH, FINE_TUNE], format_func=MODES.get, default=SCRATCH, required=True, key="train_mode"
    )
    left, right = st.columns(2)
    fitting = _fitting(dataset)
    if mode == FINE_TUNE and fitting:
        left.selectbox(t("Model to start from"), fitting, key=_key("from", dataset))
    elif mode == FINE_TUNE:
        left.caption(t("No model has such a net for these bands and this product level."))
    others, is_impact = _others(dataset), net_of(dataset) == "impact"
    (right if mode == FINE_TUNE else left).selectbox(
        t("Impact net of") if not is_impact else t("Discovery net of"), [NONE, *others],
        index=1 if is_impact and others else 0, format_func=lambda name: name or t("no other model"),
        key=_key("beside", dataset),
        help=t("The other net of a model is put beside the new one, so that both make a whole model."),
    )  # fmt: skip
    return t("Choose a model to start from.") if mode == FINE_TUNE and not fitting else ""


def _key(what: str, dataset: Dataset) -> str:
    """Each version has choices of its own: other models fit it."""
    return f"train_{what}_{dataset.version}"


def _fitting(dataset: Dataset) -> list[str]:
    """Models that fine-tuning can start from: the same net, bands and product level."""
    cards = ((m.name, m.impact if net_of(dataset) == "impact" else m.discovery) for m in _own())
    return [name for name, card in cards if card and (card.bands, card.level) == (dataset.bands, dataset.level)]


def _others(dataset: Dataset) -> list[str]:
    """Models whose other net can be put beside."""
    found = [model for model in _own() if model.discovery.level == dataset.level]
    return [model.name for model in found if net_of(dataset) == "impact" or model.impact]


def _own() -> list[Model]:
    return [model for model in list_models(shared.settings()) if not isinstance(model.discovery, PatchCard)]


def _proposed(dataset: Dataset) -> str:
    """A new name for the model: the version's, with a number where that is taken."""
    settings, name, number = shared.settings(), dataset.version, 1
    while any((parent / name).exists() for parent in (settings.models, settings.shipped_models)):
        number += 1
        name = f"{dataset.version}-{number}"
    return name


def _begin(dataset: Dataset, proposed: str) -> None:
    """What the button does: check the name, and start the process."""
    said = st.session_state
    with shared.Noted() as noted:
        folder = new_model_folder(str(said.get("train_name") or "").strip() or proposed, shared.settings())
        is_tuning = said["train_mode"] == FINE_TUNE
        request = TrainRequest(
            net=net_of(dataset), dataset=str(dataset.folder), mode=FINE_TUNE if is_tuning else SCRATCH,
            start_from=said.get(_key("from", dataset)) if is_tuning else None,
            beside=said.get(_key("beside", dataset)) or None, recipe=said["train_recipe"],
            folds=said["train_folds"], epochs=said["train_epochs"], **train_more.chosen(dataset),
            held_out=tuple((spot.lon, spot.lat) for spot in shared.store().spots(is_held_out=True)),
        )  # fmt: skip
        start_training(request, folder, settings=shared.settings())
        frame.say(t("The training has started."))
    boundary.show_next_run(noted.error)
