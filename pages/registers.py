"""Registers: what is loaded and from when, its problems, what changed; load another, retire one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from minedisc_core import service
from minedisc_core.domain import RegisterKind, Snapshot
from minedisc_core.registers.snapshots import list_snapshots, problems
from minedisc_core.uploads import check_upload
from pages import boundary, frame, shared, words

WIDTHS = [2.6, 2.2, 1.2, 1.2, 1.6, 1.6, 1.0]
PROBLEMS_SHOWN = 200
COVERAGES = {
    "rows": "the states its rows name",
    "BR": "all of Brazil",
    "states": "these states",
    "everywhere": "everywhere",
    "not stated": "not stated",
}


def main() -> None:
    """The page."""
    frame.heading("Registers", "Lists of known dams, titles and lands. Candidates are matched again at each change.")
    snapshots = list_snapshots(shared.settings())
    if snapshots:
        table(snapshots)
    else:
        frame.empty(
            "No register is loaded, so no candidate can be called unregistered. Load a dam and a title register."
        )
    needed(snapshots)
    with st.expander("Load a register", icon=":material/upload_file:", expanded=not snapshots):
        load()
    changes()


def table(snapshots: list[Snapshot]) -> None:
    """One line per snapshot in force."""
    titles = ["Kind", "File", "As of", "Loaded", "Covers", "Rows", ""]
    for column, title in zip(st.columns(WIDTHS), titles, strict=True):
        column.caption(title)
    for snapshot in snapshots:
        kind, name, as_of, loaded, covers, rows, retire = st.columns(WIDTHS, vertical_alignment="center")
        kind.markdown(words.REGISTER_KIND[snapshot.kind])
        name.markdown(boundary.plain(snapshot.name))
        as_of.markdown(f"{snapshot.as_of}")
        loaded.markdown(f"{snapshot.loaded_at_utc:%Y-%m-%d}")
        covers.markdown("an area" if snapshot.coverage == "polygon" else boundary.plain(snapshot.coverage))
        rows.markdown(f"{snapshot.rows:,}")
        if retire.button("Retire", key=f"retire_{snapshot.snapshot_id}", use_container_width=True):
            done = service.VERBS["registers_retire"](shared.store(), shared.settings(), snapshot.snapshot_id)
            frame.say(f"{snapshot.name} is retired; {words.count(len(done['changes']), 'status', 'statuses')} changed.")
            st.rerun()
        if snapshot.problems:
            list_problems(snapshot)


def list_problems(snapshot: Snapshot) -> None:
    """Rows that were left out, by line."""
    with st.expander(f"{words.count(snapshot.problems, 'row')} of {snapshot.name} left out"):
        found = problems(shared.settings(), snapshot.snapshot_id)
        shown = [{"Line": p.line, "Reason": p.reason, "Left out": p.left_out} for p in found[:PROBLEMS_SHOWN]]
        st.dataframe(shown, hide_index=True)
        if len(found) > PROBLEMS_SHOWN:
            st.caption(f"The first {PROBLEMS_SHOWN} of {len(found):,}.")


def needed(snapshots: list[Snapshot]) -> None:
    """Say what is missing before anything can be called unregistered."""
    kinds = {snapshot.kind for snapshot in snapshots}
    missing = [
        name
        for kind, name in ((RegisterKind.SIGBM, "a dam register"), (RegisterKind.SIGMINE, "a title register"))
        if kind not in kinds
    ]
    if snapshots and missing:
        st.warning(
            f"Missing: {' and '.join(missing)}. Without it candidates are 'not checked' and never exported "
            "as unregistered.",
            icon=":material/warning:",
        )


def load() -> None:
    """A file of one's own."""
    left, right = st.columns(2, gap="medium")
    kind = left.selectbox("Kind", list(RegisterKind), format_func=words.REGISTER_KIND.get, key="register_kind")
    upload = left.file_uploader(
        "File", ["csv", "zip", "geojson", "json", "gpkg", "shp", "kml", "txt"], key="register_file",
        help="SIGBM: CSV. SIGMINE: zipped shapefile. Others: CSV, GeoJSON, GeoPackage or zipped shapefile.",
    )  # fmt: skip
    as_of = right.date_input(
        "As of", value=None, key="register_as_of", help="The date the register is from; else today."
    )
    cover = right.selectbox("It is complete for", list(COVERAGES), format_func=COVERAGES.get, key="register_coverage")
    states = right.text_input("States", key="register_states", placeholder="MG, PA", disabled=cover != "states")
    if not right.button("Load and match again", type="primary", disabled=upload is None, key="register_load"):
        return
    check_upload(upload.name, upload.size, shared.settings())
    coverage = {"rows": None, "states": states}.get(cover, cover)
    with tempfile.TemporaryDirectory() as scratch, st.spinner("Reading and matching …"):
        path = Path(scratch) / Path(upload.name).name
        path.write_bytes(upload.getbuffer())
        done = service.VERBS["registers_add"](
            shared.store(),
            shared.settings(),
            str(kind),
            str(path),
            as_of=str(as_of) if as_of else None,
            coverage=coverage,
        )
    rows, changed = done["snapshot"]["rows"], words.count(len(done["changes"]), "status", "statuses")
    beside = "".join(f" {boundary.plain(other['notice'])}." for other in done["also_in_force"])
    frame.say(f"{words.count(rows, 'row')} loaded, {len(done['problems'])} with a problem; {changed} changed.{beside}")
    st.rerun()


def changes() -> None:
    """Candidates whose register status changed because of a load or a retirement."""
    found = shared.store().status_changes(100)
    st.markdown("##### Changed statuses")
    if not found:
        st.caption(
            "None. When a load or a retirement changes what the registers say of a candidate, it is listed here."
        )
        return
    rows = [
        {
            "When (UTC)": f"{change.changed_at_utc:%Y-%m-%d %H:%M}",
            "Candidate": change.candidate_id,
            "Before": words.REGISTER_STATUS[change.before],
            "After": words.REGISTER_STATUS[change.after],
            "Because": change.note,
        }
        for change in found
    ]
    st.dataframe(rows, hide_index=True)


main()
