from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.bench.tailings_trial import Frame, area_under_curve, deal, hits_any, places_of, read_frames
from minedisc_core.domain import Impact, Site
from minedisc_core.errors import UsageError
from minedisc_core.grid import RasterGrid, geodesic_distance_m, square_around

GRID = RasterGrid(448, 448, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")


def frame(name, place):
    return Frame(name, Path(name), GRID, shapely.Point(0, 0), place)


def site(lon, lat):
    square = square_around(lon, lat, 270)
    return Site("s", square, lon, lat, lon, lat, 0, 0, 0.9, 0.9, 1, 7.3, Impact.UNKNOWN, None, False)


def test_chains_of_near_frames_are_one_place():
    east = [-44.0, -43.85, -43.7, -43.0]
    assert places_of(np.array([(lon, -20.0) for lon in east])).tolist() == [0, 0, 0, 1]
    assert geodesic_distance_m(-44.0, -20, -43.85, -20) < 20_000 < geodesic_distance_m(-44.0, -20, -43.7, -20)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=40), st.integers(1, 4), st.integers(0, 3))
def test_each_frame_is_in_one_fold_and_each_place_too(places, folds, seed):
    frames = [frame(str(k), place) for k, place in enumerate(places)]
    dealt = deal(frames, folds, seed)
    assert sorted(f.name for fold in dealt for f in fold) == sorted(f.name for f in frames)
    homes = {f.place: {i for i, fold in enumerate(dealt) if f in fold} for f in frames}
    assert all(len(fold) == 1 for fold in homes.values())


def test_a_site_hits_a_mask_up_to_270_m_away():
    here = site(-44.0, -20.0)
    east_edge = here.polygon.bounds[2]
    degree_m = geodesic_distance_m(-44, -20, -43, -20)
    for metres, hit in ((0, True), (260, True), (280, False)):
        start = east_edge + metres / degree_m
        mask = shapely.box(start, -20.001, start + 0.01, -19.999)
        assert hits_any(here, [shapely.Point(10, 10).buffer(1), mask]) == hit
    assert not hits_any(here, [])


@pytest.mark.parametrize(
    ("positive", "value", "area"),
    [([1, 1, 0, 0], [4, 3, 2, 1], 1.0), ([1, 0, 1, 0], [1, 1, 1, 1], 0.5), ([1, 0], [0, 9], 0.0)],
)
def test_area_under_the_curve_counts_pairs_in_the_right_order(positive, value, area):
    assert area_under_curve(np.array(positive, bool), np.array(value, float)) == area


def test_without_one_kind_there_is_no_area():
    assert np.isnan(area_under_curve(np.ones(3, bool), np.arange(3.0)))


def test_a_folder_without_frames_says_what_it_needs(tmp_path):
    with pytest.raises(UsageError, match=r"holds no frames.*MINEDISC_TRIAL_DATA"):
        read_frames(tmp_path)
