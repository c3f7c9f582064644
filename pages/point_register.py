"""Choosing the register whose points are walked: one that is loaded, or a file of one's own, which is kept."""

from __future__ import annotations

import streamlit as st

from minedisc_core.domain import RegisterKind
from minedisc_core.registers import snapshots
from minedisc_core.registers.points import keep_points, kept_points
from minedisc_core.uploads import check_upload
from pages import boundary, shared
from pages.texts import t

KEY, FILE_KEY = "points_register", "points_file"
UPLOAD = "upload"
KINDS = (RegisterKind.SIGBM, RegisterKind.POINTS)
FORMATS = ["csv", "txt", "zip", "geojson", "json", "gpkg", "kml"]


def choose() -> str | None:
    """The widgets; a path or a snapshot's id, None until there is one."""
    known = _known()
    picked = st.selectbox(
        t("Register of points"), [*known, UPLOAD], key=KEY,
        format_func=lambda key: known.get(key) or t("A file of my own …"),
    )  # fmt: skip
    if picked != UPLOAD:
        return picked
    st.file_uploader(
        t("CSV, zipped shapefile, GeoPackage or GeoJSON of points"), FORMATS, key=FILE_KEY, on_change=_keep
    )
    return None


def _known() -> dict[str, str]:
    settings = shared.settings()
    loaded = [each for each in snapshots.list_snapshots(settings) if each.kind in KINDS]
    files = {str(path): path.name for path in kept_points(settings)}
    return {each.snapshot_id: snapshots.label(each) for each in loaded} | files


def _keep() -> None:
    upload = st.session_state.get(FILE_KEY)
    if upload is None:
        return
    with shared.Noted() as noted:
        check_upload(upload.name, upload.size, shared.settings())
        kept = keep_points(shared.settings(), upload.name, bytes(upload.getbuffer()))
        st.session_state[KEY] = str(kept)
    boundary.show_next_run(noted.error)
