"""A linear head: a logistic regression on columns of numbers, both classes counting the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST_SCALE = 1e-3


@dataclass(frozen=True)
class LinearHead:
    """Weights of a logistic regression, and what its columns are centred and scaled by."""

    centre: NDArray[np.float64]
    """(k,) mean of each column in training."""
    scale: NDArray[np.float64]
    """(k,) deviation of each column in training."""
    weight: NDArray[np.float64]
    """(k,)."""
    bias: float


def fit_head(
    values: NDArray[np.floating], is_true: NDArray[np.bool_], penalty: float | NDArray[np.floating]
) -> LinearHead:
    """Fit a head.

    Args:
        values: (n, k), any units.
        is_true: (n,) class of each row; both must be there.
        penalty: of the squared weights (of columns of deviation 1), beside a mean loss; one for all or one for each.
            A column with an infinite penalty has no weight.
    """
    from scipy.optimize import minimize

    found = np.asarray(values, np.float64)
    centre, scale = found.mean(axis=0), found.std(axis=0) + _LEAST_SCALE
    strength = np.broadcast_to(np.asarray(penalty, np.float64), centre.shape)
    has_say = np.isfinite(strength)
    inputs = np.column_stack([((found - centre) / scale)[:, has_say], np.ones(len(found))])
    sign = np.where(is_true, 1.0, -1.0)
    share = np.where(is_true, 0.5 / max(1, is_true.sum()), 0.5 / max(1, (~is_true).sum()))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (inputs @ weights)
        slope = -sign * share / (1 + np.exp(np.clip(margin, -60, 60)))
        pull = np.append(weights[:-1] * strength[has_say], 0)
        return float((share * np.logaddexp(0, -margin)).sum() + pull @ weights), inputs.T @ slope + 2 * pull

    best = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    weight = np.zeros(len(centre))
    weight[has_say] = best[:-1]
    return LinearHead(centre, scale, weight, float(best[-1]))
