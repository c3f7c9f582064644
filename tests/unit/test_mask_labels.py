import numpy as np
import pytest

from minedisc_core.learning.mask_labels import (
    IGNORED,
    MINE_FREE,
    NEARLY_NEGATIVE,
    NEGATIVE,
    POSITIVE,
    MaskedScene,
    label_windows,
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


@pytest.mark.parametrize(
    ("row", "col", "label"),
    [(0, 0, NEARLY_NEGATIVE), (200, 200, NEARLY_NEGATIVE), (19, 100, NEARLY_NEGATIVE), (20, 100, IGNORED)],
)
def test_one_mask_pixel_anywhere_in_the_window_and_the_cell_is_not_background(row, col, label):
    mask = np.zeros((201, 201), bool)
    mask[row, col] = True
    assert labels_of(mask).tolist() == [[label]]


def test_background_is_a_window_without_any_mask_pixel():
    mask = np.zeros((228, 228), bool)
    mask[215:, :] = True
    assert labels_of(mask).tolist() == [[NEGATIVE, NEGATIVE], [NEARLY_NEGATIVE, NEARLY_NEGATIVE]]


def test_windows_of_a_shifted_tile_are_counted_where_they_lie():
    mask = np.zeros((448, 448), bool)
    mask[200:260, 190:250] = True
    shifted = label_windows(mask, (9, 9), (5, 11))
    assert shifted.tolist() == label_windows(mask[5:, 11:], (9, 9)).tolist()
    assert set(shifted.ravel().tolist()) > {POSITIVE, IGNORED}


def test_every_cell_of_a_scene_without_a_mine_says_so():
    scene = MaskedScene("s", "p", np.ones((224, 251, 3), np.uint16), None)
    assert scene.labels().tolist() == [[MINE_FREE] * 3] * 2
