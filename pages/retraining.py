"""Start a retraining, watch it, cancel and resume it."""

from __future__ import annotations

import uuid
from pathlib import Path

import streamlit as st

from minedisc_core import service
from minedisc_core.domain import RunState
from minedisc_core.jobs.process import cancel
from minedisc_core.jobs.retraining import start_retraining
from minedisc_core.jobs.retraining_result import RetrainingFolder, list_retrainings, read_retraining_progress
from minedisc_core.service.outlook import Prospect, levels_to_retrain, prospect
from pages import boundary, frame, past_runs, shared, words
from pages.texts import t, translated

SHOWN = 5
LOOK_AGAIN_S = 2.0


def section() -> None:
    """What a retraining would have, the button, and those that run or stopped."""
    st.markdown(f"##### {t('Retraining')}")
    levels = levels_to_retrain(shared.store())
    if levels:
        level = levels[0] if len(levels) == 1 else st.segmented_control(
            t("Product level"), levels, default=levels[0], required=True, key="retrain_level"
        )  # fmt: skip
        _start(prospect(shared.store(), shared.settings(), level))
    else:
        st.caption(t("Nothing was confirmed or rejected yet: there is nothing to learn from."))
    _running()
    _stopped()


def _start(found: Prospect) -> None:
    """Champion, sides, what is missing, and the button."""
    st.markdown(t("Champion: **{name}**", name=boundary.plain(found.champion.name)) + "  \n" + _own(found))
    ahead = found.outlook
    st.markdown(
        t(
            "Would learn from {learned}; held out for the comparison: {mines} at {places}. Places are held out whole "
            "(5 km apart), once and for all.",
            learned=words.count(ahead.learned, "verdict"),
            mines=words.count(ahead.held_mines, "confirmed mine"),
            places=words.count(ahead.held_places, "place"),
        )
    )
    for sentence in found.missing_to_start:
        st.warning(boundary.plain(translated(sentence)), icon=":material/block:")
    if found.missing_to_promote:
        told = " · ".join(boundary.plain(translated(sentence)) for sentence in found.missing_to_promote)
        st.caption(t("It can be trained, but the rule would not promote it yet: {missing}.", missing=told))
    is_busy = any(each.state is RunState.RUNNING for each in list_retrainings(shared.settings()))
    st.button(
        t("Start a retraining"), type="primary", icon=":material/model_training:", key="retrain_start",
        disabled=bool(found.missing_to_start) or is_busy, on_click=_begin, args=(found,),
        help=t("One retraining at a time.") if is_busy else None,
    )  # fmt: skip


def _own(found: Prospect) -> str:
    if found.own == "generated":
        return t("It has no dataset of its own: scenes of its training are drawn again and learned with the verdicts.")
    if found.own:
        return t("Its own dataset is learned again too: {name}", name=boundary.plain(found.own))
    return t("Its own dataset is not known: it learns from the verdicts alone.")


def _begin(found: Prospect) -> None:
    with shared.Noted() as noted:
        begun = service.VERBS["retrain_begin"](
            shared.store(), shared.settings(), champion=str(found.champion.folder), retraining_id=uuid.uuid4().hex[:12]
        )
        start_retraining(Path(begun["folder"]), shared.settings())
        frame.say(t("The retraining has started."))
    boundary.show_next_run(noted.error)


def _running() -> None:
    """A card for the one that runs, redrawn twice a second by itself."""
    found = [each for each in list_retrainings(shared.settings()) if each.state is RunState.RUNNING]
    for each in found:
        with st.container(border=True):
            st.fragment(_card, run_every=0.5)(each)
    st.fragment(_watch, run_every=LOOK_AGAIN_S)({each.retraining_id for each in found})


def _watch(drawn: set[str]) -> None:
    """Draw the page again when a retraining has begun that it does not show."""
    now = {each.retraining_id for each in list_retrainings(shared.settings()) if each.state is RunState.RUNNING}
    if now - drawn:
        st.rerun()


def _card(each: RetrainingFolder) -> None:
    progress = read_retraining_progress(each.path)
    if progress.is_over:
        frame.say(t("The retraining has ended."))
        st.rerun()
    name, figures, button = st.columns([2.2, 5, 1.1], vertical_alignment="center")
    name.markdown(f"**{boundary.plain(each.out)}**  \n{boundary.plain(each.champion)}")
    figures.progress(min(1.0, progress.fraction), boundary.plain(" · ".join(past_runs.in_words(progress))))
    button.button(t("Cancel"), key=f"cancel_{each.out}", use_container_width=True, on_click=_cancel, args=(each.path,))


def _cancel(folder: Path) -> None:
    with shared.Noted() as noted:
        cancel(folder)
        frame.say(t("The retraining was stopped. It can be resumed below."))
    boundary.show_next_run(noted.error)


def _stopped() -> None:
    """Those that stopped before their end, and can go on."""
    for each in [each for each in list_retrainings(shared.settings()) if each.can_resume][:SHOWN]:
        name, state, action = st.columns([2.2, 5, 1.1], vertical_alignment="center")
        name.markdown(boundary.plain(each.out))
        state.markdown(f"{words.RUN_STATE[each.state]}  \n:small[{boundary.plain(translated(each.message))}]")
        action.button(
            t("Resume"), key=f"resume_{each.out}", use_container_width=True, on_click=_resume, args=(each.path,)
        )


def _resume(folder: Path) -> None:
    with shared.Noted() as noted:
        start_retraining(folder, shared.settings())
        frame.say(t("The retraining goes on where it stopped."))
    boundary.show_next_run(noted.error)
