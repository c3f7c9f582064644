"""Who trains and who validates: by place, and equal numbers per class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.errors import UsageError

_TRIES = 50


def split_by_place(
    labels: NDArray[np.integer], places: NDArray[Any], validation_fraction: float, seed: int | list[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices for training and validation; all windows of a place are on one side.

    Both sides hold every class. The split depends on the seed and the set of places, not on their order.

    Raises:
        UsageError: there are too few places to do so.
    """
    everything = np.arange(len(labels))
    if validation_fraction <= 0:
        return everything, everything[:0]
    names, place_of = np.unique(places, return_inverse=True)
    wanted = min(max(1, round(validation_fraction * len(names))), len(names) - 1)
    random, classes = np.random.default_rng(seed), set(np.unique(labels).tolist())
    for _ in range(_TRIES if wanted else 0):
        held_out = np.isin(place_of, random.permutation(len(names))[:wanted])
        if all(set(np.unique(labels[part]).tolist()) == classes for part in (held_out, ~held_out)):
            return everything[~held_out], everything[held_out]
    raise UsageError(
        f"{len(names)} places cannot be split so that both parts hold every class",
        "windows of every class at several places",
        "add places, or train without validation (validation_fraction=0)",
    )


def balanced_order(
    labels: NDArray[np.integer], chosen: NDArray[np.intp], random: np.random.Generator
) -> NDArray[np.intp]:
    """An epoch's order: about as many draws as windows, equally many of each class, shuffled.

    A class with fewer windows repeats each of them before any a second time more than another.
    """
    classes = np.unique(labels[chosen])
    share = -(-len(chosen) // len(classes))
    drawn = []
    for label in classes:
        members = chosen[labels[chosen] == label]
        rounds = [random.permutation(members) for _ in range(-(-share // len(members)))]
        drawn.append(np.concatenate(rounds)[:share])
    return random.permutation(np.concatenate(drawn))
