"""The graph that a training runs on, and a training that stops and goes on."""

from dataclasses import replace

import numpy as np
import pytest

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.networks import build_discovery, build_impact, get_tensors, set_tensors
from minedisc_core.detection.scorer import DiscoveryNet
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import Cancelled, UsageError
from minedisc_core.learning.batches import Batches, symmetry
from minedisc_core.learning.evaluation import softmax
from minedisc_core.learning.fitting import Fit, FitPlan, class_weights
from minedisc_core.learning.folds import Split
from minedisc_core.learning.logistic import LinearHead
from minedisc_core.learning.precision import has_bfloat16, policy_of
from minedisc_core.learning.recipes import DEFAULT, PAPER, recipe_named
from minedisc_core.learning.spread_heads import steadied
from minedisc_core.learning.step import Settled, TrainingGraph, ready_windows
from minedisc_core.learning.training import dark_of, middle_of
from tests.training_sets import windows_of_classes

MEAN, STD = (1_000.0, 1_010.0, 990.0), (60.0, 55.0, 70.0)
CLASSES = np.arange(24, dtype=np.int32) % 3
PARTS = Split(np.arange(18), np.arange(18, 24))
QUICK = replace(DEFAULT, batch=8, impact_rate=1e-3, patience=None)


def fit(recipe=QUICK, **changes):
    plan = FitPlan("impact", recipe, MEAN, STD, **({"seed": 5} | changes))
    return Fit(plan, windows_of_classes(21, CLASSES), CLASSES, PARTS)


def z_scores(pixels):
    return (pixels.astype(np.float32) - np.array(MEAN)) / np.array(STD)


@pytest.mark.parametrize(("net", "side", "build"), [("discovery", 201, build_discovery), ("impact", 21, build_impact)])
def test_the_graph_scores_as_the_net_that_keras_builds(net, side, build):
    graph = TrainingGraph(Settled(net, PAPER, 1e-3, MEAN, STD, side, "float32"))
    pixels = windows_of_classes(side, [0, 1, 1])
    network = build(3, logits=True)
    tensors = {name: values + 0.05 for name, values in get_tensors(graph.network).items()}  # biases that are not zero
    set_tensors(graph.network, tensors)
    set_tensors(network, tensors)
    expected = np.asarray(network(z_scores(pixels).astype(np.float32))).reshape(3, -1)
    np.testing.assert_allclose(graph.logits(pixels).numpy(), expected, rtol=2e-4, atol=2e-4)


def test_no_data_enters_as_the_band_mean_and_ready_windows_are_what_bfloat16_would_see():
    pixels = windows_of_classes(21, [0, 1, 2, 0])
    pixels[0, :5, :5, 1] = 0
    settled = Settled("impact", PAPER, 1e-3, MEAN, STD, 21, "mixed_bfloat16")
    plain, ready = TrainingGraph(settled), TrainingGraph(replace(settled, is_ready=True))
    set_tensors(ready.network, get_tensors(plain.network))
    bits = ready_windows(pixels, MEAN, STD)
    assert (bits[0, :5, :5] == 0).all()
    np.testing.assert_array_equal(plain.logits(pixels).numpy(), ready.logits(bits).numpy())


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_training_that_stopped_and_went_on_equals_one_that_ran_through(keep):
    recipe = replace(QUICK, keep=keep, brightness=0.1, band_jitter=0.1, noise=0.05, weight_decay=1e-3)
    whole, first, second = (fit(recipe) for _ in range(3))
    whole.run(4)
    kept = []
    with pytest.raises(Cancelled):
        first.run(4, lambda _: kept.append(first.pack()), lambda: len(kept) == 2)
    second.unpack(kept[-1])
    assert second.state.epoch == 2
    second.run(4)
    assert [epoch["loss"] for epoch in second.state.history] == [epoch["loss"] for epoch in whole.state.history]
    for name, values in whole.tensors().items():
        np.testing.assert_allclose(second.tensors()[name], values, rtol=0, atol=1e-7)


def test_a_state_that_is_none_is_refused():
    chosen = fit()
    with pytest.raises(UsageError, match="kept state"):
        chosen.unpack(b"\0" * 40)
    other = fit(replace(QUICK, weight_decay=0.0))
    cut = other.pack()[:-200]
    with pytest.raises(UsageError, match="kept state"):
        chosen.unpack(cut)
    assert chosen.state.epoch == 0


def test_early_stopping_ends_a_training_that_learns_nothing_more_and_keeps_the_best_weights():
    found = fit(replace(QUICK, patience=2, impact_rate=0.05))
    weights = []
    found.run(40, lambda _: weights.append(found.tensors()))
    state = found.state
    assert state.epoch == state.best_epoch + 2 < 40
    losses = [epoch["validation_loss"] for epoch in state.history]
    assert int(np.argmin(losses)) + 1 == state.best_epoch
    np.testing.assert_array_equal(found.tensors()["dense/kernel"], weights[state.best_epoch - 1]["dense/kernel"])


def test_class_weights_make_all_classes_count_alike():
    assert class_weights(np.array([0, 0, 0, 1])) == pytest.approx((2 / 3, 2.0))
    few = fit(replace(QUICK, balance="weights"))
    few.run(1)
    assert np.isfinite(few.state.history[0]["loss"])


def test_label_smoothing_and_augmentation_change_the_loss_and_no_dropout_is_dropped():
    losses = {
        name: _first_loss(replace(QUICK, symmetries=False, **changes))
        for name, changes in {
            "plain": {"dropout": 0.0},
            "dropout": {},
            "smooth": {"dropout": 0.0, "label_smoothing": 0.3},
            "bright": {"dropout": 0.0, "brightness": 2.0},
            "jitter": {"dropout": 0.0, "band_jitter": 2.0},
            "noise": {"dropout": 0.0, "noise": 1.0},
        }.items()
    }
    assert len(set(losses.values())) == len(losses)


def _first_loss(recipe):
    found = fit(recipe)
    return float(found.graph.step(found.batches.windows[:8], CLASSES[:8], 0)[0])


def test_an_epoch_shows_each_window_once_in_a_symmetry_of_its_own():
    windows = np.arange(6 * 25 * 2, dtype=np.uint16).reshape(6, 5, 5, 2)
    batches = Batches(windows, np.arange(6, dtype=np.int32), 5, 4, True, seed=1)
    first = list(batches.epoch(np.array([5, 0, 3, 1, 2, 4]), 1))
    assert [len(labels) for _, labels in first] == [4, 2]
    for pixels, labels in first:
        for window, label in zip(pixels, labels, strict=True):
            assert any((symmetry(windows[label], turn) == window).all() for turn in range(8))
    again, other = (np.concatenate([p for p, _ in batches.epoch(np.arange(6), number)]) for number in (1, 2))
    assert (again != other).any()


def test_an_error_in_the_thread_of_the_batches_is_told_where_they_are_wanted():
    batches = Batches(np.zeros((2, 5, 5, 1), np.uint16), np.zeros(2, np.int32), 5, 2, False, 0)
    with pytest.raises(IndexError):
        list(batches.epoch(np.array([0, 7]), 1))


def test_the_middle_of_a_window_is_cut_evenly():
    windows = np.arange(255 * 255, dtype=np.uint16).reshape(1, 255, 255, 1)
    assert middle_of(windows, 201).shape == (1, 201, 201, 1)
    assert middle_of(windows, 201)[0, 100, 100] == windows[0, 127, 127]
    assert middle_of(windows, None) is windows
    assert middle_of(windows[:, :201, :201], 201).shape == (1, 201, 201, 1)


def test_recipes_and_precisions_have_names(tmp_path):
    assert (PAPER.batch, PAPER.epochs, PAPER.rate("discovery"), PAPER.rate("impact")) == (16, 30, 1e-3, 1e-4)
    assert recipe_named("paper") is PAPER
    assert DEFAULT.rate("impact", is_fine_tuning=True) < DEFAULT.rate("impact")
    with pytest.raises(UsageError, match="default"):
        recipe_named("best")
    with pytest.raises(UsageError, match="auto"):
        policy_of("float16")
    flags = tmp_path / "cpuinfo"
    flags.write_text("model name : x\nflags : sse avx512_bf16 fma\n")
    assert has_bfloat16(flags)
    flags.write_text("flags : sse fma\n")
    assert not has_bfloat16(flags)
    assert not has_bfloat16(tmp_path / "none")


SPREAD = replace(DEFAULT, batch=8)
DARK = (600.0, 600.0, 600.0)


def spread_fit(recipe=SPREAD, **changes):
    """Mines have a middle that is brighter in the second band; all six of the last windows are kept to validate."""
    labels = (np.arange(24) % 2).astype(np.int32)
    windows = np.random.default_rng(6).integers(900, 1_100, (24, 201, 201, 3)).astype(np.uint16)
    windows[labels == 1, 70:130, 70:130, 1] += 60
    plan = FitPlan("discovery", recipe, MEAN, STD, dark=DARK, **({"seed": 5} | changes))
    return Fit(plan, windows, labels, PARTS)


def test_a_spread_head_is_fitted_before_the_trunk_learns_and_stays_where_no_epoch_is_better():
    fitted, idle = spread_fit(), spread_fit(replace(SPREAD, discovery_rate=1e-30, patience=3))
    fitted.run(0)
    assert (fitted.logits(np.arange(24)).argmax(axis=1) == fitted.labels).all()
    assert (fitted.tensors()["output/kernel"][0, 0, : 4 * 64] == 0).all()  # the trunk has no say yet
    idle.run(20)
    assert (idle.state.epoch, idle.state.best_epoch) == (3, 0)
    for name, values in fitted.tensors().items():
        np.testing.assert_allclose(idle.tensors()[name], values, atol=1e-6)


def test_the_trunk_of_a_spread_head_learns_and_a_stopped_training_goes_on_as_if_it_had_not():
    whole, first, second = (spread_fit(replace(SPREAD, keep="last", patience=None)) for _ in range(3))
    whole.run(3)
    kept = []
    with pytest.raises(Cancelled):
        first.run(3, lambda _: kept.append(first.pack()), lambda: len(kept) == 1)
    second.unpack(kept[-1])
    second.run(3)
    before = spread_fit()
    before.warm()
    assert np.abs(whole.tensors()["conv1/kernel"] - before.tensors()["conv1/kernel"]).max() > 0
    for name, values in whole.tensors().items():
        np.testing.assert_allclose(second.tensors()[name], values, atol=1e-6)
    np.testing.assert_array_equal(whole.tensors()["standard/kernel"], before.tensors()["standard/kernel"])


def test_the_graph_of_a_spread_head_scores_as_a_scan_does():
    fitted = spread_fit()
    fitted.warm()
    card = ModelCard("s", "1", "discovery", ProductLevel.L1C, ("B2", "B3", "B4"), MEAN, STD, head="spread", dark=DARK)
    net = DiscoveryNet(card, fitted.tensors(), 1)
    chances = softmax(fitted.logits(np.arange(4)))[:, 1]
    scanned = [float(net.head(net.trunk(window, None))[0, 0]) for window in fitted.batches.windows[:4]]
    np.testing.assert_allclose(chances, scanned, atol=2e-4)


def test_a_scale_of_a_silent_feature_is_raised_to_that_of_the_others():
    scale = np.concatenate([np.full(200, 0.5), np.full(56, 1e-3), np.full(24, 1e-3)])
    raised = steadied(LinearHead(np.zeros(280), scale, np.zeros(280), 0.0), 3)
    assert raised.scale[:256].min() == 0.5
    assert (raised.scale[256:] == 1e-3).all()


def test_the_dark_of_a_band_is_below_its_darkest_pixels_and_below_its_mean():
    windows = np.random.default_rng(0).integers(700, 2_000, (4, 50, 50, 2)).astype(np.uint16)
    windows[..., 1] = 1_000
    windows[0, :5] = 0  # no data is not dark
    dark = dark_of(windows, (1_350.0, 1_000.0), step=1)
    assert 0.9 * 700 <= dark[0] <= 0.9 * 705
    assert dark[1] == 900.0


def test_the_first_fit_of_a_spread_head_can_be_cancelled_and_sees_every_class():
    fresh = spread_fit()
    with pytest.raises(Cancelled):
        fresh.run(0, should_stop=lambda: True)
    assert not fresh.state.best
    few = spread_fit()
    few.labels[:17] = 0
    assert few.labels[few._for_warming()].tolist().count(1) == 1


def test_windows_with_hardly_any_data_have_a_dark_below_their_mean():
    windows = np.zeros((2, 50, 50, 2), np.uint16)
    windows[:, 3, 3] = 1_000
    assert dark_of(windows, (1_000.0, 1_000.0)) == (900.0, 900.0)
