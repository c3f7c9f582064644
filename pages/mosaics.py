"""Choosing a mosaic: the demo area, one that was scanned before, or files of one's own."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core.domain import ProductLevel
from minedisc_core.imagery.network import is_remote
from minedisc_core.jobs import ScanRequest, list_composites, list_runs
from pages import boundary, names, shared, words
from pages.chosen import Chosen
from pages.texts import Labels, t

OTHER, NEW = "other", "new"
KEY = "scan_mosaic"
AS_FILE_SAYS = "as the file says"
UNSAID = Labels({AS_FILE_SAYS: "as the file says"})


def choose(key: str = KEY) -> Chosen | None:
    """The widgets; None until a mosaic can be opened. Only under the usual key can it be one still to be made."""
    options = _options()
    listed = [*options, *([NEW] if key == KEY else []), OTHER]
    picked = st.selectbox(t("Mosaic"), listed, format_func=lambda one: options.get(one) or _other_ways(one), key=key)
    if picked == NEW:
        return None
    paths = _typed_paths() if picked == OTHER else tuple(picked.split("\n"))
    if not paths:
        st.caption(t("GeoTIFFs or VRTs of Sentinel-2 bands, pixels of about 10 m, or a list of scenes (STAC items)."))
        return None
    request = ScanRequest(mosaic=paths, model="", **(_unsaid() if picked == OTHER else {}))
    with shared.Noted() as noted:
        opened = shared.opened_mosaics(request)
        level = f" ({opened[0].level})" if opened[0].level else ""
        return Chosen(request, opened, options.get(picked, names.mosaic_label(paths, shared.settings().demo) + level))
    boundary.explain(noted.error)
    return None


def several(key: str) -> list[ScanRequest]:
    """Widgets to choose more than one; what opens each, in the order of preference."""
    options = _options()
    picked = st.multiselect(
        t("Mosaics"), [*options, OTHER], format_func=lambda one: options.get(one) or _other_ways(one), key=key,
        placeholder=t("One or more"), help=t("Where they overlap, the first that holds a whole window counts."),
    )  # fmt: skip
    found = [ScanRequest(mosaic=tuple(one.split("\n")), model="") for one in picked if one != OTHER]
    if OTHER in picked and (paths := _typed_paths()):
        found.append(ScanRequest(mosaic=paths, model="", **_unsaid()))
    return found


def is_new() -> bool:
    """Whether the mosaic is still to be made, of satellite scenes."""
    return bool(st.session_state.get(KEY) == NEW)


def _other_ways(key: str) -> str:
    return t("New: from Earth Engine or an open catalogue …") if key == NEW else t("Files of my own …")


def _options() -> dict[str, str]:
    """Paths (one a line) and name of each mosaic that is known."""
    settings = shared.settings()
    demo = ((settings.demo / name, label) for name, label in names.DEMO.items())
    known = {str(path): label for path, label in demo if path.is_file()}
    for made in list_composites(settings):
        if made.out.is_file() and made.request:
            known[str(made.out)] = made.out.stem
    for run in list_runs(settings):
        if run.mosaic and all(Path(path).is_file() or is_remote(path) for path in run.mosaic):
            known.setdefault("\n".join(run.mosaic), names.mosaic_label(run.mosaic, settings.demo))
    return known


def _typed_paths() -> tuple[str, ...]:
    text = st.text_area(
        t("Paths, one a line"),
        key="scan_paths", height=80, placeholder="/data/mosaic.tif",
        help=t(
            "Also folder/*.tif, https:// and s3:// addresses, and STAC item collections (.json). Where files overlap, "
            "the first one counts."
        ),
    )  # fmt: skip
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _unsaid() -> dict[str, Any]:
    """What files of one's own may not say about themselves."""
    with st.expander(t("What the files do not say")):
        level = st.selectbox(
            t("Product level"), [AS_FILE_SAYS, *ProductLevel], format_func=_said, key="scan_level"
        )  # fmt: skip
        offset = st.selectbox(
            t("Offset of the stored numbers"), [AS_FILE_SAYS, 0, 1000], format_func=_said, key="scan_offset",
            help=t("1000 for products of processing baseline 04.00 and later, unless it was removed (harmonised)."),
        )  # fmt: skip
        bands = st.text_input(
            t("Bands in order"), key="scan_bands", placeholder="B2, B3, B4, B8", help=UNSAID[AS_FILE_SAYS]
        )
        dates = st.date_input(
            t("First and last day of the imagery"), value=(), max_value=date.today(), key="scan_dates",
            format=words.date_format(),
        )  # fmt: skip
    names = tuple(name.strip() for name in bands.replace(";", ",").split(",") if name.strip())
    return {
        "level": None if level == AS_FILE_SAYS else level,
        "dn_offset": None if offset == AS_FILE_SAYS else int(offset),
        "bands": names or None,
        "imagery_start": dates[0] if dates else None,
        "imagery_end": dates[-1] if dates else None,
    }


def _said(value: object) -> str:
    return UNSAID.get(value, str(value))
