"""Which blocks of a grid are read from a catalogue's files at the least cost.

A range request brings whole tiles of a file. Sentinel-2's COGs hold tiles of 512 or 1,024 px, counted from the
corner of the scene: 1,024 px of a 20 m band are 2,048 px of the grid. A block of 2,048 px on these lines
touches every tile of the 10 and 20 m bands once; blocks of 1,024 px anywhere touch each about three times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import shapely
from affine import Affine

from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.composites.source import BLOCK_PX, BlockLayout
from minedisc_core.imagery.composites.target import PIXEL_M, all_blocks
from minedisc_core.imagery.stac.scenes import Scene

WIDE_PX = 2_048
_MOST_BYTES = 0.9e9
"""What the looks of one block may take in memory, so that a job stays under 2 GB (measured: 0.95 GB beside them)."""
_BYTES_PER_LOOK = 2 * 2 + 1
"""Of a pixel: DN of the band that is read and of the one whose median is computed, and a mask."""


def layout_of(scenes: Sequence[Scene], grid: RasterGrid) -> BlockLayout:
    """Blocks of 2,048 px on the tile lines of the place that most scenes show; of 1,024 px where looks are many."""
    wide = _on_lines(scenes, grid, WIDE_PX)
    looks = _most_looks(scenes, grid, wide)
    fits = looks * WIDE_PX**2 * _BYTES_PER_LOOK <= _MOST_BYTES
    return wide if fits else _on_lines(scenes, grid, BLOCK_PX)


def part_of(grid: RasterGrid, window: PixelWindow) -> RasterGrid:
    """The pixels of a window as a grid of their own."""
    transform = grid.transform @ Affine.translation(window.col, window.row)
    return RasterGrid(window.height, window.width, transform, grid.crs)


def _on_lines(scenes: Sequence[Scene], grid: RasterGrid, side_px: int) -> BlockLayout:
    corners = Counter(scene.corner for scene in scenes if scene.corner and scene.crs == grid.crs)
    if not corners:
        return BlockLayout(side_px)
    x, y = max(corners, key=lambda corner: (corners[corner], corner))
    left, top = grid.transform @ (0, 0)
    return BlockLayout(side_px, round((top - y) / PIXEL_M) % side_px, round((x - left) / PIXEL_M) % side_px)


def _most_looks(scenes: Sequence[Scene], grid: RasterGrid, layout: BlockLayout) -> int:
    """Scenes over the block that most of them meet."""
    blocks = [part_of(grid, window).footprint for window in all_blocks(grid, layout)]
    tree = shapely.STRtree([scene.footprint for scene in scenes])
    block_of, _ = tree.query(np.array(blocks, object), predicate="intersects")
    return int(np.bincount(block_of, minlength=1).max())
