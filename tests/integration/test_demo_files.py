from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from minedisc_core.domain import ProductLevel, RegisterKind
from minedisc_core.errors import UsageError
from minedisc_core.grid import GEOD
from minedisc_core.imagery.bands import L2A_BANDS
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


def test_the_rivers_file_holds_the_true_courses_over_water(area: DemoArea) -> None:
    frame = pyogrio.read_dataframe(area.rivers)
    scene = generate_scene(SIDE, 6)
    assert scene.grid.footprint.buffer(1e-4).covers(shapely.union_all(frame.geometry))
    wide = frame[frame["nome"].str.startswith("Rio")].to_crs(scene.grid.crs).geometry
    points = np.concatenate([shapely.get_coordinates(shapely.segmentize(line, 30)) for line in wide])
    cols, rows = ((points - (scene.grid.transform.c, scene.grid.transform.f)) / (10, -10)).astype(int).T
    inside = (rows >= 0) & (rows < SIDE) & (cols >= 0) & (cols < SIDE)
    near_infrared = scene.l2a[..., L2A_BANDS.index("B8")]
    assert np.median(near_infrared[rows[inside], cols[inside]]) < 0.5 * np.median(near_infrared)


@pytest.mark.parametrize("size", [1, 60, 256])
def test_registers_of_a_small_area_are_never_empty(size: int, tmp_path: Path) -> None:
    small = write_demo(tmp_path / "demo", size, 3)
    settings = load_settings({}, tmp_path)
    for kind, path in (
        (RegisterKind.SIGBM, small.sigbm),
        (RegisterKind.SIGMINE, small.sigmine),
        (RegisterKind.LANDS, small.land),
        (RegisterKind.RIVERS, small.rivers),
    ):
        assert len(read_register(kind, path, settings).frame) >= 1
    with open_mosaic([small.mosaic]) as mosaic:
        assert (mosaic.grid.height_px, mosaic.grid.width_px) == (size, size)


def test_a_full_disk_is_told_before_the_area_is_painted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr("minedisc_core.imagery.demo.files.shutil.disk_usage", lambda _: usage)
    with pytest.raises(UsageError, match=r"needs about 0\.2 GB"):
        write_demo(tmp_path / "demo", 1_500, 0)
    assert not list(tmp_path.glob("demo/*.tif"))


def test_the_projects_own_readers_take_the_registers_without_a_problem(area: DemoArea, tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    for kind, path in (
        (RegisterKind.SIGBM, area.sigbm),
        (RegisterKind.SIGMINE, area.sigmine),
        (RegisterKind.LANDS, area.land),
        (RegisterKind.RIVERS, area.rivers),
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
        plan = plan_scene(2048, seed)
        features = plan.features
        path = tmp_path / f"{seed}.csv"
        path.write_bytes(sigbm_csv(features, plan.grid, seed))
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
