"""From finished blocks to the mosaic: pixels, counts of looks, tags, and the whole story in a JSON beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from minedisc_core import __version__
from minedisc_core.errors import RunError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.composites.source import Block, SceneFacts, Survey
from minedisc_core.imagery.composites.target import PIXEL_M, all_blocks, area_in_pixels, distortion
from minedisc_core.imagery.writing import atomic_raster, mosaic_profile, write_mosaic, writing
from minedisc_core.runs import write_json

_SCENES_IN_TAG = 20
"""Scene ids in the file's tag; the JSON has all."""
_PX_PER_KM2 = (1_000 / PIXEL_M) ** 2
_SOURCES = {"ee": "Google Earth Engine", "stac": "STAC"}


@dataclass(frozen=True)
class CompositeSummary:
    """What became of a composite; beside the mosaic as `NAME.tif.json`."""

    path: str
    is_complete: bool
    """False if blocks are missing: their pixels are no data."""
    asked_km2: float
    seen_km2: float
    """Part of the area with at least one valid look."""
    median_looks: float
    """Of the pixels of the area that were seen."""
    scenes: int
    problems: tuple[str, ...]
    """What could not be read, and what a reader should know of the result."""


@dataclass(frozen=True)
class Assembly:
    """All that the result is made of."""

    request: CompositeRequest
    area: BaseGeometry
    """EPSG:4326."""
    grid: RasterGrid
    survey: Survey
    load: Callable[[PixelWindow], Block | None]
    """A finished block; None where there is none, for good reason. It may raise to stop the assembly."""
    failures: Mapping[PixelWindow, str]
    """Blocks that could not be made, and why."""


def looks_path(out: Path) -> Path:
    """Where the number of valid observations per pixel lies: `NAME.looks.tif`."""
    return out.with_name(f"{out.stem}.looks.tif")


def story_path(out: Path) -> Path:
    """Where the mosaic's story lies: `NAME.tif.json` (`NAME.json` may be a person's own file, the area for one)."""
    return out.with_name(f"{out.name}.json")


def assemble(job: Assembly, out: Path, scratch: Path) -> CompositeSummary:
    """Write the mosaic, `NAME.looks.tif` and `NAME.tif.json`; they take their names when all three are whole.

    Args:
        job: what they are made of.
        out: the mosaic.
        scratch: a folder on the same disk; whoever removes it removes what a killed process has left.

    Raises:
        ImageryError: the disk is full or the folder cannot be written.
        RunError: the same, for the JSON.
    """
    tally = _Tally(job)
    made = scratch / out.name
    _write_looks(job, looks_path(made), tally)
    _write_pixels(job, made)
    summary = tally.summary(out)
    write_json(story_path(made), _story(job, summary))
    with writing(out):
        for name_of in (looks_path, lambda path: path, story_path):
            name_of(made).replace(name_of(out))
    return summary


def summary_of(story: Mapping[str, Any]) -> CompositeSummary:
    """The summary that a mosaic's JSON holds.

    Raises:
        RunError: it holds none.
    """
    try:
        known = {field.name: story[field.name] for field in dataclasses.fields(CompositeSummary)}
    except KeyError as error:
        raise RunError(f"the mosaic's JSON has no {error}", remedy="make the mosaic anew") from error
    return CompositeSummary(**{**known, "problems": tuple(known["problems"])})


def _write_pixels(job: Assembly, path: Path) -> None:
    days = [scene.day for scene in job.survey.scenes]
    write_mosaic(
        path,
        _pixels(job),
        job.grid,
        job.survey.bands,
        job.survey.level,
        imagery_start=min(days, default=job.request.start),
        imagery_end=max(days, default=job.request.start),
        source=f"{_SOURCES[job.request.source]}: {job.survey.collection}, recipe {job.request.recipe}",
        tags=_tags(job),
        overviews=True,
    )


def _pixels(job: Assembly) -> Iterator[tuple[PixelWindow, NDArray[np.uint16]]]:
    for window in all_blocks(job.grid):
        block = job.load(window)
        empty = (window.height, window.width, len(job.survey.bands))
        yield window, np.zeros(empty, np.uint16) if block is None else block.values


def _write_looks(job: Assembly, path: Path, tally: _Tally) -> None:
    with atomic_raster(path) as scratch, rasterio.open(scratch, "w", **looks_profile(job.grid)) as dataset:
        dataset.descriptions = ("valid observations",)
        for window in all_blocks(job.grid):
            block = job.load(window)
            looks = np.zeros((window.height, window.width), np.uint16) if block is None else block.looks
            dataset.write(looks, 1, window=Window(window.col, window.row, window.width, window.height))
            tally.add(window, looks, block.problems if block else ())


def looks_profile(grid: RasterGrid) -> dict[str, Any]:
    """How counts of looks are stored."""
    profile = mosaic_profile(grid, 1)
    del profile["nodata"]  # 0 looks is an answer
    return profile


class _Tally:
    """What the area got, counted block by block."""

    def __init__(self, job: Assembly) -> None:
        self._job = job
        self._shape = area_in_pixels(job.grid, job.area)
        self._histogram = np.zeros(np.iinfo(np.uint16).max + 1, np.int64)
        self._problems: dict[str, int] = {}

    def add(self, window: PixelWindow, looks: NDArray[np.uint16], problems: Sequence[str]) -> None:
        inside = geometry_mask([self._shape], looks.shape, Affine.translation(window.col, window.row), invert=True)
        self._histogram += np.bincount(looks[inside], minlength=len(self._histogram))
        for problem in problems:
            self._problems[problem] = self._problems.get(problem, 0) + 1

    def summary(self, out: Path) -> CompositeSummary:
        job, seen = self._job, self._histogram[1:]
        total = int(seen.sum())
        median = int(np.searchsorted(seen.cumsum(), (total + 1) // 2) + 1) if total else 0
        asked = int(self._histogram.sum())
        return CompositeSummary(
            path=str(out),
            is_complete=not job.failures,
            asked_km2=round(asked / _PX_PER_KM2, 3),
            seen_km2=round(total / _PX_PER_KM2, 3),
            median_looks=median,
            scenes=len(job.survey.scenes),
            problems=(*self._told(), *job.survey.remarks, *filter(None, [distortion(job.grid, job.area)])),
        )

    def _told(self) -> Iterator[str]:
        for window, reason in self._job.failures.items():
            yield f"block at row {window.row}, column {window.col}: {reason}"
        for problem, blocks in self._problems.items():
            yield problem if blocks == 1 else f"{problem} (in {blocks} blocks)"


def _tags(job: Assembly) -> dict[str, str]:
    request, survey = job.request, job.survey
    ids = [scene.scene_id for scene in survey.scenes]
    more = f" and {len(ids) - _SCENES_IN_TAG} more" if len(ids) > _SCENES_IN_TAG else ""
    tags = {
        "collection": survey.collection,
        "recipe": request.recipe,
        "asked_start": request.start.isoformat(),
        "asked_end": request.end.isoformat(),
        "most_cloud_percent": f"{request.most_cloud_percent:g}",
        "scene_count": str(len(ids)),
        "scenes": ", ".join(ids[:_SCENES_IN_TAG]) + more,
        "baselines": ", ".join(_baselines(survey.scenes)),
        **survey.tags,
    }
    return {f"MINEDISC_{name.upper()}": text for name, text in tags.items() if text}


def _baselines(scenes: Sequence[SceneFacts]) -> list[str]:
    return sorted({scene.baseline or "not stated" for scene in scenes})


def _story(job: Assembly, summary: CompositeSummary) -> dict[str, Any]:
    grid = job.grid
    return {
        **dataclasses.asdict(summary),
        "made_at_utc": datetime.now(UTC).replace(tzinfo=None),
        "minedisc": __version__,
        "request": job.request.to_json(),
        "collection": job.survey.collection,
        "level": str(job.survey.level),
        "bands": list(job.survey.bands),
        "baselines": _baselines(job.survey.scenes),
        "scene_list": [dataclasses.asdict(scene) for scene in job.survey.scenes],
        "method": job.survey.tags,
        "crs": grid.crs,
        "height_px": grid.height_px,
        "width_px": grid.width_px,
        "looks_file": looks_path(Path(summary.path)).name,
    }
