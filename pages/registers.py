"""Registers: what is loaded and from when, its problems, what changed; load another, retire one."""

from __future__ import annotations

import streamlit as st

from minedisc_core import service
from minedisc_core.domain import RegisterKind, Snapshot
from minedisc_core.registers.snapshots import list_snapshots, problems
from pages import boundary, frame, register_file, shared, words
from pages.texts import t, translated

WIDTHS = [2.6, 2.2, 1.2, 1.2, 1.6, 1.6, 1.0]
PROBLEMS_SHOWN = 200


def main() -> None:
    """The page."""
    frame.heading(
        t("Registers"), t("Lists of known dams, titles and lands. Candidates are matched again at each change.")
    )
    snapshots = list_snapshots(shared.settings())
    if snapshots:
        table(snapshots)
    else:
        frame.empty(
            t("No register is loaded, so no candidate can be called unregistered. Load a dam and a title register.")
        )
    needed(snapshots)
    with st.expander(t("Load a register"), icon=":material/upload_file:", expanded=not snapshots):
        register_file.load()
    changes()


def table(snapshots: list[Snapshot]) -> None:
    """One line per snapshot in force."""
    titles = [t("Kind"), t("File"), t("As of"), t("Loaded"), t("Covers"), t("Rows"), ""]
    for column, title in zip(st.columns(WIDTHS), titles, strict=True):
        column.caption(title)
    for snapshot in snapshots:
        kind, name, as_of, loaded, covers, rows, retire = st.columns(WIDTHS, vertical_alignment="center")
        kind.markdown(words.REGISTER_KIND[snapshot.kind])
        name.markdown(boundary.plain(snapshot.name))
        as_of.markdown(words.day(snapshot.as_of))
        loaded.markdown(words.day(snapshot.loaded_at_utc))
        covers.markdown(boundary.plain(register_file.COVERAGES.get(snapshot.coverage, snapshot.coverage)))
        rows.markdown(words.number(snapshot.rows))
        if retire.button(t("Retire"), key=f"retire_{snapshot.snapshot_id}", use_container_width=True):
            done = service.VERBS["registers_retire"](shared.store(), shared.settings(), snapshot.snapshot_id)
            frame.say(t("{name} is retired; {changed}.", name=snapshot.name, changed=register_file.changed(done)))
            st.rerun()
        if snapshot.problems:
            list_problems(snapshot)


def list_problems(snapshot: Snapshot) -> None:
    """Rows that were left out, by line."""
    rows = words.count(snapshot.problems, "row")
    with st.expander(t("{rows} of {name} left out", rows=rows, name=snapshot.name)):
        found = problems(shared.settings(), snapshot.snapshot_id)
        line, reason, left_out = t("Line"), t("Reason"), t("Left out")
        shown = [{line: p.line, reason: translated(p.reason), left_out: p.left_out} for p in found[:PROBLEMS_SHOWN]]
        st.dataframe(shown, hide_index=True)
        if len(found) > PROBLEMS_SHOWN:
            st.caption(t("The first {shown} of {all}.", shown=PROBLEMS_SHOWN, all=words.number(len(found))))


def needed(snapshots: list[Snapshot]) -> None:
    """Say what is missing before anything can be called unregistered."""
    kinds = {snapshot.kind for snapshot in snapshots}
    wanted = {RegisterKind.SIGBM: t("a dam register"), RegisterKind.SIGMINE: t("a title register")}
    missing = [name for kind, name in wanted.items() if kind not in kinds]
    if snapshots and missing:
        st.warning(
            t(
                "Missing: {registers}. Without it candidates are 'not checked' and never exported as unregistered.",
                registers=t(" and ").join(missing),
            ),
            icon=":material/warning:",
        )


def changes() -> None:
    """Candidates whose register status changed because of a load or a retirement."""
    found = shared.store().status_changes(100)
    st.markdown(f"##### {t('Changed statuses')}")
    if not found:
        st.caption(
            t("None. When a load or a retirement changes what the registers say of a candidate, it is listed here.")
        )
        return
    rows = [
        {
            t("When (UTC)"): words.minute(change.changed_at_utc),
            t("Candidate"): change.candidate_id,
            t("Before"): words.REGISTER_STATUS[change.before],
            t("After"): words.REGISTER_STATUS[change.after],
            t("Because"): translated(change.note),
        }
        for change in found
    ]
    st.dataframe(rows, hide_index=True)


main()
