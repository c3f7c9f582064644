"""Results of tiles as files: what lets a killed run go on, and what a worker elsewhere leaves behind."""

from __future__ import annotations

import io
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np

from minedisc_core.detection.scan import TileResult
from minedisc_core.grid import DISCOVERY_CELLS, CellGeometry, Tile
from minedisc_core.jobs.places import Place

_SUFFIX = ".npz"


@dataclass(frozen=True)
class TileFiles:
    """One `.npz` per finished tile (`detection.scan.TileStore`)."""

    place: Place
    geometry: CellGeometry = DISCOVERY_CELLS

    def load(self, tile: Tile) -> TileResult | None:
        """A tile's result; None if it is missing or broken, and then it is computed again.

        Raises:
            RunError: an object store does not answer.
        """
        content = self.place.read(tile.name + _SUFFIX)
        if content is None:
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                result = TileResult(file["features"], file["blocks"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        rows, cols = tile.row1 - tile.row0, tile.col1 - tile.col0
        is_whole = result.features.ndim == 3 and result.features.shape[:2] == (rows, cols)
        step, tail = self.geometry.stride_px // self.geometry.fill_block_px, self.geometry.fill_tail_blocks
        return result if is_whole and result.blocks.shape == (step * rows + tail, step * cols + tail) else None

    def save(self, tile: Tile, result: TileResult) -> None:
        """Write a tile's result, whole or not at all.

        Raises:
            RunError: the disk is full, or an object store does not take it.
        """
        buffer = io.BytesIO()
        np.savez(buffer, features=result.features, blocks=result.blocks)
        self.place.write(tile.name + _SUFFIX, buffer.getvalue())

    def names(self) -> set[str]:
        """Names of the tiles that have a result."""
        return {name.removesuffix(_SUFFIX) for name in self.place.names() if name.endswith(_SUFFIX)}

    def clear(self) -> int:
        """Take all results away; how many there were."""
        found = self.names()
        for name in found:
            self.place.remove(name + _SUFFIX)
        return len(found)
