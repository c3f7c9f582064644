"""Chips: small pictures around each site's peak cell, plain; outlines go beside them as numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import Site
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PATCH_PX, STRIDE_PX, WINDOW_PX, PixelWindow, RasterGrid
from minedisc_core.imagery.geotiff import Mosaic, pixel_size_m
from minedisc_core.imagery.pictures import Stretch, measure_stretch, picture_bands, picture_kinds, render, webp

CHIP_KINDS = ("true_colour", "swir", "ndvi", "near_infrared")
OUTLINES = "outlines.json"
"""File beside the chips with what the page draws over them."""

_BLOCK_PX = 512
_THREADS = 2


@dataclass(frozen=True)
class ChipOutlines:
    """What the page draws over a site's chips; x, y in chip pixels from the upper left corner, 0..201."""

    size_px: int
    pixel_height_m: float
    pixel_width_m: float
    patch: tuple[float, float, float, float]
    """Left, top, right, bottom of the 210 m impact patch around the peak cell's centre."""
    rings: tuple[tuple[tuple[float, float], ...], ...]
    """Outlines of the site's cells, holes included; may reach past the chip."""
    cells: tuple[tuple[float, float, float, float], ...] = ()
    """Left, top, right, bottom of each hit cell, if they were given."""


def available_chip_kinds(bands: Sequence[str]) -> tuple[str, ...]:
    """The kinds of chip that a mosaic with these bands allows, in the order of CHIP_KINDS."""
    made = picture_kinds(bands)
    return tuple(kind for kind in CHIP_KINDS if kind in made)


def chip_window(site: Site) -> PixelWindow:
    """The 201 px window of a site's chips, centred on the peak cell's centre pixel; may pass the edge."""
    half = WINDOW_PX // 2
    return PixelWindow(site.peak_row_px - half, site.peak_col_px - half, WINDOW_PX, WINDOW_PX)


def chip_name(site_id: str, kind: str) -> str:
    """File name of a chip."""
    return f"{site_id}_{kind}.webp"


def write_chips(
    mosaic: Mosaic,
    sites: Sequence[Site],
    folder: Path,
    hit_cells: Mapping[str, NDArray[np.int64]] | None = None,
    stretch: Stretch | None = None,
) -> int:
    """Write all chips of all sites, and `outlines.json`; gives the number of chips written.

    Kinds whose bands the mosaic lacks are left out (`available_chip_kinds`). Pixels without data are
    transparent.

    Args:
        mosaic: what the sites were found in.
        sites: of one run.
        folder: of the chips; made if missing.
        hit_cells: centre pixels (row, column) of each site's hits, for the outlines of single cells.
        stretch: of the run; None measures it.

    Raises:
        ImageryError: a chip cannot be read or written.
    """
    kinds = available_chip_kinds(mosaic.bands)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if kinds and sites:
            chosen = stretch or measure_stretch(mosaic, picture_bands(kinds))
            write = partial(_write_site, mosaic, folder, kinds, chosen)
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(write, sorted(sites, key=_block)))
        found = {
            site.site_id: asdict(outlines(site, mosaic.grid, (hit_cells or {}).get(site.site_id))) for site in sites
        }
        _replace(folder / OUTLINES, json.dumps(found).encode())
    except OSError as error:
        raise ImageryError(
            f"the chips in {folder} could not be written: {error}",
            "a folder with free space",
            "free disk space and scan again",
        ) from error
    return len(kinds) * len(sites)


def read_outlines(folder: Path) -> dict[str, dict[str, Any]]:
    """The outlines of each site's chips (fields of ChipOutlines) by site id; empty if none were written."""
    path = folder / OUTLINES
    if not path.is_file():
        return {}
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ImageryError(f"{path} cannot be read: {error}", "what a run wrote", "scan again") from error
    return found


def outlines(site: Site, grid: RasterGrid, hit_cells: NDArray[np.int64] | None = None) -> ChipOutlines:
    """What to draw over a site's chips.

    Args:
        site: the site.
        grid: of the mosaic.
        hit_cells: centre pixels (row, column) of the site's hits, shape (n, 2).
    """
    window = chip_window(site)
    height_m, width_m = pixel_size_m(grid)
    centre, half = WINDOW_PX / 2, PATCH_PX / 2
    patch = (centre - half, centre - half, centre + half, centre + half)
    squares = () if hit_cells is None else tuple(_square(cell, window) for cell in np.asarray(hit_cells))
    rings = tuple(_ring(ring, grid, window) for ring in _rings(site.polygon))
    return ChipOutlines(WINDOW_PX, round(height_m, 3), round(width_m, 3), patch, rings, squares)


def _rings(polygon: BaseGeometry) -> list[NDArray[np.float64]]:
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(polygon))]


def _ring(lonlat: NDArray[np.float64], grid: RasterGrid, window: PixelWindow) -> tuple[tuple[float, float], ...]:
    x, y = _from_lonlat(grid.crs).transform(lonlat[:, 0], lonlat[:, 1])
    a, b, c, d, e, f = (~grid.transform)[:6]
    cols, rows = a * x + b * y + c - window.col, d * x + e * y + f - window.row
    return tuple((round(float(col), 2), round(float(row), 2)) for col, row in zip(cols, rows, strict=True))


@lru_cache(maxsize=8)
def _from_lonlat(crs: str) -> Transformer:
    return Transformer.from_crs("EPSG:4326", CRS.from_user_input(crs), always_xy=True)


def _square(cell: NDArray[np.int64], window: PixelWindow) -> tuple[float, float, float, float]:
    left, top = cell[1] + 0.5 - STRIDE_PX / 2 - window.col, cell[0] + 0.5 - STRIDE_PX / 2 - window.row
    return float(left), float(top), float(left + STRIDE_PX), float(top + STRIDE_PX)


def _block(site: Site) -> tuple[int, int]:
    """Sites of one block of the file come one after the other: it is decompressed once."""
    return site.peak_row_px // _BLOCK_PX, site.peak_col_px // _BLOCK_PX


def _write_site(mosaic: Mosaic, folder: Path, kinds: Sequence[str], stretch: Stretch, site: Site) -> None:
    bands = picture_bands(kinds)
    pixels = mosaic.read(chip_window(site), bands)
    dn = {band: pixels[..., i] for i, band in enumerate(bands)}
    for kind in kinds:
        _replace(folder / chip_name(site.site_id, kind), webp(render(kind, dn, stretch)))


def _replace(path: Path, content: bytes) -> None:
    scratch = path.with_name(f".{path.name}.part")
    scratch.write_bytes(content)
    scratch.replace(path)
