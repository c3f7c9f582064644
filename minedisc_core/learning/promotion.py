"""The rule of promotion: a pure function from what both models found to allowed or refused, with the numbers.

A challenger is promoted only if, on mines and look-alikes of places that no model ever learned from,
- there is enough to judge by: `LEAST_MINES` confirmed mines at `LEAST_PLACES` places;
- it finds no fewer of the mines, each model at its own stored threshold;
- it gives fewer false alarms, at the stored thresholds and also where both thresholds are set to find alike;
all this on the sites of whole scenes and on the samples. A site that nobody judged yet is no false alarm, but a
challenger whose sites are more, false and unjudged together, is refused too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

LEAST_MINES = 30
LEAST_PLACES = 3
_DRAWS = 2000
_PLACES_FOR_DRAWING = 10
"""From so many places on, whole places are drawn in the bootstrap; with fewer, single mines."""


@dataclass(frozen=True)
class Mine:
    """A held-out confirmed mine, and which model finds it at its stored threshold."""

    name: str
    """The same for samples of one mine: they count once."""
    place: str
    champion: bool
    challenger: bool


@dataclass(frozen=True)
class Pair:
    """A count of both models."""

    champion: int
    challenger: int | None
    """None: it cannot be had (the challenger finds as many mines at no threshold)."""


@dataclass(frozen=True)
class View:
    """Both models seen in one way: by the sites of whole scenes, or by samples."""

    mines: tuple[Mine, ...]
    false: Pair
    """False alarms at the stored thresholds: sites on rejected candidates, or rejected samples above it."""
    false_alike: Pair
    """The same, each model at the highest threshold at which it finds as many mines as the champion does."""
    unjudged: Pair = field(default_factory=lambda: Pair(0, 0))
    """Sites that meet no candidate anybody judged."""


@dataclass(frozen=True)
class Recall:
    """Recall of both models over distinct mines."""

    mines: int
    places: int
    champion: float
    challenger: float
    low: float
    """95 % bootstrap interval of the challenger's recall minus the champion's."""
    high: float
    drawn: str
    """What was drawn: `places` or `mines`."""


@dataclass(frozen=True)
class Decision:
    """Whether the rule allows the promotion, and why not."""

    is_allowed: bool
    missing: tuple[str, ...]
    """What there is too little of, to judge at all."""
    failures: tuple[str, ...]
    """Conditions that do not hold, each with its numbers."""
    sites: Recall
    samples: Recall

    @property
    def reasons(self) -> str:
        """All that stands against it, in one text."""
        return "; ".join((*self.missing, *self.failures))


def decide(sites: View, samples: View, seed: int = 0) -> Decision:
    """Judge a challenger against the champion.

    Args:
        sites: both seen by the sites of whole scenes.
        samples: both seen by held-out samples.
        seed: of the bootstrap.
    """
    by_sites, by_samples = recall_of(sites.mines, seed), recall_of(samples.mines, seed)
    missing = _missing(by_sites, "the whole scenes") or _missing(by_samples, "the samples")
    failures = [
        *_worse("on the whole scenes", sites, by_sites),
        *_worse("on the samples", samples, by_samples),
        *_more_sites(sites),
    ]
    return Decision(not missing and not failures, tuple(missing), tuple(failures), by_sites, by_samples)


def _missing(found: Recall, where: str) -> list[str]:
    told = []
    if found.mines < LEAST_MINES:
        short = LEAST_MINES - found.mines
        told.append(f"{found.mines} held-out confirmed mines on {where}, {LEAST_MINES} are needed: {short} more")
    if found.places < LEAST_PLACES:
        short = LEAST_PLACES - found.places
        told.append(f"they lie at {found.places} places, {LEAST_PLACES} are needed (5 km apart): {short} more")
    return told


def _worse(where: str, view: View, found: Recall) -> list[str]:
    told = []
    if found.challenger < found.champion:
        shares = f"{found.challenger:.1%} of {found.mines} held-out mines, the champion {found.champion:.1%}"
        told.append(f"{where} it finds {shares}")
    if view.false.challenger is None or view.false.challenger >= view.false.champion:
        told.append(f"{where} its false alarms are {_told(view.false)}: they must be fewer")
    if view.false_alike.challenger is None:
        told.append(f"{where} it finds as many mines as the champion at no threshold")
    elif view.false_alike.challenger >= view.false_alike.champion:
        told.append(f"{where} at equal recall its false alarms are {_told(view.false_alike)}: they must be fewer")
    return told


def _more_sites(view: View) -> list[str]:
    ours = (view.false.challenger or 0) + (view.unjudged.challenger or 0)
    theirs = view.false.champion + view.unjudged.champion
    if ours <= theirs:
        return []
    return [f"on the whole scenes its false and unjudged sites together are {ours}, the champion's {theirs}"]


def _told(pair: Pair) -> str:
    return f"{pair.challenger}, the champion's {pair.champion}"


def recall_of(mines: Sequence[Mine], seed: int = 0) -> Recall:
    """Recall over distinct mines (found if any of its samples is), and the interval of the difference."""
    merged: dict[str, Mine] = {}
    for mine in mines:
        before = merged.get(mine.name, mine)
        found_by = (before.champion or mine.champion, before.challenger or mine.challenger)
        merged[mine.name] = Mine(mine.name, min(before.place, mine.place), *found_by)
    found = [merged[name] for name in sorted(merged)]
    places = sorted({mine.place for mine in found})
    if not found:
        return Recall(0, 0, 0.0, 0.0, 0.0, 0.0, "mines")
    ours, theirs = (np.array([getattr(m, who) for m in found], float) for who in ("challenger", "champion"))
    by_place = len(places) >= _PLACES_FOR_DRAWING
    groups = np.array([places.index(mine.place) for mine in found]) if by_place else np.arange(len(found))
    low, high = _interval(ours - theirs, groups, seed)
    drawn = "places" if by_place else "mines"
    return Recall(len(found), len(places), float(theirs.mean()), float(ours.mean()), low, high, drawn)


def _interval(difference: np.ndarray, groups: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % percentile interval of the mean, drawing whole groups with replacement."""
    sums, sizes = np.bincount(groups, difference), np.bincount(groups)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (_DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def threshold_alike(scores: Sequence[float], wanted: int) -> float | None:
    """The highest threshold at which at least `wanted` of the scores are above it; None if there are too few.

    A score is above a threshold, never equal to it; the threshold is the next smaller float32, or 0.
    """
    if wanted <= 0:
        return 1.0
    ordered = sorted((s for s in scores if s == s), reverse=True)
    if len(ordered) < wanted:
        return None
    return float(np.nextafter(np.float32(ordered[wanted - 1]), np.float32(-1)))
