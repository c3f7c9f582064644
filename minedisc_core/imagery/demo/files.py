"""The demo area as files: both mosaics, the truth, and registers to match against."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import RunError, UsageError
from minedisc_core.imagery.demo.registers import collection, land_geojson, rivers_geojson, sigbm_csv, sigmine_zip
from minedisc_core.imagery.demo.scene import Feature, ScenePlan, paint_into, plan_scene
from minedisc_core.imagery.demo.sensor import L1C_ORDER, L2A_ORDER
from minedisc_core.imagery.geotiff import write_mosaic
from minedisc_core.runs import read_json, write_atomically, write_json

IMAGERY_DATES = (date(2023, 5, 1), date(2023, 8, 31))
"""The made-up dry season that the demo pretends to be a median of."""
SOURCE = "generated demo area, no real place"
_NAMES = (
    "mosaic.tif", "mosaic_l2a.tif", "truth.geojson", "sigbm.csv", "sigmine.zip", "protected_land.geojson",
    "rivers.geojson",
)  # fmt: skip
_BYTES_PER_PX = 75
"""Of disk: 48 unpacked (two products, twelve bands of two bytes) and 22 packed, and a little more."""
_PAINTING = ".painting-"
"""Start of the name of the scratch folder; one that a killed process left behind is swept away."""
_MARKER = "demo_area.json"
"""Written last: with it the folder is whole."""


@dataclass(frozen=True)
class DemoArea:
    """Files of a demo area."""

    mosaic: Path
    """L1C, 12 bands."""
    mosaic_l2a: Path
    truth: Path
    """GeoJSON, a polygon per feature: kind, is_mine, impact, mine, name, ore, registered."""
    sigbm: Path
    sigmine: Path
    land: Path
    rivers: Path
    """The true courses of the rivers."""


def write_demo(
    folder: Path, size_px: int = 2048, seed: int = 0, *, on_progress: Callable[[float], None] | None = None
) -> DemoArea:
    """Write the demo area; a whole one of the same size and seed is left as it is, any other is made anew.

    Args:
        folder: where to; made if missing.
        size_px: side, 1 to 20,000 px of 10 m.
        seed: another seed, another landscape.
        on_progress: is told the share done, 0..1.

    Raises:
        UsageError: size or seed out of range, or the disk is too small for it.
        MinediscError: the disk is full or the folder cannot be written.
    """
    area = DemoArea(*(folder / name for name in _NAMES))
    plan = plan_scene(size_px, seed)
    wanted = _identity(plan)
    if _is_whole(folder, area, wanted):
        return area
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(folder, size_px)
    (folder / _MARKER).unlink(missing_ok=True)
    for left_behind in (*folder.glob(f"{_PAINTING}*"), *folder.glob(".mosaic*.tif.*")):
        shutil.rmtree(left_behind, ignore_errors=True)
    write_atomically(area.truth, _truth(plan.features))
    write_atomically(area.sigbm, sigbm_csv(plan.features, plan.grid, seed))
    write_atomically(area.sigmine, sigmine_zip(plan.features, plan.grid, seed))
    write_atomically(area.land, land_geojson(plan.features, plan.grid, seed))
    write_atomically(area.rivers, rivers_geojson(plan.rivers))
    _write_mosaics(plan, area, on_progress)
    write_json(folder / _MARKER, {"identity": wanted, "files": _sizes(area), "size_px": size_px, "seed": seed})
    return area


def _check_room(folder: Path, size_px: int) -> None:
    """Refuse an area that would fill the disk: both products unpacked while they are painted, then packed."""
    needed, free = _BYTES_PER_PX * size_px**2, shutil.disk_usage(folder).free
    if needed > free:
        raise UsageError(
            f"a demo area of {size_px:,} px a side needs about {needed / 1e9:.1f} GB, {folder} has {free / 1e9:.1f} GB",
            "room for the area",
            "choose a smaller --size or another --home",
        )


def _write_mosaics(plan: ScenePlan, area: DemoArea, on_progress: Callable[[float], None] | None) -> None:
    """Paint into files mapped to memory, so that a large area does not need its size in memory."""
    shape = (12, plan.size_px, plan.size_px)
    with tempfile.TemporaryDirectory(dir=area.mosaic.parent, prefix=_PAINTING) as scratch:
        top, bottom = (
            np.lib.format.open_memmap(Path(scratch) / name, "w+", np.uint16, shape) for name in ("l1c.npy", "l2a.npy")
        )
        paint_into(plan, top, bottom, on_progress)
        products = (
            (area.mosaic, top, L1C_ORDER, ProductLevel.L1C),
            (area.mosaic_l2a, bottom, L2A_ORDER, ProductLevel.L2A),
        )
        for path, bands_first, order, level in products:
            write_mosaic(
                path, bands_first.transpose(1, 2, 0), plan.grid, order, level,
                imagery_start=IMAGERY_DATES[0], imagery_end=IMAGERY_DATES[1], source=SOURCE,
            )  # fmt: skip


def _truth(features: tuple[Feature, ...]) -> bytes:
    fields = ("kind", "is_mine", "impact", "mine", "name", "ore", "registered")
    return collection([(f.polygon, {name: getattr(f, name) for name in fields}) for f in features])


def _identity(plan: ScenePlan) -> str:
    """Changes when size, seed or the generator's layout change."""
    digest = hashlib.sha256(f"{plan.size_px} {plan.seed}".encode())
    digest.update(_truth(plan.features))
    return digest.hexdigest()


def _sizes(area: DemoArea) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in vars(area).values()}


def _is_whole(folder: Path, area: DemoArea, wanted: str) -> bool:
    try:
        marker = read_json(folder / _MARKER)
        return marker.get("identity") == wanted and marker.get("files") == _sizes(area)
    except (RunError, OSError):
        return False
