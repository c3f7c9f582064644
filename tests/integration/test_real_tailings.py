"""The whole job on real tailings, small: train on some places; scan, match, decide and export on others."""

import pyogrio
import pytest

from minedisc_core.bench.tailings_trial import deal, read_frames, run_trial
from minedisc_core.grid import geodesic_distance_m

pytestmark = [pytest.mark.trial, pytest.mark.tensorflow]

CHOSEN = ("001", "005", "008", "015", "027", "029", "049", "090", "098", "107")


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
    result = run_trial(frames, trial_data / "registers" / "sigbm_dams.csv", settings, steps=30, folds=2)
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
