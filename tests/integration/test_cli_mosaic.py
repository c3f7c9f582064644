"""`minedisc mosaic` as a person types it, with Earth Engine's client and a STAC API on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import mapping

from minedisc_core.bench.mosaic_scenes import COLLECTION
from minedisc_core.detection.models import fits, load_model
from minedisc_core.domain import ProductLevel
from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.demo import generate_scene
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.imagery.stac.catalogues import EARTH_SEARCH
from minedisc_core.settings import PROJECT_ROOT, load_settings
from tests.earth_engine_server import EarthEngineServer, serve_earth_engine
from tests.pages.fabricated import save_bright_model
from tests.stac_server import BEGIN, END, StacServer, serve_stac

SIZE_PX, SEED = 768, 3
PAPER = ("--source", "ee", "--recipe", "paper")


@pytest.fixture(scope="module")
def earth_engine() -> Iterator[EarthEngineServer]:
    scene = generate_scene(SIZE_PX, SEED)
    with serve_earth_engine(scene.l1c, L1C_BANDS, scene.grid) as server:
        yield server


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StacServer]:
    with serve_stac(tmp_path_factory.mktemp("stac"), size_px=SIZE_PX, count=5, seed=SEED) as server:
        yield server


@pytest.fixture
def area(tmp_path: Path, earth_engine: EarthEngineServer) -> Path:
    path = tmp_path / "area.geojson"
    shape = mapping(earth_engine.grid.footprint.buffer(-0.01))
    path.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": shape}))
    return path


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "minedisc_core.cli", "mosaic", *map(str, words)]


def run(server: EarthEngineServer | None, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MINEDISC_EE_URL": server.url if server else ""}
    return subprocess.run(
        command(*words), cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_papers_own_imagery_comes_with_its_story_and_its_looks(
    earth_engine: EarthEngineServer, area: Path, tmp_path: Path
) -> None:
    out = tmp_path / "paper.tif"
    done = run(earth_engine, "--aoi", area, *PAPER, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "3 scenes of COPERNICUS/S2_HARMONIZED, 5 % cloud on average" in done.stderr
    story = json.loads((tmp_path / "paper.tif.json").read_text())
    assert (story["request"]["start"], story["request"]["end"]) == ("2018-01-01", "2020-01-01")
    assert (story["level"], story["is_complete"], len(story["scene_list"])) == ("L1C", True, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "area.geojson", "paper.looks.tif", "paper.tif", "paper.tif.json",
    ]  # fmt: skip
    with open_mosaic([out]) as mosaic:
        assert mosaic.level is ProductLevel.L1C
        assert mosaic.bands == L1C_BANDS
        row, col = mosaic.grid.pixel(*earth_engine.grid.footprint.centroid.coords[0])
        there = earth_engine.grid.pixel(*earth_engine.grid.footprint.centroid.coords[0])
        pixels = mosaic.read(PixelWindow(row, col, 50, 50), L1C_BANDS)
    truth = earth_engine.values[there[0] : there[0] + 50, there[1] : there[1] + 50]
    assert np.array_equal(pixels, truth)


def test_a_model_of_another_level_is_refused_on_it(earth_engine: EarthEngineServer, area: Path, tmp_path: Path) -> None:
    out = tmp_path / "l1c.tif"
    assert run(earth_engine, "--aoi", area, *PAPER, "--out", out).returncode == 0
    settings = load_settings({}, tmp_path / "home")
    save_bright_model(settings.models / "bright", out)
    with open_mosaic([out]) as mosaic:
        model = load_model("bright", settings)
        assert fits(model, mosaic.bands, mosaic.level) is None
        assert "needs L1C" in str(fits(model, L2A_BANDS, ProductLevel.L2A))


def test_a_stac_catalogue_needs_no_account(catalogue: StacServer, area: Path, tmp_path: Path) -> None:
    assets = tmp_path / "assets.json"
    assets.write_text(json.dumps(dict(EARTH_SEARCH.assets)))
    words = ["--aoi", area, "--source", "stac", "--catalogue", catalogue.url, "--collection", COLLECTION]
    words += ["--assets", assets, "--start", BEGIN, "--end", END, "--cloud", "100", "--json"]
    told = json.loads(run(None, *words, "--survey").stdout)
    # The area lies around the corner of the files: four of the blocks that lie on their tiles' lines meet it.
    assert (told["collection"], len(told["scenes"]), told["blocks"]) == (COLLECTION, 5, 4)
    done = run(None, *words, "--out", tmp_path / "stac.tif")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["is_complete"]
    assert summary["scenes"] == 5
    assert summary["seen_km2"] == pytest.approx(summary["asked_km2"], rel=0.02)
    with open_mosaic([tmp_path / "stac.tif"]) as mosaic:
        assert (mosaic.level, mosaic.bands) == (ProductLevel.L2A, L2A_BANDS)


def test_ctrl_c_stops_it_within_two_seconds_and_resume_goes_on(
    earth_engine: EarthEngineServer, area: Path, tmp_path: Path
) -> None:
    out = tmp_path / "late.tif"
    earth_engine.delay_s = 30
    try:
        process = subprocess.Popen(
            command("--aoi", area, *PAPER, "--out", out), cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "MINEDISC_EE_URL": earth_engine.url},
        )  # fmt: skip
        asked = len(earth_engine.bodies("computePixels"))
        while len(earth_engine.bodies("computePixels")) == asked and process.poll() is None:
            time.sleep(0.1)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 1
        assert time.monotonic() - begin < 2.5
    finally:
        earth_engine.delay_s = 0.0
    assert not out.exists()
    assert run(earth_engine, "--aoi", area, *PAPER, "--out", out, "--resume").returncode == 0
    assert out.is_file()


def test_one_mosaic_per_zone_is_named_after_its_zone(
    earth_engine: EarthEngineServer, area: Path, tmp_path: Path
) -> None:
    done = run(earth_engine, "--aoi", area, *PAPER, "--zone", "each", "--out", tmp_path / "z.tif")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "z_23S.tif").is_file()


def test_exports_are_started_and_followed(earth_engine: EarthEngineServer, area: Path, tmp_path: Path) -> None:
    done = run(earth_engine, "--aoi", area, *PAPER, "--export", "drive", "--folder", "mines", "--out", "mg.tif")
    assert done.returncode == 0, done.stderr
    ids = done.stdout.split()
    assert len(ids) == 2
    told = run(earth_engine, "--source", "ee", "--tasks", ",".join(ids), "--json")
    assert [task["description"] for task in json.loads(told.stdout)] == ["mg", "mg_looks"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "ee", "--out", "x.tif"], "--start and --end are missing"),
        ([*PAPER], "--out is missing"),
        ([*PAPER, "--start", "2022-06-01", "--end", "2023-06-01", "--out", "x.tif"], "QA60 is missing"),
        ([*PAPER, "--catalogue", "earth-search", "--out", "x.tif"], "--catalogue means nothing with --source ee"),
        ([*PAPER, "--export", "drive"], "--folder is missing"),
        ([*PAPER, "--zone", "99X", "--out", "x.tif"], "zone 99X"),
        ([*PAPER, "--cloud", "0", "--out", "x.tif"], "a cloud limit of 0 %"),
        ([*PAPER, "--bands", "B2,B99", "--out", "x.tif"], "B99 is no band"),
        (["--source", "stac", "--recipe", "paper", "--out", "x.tif"], "recipe paper from a STAC catalogue"),
        (["--source", "stac", "--start", "2024-01-01", "--end", "2023-01-01", "--out", "x.tif"], "dates 2024-01-01"),
        (["--source", "stac", "--project", "p", "--out", "x.tif"], "--project means nothing with --source stac"),
        (["--source", "files", "--out", "x.tif"], "no files are named"),
        (["--source", "files", "--recipe", "paper", "--out", "x.tif"], "--recipe means nothing with --source files"),
    ],
)
def test_wrong_use_is_told_in_a_sentence_and_ends_with_2(
    earth_engine: EarthEngineServer, area: Path, words: list[str], said: str
) -> None:
    done = run(earth_engine, "--aoi", area, *words)
    assert said in done.stderr
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
