"""Loading a register from a file of one's own, and what came of it in words."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core import service
from minedisc_core.domain import RegisterKind
from minedisc_core.uploads import check_upload
from pages import boundary, frame, shared, words
from pages.texts import Labels, t, translated

COVERAGES = Labels(
    {
        "rows": "the states its rows name",
        "BR": "all of Brazil",
        "states": "these states",
        "everywhere": "everywhere",
        "not stated": "not stated",
        "polygon": "an area",
    }
)
CHOICES = [name for name in COVERAGES if name != "polygon"]
FORMATS = ["csv", "zip", "geojson", "json", "gpkg", "shp", "kml", "txt"]


def load() -> None:
    """A file of one's own."""
    left, right = st.columns(2, gap="medium")
    kind = left.selectbox(t("Kind"), list(RegisterKind), format_func=words.REGISTER_KIND.get, key="register_kind")
    upload = left.file_uploader(
        t("File"), FORMATS, key="register_file",
        help=t("SIGBM: CSV. SIGMINE: zipped shapefile. Others: CSV, GeoJSON, GeoPackage or zipped shapefile."),
    )  # fmt: skip
    as_of = right.date_input(
        t("As of"), value=None, key="register_as_of", format=words.date_format(),
        help=t("The date the register is from; else today."),
    )  # fmt: skip
    cover = right.selectbox(t("It is complete for"), CHOICES, format_func=COVERAGES.get, key="register_coverage")
    states = right.text_input(t("States"), key="register_states", placeholder="MG, PA", disabled=cover != "states")
    if right.button(t("Load and match again"), type="primary", disabled=upload is None, key="register_load"):
        coverage = {"rows": None, "states": states}.get(cover, cover)
        take_in(upload, kind, str(as_of) if as_of else None, coverage)


def take_in(upload: Any, kind: RegisterKind, as_of: str | None, coverage: str | None) -> None:
    """Read the file, match the candidates again, and say what came of it."""
    check_upload(upload.name, upload.size, shared.settings())
    with tempfile.TemporaryDirectory() as scratch, st.spinner(t("Reading and matching …")):
        path = Path(scratch) / Path(upload.name).name
        path.write_bytes(upload.getbuffer())
        done = service.VERBS["registers_add"](
            shared.store(),
            shared.settings(),
            str(kind),
            str(path),
            as_of=as_of,
            coverage=coverage,
        )
    rows = words.count(done["snapshot"]["rows"], "row loaded", "rows loaded")
    told = t(
        "{rows}, {problems} with a problem; {changed}.", rows=rows, problems=words.number(len(done["problems"])),
        changed=changed(done),
    )  # fmt: skip
    beside = "".join(f" {boundary.plain(translated(other['notice']))}." for other in done["also_in_force"])
    frame.say(told + beside)
    st.rerun()


def changed(done: dict[str, Any]) -> str:
    """How many candidates have another register status after a load or a retirement."""
    return words.count(len(done["changes"]), "status changed", "statuses changed")
