"""A fitted linear head as the tensors of `detection.spread`, and how strongly its weights are held back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.spread import ALWAYS, ground_levels, ground_part, number_count
from minedisc_core.learning.logistic import LinearHead

GROUND_PENALTY = 3e-4
"""Of the squared weights on the ground's numbers."""


def standing_out(bands: int) -> NDArray[np.float64]:
    """Penalties of a first fit: the head hears how the ground stands out, and nothing else.

    The trunk's features say nothing before it has learned (on real tailings a head that heard those of a fresh trunk
    was worse on places it had not seen), and how bright the ground is says more of the day than of a mine.
    """
    found = np.full(number_count(bands), np.inf)
    found[ground_part(bands)] = GROUND_PENALTY
    found[ground_levels(bands)] = np.inf
    return found


def steadied(head: LinearHead, bands: int) -> LinearHead:
    """The head with scales of the trunk's numbers that none is far below the others.

    A feature that says nothing in a fresh trunk would otherwise shout as soon as it wakes.
    """
    scale, trunk = head.scale.copy(), slice(0, ground_part(bands).start)
    scale[trunk] = np.maximum(scale[trunk], np.median(scale[trunk]))
    return replace(head, scale=scale)


def spread_tensors(here: LinearHead, land: LinearHead | None = None) -> dict[str, NDArray[np.float32]]:
    """The tensors of a spread head.

    Args:
        here: log odds of a mine, from a cell's numbers.
        land: log odds of land with mines, from the same numbers; None: all land has mines.
    """
    count = len(here.weight)
    weight, bias = np.zeros((count, 2)), np.array([here.bias, ALWAYS])
    weight[:, 0] = here.weight
    if land is not None:  # its numbers are centred and scaled as those of the other
        weight[:, 1] = land.weight * here.scale / land.scale
        bias[1] = land.bias + ((here.centre - land.centre) / land.scale) @ land.weight
    found = {
        "standard/kernel": (1 / here.scale).reshape(1, 1, count, 1),
        "standard/bias": -here.centre / here.scale,
        "output/kernel": weight.reshape(1, 1, count, 2),
        "output/bias": bias,
    }
    return {name: np.asarray(values, np.float32) for name, values in found.items()}
