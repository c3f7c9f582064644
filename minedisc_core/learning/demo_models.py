"""The shipped demonstration models: both nets for L1C and for L2A, trained on generated scenes.

    python -m minedisc_core.learning.demo_models [--into models] [--work FOLDER] [--level L1C]

They show that the code works from pixels to candidates; they have never seen a real mine. Training uses
seeds from 1000 on, thresholds are chosen on seeds 101 to 104; the demo area (seed 0) and the benchmark
(seeds 1 to 5) stay unseen.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import save_model
from minedisc_core.detection.networks import Tensors
from minedisc_core.domain import ProductLevel
from minedisc_core.grid import PixelWindow, RasterGrid, Tile
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.demo import Feature, generate_scene, plan_scene
from minedisc_core.learning.demo_patches import impact_patches
from minedisc_core.learning.demo_tally import Tally, sites_above, tally, total
from minedisc_core.learning.dense import DenseOptions, LabelledScene, cell_distances_px, label_cells, train_on_scenes
from minedisc_core.learning.training import Trained, TrainingOptions, train_impact
from minedisc_core.settings import PROJECT_ROOT

TRAINING_SEEDS = tuple(range(1000, 1016))
TUNING_SEEDS = (101, 102, 103, 104)
SIZE_PX = 2048
CROWDING = 2.4
"""Training scenes hold this many times the mines and look-alikes of the demo area."""
NEAR_PX, FAR_PX = 20.0, 50.0
"""A cell is a mine with a mine within 200 m of its centre, background with none within 500 m."""
BANDS = {ProductLevel.L1C: L1C_BANDS, ProductLevel.L2A: L2A_BANDS}
NO_ORE_MARGIN = 0.9
"""Only sites whose cells are all "no ore" by this much are hidden: a small mine lies between patches."""
VERSION = "1"
DESCRIPTION = (
    "DEMONSTRATION MODEL. Trained on generated scenes only (minedisc_core.imagery.demo): it has seen no real mine. "
    "It shows that the code works; it says nothing about real imagery."
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DemoScene:
    """A generated scene on disk."""

    seed: int
    grid: RasterGrid
    features: tuple[Feature, ...]
    folder: Path

    def dn(self, level: ProductLevel) -> NDArray[np.uint16]:
        """Pixels of one product, (height, width, 12), mapped to memory."""
        mapped: NDArray[np.uint16] = np.load(self.folder / f"{self.seed}-{level}.npy", mmap_mode="r")
        return mapped

    def labelled(self, level: ProductLevel) -> LabelledScene:
        """The scene with a label for each cell."""
        return LabelledScene(f"demo seed {self.seed}", self.dn(level), cell_labels(self.grid, self.features))


def cell_labels(grid: RasterGrid, features: Sequence[Feature]) -> NDArray[np.int8]:
    """1 mine, 0 background, -1 neither, for each cell of a scene."""
    mines = [f.polygon for f in features if f.is_mine]
    return label_cells(cell_distances_px(grid, mines), NEAR_PX, FAR_PX)


def make_scene(seed: int, folder: Path, size_px: int = SIZE_PX, crowding: float = CROWDING) -> DemoScene:
    """Generate a scene and keep both products in `folder`; those already there are used again."""
    plan = plan_scene(size_px, seed, crowding)
    made = DemoScene(seed, plan.grid, plan.features, folder)
    paths = {level: folder / f"{seed}-{level}.npy" for level in BANDS}
    if not all(path.exists() for path in paths.values()):
        scene = generate_scene(size_px, seed, crowding=crowding)
        for level, dn in ((ProductLevel.L1C, scene.l1c), (ProductLevel.L2A, scene.l2a)):
            np.save(folder / f"{seed}-part.npy", np.ascontiguousarray(dn))
            (folder / f"{seed}-part.npy").rename(paths[level])
    _log.info("scene of seed %d: %d polygons of mines", seed, sum(f.is_mine for f in plan.features))
    return made


def train_pair(
    level: ProductLevel,
    scenes: Sequence[DemoScene],
    tuning: Sequence[DemoScene],
    dense: DenseOptions,
    impact: TrainingOptions,
) -> tuple[tuple[ModelCard, Tensors], tuple[ModelCard, Tensors]]:
    """Train both nets of one product and write their cards.

    Args:
        level: product.
        scenes: training scenes.
        tuning: scenes on which the threshold is chosen.
        dense: how to train the discovery net.
        impact: how to train the impact net.

    Returns:
        Card and float16 tensors of the discovery net and of the impact net.
    """
    name = f"demo-{level.lower()}"
    found = train_on_scenes([s.labelled(level) for s in scenes], bands=BANDS[level], level=level, options=dense)
    threshold, result = choose_threshold(found, tuning)
    _log.info("%s: threshold %.2f, recall %.3f, %d false sites on the tuning seeds",
              name, threshold, result.recall, result.false_sites)  # fmt: skip
    card = found.card(name, VERSION, threshold=threshold, is_demonstration=True, description=DESCRIPTION)
    card.training["tuning"] = {  # type: ignore[index]  # a dict made by Trained.card
        "seeds": [s.seed for s in tuning], "recall": round(result.recall, 4), "sites": result.sites,
        "false_sites": result.false_sites, "far_fraction": round(result.far_fraction, 4),
    }  # fmt: skip
    patches, labels, places = impact_patches(((s.grid, s.features, s.dn(level), s.seed) for s in scenes), seed=7)
    classed = train_impact(patches, labels, places, bands=BANDS[level], level=level, options=impact)
    impact_card = classed.card(
        name, VERSION, no_ore_margin=NO_ORE_MARGIN, is_demonstration=True, description=DESCRIPTION
    )
    return (card, _halved(found.tensors)), (impact_card, _halved(classed.tensors))


def _halved(tensors: Tensors) -> dict[str, NDArray[np.float16]]:
    return {name: values.astype(np.float16) for name, values in tensors.items()}


def choose_threshold(found: Trained, tuning: Sequence[DemoScene]) -> tuple[float, Tally]:
    """The middle of the best thresholds on the tuning scenes, and its result (see `Tally.preference`)."""
    card = found.card("tuning", VERSION)
    scored = [score_scene(card, _halved(found.tensors), s.grid, s.dn(found.level)) for s in tuning]
    results = {}
    for percent in range(30, 99, 2):
        counts = (
            tally(s.grid, s.features, sites_above(s.grid, scores, percent / 100))
            for s, scores in zip(tuning, scored, strict=True)
        )
        results[percent / 100] = total(counts)
    best = max(result.preference for result in results.values())
    good = [threshold for threshold, result in results.items() if result.preference == best]
    chosen = good[len(good) // 2]
    return chosen, results[chosen]


def score_scene(card: ModelCard, tensors: Tensors, grid: RasterGrid, dn: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Scores of all cells of a scene in memory, by the scan that the product uses."""
    from minedisc_core.detection.scan import scan
    from minedisc_core.detection.scorer import DiscoveryNet

    def read(window: PixelWindow) -> NDArray[np.uint16]:
        return dn[window.row : window.row + window.height, window.col : window.col + window.width]

    return scan(grid, np.ones(grid.cells, bool), read, DiscoveryNet(card, tensors), _Forgetful()).scores


class _Forgetful:
    """A tile store that keeps nothing."""

    def load(self, tile: Tile) -> None:
        """Nothing is ever there."""

    def save(self, tile: Tile, result: object) -> None:
        """Nothing is kept."""


def make_models(into: Path, work: Path, levels: Sequence[ProductLevel], steps: int) -> None:
    """Generate the scenes, train the pairs, write the model folders.

    The second product starts from the weights of the first: the ground is the same, most bands are.
    """
    scenes = [make_scene(seed, work) for seed in TRAINING_SEEDS]
    tuning = [make_scene(seed, work, crowding=1.0) for seed in TUNING_SEEDS]
    dense = DenseOptions(steps=steps, on_step=_report)
    impact = TrainingOptions(
        epochs=7, batch=64, learning_rate=3e-4, policy="mixed_bfloat16", seed=1, on_epoch=_report_epoch
    )
    for level in levels:
        pair = train_pair(level, scenes, tuning, dense, impact)
        save_model(into / f"demo-{level.lower()}", *pair)
        other = next(iter(BANDS.keys() - {level}))
        start = carried_over(pair[0][1], BANDS[level], BANDS[other])
        dense = replace(dense, start_from=start, steps=steps * 3 // 5, learning_rate=5e-4)


def carried_over(tensors: Tensors, bands: Sequence[str], wanted: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Weights for other bands: a band that both have keeps its kernel, a new one starts at zero."""
    kernel = np.asarray(tensors["conv1/kernel"], np.float32)
    moved = np.zeros((*kernel.shape[:2], len(wanted), kernel.shape[3]), np.float32)
    for index, band in enumerate(wanted):
        if band in bands:
            moved[:, :, index] = kernel[:, :, list(bands).index(band)]
    return {**{name: np.asarray(values, np.float32) for name, values in tensors.items()}, "conv1/kernel": moved}


def _report(step: int, loss: float) -> None:
    if step % 50 == 0:
        _log.info("step %d: loss %.4f", step, loss)


def _report_epoch(epoch: int, figures: object) -> None:
    _log.info("impact net, epoch %d: %s", epoch, figures)


def main() -> None:
    """Train and write the shipped models."""
    parser = argparse.ArgumentParser(description="Train the demonstration models on generated scenes.")
    parser.add_argument("--into", type=Path, default=PROJECT_ROOT / "models", help="folder of the model folders")
    parser.add_argument("--work", type=Path, help="folder for the scenes (6 GB); default: a temporary one")
    parser.add_argument("--level", action="append", choices=["L1C", "L2A"], help="only this product")
    parser.add_argument("--steps", type=int, default=1400, help="training steps of the discovery net")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    levels = [ProductLevel(level) for level in given.level or ("L1C", "L2A")]
    if given.work:
        given.work.mkdir(parents=True, exist_ok=True)
        make_models(given.into, given.work, levels, given.steps)
        return
    with tempfile.TemporaryDirectory() as scratch:
        make_models(given.into, Path(scratch), levels, given.steps)


if __name__ == "__main__":
    main()
