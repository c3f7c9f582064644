"""The spread head: one formula in three libraries, the same at every seam, and safe to carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minedisc_core.detection import openvino_runtime, spread
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.engines import load_nets_for
from minedisc_core.detection.models import load_model, load_tensors, save_model
from minedisc_core.detection.networks import (
    build_discovery,
    get_tensors,
    keras,
    keras_bytes,
    parameter_count,
    set_tensors,
    tensor_shapes,
)
from minedisc_core.detection.openvino_nets import OpenVinoDiscovery
from minedisc_core.detection.openvino_runtime import Threads
from minedisc_core.detection.probe import probe_pixels
from minedisc_core.detection.scorer import DiscoveryNet
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ModelError

pytestmark = pytest.mark.tensorflow
NEEDS_OPENVINO = pytest.mark.skipif(not openvino_runtime.is_installed(), reason="not published for this platform")


def card_of(bands: int) -> ModelCard:
    mean = tuple(float(900 + 70 * k) for k in range(bands))
    return ModelCard(
        "spread", "1", "discovery", ProductLevel.L1C, tuple(f"B{k + 1}" for k in range(bands)), mean,
        tuple(0.3 * value for value in mean), head="spread", dark=tuple(0.6 * value for value in mean),
    )  # fmt: skip


def tensors_of(bands: int) -> dict[str, np.ndarray]:
    """Weights that spread the scores over 0..1."""
    random = np.random.default_rng(bands)
    found = {}
    for name, shape in tensor_shapes("discovery", bands, "spread").items():
        width = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.01
        found[name] = random.normal(0, width, shape).astype(np.float32)
    found["standard/kernel"] = random.uniform(0.5, 3, found["standard/kernel"].shape).astype(np.float32)
    found["output/kernel"] *= 0.1
    found["output/bias"] = np.array([0.0, 2.0], np.float32)
    return found


def z_scores(card: ModelCard, dn: np.ndarray) -> np.ndarray:
    scores = (dn - np.asarray(card.mean, np.float32)) / np.asarray(card.std, np.float32)
    return np.where((dn == 0).any(axis=-1, keepdims=True), 0, scores).astype(np.float32)


@pytest.mark.parametrize("bands", [1, 2, 3, 12])
def test_keras_its_file_and_the_reference_give_the_same_scores(bands: int, tmp_path: Path) -> None:
    card, tensors = card_of(bands), tensors_of(bands)
    dn = probe_pixels(card)
    net = DiscoveryNet(card, tensors, 1)
    scores = net.head(net.trunk(dn, (dn == 0).any(axis=-1)))
    network = build_discovery(bands, ground=card.ground)
    set_tensors(network, tensors)
    np.testing.assert_allclose(network(z_scores(card, dn)[None]).numpy()[0, ..., 1], scores, atol=1e-5)
    file = tmp_path / "net.keras"
    file.write_bytes(keras_bytes("discovery", tensors, tmp_path, card.ground))
    again = keras().models.load_model(file, safe_mode=True)
    np.testing.assert_allclose(again(z_scores(card, dn)[None]).numpy()[0], network(z_scores(card, dn)[None]).numpy()[0])
    assert scores.max() - scores.min() > 0.01
    assert sum(values.size for values in tensors.values()) == parameter_count("discovery", bands, "spread")


@NEEDS_OPENVINO
@pytest.mark.parametrize("bands", [1, 2, 3, 12])
def test_openvino_agrees_with_the_reference(bands: int) -> None:
    card, tensors = card_of(bands), tensors_of(bands)
    dn = probe_pixels(card)
    no_data = (dn == 0).any(axis=-1)
    right, net = DiscoveryNet(card, tensors, 1), OpenVinoDiscovery(card, tensors, "f32", Threads())
    features = right.trunk(dn, no_data)
    assert features.shape[-1] == spread.feature_channels("spread", bands)
    np.testing.assert_allclose(net.trunk(dn, no_data), features, atol=1e-4)
    np.testing.assert_allclose(net.head(net.trunk(dn, no_data)), right.head(features), atol=1e-5)


@pytest.mark.parametrize("size", [(189, 189), (201, 255), (202, 283)])
@NEEDS_OPENVINO
def test_rasters_of_any_size_have_the_cells_that_the_reference_sees(size: tuple[int, int]) -> None:
    card, tensors = card_of(3), tensors_of(3)
    dn = np.random.default_rng(4).integers(400, 2_000, (*size, 3)).astype(np.uint16)
    right, net = DiscoveryNet(card, tensors, 1), OpenVinoDiscovery(card, tensors, "f32", Threads())
    np.testing.assert_allclose(net.head(net.trunk(dn, None)), right.head(right.trunk(dn, None)), atol=1e-5)


def test_a_cell_scores_the_same_in_its_window_and_in_a_scene() -> None:
    card, tensors = card_of(3), tensors_of(3)
    dn = np.random.default_rng(3).integers(400, 2_000, (351, 378, 3)).astype(np.uint16)
    net = DiscoveryNet(card, tensors, 1)
    whole = net.head(net.trunk(dn, None))
    window = net.head(net.trunk(np.ascontiguousarray(dn[27:282, 54:309]), None))
    np.testing.assert_allclose(window[1, 1], whole[2, 3], atol=1e-6)


def test_land_without_mines_takes_the_score_away_and_joint_odds_are_those_of_the_score() -> None:
    ops = keras().ops
    odds = np.array([[2.0, spread.ALWAYS], [2.0, 0.0], [-1.0, -3.0], [30.0, 30.0], [-60.0, 1.0]], np.float32)
    score = np.asarray(spread.score(ops, odds))
    np.testing.assert_allclose(score[:2], [0.880797, 0.440399], atol=1e-5)
    joint = np.asarray(spread.joint_odds(ops, odds))
    np.testing.assert_allclose(1 / (1 + np.exp(-joint)), score, atol=1e-6)
    assert np.isfinite(joint).all()
    assert joint[4] == pytest.approx(-60 - np.log1p(np.exp(-1)), abs=1e-3)


def test_the_ground_is_measured_against_itself_so_that_light_on_all_of_it_changes_nothing() -> None:
    ground = card_of(3).ground
    assert ground is not None
    dn = np.random.default_rng(1).uniform(1.0, 3.0, (1, 255, 255, 1)) * ground.dark
    brighter = (dn - ground.dark) * 1.5 + ground.dark
    ops, part = keras().ops, spread.ground_part(3)
    seen = []
    for pixels in (dn, brighter):
        blocks = np.asarray(spread.ground_blocks(ops, (pixels - ground.mean).astype(np.float32), ground))
        features = np.concatenate([np.zeros((*blocks.shape[:3], 64), np.float32), blocks], axis=-1)
        seen.append(np.asarray(spread.cell_numbers(ops, features))[0, ..., part])
    levels, light = spread.ground_channels(3), 3
    assert np.abs(seen[1] - seen[0])[..., :light].min() > 0.3  # the level of light has changed
    for start in (levels, 2 * levels, 3 * levels):  # how it stands out has not
        np.testing.assert_allclose(seen[1][..., start : start + light], seen[0][..., start : start + light], atol=2e-3)


def test_bands_are_compared_with_the_two_that_follow() -> None:
    first, second = spread.band_pairs(4)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    assert [spread.ground_channels(bands) for bands in (1, 2, 3, 12)] == [1, 3, 6, 33]


def test_a_model_folder_keeps_head_and_dark_and_a_scan_loads_it(tmp_path: Path, settings) -> None:
    card, tensors = card_of(3), tensors_of(3)
    save_model(settings.models / "mine-net", (card, tensors))
    model = load_model("mine-net", settings)
    assert (model.discovery.head, model.discovery.dark) == ("spread", card.dark)
    np.testing.assert_array_equal(load_tensors(model, "discovery")["standard/bias"], tensors["standard/bias"])
    nets = load_nets_for(model, "auto", Threads(), tmp_path)
    dn = probe_pixels(card)
    right = DiscoveryNet(card, tensors, 1)
    found = nets.discovery.head(nets.discovery.trunk(dn, (dn == 0).any(axis=-1)))
    np.testing.assert_allclose(found, right.head(right.trunk(dn, (dn == 0).any(axis=-1))), atol=5e-3)
    if openvino_runtime.is_installed():
        assert nets.engine.name.startswith("openvino")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"head": "round"}, "the head is 'round'"),
        ({"dark": ()}, "0 dark values for 3 bands"),
        ({"head": "context"}, "3 dark values for 3 bands"),
        ({"dark": (5_000.0, 1.0, 1.0)}, "not from 0 to 0.99 of a mean"),
        ({"dark": (899.999999999, 1.0, 1.0)}, "not from 0 to 0.99 of a mean"),
        ({"dark": (-1.0, 1.0, 1.0)}, "not from 0 to 0.99 of a mean"),
        ({"mean": (1e-40, 900.0, 900.0), "dark": (0.0, 1.0, 1.0)}, "not from 0 to 0.99 of a mean"),
    ],
)
def test_a_card_that_cannot_be_is_refused(change: dict, told: str, settings) -> None:
    save_model(settings.models / "odd", (card_of(3), tensors_of(3)))
    from minedisc_core.detection.cards import write_card

    write_card(settings.models / "odd" / "discovery.json", replace(card_of(3), **change))
    with pytest.raises(ModelError, match=told):
        load_model("odd", settings)


def test_weights_of_the_other_head_are_refused(settings) -> None:
    save_model(settings.models / "odd", (card_of(3), tensors_of(3)))
    from minedisc_core.detection.cards import write_card

    write_card(settings.models / "odd" / "discovery.json", replace(card_of(3), head="context", dark=()))
    with pytest.raises(ModelError, match=r"holds|lacks"):
        load_tensors(load_model("odd", settings), "discovery")


def test_the_tensors_are_those_that_keras_builds() -> None:
    shapes = {name: values.shape for name, values in get_tensors(build_discovery(3, ground=card_of(3).ground)).items()}
    assert shapes == tensor_shapes("discovery", 3, "spread")
