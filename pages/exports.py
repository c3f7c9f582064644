"""Exports: confirmed candidates that stand in no register, or all, as files for other tools."""

from __future__ import annotations

import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import streamlit as st

from minedisc_core.domain import RegisterStatus
from minedisc_core.exports import CAUTION, export, exported
from pages import frame, shared, words
from pages.texts import Labels, t, translated

FORMATS = {
    "csv": ("CSV", "text/csv"),
    "kml": ("KML", "application/vnd.google-earth.kml+xml"),
    "kmz": ("KMZ", "application/vnd.google-earth.kmz"),
    "gpkg": ("GeoPackage", "application/geopackage+sqlite3"),
    "parquet": ("GeoParquet", "application/vnd.apache.parquet"),
}
PURPOSES = Labels(
    {
        "csv": "for spreadsheets",
        "kml": "for Google Earth",
        "kmz": "with the chips inside",
        "gpkg": "for QGIS and ArcGIS",
        "parquet": "for Python and DuckDB",
    }
)
ALL_RUNS = ""


def main() -> None:
    """The page."""
    frame.heading(t("Exports"), t("What people confirmed and the registers do not know, as files for other tools."))
    runs = [row.run_id for row in shared.store().runs()]
    if not runs:
        frame.empty(t("No scan has finished yet, so there is nothing to export."), "scan.py", t("Scan a mosaic"))
        return
    labels = shared.run_labels()
    which, scope = st.columns([2, 3], vertical_alignment="bottom", gap="medium")
    run = which.selectbox(
        t("Run"), [ALL_RUNS, *runs], format_func=lambda r: labels.get(r, t("All runs")), key="export_run"
    )
    everything = scope.toggle(
        t("Every candidate, whatever was decided and whatever the registers say"), key="export_all"
    )
    found = exported(shared.store(), everything, run or None)
    counts = Counter(candidate.match.status for candidate in found.candidates)
    show_counts(counts, everything)
    if found.repeats_left_out:
        repeats = words.count(found.repeats_left_out, "repeat")
        st.caption(
            t("A place is in the file once, by its newest run: {repeats} from older runs left out.", repeats=repeats)
        )
    if found.candidates:
        downloads(everything, run or None)
    else:
        frame.empty(
            t(
                "No confirmed candidate is unregistered here yet. Confirm candidates, "
                "or switch on every candidate above."
            ),
            "review.py",
            t("Review candidates"),
        )
    st.caption(translated(CAUTION))


def show_counts(counts: Counter[RegisterStatus], everything: bool) -> None:
    """How many candidates the file will hold, by what the registers say."""
    statuses = [status for status in RegisterStatus if everything or status in counts]
    columns = st.columns(5)
    columns[0].metric(t("Candidates in the file"), words.number(counts.total()), border=True)
    for column, status in zip(columns[1:], statuses, strict=False):
        column.metric(words.REGISTER_STATUS[status], words.number(counts[status]), border=True)


def downloads(everything: bool, run_id: str | None) -> None:
    """A button for each format; the file is made when it is pressed."""
    stem = f"minedisc-{'all' if everything else 'unregistered'}{f'-{run_id}' if run_id else ''}"
    for column, (ending, (label, mime)) in zip(st.columns(len(FORMATS)), FORMATS.items(), strict=True):
        column.download_button(
            label,
            data=partial(made, ending, everything, run_id),
            file_name=f"{stem}.{ending}",
            mime=mime,
            icon=":material/download:",
            use_container_width=True,
            on_click="ignore",
            key=f"export_{ending}",
        )
        column.caption(PURPOSES[ending])


def made(ending: str, everything: bool, run_id: str | None) -> bytes:
    """The file's content."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"minedisc.{ending}"
        export(shared.store(), path, ending, include_all=everything, run_id=run_id)
        return path.read_bytes()


main()
