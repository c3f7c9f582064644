"""One core's rate on this machine: a short real scan of generated pixels with the engine that a scan would use.

It is kept beside the engines' proofs, and measured again for another processor, engine, model or version.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minedisc_core import __version__
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import Model, list_models
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ModelError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.demo import generate_scene
from minedisc_core.imagery.writing import write_mosaic
from minedisc_core.jobs.progress import ScanProgress
from minedisc_core.jobs.request import ScanRequest
from minedisc_core.jobs.run import load_nets, run_scan
from minedisc_core.runs import write_atomically
from minedisc_core.settings import Settings

KEPT = "plan-rate.json"
_SCENE_PX, _SCENE_SEED = 1_024, 9
_ACROSS = 3
_GROUPING = "grouping hits into sites"
"""The step from which on a scan is the driver's work."""


@dataclass(frozen=True)
class Rate:
    """What one core does."""

    core_mpx_s: float
    """Megapixels a processor second, from the file to scores and classes; 1 Mpx is 100 km2."""
    bytes_per_km2: float
    """Of the file, as minedisc writes mosaics."""
    start_s: float
    """Loading the nets."""
    finish_s_per_km2: float
    """Of the driver once all tiles are scored: grouping and files, without pictures."""
    engine: str
    model: str
    version: str
    measured_at_utc: str
    """Empty where the rate was given."""


def rate_of(settings: Settings, tell: Callable[[str], None] = lambda _: None, *, again: bool = False) -> Rate:
    """The rate that is kept, else a new measurement of some twenty seconds.

    Args:
        settings: engine and folders; one thread is measured, whatever they say.
        tell: hears that a measurement begins.
        again: measure also where one is kept.

    Raises:
        ModelError: there is no model of Level-1C to scan with.
    """
    model = _model(settings)
    kept = settings.engine_cache / KEPT
    found = None if again else _kept(kept)
    if found and (found.model, found.version) == (model.name, __version__) and _is_wanted(found, settings):
        return found
    tell("measuring the rate of one core of this machine: some twenty seconds, then it is kept")
    measured = _measured(model, dataclasses.replace(settings, threads=1))
    write_atomically(kept, json.dumps(dataclasses.asdict(measured), indent=1).encode())
    return measured


def given(rate: Rate, core_mpx_s: float) -> Rate:
    """The same files and driver with a rate of scoring that somebody states."""
    return dataclasses.replace(rate, core_mpx_s=core_mpx_s, engine="rate given", measured_at_utc="")


def _kept(path: Path) -> Rate | None:
    """What is kept; None if nothing is, or if it is no rate."""
    try:
        return Rate(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _is_wanted(found: Rate, settings: Settings) -> bool:
    """Whether the engine that was measured is the one that the settings ask for."""
    word = found.engine.lower()
    named = {"tensorflow": word.startswith("tensorflow"), "openvino-bf16": "bfloat16" in word}
    return named.get(settings.engine, "bfloat16" not in word)


def _model(settings: Settings) -> Model:
    for model in list_models(settings):
        if isinstance(model.discovery, ModelCard) and model.discovery.bands == L1C_BANDS and model.impact:
            return model
    raise ModelError("there is no model of Level-1C with all twelve bands", "one to scan with", "give the rate: --rate")


def _measured(model: Model, settings: Settings) -> Rate:
    started = time.perf_counter()
    nets = load_nets(model, settings)
    start_s = time.perf_counter() - started
    with tempfile.TemporaryDirectory(prefix="minedisc-plan-") as name:
        path = Path(name) / "mosaic.tif"
        side_px = _write(path)
        request = ScanRequest((str(path),), str(model.folder), pictures=False)
        clock = _Clock()
        for number in range(2):  # the first one warms up
            clock = _Clock()
            run_scan(request, Path(name) / f"run-{number}", settings=settings, nets=nets, on_progress=clock.hear)
            clock.stop()
        km2 = side_px**2 / 1e4
        return Rate(
            round(side_px**2 / 1e6 / clock.scoring_s, 4), round(path.stat().st_size / km2, 1), round(start_s, 3),
            round(clock.finishing_s / km2, 8), str(nets.engine), model.name, __version__,
            datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
        )  # fmt: skip


class _Clock:
    """Processor seconds of a scan before and after its tiles are scored."""

    def __init__(self) -> None:
        self._begun = time.process_time()
        self._grouped = self._ended = 0.0

    def hear(self, progress: ScanProgress) -> None:
        """Take note of the step from which on the tiles are scored."""
        if progress.message == _GROUPING and not self._grouped:
            self._grouped = time.process_time()

    def stop(self) -> None:
        """The scan is over."""
        self._ended = time.process_time()

    @property
    def scoring_s(self) -> float:
        """Reading and scoring."""
        return self._grouped - self._begun

    @property
    def finishing_s(self) -> float:
        """The rest."""
        return self._ended - self._grouped


def _write(path: Path) -> int:
    """A mosaic of a generated scene, repeated side by side; its side in pixels."""
    scene = generate_scene(_SCENE_PX, _SCENE_SEED)
    side = _ACROSS * _SCENE_PX

    def strips() -> Iterator[tuple[PixelWindow, NDArray[np.uint16]]]:
        for row in range(0, side, _SCENE_PX):
            yield PixelWindow(row, 0, _SCENE_PX, side), np.tile(scene.l1c, (1, _ACROSS, 1))

    grid = RasterGrid(side, side, scene.grid.transform, scene.grid.crs)
    write_mosaic(path, strips(), grid, L1C_BANDS, ProductLevel.L1C)
    return side
