"""Fixtures that all tests share: a home folder, tiny rasters, trial data, a browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from numpy.typing import NDArray

from minedisc_core.domain import Coverage, Impact, ImpactProbabilities, ProductLevel, RunState, RunSummary, Site
from minedisc_core.grid import square_around
from minedisc_core.runs import REQUEST, write_json, write_sites, write_summary
from minedisc_core.settings import PROJECT_ROOT, Settings, load_settings

TRIAL_VARIABLE = "MINEDISC_TRIAL_DATA"
SLOWEST_FIRST = ("e2e", "integration", "pages", "unit")
"""Folders in the order in which they are handed to the workers, so that no long file starts last."""

hypothesis_settings.register_profile(
    "ci",
    derandomize=True,  # the same examples on every machine: a failure is a failure for all
    max_examples=25,
    deadline=None,  # a busy machine is no fault of the code
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.register_profile("explore", max_examples=1000, deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook: a later marker is not seen
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one file (all browser tests: one server) in one worker; slowest folders first."""
    for item in items:
        folder = _folder(item)
        item.add_marker(pytest.mark.xdist_group("e2e" if folder == "e2e" else str(item.path)))
    items.sort(key=lambda item: SLOWEST_FIRST.index(_folder(item)) if _folder(item) in SLOWEST_FIRST else -1)


def _folder(item: pytest.Item) -> str:
    parts = item.path.relative_to(PROJECT_ROOT / "tests").parts
    return parts[0] if len(parts) > 1 else ""


def pytest_report_header() -> str:
    """One line that says whether tests on real data run."""
    folder = os.environ.get(TRIAL_VARIABLE)
    if folder:
        return f"trial data: {folder}"
    return f"trial data: none ({TRIAL_VARIABLE} is not set: tests on real data are skipped)"


@pytest.fixture(scope="session")
def trial_data() -> Path:
    """Folder of real data; relative paths count from the checkout. Skips when unset, fails when it is missing."""
    named = os.environ.get(TRIAL_VARIABLE)
    if not named:
        pytest.skip(f"{TRIAL_VARIABLE} is not set: no real data here")
    folder = (PROJECT_ROOT / named).resolve()
    if not folder.is_dir():
        pytest.fail(f"{TRIAL_VARIABLE} names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """A Chromium that starts. Without one: a failure where CI=true, else a skip."""
    from minedisc_core.setup.browser import find_chromium

    found = find_chromium()
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("no Chromium on this machine: `make browser` installs one")
    if found is None:
        pytest.skip("no Chromium on this machine: `make browser` installs one")
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a home of their own that exists and is empty."""
    home = tmp_path / "home"
    home.mkdir()
    return load_settings({}, home)


@pytest.fixture
def make_site() -> Callable[..., Site]:
    """A site by its number: `make_site(3, lon=-43.9, impact=Impact.LOW)`; a 270 m square around lon, lat."""

    def make(number: int = 1, run_id: str = "20260101-000000-abcd", **changes: object) -> Site:
        lon, lat = float(str(changes.get("lon", -44 + number / 50))), float(str(changes.get("lat", -20.0)))
        known: dict[str, object] = {
            "site_id": f"{run_id}-{number:04}",
            "polygon": square_around(lon, lat, 270),
            "lon": lon,
            "lat": lat,
            "peak_lon": lon,
            "peak_lat": lat,
            "peak_row_px": 127,
            "peak_col_px": 100 + 27 * number,
            "score": 1 - number / 100,
            "mean_score": 0.8,
            "cells": 1,
            "area_cells_ha": 7.29,
            "impact": Impact.HIGH,
            "impact_probabilities": ImpactProbabilities(0.7, 0.2, 0.1),
            "discarded": False,
        }
        return Site(**(known | changes))  # type: ignore[arg-type]  # a dict of mixed values by design

    return make


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write the folder of a finished run: `write_run(sites, run_id=..., state=..., ...)`; its path."""

    def write(sites: Sequence[Site], run_id: str = "20260101-000000-abcd", **changes: object) -> Path:
        known: dict[str, object] = {
            "run_id": run_id,
            "state": RunState.COMPLETE,
            "model": "demo-l1c",
            "level": ProductLevel.L1C,
            "threshold": 0.6,
            "mosaic": (str(tmp_path / "mosaic.tif"),),
            "imagery_start": date(2019, 1, 1),
            "imagery_end": date(2019, 12, 31),
            "source": "generated",
            "coverage": Coverage(10.0, 9.0, 137, 123, 14, 0, 0),
            "sites": len(sites),
            "discarded": sum(site.discarded for site in sites),
            "seconds": 1.5,
            "finished_at_utc": datetime(2026, 1, 1, 0, 5),
        }
        folder = tmp_path / "runs" / run_id
        folder.mkdir(parents=True)
        write_json(folder / REQUEST, {"run_id": run_id, "mosaic_identity": "0" * 64})
        write_sites(folder, sites)
        summary = RunSummary(**(known | changes))  # type: ignore[arg-type]  # a dict of mixed values by design
        write_summary(folder, summary)
        return folder

    return write


@pytest.fixture
def write_raster(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny GeoTIFF with plain rasterio: `write_raster(array (h, w, b), name=..., bands=..., crs=..., ...)`."""

    def write(
        pixels: NDArray[np.generic],
        name: str = "raster.tif",
        bands: tuple[str, ...] = (),
        crs: str = "EPSG:32723",
        origin: tuple[float, float] = (600_000.0, 7_800_000.0),
        pixel: tuple[float, float] = (10.0, 10.0),
        **profile: object,
    ) -> Path:
        import rasterio
        from affine import Affine

        path = tmp_path / name
        height, width, count = pixels.shape
        transform = Affine(pixel[0], 0, origin[0], 0, -pixel[1], origin[1])
        shape = {"height": height, "width": width, "count": count, "dtype": pixels.dtype}
        with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape, **profile) as raster:
            raster.write(np.moveaxis(pixels, -1, 0))
            raster.descriptions = bands or raster.descriptions
        return path

    return write
