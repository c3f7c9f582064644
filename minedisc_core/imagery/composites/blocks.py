"""Finished blocks of a composite on disk: one file each, whole or not at all, so that a download resumes."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.composites.source import Block
from minedisc_core.runs import write_atomically

_DAMAGE = (
    OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, MemoryError, OverflowError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile raise over bytes that are no archive of arrays, or no longer."""


def cut(block: Block, window: PixelWindow, piece: PixelWindow, *, with_problems: bool) -> Block:
    """The part of a window's block that a piece of the window holds; problems are told once."""
    inside = _inside(window, piece)
    return Block(block.values[inside], block.looks[inside], block.problems if with_problems else ())


def joined(window: PixelWindow, parts: Mapping[PixelWindow, Block]) -> Block:
    """The block of a window from parts that lie in it; the rest is no data."""
    if list(parts) == [window]:
        return parts[window]
    bands = next(iter(parts.values())).values.shape[2]
    values = np.zeros((window.height, window.width, bands), np.uint16)
    looks = np.zeros((window.height, window.width), np.uint16)
    for piece, part in parts.items():
        inside = _inside(window, piece)
        values[inside], looks[inside] = part.values, part.looks
    return Block(values, looks, tuple(problem for part in parts.values() for problem in part.problems))


def _inside(window: PixelWindow, piece: PixelWindow) -> tuple[slice, slice]:
    row, col = piece.row - window.row, piece.col - window.col
    return slice(row, row + piece.height), slice(col, col + piece.width)


class BlockFiles:
    """The block files of one work folder; used from several threads, each with its own blocks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, window: PixelWindow, block: Block) -> None:
        """Keep a block.

        Raises:
            RunError: the disk is full or the folder cannot be written.
        """
        content = io.BytesIO()
        problems = np.frombuffer(json.dumps(block.problems).encode(), np.uint8)
        np.savez(content, values=block.values, looks=block.looks, problems=problems)
        write_atomically(self._path(window), content.getbuffer())

    def load(self, window: PixelWindow, bands: int) -> Block | None:
        """A block that was kept; None if there is none, or its file is damaged or of another shape."""
        try:
            with np.load(self._path(window), allow_pickle=False) as found:
                problems = tuple(str(text) for text in json.loads(found["problems"].tobytes()))
                block = Block(found["values"], found["looks"], problems)
        except _DAMAGE:
            return None
        shape = (window.height, window.width)
        fits = block.values.shape == (*shape, bands) and block.looks.shape == shape
        return block if fits and block.values.dtype == block.looks.dtype == np.uint16 else None

    @property
    def is_empty(self) -> bool:
        """Whether no block was kept yet."""
        return next(self.folder.glob("*.npz"), None) is None

    def sweep(self) -> None:
        """Make the folder, without what a killed process left half written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(".*"):
            path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove all blocks: they were made for something else."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, window: PixelWindow) -> Path:
        return self.folder / f"{window.row:06d}_{window.col:06d}.npz"
