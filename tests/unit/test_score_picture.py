"""The scores of a run as a picture over a web map."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minedisc_core.errors import ImageryError
from minedisc_core.imagery.score_picture import NOT_SEEN, coloured, score_picture


def test_nothing_is_transparent_and_a_hit_is_opaque() -> None:
    picture = coloured(np.array([[0.0, 0.7, 1.0]], np.float32))
    assert picture[0, 0, 3] == 0
    assert picture[0, 0, 3] < picture[0, 1, 3] < picture[0, 2, 3]


def test_what_was_not_seen_is_a_grey_veil() -> None:
    assert tuple(coloured(np.array([[np.nan]], np.float32))[0, 0]) == NOT_SEEN


def test_the_picture_lies_where_the_cells_lie(write_raster: Callable[..., Path]) -> None:
    scores = np.zeros((40, 30, 1), np.float32)
    scores[30:, :15] = 1
    path = write_raster(scores, pixel=(270.0, 270.0), nodata=np.nan)
    made = score_picture(path)
    west, south, east, north = made.bounds
    assert (east - west) * 104_600 == pytest.approx(30 * 270, rel=0.05)  # metres per degree at 19.9° S
    assert (north - south) * 110_700 == pytest.approx(40 * 270, rel=0.05)
    picture = np.asarray(Image.open(io.BytesIO(made.png)))
    height, width = picture.shape[:2]
    assert picture[int(height * 0.9), int(width * 0.2), 3] > 200
    assert picture[int(height * 0.2), int(width * 0.2), 3] == 0


def test_cells_that_were_not_seen_are_kept_apart_from_what_lies_outside(write_raster: Callable[..., Path]) -> None:
    scores = np.full((20, 20, 1), np.nan, np.float32)
    picture = np.asarray(Image.open(io.BytesIO(score_picture(write_raster(scores, nodata=np.nan)).png)))
    assert tuple(picture[picture.shape[0] // 2, picture.shape[1] // 2]) == NOT_SEEN


def test_a_file_that_is_no_raster_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "scores.tif"
    path.write_text("no raster")
    with pytest.raises(ImageryError, match="cannot be read"):
        score_picture(path)
