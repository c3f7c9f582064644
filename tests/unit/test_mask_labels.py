import numpy as np
import pytest

from minedisc_core.learning.mask_labels import (
    IGNORED,
    MINE_FREE,
    NEGATIVE,
    POSITIVE,
    MaskedScene,
)


def labels_of(mask):
    return MaskedScene("s", "p", np.ones((*mask.shape, 3), np.uint16), mask).labels()


def test_a_cell_is_a_mine_with_150_mask_pixels_in_the_middle_81_of_its_window():
    mask = np.zeros((201, 201), bool)
    mask[60:70, 60:75] = True
    assert labels_of(mask).tolist() == [[POSITIVE]]
    mask[60, 60] = False
    assert labels_of(mask).tolist() == [[IGNORED]]
    mask[59, 60] = True
    assert labels_of(mask).tolist() == [[IGNORED]]


@pytest.mark.parametrize(("row", "col"), [(0, 0), (200, 200), (19, 100), (20, 100)])
def test_one_mask_pixel_anywhere_in_the_window_and_the_cell_is_not_background(row, col):
    mask = np.zeros((201, 201), bool)
    mask[row, col] = True
    assert labels_of(mask).tolist() == [[IGNORED]]


def test_background_is_a_window_without_any_mask_pixel():
    mask = np.zeros((228, 228), bool)
    mask[215:, :] = True
    assert labels_of(mask).tolist() == [[NEGATIVE, NEGATIVE], [IGNORED, IGNORED]]


def test_every_cell_of_a_scene_without_a_mine_says_so():
    scene = MaskedScene("s", "p", np.ones((224, 251, 3), np.uint16), None)
    assert scene.labels().tolist() == [[MINE_FREE] * 3] * 2
