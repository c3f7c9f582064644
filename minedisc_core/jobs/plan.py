"""What a scan of an area would take: its tiles counted one by one, this machine's own rate, a simulated schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from minedisc_core.detection.scan import FEATURES_PER_SIDE
from minedisc_core.errors import UsageError
from minedisc_core.grid import STRIDE_PX, geodesic_area_ha
from minedisc_core.imagery.composites.target import parts_by_zone
from minedisc_core.jobs.plan_rate import Rate
from minedisc_core.jobs.schedule import Schedule, Site, Work, simulate

MOSAIC_M = 100_000.0
"""Side of a mosaic: a square of Sentinel-2's own grid."""
TILE_M = FEATURES_PER_SIDE * STRIDE_PX * 10.0
"""Side of a tile, what one core scores at a time: 12.96 km."""
HAND_OUT_S = 0.001
"""What a scheduler of tasks needs for each: Dask's documentation names a millisecond at most."""
LARGEST_KM2 = 510_100_000.0
"""The whole Earth."""


@dataclass(frozen=True)
class Ground:
    """The tiles of an area."""

    km2: float
    """Geodesic area asked for."""
    zones: tuple[str, ...]
    """EPSG codes of UTM zones; empty where only an area in km2 was given."""
    tile_km2: NDArray[np.float64]
    """Each tile that meets the area, whole as it is scanned."""
    mosaic: NDArray[np.int64]
    """Number of the mosaic of each tile."""

    @property
    def mosaics(self) -> int:
        """Squares of 100 km that meet the area; one in two zones counts twice."""
        return int(self.mosaic.max()) + 1 if len(self.mosaic) else 0


@dataclass(frozen=True)
class Storage:
    """How fast pixels come, megabytes (10^6) a second."""

    machine_mb_s: float = 250.0
    """One machine's line or disk."""
    shared_mb_s: float = 5_000.0
    """What all machines together get from where the mosaics lie."""
    cores_per_machine: int = 16


@dataclass(frozen=True)
class Answer:
    """The scan on so many cores."""

    cores: int
    schedule: Schedule
    efficiency: float
    """Share of the cores' time in which they score, 0..1."""
    waiting_fraction: float
    """Share in which they wait for bytes or for the driver."""


@dataclass(frozen=True)
class Plan:
    """All of it."""

    ground: Ground
    rate: Rate
    storage: Storage
    gigabytes: float
    """To read: every tile once, compressed as minedisc writes it."""
    core_hours: float
    answers: tuple[Answer, ...]
    reading_limits_from_cores: float
    """From so many cores on the shared storage cannot feed them all."""
    line_limits_from_cores: float
    """From so many cores of one machine on its line cannot feed them all."""


def ground_of(area: BaseGeometry) -> Ground:
    """The tiles of an area (EPSG:4326), zone by zone as they are scanned.

    Raises:
        UsageError: the area lies outside UTM.
    """
    zones, tiles, mosaics = [], [np.empty(0)], [np.empty(0, np.int64)]
    for crs, part in parts_by_zone(area):
        moved = shapely.transform(
            part, Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform, interleaved=False
        )
        km2, mosaic = _tiles(moved)
        zones.append(crs)
        tiles.append(km2)
        mosaics.append(mosaic + sum(len(np.unique(one)) for one in mosaics))
    return Ground(geodesic_area_ha(area) / 100, tuple(zones), np.concatenate(tiles), np.concatenate(mosaics))


def ground_of_km2(km2: float) -> Ground:
    """The tiles of a square of so many km2, for an area whose outline is not at hand.

    Raises:
        UsageError: that is no area on Earth.
    """
    if not 0 < km2 <= LARGEST_KM2:
        raise UsageError(f"an area of {km2:g} km2", f"more than 0, at most {LARGEST_KM2:,.0f} km2", "correct it")
    side_m = 1_000 * sqrt(km2)
    return Ground(km2, (), *_tiles(shapely.box(0, 0, side_m, side_m)))


def _tiles(area: BaseGeometry) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Size in km2 of every tile that meets an area in metres, and the number of its mosaic."""
    west, south, east, north = area.bounds
    (left, right), (bottom, top) = _edges(west, east), _edges(south, north)
    col, row = (axis.ravel() for axis in np.meshgrid(np.arange(len(left)), np.arange(len(bottom))))
    shapely.prepare(area)
    boxes = shapely.box(left[col], bottom[row], right[col], top[row])
    meets = shapely.intersects(area, boxes) & ~shapely.touches(area, boxes)
    col, row = col[meets], row[meets]
    squares = np.stack([left[col] // MOSAIC_M, bottom[row] // MOSAIC_M], axis=1)
    _, mosaic = np.unique(squares, axis=0, return_inverse=True)
    order = np.argsort(mosaic, kind="stable")
    km2 = (right[col] - left[col]) * (top[row] - bottom[row]) / 1e6
    return km2[order], mosaic[order].astype(np.int64)


def _edges(low: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both ends of the tiles along one side: each mosaic begins a tile of its own."""
    mosaics = (
        np.arange(np.floor(low / MOSAIC_M), max(np.ceil(high / MOSAIC_M), np.floor(low / MOSAIC_M) + 1)) * MOSAIC_M
    )
    within = np.arange(0, MOSAIC_M, TILE_M)
    starts = (mosaics[:, None] + within).ravel()
    ends = np.minimum(starts + TILE_M, np.repeat(mosaics + MOSAIC_M, len(within)))
    is_met = (ends > low) & (starts < high)
    return starts[is_met], ends[is_met]


def plan(ground: Ground, rate: Rate, storage: Storage, cores: Sequence[int]) -> Plan:
    """Reckon and simulate.

    Args:
        ground: the tiles.
        rate: of one core.
        storage: rates of reading.
        cores: numbers of cores to play through, each at least 1.

    Raises:
        UsageError: a number that must be positive is not.
    """
    for name, value in (("cores", min(cores, default=0)), ("cores per machine", storage.cores_per_machine),
                        ("megabytes a second", min(storage.machine_mb_s, storage.shared_mb_s))):  # fmt: skip
        if not value > 0:
            raise UsageError(f"{name}: {value:g}", "more than 0", "correct it")
    work = Work(ground.tile_km2 / (100 * rate.core_mpx_s), ground.tile_km2 * rate.bytes_per_km2 / 1e6, ground.mosaic)
    of_core_mb_s = rate.bytes_per_km2 * rate.core_mpx_s * 100 / 1e6
    return Plan(
        ground,
        rate,
        storage,
        gigabytes=float(work.megabytes.sum()) / 1e3,
        core_hours=float(work.seconds.sum()) / 3600,
        answers=tuple(_answer(work, ground, rate, storage, number) for number in cores),
        reading_limits_from_cores=storage.shared_mb_s / of_core_mb_s,
        line_limits_from_cores=storage.machine_mb_s / of_core_mb_s,
    )


def _answer(work: Work, ground: Ground, rate: Rate, storage: Storage, cores: int) -> Answer:
    on_machine = min(cores, storage.cores_per_machine)
    per_mosaic_s = rate.finish_s_per_km2 * float(ground.tile_km2.sum()) / max(1, ground.mosaics)
    site = Site(cores, storage.machine_mb_s / on_machine, storage.shared_mb_s, rate.start_s, HAND_OUT_S, per_mosaic_s)
    found = simulate(work, site)
    spent = cores * found.wall_s
    return Answer(
        cores, found, float(work.seconds.sum()) / spent if spent else 1.0, found.waiting_s / spent if spent else 0.0
    )
