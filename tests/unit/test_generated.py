"""Windows of generated scenes: the dataset of the demonstration models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minedisc_core.domain import ProductLevel
from minedisc_core.grid import CENTRE_PX, CONTEXT_PX, STRIDE_PX
from minedisc_core.learning import generated
from minedisc_core.learning.demo_models import cell_labels, make_scene
from minedisc_core.learning.holding_out import TRAINING

SIZE = 800


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


def test_windows_are_centred_on_cells_of_their_label_and_hold_the_bands_of_the_model(scratch: Path) -> None:
    made = list(generated.generated_samples(ProductLevel.L1C, ("B4", "B2"), 1, scratch, SIZE))
    scene = make_scene(1000, scratch, SIZE)
    labels, dn = cell_labels(scene.grid, scene.features), scene.dn(ProductLevel.L1C)
    assert {entry.label for entry, _ in made} == {"mine", "background"}
    assert {entry.reason for entry, _ in made if entry.label == "background"} <= {"look-alike", "random"}
    assert len({entry.sample_id for entry, _ in made}) == len(made)
    for entry, pixels in made:
        i, j = map(int, entry.sample_id.split("-")[-2:])
        assert labels[i, j] == (1 if entry.label == "mine" else 0)
        assert (entry.place, entry.split) == ("generated 1000", TRAINING)
        row, col = (k * STRIDE_PX + CENTRE_PX - CONTEXT_PX // 2 for k in (i, j))
        expected = dn[row : row + CONTEXT_PX, col : col + CONTEXT_PX][..., [3, 1]]
        np.testing.assert_array_equal(pixels, expected)


def test_every_mine_comes_once_before_any_comes_twice(scratch: Path) -> None:
    scene = make_scene(1000, scratch, SIZE)
    labels = cell_labels(scene.grid, scene.features)
    windows = generated.generated_windows("x", scene.grid, scene.features, labels, 100, 0, 1)
    from shapely.geometry import Point

    mines = [f for f in scene.features if f.is_mine]
    order = [min(mines, key=lambda f: f.polygon.distance(Point(w.lon, w.lat))).mine for w in windows]
    turns: dict[int, int] = {}
    seen = []
    for mine in order:
        turns[mine] = turns.get(mine, 0) + 1
        seen.append(turns[mine])
    assert len(turns) > 1
    assert seen == sorted(seen)
