"""Factors in bfloat16 whose errors cancel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.detection.rounding import LAND, POSITIVE, Together, rounded, to_bfloat16

LOW_BITS = 0xFFFF


def kernel(seed: int, shape: tuple[int, ...] = (3, 3, 12, 32)) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.05, shape).astype(np.float32)


def test_the_nearest_bfloat16_is_what_tables_say() -> None:
    values = np.array([1.0, 1.00390625, 1.005859375, 1.01171875, -3.14159265, 0.0], np.float32)
    assert to_bfloat16(values).tolist() == [1.0, 1.0, 1.0078125, 1.015625, -3.140625, 0.0]


@given(st.integers(0, 2**32 - 1), st.sampled_from([LAND, POSITIVE]), st.integers(1, 13), st.integers(1, 5))
def test_each_factor_is_one_of_its_two_neighbours(seed: int, together: Together, channels: int, outputs: int) -> None:
    given_ = kernel(seed, (3, 3, channels, outputs))
    given_[0, 0, 0] = 0.5
    found = rounded(given_, np.linspace(1, 3, channels), together)
    assert (found.view(np.uint32) & LOW_BITS).max() == 0
    assert (found[0, 0, 0] == 0.5).all()
    step = np.abs(given_) * 2**-7
    assert (np.abs(found - given_) < step + 1e-30).all()


@pytest.mark.parametrize("together", [LAND, POSITIVE])
def test_the_error_on_inputs_that_move_together_is_a_small_part_of_that_of_nearest_rounding(together: Together) -> None:
    spread = np.linspace(200, 900, 12)
    given_ = kernel(1) / spread[:, None].astype(np.float32)
    covariance = together.covariance(9, spread)

    def expected_square(values: np.ndarray) -> float:
        error = (values - given_).reshape(-1, 32).astype(np.float64)
        return float(np.einsum("no,nm,mo->", error, covariance, error))

    assert expected_square(rounded(given_, spread, together)) < 0.3 * expected_square(to_bfloat16(given_))


def test_inputs_that_do_not_move_together_are_rounded_to_the_nearest() -> None:
    given_ = kernel(2)
    found = rounded(given_, np.ones(12), Together(0, 0, 0, 1))
    assert (found == to_bfloat16(given_)).all()


def test_the_covariance_is_one_of_real_numbers() -> None:
    for together in (LAND, POSITIVE):
        assert np.linalg.eigvalsh(together.covariance(9, np.linspace(0.5, 2, 12))).min() > 0
