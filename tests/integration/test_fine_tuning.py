"""Fine-tuning of the head: it learns, it goes on exactly where it stopped, and it leaves the trunk alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.networks import keras, tensor_shapes
from minedisc_core.detection.scorer import DiscoveryNet
from minedisc_core.detection.spread import ALWAYS, cell_numbers, feature_channels
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import Cancelled, UsageError
from minedisc_core.learning.features import MIDDLE, cells_at, window_features
from minedisc_core.learning.fine_tuning import FineTuningOptions, HeadExamples, fine_tune
from minedisc_core.learning.heads import head_of

pytestmark = pytest.mark.tensorflow
COUNT = 48


@pytest.fixture(scope="module", params=["context", "spread"])
def tensors(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    found = {
        name: (random.normal(size=shape) * 0.03).astype(np.float32)
        for name, shape in tensor_shapes("discovery", 3, request.param).items()
    }
    if request.param == "spread":
        found["standard/kernel"][:] = 2.0
        found["output/bias"][:] = (0.0, ALWAYS)
    return found


@pytest.fixture(scope="module")
def examples(tensors: dict[str, np.ndarray]) -> HeadExamples:
    """A mine has more of the first feature; rejected ones and other background differ in the second."""
    random = np.random.default_rng(1)
    labels = (np.arange(COUNT) % 2).astype(np.int32)
    groups = np.where(labels == 1, 0, 1 + np.arange(COUNT) // 2 % 2).astype(np.int32)
    channels = feature_channels("spread" if "standard/kernel" in tensors else "context", 3)
    features = random.random((COUNT, 8, 9, 9, channels)).astype(np.float32)
    features[..., 0] += 2 * labels[:, None, None, None]
    features[..., 1] += 2 * (groups == 1)[:, None, None, None]
    return HeadExamples(features, labels, groups)


def sides() -> tuple[np.ndarray, np.ndarray]:
    return np.arange(0, 36), np.arange(36, COUNT)


def test_it_learns_and_leaves_the_trunk_alone(tensors: dict[str, np.ndarray], examples: HeadExamples) -> None:
    told: list[Mapping[str, float]] = []
    rate = 0.03 if "standard/kernel" in tensors else 1e-3
    options = FineTuningOptions(24, 16, rate, on_epoch=lambda _e, figures, _s: told.append(figures))
    found, epoch = fine_tune(tensors, examples, *sides(), options)
    assert min(figures["loss"] for figures in told) < 0.7 * told[0]["loss"]
    assert told[epoch - 1]["validation_accuracy"] == 1.0
    assert min(figures["validation_loss"] for figures in told) == told[epoch - 1]["validation_loss"]
    for name, before in tensors.items():
        assert found[name].shape == before.shape
        assert (found[name] == before).all() == (name not in head_of(tensors).names)


def test_one_that_stops_goes_on_exactly_as_if_it_had_not(
    tensors: dict[str, np.ndarray], examples: HeadExamples
) -> None:
    kept: dict[str, Any] = {}

    def stop(epoch: int, _figures: Mapping[str, float], state: Mapping[str, Any]) -> None:
        kept.update({name: np.array(values) for name, values in state.items()})
        if epoch == 2:
            raise Cancelled("enough")

    whole, _ = fine_tune(tensors, examples, *sides(), FineTuningOptions(epochs=4, batch=16, seed=5))
    with pytest.raises(Cancelled):
        fine_tune(tensors, examples, *sides(), FineTuningOptions(epochs=4, batch=16, seed=5, on_epoch=stop))
    again, _ = fine_tune(tensors, examples, *sides(), FineTuningOptions(epochs=4, batch=16, seed=5), kept)
    for name in head_of(tensors).names:
        np.testing.assert_allclose(again[name], whole[name], rtol=0, atol=1e-6)


def test_one_class_alone_is_refused(tensors: dict[str, np.ndarray], examples: HeadExamples) -> None:
    with pytest.raises(UsageError, match="one class only"):
        fine_tune(tensors, examples, np.arange(0, 36, 2), np.arange(0), FineTuningOptions(epochs=1))


def test_without_validation_the_last_epoch_counts(tensors: dict[str, np.ndarray], examples: HeadExamples) -> None:
    _, epoch = fine_tune(tensors, examples, sides()[0], np.arange(0), FineTuningOptions(epochs=3, batch=16))
    assert epoch == 3


def test_a_spread_head_says_of_a_window_what_the_scan_says_of_its_cell() -> None:
    random = np.random.default_rng(4)
    shapes = tensor_shapes("discovery", 3, "spread")
    tensors = {name: (random.normal(size=shape) * 0.05).astype(np.float32) for name, shape in shapes.items()}
    card = ModelCard("s", "1", "discovery", ProductLevel.L1C, ("B2", "B3", "B4"), (900.0, 800.0, 700.0),
                     (200.0, 200.0, 200.0), head="spread", dark=(600.0, 450.0, 300.0))  # fmt: skip
    net = DiscoveryNet(card, tensors, 1)
    window = random.integers(500, 1_500, (255, 255, 3)).astype(np.uint16)
    features = window_features(net, lambda _: window, [1])
    head, middle = head_of(tensors), np.array([MIDDLE])
    inputs = head.inputs(cells_at(features[:, 0], middle, middle))
    variables = [tensors[name].reshape(-1, 2) if "kernel" in name else tensors[name] for name in head.names]
    logits = head.logits(variables, inputs, np.ones_like(inputs)).numpy()[0]
    assert 1 / (1 + np.exp(-logits[1])) == pytest.approx(float(net.head(net.trunk(window, None))[1, 1]), abs=1e-5)
    assert inputs.shape == (1, head.hidden)
    assert cell_numbers(keras().ops, features[0, :1]).shape[-1] == head.hidden
