import numpy as np
import pytest

from minedisc_core.learning.jitter import Jitter, cut_tile, jittered
from minedisc_core.learning.mask_labels import MINE_FREE, POSITIVE, MaskedScene

STILL = Jitter(0, 0, 0, 0)


@pytest.fixture
def random():
    return np.random.default_rng(3)


def marked_scene(side=448):
    """Pixels that say whether they are in the mask, and where they are."""
    mask = np.zeros((side, side), bool)
    mask[150:230, 260:300] = True
    dn = np.stack([np.where(mask, 3000, 1000), *np.mgrid[1 : side + 1, 1 : side + 1]], axis=-1)
    return MaskedScene("s", "p", dn.astype(np.uint16), mask)


def test_labels_of_a_turned_and_shifted_tile_follow_its_pixels(random):
    for _ in range(20):
        tile, labels = cut_tile(marked_scene(), 432, random, STILL)
        again = MaskedScene("t", "p", tile, tile[..., 0] == 3000).labels()
        assert (labels[:-1, :-1] == again[:-1, :-1]).all()  # the last windows reach beyond the tile
        assert (labels == POSITIVE).any()


def test_a_scene_that_is_too_small_is_mirrored(random):
    small = MaskedScene("s", "p", random.integers(1, 3000, (224, 300, 3)).astype(np.uint16), None)
    tile, labels = cut_tile(small, 432, random, STILL)
    assert tile.shape == (432, 432, 3)
    assert set(np.unique(tile)) <= set(np.unique(small.dn))
    assert labels.shape == (10, 10)
    assert (labels == MINE_FREE).all()


def test_no_data_stays_no_data_and_data_stay_data(random):
    dn = random.integers(0, 3, (50, 50, 3)).astype(np.uint16)
    changed = jittered(dn, random, Jitter(1, 1, 2000, 2000))
    assert ((changed == 0) == (dn == 0)).all()
    assert (jittered(dn, random, STILL) == dn).all()


def test_light_and_air_change_all_pixels_of_a_band_in_order(random):
    dn = np.repeat(np.arange(500, 2500, dtype=np.uint16)[:, None, None], 3, axis=2)
    changed = jittered(dn, random, Jitter()).astype(int)
    assert (changed != dn).mean() > 0.9
    assert (np.diff(changed[:, 0], axis=0) >= 0).all()
