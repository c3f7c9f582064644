"""The scores of a run as a picture over a web map."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minedisc_core.errors import ImageryError
from minedisc_core.imagery.score_picture import NOT_SEEN, NOT_SEEN_ALONE, coloured, score_picture
from minedisc_core.runs import REQUEST


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


def veil(scores: Path) -> np.ndarray:
    """RGBA at the middle of each cell of the picture of what was not seen, 20 x 20 cells."""
    picture = np.asarray(Image.open(io.BytesIO(score_picture(scores).not_seen_png)).convert("RGBA"))
    rows, cols = (((np.arange(20) + 0.5) * size / 20).astype(int) for size in picture.shape[:2])
    return picture[np.ix_(rows, cols)]


@pytest.fixture
def half_seen(write_raster: Callable[..., Path]) -> Path:
    """The western half of 20 x 20 cells has no score."""
    scores = np.full((20, 20, 1), 0.7, np.float32)
    scores[:, :10] = np.nan
    return write_raster(scores, pixel=(270.0, 270.0), nodata=np.nan)


def test_cells_that_were_not_seen_have_a_picture_of_their_own(half_seen: Path) -> None:
    found = veil(half_seen)
    assert (found[2:18, 2:9] == NOT_SEEN_ALONE).all()
    assert not found[2:18, 11:18, 3].any()


def test_where_everything_was_seen_there_is_no_such_picture(write_raster: Callable[..., Path]) -> None:
    scores = np.zeros((20, 20, 1), np.float32)
    assert score_picture(write_raster(scores, nodata=np.nan)).not_seen_png == b""


def ask_for(scores: Path, west: float, south: float, east: float, north: float) -> None:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    aoi = {"type": "Polygon", "coordinates": [ring]}
    scores.with_name(REQUEST).write_text(json.dumps({"aoi": aoi}), "utf-8")


def test_a_cell_that_nobody_asked_for_is_not_called_not_seen(half_seen: Path) -> None:
    west, south, east, north = score_picture(half_seen).bounds
    ask_for(half_seen, west, (south + north) / 2, east, north)
    found = veil(half_seen)
    assert (found[2:9, 2:9] == NOT_SEEN_ALONE).all()
    assert not found[11:18, :, 3].any()
    ask_for(half_seen, west + 0.6 * (east - west), south, east, north)
    assert score_picture(half_seen).not_seen_png == b""


@pytest.mark.parametrize("request_text", ["no JSON", "[]", "{}", '{"aoi": null}', '{"aoi": 7}', '{"aoi": {"type": 1}}'])
def test_without_an_area_that_can_be_read_the_whole_mosaic_was_asked_for(half_seen: Path, request_text: str) -> None:
    half_seen.with_name(REQUEST).write_text(request_text, "utf-8")
    assert (veil(half_seen)[2:18, 2:9] == NOT_SEEN_ALONE).all()


def test_a_file_that_is_no_raster_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "scores.tif"
    path.write_text("no raster")
    with pytest.raises(ImageryError, match="cannot be read"):
        score_picture(path)
