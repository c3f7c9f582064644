"""Thresholds, reliability, false alarms by reason, means over folds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.learning.evaluation import (
    best_threshold,
    classification_figures,
    false_alarms_by_reason,
    mean_and_deviation,
    reliability,
    softmax,
)


def f1_at(threshold, is_mine, scores):
    hit = scores > threshold
    return 2 * (hit & is_mine).sum() / max(hit.sum() + is_mine.sum(), 1)


def test_the_best_threshold_lies_in_the_middle_of_the_gap_that_parts_the_classes():
    scores = np.array([0.1, 0.2, 0.7, 0.9])
    assert best_threshold(np.array([False, False, True, True]), scores) == pytest.approx(0.45)


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.05, 0.2, 0.4, 0.5, 0.6, 0.8, 0.95])), min_size=2, max_size=30)
)
def test_no_other_threshold_has_a_higher_f1(rows):
    is_mine, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if not is_mine.any():
        return
    chosen = best_threshold(is_mine, scores)
    assert 0.01 <= chosen <= 0.99
    others = [f1_at(other, is_mine, scores) for other in np.linspace(0.011, 0.989, 60)]
    assert f1_at(chosen, is_mine, scores) >= max(others) - 1e-12


def test_a_net_that_is_right_as_often_as_it_says_has_no_calibration_error():
    confidence = np.repeat([0.25, 0.75], 400)
    right = np.concatenate([np.arange(400) % 4 == 0, np.arange(400) % 4 != 0])
    assert reliability(right, confidence)["ece"] == 0
    assert [row["samples"] for row in reliability(right, confidence)["bins"]] == [400, 400]


def test_a_net_that_is_sure_and_wrong_half_of_the_time_has_an_error_of_a_half():
    found = reliability(np.arange(100) % 2 == 0, np.ones(100))
    assert found["ece"] == 0.5
    assert found["bins"] == [{"from": 0.9, "to": 1.0, "samples": 100, "mean_score": 1.0, "frequency": 0.5}]


def test_false_alarms_are_counted_by_the_reason_of_the_background():
    reasons = ["river_bank", "river_bank", None, "urban", None]
    background = np.array([True, True, True, True, False])
    hit = np.array([True, False, True, False, True])
    assert false_alarms_by_reason(reasons, background, hit) == {
        "no reason given": {"samples": 1, "false_alarms": 1, "rate": 1.0},
        "river_bank": {"samples": 2, "false_alarms": 1, "rate": 0.5},
        "urban": {"samples": 1, "false_alarms": 0, "rate": 0.0},
    }


def test_means_and_deviations_are_over_the_folds_that_validated():
    rows = [
        classification_figures(np.array([0, 1, 1, 0]), np.array([0, 1, 1, 0])),
        classification_figures(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 1])),
        {"samples": 0},
    ]
    found = mean_and_deviation(rows)
    assert found["accuracy"] == {"mean": 0.75, "deviation": 0.25}
    assert found["confusion"] == [[1.5, 0.5], [0.5, 1.5]]
    assert mean_and_deviation([{"samples": 0}]) == {}


def test_a_class_that_was_never_met_still_has_its_row_in_the_matrix():
    assert np.shape(classification_figures(np.array([0, 1]), np.array([0, 1]), 3)["confusion"]) == (3, 3)


def test_scores_of_large_logits_stay_numbers():
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0], [0.0, 0.0]])), [[1, 0], [0.5, 0.5]])
