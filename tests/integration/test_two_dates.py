"""Two mosaics of one area, scanned by one model with `minedisc`: what the candidates say of the time between."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from minedisc_core import cli
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import save_model
from minedisc_core.detection.networks import tensor_shapes
from minedisc_core.domain import ProductLevel
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.writing import write_mosaic

GRID = RasterGrid(1400, 1400, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
BEFORE = {"grown": 60, "unchanged": 100, "gone": 100}
AFTER = {"grown": 260, "unchanged": 100, "new": 100, "hidden": 100}
CENTRES = {
    "grown": (400, 400),
    "unchanged": (400, 1000),
    "gone": (700, 700),
    "new": (1000, 300),
    "hidden": (1100, 1100),
}
"""Row and column of each bright patch; `hidden` lies where the earlier mosaic holds no data."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that finds ground that is bright in the red band."""
    tensors = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes("discovery", 12).items()}
    tensors["conv1/kernel"][1, 1, L1C_BANDS.index("B4"), 0] = 1
    tensors["conv2/kernel"][1, 1, 0, 0] = tensors["conv3/kernel"][1, 1, 0, 0] = 1
    tensors["context/kernel"][2:5, 2:5, 0, 0] = 1 / 9
    tensors["output/kernel"][0, 0, 0, 1], tensors["output/bias"][1] = 8, -4
    card = ModelCard("red", "1", "discovery", ProductLevel.L1C, L1C_BANDS, mean=(1000.0,) * 12, std=(500.0,) * 12)
    save_model(tmp_path / "red", (card, tensors))
    return tmp_path / "red"


def mosaic(path: Path, sides_px: dict[str, int], year: int, has_hole: bool) -> Path:
    pixels = np.full((GRID.height_px, GRID.width_px, len(L1C_BANDS)), 1000, np.uint16)
    for name, side in sides_px.items():
        row, col = (at - side // 2 for at in CENTRES[name])
        pixels[row : row + side, col : col + side] = 2500
    if has_hole:
        pixels[900:, 900:] = 0
    dates = {"imagery_start": date(year, 1, 1), "imagery_end": date(year, 12, 31)}
    return write_mosaic(path, pixels, GRID, L1C_BANDS, ProductLevel.L1C, source="a test", **dates)


def place(found: dict[str, float]) -> str:
    """The patch that a candidate lies on."""
    row, col = GRID.pixel(found["peak_lon"], found["peak_lat"])
    return min(CENTRES, key=lambda name: np.hypot(CENTRES[name][0] - row, CENTRES[name][1] - col))


@pytest.mark.tensorflow
def test_two_scans_tell_what_is_new_grown_unchanged_and_gone(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(tmp_path / "home")
    for name, sides, year in (("early", BEFORE, 2018), ("late", AFTER, 2024)):
        image = mosaic(tmp_path / f"{name}.tif", sides, year, has_hole=name == "early")
        asked = ["scan", "--mosaic", str(image), "--model", str(model), "--run", str(tmp_path / name)]
        assert cli.main(asked) == 0
        assert cli.main(["take-in", str(tmp_path / name), "--home", home]) == 0
    assert "1 new, 1 grown, 1 unchanged" in capsys.readouterr().out
    assert cli.main(["candidates", "--home", home, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    told = {(each["imagery_start"][:4], place(each)): each["change"] for each in found}
    assert told == {
        ("2018", "grown"): "grown", ("2018", "unchanged"): "unchanged", ("2018", "gone"): "gone",
        ("2024", "grown"): "grown", ("2024", "unchanged"): "unchanged", ("2024", "new"): "new",
        ("2024", "hidden"): None,
    }  # fmt: skip
    assert cli.main(["candidates", "--home", home, "--change", "gone", "--change", "new", "--json"]) == 0
    assert sorted(each["change"] for each in json.loads(capsys.readouterr().out)) == ["gone", "new"]
    assert cli.main(["export", "--format", "csv", "--all", "--out", str(tmp_path / "o.csv"), "--home", home]) == 0
    with (tmp_path / "o.csv").open(encoding="utf-8") as file:
        assert sorted(row["change"] for row in csv.DictReader(file)) == sorted(each["change"] or "" for each in found)
    assert cli.main(["candidates", "--home", home, "--change", "shrunk"]) == 2
    assert cli.main(["summary", "--home", home]) == 0
    assert "by change: new 1, grown 2, unchanged 2, gone 1" in capsys.readouterr().out
