"""Champion and challenger on what was held out: figures of each, what changed, and the views the rule judges by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from shapely.geometry.base import BaseGeometry

from minedisc_core.learning.evaluation import classification_figures
from minedisc_core.learning.promotion import Decision, Mine, Pair, View, decide, threshold_alike
from minedisc_core.learning.whole_scene import SceneScores, best_scores, count_sites

_BINS = 10
MODELS = ("champion", "challenger")
SAME_MINE_M = 300.0
"""Confirmed samples this near to each other show one mine: it counts once."""


@dataclass(frozen=True)
class Judged:
    """A held-out candidate as people judged it."""

    sample_id: str
    candidate_id: str
    run_id: str
    mine: str
    """Name of the mine, the same for all samples of it; empty for a rejected one."""
    place: str
    is_mine: bool
    reason: str
    """Why it was rejected; empty for a mine."""
    lon: float
    lat: float
    shape: BaseGeometry
    """Drawn outline, moved point or the site's cells, EPSG:4326."""


@dataclass(frozen=True)
class Outcome:
    """A held-out candidate and what both models say of it."""

    judged: Judged
    champion: float
    """Score of its sample, 0..1; NaN: it has none."""
    challenger: float
    champion_site: float = math.nan
    """Highest score of a cell that meets it in the scan of the whole scene; NaN: not scanned there."""
    challenger_site: float = math.nan

    def changes(self, thresholds: Mapping[str, float]) -> bool:
        """Whether one model has a site there (or a sample above its threshold, where nothing was scanned)."""
        found = [self.is_found(which, thresholds[which]) for which in MODELS]
        return found[0] != found[1]

    def is_found(self, which: str, threshold: float) -> bool:
        """Whether a model finds it."""
        by_site = float(getattr(self, f"{which}_site"))
        return (float(getattr(self, which)) if math.isnan(by_site) else by_site) > threshold


@dataclass(frozen=True)
class Figures:
    """One model on the held-out samples, at its stored threshold."""

    threshold: float
    mines: int
    recall: float
    precision: float
    f1: float
    calibration_error: float
    """Expected calibration error of the score as a probability, 0..1: 10 bins of equal width."""
    false_by_reason: Mapping[str, tuple[int, int]]
    """Reason: false alarms, and all samples of it."""
    sites_found: int
    """Held-out confirmed mines (samples) that a site of the whole scene meets."""
    sites_false: int
    sites_unjudged: int


@dataclass(frozen=True)
class Comparison:
    """Both models, side by side."""

    figures: Mapping[str, Figures]
    """`champion`, `challenger`."""
    outcomes: tuple[Outcome, ...]
    decision: Decision
    problems: tuple[str, ...] = field(default=())
    """What could not be judged, and why."""

    @property
    def changed(self) -> tuple[Outcome, ...]:
        """Candidates that one model finds and the other does not; mines first."""
        thresholds = {name: self.figures[name].threshold for name in MODELS}
        found = [outcome for outcome in self.outcomes if outcome.changes(thresholds)]
        return tuple(sorted(found, key=lambda o: (not o.judged.is_mine, o.judged.reason, o.judged.sample_id)))


@dataclass(frozen=True)
class Scanned:
    """One scene scanned by both models, and the candidates judged in it."""

    scores: Mapping[str, SceneScores]
    judged: tuple[Judged, ...]


def compare(
    judged: Sequence[Judged],
    samples: Mapping[str, Mapping[str, float]],
    scenes: Sequence[Scanned],
    thresholds: Mapping[str, float],
    problems: Sequence[str] = (),
) -> Comparison:
    """Both models on the same held-out candidates.

    Args:
        judged: all held-out candidates whose verdicts are still in force.
        samples: by sample id the scores of `champion` and `challenger`.
        scenes: scans of both models.
        thresholds: stored threshold of each model.
        problems: what could not be judged.
    """
    sites = _site_scores(scenes)
    outcomes = tuple(_outcome(each, samples.get(each.sample_id, {}), sites.get(each.sample_id, {})) for each in judged)
    counted = _Counts(scenes)
    by_samples = _view(outcomes, "", thresholds, lambda which, t: (_false(outcomes, which, t), 0))
    by_sites = _view(outcomes, "_site", thresholds, counted)
    figures = {which: _figures(outcomes, which, thresholds[which], counted) for which in MODELS}
    return Comparison(figures, outcomes, decide(by_sites, by_samples), tuple(problems))


def _site_scores(scenes: Sequence[Scanned]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for scene in scenes:
        best = {which: best_scores(scene.scores[which], [j.shape for j in scene.judged]) for which in MODELS}
        for number, each in enumerate(scene.judged):
            found[each.sample_id] = {which: float(best[which][number]) for which in MODELS}
    return found


def _outcome(judged: Judged, sample: Mapping[str, float], site: Mapping[str, float]) -> Outcome:
    scores = [float(sample.get(which, math.nan)) for which in MODELS]
    return Outcome(judged, *scores, *(float(site.get(which, math.nan)) for which in MODELS))


class _Counts:
    """False and unjudged sites of all scenes at a threshold, each counted once."""

    def __init__(self, scenes: Sequence[Scanned]) -> None:
        self._scenes = scenes
        self._of = cache(self._count)

    def __call__(self, which: str, threshold: float) -> tuple[int, int]:
        return self._of(which, threshold)

    def _count(self, which: str, threshold: float) -> tuple[int, int]:
        found = [
            count_sites(
                scene.scores[which], threshold,
                [j.shape for j in scene.judged if j.is_mine], [j.shape for j in scene.judged if not j.is_mine],
            )
            for scene in self._scenes
        ]  # fmt: skip
        return sum(pair[0] for pair in found), sum(pair[1] for pair in found)


def _false(outcomes: Sequence[Outcome], which: str, threshold: float) -> int:
    return sum(not o.judged.is_mine and getattr(o, which) > threshold for o in outcomes)


def _view(
    outcomes: Sequence[Outcome], kind: str, thresholds: Mapping[str, float],
    count: Callable[[str, float], tuple[int, int]],
) -> View:  # fmt: skip
    """Both models by samples (`kind` empty) or by sites (`_site`); what a model has not seen is left out."""
    seen = [o for o in outcomes if not any(math.isnan(getattr(o, which + kind)) for which in MODELS)]
    mines = [o for o in seen if o.judged.is_mine]
    scores = {which: _by_mine(mines, which + kind) for which in MODELS}
    stored = {which: count(which, thresholds[which]) for which in MODELS}
    wanted = sum(score > thresholds["champion"] for score in scores["champion"].values())
    alike = {which: threshold_alike(list(scores[which].values()), wanted) for which in MODELS}
    at = {which: None if alike[which] is None else count(which, alike[which] or 0.0)[0] for which in MODELS}
    return View(
        tuple(_mine(o, kind, thresholds) for o in mines),
        Pair(stored["champion"][0], stored["challenger"][0]),
        Pair(at["champion"] or 0, at["challenger"]),
        Pair(stored["champion"][1], stored["challenger"][1]),
    )


def _by_mine(mines: Sequence[Outcome], name: str) -> dict[str, float]:
    """The best score of each mine."""
    best: dict[str, float] = {}
    for outcome in mines:
        best[outcome.judged.mine] = max(best.get(outcome.judged.mine, 0.0), float(getattr(outcome, name)))
    return best


def _mine(outcome: Outcome, kind: str, thresholds: Mapping[str, float]) -> Mine:
    found = [getattr(outcome, which + kind) > thresholds[which] for which in MODELS]
    return Mine(outcome.judged.mine, outcome.judged.place, *found)


def _figures(outcomes: Sequence[Outcome], which: str, threshold: float, counted: _Counts) -> Figures:
    seen = [o for o in outcomes if not math.isnan(getattr(o, which))]
    scores = np.array([getattr(o, which) for o in seen], float)
    targets = np.array([o.judged.is_mine for o in seen], np.int64)
    found = classification_figures(targets, (scores > threshold).astype(np.int64))
    false, unjudged = counted(which, threshold)
    sites = [o for o in outcomes if o.judged.is_mine and getattr(o, f"{which}_site") > threshold]
    return Figures(
        threshold, int(targets.sum()), float(found.get("recall", 0)), float(found.get("precision", 0)),
        float(found.get("f1", 0)), calibration_error(scores, targets), _by_reason(seen, which, threshold),
        len(sites), false, unjudged,
    )  # fmt: skip


def _by_reason(seen: Sequence[Outcome], which: str, threshold: float) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for outcome in sorted((o for o in seen if not o.judged.is_mine), key=lambda o: o.judged.reason):
        false, total = found.get(outcome.judged.reason, (0, 0))
        found[outcome.judged.reason] = (false + (getattr(outcome, which) > threshold), total + 1)
    return found


def calibration_error(scores: np.ndarray, targets: np.ndarray, bins: int = _BINS) -> float:
    """Expected calibration error: mean distance of score and share of mines in bins of equal width, by their sizes.

    Args:
        scores: 0..1, (n,).
        targets: 1 mine, 0 background, (n,).
        bins: number of bins.
    """
    if not len(scores):
        return 0.0
    number = np.clip((scores * bins).astype(int), 0, bins - 1)
    gaps = np.abs(np.bincount(number, scores, bins) - np.bincount(number, targets, bins))
    return float(gaps.sum() / len(scores))
