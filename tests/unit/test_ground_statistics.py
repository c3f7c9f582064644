"""Statistics of the ground and the linear head on them: what they hold, and what leaves them as they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.grid import CENTRE_PX, STRIDE_PX
from minedisc_core.learning.ground_statistics import AIR_DN, ground_statistics, levels, standing_out
from minedisc_core.learning.logistic import fit_head
from minedisc_core.learning.mask_labels import MIDDLE_PX

LIGHT = slice(0, 3)
"""Channels of the bands themselves."""


def ground(seed=0, side=230):
    random = np.random.default_rng(seed)
    return random.integers(700, 3000, (side, side, 3)).astype(np.uint16)


def test_the_middle_of_a_window_is_described_by_its_own_pixels():
    dn = ground()
    found = ground_statistics(dn)
    assert found.shape == (2, 2, 2, 7, 3 + 3 + 1)
    row, col, half = STRIDE_PX + CENTRE_PX, CENTRE_PX, MIDDLE_PX // 2
    middle = dn[row - half : row + half + 1, col - half : col + half + 1].reshape(-1, 3).astype(float)
    light = np.log(middle - AIR_DN)
    expected = [*np.quantile(light, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0), light.mean(axis=0), light.std(axis=0)]
    np.testing.assert_allclose(found[1, 0, 1, :, LIGHT], expected, atol=0.01)
    np.testing.assert_allclose(found[1, 0, 1, 2, 3], np.median(np.log(middle[:, 1] / middle[:, 0])), atol=0.01)


@given(factor=st.floats(0.5, 3), seed=st.integers(0, 20))
def test_how_ground_stands_out_does_not_change_with_the_light(factor, seed):
    dn = ground(seed, 201)
    lit = np.rint((dn - AIR_DN) * factor + AIR_DN).astype(np.uint16)
    before, after = (standing_out(ground_statistics(each)).reshape(2, 7, 7) for each in (dn, lit))
    np.testing.assert_allclose(before[..., LIGHT], after[..., LIGHT], atol=0.02)
    assert not np.allclose(levels(ground_statistics(dn)), levels(ground_statistics(lit))) or factor == pytest.approx(
        1, abs=0.01
    )


def test_bright_ground_in_the_middle_stands_out_and_even_ground_does_not():
    dn = np.full((201, 201, 3), 1000, np.uint16)
    np.testing.assert_allclose(standing_out(ground_statistics(dn)), 0, atol=1e-5)
    dn[80:121, 80:121] = 2000
    found = standing_out(ground_statistics(dn)).reshape(2, 7, 7)
    assert (found[1, 4, LIGHT] > 1).all()  # the middle's brightest pixels, against the window's median


def test_no_data_gives_numbers_all_the_same():
    dn = ground(side=201)
    dn[:60] = 0
    assert np.isfinite(ground_statistics(dn)).all()


def test_a_head_tells_the_classes_apart_however_unequal_they_are_in_number():
    random = np.random.default_rng(1)
    values = np.concatenate([random.normal(0, 1, (500, 4)), random.normal((3, 0, 0, 0), 1, (10, 4))])
    truth = np.arange(510) >= 500
    head = fit_head(values * 1000, truth, 1e-3)
    odds = head.log_odds(values * 1000)
    assert (odds[truth] > 0).mean() >= 0.9
    assert (odds[~truth] < 0).mean() >= 0.9
    assert head.log_odds(np.array([[1500.0, 0, 0, 0]])) == pytest.approx(0, abs=1.5)


def test_a_column_that_never_changes_and_a_strong_penalty_say_nothing():
    random = np.random.default_rng(2)
    values = np.column_stack([random.normal(0, 1, 200), np.full(200, 7.0)])
    truth = values[:, 0] > 0
    loose, tight = (fit_head(values, truth, penalty) for penalty in (1e-3, 100.0))
    assert loose.weight[1] == pytest.approx(0, abs=1e-9)
    assert abs(tight.weight[0]) < 0.01 < abs(loose.weight[0])
    assert tight.log_odds(values) == pytest.approx(0, abs=0.05)
