"""Choosing a mosaic: the demo area, one that was scanned before, or files of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core.domain import ProductLevel
from minedisc_core.imagery.display import available_display_kinds, write_display
from minedisc_core.imagery.geotiff import Mosaic, pixel_size_m
from minedisc_core.jobs import ScanRequest, list_composites, list_runs
from pages import boundary, names, pictures, shared, texts, words
from pages.pictures import Picture
from pages.texts import Labels, t

OTHER, NEW = "other", "new"
KEY = "scan_mosaic"
AS_FILE_SAYS = "as the file says"
UNSAID = Labels({AS_FILE_SAYS: "as the file says"})


@dataclass(frozen=True)
class Chosen:
    """A mosaic that can be opened, with the request that opens it."""

    request: ScanRequest
    mosaic: Mosaic
    label: str

    @property
    def key(self) -> str:
        """Short name of exactly these pixels."""
        return self.mosaic.identity[:24]


def choose(key: str = KEY) -> Chosen | None:
    """The widgets; None until a mosaic can be opened. Only under the usual key can it be one still to be made."""
    options = _options()
    listed = [*options, *([NEW] if key == KEY else []), OTHER]
    picked = st.selectbox(t("Mosaic"), listed, format_func=lambda one: options.get(one) or _other_ways(one), key=key)
    if picked == NEW:
        return None
    paths = _typed_paths() if picked == OTHER else tuple(picked.split("\n"))
    if not paths:
        st.caption(t("A GeoTIFF or VRT of Sentinel-2 bands, pixels of about 10 m. Several files make one mosaic."))
        return None
    request = ScanRequest(mosaic=paths, model="", **(_unsaid() if picked == OTHER else {}))
    with shared.Noted() as noted:
        mosaic = shared.opened_mosaic(request)
        level = f" ({mosaic.level})" if mosaic.level else ""
        return Chosen(request, mosaic, options.get(picked, Path(paths[0]).stem + level))
    boundary.explain(noted.error)
    return None


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
        if run.mosaic and all(Path(path).is_file() for path in run.mosaic):
            known.setdefault("\n".join(run.mosaic), names.mosaic_label(run.mosaic, settings.demo))
    return known


def _typed_paths() -> tuple[str, ...]:
    text = st.text_area(
        t("Paths, one a line"),
        key="scan_paths", height=80, placeholder="/data/mosaic.tif", help=t("Also GDAL's /vsi… paths."),
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


def facts(chosen: Chosen) -> str:
    """One line on the mosaic: size, bands, level, dates."""
    mosaic = chosen.mosaic
    grid = mosaic.grid
    height_m, width_m = pixel_size_m(grid)
    area = words.km2(grid.height_px * height_m * grid.width_px * width_m / 1e6)
    size = t(
        "{width} x {height} px of {metres} m", width=words.number(grid.width_px), height=words.number(grid.height_px),
        metres=texts.numerals(f"{width_m:.3g}"),
    )  # fmt: skip
    level = str(mosaic.level) if mosaic.level else t("level not given")
    bands = f"{words.count(len(mosaic.bands), 'band')} ({', '.join(mosaic.bands)})"
    return " · ".join([area, size, level, bands, words.dates(mosaic.imagery_start, mosaic.imagery_end)])


def preview(chosen: Chosen) -> Picture | None:
    """The mosaic as map tiles, made once and kept."""
    name = f"{shared.PREVIEW}{chosen.key}"
    folder = shared.picture_folder(name)
    missing = [
        kind for kind in available_display_kinds(chosen.mosaic) if folder and not (folder / f"{kind}.tif").is_file()
    ]
    if missing and folder:
        with st.spinner(t("Preparing the picture of this mosaic, once …")), shared.house().preparing:
            for kind in missing:
                if not (folder / f"{kind}.tif").is_file():
                    write_display(chosen.mosaic, folder / f"{kind}.tif", kind)
    return pictures.picture(name, chosen.label, chosen.mosaic.source or names.copernicus())
