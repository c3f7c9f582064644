"""Figures of scored cells: areas under the curve, hits at a threshold, and how the threshold is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from minedisc_core.bench.tailings_trial import area_under_curve
from minedisc_core.learning.mask_labels import MINE_FREE, NEGATIVE, POSITIVE

CELL_KM2 = 0.0729
"""Ground of its own that a cell stands for: 270 m x 270 m."""
GOAL_AUC, GOAL_SCENES, GOAL_NEGATIVES, GOAL_PER_100_KM2 = 0.88, 0.90, 0.10, 5.0
SUREST = 6.0
"""Log odds beyond which neither voice counts for more when both are heard."""


@dataclass(frozen=True)
class ScoredScene:
    """A judged scene: the scores come from a net that saw nothing of its place."""

    name: str
    place: str
    fold: int
    labels: NDArray[np.int8]
    scores: NDArray[np.float64]
    """Net, 0..1."""
    threshold: float
    """A cell above it is a hit; chosen on the training places of the fold."""
    rival: NDArray[np.float64] | None = None
    """The regression's scores; None on scenes without a mine."""

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Cells above the threshold."""
        return self.scores > self.threshold

    @property
    def is_mine_free(self) -> bool:
        """Whether there is no mine in it."""
        return bool((self.labels == MINE_FREE).all())

    @property
    def seen_km2(self) -> float:
        """Ground of its cells."""
        return self.labels.size * CELL_KM2


def window_auc(scenes: Sequence[ScoredScene], of: Literal["net", "rival", "both"] = "net") -> float:
    """Area under the curve over all positive and negative cells of the scenes together."""
    labels = np.concatenate([scene.labels.ravel() for scene in scenes])
    values = np.concatenate([_ranked_by(scene, of).ravel() for scene in scenes])
    counted = (labels == POSITIVE) | (labels == NEGATIVE)
    return area_under_curve(labels[counted] == POSITIVE, values[counted])


def _ranked_by(scene: ScoredScene, of: str) -> NDArray[np.float64]:
    """Scores of the net, log odds of the regression, or the mean of both log odds, neither beyond SUREST."""
    if of == "net" or scene.rival is None:
        return scene.scores
    net = np.log(np.clip(scene.scores, 1e-9, 1 - 1e-9)) - np.log(np.clip(1 - scene.scores, 1e-9, 1))
    return scene.rival if of == "rival" else np.clip(net, -SUREST, SUREST) + np.clip(scene.rival, -SUREST, SUREST)


def hit_share(scenes: Sequence[ScoredScene], kind: int) -> float:
    """Share of the cells with this label that are hits; NaN if there are none."""
    hits = np.concatenate([scene.hits[scene.labels == kind] for scene in scenes]) if scenes else np.zeros(0)
    return float(hits.mean()) if len(hits) else float("nan")


def scenes_hit(scenes: Sequence[ScoredScene]) -> tuple[int, int]:
    """Scenes with a positive cell that is a hit, and scenes that have a positive cell."""
    with_mine = [scene for scene in scenes if (scene.labels == POSITIVE).any()]
    return sum(bool(scene.hits[scene.labels == POSITIVE].any()) for scene in with_mine), len(with_mine)


def false_per_100_km2(scenes: Sequence[ScoredScene]) -> float:
    """False hits per 100 km2 of seen cells of scenes without a mine, pooled; NaN without such a scene."""
    seen = sum(scene.seen_km2 for scene in scenes)
    return 100 * sum(int(scene.hits.sum()) for scene in scenes) / seen if seen else float("nan")


def choose_threshold(scenes: Sequence[ScoredScene]) -> float:
    """The threshold for judged places, from scored training places that the nets did not see.

    High enough that few negative cells and few cells of mine-free scenes are hit, low enough that the
    scenes are; between the two in the middle of the ranks. Where both cannot be, the scenes count.
    """
    masked = [scene for scene in scenes if not scene.is_mine_free]
    free = [scene for scene in scenes if scene.is_mine_free]
    best = [scene.scores[scene.labels == POSITIVE].max() for scene in masked if (scene.labels == POSITIVE).any()]
    negatives = [scene.scores[scene.labels == NEGATIVE] for scene in masked]
    everywhere = np.sort(np.concatenate([scene.scores.ravel() for scene in scenes]))
    upper = _just_below(np.quantile(best, 1 - GOAL_SCENES - 0.03, method="lower")) if best else everywhere[-1]
    floors = [everywhere[0]]
    if sum(map(len, negatives)):
        floors.append(np.quantile(np.concatenate(negatives), 1 - GOAL_NEGATIVES, method="higher"))
    if free:
        allowed = GOAL_PER_100_KM2 / 100 * CELL_KM2
        floors.append(np.quantile(np.concatenate([s.scores.ravel() for s in free]), 1 - allowed, method="higher"))
    lower = max(floors)
    if lower >= upper:
        return float(upper)
    ranks = np.searchsorted(everywhere, [lower, upper])
    return float(min(max(everywhere[int(ranks.mean())], lower), upper))


def _just_below(value: float) -> float:
    return float(np.nextafter(value, -np.inf))
