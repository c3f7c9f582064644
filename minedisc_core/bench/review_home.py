"""Homes for `minedisc bench review`: a finished run with real map tiles and chips, and as many sites as asked for.

What is made up: the sites (one cell each, anywhere in the mosaic), their scores and what registers say of
them. What is real: the generated demo landscape, repeated side by side to a large mosaic; its map-tile
pyramids; and the chips of POOL places, which the first sites share in turn (hard links), so that a million sites
need no hours of rendering.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray

from minedisc_core.bench.made_up import IMAGERY, RUN_ID, made_up_matches, made_up_summary
from minedisc_core.detection.sites import SiteGroups
from minedisc_core.domain import Impact, ImpactProbabilities, ProductLevel, Site
from minedisc_core.grid import CENTRE_PX, STRIDE_PX, PixelWindow, RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.demo import generate_scene
from minedisc_core.imagery.geotiff import Mosaic, open_mosaic
from minedisc_core.imagery.outline_file import OUTLINES, outlines_as_json, read_outlines
from minedisc_core.imagery.writing import write_mosaic
from minedisc_core.jobs.pictures import write_pictures
from minedisc_core.runs import CHIPS, REQUEST, SCORES, write_json, write_sites, write_summary
from minedisc_core.settings import Settings, load_settings
from minedisc_core.store import Store

POOL = 256
"""Places whose chips are rendered; the sites take them in turn."""
WITH_CHIPS = 100_000
"""Sites by falling score that have chips: the queue of a measurement never comes to the others."""
_SCENE_PX, _SCENE_SEED = 1024, 3
_LARGE = 5_000
"""From so many candidates on the mosaic is large, so that most map tiles are seen for the first time."""
_ACROSS = {False: 2, True: 6}
"""Demo landscapes side by side: 20 km, or 61 km."""


def make_homes(folder: Path, sizes: Sequence[int]) -> list[Settings]:
    """One home per size, with that many undecided candidates taken in; they share one mosaic and its pictures."""
    grid = _write_mosaic(folder / "mosaic.tif", _ACROSS[max(sizes) >= _LARGE])
    with open_mosaic([folder / "mosaic.tif"]) as mosaic:
        _write_pictures(mosaic, folder / "pictures")
    return [_home(folder / f"home-{count}", folder, made_up_places(grid, count)) for count in sizes]


def _write_mosaic(path: Path, across: int) -> RasterGrid:
    """The demo scene, `across` times in each direction: 12 bands, L1C."""
    scene = generate_scene(_SCENE_PX, _SCENE_SEED)
    side = across * _SCENE_PX
    grid = RasterGrid(side, side, scene.grid.transform, scene.grid.crs)
    strips = (
        (PixelWindow(row, 0, 512, side), np.tile(scene.l1c[row % _SCENE_PX :][:512], (1, across, 1)))
        for row in range(0, side, 512)
    )
    write_mosaic(
        path, strips, grid, L1C_BANDS, ProductLevel.L1C, imagery_start=IMAGERY[0], imagery_end=IMAGERY[1],
        source="generated for a measurement",
    )  # fmt: skip
    return grid


def _write_pictures(mosaic: Mosaic, folder: Path) -> None:
    """What the end of a run writes: pyramids and chips, of POOL sites; and scores for the map."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    rows, cols = mosaic.grid.cells
    cells = np.column_stack([rng.integers(0, rows, POOL), rng.integers(0, cols, POOL)])
    sites = list(_sites(mosaic.grid, cells * STRIDE_PX + CENTRE_PX))
    problems = write_pictures(mosaic, SiteGroups(sites, [cell[None] for cell in cells]), folder, lambda _: None)
    if problems:
        raise OSError(" ".join(problems))
    _write_scores(folder / SCORES, mosaic.grid)


def _write_scores(path: Path, grid: RasterGrid) -> None:
    rows, cols = grid.cells
    scores = np.random.default_rng(2).random((rows, cols), np.float32)
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "float32", "nodata": np.nan}
    transform: Affine = grid.cell_transform
    with rasterio.open(path, "w", crs=grid.crs, transform=transform, **profile) as raster:
        raster.write(scores, 1)


def made_up_places(grid: RasterGrid, count: int) -> list[Site]:
    """`count` sites at random pixels of the mosaic, by falling score."""
    rng = np.random.default_rng(0)
    inside = CENTRE_PX, grid.height_px - CENTRE_PX
    return list(_sites(grid, rng.integers(*inside, (count, 2))))


def _sites(grid: RasterGrid, peaks: NDArray[np.int64]) -> Iterator[Site]:
    """A site of one cell around each peak pixel (row, column)."""
    half = STRIDE_PX / 2
    ring = peaks[:, None, :] + 0.5 + np.array([(-half, -half), (-half, half), (half, half), (half, -half)])
    corners = grid.lonlat(ring[..., 0].ravel(), ring[..., 1].ravel()).reshape(len(peaks), 4, 2)
    centres = grid.lonlat(peaks[:, 0] + 0.5, peaks[:, 1] + 0.5)
    scores = np.linspace(0.999, 0.6, len(peaks))
    for number, (polygon, (lon, lat), (row, col)) in enumerate(
        zip(shapely.polygons(corners), centres.tolist(), peaks.tolist(), strict=True)
    ):
        impact = (Impact.HIGH, Impact.LOW)[number % 2]
        score = float(scores[number])
        yield Site(
            f"{RUN_ID}-{number + 1:04d}", polygon, lon, lat, lon, lat, row, col, score, score - 0.05, 1, 7.29, impact,
            ImpactProbabilities(0.5, 0.4, 0.1), False,
        )  # fmt: skip


def _home(home: Path, shared: Path, sites: list[Site]) -> Settings:
    """A home with one finished run of these sites, taken in."""
    settings = load_settings({}, home)
    run = settings.runs / RUN_ID
    run.mkdir(parents=True)
    pictures = shared / "pictures"
    for path in pictures.iterdir():
        if path.is_file():
            os.link(path, run / path.name)
    _share_chips(pictures / CHIPS, run / CHIPS, [site.site_id for site in sites[:WITH_CHIPS]])
    mosaic = shared / "mosaic.tif"
    summary = replace(made_up_summary(len(sites)), mosaic=(str(mosaic),))
    with open_mosaic([mosaic]) as opened:  # samples are cut after the verdicts, as ever
        asked = {"run_id": RUN_ID, "mosaic": [str(mosaic)], "mosaic_identity": opened.identity}
    write_json(run / REQUEST, asked)
    write_sites(run, sites)
    write_summary(run, summary)
    with Store.open(settings.database) as store:
        store.take_in(summary, run, sites, made_up_matches(len(sites)))
    return settings


def _share_chips(pool: Path, chips: Path, site_ids: Iterable[str]) -> None:
    """Give each site the chips and outlines of the next place of the pool."""
    chips.mkdir()
    outlines = read_outlines(pool)
    files = _files_by_site(pool, outlines)
    shared: dict[str, Any] = {}
    for site_id, place in zip(site_ids, cycle(outlines), strict=False):
        shared[site_id] = outlines[place]
        for path, ending in files[place]:
            os.link(path, chips / f"{site_id}{ending}")
    (chips / OUTLINES).write_bytes(outlines_as_json(shared))


def _files_by_site(pool: Path, site_ids: Iterable[str]) -> dict[str, list[tuple[Path, str]]]:
    """Each place's files, with what follows the place's id in their names."""
    found: dict[str, list[tuple[Path, str]]] = {site_id: [] for site_id in site_ids}
    for path in pool.iterdir():
        site_id, underscore, ending = path.name.partition("_")
        if site_id in found:
            found[site_id].append((path, underscore + ending))
    return found
