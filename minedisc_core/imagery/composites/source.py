"""What every source of composites answers: what there is, and the pixels of a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from minedisc_core.domain import ProductLevel
from minedisc_core.grid import PixelWindow, RasterGrid

BLOCK_PX = 1_024
"""Side of a block file, the unit of resuming (Earth Engine answers 48 MB at most: 1,448 px of 12 x uint16)."""


@dataclass(frozen=True)
class BlockLayout:
    """How a grid is cut into the blocks that a source is asked for."""

    side_px: int = BLOCK_PX
    row_px: int = 0
    """A row of the grid at which a block begins; the others are whole sides away. The first block may be smaller."""
    col_px: int = 0
    """The same for columns."""


@dataclass(frozen=True)
class SceneFacts:
    """One acquisition that goes into a composite."""

    scene_id: str
    day: date
    cloud_percent: float | None
    """As the catalogue states it, 0..100; None if it states none."""
    baseline: str
    """Processing baseline, `04.00`; empty if the catalogue states none."""
    dn_offset: int
    """What is taken off its stored numbers: 0 or 1,000."""


@dataclass(frozen=True)
class Survey:
    """What a source holds for a request, before a pixel is read."""

    collection: str
    level: ProductLevel
    bands: tuple[str, ...]
    scenes: tuple[SceneFacts, ...]
    remarks: tuple[str, ...] = ()
    """Sentences a person should read: what was left out and why."""
    tags: dict[str, str] = field(default_factory=dict)
    """What else the mosaic's tags should say: masks and cut-offs in the source's own words."""


@dataclass(frozen=True)
class Block:
    """The composite of one window."""

    values: NDArray[np.uint16]
    """DN (reflectance x 10,000, no offset), shape (height, width, band), 0 = no data."""
    looks: NDArray[np.uint16]
    """Number of valid observations per pixel, shape (height, width)."""
    problems: tuple[str, ...] = ()
    """What could not be read, and why, one sentence for each scene or asset; the rest went on without it."""


class CompositeSource(Protocol):
    """Earth Engine or a STAC catalogue, for one request and one grid; used from several threads at once."""

    most_in_flight: int
    """How many blocks may be asked for at once."""

    def survey(self) -> Survey:
        """What there is; asks the catalogue once and keeps the answer.

        Raises:
            ImageryError: the catalogue cannot be reached, or holds nothing for the request.
        """

    def layout(self, grid: RasterGrid) -> BlockLayout:
        """The blocks that the source reads at the least cost; the same for the same scenes.

        Raises:
            ImageryError: as `survey`.
        """

    def read_block(self, grid: RasterGrid, window: PixelWindow, is_cancelled: Callable[[], bool]) -> Block:
        """The composite of a window of the grid; retried inside for what passes by itself.

        Raises:
            ImageryError: the block cannot be made; the job reports it and goes on with the others.
            Cancelled: `is_cancelled` said so while waiting.
        """
