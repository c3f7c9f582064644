"""The order of a review queue: the numbers of its candidates, eight bytes for each of a million."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class QueueOrder:
    """Candidates one after the other, by their numbers in the store; it never changes."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def part(self, start: int, count: int) -> list[int]:
        """The numbers from a position on; fewer at the end."""
        found: list[int] = self._numbers[start : start + count].tolist()
        return found

    def position(self, number: int | None) -> int | None:
        """Where a number stands; None if it is not there."""
        if number is None:
            return None
        found = np.flatnonzero(self._numbers == number)
        return int(found[0]) if len(found) else None

    def led_by(self, number: int) -> QueueOrder:
        """The same with another candidate before all."""
        return QueueOrder(np.concatenate([[number], self._numbers]))
