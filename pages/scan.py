"""Scan: choose a mosaic, an area and a model, start, watch, cancel; past runs below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from minedisc_core.detection.models import Model, broken_models, list_models
from minedisc_core.jobs import ScanRequest, new_run_id, start_scan
from pages import area, boundary, champions, download, downloads, frame, maps, mosaics, past_runs, shared, texts, words
from pages.chosen import Chosen, cost, facts, notes, previews, problem
from pages.texts import t, translated


def main() -> None:
    """The page."""
    for sentence in shared.house().take_in_finished():
        st.toast(sentence)
    choice_side, map_side = st.columns([40, 60], gap="medium")
    with choice_side:
        frame.heading(t("Scan"), t("Find surface mines and tailings dams in a Sentinel-2 mosaic."))
        chosen = mosaics.choose()
        is_new = mosaics.is_new()
        asked = download.choose() if is_new else choose_area_and_model(chosen) if chosen else None
        boundary.explain_kept()
    with map_side:
        if is_new:
            download.show_map(asked)
        else:
            show_map(chosen, asked)
    downloads.running()
    past_runs.running()
    downloads.table()
    past_runs.table()


def choose_area_and_model(chosen: Chosen) -> dict[str, Any] | None:
    """The rest of the choices, what the scan will cost, and the button; gives the area."""
    st.caption(facts(chosen))
    notes(chosen)
    asked = area.choose(chosen.key)
    model = choose_model(chosen)
    if model:
        threshold, isolated = choose_thresholds(model)
        start(chosen, asked, model, threshold, isolated)
    return asked


def choose_model(chosen: Chosen) -> Model | None:
    """The models that fit the mosaic; a sentence for each that does not."""
    settings = shared.settings()
    problems = {model.name: problem(model, chosen) for model in list_models(settings)}
    usable = {model.name: model for model in list_models(settings) if problems[model.name] is None}
    others = [each for each in problems.values() if each] + [b.problem for b in broken_models(settings)]
    first = _first_choice(usable)
    name = st.selectbox(
        t("Model"), list(usable), index=first, key="scan_model", placeholder=t("No model fits this mosaic"),
        format_func=lambda each: t("{name} (champion)", name=each) if champions.is_champion(usable[each]) else each,
    )  # fmt: skip
    if others:
        models = words.count(len(others), "other model")
        with st.expander(t("{models} cannot be used here", models=models), expanded=not usable):
            for other in others:
                st.markdown(f"- {boundary.plain(translated(other))}")
    if not problems:
        frame.empty(t("There is no model yet. Put a model folder into the models folder of your home."))
    model = usable.get(name)
    if model and model.discovery.is_demonstration:
        st.caption(
            ":material/science: "
            + t(
                "A demonstration model: trained on generated scenes, it shows how minedisc works. "
                "Its scores say nothing about real places."
            )
        )
    return model


def _first_choice(usable: Mapping[str, Model]) -> int:
    """The champion comes first where one was promoted; else the first model."""
    return next((k for k, model in enumerate(usable.values()) if champions.is_champion(model)), 0)


def choose_thresholds(model: Model) -> tuple[float, float | None]:
    """The cut-off of the score, the card's by default, and a higher one for single cells if asked for."""
    left, right = st.columns(2)
    default = float(model.discovery.threshold)
    threshold = left.number_input(
        t("Score cut-off"), 0.05, 0.99, default, 0.05, key=f"scan_threshold_{model.name}",
        help=t("Cells above it are hits. The model card says {value}.", value=texts.numerals(f"{default:g}")),
    )  # fmt: skip
    isolated = right.number_input(
        t("Higher cut-off for single cells"), 0.05, 0.99, None, 0.05, placeholder=t("off"), key="scan_isolated",
        help=t("A hit without a neighbour counts only above this score. Off by default."),
    )  # fmt: skip
    return threshold, isolated


def start(chosen: Chosen, asked: dict[str, Any] | None, model: Model, threshold: float, isolated: float | None) -> None:
    """What it will cost, and the button."""
    needed = cost(chosen, asked, model)
    waiting = area.is_waiting(asked)
    if waiting:
        st.markdown(t("**No area yet.**"))
    elif not needed.km2:
        st.warning(t("No cell of the mosaic lies in this area: draw a larger one, inside the mosaic."))
    else:
        st.markdown(
            t("**{area}** to scan, in **{time}**.", area=words.km2(needed.km2), time=words.duration(needed.seconds)),
            help=t("The net looks 1 km around each place, so the outermost kilometre of a mosaic is not scored."),
        )
    if shared.settings().scheduler:
        st.caption(words.scheduler(shared.settings().scheduler))
    request = replace(
        chosen.request, model=str(model.folder), aoi=asked, threshold=threshold, isolated_threshold=isolated
    )
    st.button(
        t("Start the scan"), type="primary", icon=":material/play_arrow:", disabled=waiting or not needed.km2,
        key="scan_start", on_click=_start_now, args=(request,),
    )  # fmt: skip


def _start_now(request: ScanRequest) -> None:
    with shared.Noted() as noted:
        start_scan(request, shared.settings().runs / new_run_id(), settings=shared.settings())
        frame.say(t("The scan has started."))
    boundary.show_next_run(noted.error)


def show_map(chosen: Chosen | None, asked: dict[str, Any] | None) -> None:
    """The mosaic with the area on it."""
    if chosen is None:
        frame.empty(t("Choose a mosaic on the left: its picture appears here. Draw the area to scan on it."))
        return
    pictures, outline = previews(chosen), chosen.outline
    if any(each.is_remote for each in chosen.mosaics):
        st.caption(t("No picture is made of files on a network before they are scanned; the outline is shown."))
    elif not pictures:
        st.caption(t("No picture can be made of these bands (B2, B3 and B4 are needed); the outline is shown."))
    area.draw_map(chosen.key, pictures, outline.__geo_interface__, asked, outline.bounds)
    maps.basemap_choice("scan_basemap")


main()
