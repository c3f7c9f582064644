import math

import numpy as np
import pytest

from minedisc_core.bench.tailings_figures import (
    ScoredScene,
    choose_threshold,
    false_per_100_km2,
    hit_share,
    scenes_hit,
    window_auc,
)
from minedisc_core.learning.mask_labels import IGNORED, MINE_FREE, NEGATIVE, POSITIVE


def scored(labels, scores, threshold=0.5, **more):
    labels = np.array([labels], np.int8)
    return ScoredScene("s", "p", 0, labels, np.array([scores], float), threshold, **more)


def test_ignored_cells_count_for_nothing():
    scenes = [scored([POSITIVE, IGNORED, NEGATIVE], [0.9, 0.95, 0.2]), scored([IGNORED], [0.99])]
    assert window_auc(scenes) == 1
    assert (hit_share(scenes, POSITIVE), hit_share(scenes, NEGATIVE)) == (1, 0)


def test_two_voices_together_can_be_right_where_each_alone_is_not():
    rival = np.array([[3.0, 0.0, 1.0, -2.0]])
    scenes = [scored([POSITIVE, POSITIVE, NEGATIVE, NEGATIVE], [0.4, 0.9, 0.2, 0.6], rival=rival)]
    assert (window_auc(scenes), window_auc(scenes, "rival")) == (0.75, 0.75)
    assert window_auc(scenes, "both") == 1


def test_a_scene_is_hit_by_a_positive_cell_only():
    by_rim = scored([POSITIVE, IGNORED], [0.4, 0.9])
    by_background = scored([POSITIVE, NEGATIVE], [0.4, 0.9])
    by_mine = scored([POSITIVE, POSITIVE], [0.4, 0.6])
    without_mine = scored([NEGATIVE, IGNORED], [0.9, 0.9])
    assert scenes_hit([by_rim, by_background, by_mine, without_mine]) == (1, 3)


def test_false_hits_are_counted_over_seen_cells_of_all_scenes():
    scenes = [scored([MINE_FREE] * 1000, [0.9] + [0.1] * 999), scored([MINE_FREE] * 3000, [0.1] * 3000)]
    assert false_per_100_km2(scenes) == pytest.approx(100 / (4000 * 0.0729))
    assert math.isnan(false_per_100_km2([]))


def test_the_threshold_lies_between_what_must_be_hit_and_what_must_not():
    masked = [scored([POSITIVE, NEGATIVE], [0.7 + k / 1000, 0.2]) for k in range(20)]
    free = [scored([MINE_FREE] * 2000, np.linspace(0, 0.5, 2000))]
    threshold = choose_threshold(masked + free)
    assert 0.49 < threshold < 0.7
    judged = [ScoredScene(s.name, s.place, 0, s.labels, s.scores, threshold) for s in masked + free]
    assert scenes_hit(judged) == (20, 20)
    assert hit_share(judged, NEGATIVE) == 0
    assert false_per_100_km2([s for s in judged if s.is_mine_free]) <= 5


def test_where_both_cannot_be_the_scenes_are_hit():
    masked = [scored([POSITIVE, NEGATIVE], [0.3 + k / 1000, 0.9]) for k in range(20)]
    threshold = choose_threshold(masked)
    hit = [s for s in masked if s.scores[0, 0] > threshold]
    assert len(hit) >= 18
