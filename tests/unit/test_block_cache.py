"""GDAL's block cache is as large as stated, in all threads and for as long as stated."""

from __future__ import annotations

import ctypes
from pathlib import Path
from threading import Thread

import pytest
import rasterio

from minedisc_core.imagery.block_cache import block_cache, scan_cache


def cache_mb() -> float:
    """As GDAL itself says it."""
    rasterio.drivers  # noqa: B018  # the library is loaded
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libgdal" in line}
    own = [path for path in mapped if "rasterio" in path] or [*mapped]  # other packages may bring one of their own
    ask = ctypes.CDLL(own[0]).GDALGetCacheMax64
    ask.restype = ctypes.c_int64
    return float(ask()) / 1e6


def test_a_cache_has_its_size_in_all_threads_and_until_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    before = cache_mb()
    with block_cache(123):
        with rasterio.Env(GDAL_NUM_THREADS="2"):
            assert cache_mb() == 123
        with rasterio.MemoryFile() as memory:  # opens and closes an `Env` of its own
            memory.open(driver="GTiff", width=5, height=5, count=1, dtype="uint8").close()
        found: list[float] = []
        thread = Thread(target=lambda: found.append(cache_mb()))
        thread.start()
        thread.join()
        assert [cache_mb(), *found] == [123, 123]
        with block_cache(45):
            assert cache_mb() == 45
        assert cache_mb() == 123
    assert cache_mb() == before


@pytest.mark.parametrize(("width", "expected_mb"), [(9_216, 384), (500_000, 1_000), (10, 1)])
def test_a_scan_keeps_the_blocks_that_two_rows_of_tiles_share(
    width: int, expected_mb: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    with scan_cache(width, 12):
        assert cache_mb() == expected_mb


def test_an_environment_that_states_a_cache_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_mb()
    monkeypatch.setenv("GDAL_CACHEMAX", "5%")
    with block_cache(45):
        assert cache_mb() == before
