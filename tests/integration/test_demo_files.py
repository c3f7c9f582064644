from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from minedisc_core.domain import ProductLevel, RegisterKind
from minedisc_core.grid import GEOD
from minedisc_core.imagery.demo import DemoArea, generate_scene, plan_scene, write_demo
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.registers.readers import read_register
from minedisc_core.settings import load_settings

SIDE = 515


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> DemoArea:
    return write_demo(tmp_path_factory.mktemp("demo"), SIDE, 6)


def test_the_mosaics_hold_the_generated_pixels_with_their_level_bands_and_dates(area: DemoArea) -> None:
    scene = generate_scene(SIDE, 6)
    for path, level, dn in (
        (area.mosaic, ProductLevel.L1C, scene.l1c),
        (area.mosaic_l2a, ProductLevel.L2A, scene.l2a),
    ):
        with open_mosaic([path]) as mosaic, rasterio.open(path) as raw:
            assert mosaic.level is level
            assert mosaic.grid == scene.grid
            assert mosaic.imagery_start is not None
            assert raw.nodata == 0
            assert np.array_equal(np.moveaxis(raw.read(), 0, -1), dn)


def test_the_truth_file_holds_the_scenes_features(area: DemoArea) -> None:
    frame = pyogrio.read_dataframe(area.truth)
    features = plan_scene(SIDE, 6).features
    assert list(frame["kind"]) == [f.kind for f in features]
    assert frame.crs.to_epsg() == 4326
    assert frame["is_mine"].sum() == sum(f.is_mine for f in features)


def test_the_projects_own_readers_take_the_registers_without_a_problem(area: DemoArea, tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    for kind, path in (
        (RegisterKind.SIGBM, area.sigbm),
        (RegisterKind.SIGMINE, area.sigmine),
        (RegisterKind.LANDS, area.land),
    ):
        table = read_register(kind, path, settings)
        assert len(table.frame) >= 1
        assert table.problems == ()


def test_titles_are_in_sirgas_2000_and_agree_with_the_truth(area: DemoArea) -> None:
    titles = pyogrio.read_dataframe(f"zip://{area.sigmine}")
    assert titles.crs.to_epsg() == 4674
    assert {"PROCESSO", "NUMERO", "ANO", "AREA_HA", "ID", "FASE", "ULT_EVENTO", "NOME", "SUBS", "USO", "UF"} <= set(
        titles
    )
    may = ("CONCESSÃO DE LAVRA", "LICENCIAMENTO", "REGISTRO DE EXTRAÇÃO", "LAVRA GARIMPEIRA")
    for feature in plan_scene(SIDE, 6).features:
        if not feature.is_mine:
            continue
        covering = titles[titles.intersects(feature.polygon)]
        phases = set(covering["FASE"])
        if feature.registered == "registered":
            assert phases & set(may)
        if feature.registered == "nothing_found":
            own = covering[covering.covers(feature.polygon)]
            assert own.empty


def test_some_dam_points_lie_off_their_mine_by_300_to_800_m(tmp_path: Path) -> None:
    from minedisc_core.imagery.demo.registers import sigbm_csv

    offsets = []
    for seed in (0, 8, 9):
        features = plan_scene(2048, seed).features
        path = tmp_path / f"{seed}.csv"
        path.write_bytes(sigbm_csv(features, seed))
        points = read_register(RegisterKind.SIGBM, path, load_settings({}, tmp_path)).frame.geometry
        ponds = [f.polygon.representative_point() for f in features if f.is_mine]
        offsets += [min(GEOD.inv(p.x, p.y, q.x, q.y)[2] for q in ponds) for p in points]
    assert min(offsets) < 100
    assert 250 < max(offsets) < 850


def test_the_protected_land_covers_a_mine_that_no_register_knows(area: DemoArea) -> None:
    land = json.loads(area.land.read_text("utf-8"))["features"][0]
    assert land["properties"]["terrai_nome"]
    shape = shapely.geometry.shape(land["geometry"])
    assert any(f.registered == "nothing_found" and shape.intersects(f.polygon) for f in plan_scene(SIDE, 6).features)


def test_a_whole_demo_is_left_as_it_is_and_a_half_written_one_is_redone(area: DemoArea) -> None:
    before = area.mosaic.stat().st_mtime_ns
    write_demo(area.mosaic.parent, SIDE, 6)
    assert area.mosaic.stat().st_mtime_ns == before
    pixels = area.mosaic.read_bytes()
    area.mosaic.write_bytes(pixels[: len(pixels) // 2])
    (area.mosaic.parent / ".painting-left-behind").mkdir()
    write_demo(area.mosaic.parent, SIDE, 6)
    with rasterio.open(area.mosaic) as raw:
        assert raw.read(1).min() >= 1
    assert area.mosaic.stat().st_size == len(pixels)
    assert not list(area.mosaic.parent.glob(".painting-*"))


def test_another_seed_replaces_the_demo_in_the_same_folder(tmp_path: Path) -> None:
    first = write_demo(tmp_path, 512, 1)
    truth = first.truth.read_bytes()
    second = write_demo(tmp_path, 512, 2)
    assert second == first
    assert second.truth.read_bytes() != truth
