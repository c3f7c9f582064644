"""Models: which there are and what their cards say; add one of other people."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core.detection.adding import add_model, add_ready_made
from minedisc_core.detection.models import BrokenModel, Model, broken_models, list_models
from minedisc_core.detection.patch_cards import PatchCard
from minedisc_core.detection.ready_made import READY_MADE
from minedisc_core.uploads import check_upload
from pages import boundary, frame, shared, words
from pages.texts import numerals, t, translated

SUFFIXES = ["keras", "h5", "hdf5"]
OWN_CARD = ""


def main() -> None:
    """The page."""
    frame.heading(t("Models"), t("The nets that a scan can use: shipped, trained here, or made by other people."))
    found = list_models(shared.settings())
    if found:
        table(found)
    else:
        frame.empty(t("There is no model that can be used. Add one below."))
    for broken in broken_models(shared.settings()):
        st.warning(problem(broken), icon=":material/warning:")
    if found:
        card(chosen(found))
    with st.expander(t("Add a model of other people"), icon=":material/upload_file:"):
        add()


def table(found: list[Model]) -> None:
    """One line per model."""
    rows = [
        {
            t("Model"): model.name,
            t("Kind"): kind(model),
            t("Level"): str(model.discovery.level),
            t("Bands"): len(model.discovery.bands),
            t("Cut-off"): numerals(f"{model.discovery.threshold:g}"),
            t("Cell"): t("{side} px", side=model.geometry.stride_px),
            t("Impact class"): t("yes") if model.impact else t("no"),
            t("Licence"): model.discovery.licence if isinstance(model.discovery, PatchCard) else "",
        }
        for model in found
    ]
    st.dataframe(rows, hide_index=True)
    st.caption(
        t("Scores of two models are not on one scale, and changes between dates are told within one model only.")
    )


def kind(model: Model) -> str:
    """What sort of model it is, in words."""
    if isinstance(model.discovery, PatchCard):
        return t("Patches, by other people")
    return t("Demonstration") if model.discovery.is_demonstration else t("Discovery net")


def problem(broken: BrokenModel) -> str:
    """What is wrong with a folder among the models."""
    told = boundary.plain(translated(broken.problem))
    return t("{name} cannot be used. {problem}", name=boundary.plain(broken.name), problem=told)


def chosen(found: list[Model]) -> Model:
    """The model whose card is shown."""
    by_name = {model.name: model for model in found}
    if st.session_state.get("models_shown") not in by_name:
        st.session_state["models_shown"] = found[-1].name
    return by_name[st.selectbox(t("Card of"), list(by_name), key="models_shown")]


def card(model: Model) -> None:
    """What a card says, a line each."""
    found = model.discovery
    lines = {t("Name"): found.name, t("Version"): found.version, t("Bands"): " ".join(found.bands)}
    if isinstance(found, PatchCard):
        lines |= patch_facts(found)
    lines |= {t("Description"): found.description, t("Folder"): str(model.folder)}
    st.markdown("  \n".join(f"**{label}:** {boundary.plain(value)}" for label, value in lines.items() if value))
    if found.training:
        st.caption(t("Figures of its makers") if isinstance(found, PatchCard) else t("Training and its figures"))
        st.json(dict(found.training), expanded=False)


def patch_facts(found: PatchCard) -> dict[str, str]:
    """What only a patch model's card says."""
    scalings = {"reflectance": t("DN / 10,000, clipped to 0 to 1"), "z-score": t("(DN - mean) / deviation, by band")}
    ways = {"patches": t("patch by patch"), "whole tiles": t("over whole tiles, with the same scores")}
    return {
        t("Scaling"): scalings[found.scaling],
        t("Patch"): t("{patch} px, one every {stride} px", patch=found.patch_px, stride=found.stride_px),
        t("Is scored"): ways.get(found.scored_by, found.scored_by),
        t("Parameters"): words.number(found.parameters),
        t("Licence"): found.licence,
        t("Source"): found.source,
        "SHA-256": found.sha256,
    }


def add() -> None:
    """The form: a ready-made card or one's own, and the file."""
    st.caption(
        t(
            "A Keras classifier of patches (.keras or .h5). Nothing in the file is run: it is looked through, and the "
            "net is made anew from plain layers. What is not plain is refused."
        )
    )
    left, right = st.columns(2, gap="medium")
    chosen = left.selectbox(
        t("Card"), [*READY_MADE, OWN_CARD], format_func=lambda known: known or t("A card of my own (JSON)"),
        key="models_card_choice",
    )  # fmt: skip
    if chosen:
        left.caption(t("Takes only the file {file}, by its SHA-256.", file=f"`{READY_MADE[chosen].file_name}`"))
    card_file = None if chosen else left.file_uploader(t("The card's file"), ["json"], key="models_card")
    file = right.file_uploader(t("The model's file"), SUFFIXES, key="models_file")
    name = right.text_input(t("Name"), key="models_name", placeholder=chosen or t("as the card says"))
    is_ready = file is not None and (bool(chosen) or card_file is not None)
    if right.button(t("Look through and add"), type="primary", disabled=not is_ready, key="models_add"):
        take_in(chosen, file, card_file, name.strip() or None)


def take_in(chosen: str, file: Any, card_file: Any, name: str | None) -> None:
    """Add what was handed in, and say so."""
    check_upload(file.name, file.size, shared.settings())
    with tempfile.TemporaryDirectory() as scratch, st.spinner(t("Looking through the file; this takes a moment …")):
        path = Path(scratch) / "model"
        path.write_bytes(file.getbuffer())
        if chosen:
            added = add_ready_made(chosen, str(path), shared.settings(), name)
        else:
            (Path(scratch) / "card.json").write_bytes(card_file.getbuffer())
            added = add_model(path, Path(scratch) / "card.json", shared.settings(), name)
    frame.say(t("Model {name} is added: choose it on the scan page.", name=added.name))
    st.rerun()


main()
