"""Cells over a mosaic: the 270 m grid of the discovery net, or that of a patch model; tiles, pixels, geodesic measures.

Geometry (paper section 5.2.3, verified against the net in tests/integration): three 3x3 poolings
give a stride of 27 px. The *trunk* (three convolutions, three poolings) makes one feature vector per
27 px, feature f looking at rows 27f-13 .. 27f+39; the *head* (7x7, 1x1) turns features i .. i+6 into
cell i. A side of n px has n // 27 features and n // 27 - 6 cells. The 201 px training window of cell
i starts at row 27i; its centre pixel, row 27i + 100, is the cell's position.

A model that scores patches one by one has cells of its own: one a patch, `stride_px` apart, without a
trunk. `CellGeometry` holds what differs; all else in here and in the scan is the same for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from math import gcd

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from shapely.geometry.base import BaseGeometry

STRIDE_PX = 27
"""Pixels between two cells: three poolings of 3."""
WINDOW_PX = 201
"""The paper's training window, 2 km."""
CONTEXT_PX = 255
"""A window whose middle cell scores exactly as in a scan (201 px + one stride on each side)."""
PATCH_PX = 21
"""The paper's impact window, 210 m."""
HEAD_FEATURES = 7
"""Side of the head's kernel, in features."""
CENTRE_PX = WINDOW_PX // 2
"""Offset of a cell's centre pixel from its window's first pixel."""
TRUNK_REACH_PX = 13
"""Pixels a feature looks at before its own 27, and after them."""
GEOD = Geod(ellps="WGS84")


_LARGEST_FILL_BLOCK_PX = 15
"""Its pixels (225) are counted in a byte."""


@dataclass(frozen=True)
class CellGeometry:
    """How a model's cells lie over the pixels; one number per cell and per feature of what the scan keeps of a tile."""

    stride_px: int
    """Pixels between two cells, and the side of a cell's square."""
    window_px: int
    """Side of what a cell stands for: the training window or the patch. Its middle is the cell's position."""
    head_features: int = 1
    """Side of the head's kernel in features; 1: a feature is a cell's score already."""
    reach_px: int = 0
    """Pixels that a feature sees before and after its own stride, of a trunk with padding inside; 0: it sees none."""
    tail_px: int = 0
    """Pixels past its stride that a feature needs, or there is no such feature at the raster's end."""

    @classmethod
    def of_patches(cls, patch_px: int, stride_px: int) -> CellGeometry:
        """One cell for each whole patch of a mosaic; the patches begin every `stride_px` (at most `patch_px`)."""
        return cls(stride_px, patch_px, tail_px=patch_px - stride_px)

    @property
    def offset_px(self) -> float:
        """From a window's first edge to the cell's position: 100.5 for the middle of the pixel with number 100."""
        return self.window_px / 2

    @property
    def peak_px(self) -> int:
        """From a window's first pixel to the pixel that holds the cell's position."""
        return self.window_px // 2

    @property
    def fill_block_px(self) -> int:
        """Side of the blocks in which no data is counted: divides stride and window."""
        common = gcd(self.stride_px, self.window_px)
        return max(side for side in range(1, _LARGEST_FILL_BLOCK_PX + 1) if common % side == 0)

    @property
    def fill_tail_blocks(self) -> int:
        """Blocks that a cell's window reaches past its last feature."""
        return (self.window_px - self.head_features * self.stride_px) // self.fill_block_px

    def features_along(self, size_px: int) -> int:
        """Number of features along a side of `size_px` pixels."""
        return max(0, (size_px - self.tail_px) // self.stride_px)

    def cells_along(self, size_px: int) -> int:
        """Number of cells along a side of `size_px` pixels."""
        return max(0, self.features_along(size_px) - self.head_features + 1)

    def size_px(self, cells: int) -> int:
        """Smallest side with so many cells."""
        return (cells + self.head_features - 1) * self.stride_px + self.tail_px


DISCOVERY_CELLS = CellGeometry(STRIDE_PX, WINDOW_PX, HEAD_FEATURES, TRUNK_REACH_PX)
"""The discovery net's: 270 m of 10 m pixels."""


def features_along(size_px: int) -> int:
    """Number of trunk features along a side of `size_px` pixels."""
    return DISCOVERY_CELLS.features_along(size_px)


def cells_along(size_px: int) -> int:
    """Number of cells along a side of `size_px` pixels (0 if the side is under 189 px)."""
    return DISCOVERY_CELLS.cells_along(size_px)


@dataclass(frozen=True)
class PixelWindow:
    """A rectangle of whole pixels; it may reach past the raster's edge where the text says so."""

    row: int
    col: int
    height: int
    width: int


@dataclass(frozen=True)
class Tile:
    """A unit of scanning: features [row0, row1) x [col0, col1) of the trunk."""

    row0: int
    row1: int
    col0: int
    col1: int

    @property
    def name(self) -> str:
        """File stem of the tile's result."""
        return f"{self.row0:06d}_{self.col0:06d}"


@dataclass(frozen=True)
class TileRead:
    """What to read for a tile, and how many leading features the trunk makes too many."""

    window: PixelWindow
    drop_rows: int
    drop_cols: int


@dataclass(frozen=True)
class RasterGrid:
    """A mosaic's pixels and the cells over them.

    `transform` maps (column, row) to the CRS's x, y; it need not be square or metric.
    """

    height_px: int
    width_px: int
    transform: Affine
    crs: str
    """Anything pyproj takes: `EPSG:32723` or WKT."""
    geometry: CellGeometry = DISCOVERY_CELLS
    """How the cells of the model that scans lie over the pixels."""
    covered: BaseGeometry | None = None
    """Where there are files at all, in pixels (x = column, y = row); None: everywhere."""

    @property
    def features(self) -> tuple[int, int]:
        """Rows and columns of trunk features."""
        return self.geometry.features_along(self.height_px), self.geometry.features_along(self.width_px)

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.geometry.cells_along(self.height_px), self.geometry.cells_along(self.width_px)

    def for_cells(self, geometry: CellGeometry) -> RasterGrid:
        """The same pixels under the cells of another model."""
        return replace(self, geometry=geometry)

    @property
    def _first_edge_px(self) -> float:
        """Row and column where the first cell's square begins."""
        return self.geometry.offset_px - self.geometry.stride_px / 2

    @cached_property
    def _to_lonlat(self) -> Transformer:
        return _lonlat_of(self.crs)

    @property
    def cell_transform(self) -> Affine:
        """Affine of a raster with one pixel per cell (`scores.tif`)."""
        edge = Affine.translation(self._first_edge_px, self._first_edge_px)
        return self.transform @ edge @ Affine.scale(self.geometry.stride_px)

    def lonlat(self, rows: NDArray[np.floating], cols: NDArray[np.floating]) -> NDArray[np.float64]:
        """Longitude and latitude, shape (n, 2), of fractional pixel positions (0.5 = first centre)."""
        a, b, c, d, e, f = self.transform[:6]
        x, y = a * cols + b * rows + c, d * cols + e * rows + f
        return np.column_stack(self._to_lonlat.transform(x, y))

    def pixel(self, lon: float, lat: float) -> tuple[int, int]:
        """Row and column of the pixel that holds a place; may lie outside the raster."""
        x, y = self._to_lonlat.transform(lon, lat, direction="INVERSE")
        col, row = ~self.transform @ (x, y)
        return int(np.floor(row)), int(np.floor(col))

    def cell_centres(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Longitude and latitude (n, 2) of the centres of `cells`, an (n, 2) array of (i, j)."""
        centres = np.asarray(cells) * self.geometry.stride_px + self.geometry.offset_px
        return self.lonlat(centres[:, 0], centres[:, 1])

    def peak_pixels(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row and column (n, 2) of the pixel that holds the centre of each of `cells`, an (n, 2) array of (i, j)."""
        pixels: NDArray[np.int64] = np.asarray(cells) * self.geometry.stride_px + self.geometry.peak_px
        return pixels

    def cell_boxes_px(self, cells: NDArray[np.int64]) -> NDArray[np.object_]:
        """The cells' squares in pixels (x = column, y = row), where their edges meet exactly, shape (n,)."""
        side = self.geometry.stride_px
        corner = np.asarray(cells, float) * side + self._first_edge_px
        row, col = corner[:, 0], corner[:, 1]
        squares: NDArray[np.object_] = shapely.box(col, row, col + side, row + side)
        return squares

    def cell_polygons(self, cells: NDArray[np.int64]) -> NDArray[np.object_]:
        """The squares around the centres of `cells`, EPSG:4326 polygons, shape (n,)."""
        half = self.geometry.stride_px / 2
        centres = np.asarray(cells, float) * self.geometry.stride_px + self.geometry.offset_px
        corners = np.array([(-half, -half), (-half, half), (half, half), (half, -half), (-half, -half)])
        ring = centres[:, None, :] + corners[None]
        lonlat = self.lonlat(ring[..., 0].ravel(), ring[..., 1].ravel())
        squares: NDArray[np.object_] = shapely.polygons(lonlat.reshape(len(ring), 5, 2))
        return squares

    def site_polygon(self, cells: NDArray[np.int64]) -> BaseGeometry:
        """Union of the squares of `cells`, made in pixels (exact edges), then put in EPSG:4326."""
        union = shapely.union_all(self.cell_boxes_px(cells))
        return shapely.transform(union, lambda xy: self.lonlat(xy[:, 1], xy[:, 0]))

    @cached_property
    def footprint(self) -> BaseGeometry:
        """The outline of what the files cover in EPSG:4326, edges densified so that curved meridians are followed."""
        whole = self.covered or shapely.box(0, 0, self.width_px, self.height_px)
        outline = shapely.segmentize(whole, max(self.width_px, 64) / 16)
        return shapely.transform(outline, lambda xy: self.lonlat(xy[:, 1], xy[:, 0]))

    @cached_property
    def cells_footprint(self) -> BaseGeometry:
        """The outline of all cells in EPSG:4326: of the discovery net about 0.9 km inside the raster's."""
        rows, cols = self.cells
        start, side = self._first_edge_px, self.geometry.stride_px
        outline = shapely.box(start, start, start + side * cols, start + side * rows)
        outline = shapely.segmentize(outline, max(self.width_px, 64) / 16)
        return shapely.transform(outline, lambda xy: self.lonlat(xy[:, 1], xy[:, 0]))

    def asked_cells(self, aoi: BaseGeometry | None) -> NDArray[np.bool_]:
        """Mask over the cells, True where the cell's centre lies in `aoi` (EPSG:4326; None = everywhere) and in a file.

        The grid starts at the raster's first pixel whatever the AOI.
        """
        rows, cols = self.cells
        asked = np.ones((rows, cols), bool)
        if not asked.size:
            return asked
        if self.covered is not None:
            asked = self._is_covered()
        if aoi is None:
            return asked
        cells = np.argwhere(asked)
        lonlat = self.cell_centres(cells)
        shapely.prepare(aoi)
        asked[asked] = shapely.contains_xy(aoi, lonlat[:, 0], lonlat[:, 1])
        return asked

    def _is_covered(self) -> NDArray[np.bool_]:
        """Mask over the cells whose centre lies where there are files."""
        down, across = (np.arange(n) * self.geometry.stride_px + self.geometry.offset_px for n in self.cells)
        x, y = np.meshgrid(across, down)
        shapely.prepare(self.covered)
        found: NDArray[np.bool_] = shapely.intersects_xy(self.covered, x, y)
        return found


@lru_cache(maxsize=16)
def _lonlat_of(crs: str) -> Transformer:
    return Transformer.from_crs(CRS.from_user_input(crs), "EPSG:4326", always_xy=True)


def tiles(asked: NDArray[np.bool_], features_per_side: int, geometry: CellGeometry = DISCOVERY_CELLS) -> list[Tile]:
    """Tiles of at most `features_per_side` features a side that the `asked` cells need, row by row."""
    needed = needed_features(asked, geometry.head_features)
    found = []
    for (row0, row1), (col0, col1) in product(
        _spans(needed.shape[0], features_per_side), _spans(needed.shape[1], features_per_side)
    ):
        if needed[row0:row1, col0:col1].any():
            found.append(Tile(row0, row1, col0, col1))
    return found


def needed_features(asked: NDArray[np.bool_], head_features: int = HEAD_FEATURES) -> NDArray[np.bool_]:
    """Mask over the features, True where a cell in `asked` looks at the feature."""
    rows, cols = asked.shape
    needed = np.zeros((rows + head_features - 1, cols + head_features - 1) if asked.size else (0, 0), bool)
    for down, right in product(range(head_features), repeat=2):
        if asked.size:
            needed[down : down + rows, right : right + cols] |= asked
    return needed


def _spans(length: int, step: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, step):
        yield start, min(start + step, length)


def tile_read(tile: Tile, height_px: int, width_px: int, geometry: CellGeometry = DISCOVERY_CELLS) -> TileRead:
    """Pixels to read so that the tile's features equal those of the whole raster.

    One feature more is read on the leading sides, where the convolutions' zero padding would differ,
    and dropped. At the raster's own edge nothing is added: there the padding is the net's own, which
    no padding of the raster could imitate. Patches need neither: each is whole in what is read.
    """
    row, height, drop_rows = _read_span(tile.row0, tile.row1, height_px, geometry)
    col, width, drop_cols = _read_span(tile.col0, tile.col1, width_px, geometry)
    return TileRead(PixelWindow(row, col, height, width), drop_rows, drop_cols)


def _read_span(first: int, end: int, size_px: int, geometry: CellGeometry) -> tuple[int, int, int]:
    dropped = 1 if first and geometry.reach_px else 0
    start_px = geometry.stride_px * (first - dropped)
    stop_px = min(geometry.stride_px * end + geometry.tail_px + geometry.reach_px, size_px)
    return start_px, stop_px - start_px, dropped


def window_of_cell(i: int, j: int, size_px: int = WINDOW_PX) -> PixelWindow:
    """Window of `size_px` (odd) centred on a cell's centre pixel; past the edge for sizes over 201."""
    half = size_px // 2
    return PixelWindow(STRIDE_PX * i + CENTRE_PX - half, STRIDE_PX * j + CENTRE_PX - half, size_px, size_px)


def window_fill(fill_blocks: NDArray[np.uint8], geometry: CellGeometry = DISCOVERY_CELLS) -> NDArray[np.float32]:
    """Share of no data in each cell's window (of the discovery net 201 px), 0..1, shape of the cells.

    Args:
        fill_blocks: no-data pixels of each block (3 x 3 px, 0..9, for the discovery net) from the raster's
            first pixel on, `stride / block` a feature and `fill_tail_blocks` more in rows and columns;
            blocks past the raster's edge count as full.
        geometry: of the cells.
    """
    side = geometry.window_px // geometry.fill_block_px
    step = geometry.stride_px // geometry.fill_block_px
    padded = np.zeros((fill_blocks.shape[0] + 1, fill_blocks.shape[1] + 1), np.int64)
    padded[1:, 1:] = fill_blocks.astype(np.int64).cumsum(0).cumsum(1)
    rows, cols = (max(0, (n - side) // step + 1) for n in fill_blocks.shape)
    top, left = np.arange(rows) * step, np.arange(cols) * step
    bottom, right = top + side, left + side
    total = padded[np.ix_(bottom, right)] - padded[np.ix_(top, right)]
    total = total - padded[np.ix_(bottom, left)] + padded[np.ix_(top, left)]
    fractions: NDArray[np.float32] = (total / float(geometry.window_px**2)).astype(np.float32)
    return fractions


def geodesic_area_ha(geometry: BaseGeometry) -> float:
    """Area on the WGS 84 ellipsoid of an EPSG:4326 geometry, in hectares; holes are taken off."""
    oriented = shapely.orient_polygons(geometry)
    area_m2, _ = GEOD.geometry_area_perimeter(oriented)
    return abs(float(area_m2)) / 10_000


def geodesic_distance_m(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    """Distance on the WGS 84 ellipsoid between two places, in metres."""
    _, _, distance = GEOD.inv(lon_a, lat_a, lon_b, lat_b)
    return float(distance)


def square_around(lon: float, lat: float, side_m: float) -> BaseGeometry:
    """Square of `side_m` metres around a place, edges along meridian and parallel, EPSG:4326."""
    half = side_m / 2
    _, north, _ = GEOD.fwd(lon, lat, 0, half)
    east, _, _ = GEOD.fwd(lon, lat, 90, half)
    return shapely.box(lon - (east - lon), lat - (north - lat), east, north)


def union_bounds(boxes: Sequence[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    """Smallest (west, south, east, north) that holds all `boxes`."""
    array = np.asarray(boxes, float)
    west, south = array[:, :2].min(axis=0)
    east, north = array[:, 2:].max(axis=0)
    return float(west), float(south), float(east), float(north)
