"""Mosaics from lists of files: one for each coordinate system, with what the files say of themselves."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.imagery.assembling import assemble, pixel_size_m
from minedisc_core.imagery.bands import ALL_BANDS, L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.gathering import (
    Gathered,
    Piece,
    by_crs,
    common_level,
    crs_of,
    first_and_last_day,
    gather,
)
from minedisc_core.imagery.mosaic import Mosaic, MosaicFacts, first_of, missing_bands
from minedisc_core.imagery.writing import write_mosaic

__all__ = ["Mosaic", "check_aoi", "check_bands", "open_mosaic", "open_mosaics", "pixel_size_m", "write_mosaic"]


@dataclass(frozen=True)
class _Stated:
    """What the caller says of the files."""

    paths: Sequence[str | Path]
    level: ProductLevel | None
    bands: Sequence[str] | None
    dn_offset: int | None
    start: date | None
    end: date | None


def open_mosaic(
    paths: Sequence[str | Path],
    *,
    level: ProductLevel | None = None,
    bands: Sequence[str] | None = None,
    dn_offset: int | None = None,
    imagery_start: date | None = None,
    imagery_end: date | None = None,
    crs: str | None = None,
) -> Mosaic:
    """Open one file, or several of one coordinate system, as a mosaic.

    Args:
        paths: anything GDAL opens (GeoTIFF, VRT, `/vsi...`, `https://`, `s3://`), patterns of local files, and
            STAC item collections (`.json`, `.geojson`). Where files overlap, the first counts.
        level: product level; None: as the file's tag says, or L1C if a band is B10; else it stays unknown.
        bands: names of the files' bands in order; needed only if the files do not name them.
        dn_offset: offset of the stored DN (1000 from processing baseline 04.00 on); None: as the files'
            tag `MINEDISC_DN_OFFSET`, GDAL's scale and offset or a STAC item say, else 0. Never guessed from
            pixels or dates.
        imagery_start: first day of the imagery; None: as the tag says.
        imagery_end: last day of the imagery.
        crs: take only the files of this coordinate system; None: they must all have one.

    Raises:
        ImageryError: a file cannot be used, the pixels are not north-up of 8-12 m, or the files do not
            fit together. The remedy names the `minedisc mosaic` call where that helps.
    """
    stated = _Stated(paths, level, bands, dn_offset, imagery_start, imagery_end)
    found = gather(paths, bands, dn_offset)
    groups = by_crs(found.pieces)
    if crs is not None:
        groups = {known: pieces for known, pieces in groups.items() if crs_of(known) == crs_of(crs)}
    if len(groups) != 1:
        have = ", ".join(f"{pieces[0].name} in {_short(known)}" for known, pieces in by_crs(found.pieces).items())
        raise ImageryError(
            f"the files lie in several coordinate systems: {have}"
            if len(groups) > 1
            else f"no file lies in {crs}: {have}",
            "files of one coordinate system for one mosaic",
            f"scan them together, which makes a run of each, or warp them: {_remedy(stated, found.pieces)}",
        )
    return _mosaic(next(iter(groups.values())), found, stated)


def open_mosaics(
    paths: Sequence[str | Path],
    *,
    level: ProductLevel | None = None,
    bands: Sequence[str] | None = None,
    dn_offset: int | None = None,
    imagery_start: date | None = None,
    imagery_end: date | None = None,
) -> dict[str, Mosaic]:
    """As `open_mosaic`, but one mosaic for each coordinate system, by its name.

    Raises:
        ImageryError: as `open_mosaic`.
    """
    stated = _Stated(paths, level, bands, dn_offset, imagery_start, imagery_end)
    found = gather(paths, bands, dn_offset)
    return {crs: _mosaic(pieces, found, stated) for crs, pieces in by_crs(found.pieces).items()}


def _mosaic(pieces: Sequence[Piece], found: Gathered, stated: _Stated) -> Mosaic:
    made = assemble(pieces, _remedy(stated, pieces))
    start, end = first_and_last_day(pieces)
    facts = MosaicFacts(
        made.bands, common_level(pieces, stated.level), stated.start or start, stated.end or end,
        pieces[0].source, made.remarks, found.left_out,
    )  # fmt: skip
    return Mosaic(made.parts, made.grid, facts)


def _short(crs: str) -> str:
    return crs if len(crs) < 20 else str(crs_of(crs).name)


def check_aoi(mosaic: Mosaic, aoi: BaseGeometry) -> None:
    """Check that an area of interest (EPSG:4326) meets the mosaic.

    Raises:
        ImageryError: it lies outside.
    """
    if not mosaic.grid.footprint.intersects(aoi):
        west, south, east, north = (round(v, 4) for v in mosaic.grid.footprint.bounds)
        asked = ", ".join(f"{value:.4f}" for value in aoi.bounds)
        raise ImageryError(
            f"the area asked for ({asked}) lies outside the mosaic",
            f"an area within longitudes {west} to {east}, latitudes {south} to {north}",
            "draw another area, or choose another mosaic",
        )


def check_bands(mosaic: Mosaic, bands: Sequence[str], level: ProductLevel) -> None:
    """Check that a mosaic has the bands and the product level that a model needs.

    Raises:
        ImageryError: a band is missing, or the level is another one or unknown.
    """
    missing = [name for name in bands if name not in mosaic.bands]
    if missing:
        raise missing_bands(mosaic, missing)
    if mosaic.level is None:
        raise ImageryError(
            f"nothing says whether {first_of(mosaic)} is L1C or L2A",
            f"{level}, which the model was trained on",
            f"state it with --level {level} if you know it to be so",
        )
    if mosaic.level != level:
        raise ImageryError(
            f"the mosaic {first_of(mosaic)} is {mosaic.level}",
            f"{level}, which the model was trained on",
            f"choose a model for {mosaic.level}, or a mosaic of {level}",
        )


def _remedy(stated: _Stated, pieces: Sequence[Piece]) -> str:
    """The command that makes these files one UTM mosaic of 10 m pixels, with all that was stated of them."""
    if any(piece.is_scene for piece in pieces):
        return "minedisc mosaic --source stac --aoi AREA --start DAY --end DAY --out mosaic_10m.tif"
    held = {name for piece in pieces for name in piece.bands}
    known = stated.level or common_level(pieces, None)
    twelve = {ProductLevel.L1C: L1C_BANDS, ProductLevel.L2A: L2A_BANDS}.get(known) if known else None
    words = ["minedisc", "mosaic", "--source", "files", *(piece.name for piece in pieces)]
    words += [] if twelve and held >= set(twelve) else ["--bands", ",".join(sorted(held, key=ALL_BANDS.index))]
    words += ["--file-bands", ",".join(stated.bands)] if stated.bands else []
    words += ["--level", str(stated.level)] if stated.level else []
    words += ["--dn-offset", str(stated.dn_offset)] if stated.dn_offset is not None else []
    return shlex.join([*words, "--out", "mosaic_10m.tif"])
