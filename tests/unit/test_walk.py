from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minedisc_core.imagery.geotiff import Mosaic, open_mosaic
from minedisc_core.learning.walk import first_undecided, walk, window_picture
from minedisc_core.registers.points import PointFile, RegisterPoint
from minedisc_core.store import CorrectionEvent


@pytest.fixture
def mosaic(write_raster: Callable[..., Path]) -> Iterator[Mosaic]:
    pixels = np.random.default_rng(0).integers(500, 3000, (300, 300, 3)).astype(np.uint16)
    with open_mosaic([write_raster(pixels, "m.tif", ("B2", "B3", "B4"))]) as opened:
        yield opened


def place(mosaic: Mosaic, row: float, col: float) -> tuple[float, float]:
    lon, lat = mosaic.grid.lonlat(np.array([row]), np.array([col]))[0]
    return float(lon), float(lat)


def moved(line: int, lon: float, lat: float, register_id: str = "r") -> CorrectionEvent:
    return CorrectionEvent(f"e{line}", register_id, "m.csv", line, "moved", 0, 0, lon, lat, "ana", datetime(2026, 1, 1))


def test_points_on_the_mosaic_are_walked_also_those_moved_onto_it(mosaic: Mosaic) -> None:
    points = (
        RegisterPoint(2, *place(mosaic, 100, 100), ""),
        RegisterPoint(3, 0.0, 0.0, ""),
        RegisterPoint(4, 10.0, 10.0, ""),
    )
    read = PointFile("m.csv", "r", points, (), has_label=False)
    corrections = [moved(3, *place(mosaic, 50, 60)), moved(2, 1.0, 1.0, "other")]
    walked, off = walk(read, corrections, mosaic.grid)
    assert [each.point.line for each in walked] == [2, 3]
    assert off == 1
    assert walked[0].lonlat == place(mosaic, 100, 100)
    assert walked[1].lonlat == place(mosaic, 50, 60)
    assert first_undecided(walked) == 0
    assert first_undecided(walked, after=0) == 0
    assert first_undecided(walked[1:]) is None


def test_the_picture_of_a_window_is_marked_and_transparent_past_the_edge(mosaic: Mosaic) -> None:
    made = window_picture(mosaic, *place(mosaic, 150.5, 150.5))
    at_edge = window_picture(mosaic, *place(mosaic, 10.5, 150.5))
    assert made is not None
    assert at_edge is not None
    picture, edge = (np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")) for content in (made, at_edge))
    assert picture.shape == (402, 402, 4)
    assert picture[..., 3].min() == 255
    assert edge[5, 5, 3] == 0
    assert edge[-5, -5, 3] == 255
    assert np.abs(picture[201, 240, :3].astype(int) - (255, 213, 74)).max() < 90


def test_without_the_bands_of_a_picture_there_is_none(write_raster: Callable[..., Path]) -> None:
    with open_mosaic([write_raster(np.ones((210, 210, 1), np.uint16), "b.tif", ("B9",))]) as opened:
        assert window_picture(opened, -44.0, -20.0) is None
