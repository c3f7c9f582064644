"""A mosaic that was chosen: what it is, what it looks like, what a scan costs. Of files in several zones, one each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import streamlit as st
from shapely import union_all
from shapely.geometry.base import BaseGeometry

from minedisc_core.detection.models import Model, fits
from minedisc_core.imagery.display import available_display_kinds, write_display
from minedisc_core.imagery.geotiff import Mosaic, pixel_size_m
from minedisc_core.jobs import Estimate, ScanRequest, estimate
from pages import boundary, names, pictures, shared, texts, words
from pages.pictures import Picture
from pages.texts import t, translated

KEY_LENGTH = 24


@dataclass(frozen=True)
class Chosen:
    """Mosaics that can be opened (one for each coordinate system), with the request that opens them."""

    request: ScanRequest
    mosaics: tuple[Mosaic, ...]
    label: str

    @property
    def mosaic(self) -> Mosaic:
        """The first one; mostly there is no other."""
        return self.mosaics[0]

    @property
    def key(self) -> str:
        """Short name of exactly these pixels."""
        if len(self.mosaics) == 1:
            return self.mosaic.identity[:KEY_LENGTH]
        return hashlib.sha256("".join(each.identity for each in self.mosaics).encode()).hexdigest()[:KEY_LENGTH]

    @property
    def outline(self) -> BaseGeometry:
        """What all of them cover, EPSG:4326."""
        return union_all([each.grid.footprint for each in self.mosaics])


def problem(model: Model, chosen: Chosen) -> str | None:
    """Why a model cannot scan these files; None if it can."""
    found = (fits(model, each.bands, each.level) for each in chosen.mosaics)
    return next(filter(None, found), None)


def cost(chosen: Chosen, asked: dict[str, Any] | None, model: Model) -> Estimate:
    """Area and time of the scan of all of them."""
    each = [estimate(mosaic.grid, asked, model, threads=shared.settings().threads) for mosaic in chosen.mosaics]
    return Estimate(sum(one.km2 for one in each), sum(one.seconds for one in each if one.km2))


def facts(chosen: Chosen) -> str:
    """One line on the mosaic: size, bands, level, dates."""
    mosaic = chosen.mosaic
    size = t(
        "{width} x {height} px of {metres} m", width=words.number(mosaic.grid.width_px),
        height=words.number(mosaic.grid.height_px), metres=texts.numerals(f"{pixel_size_m(mosaic.grid)[1]:.3g}"),
    )  # fmt: skip
    if len(chosen.mosaics) > 1:
        size = t("{n} coordinate systems, a run for each", n=len(chosen.mosaics))
    files = sum(len(each.paths) for each in chosen.mosaics)
    level = str(mosaic.level) if mosaic.level else t("level not given")
    bands = f"{words.count(len(mosaic.bands), 'band')} ({', '.join(mosaic.bands)})"
    dates = words.dates(mosaic.imagery_start, mosaic.imagery_end)
    said = [words.km2(sum(map(_km2, chosen.mosaics))), size, level, bands, dates]
    return " · ".join([*said, words.count(files, "file")] if files > 1 else said)


def _km2(mosaic: Mosaic) -> float:
    height_m, width_m = pixel_size_m(mosaic.grid)
    covered = mosaic.grid.covered
    pixels = covered.area if covered is not None else mosaic.grid.height_px * mosaic.grid.width_px
    return float(pixels * height_m * width_m / 1e6)


def notes(chosen: Chosen) -> None:
    """What a person should know of the files before they are scanned."""
    left_out = dict.fromkeys(sentence for each in chosen.mosaics for sentence in each.left_out)
    if left_out:
        st.warning(
            t("What these files show will not be seen:")
            + "".join(f"\n- {boundary.plain(translated(sentence))}" for sentence in left_out)
        )
    for remark in dict.fromkeys(sentence for each in chosen.mosaics for sentence in each.remarks):
        st.caption(boundary.plain(translated(remark)))


def previews(chosen: Chosen) -> list[Picture]:
    """The mosaics as map tiles, made once and kept; none of files on a network, which would all be read for it."""
    made = (preview(each, chosen.label) for each in chosen.mosaics if not each.is_remote)
    return [picture for picture in made if picture]


def preview(mosaic: Mosaic, label: str) -> Picture | None:
    """One mosaic as map tiles."""
    name = f"{shared.PREVIEW}{mosaic.identity[:KEY_LENGTH]}"
    folder = shared.picture_folder(name)
    kinds = available_display_kinds(mosaic) if folder else ()
    missing = [kind for kind in kinds if folder and not (folder / f"{kind}.tif").is_file()]
    if missing and folder:
        with st.spinner(t("Preparing the picture of this mosaic, once …")), shared.house().preparing:
            for kind in missing:
                if not (folder / f"{kind}.tif").is_file():
                    write_display(mosaic.without_faults(), folder / f"{kind}.tif", kind)
    return pictures.picture(name, label, mosaic.source or names.copernicus())
