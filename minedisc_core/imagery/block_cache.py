"""GDAL's block cache: how much of what was decoded a process keeps.

Left alone GDAL takes 5 % of the memory. rasterio takes the option GDAL_CACHEMAX as bytes and sets it back at the
end of its `Env`, so that a cache is as large as stated only while that `Env` is open.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache

import rasterio

PROCESS_MB = 400
"""Of a job's process, where nothing else is stated."""
ROWS_CACHED = 1_740
"""Rows of a mosaic that a scan keeps (384 MB over 9,216 px in twelve bands): the blocks that one row of tiles meets are
still there when the next row comes. Of less, they are decoded again."""
MOST_MB = 1_000
WORKER_MB = 256
"""Of a worker, which gets tiles from anywhere."""


def block_cache(megabytes: int) -> AbstractContextManager[object]:
    """A cache of that size while the context is open, for all threads; an environment that states another is obeyed."""
    if os.environ.get("GDAL_CACHEMAX"):
        return nullcontext()
    return rasterio.Env(GDAL_CACHEMAX=megabytes * 10**6)  # type: ignore[no-any-return]  # rasterio has no types


@lru_cache(maxsize=1)
def keep_block_cache(megabytes: int) -> None:
    """The same for as long as the process lives; asked again it does nothing."""
    block_cache(megabytes).__enter__()


def scan_cache(width_px: int, bands: int) -> AbstractContextManager[object]:
    """The cache that a scan of a mosaic of that width needs."""
    return block_cache(min(MOST_MB, max(1, ROWS_CACHED * width_px * bands * 2 // 10**6)))
