"""The cut-off of a challenger, chosen on validation samples: no fewer mines than the champion, then fewest alarms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 0.30, 0.95


def choose_cut_off(
    challenger: NDArray[np.floating], champion: NDArray[np.floating], labels: NDArray[np.integer], stored: float
) -> float:
    """The middle of the best cut-offs; the champion's where the samples tell nothing.

    Of the cut-offs from `LOWEST` to `HIGHEST` at which the challenger finds at least the share of mines that the
    champion finds at its own, those with the largest difference of found mines and false alarms (as shares) are best.

    Args:
        challenger: its scores on validation samples, (n,).
        champion: the champion's scores on the same.
        labels: 1 mine, 0 background.
        stored: the champion's cut-off.
    """
    mines, others = labels == 1, labels == 0
    if not mines.any() or not others.any():
        return stored
    wanted = float((champion[mines] > stored).mean())
    tried = np.round(np.arange(LOWEST, HIGHEST + 0.005, 0.01), 2)
    recall = np.array([(challenger[mines] > t).mean() for t in tried])
    alarms = np.array([(challenger[others] > t).mean() for t in tried])
    merit = np.where(recall >= wanted, recall - alarms, -np.inf)
    if not np.isfinite(merit).any():
        return float(tried[0])
    best = np.flatnonzero(merit >= merit.max() - 1e-9)
    return float(tried[best[len(best) // 2]])
