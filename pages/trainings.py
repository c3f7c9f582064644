"""Trainings of the home: those that run, with progress and cancel, and those that stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import streamlit as st

from minedisc_core.jobs.process import cancel
from minedisc_core.jobs.train_progress import TrainProgress, read_train_progress
from minedisc_core.jobs.train_request import read_train_request
from minedisc_core.jobs.training import start_training
from minedisc_core.jobs.trainings import TrainingFolder, list_trainings
from pages import boundary, frame, shared, words
from pages.texts import t, translated
from pages.train_form import NETS

SHOWN = 8
LOOK_AGAIN_S = 2.0
WIDTHS = [2.2, 5, 1.1]


def listed() -> list[TrainingFolder]:
    """All trainings of the home, the newest first."""
    return list_trainings(shared.settings())


def running(found: Sequence[TrainingFolder]) -> None:
    """A card for each that runs, redrawn twice a second by itself."""
    alive = [each for each in found if each.is_running]
    for each in alive:
        with st.container(border=True):
            st.fragment(_card, run_every=0.5)(each)
    st.fragment(_watch, run_every=LOOK_AGAIN_S)({each.name for each in alive})


def _watch(drawn: set[str]) -> None:
    """Draw the page again when a training has begun that it does not show."""
    if {each.name for each in listed() if each.is_running} - drawn:
        st.rerun()


def _card(each: TrainingFolder) -> None:
    progress = read_train_progress(each.path)
    if progress.is_over:
        frame.say(t("The training has ended."))
        st.rerun()
    name, figures, button = st.columns(WIDTHS, vertical_alignment="center")
    name.markdown(_named(each))
    figures.progress(min(1.0, progress.fraction), boundary.plain(" · ".join(_in_words(progress))))
    button.button(t("Cancel"), key=f"cancel_{each.name}", use_container_width=True, on_click=_cancel, args=(each.path,))


def _named(each: TrainingFolder) -> str:
    """The model's name, and which net on which version."""
    asked = each.request
    what = f"{NETS[asked.net]} · {boundary.plain(Path(asked.dataset).name)}" if asked else ""
    return f"**{boundary.plain(each.name)}**  \n:small[{what}]" if what else f"**{boundary.plain(each.name)}**"


def _in_words(progress: TrainProgress) -> Iterator[str]:
    """Fold and epoch, how well it does on samples that it does not learn from, how long it will take."""
    step = translated(progress.message)
    yield step[:1].upper() + step[1:]
    if progress.epoch:
        yield t("epoch {epoch} of {epochs}", epoch=progress.epoch, epochs=progress.epochs)
    if "validation_accuracy" in progress.figures:
        yield t("accuracy {share}", share=words.number(progress.figures["validation_accuracy"], 3))
    if progress.seconds_left is not None:
        yield t("{time} left", time=words.duration(progress.seconds_left))


def _cancel(folder: Path) -> None:
    with shared.Noted() as noted:
        cancel(folder)
        frame.say(t("The training was stopped. It can be resumed below."))
    boundary.show_next_run(noted.error)


def stopped(found: Sequence[TrainingFolder]) -> None:
    """Those that ended before they were done: why, and a button to go on."""
    halted = [each for each in found if not each.is_running and not each.report]
    if not halted:
        return
    st.markdown(f"##### {t('Stopped trainings')}")
    is_busy = any(each.is_running for each in found)
    for each in halted[:SHOWN]:
        name, state, action = st.columns(WIDTHS, vertical_alignment="center")
        name.markdown(_named(each))
        state.markdown(f"{words.RUN_STATE[each.state]}  \n:small[{boundary.plain(translated(each.message))}]")
        if each.can_resume:
            action.button(
                t("Resume"), key=f"resume_{each.name}", use_container_width=True, on_click=_resume, args=(each.path,),
                disabled=is_busy, help=t("One training at a time.") if is_busy else None,
            )  # fmt: skip


def _resume(folder: Path) -> None:
    with shared.Noted() as noted:
        start_training(read_train_request(folder), folder, resume=True, settings=shared.settings())
        frame.say(t("The training goes on where it stopped."))
    boundary.show_next_run(noted.error)
