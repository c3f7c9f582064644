"""Runs in the home folder, and what a new one would take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from minedisc_core.detection.coverage import area_km2
from minedisc_core.detection.models import Model
from minedisc_core.detection.patch_cards import PatchCard
from minedisc_core.detection.scan import FEATURES_PER_SIDE
from minedisc_core.domain import RunState, RunSummary
from minedisc_core.errors import RunError
from minedisc_core.grid import RasterGrid, tiles
from minedisc_core.jobs.progress import ScanProgress, read_progress
from minedisc_core.jobs.request import area_of
from minedisc_core.runs import REQUEST, RESULT, read_json, read_summary
from minedisc_core.settings import Settings

_START_S = 12.0
"""TensorFlow's start and the first tile (measured on two cores)."""
_BANDS = 12
_MPX_PER_THREAD_S = 5.0
"""Pixels read and scored per thread and second with 12 bands (minedisc bench scan)."""
_MULTIPLY_ADDS_PER_THREAD_S = 50e9
"""What a patch model's net does per thread and second (measured 56e9, with a 48 px net of 71 million a patch)."""
_PICTURE_S_PER_MPX = 0.35
"""Map-tile pyramids, per million pixels of the whole mosaic."""


@dataclass(frozen=True)
class RunFolder:
    """One folder under `HOME/runs`."""

    run_id: str
    path: Path
    asked_at_utc: datetime | None
    state: RunState
    message: str
    can_resume: bool
    model: str
    mosaic: tuple[str, ...]
    progress: ScanProgress | None
    """None for a folder that cannot be read."""
    summary: RunSummary | None
    """None before the run has finished."""


@dataclass(frozen=True)
class Estimate:
    """What a scan would cover and about how long it would take on this machine."""

    km2: float
    seconds: float

    def __iter__(self) -> Any:
        return iter((self.km2, self.seconds))


def list_runs(settings: Settings) -> list[RunFolder]:
    """All run folders, newest first; a broken one is listed with its problem."""
    if not settings.runs.is_dir():
        return []
    folders = [path for path in settings.runs.iterdir() if (path / REQUEST).exists()]
    found = [_read(path) for path in folders]
    return sorted(found, key=lambda run: (run.asked_at_utc or datetime.min, run.run_id), reverse=True)


def _read(path: Path) -> RunFolder:
    try:
        request = read_json(path / REQUEST)
        progress = read_progress(path)
        summary = read_summary(path) if (path / RESULT).exists() and progress.is_over else None
        return RunFolder(
            run_id=str(request["run_id"]),
            path=path,
            asked_at_utc=datetime.fromisoformat(request["asked_at_utc"]),
            state=progress.state,
            message=progress.message,
            can_resume=progress.can_resume,
            model=str(request["model_name"]),
            mosaic=tuple(request["mosaic"]),
            progress=progress,
            summary=summary,
        )
    except (RunError, KeyError, TypeError, ValueError) as error:
        return RunFolder(path.name, path, None, RunState.FAILED, f"cannot be read: {error}", False, "", (), None, None)


def estimate(
    grid: RasterGrid, aoi: BaseGeometry | Mapping[str, Any] | None, model: Model, *, threads: int = 2
) -> Estimate:
    """Area in km2 and expected seconds of a scan, start and pictures included.

    Args:
        grid: of the mosaic.
        aoi: GeoJSON or geometry in EPSG:4326; None = the whole mosaic.
        model: its cells count, its number of bands, and of a patch model the size of its net.
        threads: that the scan may use.

    Raises:
        UsageError: the area is no polygon.
    """
    area = aoi if isinstance(aoi, BaseGeometry) else area_of(aoi)
    cells = grid.for_cells(model.geometry)
    asked = cells.asked_cells(area)
    wanted = tiles(asked, FEATURES_PER_SIDE, model.geometry)
    features = sum((tile.row1 - tile.row0) * (tile.col1 - tile.col0) for tile in wanted)
    mpx = features * model.geometry.stride_px**2 / 1e6
    rate = _MPX_PER_THREAD_S * threads * (0.5 + 0.5 * _BANDS / max(1, len(model.discovery.bands)))
    pictures = _PICTURE_S_PER_MPX * grid.height_px * grid.width_px / 1e6
    patches = 0.0
    if isinstance(model.discovery, PatchCard):
        patches = features * model.discovery.multiply_adds / (_MULTIPLY_ADDS_PER_THREAD_S * threads)
    return Estimate(area_km2(cells, asked), _START_S + mpx / rate + pictures + patches)
