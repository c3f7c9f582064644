"""Who trains and who validates, several times over: folds or resamplings, of samples or of whole places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minedisc_core.errors import UsageError
from minedisc_core.learning.splits import split_by_place

Unit = Literal["samples", "places"]
VALIDATION_SHARE = 0.2
"""Of a resampling, as in the paper: 572 of 2,860."""
_TRIES = 200


@dataclass(frozen=True)
class Split:
    """One division; indices into the samples, ascending."""

    training: NDArray[np.intp]
    validation: NDArray[np.intp]


def folds(
    labels: NDArray[np.integer], places: NDArray[Any], count: int, unit: Unit, seed: int, names: Sequence[str]
) -> list[Split]:
    """`count` folds: each sample validates once, each part holds every class.

    Args:
        labels: class of each sample.
        places: place of each sample; only for folds of places.
        count: number of folds, 2 or more.
        unit: what is dealt: single samples (each class evenly), or places as a whole.
        seed: the same seed and samples give the same folds.
        names: names of the classes, for messages.

    Raises:
        UsageError: too few samples or places, or a class that cannot be in every fold.
    """
    if count < 2:
        raise UsageError(f"{count} folds", "2 or more")
    for label, name in enumerate(names):
        found = int((labels == label).sum())
        if found < count:
            raise UsageError(
                f"the dataset has {found} samples of {name} and {count} folds are asked for",
                f"at least one sample of {name} in each fold",
                "add samples or ask for fewer folds",
            )
    dealt = _deal_samples(labels, count, seed) if unit == "samples" else _deal_places(labels, places, count, seed)
    return [Split(np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)) for fold in range(count)]


def _deal_samples(labels: NDArray[np.integer], count: int, seed: int) -> NDArray[np.intp]:
    """Fold of each sample: every class dealt in turn, so that folds differ by one at most."""
    random = np.random.default_rng(seed)
    order = np.concatenate([random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)])
    dealt = np.empty(len(labels), np.intp)
    dealt[order] = np.arange(len(labels)) % count
    return dealt


def _deal_places(labels: NDArray[np.integer], places: NDArray[Any], count: int, seed: int) -> NDArray[np.intp]:
    names, place_of = np.unique(places, return_inverse=True)
    if len(names) < count:
        raise UsageError(
            f"the samples lie at {len(names)} places (5 km) and {count} folds are asked for",
            "a place for each fold",
            "add places or ask for fewer folds",
        )
    classes = np.unique(labels)
    held = np.array(
        [[((place_of == place) & (labels == label)).sum() for label in classes] for place in range(len(names))]
    )
    for attempt in range(_TRIES):
        fold_of = _balanced_deal(held / held.sum(axis=0), count, np.random.default_rng([seed, attempt]))
        dealt = fold_of[place_of]
        if all(len(np.unique(labels[dealt == fold])) == len(classes) for fold in range(count)):
            return dealt
    raise UsageError(
        f"{len(names)} places cannot be dealt into {count} folds that all hold every class",
        "samples of each class at several places",
        "add places or ask for fewer folds",
    )


def _balanced_deal(shares: NDArray[np.float64], count: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Fold of each place: large places first, each where the classes are then spread most evenly."""
    shuffled = random.permutation(len(shares))
    order = shuffled[np.argsort(-shares[shuffled].sum(axis=1), kind="stable")]
    filled, fold_of = np.zeros((count, shares.shape[1])), np.empty(len(shares), np.intp)
    for place in order:
        cost = ((filled + shares[place]) ** 2).sum(axis=1) - (filled**2).sum(axis=1)
        fold_of[place] = int(np.argmin(cost))
        filled[fold_of[place]] += shares[place]
    return fold_of


def resamplings(labels: NDArray[np.integer], places: NDArray[Any], count: int, unit: Unit, seed: int) -> list[Split]:
    """`count` seeded draws of a fifth to validate; a sample may validate several times or never.

    Args and errors as in `folds`; classes are not drawn evenly (the paper's matrix does not add up to even ones).
    """
    if count < 1:
        raise UsageError(f"{count} resamplings", "1 or more")
    return [_resampled(labels, places, unit, [seed, number]) for number in range(count)]


def _resampled(labels: NDArray[np.integer], places: NDArray[Any], unit: Unit, seed: list[int]) -> Split:
    if unit == "places":
        training, validation = split_by_place(labels, places, VALIDATION_SHARE, seed)
        return Split(training, validation)
    wanted = round(VALIDATION_SHARE * len(labels))
    classes, random = len(np.unique(labels)), np.random.default_rng(seed)
    for _ in range(_TRIES if wanted else 0):
        order = random.permutation(len(labels))
        split = Split(np.sort(order[wanted:]), np.sort(order[:wanted]))
        if all(len(np.unique(labels[part])) == classes for part in (split.training, split.validation)):
            return split
    raise UsageError(
        f"{len(labels)} samples cannot be split so that both parts hold every class",
        "several samples of every class",
        "add samples",
    )
