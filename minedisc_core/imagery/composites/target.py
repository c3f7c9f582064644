"""The grid of a composite: 10 m pixels of one UTM zone, on Sentinel-2's own lines, a little wider than the area."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise, product

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Proj, Transformer
from shapely.geometry.base import BaseGeometry

from minedisc_core.errors import UsageError
from minedisc_core.grid import CONTEXT_PX, PixelWindow, RasterGrid
from minedisc_core.imagery.composites.source import BLOCK_PX, BlockLayout

PIXEL_M = 10.0
_LINE_M = 20.0
"""Corners of Sentinel-2's tiles are multiples of 20 m: both 10 and 20 m bands lie on such lines."""
MARGIN_PX = CONTEXT_PX // 2
"""What a cell at the edge of the area looks at."""
MOST_BLOCKS = 4_000
"""About 400,000 km2; more is better asked for in parts."""
_WIDEST_DEG = 9.0
"""One and a half zones: so wide an area reaches 7.5 degrees from its zone's meridian at most, lengths 0.9 % off."""
_FARTHEST_DEG = 10.0
"""From the meridian of a zone that somebody chose: the next zone just lies in it, lengths 1.5 % off at most."""
_UTM_SOUTH, _UTM_NORTH = -80.0, 84.0


def zone_name(crs: str) -> str:
    """`23S` of `EPSG:32723`."""
    code = _utm_code(crs)
    return f"{code % 100}{'N' if code < 32_700 else 'S'}"


def zones_of(area: BaseGeometry) -> tuple[str, ...]:
    """EPSG codes of the UTM zones that an area (EPSG:4326) meets, west to east.

    One hemisphere is taken for all of it, that of its middle: coordinates go on past the equator.
    """
    west, south, east, north = area.bounds
    first, last = _zone(west), _zone(np.nextafter(east, west))
    base = 32_600 if south + north >= 0 else 32_700
    return tuple(f"EPSG:{base + zone}" for zone in range(first, last + 1) if area.intersection(_strip(zone)).area > 0)


def parts_by_zone(area: BaseGeometry) -> tuple[tuple[str, BaseGeometry], ...]:
    """Each zone that an area meets, with the part of the area in it.

    Raises:
        UsageError: the area lies outside UTM.
    """
    _check_latitudes(area)
    return tuple((crs, area.intersection(_strip(_utm_code(crs) % 100))) for crs in zones_of(area))


def target_grid(area: BaseGeometry, crs: str = "") -> RasterGrid:
    """The grid that a composite of an area is made on.

    Args:
        area: EPSG:4326.
        crs: EPSG code of a UTM zone; empty: the zone of the area's middle.

    Raises:
        UsageError: the area is too wide for one zone, too large, or outside UTM; or `crs` is no UTM zone.
    """
    _check_latitudes(area)
    west, south, east, north = area.bounds
    if east - west > _WIDEST_DEG:
        raise UsageError(
            f"the area is {east - west:.1f} degrees of longitude wide",
            f"at most {_WIDEST_DEG:g} degrees in one UTM zone",
            "make one mosaic per zone (--zone each), or choose a smaller area",
        )
    zone = _utm_code(crs) if crs else (32_600 if south + north >= 0 else 32_700) + _zone((west + east) / 2)
    _check_near(zone, west, east)
    chosen = f"EPSG:{zone}"
    left, bottom, right, top = _projected(area, chosen).bounds
    margin = MARGIN_PX * PIXEL_M
    x0, y0 = _down(left - margin), _up(top + margin)
    width = round((_up(right + margin) - x0) / PIXEL_M)
    height = round((y0 - _down(bottom - margin)) / PIXEL_M)
    _check_size(height, width)
    return RasterGrid(height, width, Affine(PIXEL_M, 0, x0, 0, -PIXEL_M, y0), chosen)


USUAL = BlockLayout()


def wanted_blocks(grid: RasterGrid, area: BaseGeometry, layout: BlockLayout = USUAL) -> list[PixelWindow]:
    """The blocks of a grid that meet the area and its margin, row by row."""
    # A cell's window is a square: it reaches farther along its diagonal than along its sides.
    near = _projected(area, grid.crs).buffer(MARGIN_PX * PIXEL_M * math.sqrt(2), quad_segs=16)
    shapely.prepare(near)
    return [window for window in all_blocks(grid, layout) if near.intersects(_outline(grid, window))]


def all_blocks(grid: RasterGrid, layout: BlockLayout = USUAL) -> list[PixelWindow]:
    """Every block of a grid, row by row; usually 1,024 px a side, starting on multiples of it."""
    rows = _stretches(0, grid.height_px, layout.row_px, layout.side_px)
    cols = _stretches(0, grid.width_px, layout.col_px, layout.side_px)
    return [PixelWindow(row, col, height, width) for (row, height), (col, width) in product(rows, cols)]


def pieces(window: PixelWindow) -> list[PixelWindow]:
    """A window cut at the multiples of 1,024 px: each piece lies in one of the usual blocks."""
    rows = _stretches(window.row, window.row + window.height, 0, BLOCK_PX)
    cols = _stretches(window.col, window.col + window.width, 0, BLOCK_PX)
    return [PixelWindow(row, col, height, width) for (row, height), (col, width) in product(rows, cols)]


def _stretches(begin: int, end: int, line: int, side: int) -> list[tuple[int, int]]:
    """Start and length of the stretches from `begin` to `end` that are cut at `line` and every `side` from it."""
    cuts = [begin, *range(begin + ((line - begin) % side or side), end, side), end]
    return [(start, stop - start) for start, stop in pairwise(cuts)]


def area_in_pixels(grid: RasterGrid, area: BaseGeometry) -> BaseGeometry:
    """The area in (column, row) of a grid."""
    a, b, c, d, e, f = (~grid.transform)[:6]
    return shapely.transform(
        _projected(area, grid.crs),
        lambda xy: np.column_stack([a * xy[:, 0] + b * xy[:, 1] + c, d * xy[:, 0] + e * xy[:, 1] + f]),
    )


def scale_error(grid: RasterGrid) -> float:
    """Largest relative error of lengths at the grid's outline (true scale 1.0), 0..1."""
    lonlat = np.array(grid.footprint.exterior.coords)
    factors = Proj(CRS.from_user_input(grid.crs)).get_factors(lonlat[:, 0], lonlat[:, 1])
    return float(np.abs(np.asarray(factors.meridional_scale) - 1).max())


def distortion(grid: RasterGrid, area: BaseGeometry) -> str:
    """A sentence for an area that lies in several UTM zones; empty for one zone."""
    zones = [zone_name(crs) for crs in zones_of(area)]
    if zones == [zone_name(grid.crs)]:
        return ""
    return (
        f"The area lies in UTM {', '.join(zones)}; the mosaic is in "
        f"{zone_name(grid.crs)}: at its farthest corner lengths are off by {scale_error(grid):.2%}"
    )


def _outline(grid: RasterGrid, window: PixelWindow) -> BaseGeometry:
    left, top = grid.transform @ (window.col, window.row)
    right, bottom = grid.transform @ (window.col + window.width, window.row + window.height)
    return shapely.box(left, bottom, right, top)


def _projected(area: BaseGeometry, crs: str) -> BaseGeometry:
    to_utm = _to(crs)
    return shapely.transform(
        shapely.segmentize(area, 0.02), lambda xy: np.column_stack(to_utm.transform(xy[:, 0], xy[:, 1]))
    )


@cache
def _to(crs: str) -> Transformer:
    return Transformer.from_crs("EPSG:4326", CRS.from_user_input(crs), always_xy=True)


def _zone(lon: float) -> int:
    return min(60, max(1, int((lon + 180) // 6) + 1))


def _strip(zone: int) -> BaseGeometry:
    west = -180 + 6 * (zone - 1)
    return shapely.box(west, -90, west + 6, 90)


def _utm_code(crs: str) -> int:
    text = crs.upper().removeprefix("EPSG:")
    code = int(text) if text.isdecimal() else 0
    if not (32_601 <= code <= 32_660 or 32_701 <= code <= 32_760):
        raise UsageError(f"{crs} is no UTM zone", "EPSG:32601 to 32660 (north) or EPSG:32701 to 32760 (south)")
    return code


def _check_latitudes(area: BaseGeometry) -> None:
    _, south, _, north = area.bounds
    if south < _UTM_SOUTH or north > _UTM_NORTH:
        raise UsageError(
            f"the area reaches from latitude {south:.1f} to {north:.1f}",
            f"latitudes {_UTM_SOUTH:g} to {_UTM_NORTH:g}, where UTM is defined",
            "choose another area",
        )


def _check_near(code: int, west: float, east: float) -> None:
    """Refuse a zone on another side of the earth, where its coordinates mean nothing."""
    meridian = 6 * (code % 100) - 183
    farthest = max(abs((lon - meridian + 180) % 360 - 180) for lon in (west, east))
    if farthest > _FARTHEST_DEG:
        raise UsageError(
            f"the area lies {farthest:.0f} degrees from the middle of UTM zone {zone_name(f'EPSG:{code}')}",
            f"a zone whose middle is within {_FARTHEST_DEG:g} degrees",
            "leave --zone out, or make one mosaic per zone (--zone each)",
        )


def _check_size(height: int, width: int) -> None:
    blocks = -(-height // BLOCK_PX) * -(-width // BLOCK_PX)
    if blocks > MOST_BLOCKS:
        raise UsageError(
            f"the area's frame is {width * PIXEL_M / 1000:,.0f} x {height * PIXEL_M / 1000:,.0f} km",
            f"at most {MOST_BLOCKS:,} blocks of 10.24 km",
            "ask for the area in parts",
        )


def _down(metres: float) -> float:
    return math.floor(metres / _LINE_M) * _LINE_M


def _up(metres: float) -> float:
    return math.ceil(metres / _LINE_M) * _LINE_M
