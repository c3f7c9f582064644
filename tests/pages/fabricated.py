"""A home with a finished run that no net has seen: a small mosaic, sites on it, chips and map tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
from affine import Affine

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import save_model
from minedisc_core.detection.networks import tensor_shapes
from minedisc_core.detection.spread import ALWAYS, FEATURES, ground_channels
from minedisc_core.domain import (
    Coverage,
    Impact,
    ImpactProbabilities,
    ProductLevel,
    RegisterMatch,
    RegisterStatus,
    RunState,
    RunSummary,
    Site,
)
from minedisc_core.grid import CENTRE_PX, STRIDE_PX, PixelWindow, RasterGrid, geodesic_area_ha
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.chips import write_chips
from minedisc_core.imagery.display import write_display
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.imagery.writing import write_mosaic
from minedisc_core.runs import CHIPS, REQUEST, SCORES, write_json, write_sites, write_summary

GRID = RasterGrid(640, 640, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
UNCHECKED = RegisterMatch(RegisterStatus.NOT_CHECKED, None, (), None, (), ("a dam register", "a title register"), "")


SUMMER = date(2024, 6, 1), date(2024, 8, 31)


def make_mosaic(
    path: Path, level: ProductLevel = ProductLevel.L1C, grid: RasterGrid = GRID, dates: tuple[date, date] = SUMMER
) -> Path:
    """Hills of DN with bright patches, 12 bands."""
    rows, cols = np.mgrid[: grid.height_px, : grid.width_px]
    waves = np.sin(rows / 37) * np.cos(cols / 53) + np.sin((rows + cols) / 91)
    bright = ((rows // 90 + cols // 110) % 5 == 0) * 900
    pixels = np.stack([900 + 110 * k + 220 * waves + bright for k in range(len(L1C_BANDS))], axis=-1)
    days = {"imagery_start": dates[0], "imagery_end": dates[1]}
    bands = L1C_BANDS if level is ProductLevel.L1C else L2A_BANDS
    return write_mosaic(path, pixels.astype(np.uint16), grid, bands, level, source="Made for a test", **days)


def make_sites(run_id: str, count: int, grid: RasterGrid = GRID) -> list[Site]:
    """Sites of one to three cells, scores falling, classes in turn; the last one is discarded."""
    rows, cols = grid.cells
    sites = []
    for number in range(count):
        cell = np.array([(5 * number) % rows, (8 * number + 3) % (cols - 2)])
        cells = np.array([(cell[0], cell[1] + k) for k in range(1 + number % 3) if cell[1] + k < cols])
        sites.append(_site(f"{run_id}-{number + 1:04d}", cells, 0.99 - 0.35 * number / max(1, count), number, grid))
    sites[-1] = replace(sites[-1], discarded=count > 1, impact=Impact.NO_ORE)
    return sites


def _site(site_id: str, cells: np.ndarray, score: float, number: int, grid: RasterGrid) -> Site:
    polygon = grid.site_polygon(cells)
    (lon, lat), (peak_lon, peak_lat) = polygon.centroid.coords[0], grid.cell_centres(cells[:1])[0]
    high = (0.8, 0.15, 0.4)[number % 3]
    row, col = (int(x) * STRIDE_PX + CENTRE_PX for x in cells[0])
    impact = Impact.HIGH if high > 0.5 else Impact.LOW
    probabilities = ImpactProbabilities(high, 0.95 - high, 0.05)
    return Site(
        site_id, polygon, lon, lat, float(peak_lon), float(peak_lat), row, col, score, score - 0.03, len(cells),
        geodesic_area_ha(polygon), impact, probabilities, False,
    )  # fmt: skip


def make_run(runs: Path, mosaic: Path, run_id: str = "20260102-030405-abcd", count: int = 24) -> Path:
    """A finished run's folder: sites, chips, map tiles, scores, summary."""
    folder = runs / run_id
    folder.mkdir(parents=True)
    with open_mosaic([mosaic]) as opened:
        sites = make_sites(run_id, count, opened.grid)
        for kind in ("true_colour", "swir"):
            write_display(opened, folder / f"{kind}.tif", kind)
        write_chips(opened, sites, folder / CHIPS)
        _write_scores(folder / SCORES, opened.grid)
    asked = {"run_id": run_id, "asked_at_utc": "2026-01-02T03:04:05", "model_name": "bright", "mosaic": [str(mosaic)]}
    write_json(folder / REQUEST, asked)
    write_sites(folder, sites)
    write_summary(folder, summary(run_id, mosaic, sites))
    return folder


def summary(run_id: str, mosaic: Path, sites: Sequence[Site]) -> RunSummary:
    """What the run says of itself."""
    cells = GRID.cells[0] * GRID.cells[1]
    coverage = Coverage(23.6, 23.6, cells, cells, 0, 0, 0)
    return RunSummary(
        run_id, RunState.COMPLETE, "demo-l1c", ProductLevel.L1C, 0.6, (str(mosaic),), date(2024, 6, 1),
        date(2024, 8, 31), "Made for a test", coverage, len(sites), sum(s.discarded for s in sites), 12.5,
        datetime(2026, 1, 2, 3, 6, 7),
    )  # fmt: skip


def _write_scores(path: Path, grid: RasterGrid) -> None:
    import rasterio

    rows, cols = grid.cells
    scores = np.linspace(0, 1, rows * cols, dtype=np.float32).reshape(rows, cols)
    scores[:2, :3] = np.nan
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "float32", "nodata": np.nan}
    with rasterio.open(path, "w", crs=grid.crs, transform=grid.cell_transform, **profile) as raster:
        raster.write(scores, 1)


def save_bright_model(folder: Path, mosaic: Path) -> Path:
    """A model whose weights are written by hand: bright red ground with little green gives a high score."""
    card = _bright_card(mosaic)
    bands = card.bands
    tensors = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes("discovery", len(bands)).items()}
    tensors["conv1/kernel"][1, 1, bands.index("B4"), 0] = 1
    tensors["conv1/kernel"][1, 1, bands.index("B8"), 0] = -0.5
    tensors["conv2/kernel"][1, 1, 0, 0] = tensors["conv3/kernel"][1, 1, 0, 0] = 1
    tensors["context/kernel"][2:5, 2:5, 0, 0] = 1 / 9
    tensors["output/kernel"][0, 0, 0, 1], tensors["output/bias"][1] = 4, -8.6
    save_model(folder, (card, tensors))
    return folder


def save_spread_model(folder: Path, mosaic: Path) -> Path:
    """A model with the spread head, written by hand: a middle that is brighter than its window gives a high score."""
    card = _bright_card(mosaic)
    card = replace(card, name="spread", head="spread", dark=tuple(0.5 * value for value in card.mean))
    shapes = tensor_shapes("discovery", len(card.bands), "spread")
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    tensors["standard/kernel"][:] = 1
    stands_out = 4 * FEATURES + 2 * ground_channels(len(card.bands)) + card.bands.index("B4")
    tensors["output/kernel"][0, 0, stands_out, 0] = 10
    tensors["output/bias"][:] = (-1, ALWAYS)
    save_model(folder, (card, tensors))
    return folder


def _bright_card(mosaic: Path) -> ModelCard:
    with open_mosaic([mosaic]) as opened:
        bands, level = opened.bands, opened.level
        side = min(opened.grid.height_px, opened.grid.width_px)
        pixels = opened.read(PixelWindow(0, 0, side, side), bands).reshape(-1, len(bands)).astype(float)
    return ModelCard(
        "bright", "1", "discovery", level or ProductLevel.L1C, bands, tuple(pixels.mean(0)), tuple(pixels.std(0)),
        is_demonstration=True, description="Bright ground, for tests",
    )  # fmt: skip
