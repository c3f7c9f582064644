"""The cut-off of a challenger, chosen on validation samples: the champion's, lowered until no mine is lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST = 0.30
LEAST_MINES = 20
"""With fewer validation mines the champion's cut-off stays: one odd mine would decide."""


def choose_cut_off(
    challenger: NDArray[np.floating], champion: NDArray[np.floating], labels: NDArray[np.integer], stored: float
) -> float:
    """The highest cut-off, not above the champion's, at which the challenger finds as large a share of the mines.

    It is never below `LOWEST` (or the champion's, where that is lower still), and it is the champion's where there
    are fewer than `LEAST_MINES` to choose by.

    Args:
        challenger: its scores on validation samples, (n,).
        champion: the champion's scores on the same.
        labels: 1 mine, 0 background.
        stored: the champion's cut-off.
    """
    mines = labels == 1
    if int(mines.sum()) < LEAST_MINES:
        return stored
    wanted = int((champion[mines] > stored).sum())
    lowest = min(LOWEST, stored)
    tried = np.round(np.arange(lowest, stored, 0.01), 2).tolist()
    for cut_off in (stored, *reversed(tried)):
        if int((challenger[mines] > cut_off).sum()) >= wanted:
            return float(cut_off)
    return float(lowest)
