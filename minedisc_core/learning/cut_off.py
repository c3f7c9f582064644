"""The cut-off of a challenger: the champion's, lowered until it finds as many mines that it did not learn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST = 0.30
LEAST_MINES = 20
"""With fewer mines to choose by the champion's cut-off stays: one odd mine would decide."""
MINES_TO_AN_ODD_ONE = 40
"""Of so many mines one may be lost: to keep the oddest of many, nearly all false alarms would have to be kept."""


def choose_cut_off(
    challenger: NDArray[np.floating], champion: NDArray[np.floating], labels: NDArray[np.integer], stored: float
) -> float:
    """The highest cut-off, not above the champion's, at which the challenger finds the mines that the champion finds.

    Of each `MINES_TO_AN_ODD_ONE` one may be lost. It is never below `LOWEST` (or the champion's, where that is lower
    still), and it is the champion's where there are fewer than `LEAST_MINES` to choose by.

    Args:
        challenger: scores of samples that the challenger, or its twin without their place, did not learn from, (n,).
        champion: the champion's scores on the same.
        labels: 1 mine, 0 background.
        stored: the champion's cut-off.
    """
    mines = labels == 1
    if int(mines.sum()) < LEAST_MINES:
        return stored
    wanted = int((champion[mines] > stored).sum()) - int(mines.sum()) // MINES_TO_AN_ODD_ONE
    lowest = min(LOWEST, stored)
    tried = np.round(np.arange(lowest, stored, 0.01), 2).tolist()
    for cut_off in (stored, *reversed(tried)):
        if int((challenger[mines] > cut_off).sum()) >= wanted:
            return float(cut_off)
    return float(lowest)
