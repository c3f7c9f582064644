"""The whole job on real tailings, small: train on some places; scan, match, decide and export on others."""

import numpy as np
import pyogrio
import pytest

from minedisc_core.bench.tailings import fold_units, judge
from minedisc_core.bench.tailings_data import WITH_OFFSET, mine_free_folders, read_masked, read_mine_free
from minedisc_core.bench.tailings_trial import deal, read_frames, run_trial
from minedisc_core.grid import geodesic_distance_m
from minedisc_core.learning.mask_labels import NEGATIVE, POSITIVE

pytestmark = [pytest.mark.trial, pytest.mark.tensorflow]

CHOSEN = ("000", "002", "008", "010", "036", "042", "051", "091", "096", "113")
"""Of ten places; all but one hold a cell without a mask in its window."""


@pytest.fixture(scope="module")
def frames(trial_data):
    return [f for f in read_frames(trial_data / "imagery" / "tailings_rgb") if f.name.endswith(CHOSEN)]


def test_real_places_are_kept_apart(trial_data):
    everything = read_frames(trial_data / "imagery" / "tailings_rgb")
    assert (len(everything), len({frame.place for frame in everything})) == (78, 21)
    first, second = deal(everything, 2)
    nearest = min(geodesic_distance_m(*a.centre, *b.centre) for a in first for b in second)
    assert nearest > 20_000


def test_from_training_on_some_places_to_a_kml_of_others(frames, trial_data, settings):
    result = run_trial(frames, trial_data / "registers" / "sigbm_dams.csv", settings, folds=2)
    assert sorted(row.name for row in result.frames) == sorted(frame.name for frame in frames)
    assert sum(result.training_frames) == len(frames)
    sites = sum(row.sites for row in result.frames)
    assert sites > 0
    assert result.confirmed == sites - sum(row.sites_off_masks for row in result.frames)
    assert all(len(row.nearest_dam_m) == row.sites for row in result.frames)
    for row in result.frames:
        assert row.registered == sum(metres <= 1000 for metres in row.nearest_dam_m)
        assert 0 <= row.hit_cells_fraction <= 1
        assert row.sites_off_masks <= row.sites
    assert 0 <= result.cells.far_hit_fraction <= 1
    kml = settings.home / "tailings.kml"
    assert sum(len(pyogrio.read_dataframe(kml, layer=name)) for name, _ in pyogrio.list_layers(kml)) == sites
    assert result.kml_rows == sites
    assert (settings.models / "tailings-trial-0" / "discovery.safetensors").exists()


def test_the_cells_of_the_real_frames_are_counted_as_stated(trial_data):
    (scenes,) = read_masked([trial_data])
    labels = np.concatenate([judged.scene.labels().ravel() for judged in scenes])
    assert (len(scenes), len(labels), len({judged.scene.place for judged in scenes})) == (78, 7800, 21)
    assert ((labels == POSITIVE).sum(), (labels == NEGATIVE).sum()) == (4713, 182)


def test_real_scenes_without_a_mine_are_read_without_their_offset(trial_data):
    scenes = {found.scene.name: found.scene for found in read_mine_free(mine_free_folders(trial_data, []))}
    darkest = {name: int(np.percentile(scene.dn[..., 2], 1)) for name, scene in scenes.items()}
    assert {name: darkest[name] for name in WITH_OFFSET} == {
        "282D_485L_3_3": 359, "433D_629L_3_1": 345, "609U_541L_3_0": 1819,
    }  # fmt: skip
    assert darkest["38D_378R_2_3"] == 1025
    assert scenes["T33UUU_20170216T102101"].cells == (22, 50)


def test_a_small_training_on_real_frames_judges_other_places(trial_data):
    (scenes,) = read_masked([trial_data])
    with_negatives = [judged for judged in scenes if (judged.scene.labels() == NEGATIVE).any()]
    some = list({judged.scene.place: judged for judged in with_negatives}.values())  # one of each place
    free = list(read_mine_free([trial_data / "imagery" / "terramind_l1c"]))
    units = fold_units(some, free, 2, 0)
    judged = judge(units, 0)
    assert sorted(scene.name for scene in judged.frames) == sorted(s.scene.name for s in some)
    assert len(judged.free) == 5
    assert all(scene.rival is not None and scene.rival.shape == scene.scores.shape for scene in judged.frames)
    assert all(0 < scene.threshold < 1 for scene in judged.scenes)
