"""Results of tiles as files: what lets a killed run go on."""

from __future__ import annotations

import io
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from minedisc_core.detection.scan import TileResult
from minedisc_core.engine_record import EngineRecord
from minedisc_core.errors import RunError
from minedisc_core.grid import DISCOVERY_CELLS, CellGeometry, Tile
from minedisc_core.runs import ENGINE, TILES, engine_record, read_json, write_atomically


class TileFiles:
    """One `.npz` per finished tile in `RUN_DIR/tiles` (`detection.scan.TileStore`)."""

    def __init__(self, run_dir: Path, geometry: CellGeometry = DISCOVERY_CELLS) -> None:
        self.geometry = geometry
        self.folder = run_dir / TILES
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, tile: Tile) -> Path:
        """Where the result of a tile lies."""
        return self.folder / f"{tile.name}.npz"

    def load(self, tile: Tile) -> TileResult | None:
        """A tile's result; None if it is missing or broken, and then it is computed again."""
        try:
            with np.load(self.path(tile), allow_pickle=False) as file:
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
            RunError: the disk is full.
        """
        buffer = io.BytesIO()
        np.savez(buffer, features=result.features, blocks=result.blocks)
        write_atomically(self.path(tile), buffer.getvalue())

    def belong_to(self, engine: EngineRecord) -> bool:
        """Whether the results here come from this very engine: its name, its library's version, its processor."""
        try:
            before = engine_record(read_json(self.folder.parent / ENGINE))
        except (RunError, TypeError, ValueError):
            return False
        return (before.name, before.version, before.processor) == (engine.name, engine.version, engine.processor)

    def clear(self) -> int:
        """Take all results away; how many there were."""
        found = list(self.folder.glob("*.npz"))
        for path in found:
            path.unlink(missing_ok=True)
        return len(found)

    def sweep(self) -> None:
        """Take away scratch files of a killed process."""
        for path in self.folder.glob(".*"):
            path.unlink(missing_ok=True)
