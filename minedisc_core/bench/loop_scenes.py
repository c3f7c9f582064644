"""Generated scenes at places of their own, for the bench of the loop: drawn at one corner, laid 40 km apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from minedisc_core.domain import ProductLevel, Reason
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.demo import Feature, generate_scene
from minedisc_core.imagery.geotiff import write_mosaic
from minedisc_core.learning.demo_models import cell_labels
from minedisc_core.learning.dense import IGNORED, LabelledScene, cell_distances_px, in_pixels

LEVEL = ProductLevel.L1C
APART_M = 40_000.0
"""Scenes lie so far from each other that none is within 5 km of another."""
_A_ROW = 3
"""Scenes side by side; the next ones lie further north."""
UNKNOWN = "irrigation_dam"
"""Kind of look-alike that the champion never sees as background."""
_UNKNOWN_PX = 150.0
"""Cells this near to such a look-alike see it: they are left out of the champion's training."""
DAYS = (date(2023, 5, 1), date(2023, 8, 31))
REASONS = {
    "irrigation_dam": Reason.IRRIGATION_DAM, "lake": Reason.NATURAL_LAKE, "sandbar": Reason.RIVER_BANK,
    "town": Reason.URBAN, "bare_rock": Reason.ROCK_OUTCROP, "erosion": Reason.LANDSLIDE, "burn": Reason.BURN,
    "bare_field": Reason.BARE_FIELD, "airstrip": Reason.ROAD_AIRSTRIP, "solar": Reason.SOLAR_GREENHOUSE,
}  # fmt: skip
"""What an analyst would say of a look-alike; all others are `other`."""


@dataclass(frozen=True)
class LoopScene:
    """A generated scene at a place of its own."""

    seed: int
    grid: RasterGrid
    features: tuple[Feature, ...]
    dn: NDArray[np.uint16]
    """L1C DN (height, width, 12)."""

    def write(self, folder: Path) -> Path:
        """The scene as a mosaic; its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"seed-{self.seed}.tif"
        return write_mosaic(
            path, self.dn, self.grid, L1C_BANDS, LEVEL, imagery_start=DAYS[0], imagery_end=DAYS[1],
            source="generated, no real place",
        )  # fmt: skip

    def without_unknown(self) -> LabelledScene:
        """Labels for the champion: cells that see an irrigation dam and no mine count for nothing."""
        labels = cell_labels(self.grid, self.features)
        dams = [f.polygon for f in self.features if f.kind == UNKNOWN]
        sees_dam = cell_distances_px(self.grid, dams) <= _UNKNOWN_PX
        return LabelledScene(f"seed {self.seed}", self.dn, np.where((labels == 0) & sees_dam, IGNORED, labels))


def loop_scene(seed: int, place: int, size_px: int, crowding: float = 1.0) -> LoopScene:
    """The scene of a seed, `place` places away from the corner at which scenes are drawn."""
    scene = generate_scene(size_px, seed, crowding=crowding)
    corner = scene.grid.transform
    east, north = corner.c + APART_M * (place % _A_ROW), corner.f + APART_M * (place // _A_ROW)
    moved = RasterGrid(size_px, size_px, Affine(corner.a, 0, east, 0, corner.e, north), scene.grid.crs)
    features = tuple(replace(f, polygon=_moved(f, scene.grid, moved)) for f in scene.features)
    return LoopScene(seed, moved, features, np.ascontiguousarray(scene.l1c))


def _moved(feature: Feature, before: RasterGrid, after: RasterGrid) -> shapely.Geometry:
    pixels = in_pixels(before, [feature.polygon])[0]
    return shapely.transform(pixels, lambda xy: after.lonlat(xy[:, 1], xy[:, 0]))
