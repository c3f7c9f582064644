"""Chips: small pictures around each site's peak cell, plain; outlines go beside them as numbers.

A colour kind has two files: `<site>_<kind>.webp` in the run's stretch, so that chips compare, and
`<site>_<kind>_own.webp` in this chip's. An index has one, on its fixed scale.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
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
from minedisc_core.grid import DISCOVERY_CELLS, PATCH_PX, WINDOW_PX, CellGeometry, PixelWindow, RasterGrid
from minedisc_core.imagery.geotiff import Mosaic, pixel_size_m
from minedisc_core.imagery.outline_file import OUTLINES, outlines_as_json
from minedisc_core.imagery.pictures import (
    PICTURES,
    Stretch,
    chip_stretch,
    measure_stretch,
    picture_bands,
    picture_kinds,
    render,
    webp,
)

CHIP_KINDS = ("true_colour", "swir", "near_infrared", "ndvi", "ndwi", "bare_soil")
COLOUR_KINDS = tuple(PICTURES)
"""The kinds that have a file in the chip's own stretch too."""
STRETCH = "stretch.json"
"""File beside the chips with the run's stretch: DN of black and white per band."""
CHIP_QUALITY = 80
"""Of a chip's WebP, with pictures.WEBP_METHOD: 10 kB. Method 4 saves a sixth of the bytes for three times the time."""

_BLOCK_PX = 512
_THREADS = 2


@dataclass(frozen=True)
class ChipOutlines:
    """What the page draws over a site's chips; x, y in chip pixels from the upper left corner, 0..201."""

    size_px: int
    pixel_height_m: float
    """Geodesic, of the pixel in the chip's middle."""
    pixel_width_m: float
    patch: tuple[float, float, float, float]
    """Left, top, right, bottom of the 210 m impact patch around the peak cell's centre."""
    rings: tuple[tuple[tuple[float, float], ...], ...]
    """Outlines of the site's cells, holes included; may reach past the chip."""
    cells: tuple[tuple[float, float, float, float], ...] = ()
    """Left, top, right, bottom of each hit cell, if they were given."""
    north_deg: float = 0.0
    """True north in the chip's middle, degrees clockwise from up: of a UTM grid its convergence, turned round."""
    imagery_start: str | None = None
    """ISO date, None if the mosaic does not say it."""
    imagery_end: str | None = None
    source: str = ""
    """Where the pixels come from, in the mosaic's words."""


def available_chip_kinds(bands: Sequence[str]) -> tuple[str, ...]:
    """The kinds of chip that a mosaic with these bands allows, in the order of CHIP_KINDS."""
    made = picture_kinds(bands)
    return tuple(kind for kind in CHIP_KINDS if kind in made)


def chip_window(site: Site) -> PixelWindow:
    """The 201 px window of a site's chips, centred on the peak cell's centre pixel; may pass the edge."""
    half = WINDOW_PX // 2
    return PixelWindow(site.peak_row_px - half, site.peak_col_px - half, WINDOW_PX, WINDOW_PX)


def chip_name(site_id: str, kind: str, *, is_own: bool = False) -> str:
    """File name of a chip, in the run's stretch or in its own."""
    return f"{site_id}_{kind}{'_own' if is_own else ''}.webp"


def chip_names(site_id: str, kinds: Sequence[str]) -> tuple[str, ...]:
    """File names of all chips of a site, if these are its kinds."""
    owns = tuple(chip_name(site_id, kind, is_own=True) for kind in kinds if kind in COLOUR_KINDS)
    return (*(chip_name(site_id, kind) for kind in kinds), *owns)


def write_chips(
    mosaic: Mosaic,
    sites: Sequence[Site],
    folder: Path,
    hit_cells: Mapping[str, NDArray[np.int64]] | None = None,
    stretch: Stretch | None = None,
    geometry: CellGeometry = DISCOVERY_CELLS,
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
        geometry: of the cells of the model that found the sites.

    Raises:
        ImageryError: a chip cannot be read or written.
    """
    kinds = available_chip_kinds(mosaic.bands)
    with disk_problems(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if kinds and sites:
            chosen = stretch or measure_stretch(mosaic)
            replace_file(folder / STRETCH, json.dumps(chosen.limits).encode())
            write = partial(_write_site, mosaic, folder, kinds, chosen)
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(write, sorted(sites, key=block_of)))
        replace_file(folder / OUTLINES, outlines_as_json(_all_outlines(mosaic, sites, hit_cells or {}, geometry)))
    return len(sites) * len(chip_names("", kinds))


@contextmanager
def disk_problems(folder: Path) -> Iterator[None]:
    """Turns what the disk says into an ImageryError that names the folder of the chips."""
    try:
        yield
    except OSError as error:
        raise ImageryError(
            f"the chips in {folder} could not be written: {error}",
            "a folder with free space",
            "free disk space and scan again",
        ) from error


def read_stretch(folder: Path) -> Stretch | None:
    """The run's stretch, from beside its chips; None if an older version wrote them, or the file is damaged."""
    try:
        found = json.loads((folder / STRETCH).read_text("utf-8"))
        return Stretch({str(band): (int(low), int(high)) for band, (low, high) in found.items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _all_outlines(
    mosaic: Mosaic, sites: Sequence[Site], hit_cells: Mapping[str, NDArray[np.int64]], geometry: CellGeometry
) -> dict[str, dict[str, Any]]:
    grid = mosaic.grid.for_cells(geometry)
    told = {
        "imagery_start": _iso(mosaic.imagery_start),
        "imagery_end": _iso(mosaic.imagery_end),
        "source": mosaic.source,
    }
    return {site.site_id: asdict(outlines(site, grid, hit_cells.get(site.site_id))) | told for site in sites}


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def outlines(site: Site, grid: RasterGrid, hit_cells: NDArray[np.int64] | None = None) -> ChipOutlines:
    """What to draw over a site's chips.

    Args:
        site: the site.
        grid: of the mosaic, under the cells of the model that found the site.
        hit_cells: centre pixels (row, column) of the site's hits, shape (n, 2).
    """
    window = chip_window(site)
    height_m, width_m = pixel_size_m(grid, (site.peak_row_px, site.peak_col_px))
    centre, half = WINDOW_PX / 2, PATCH_PX / 2
    patch = (centre - half, centre - half, centre + half, centre + half)
    squares = () if hit_cells is None else tuple(_square(cell, window, grid.geometry) for cell in np.asarray(hit_cells))
    rings = tuple(_ring(ring, grid, window) for ring in _rings(site.polygon))
    sizes = round(height_m, 3), round(width_m, 3)
    return ChipOutlines(WINDOW_PX, *sizes, patch, rings, squares, round(north_deg(site, grid), 2))


def north_deg(site: Site, grid: RasterGrid) -> float:
    """True north at the site's peak, in the mosaic's pixels: degrees clockwise from up, -180..180."""
    middle = site.peak_row_px + 0.5, site.peak_col_px + 0.5
    lon, lat = grid.lonlat(np.array(middle[:1]), np.array(middle[1:]))[0]
    step_deg = 0.001 if lat < 89 else -0.001
    (col, row), (north_col, north_row) = _pixels(np.array([(lon, lat), (lon, lat + step_deg)]), grid)
    along, up = (north_col - col) / step_deg, (row - north_row) / step_deg
    return math.degrees(math.atan2(along, up))


def _rings(polygon: BaseGeometry) -> list[NDArray[np.float64]]:
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(polygon))]


def _ring(lonlat: NDArray[np.float64], grid: RasterGrid, window: PixelWindow) -> tuple[tuple[float, float], ...]:
    inside = _pixels(lonlat, grid) - (window.col, window.row)
    return tuple((round(col, 2), round(row, 2)) for col, row in inside.tolist())


def _pixels(lonlat: NDArray[np.float64], grid: RasterGrid) -> NDArray[np.float64]:
    """Column and row, shape (n, 2), of longitudes and latitudes (n, 2)."""
    x, y = _from_lonlat(grid.crs).transform(lonlat[:, 0], lonlat[:, 1])
    a, b, c, d, e, f = (~grid.transform)[:6]
    return np.column_stack([a * x + b * y + c, d * x + e * y + f])


@lru_cache(maxsize=8)
def _from_lonlat(crs: str) -> Transformer:
    return Transformer.from_crs("EPSG:4326", CRS.from_user_input(crs), always_xy=True)


def _square(cell: NDArray[np.int64], window: PixelWindow, geometry: CellGeometry) -> tuple[float, float, float, float]:
    side = geometry.stride_px
    shift = geometry.offset_px - geometry.peak_px - side / 2
    left, top = cell[1] + shift - window.col, cell[0] + shift - window.row
    return float(left), float(top), float(left + side), float(top + side)


def block_of(site: Site) -> tuple[int, int]:
    """Sites of one block of the file come one after the other: it is decompressed once."""
    return site.peak_row_px // _BLOCK_PX, site.peak_col_px // _BLOCK_PX


def _write_site(mosaic: Mosaic, folder: Path, kinds: Sequence[str], stretch: Stretch, site: Site) -> None:
    bands = picture_bands(kinds)
    write_chip_files(mosaic.read(chip_window(site), bands), bands, folder, site.site_id, stretch)


def write_chip_files(
    pixels: NDArray[np.uint16], bands: Sequence[str], folder: Path, site_id: str, stretch: Stretch
) -> None:
    """Write all chips of one site from its pixels, each file whole or not at all.

    Args:
        pixels: DN (height, width, band), 0 = no data.
        bands: canonical names, in the array's order.
        folder: of the chips; it exists.
        site_id: of the site.
        stretch: of the run.

    Raises:
        OSError: a file cannot be written.
    """
    dn = {band: pixels[..., i] for i, band in enumerate(bands)}
    kinds = available_chip_kinds(bands)
    for kind in kinds:
        _write_chip(folder / chip_name(site_id, kind), render(kind, dn, stretch))
    colours = [kind for kind in kinds if kind in COLOUR_KINDS]
    own = chip_stretch({band: dn[band] for band in picture_bands(colours)})
    for kind in colours:
        _write_chip(folder / chip_name(site_id, kind, is_own=True), render(kind, dn, own, has_table=False))


def _write_chip(path: Path, picture: NDArray[np.uint8]) -> None:
    replace_file(path, webp(picture, CHIP_QUALITY))


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all; of two writers at once the last one stays.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing is left.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
