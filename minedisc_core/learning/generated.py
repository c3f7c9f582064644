"""Windows of generated scenes as samples: the dataset of the demonstration models, which were trained on scenes.

Mines are cells that their training labelled mine, background is drawn by strata: half of it around look-alikes,
half anywhere. A generated place is no place on earth: its name starts with `GENERATED` and its position counts for
no distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minedisc_core.domain import ProductLevel
from minedisc_core.grid import CENTRE_PX, CONTEXT_PX, STRIDE_PX, RasterGrid
from minedisc_core.imagery.demo import Feature
from minedisc_core.learning.datasets import SampleEntry
from minedisc_core.learning.demo_models import BANDS, CROWDING, SIZE_PX, TRAINING_SEEDS, cell_labels, make_scene
from minedisc_core.learning.dense import cell_distances_px
from minedisc_core.learning.holding_out import TRAINING, VALIDATION

GENERATED = "generated "
"""Names of places that a program drew begin with it."""
MINES, BACKGROUND = 40, 60
"""Most windows of each label that a scene gives."""
_BESIDE_PX = 27.0
"""A background cell this near to a look-alike shows it in its middle."""


@dataclass(frozen=True)
class GeneratedWindow:
    """One labelled window of a generated scene."""

    name: str
    label: str
    """`mine` or `background`."""
    reason: str | None
    """Stratum of a background: `look-alike` or `random`."""
    place: str
    lon: float
    lat: float
    row_px: int
    """Row and column of the first pixel of the 255 px window in the scene."""
    col_px: int

    def entry(self, split: str) -> SampleEntry:
        """Its entry in a dataset version."""
        return SampleEntry(
            f"generated-{self.name}", self.label, self.lon, self.lat, self.reason, "generated scenes", self.place, split
        )

    def cut(self, dn: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Its pixels, DN (255, 255, band)."""
        part = dn[self.row_px : self.row_px + CONTEXT_PX, self.col_px : self.col_px + CONTEXT_PX]
        return np.ascontiguousarray(part)


def generated_windows(
    place: str, grid: RasterGrid, features: Sequence[Feature], labels: NDArray[np.int8], mines: int, background: int,
    seed: int,
) -> Iterator[GeneratedWindow]:  # fmt: skip
    """Windows of one scene: up to `mines` mine cells (different mines first) and `background` others.

    Args:
        place: a name for the scene, without `GENERATED`.
        grid: the scene's pixels.
        features: its truth.
        labels: per cell 1 mine, 0 background, -1 neither.
        mines: most windows on mines.
        background: most windows of background.
        seed: of the drawing.
    """
    random = np.random.default_rng(seed)
    inside = _whole(grid, labels)
    alike = cell_distances_px(grid, [f.polygon for f in features if not f.is_mine]) <= _BESIDE_PX
    strata = (
        ("mine", None, _spread_mines(grid, features, np.argwhere(inside & (labels == 1)), random), mines),
        ("background", "look-alike", random.permutation(np.argwhere(inside & (labels == 0) & alike)), background // 2),
        ("background", "random", random.permutation(np.argwhere(inside & (labels == 0) & ~alike)),
         background - background // 2),
    )  # fmt: skip
    for label, reason, cells, most in strata:
        for (i, j), (lon, lat) in zip(cells[:most], grid.cell_centres(cells[:most]), strict=True):
            corner = (int(k) * STRIDE_PX + CENTRE_PX - CONTEXT_PX // 2 for k in (i, j))
            name = f"{place}-{i}-{j}".replace(" ", "-")
            yield GeneratedWindow(name, label, reason, GENERATED + place, float(lon), float(lat), *corner)


def generated_samples(
    level: ProductLevel, bands: Sequence[str], scenes: int, scratch: Path, size_px: int = SIZE_PX
) -> Iterator[tuple[SampleEntry, NDArray[np.uint16]]]:
    """Windows of the first scenes that the demonstration models were trained on; the last scene validates.

    Args:
        level: product.
        bands: of the model, in its order.
        scenes: how many scenes are drawn again.
        scratch: folder for them.
        size_px: side of a scene; only `SIZE_PX` gives the scenes of the training.
    """
    order = [BANDS[level].index(band) for band in bands]
    for number, seed in enumerate(TRAINING_SEEDS[:scenes]):
        scene = make_scene(seed, scratch, size_px, CROWDING)
        split = VALIDATION if scenes > 1 and number == scenes - 1 else TRAINING
        labels, dn = cell_labels(scene.grid, scene.features), scene.dn(level)
        drawn = generated_windows(str(seed), scene.grid, scene.features, labels, MINES, BACKGROUND, seed)
        for window in drawn:
            yield window.entry(split), np.ascontiguousarray(window.cut(dn)[..., order])


def _whole(grid: RasterGrid, labels: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Cells whose 255 px lie inside the scene."""
    starts = [np.arange(n) * STRIDE_PX + CENTRE_PX - CONTEXT_PX // 2 for n in labels.shape]
    rows, cols = (
        (start >= 0) & (start + CONTEXT_PX <= side)
        for start, side in zip(starts, (grid.height_px, grid.width_px), strict=True)
    )
    whole: NDArray[np.bool_] = rows[:, None] & cols[None]
    return whole


def _spread_mines(
    grid: RasterGrid, features: Sequence[Feature], cells: NDArray[np.intp], random: np.random.Generator
) -> NDArray[np.intp]:
    """Mine cells in an order in which every mine comes once before any comes twice."""
    cells = random.permutation(cells)
    if not len(cells):
        return cells
    numbers = sorted({f.mine for f in features if f.is_mine})
    apart = np.stack([
        cell_distances_px(grid, [f.polygon for f in features if f.mine == n])[cells[:, 0], cells[:, 1]]
        for n in numbers
    ])  # fmt: skip
    owner = apart.argmin(axis=0)
    turn = np.zeros(len(cells), np.int64)
    for mine in range(len(numbers)):
        turn[owner == mine] = np.arange((owner == mine).sum())
    ordered: NDArray[np.intp] = cells[np.argsort(turn, kind="stable")]
    return ordered
