"""`minedisc bench loop` in small: three steps of training, two scenes of verdicts, one unseen seed: its shape only."""

from __future__ import annotations

import pytest

from minedisc_core.bench.loop import Sizes, bench_loop
from minedisc_core.bench.loop_scenes import UNKNOWN, loop_scene
from minedisc_core.learning.demo_models import cell_labels
from minedisc_core.learning.dense import IGNORED

SMALL = Sizes(540, 600, training=(2000,), verdicts=(200, 201), unseen=(1,), steps=3, epochs=2, threshold=0.02)


@pytest.mark.tensorflow
def test_the_whole_loop_runs_by_the_real_verbs_and_tells_its_figures_with_goals() -> None:
    found = bench_loop(540, sizes=SMALL)
    figures = {figure["name"]: figure for figure in found["figures"]}
    assert figures["false sites on unseen seeds, after / before"]["goal"] == "<= 0.5"
    assert figures["recall on unseen seeds, after - before"]["goal"] == ">= 0"
    assert figures["promoted by the rule"]["holds"] is False
    assert figures["held-out confirmed mines"]["holds"] is False
    assert found["decision"]["missing"]
    assert sum(found["verdicts"].values()) >= 2
    assert set(found["comparison"]) == {"champion", "challenger"}


def test_the_champion_sees_no_irrigation_dam_as_background() -> None:
    scene = loop_scene(2000, 0, 1024, 2.4)
    labelled = scene.without_unknown()
    plain = cell_labels(scene.grid, scene.features)
    assert any(feature.kind == UNKNOWN for feature in scene.features)
    left_out = (plain == 0) & (labelled.labels == IGNORED)
    assert left_out.any()
    assert ((plain == 1) == (labelled.labels == 1)).all()


def test_scenes_lie_at_places_of_their_own_with_their_truth() -> None:
    first, second = loop_scene(200, 0, 540), loop_scene(200, 4, 540)
    assert (first.dn == second.dn).all()
    apart = second.grid.footprint.centroid.distance(first.grid.footprint.centroid)
    assert apart > 0.3
    for one, other in zip(first.features, second.features, strict=True):
        assert second.grid.footprint.buffer(1e-4).contains(other.polygon)
        assert one.kind == other.kind
