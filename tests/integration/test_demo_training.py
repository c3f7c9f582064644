from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minedisc_core.bench.demo import bench_demo
from minedisc_core.detection.models import load_model, save_model
from minedisc_core.detection.networks import parameter_count
from minedisc_core.domain import ProductLevel
from minedisc_core.grid import cells_along
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.learning.demo_models import make_scene, score_scene, train_pair
from minedisc_core.learning.demo_patches import impact_patches
from minedisc_core.learning.dense import DenseOptions, LabelledScene, train_on_scenes
from minedisc_core.learning.training import TrainingOptions
from minedisc_core.settings import Settings

pytestmark = pytest.mark.tensorflow


def bright_spot_scene(name: str, seed: int) -> LabelledScene:
    """Bright squares on noise: a net that learns at all learns this."""
    rng = np.random.default_rng(seed)
    side = 27 * 16
    dn = rng.integers(900, 1100, (side, side, 3)).astype(np.uint16)
    labels = np.zeros((cells_along(side),) * 2, np.int8)
    for i, j in ((2, 3), (7, 6)):
        row, col = 27 * i + 100, 27 * j + 100
        dn[row - 12 : row + 13, col - 12 : col + 13] = 3000
        labels[i, j] = 1
        ring = labels[i - 1 : i + 2, j - 1 : j + 2]
        ring[ring == 0] = -1
    return LabelledScene(name, dn, labels)


def test_training_on_scenes_learns_where_bright_spots_are() -> None:
    options = DenseOptions(steps=60, rounds=2, batch=2, tile_features=13, policy="float32", learning_rate=2e-3)
    losses: list[float] = []
    options = DenseOptions(**{**vars(options), "on_step": lambda _step, loss: losses.append(loss)})
    scenes = [bright_spot_scene(f"s{k}", k) for k in range(3)]
    trained = train_on_scenes(scenes, bands=("B2", "B3", "B4"), level=ProductLevel.L1C, options=options)
    assert len(losses) == 60
    assert np.mean(losses[-8:]) < 0.5 * np.mean(losses[:8])
    assert trained.figures["training"]["recall"] > 0.8
    assert trained.figures["cells_mine"] == 6
    assert sum(values.size for values in trained.tensors.values()) == parameter_count("discovery", 3)


def test_a_pair_is_trained_saved_and_measured_from_scenes_alone(tmp_path: Path) -> None:
    scenes = [make_scene(seed, tmp_path, 512) for seed in (2001, 2002, 2003)]
    dense = DenseOptions(steps=4, rounds=2, batch=1, tile_features=13, policy="float32")
    impact = TrainingOptions(epochs=1, validation_fraction=0.34)
    pair = train_pair(ProductLevel.L1C, scenes[:3], scenes[:1], dense, impact)
    folder = tmp_path / "model"
    save_model(folder, *pair)
    model = load_model(str(folder), Settings(tmp_path))
    assert model.discovery.is_demonstration
    assert model.impact is not None
    assert folder.joinpath("impact.safetensors").stat().st_size < 5e6
    scores = score_scene(*pair[0], scenes[0].grid, scenes[0].dn(ProductLevel.L1C))
    assert scores.shape == scenes[0].grid.cells
    assert ((scores > 0) & (scores < 1)).all()
    found = bench_demo(512, (2002,), ("L1C",), models=(str(folder),), with_baselines=False)
    assert all(figure["holds"] in (True, False, None) for figure in found["figures"])
    assert {"L1C site recall, before discard", "L1C false sites, after discard"} <= {
        f["name"] for f in found["figures"]
    }


def test_impact_patches_hold_all_classes_and_no_ore_patches_touch_no_mine(tmp_path: Path) -> None:
    scene = make_scene(2004, tmp_path, 700)
    rows = [(scene.grid, scene.features, scene.dn(ProductLevel.L1C), 2004)]
    patches, labels, places = impact_patches(rows, seed=1)
    assert patches.shape[1:] == (21, 21, len(L1C_BANDS))
    assert patches.dtype == np.uint16
    assert patches.min() >= 1
    assert set(labels.tolist()) == {0, 1, 2}
    assert set(places.tolist()) == {2004}
    again, _, _ = impact_patches(rows, seed=1)
    assert np.array_equal(patches, again)
