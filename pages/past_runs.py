"""Scans that run now, with progress and cancel, and those of the past."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from minedisc_core.domain import RunState
from minedisc_core.jobs import RunFolder, cancel, list_runs, read_progress, read_request, start_scan
from minedisc_core.store import RunRow
from pages import boundary, frame, names, shared, words
from pages.shared import SessionKeys

SHOWN = 8
WIDTHS = [2.3, 1.5, 1.3, 1.5, 3.0, 1.2]
REVIEW = Path(__file__).parent / "review.py"


def running() -> None:
    """A card for each scan that runs, redrawn twice a second by itself."""
    for run in list_runs(shared.settings()):
        if run.state is RunState.RUNNING:
            with st.container(border=True):
                st.fragment(_card, run_every=0.5)(run)


def _card(run: RunFolder) -> None:
    progress = read_progress(run.path)
    if progress.is_over:
        for sentence in shared.house().take_in_finished():
            frame.say(sentence)
        st.rerun()
    name, figures, button = st.columns([2.2, 5, 1.1], vertical_alignment="center")
    name.markdown(f"**{boundary.plain(_label(run))}**  \n{boundary.plain(run.model)}")
    parts = [progress.message.capitalize()]
    parts += [f"{words.km2(progress.km2_done)} of {words.km2(progress.km2)}"] if progress.km2 else []
    parts += [f"{progress.km2_per_s:,.1f} km²/s"] if progress.km2_per_s else []
    parts += [f"{words.duration(progress.seconds_left)} left"] if progress.seconds_left is not None else []
    figures.progress(min(1.0, progress.fraction), boundary.plain(" · ".join(parts)))
    if button.button("Cancel", key=f"cancel_{run.run_id}", use_container_width=True):
        cancel(run.path)
        frame.say("The scan was stopped. It can be resumed below.")
        st.rerun()


def table() -> None:
    """Runs that have ended, newest first, with what can be done with each."""
    runs = [run for run in list_runs(shared.settings()) if run.state is not RunState.RUNNING]
    taken_in = {row.run_id: row for row in shared.store().runs()}
    st.markdown("##### Past runs")
    elsewhere = [row for row in taken_in.values() if row.run_id not in {run.run_id for run in runs}]
    if not runs and not elsewhere:
        st.caption("None yet. A scan that has finished, was cancelled or was interrupted appears here.")
        return
    for column, title in zip(
        st.columns(WIDTHS), ["Mosaic", "Asked for (UTC)", "Area seen", "Sites", "State", ""], strict=True
    ):
        column.caption(title)
    shown = None if st.session_state.get("scan_all_runs") else SHOWN
    for run in runs[:shown]:
        _row(run, taken_in.get(run.run_id))
    for row in elsewhere[:shown]:
        _foreign_row(row)
    if max(len(runs), len(elsewhere)) > SHOWN:
        st.toggle("Show all", key="scan_all_runs")


def _row(run: RunFolder, row: RunRow | None) -> None:
    mosaic, asked, seen, sites, state, action = st.columns(WIDTHS, vertical_alignment="center")
    mosaic.markdown(boundary.plain(_label(run)))
    asked.markdown(f"{run.asked_at_utc:%d %b %H:%M}" if run.asked_at_utc else "")
    if run.summary:
        coverage = run.summary.coverage
        seen.markdown(f"{words.km2(coverage.seen_km2)} ({words.percent(coverage.fraction)})")
    sites.markdown(_sites(row) if row else "")
    refused = shared.house().refused.get(run.run_id, "")
    state.markdown(f"{words.RUN_STATE[run.state]}  \n:small[{boundary.plain(refused or run.message)}]")
    if row and action.button("Review", key=f"review_{run.run_id}", use_container_width=True):
        _open(row)
    if run.can_resume and action.button("Resume", key=f"resume_{run.run_id}", use_container_width=True):
        _resume(run)


def _foreign_row(row: RunRow) -> None:
    """A run that was taken in from a folder outside this home."""
    mosaic, asked, seen, sites, state, action = st.columns(WIDTHS, vertical_alignment="center")
    mosaic.markdown(boundary.plain(names.mosaic_label(row.summary.mosaic, shared.settings().demo)))
    asked.markdown(f"{row.summary.finished_at_utc:%d %b %H:%M}")
    seen.markdown(f"{words.km2(row.summary.coverage.seen_km2)} ({words.percent(row.summary.coverage.fraction)})")
    sites.markdown(_sites(row))
    state.markdown(f"{words.RUN_STATE[row.summary.state]}  \n:small[{boundary.plain(f'taken in from {row.run_dir}')}]")
    if action.button("Review", key=f"review_{row.run_id}", use_container_width=True):
        _open(row)


def _sites(row: RunRow) -> str:
    hidden = f", {row.discarded:,} hidden" if row.discarded else ""
    return f"{row.candidates:,} ({row.undecided:,} undecided{hidden})"


def _label(run: RunFolder) -> str:
    return names.mosaic_label(run.mosaic, shared.settings().demo) if run.mosaic else run.run_id


def _open(row: RunRow) -> None:
    st.session_state[SessionKeys.REVIEW_RUN] = row.run_id
    st.switch_page(REVIEW)


def _resume(run: RunFolder) -> None:
    shared.house().refused.pop(run.run_id, None)
    with shared.Noted() as noted:
        start_scan(read_request(run.path), run.path, resume=True, settings=shared.settings())
        frame.say("The scan goes on where it stopped.")
        st.rerun()
    boundary.explain(noted.error)
