"""Training of both nets on small made-up windows."""

from dataclasses import replace

import numpy as np
import pytest

from minedisc_core.detection.models import load_model, save_model
from minedisc_core.detection.networks import build_discovery, set_tensors, tensor_shapes, tensorflow
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import MinediscError, UsageError
from minedisc_core.learning.recipes import DEFAULT, PAPER
from minedisc_core.learning.soundness import StepGuard, only_finite
from minedisc_core.learning.training import TrainingOptions, band_statistics, symmetry, train_discovery, train_impact

pytestmark = pytest.mark.tensorflow
BANDS = ("B2", "B3", "B4")
L1C = ProductLevel.L1C
QUICK = TrainingOptions(epochs=3, batch=8, learning_rate=1e-3, seed=1)


def windows(side, count=24, classes=2):
    """Windows whose class is a bright patch in the middle, in another band per class."""
    random = np.random.default_rng(2)
    pixels = random.integers(900, 1_100, (count, side, side, 3)).astype(np.uint16)
    labels = np.arange(count) % classes
    middle, half = side // 2, max(4, side // 8)
    for window, label in zip(pixels, labels, strict=True):
        window[middle - half : middle + half, middle - half : middle + half, label] += 800 if label else 0
    pixels[0, :9] = 0
    return pixels, labels, np.arange(count) // classes


@pytest.fixture(scope="module")
def trained():
    heard = []
    options = TrainingOptions(epochs=6, batch=8, seed=1, on_epoch=lambda epoch, figures: heard.append((epoch, figures)))
    return train_discovery(*windows(255), bands=BANDS, level=L1C, options=options), heard


def test_the_discovery_net_learns_what_tells_the_classes_apart(trained):
    result, heard = trained
    assert result.figures["validation"]["samples"] == 4
    assert result.figures["training"]["accuracy"] >= 0.9
    assert [epoch for epoch, _ in heard] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "validation_loss", "validation_accuracy"} <= heard[0][1].keys()
    assert {"f1", "recall", "precision", "confusion"} <= result.figures["validation"].keys()


def test_trained_weights_make_a_model_folder_that_loads(trained, settings):
    result, _ = trained
    save_model(settings.models / "new", (result.card("new", "1", threshold=0.8, description="a test"), result.tensors))
    card = load_model("new", settings).discovery
    assert (card.bands, card.level, card.threshold) == (BANDS, L1C, 0.8)
    assert card.mean == result.mean
    assert card.training["window_px"] == 255
    assert card.paper["f1"] == 0.9689


def test_normalisation_comes_from_the_training_part_only_and_leaves_no_data_out():
    pixels, _, _ = windows(255)
    mean, std = band_statistics(pixels, np.array([0, 1]))
    valid = pixels[:2].reshape(-1, 3)
    valid = valid[(valid != 0).all(axis=1)].astype(float)
    np.testing.assert_allclose(mean, valid.mean(axis=0).round())
    np.testing.assert_allclose(std, valid.std(axis=0), rtol=1e-6)


def test_windows_without_any_data_cannot_be_normalised():
    with pytest.raises(UsageError, match="no data"):
        band_statistics(np.zeros((3, 21, 21, 2), np.uint16))


def test_the_same_seed_gives_the_same_weights():
    first, second = (train_impact(*windows(21, 24, 3), bands=BANDS, level=L1C, options=QUICK) for _ in range(2))
    other = train_impact(
        *windows(21, 24, 3), bands=BANDS, level=L1C, options=TrainingOptions(epochs=3, batch=8, seed=2)
    )
    assert all((first.tensors[name] == second.tensors[name]).all() for name in first.tensors)
    assert any((first.tensors[name] != other.tensors[name]).any() for name in first.tensors)


def test_the_impact_net_learns_three_classes_in_mixed_precision():
    options = TrainingOptions(epochs=25, batch=8, learning_rate=1e-3, policy="mixed_bfloat16")
    result = train_impact(*windows(21, 60, 3), bands=BANDS, level=L1C, options=options)
    assert result.figures["training"]["accuracy"] >= 0.8
    assert all(values.dtype == np.float32 for values in result.tensors.values())
    assert result.card("i", "1").classes == ("high", "low", "no_ore")


def test_training_can_go_on_from_weights_with_their_normalisation(trained):
    result, _ = trained
    options = TrainingOptions(
        epochs=1,
        batch=8,
        learning_rate=1e-7,
        start_from=result.tensors,
        start_mean=result.mean,
        start_std=result.std,
        start_dark=result.dark,
    )
    again = train_discovery(*windows(255), bands=BANDS, level=L1C, options=options)
    assert (again.mean, again.std) == (result.mean, result.std)
    np.testing.assert_allclose(again.tensors["conv1/kernel"], result.tensors["conv1/kernel"], atol=1e-5)


def test_windows_of_201_px_train_as_in_the_paper_and_no_validation_is_possible():
    pixels, labels, places = windows(201, 8)
    options = TrainingOptions(epochs=1, batch=4, validation_fraction=0, recipe=PAPER)
    result = train_discovery(pixels, labels, places, bands=BANDS, level=L1C, options=options)
    assert result.figures["validation"] == {"samples": 0}
    network = build_discovery(3)
    set_tensors(network, result.tensors)
    assert network(np.zeros((1, 201, 201, 3), np.float32)).shape == (1, 1, 1, 2)


@pytest.fixture
def step_by_step():
    """Every step is Python, not a graph made once."""
    tensorflow().config.run_functions_eagerly(True)
    yield
    tensorflow().config.run_functions_eagerly(False)


@pytest.mark.parametrize("gradient", [np.inf, np.nan])
def test_a_step_whose_gradients_are_no_numbers_teaches_nothing_and_is_counted(gradient, monkeypatch, step_by_step):
    steps = []

    def broken_at_times(loss, gradients):
        steps.append(loss)
        return only_finite(loss, [tensor * gradient for tensor in gradients] if len(steps) % 2 else gradients)

    monkeypatch.setattr("minedisc_core.learning.step.only_finite", broken_at_times)
    result = train_impact(*windows(21, 24, 3), bands=BANDS, level=L1C, options=QUICK)
    assert result.figures["steps_left_out"] == (len(steps) + 1) // 2 > 2
    assert all(np.isfinite(values).all() for values in result.tensors.values())


def test_a_training_that_runs_away_stops_with_an_error_and_gives_no_weights():
    options = TrainingOptions(epochs=40, batch=8, learning_rate=1e30, validation_fraction=0)
    with pytest.raises(MinediscError, match="no finite number") as told:
        train_impact(*windows(21, 24, 3), bands=BANDS, level=L1C, options=options)
    assert "float32" in told.value.remedy


def test_a_training_that_never_came_to_a_number_stops_with_an_error_too():
    tensors = {name: np.full(shape, np.nan, np.float32) for name, shape in tensor_shapes("impact", 3).items()}
    options = TrainingOptions(epochs=1, batch=8, start_from=tensors)
    with pytest.raises(MinediscError, match="every epoch"):
        train_impact(*windows(21, 24, 3), bands=BANDS, level=L1C, options=options)


def test_weights_that_are_no_numbers_are_refused():
    guard = StepGuard("mixed_bfloat16")
    guard.check_weights({"a": np.ones(3, np.float32)})
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(MinediscError, match="mixed_bfloat16"):
            guard.check_weights({"a": np.array([1, bad], np.float32)})


def test_symmetries_are_eight_and_keep_the_middle():
    square = np.arange(25).reshape(5, 5, 1)
    found = {symmetry(square, which).tobytes() for which in range(8)}
    assert len(found) == 8
    assert all(symmetry(square, which)[2, 2, 0] == 12 for which in range(8))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda w, y, p: (w.astype(np.float32), y, p), "float32"),
        (lambda w, y, p: (w[:, :200, :200], y, p), "200, 200"),
        (lambda w, y, p: (w[..., :2], y, p), "2 bands"),
        (lambda w, y, p: (w, y[:-1], p), "labels"),
        (lambda w, y, p: (w, y * 0, p), r"\[0\]"),
        (lambda w, y, p: (w, y + 1, p), r"\[1, 2\]"),
        (lambda w, y, p: (w, y, p * 0), "places"),
    ],
)
def test_windows_that_cannot_be_trained_on_are_refused(change, named):
    with pytest.raises(UsageError, match=named):
        train_discovery(*change(*windows(201, 8)), bands=BANDS, level=L1C, options=QUICK)


def test_weights_to_go_on_from_bring_their_head_and_a_spread_one_its_dark():
    pixels, labels, places = windows(201, 8)
    quick = TrainingOptions(epochs=1, batch=4, validation_fraction=0)
    made = {
        recipe.name: train_discovery(
            pixels, labels, places, bands=BANDS, level=L1C, options=replace(quick, recipe=recipe)
        )
        for recipe in (PAPER, DEFAULT)
    }
    for first in made.values():
        known = {"start_from": first.tensors, "start_mean": first.mean, "start_std": first.std}
        again = replace(quick, **known, start_dark=first.dark)
        tuned = train_discovery(pixels + 300, labels, places, bands=BANDS, level=L1C, options=again)
        assert (tuned.dark, tuned.mean, set(tuned.tensors)) == (first.dark, first.mean, set(first.tensors))
    with pytest.raises(UsageError, match="no dark"):
        train_discovery(pixels, labels, places, bands=BANDS, level=L1C, options=replace(quick, **known))
