"""`minedisc bench tailings` on generated frames: every figure is there. What it finds on real ones: the README."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from minedisc_core.bench import tailings
from minedisc_core.errors import UsageError
from minedisc_core.learning.mask_labels import NEGATIVE, POSITIVE, MaskedScene
from minedisc_core.learning.spread import train_spread

pytestmark = pytest.mark.tensorflow


def scene(random, side=448, at=(60, 60), mine=True):
    """Dark rough ground, with a bright smooth structure at a place of the frame."""
    dn = random.normal((900, 800, 700), 60, (side, side, 3))
    mask = np.zeros((side, side), bool)
    if mine:
        mask[at[0] : at[0] + 90, at[1] : at[1] + 90] = True
        dn[mask] = random.normal((1800, 1900, 2200), 20, (int(mask.sum()), 3))
    return dn.clip(1).astype(np.uint16), mask


def write(path, array, lon):
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {"driver": "GTiff", "crs": "EPSG:4326", "transform": Affine(9e-5, 0, lon, 0, -9e-5, -20)}
    size = dict(zip(("count", "height", "width"), array.shape, strict=True))
    with rasterio.open(path, "w", dtype=array.dtype, **size, **kind) as dataset:
        dataset.write(array)


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(1)
    for number in range(6):
        dn, mask = scene(random, at=(30 + 10 * number, 40))
        write(tmp_path / "tailings_rgb" / f"t{number}.tif", np.moveaxis(dn, -1, 0), -44 + number)
        write(tmp_path / "tailings_rgb" / f"t{number}_mask.tif", mask[None].astype(np.uint8), -44 + number)
    for number in range(2):
        dn, _ = scene(random, side=224, mine=False)
        write(tmp_path / "terramind_l1c" / f"free{number}.tif", np.repeat(np.moveaxis(dn, -1, 0), [2, 2, 9], 0), number)
    return tmp_path


def figures_of(report):
    return {row["name"]: row for row in report["figures"]}


def test_every_figure_of_folds_is_measured(data, monkeypatch):
    monkeypatch.setattr(tailings, "FOLDS", 2)
    monkeypatch.setattr(tailings, "INNER_TURNS", 1)
    report = tailings.bench_tailings(data=data)
    json.dumps(report, allow_nan=False)
    found = figures_of(report)
    for name in (
        "window AUC, all cells of the judged scenes",
        "window AUC above the regression",
        "scenes hit by a positive cell",
        "negative cells hit",
        "false hits on mine-free scenes, pooled",
    ):
        assert found[name]["holds"] in (True, False)
        assert "no cell" not in found[name]["baseline"]
    assert found["judged scenes"]["value"] == 6
    assert found["mine-free scenes found"] | {"holds": False} == found["mine-free scenes found"]
    assert {"false hits on free0", "false hits on free1"} <= set(found)
    assert [fold["scenes"] for fold in report["folds"]] == [3, 3]
    assert [fold["training_frames"] for fold in report["folds"]] == [3, 3]
    assert sum(place["scenes"] for place in report["places"]) == 6


def test_a_second_folder_is_judged_by_a_net_that_learned_from_all_of_the_first(data, tmp_path):
    dn, mask = scene(np.random.default_rng(5), at=(40, 80))
    write(tmp_path / "test" / "new.tif", np.moveaxis(dn, -1, 0), 7)
    write(tmp_path / "test" / "new_mask.tif", mask[None].astype(np.uint8), 7)
    report = tailings.bench_tailings(data=data, test=tmp_path / "test")
    json.dumps(report, allow_nan=False)
    found = figures_of(report)
    assert (found["judged scenes"]["value"], report["frames"]) == (1, 7)
    assert found["window AUC, all cells of the judged scenes"]["holds"] in (True, False)
    assert [(fold["scenes"], fold["training_frames"]) for fold in report["folds"]] == [(1, 6)]
    assert {"false hits on free0", "false hits on free1"} <= set(found)


def test_a_net_that_was_trained_tells_bright_structures_from_ground():
    random = np.random.default_rng(2)
    scenes = [MaskedScene(str(k), str(k), *scene(random, at=(30 + 20 * k, 40))) for k in range(3)]
    scenes += [MaskedScene("free", "free", scene(random, side=224, mine=False)[0], None)]
    net = train_spread(scenes, bands=("B2", "B3", "B4"))
    unseen = MaskedScene("new", "new", *scene(random, at=(50, 200)))
    scores, labels = net.scores(unseen.dn), unseen.labels()
    assert scores.shape == (10, 10)
    assert scores[labels == POSITIVE].mean() > scores[labels == NEGATIVE].mean() + 0.2
    assert (net.tensors["output/kernel"][:, :, : 4 * 64] == 0).all()
    assert net.scores(scenes[-1].dn).max() < 0.1


def test_without_a_negative_cell_training_says_what_it_needs():
    random = np.random.default_rng(3)
    full = MaskedScene("s", "p", scene(random)[0], np.ones((448, 448), bool))
    with pytest.raises(UsageError, match="no negative cell"):
        train_spread([full], bands=("B2", "B3", "B4"))
