"""Scans that run now, with progress and cancel, and those of the past."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import streamlit as st

from minedisc_core.domain import RunState
from minedisc_core.jobs import RunFolder, ScanProgress, cancel, list_runs, read_progress, read_request, start_scan
from minedisc_core.store import RunRow
from pages import boundary, frame, names, shared, words
from pages.shared import SessionKeys
from pages.texts import t, translated

SHOWN = 8
LOOK_AGAIN_S = 2.0
WIDTHS = [2.3, 1.5, 1.3, 1.5, 3.0, 1.2]
REVIEW = Path(__file__).parent / "review.py"


def running() -> None:
    """A card for each scan that runs, redrawn twice a second by itself."""
    found = [run for run in list_runs(shared.settings()) if run.state is RunState.RUNNING]
    for run in found:
        with st.container(border=True):
            st.fragment(_card, run_every=0.5)(run)
    st.fragment(_watch, run_every=LOOK_AGAIN_S)({run.run_id for run in found})


def _watch(drawn: set[str]) -> None:
    """Draw the page again when a scan has begun that it does not show.

    Another page or the command line may have started it; or a button of this one did, while a map that reported
    itself had the page drawn already.
    """
    now = {run.run_id for run in list_runs(shared.settings()) if run.state is RunState.RUNNING}
    if now - drawn:
        st.rerun()


def _card(run: RunFolder) -> None:
    progress = read_progress(run.path)
    if progress.is_over:
        for sentence in shared.house().take_in_finished():
            frame.say(sentence)
        st.rerun()
    name, figures, button = st.columns([2.2, 5, 1.1], vertical_alignment="center")
    name.markdown(f"**{boundary.plain(_label(run))}**  \n{boundary.plain(run.model)}")
    figures.progress(min(1.0, progress.fraction), boundary.plain(" · ".join(in_words(progress))))
    button.button(t("Cancel"), key=f"cancel_{run.run_id}", use_container_width=True, on_click=_cancel, args=(run.path,))


def _cancel(run_dir: Path) -> None:
    with shared.Noted() as noted:
        cancel(run_dir)
        frame.say(t("The scan was stopped. It can be resumed below."))
    boundary.show_next_run(noted.error)


def in_words(progress: ScanProgress) -> Iterator[str]:
    """What is being done, how far it is, how fast it goes, how long it will take."""
    step = translated(progress.message)
    yield step[:1].upper() + step[1:]
    if progress.km2:
        yield t("{done} of {all}", done=words.km2(progress.km2_done), all=words.km2(progress.km2))
    if progress.km2_per_s:
        yield f"{words.number(progress.km2_per_s, 1)} km²/s"
    if progress.seconds_left is not None:
        yield t("{time} left", time=words.duration(progress.seconds_left))


def table() -> None:
    """Runs that have ended, newest first, with what can be done with each."""
    runs = [run for run in list_runs(shared.settings()) if run.state is not RunState.RUNNING]
    taken_in = {row.run_id: row for row in shared.store().runs()}
    st.markdown(f"##### {t('Past runs')}")
    elsewhere = [row for row in taken_in.values() if row.run_id not in {run.run_id for run in runs}]
    if not runs and not elsewhere:
        st.caption(t("None yet. A scan that has finished, was cancelled or was interrupted appears here."))
        return
    titles = [t("Mosaic"), t("Asked for (UTC)"), t("Area seen"), t("Sites"), t("State"), ""]
    for column, title in zip(st.columns(WIDTHS), titles, strict=True):
        column.caption(title)
    shown = None if st.session_state.get("scan_all_runs") else SHOWN
    for run in runs[:shown]:
        _row(run, taken_in.get(run.run_id))
    for row in elsewhere[:shown]:
        _foreign_row(row)
    if max(len(runs), len(elsewhere)) > SHOWN:
        st.toggle(t("Show all"), key="scan_all_runs")


def _row(run: RunFolder, row: RunRow | None) -> None:
    mosaic, asked, seen, sites, state, action = st.columns(WIDTHS, vertical_alignment="center")
    mosaic.markdown(boundary.plain(_label(run)))
    asked.markdown(words.short_moment(run.asked_at_utc) if run.asked_at_utc else "")
    if run.summary:
        engine = f":small[{names.engine(run.summary)}]"
        seen.markdown(f"{names.seen(run.summary)}  \n{engine}", help=names.engines_left_out(run.summary))
    sites.markdown(_sites(row) if row else "")
    refused = shared.house().refused.get(run.run_id, "")
    state.markdown(f"{words.RUN_STATE[run.state]}  \n:small[{boundary.plain(translated(refused or run.message))}]")
    if row and action.button(t("Review"), key=f"review_{run.run_id}", use_container_width=True):
        _open(row)
    if run.can_resume:
        action.button(t("Resume"), key=f"resume_{run.run_id}", use_container_width=True, on_click=_resume, args=(run,))


def _foreign_row(row: RunRow) -> None:
    """A run that was taken in from a folder outside this home."""
    mosaic, asked, seen, sites, state, action = st.columns(WIDTHS, vertical_alignment="center")
    mosaic.markdown(boundary.plain(names.mosaic_label(row.summary.mosaic, shared.settings().demo)))
    asked.markdown(words.short_moment(row.summary.finished_at_utc))
    seen.markdown(names.seen(row.summary))
    sites.markdown(_sites(row))
    came = t("taken in from {folder}", folder=row.run_dir)
    state.markdown(f"{words.RUN_STATE[row.summary.state]}  \n:small[{boundary.plain(came)}]")
    if action.button(t("Review"), key=f"review_{row.run_id}", use_container_width=True):
        _open(row)


def _sites(row: RunRow) -> str:
    figures = {name: words.number(getattr(row, name)) for name in ("candidates", "undecided", "discarded")}
    if row.discarded:
        return t("{candidates} ({undecided} undecided, {discarded} hidden)", **figures)
    return t("{candidates} ({undecided} undecided)", **figures)


def _label(run: RunFolder) -> str:
    return names.mosaic_label(run.mosaic, shared.settings().demo) if run.mosaic else run.run_id


def _open(row: RunRow) -> None:
    st.session_state[SessionKeys.REVIEW_RUN] = row.run_id
    st.switch_page(REVIEW)


def _resume(run: RunFolder) -> None:
    shared.house().refused.pop(run.run_id, None)
    with shared.Noted() as noted:
        start_scan(read_request(run.path), run.path, resume=True, settings=shared.settings())
        frame.say(t("The scan goes on where it stopped."))
    boundary.show_next_run(noted.error)
