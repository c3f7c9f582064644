"""Fitting pieces of ground together: all of one CRS onto one pixel grid, and so onto one grid of cells.

A piece whose corner lies between the pixels of the first one is moved by at most half a pixel, and that is told:
ground that two pieces show is then one row of cells, and a site that crosses a border is one site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from shapely.geometry.base import BaseGeometry

from minedisc_core.errors import ImageryError
from minedisc_core.grid import RasterGrid, geodesic_distance_m
from minedisc_core.imagery.bands import ALL_BANDS
from minedisc_core.imagery.gathering import Piece, named
from minedisc_core.imagery.mosaic import Part
from minedisc_core.imagery.raster_file import RasterFile

PIXEL_SIZE_M = (8.0, 12.0)
"""The nets were trained on 10 m pixels: sides outside this range are refused."""
_ALIGNED_PX = 0.05
"""A corner that lies less off the first piece's pixel grid lies on it."""
_MOVED_PX = 0.5
"""How far a piece may be moved onto the first one's pixel grid, at any of its corners."""
_ROUNDING_PX = 1e-6
_GAP_PX = 100
"""Gaps that are narrower are no edge: half of a cell's window is seen from either side."""


@dataclass(frozen=True)
class Assembly:
    """Pieces on one grid."""

    parts: tuple[Part, ...]
    grid: RasterGrid
    bands: tuple[str, ...]
    remarks: tuple[str, ...]
    """Sentences on pieces that were moved."""


def assemble(pieces: Sequence[Piece], remedy: str) -> Assembly:
    """Put pieces of one CRS onto the pixel grid of the first.

    Args:
        pieces: in the order in which they count where they overlap.
        remedy: the command that makes one mosaic of them, for those that cannot be fitted together.

    Raises:
        ImageryError: pixels are not north-up of 8-12 m, bands or pixel grids differ.
    """
    for piece in pieces:
        _check_pixels(piece.finest, remedy)
    bands = _common_bands(pieces)
    first = pieces[0].finest
    places = [_place(piece, first, remedy) for piece in pieces]
    top, left = min(place.row for place in places), min(place.col for place in places)
    parts = tuple(
        Part(piece.name, piece.bands, place.row - top, place.col - left, piece.identity, only_geotiff=piece.is_scene)
        for piece, place in zip(pieces, places, strict=True)
    )
    windows = [part.window for part in parts]
    height = max(window.row + window.height for window in windows)
    width = max(window.col + window.width for window in windows)
    grid = RasterGrid(
        height,
        width,
        first.transform @ Affine.translation(left, top),
        first.crs,
        covered=_covered(parts, height, width),
    )
    return Assembly(parts, grid, bands, tuple(_moved(pieces, places, grid)))


def pixel_size_m(grid: RasterGrid, pixel: tuple[int, int] | None = None) -> tuple[float, float]:
    """Geodesic height and width, in metres, of a pixel (row, column; None: the middle one) of a grid of any CRS."""
    row, col = pixel or (grid.height_px / 2, grid.width_px / 2)
    here, below, right = grid.lonlat(np.array([row, row + 1, row]), np.array([col, col, col + 1]))
    return geodesic_distance_m(*here, *below), geodesic_distance_m(*here, *right)


def _check_pixels(file: RasterFile, remedy: str) -> None:
    a, b, _, d, e, _ = file.transform[:6]
    if abs(b) + abs(d) > 1e-6 * (abs(a) + abs(e)) or a <= 0 or e >= 0:
        raise ImageryError(f"{file.path} is rotated or mirrored", "rows from north to south", f"warp it: {remedy}")
    height, width = pixel_size_m(RasterGrid(file.height_px, file.width_px, file.transform, file.crs))
    low, high = PIXEL_SIZE_M
    if not (low <= height <= high and low <= width <= high):
        raise ImageryError(
            f"{file.path} has pixels of {height:.2f} x {width:.2f} m",
            f"{low:.0f} to {high:.0f} m, the size the nets were trained on",
            f"warp it to 10 m: {remedy}",
        )


def _common_bands(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """Bands of the mosaic: those of the first file, or all that any scene of a catalogue has."""
    files = [piece for piece in pieces if not piece.is_scene]
    for piece in files:
        _check_same_bands(piece, files[0])
    if len(files) == len(pieces):
        return tuple(files[0].bands)
    held = {name for piece in pieces for name in piece.bands}
    return tuple(sorted(held, key=ALL_BANDS.index))


def _check_same_bands(piece: Piece, first: Piece) -> None:
    if piece.bands.keys() != first.bands.keys():
        differing = ", ".join(sorted(piece.bands.keys() ^ first.bands.keys()))
        raise ImageryError(
            f"{piece.name} and {first.name} do not hold the same bands: {differing} in one only",
            "tiles of one raster, each with all bands",
            "export all tiles with the same bands",
        )


@dataclass(frozen=True)
class _Place:
    """Of a piece's first pixel on the first piece's pixel grid, and how far the piece is moved to lie there."""

    row: int
    col: int
    moved_px: float


def _place(piece: Piece, first: RasterFile, remedy: str) -> _Place:
    file = piece.finest
    if file is first:
        return _Place(0, 0, 0.0)
    to_first = ~first.transform
    left, top = to_first @ (file.transform.c, file.transform.f)
    right, bottom = to_first @ (file.transform @ (file.width_px, file.height_px))
    row, col = _nearest_line(top), _nearest_line(left)
    off = (left - col, top - row, right - col - file.width_px, bottom - row - file.height_px)
    moved = max(map(abs, off))
    if moved > _MOVED_PX + _ROUNDING_PX:
        raise ImageryError(
            f"{piece.name} does not lie on the pixel grid of {first.path}",
            "files of one pixel size; corners that lie between pixels are moved by half a pixel at most",
            f"warp them to one grid: {remedy}",
        )
    return _Place(row, col, moved)


def _nearest_line(position: float) -> int:
    """The nearest whole number; of two equally near ones the lower, whatever the sign."""
    return int(np.ceil(position - 0.5 - _ROUNDING_PX))


def _moved(pieces: Sequence[Piece], places: Sequence[_Place], grid: RasterGrid) -> list[str]:
    off = {
        piece.name: place.moved_px for piece, place in zip(pieces, places, strict=True) if place.moved_px > _ALIGNED_PX
    }
    if not off:
        return []
    most = max(off.values())
    metres = most * max(pixel_size_m(grid))
    return [
        f"moved onto the pixel grid of {pieces[0].name}, by up to {most:.2f} px ({metres:.1f} m): {named(list(off))}"
    ]


def _covered(parts: Sequence[Part], height: int, width: int) -> BaseGeometry | None:
    """What the parts cover of their common box, in pixels, narrow gaps closed; None if it is all of it."""
    windows = [part.window for part in parts]
    boxes = np.array([(w.col, w.row, w.col + w.width, w.row + w.height) for w in windows], float)
    union = shapely.union_all(shapely.box(*boxes.T))
    if len(parts) > 1:
        wider = shapely.buffer(union, _GAP_PX / 2, join_style="mitre")
        union = shapely.buffer(wider, -_GAP_PX / 2, join_style="mitre")
    whole = shapely.box(0, 0, width, height)
    return None if shapely.area(shapely.difference(whole, union)) < 1 else shapely.intersection(union, whole)
