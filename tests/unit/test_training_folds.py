"""Who trains and who validates: folds and resamplings, of samples and of places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.errors import UsageError
from minedisc_core.grid import geodesic_distance_m
from minedisc_core.learning.datasets import places_of
from minedisc_core.learning.folds import folds, resamplings

NAMES = ("background", "mine")


def labels_and_places(count, places, seed=0):
    random = np.random.default_rng(seed)
    place = random.integers(places, size=count)
    return np.arange(count) % 2, np.array([f"p{number:03}" for number in place])


def test_ten_draws_of_the_papers_dataset_validate_on_572_samples():
    labels = np.repeat([1, 0], [1397, 1463])
    drawn = resamplings(labels, np.arange(len(labels)).astype(str), 10, "samples", 0)
    assert [len(split.validation) for split in drawn] == [572] * 10
    assert [len(split.training) for split in drawn] == [2288] * 10
    assert len({split.validation.tobytes() for split in drawn}) == 10


def test_ten_folds_of_the_papers_patches_hold_equal_numbers_of_each_class():
    labels = np.repeat([0, 1, 2], 425)
    for split in folds(labels, labels.astype(str), 10, "samples", 3, ("high", "low", "no_ore")):
        counts = np.bincount(labels[split.validation])
        assert counts.sum() in (127, 128)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("unit", ["samples", "places"])
def test_each_sample_validates_in_exactly_one_fold(unit):
    labels, places = labels_and_places(200, 40)
    dealt = folds(labels, places, 5, unit, 1, NAMES)
    assert sorted(np.concatenate([split.validation for split in dealt])) == list(range(200))
    for split in dealt:
        assert not set(split.training) & set(split.validation)
        assert len(split.training) + len(split.validation) == 200


def test_folds_of_places_are_about_equally_large():
    labels, places = labels_and_places(400, 60)
    sizes = [len(split.validation) for split in folds(labels, places, 5, "places", 1, NAMES)]
    assert max(sizes) - min(sizes) <= 12


@given(
    st.lists(st.tuples(st.floats(-50, -49.5), st.floats(-10.5, -10)), min_size=24, max_size=60, unique=True),
    st.integers(0, 5),
)
def test_no_sample_lies_within_five_km_of_one_in_another_part(points, seed):
    lonlat = np.array(points)
    labels = np.arange(len(points)) % 2
    places = np.array(places_of(lonlat))
    try:
        dealt = folds(labels, places, 2, "places", seed, NAMES)
    except UsageError:
        return  # one chain, or a class in one place only: it is said, not split
    for split in dealt:
        nearest = min(
            geodesic_distance_m(*lonlat[one], *lonlat[other]) for one in split.training for other in split.validation
        )
        assert nearest > 4_990  # 5 km straight through the Earth, whose surface is a hair longer


def test_the_same_seed_deals_the_same_and_another_seed_another_way():
    labels, places = labels_and_places(100, 30)
    one, same, other = (folds(labels, places, 3, "places", seed, NAMES) for seed in (1, 1, 2))
    assert all((a.validation == b.validation).all() for a, b in zip(one, same, strict=True))
    assert any(len(a.validation) != len(b.validation) or (a.validation != b.validation).any()
               for a, b in zip(one, other, strict=True))  # fmt: skip


@pytest.mark.parametrize("unit", ["samples", "places"])
def test_fewer_samples_of_a_class_than_folds_are_refused_by_name(unit):
    labels, places = np.array([0] * 20 + [1] * 3), np.arange(23).astype(str)
    with pytest.raises(UsageError, match="3 samples of mine and 5 folds"):
        folds(labels, places, 5, unit, 0, NAMES)


def test_fewer_places_than_folds_are_refused():
    labels, places = labels_and_places(40, 3)
    with pytest.raises(UsageError, match="3 places"):
        folds(labels, places, 5, "places", 0, NAMES)


def test_a_class_at_one_place_only_cannot_be_dealt_into_folds_of_places():
    places = np.array(["a"] * 10 + ["b"] * 10 + ["c"] * 10)
    with pytest.raises(UsageError, match="hold every class"):
        folds((places == "a").astype(int), places, 2, "places", 0, NAMES)


def test_too_few_samples_to_draw_from_are_refused():
    with pytest.raises(UsageError, match="every class"):
        resamplings(np.array([0, 0, 0, 1]), np.arange(4).astype(str), 2, "samples", 0)
    with pytest.raises(UsageError, match="0 resamplings"):
        resamplings(np.array([0, 1]), np.arange(2).astype(str), 0, "samples", 0)
    with pytest.raises(UsageError, match="1 folds"):
        folds(np.array([0, 1]), np.arange(2).astype(str), 1, "samples", 0, NAMES)


def test_resamplings_of_places_keep_places_whole():
    labels, places = labels_and_places(100, 20)
    for split in resamplings(labels, places, 4, "places", 7):
        assert not set(places[split.training]) & set(places[split.validation])
