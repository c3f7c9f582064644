"""A study: one net trained several times on one dataset version, and what that says of it.

Here are the parts that need no files: which samples take part, how they are divided, what one fold shows, and what
all folds together show. `jobs.training` puts them in a folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from minedisc_core.detection.cards import DISCOVERY_CLASSES, PAPER_FIGURES
from minedisc_core.detection.networks import MINE, NetKind
from minedisc_core.domain import IMPACT_CLASSES
from minedisc_core.errors import UsageError
from minedisc_core.grid import CONTEXT_PX, PATCH_PX, WINDOW_PX
from minedisc_core.learning.batches import Windows
from minedisc_core.learning.datasets import Dataset, read_windows
from minedisc_core.learning.evaluation import (
    best_threshold,
    classification_figures,
    false_alarms_by_reason,
    mean_and_deviation,
    reliability,
    softmax,
)
from minedisc_core.learning.fitting import Fit
from minedisc_core.learning.folds import VALIDATION_SHARE, Split, folds, resamplings
from minedisc_core.learning.generated import GENERATED
from minedisc_core.learning.places import places_of
from minedisc_core.learning.recipes import Recipe
from minedisc_core.learning.splits import split_by_place
from minedisc_core.learning.training import middle_of, part_figures

SIDES: Mapping[NetKind, tuple[int, ...]] = {"discovery": (CONTEXT_PX, WINDOW_PX), "impact": (PATCH_PX,)}
"""Windows that each net can be trained on."""
HELD_OUT = "held-out"
HALF = 0.5
_READ_AT_ONCE = 64
_MEMORY_SHARE = 0.85
"""Of the free memory, at most."""


def classes_of(net: NetKind) -> tuple[str, ...]:
    """Names of a net's classes, in the order of its outputs."""
    return DISCOVERY_CLASSES if net == "discovery" else tuple(str(each) for each in IMPACT_CLASSES)


@dataclass(frozen=True)
class Examples:
    """The samples of a dataset version that take part; all have one entry per sample."""

    indices: NDArray[np.intp]
    """Where they stand in the version."""
    names: tuple[str, ...]
    labels: NDArray[np.int32]
    places: NDArray[np.str_]
    reasons: tuple[str | None, ...]
    splits: tuple[str, ...]
    held_out: int
    """Samples that are kept out of everything."""


def examples_of(dataset: Dataset, net: NetKind, held_out: Sequence[tuple[float, float]] = ()) -> Examples:
    """The samples of a version that may teach and validate a net; those held out are none of them.

    Args:
        dataset: the version; it may mark samples as held out itself.
        net: which net they are for.
        held_out: longitude and latitude of samples that are held out elsewhere: their whole places are left out.

    Raises:
        UsageError: the windows or labels are those of the other net, or a class is missing.
    """
    if dataset.window_px not in SIDES[net]:
        sides = " or ".join(map(str, SIDES[net]))
        raise UsageError(
            f"the windows of {dataset.version} are {dataset.window_px} px", f"{sides} px for the {net} net"
        )
    classes = classes_of(net)
    closed = _at_places(dataset, held_out)
    taking = [n for n, entry in enumerate(dataset.samples) if entry.split != HELD_OUT and n not in closed]
    entries = [dataset.samples[index] for index in taking]
    found = Counter(entry.label for entry in entries)
    if set(found) != set(classes):
        held = ", ".join(f"{count} {label}" for label, count in sorted(found.items())) or "no samples"
        raise UsageError(
            f"{dataset.version} holds {held}", f"samples of each of {', '.join(classes)}, and of nothing else",
            "add samples of the missing class, or choose the other net",
        )  # fmt: skip
    return Examples(
        np.array(taking, np.intp),
        tuple(entry.sample_id for entry in entries),
        np.array([classes.index(entry.label) for entry in entries], np.int32),
        np.array([entry.place or entry.sample_id for entry in entries]),
        tuple(entry.reason for entry in entries),
        tuple(entry.split for entry in entries),
        len(dataset.samples) - len(taking),
    )


def _at_places(dataset: Dataset, held_out: Sequence[tuple[float, float]]) -> set[int]:
    """Numbers of the samples that lie at the places of these positions; generated ones lie nowhere."""
    if not held_out:
        return set()
    located = [n for n, entry in enumerate(dataset.samples) if not entry.place.startswith(GENERATED)]
    own = [(dataset.samples[n].lon, dataset.samples[n].lat) for n in located]
    names = places_of(np.array([*held_out, *own]))
    closed = set(names[: len(held_out)])
    return {n for n, name in zip(located, names[len(held_out) :], strict=True) if name in closed}


def splits_of(examples: Examples, net: NetKind, recipe: Recipe, counts: tuple[int, int], seed: int) -> list[Split]:
    """How the samples are divided.

    Args:
        examples: the samples.
        net: for the names of the classes.
        recipe: deals samples or places.
        counts: folds and resamplings; resamplings win if above 0. One fold: the version's own division where every
            sample has one, else a fifth of the places.
        seed: of the deal.

    Raises:
        UsageError: there are too few samples or places, or a class would be missing in a part.
    """
    wanted, drawn = counts
    if drawn:
        return resamplings(examples.labels, examples.places, drawn, recipe.split, seed)
    if wanted > 1:
        return folds(examples.labels, examples.places, wanted, recipe.split, seed, classes_of(net))
    return [_own_split(examples, net) or Split(*_one_split(examples, recipe, seed))]


def _one_split(examples: Examples, recipe: Recipe, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if recipe.split == "places":
        return split_by_place(examples.labels, examples.places, VALIDATION_SHARE, seed)
    only = resamplings(examples.labels, examples.places, 1, "samples", seed)[0]
    return only.training, only.validation


def _own_split(examples: Examples, net: NetKind) -> Split | None:
    if set(examples.splits) != {"training", "validation"}:
        return None
    own = np.array(examples.splits)
    split = Split(np.flatnonzero(own == "training"), np.flatnonzero(own == "validation"))
    for name, part in (("training", split.training), ("validation", split.validation)):
        missing = [each for label, each in enumerate(classes_of(net)) if not (examples.labels[part] == label).any()]
        if missing:
            raise UsageError(
                f"the dataset's own {name} part holds no {', '.join(missing)}", "every class in both parts"
            )
    shared = set(examples.places[split.training]) & set(examples.places[split.validation])
    if shared:
        raise UsageError(
            f"the dataset's own division parts the place {min(shared)}", "each place (5 km) on one side of it",
            "make the division by place, or leave it out",
        )  # fmt: skip
    return split


def windows_of(dataset: Dataset, examples: Examples, net: NetKind, bands: Sequence[str], recipe: Recipe) -> Windows:
    """Pixels of the samples, DN uint16 (n, side, side, band), cut as the recipe says.

    Raises:
        UsageError: they would not fit in the free memory.
        StoreError: a file is broken or the bands are not there.
    """
    side = dataset.window_px
    if net == "discovery" and recipe.window_px:
        side = min(side, recipe.window_px)
    shape = (len(examples.indices), side, side, len(bands))
    free, needed = psutil.virtual_memory().available, 2 * int(np.prod(shape, dtype=np.int64))
    if needed > _MEMORY_SHARE * free:
        raise UsageError(
            f"{shape[0]:,} windows of {side} px need {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB of memory are free",
            "windows that fit in memory",
            "close other programs, or train on fewer samples, smaller windows or fewer bands",
        )
    windows = np.empty(shape, np.uint16)
    for start in range(0, shape[0], _READ_AT_ONCE):
        chosen = examples.indices[start : start + _READ_AT_ONCE]
        windows[start : start + _READ_AT_ONCE] = middle_of(read_windows(dataset, bands, chosen.tolist()), side)
    return windows


def fold_record(fit: Fit, examples: Examples, number: int, seconds: float) -> dict[str, Any]:
    """What one fold showed, as plain values: figures, epochs, and the scores of its validation samples."""
    state, split = fit.state, fit.split
    logits = fit.logits(split.validation)
    scores = softmax(logits) if len(split.validation) else np.zeros((0, 2))
    return {
        "number": number,
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "seconds": round(seconds, 1),
        "steps_left_out": state.left_out,
        "training": part_figures(fit, split.training),
        "validation": classification_figures(fit.labels[split.validation], scores.argmax(axis=1), scores.shape[1]),
        "history": [{name: round(value, 6) for name, value in epoch.items()} for epoch in state.history],
        "scores": {
            examples.names[i]: [round(float(p), 6) for p in row]
            for i, row in zip(split.validation, scores, strict=True)
        },
    }


def study_figures(
    records: Sequence[Mapping[str, Any]], examples: Examples, net: NetKind, recipe: Recipe
) -> dict[str, Any]:
    """What all folds together show.

    Args:
        records: of each fold, as `fold_record` gives them.
        examples: the samples.
        net: kind of net.
        recipe: says whether the threshold is chosen.

    Returns:
        `training` and `validation` (mean and deviation over folds, mean confusion), `threshold`, `at_threshold`
        (all validation scores together), `false_alarms_by_reason`, `reliability`, and the paper's figures.
    """
    where = {name: index for index, name in enumerate(examples.names)}
    pairs = [(where[name], row) for record in records for name, row in record["scores"].items()]
    chosen = np.array([index for index, _ in pairs], np.intp)
    scores = np.array([row for _, row in pairs], np.float64).reshape(len(pairs), len(classes_of(net)))
    return {
        "training": mean_and_deviation([record["training"] for record in records]),
        "validation": mean_and_deviation([record["validation"] for record in records]),
        **_pooled(chosen, scores, examples, net, recipe),
        "paper": dict(PAPER_FIGURES[net]),
    }


def _pooled(
    chosen: NDArray[np.intp], scores: NDArray[np.float64], examples: Examples, net: NetKind, recipe: Recipe
) -> dict[str, Any]:
    labels = examples.labels[chosen]
    reasons = [examples.reasons[index] for index in chosen]
    if net == "impact":
        likeliest = scores.argmax(axis=1)
        return {
            "pooled": classification_figures(labels, likeliest, len(classes_of(net))),
            "reliability": reliability(likeliest == labels, scores.max(axis=1)),
        }
    mine, is_mine = scores[:, MINE], labels == MINE
    threshold = best_threshold(is_mine, mine) if recipe.threshold == "validation" else HALF
    is_hit = mine > threshold
    return {
        "threshold": round(threshold, 4),
        "pooled": classification_figures(labels, is_hit.astype(np.intp)),
        "false_alarms_by_reason": false_alarms_by_reason(reasons, ~is_mine, is_hit),
        "reliability": reliability(is_mine, mine),
    }
