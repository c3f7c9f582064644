"""Champion and challenger on whole scenes and on samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.grid import RasterGrid, square_around
from minedisc_core.learning.comparison import Judged, Scanned, calibration_error, compare
from minedisc_core.learning.cut_off import choose_cut_off
from minedisc_core.learning.whole_scene import SceneScores, best_scores, count_sites

GRID = RasterGrid(40, 40, Affine(270, 0, 600_000, 0, -270, 7_800_000), "EPSG:32723")


def scene(cells: dict[tuple[int, int], float]) -> SceneScores:
    scores = np.full((40, 40), 0.1, np.float32)
    scores[0] = np.nan
    for cell, score in cells.items():
        scores[cell] = score
    return SceneScores(scores, GRID)


def cell(row: int, col: int, side_m: float = 100):
    lon, lat = GRID.lonlat(np.array([row + 0.5]), np.array([col + 0.5]))[0]
    return square_around(lon, lat, side_m)


def judged(name: str, row: int, col: int, is_mine: bool, reason: str = "burn") -> Judged:
    mine, why = (name, "") if is_mine else ("", reason)
    return Judged(name, f"c-{name}", "run", mine, f"p{row}", is_mine, why, 0.0, 0.0, cell(row, col))


def test_a_place_is_found_by_a_cell_that_lies_within_one_cell_of_it_and_no_farther() -> None:
    found = scene({(10, 11): 0.9, (20, 22): 0.9})
    np.testing.assert_allclose(best_scores(found, [cell(10, 10), cell(20, 20)]), [0.9, 0.1], rtol=1e-6)


def test_what_no_cell_has_seen_has_no_score() -> None:
    assert math.isnan(best_scores(scene({}), [square_around(-50.0, -10.0, 100)])[0])


def test_a_site_on_a_rejected_place_is_false_one_on_a_mine_is_not_and_a_new_one_is_neither() -> None:
    found = scene({(5, 5): 0.9, (5, 6): 0.8, (15, 15): 0.9, (25, 25): 0.9, (26, 26): 0.7, (35, 35): 0.5})
    mines, rejected = [cell(5, 7)], [cell(5, 4), cell(15, 15)]
    assert count_sites(found, 0.6, mines, rejected) == (1, 1)
    assert count_sites(found, 0.4, mines, rejected) == (1, 2)
    assert count_sites(found, 0.95, mines, rejected) == (0, 0)


def test_both_models_are_set_side_by_side_with_what_changed() -> None:
    rows = [judged("a", 5, 5, True), judged("b", 15, 15, True), judged("c", 25, 25, False), judged("d", 35, 35, False)]
    scores = {"champion": {(5, 5): 0.9, (15, 15): 0.9, (25, 25): 0.8, (35, 35): 0.7},
              "challenger": {(5, 5): 0.9, (15, 15): 0.3, (25, 25): 0.2, (35, 35): 0.65}}  # fmt: skip
    samples = {"a": {"champion": 0.9, "challenger": 0.8}, "c": {"champion": 0.9, "challenger": 0.2}}
    scenes = [Scanned({which: scene(cells) for which, cells in scores.items()}, tuple(rows))]
    found = compare(rows, samples, scenes, {"champion": 0.6, "challenger": 0.6}, ["a problem"])
    assert [o.judged.sample_id for o in found.changed] == ["b", "c"]
    champion, challenger = found.figures["champion"], found.figures["challenger"]
    assert (champion.sites_found, champion.sites_false) == (2, 2)
    assert (challenger.sites_found, challenger.sites_false) == (1, 1)
    assert (champion.recall, challenger.recall) == (1.0, 1.0)
    assert (champion.false_by_reason, challenger.false_by_reason) == ({"burn": (1, 1)}, {"burn": (0, 1)})
    assert found.decision.sites.mines == 2
    assert found.decision.samples.mines == 1
    assert found.problems == ("a problem",)
    assert any("finds 50.0% of 2 held-out mines, the champion 100.0%" in text for text in found.decision.failures)


def test_at_equal_recall_each_model_has_its_own_cut_off() -> None:
    rows = [judged("a", 5, 5, True), judged("c", 25, 25, False)]
    cells = {"champion": {(5, 5): 0.9, (25, 25): 0.7}, "challenger": {(5, 5): 0.8, (25, 25): 0.85}}
    scenes = [Scanned({which: scene(found) for which, found in cells.items()}, tuple(rows))]
    found = compare(rows, {}, scenes, {"champion": 0.6, "challenger": 0.9})
    told = [text for text in found.decision.failures if "equal recall" in text and "scenes" in text]
    assert told == ["on the whole scenes at equal recall its false alarms are 1, the champion's 0: they must be fewer"]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60))
def test_the_calibration_error_is_a_share(rows: list[tuple[float, bool]]) -> None:
    scores = np.array([row[0] for row in rows])
    targets = np.array([row[1] for row in rows], np.int64)
    assert 0 <= calibration_error(scores, targets) <= 1


def test_the_calibration_error_of_a_known_case() -> None:
    assert calibration_error(np.array([0.95, 0.95, 0.05, 0.05]), np.array([1, 1, 0, 0])) == pytest.approx(0.05)
    assert calibration_error(np.array([0.95, 0.95]), np.array([0, 0])) == pytest.approx(0.95)


def test_the_cut_off_is_the_champions_lowered_until_no_mine_is_lost() -> None:
    labels = np.tile([1, 1, 1, 1, 0, 0, 0, 0], 5)
    champion = np.tile([0.9, 0.9, 0.9, 0.2, 0.9, 0.9, 0.1, 0.1], 5)
    challenger = np.tile([0.9, 0.85, 0.8, 0.35, 0.5, 0.2, 0.1, 0.1], 5)
    assert choose_cut_off(challenger, champion, labels, 0.6) == 0.6
    assert choose_cut_off(challenger - 0.3, champion, labels, 0.6) == 0.49
    assert choose_cut_off(challenger - 0.3, champion, np.where(np.arange(40) < 8, labels, 0), 0.6) == 0.6
    assert choose_cut_off(np.full(40, 0.1), champion, labels, 0.6) == 0.3
    assert choose_cut_off(np.full(40, 0.1), champion, labels, 0.2) == 0.2


def test_one_odd_mine_of_forty_does_not_lower_the_cut_off_and_two_do() -> None:
    champion, labels = np.full(60, 0.9), np.repeat([1, 0], [40, 20])
    challenger = np.where(labels == 1, 0.8, 0.1)
    challenger[0] = 0.35
    assert choose_cut_off(challenger, champion, labels, 0.6) == 0.6
    challenger[1] = 0.45
    assert choose_cut_off(challenger, champion, labels, 0.6) == 0.44
