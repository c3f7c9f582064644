"""Training of both nets from uint16 windows, as the paper does it (sections 5.2.3 and 5.2.4) or better.

Adam, dropout, equal numbers per class, z-score of the training part; beyond the paper: validation on other
*places* (windows of one place never stand on both sides), the eight symmetries of the square, clipped gradients
(`soundness`), and windows of 255 px, whose middle cell scores exactly as in a scan. How is a `Recipe`; several
trainings with folds, files and progress are a job (`jobs.training`).

    trained = train_discovery(windows, labels, places, bands=L1C_BANDS, level=ProductLevel.L1C)
    save_model(folder, (trained.card("mine-net", "1"), trained.tensors))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.cards import ORES, PAPER_FIGURES, ModelCard
from minedisc_core.detection.networks import NetKind, Tensors
from minedisc_core.detection.spread import HeadKind
from minedisc_core.domain import IMPACT_CLASSES, ProductLevel
from minedisc_core.errors import UsageError
from minedisc_core.grid import CONTEXT_PX, PATCH_PX, WINDOW_PX
from minedisc_core.learning.batches import Windows, symmetry
from minedisc_core.learning.evaluation import classification_figures
from minedisc_core.learning.fitting import Fit, FitPlan
from minedisc_core.learning.folds import Split
from minedisc_core.learning.precision import policy_of
from minedisc_core.learning.recipes import DEFAULT, Recipe
from minedisc_core.learning.splits import split_by_place

_DARK_PERCENT, _DARK_ROOM, _DARK_WINDOWS = 0.1, 0.9, 1_000
__all__ = ["Trained", "TrainingOptions", "band_statistics", "symmetry", "train_discovery", "train_impact"]


@dataclass(frozen=True)
class TrainingOptions:
    """How to train, beyond the recipe."""

    epochs: int = 30
    batch: int | None = None
    """None: the recipe's."""
    learning_rate: float | None = None
    """Adam; None: the recipe's, 1e-3 for the discovery net, 1e-4 (paper) for the impact net."""
    seed: int = 0
    validation_fraction: float = 0.2
    """Share of the places (not of the windows) kept for validation; 0 = train on everything."""
    policy: str = "float32"
    """`mixed_bfloat16` is about twice as fast where the processor has it; `auto`: where it has it."""
    start_from: Tensors | None = None
    """Weights to go on from (transfer learning)."""
    start_mean: tuple[float, ...] | None = None
    """With `start_from`: the normalisation those weights were trained with."""
    start_std: tuple[float, ...] | None = None
    start_dark: tuple[float, ...] = ()
    """The same of a net with the spread head."""
    on_epoch: Callable[[int, Mapping[str, float]], None] | None = None
    """Called after each epoch with its number (from 1) and figures."""
    recipe: Recipe = DEFAULT


@dataclass(frozen=True)
class Trained:
    """Weights and all the facts a card needs."""

    net: NetKind
    tensors: dict[str, NDArray[np.float32]]
    bands: tuple[str, ...]
    level: ProductLevel
    mean: tuple[float, ...]
    std: tuple[float, ...]
    figures: Mapping[str, Any]
    """`training` and `validation`: accuracy, f1, recall, precision, confusion, samples."""
    history: tuple[Mapping[str, float], ...] = field(default=())
    """One entry per epoch."""
    dark: tuple[float, ...] = ()
    """Of a net with the spread head; empty for the paper's."""

    def card(self, name: str, version: str, **more: Any) -> ModelCard:
        """A card for these weights; `more` sets any other field (threshold, description, ...)."""
        if self.net == "impact":
            more = {"classes": tuple(str(c) for c in IMPACT_CLASSES), "ores": dict(ORES), **more}
        if self.dark:
            more = {"head": "spread", "dark": self.dark, **more}
        facts = {"training": dict(self.figures), "paper": dict(PAPER_FIGURES[self.net]), **more}
        return ModelCard(name, version, self.net, self.level, self.bands, self.mean, self.std, **facts)


def train_discovery(
    windows: Windows,
    labels: Sequence[int] | NDArray[np.integer],
    places: Sequence[Any] | NDArray[Any],
    *,
    bands: Sequence[str],
    level: ProductLevel,
    options: TrainingOptions | None = None,
) -> Trained:
    """Train the discovery net.

    Args:
        windows: uint16 DN (n, 255, 255, band), or 201 px a side as in the paper; 0 = no data.
        labels: n numbers, 1 = mine or tailings dam, 0 = background.
        places: n names or numbers; windows of one place stay together in training or validation.
        bands: band names in the order of the last axis.
        level: product of the windows.
        options: see TrainingOptions.

    Raises:
        UsageError: shapes, labels or places cannot be used.
        MinediscError: losses or weights came to no finite number.
    """
    _check(windows, labels, places, bands, (WINDOW_PX, CONTEXT_PX), 2)
    return _train("discovery", windows, labels, places, tuple(bands), level, options or TrainingOptions())


def train_impact(
    patches: Windows,
    labels: Sequence[int] | NDArray[np.integer],
    places: Sequence[Any] | NDArray[Any],
    *,
    bands: Sequence[str],
    level: ProductLevel,
    options: TrainingOptions | None = None,
) -> Trained:
    """Train the impact net on (n, 21, 21, band) patches; labels 0 high, 1 low, 2 no ore.

    Other arguments and errors as in `train_discovery`; Adam's rate is 1e-4 by default.
    """
    _check(patches, labels, places, bands, (PATCH_PX,), len(IMPACT_CLASSES))
    return _train("impact", patches, labels, places, tuple(bands), level, options or TrainingOptions())


def _check(
    windows: Windows, labels: Any, places: Any, bands: Sequence[str], sides: tuple[int, ...], classes: int
) -> None:
    shape = windows.shape
    if windows.dtype != np.uint16 or len(shape) != 4 or shape[1] != shape[2] or shape[1] not in sides:
        wanted = " or ".join(str(side) for side in sides)
        raise UsageError(f"the windows are {windows.dtype} {shape}", f"uint16 (n, side, side, band), side {wanted}")
    if shape[3] != len(bands):
        raise UsageError(f"the windows have {shape[3]} bands, {len(bands)} are named", "one name per band")
    if not shape[0] == len(labels) == len(places):
        raise UsageError(f"{shape[0]} windows, {len(labels)} labels, {len(places)} places", "one of each per window")
    found = sorted({int(label) for label in labels})
    if found != list(range(classes)):
        raise UsageError(f"the labels are {found}", f"each of {list(range(classes))} at least once")


def _train(
    net: NetKind, windows: Windows, labels: Any, places: Any,
    bands: tuple[str, ...], level: ProductLevel, options: TrainingOptions,
) -> Trained:  # fmt: skip
    started = time.monotonic()
    targets = np.asarray(labels, np.int32)
    split = Split(*split_by_place(targets, np.asarray(places), options.validation_fraction, options.seed))
    framed = middle_of(windows, options.recipe.window_px) if net == "discovery" else windows
    mean, std = normalisation(framed, split.training, options.start_mean, options.start_std)
    has_spread = net == "discovery" and _head(options) == "spread"
    dark = options.start_dark or dark_of(framed, mean, split.training) if has_spread else ()
    fit = Fit(_plan(net, mean, std, dark, options), framed, targets, split)
    told = options.on_epoch
    fit.run(options.epochs, (lambda state: told(state.epoch, state.history[-1])) if told else None)
    figures = {
        **_facts(framed, places, fit.plan, options, started),
        "steps_left_out": fit.guard.left_out,
        "training": part_figures(fit, split.training),
        "validation": part_figures(fit, split.validation),
    }
    return Trained(net, fit.tensors(), bands, level, mean, std, figures, tuple(fit.state.history), dark)


def _head(options: TrainingOptions) -> HeadKind:
    """That of the weights to go on from, else the recipe's."""
    start = options.start_from
    if start is None:
        return options.recipe.head
    if "standard/kernel" not in start:
        return "context"
    if options.start_mean and not options.start_dark:
        raise UsageError(
            "weights of a spread head with a mean and no dark", "start_dark, as on the card they came with"
        )
    return "spread"


def _plan(
    net: NetKind, mean: tuple[float, ...], std: tuple[float, ...], dark: tuple[float, ...], options: TrainingOptions
) -> FitPlan:
    recipe = replace(options.recipe, batch=options.batch or options.recipe.batch)
    policy = policy_of(options.policy)
    return FitPlan(net, recipe, mean, std, policy, options.seed, options.learning_rate, options.start_from, dark=dark)


def part_figures(fit: Fit, chosen: NDArray[np.intp]) -> dict[str, Any]:
    """Figures of a trained net on some of its windows, the likeliest class counting."""
    if not len(chosen):
        return {"samples": 0}
    logits = fit.logits(chosen)
    return classification_figures(fit.labels[chosen], logits.argmax(axis=1), logits.shape[1])


def _facts(windows: Windows, places: Any, plan: FitPlan, options: TrainingOptions, started: float) -> dict[str, Any]:
    return {
        "windows": len(windows),
        "window_px": int(windows.shape[1]),
        "places": len(np.unique(np.asarray(places))),
        "recipe": plan.recipe.name,
        "epochs": options.epochs,
        "batch": plan.recipe.batch,
        "learning_rate": plan.rate or plan.recipe.rate(plan.net, plan.start is not None),
        "seed": options.seed,
        "policy": plan.policy,
        "seconds": round(time.monotonic() - started, 1),
        "date": datetime.now(UTC).date().isoformat(),
    }


def middle_of(windows: Windows, side_px: int | None) -> Windows:
    """The middle `side_px` of each window; windows that are no larger (or all, if None) as they are."""
    spare = 0 if side_px is None else (windows.shape[1] - side_px) // 2
    return windows if spare <= 0 else np.ascontiguousarray(windows[:, spare:-spare, spare:-spare])


def normalisation(
    windows: Windows,
    training: NDArray[np.intp],
    start_mean: tuple[float, ...] | None = None,
    start_std: tuple[float, ...] | None = None,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation per band: those of the weights that a training starts from, else of its training part."""
    if start_mean and start_std:
        return start_mean, start_std
    mean, std = band_statistics(windows, training)
    return tuple(mean.tolist()), tuple(std.tolist())


def dark_of(
    windows: Windows, mean: Sequence[float], chosen: NDArray[np.intp] | None = None, step: int = 5
) -> tuple[float, ...]:
    """DN that the air alone sends back in each band: a tenth below the darkest thousandth of the pixels with data.

    The darkest object of a scene tells how much light the air scatters (dark-object subtraction, Chavez 1988); the
    tenth leaves room for darker ground elsewhere. Never above nine tenths of the band's mean.

    Args:
        windows: DN (n, side, side, band), 0 = no data.
        mean: per band, DN.
        chosen: numbers of the windows to look at; None: all.
        step: every so many pixels are looked at, along rows and columns; of about 1,000 windows at most.
    """
    picked = np.arange(len(windows)) if chosen is None else chosen
    some = picked[:: -(-len(picked) // _DARK_WINDOWS)]
    pixels = np.concatenate([windows[n, ::step, ::step].reshape(-1, windows.shape[-1]) for n in some.tolist()])
    pixels = pixels[(pixels != 0).all(axis=1)]
    most = _DARK_ROOM * np.asarray(mean)
    darkest = np.percentile(pixels, _DARK_PERCENT, axis=0) if len(pixels) else np.asarray(mean)
    return tuple(np.minimum(_DARK_ROOM * darkest, most).round(1).tolist())


def band_statistics(
    windows: Windows, chosen: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation per band over the pixels that have data in every band.

    The mean is rounded to a whole DN (subtracting it is then exact in any arithmetic); a constant
    band gets the deviation 1.

    Raises:
        UsageError: no pixel has data.
    """
    picked = range(len(windows)) if chosen is None else chosen
    bands = windows.shape[-1]
    count, total, squares = 0, np.zeros(bands), np.zeros(bands)
    for index in picked:
        pixels = windows[index].reshape(-1, bands)
        pixels = pixels[(pixels != 0).all(axis=1)].astype(np.float64)
        count += len(pixels)
        total += pixels.sum(axis=0)
        squares += (pixels**2).sum(axis=0)
    if not count:
        raise UsageError("the training windows hold no data", "DN above 0 in every band of some pixels")
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return np.round(mean).astype(np.float32), np.where(std < 1e-6, 1, std).astype(np.float32)
