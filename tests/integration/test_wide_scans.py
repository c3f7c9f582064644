"""`minedisc scan` over lists: zones, broken files, files behind http and S3, and what goes wrong there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.transform import array_bounds
from rasterio.warp import Resampling, calculate_default_transform, reproject

from minedisc_core.bench.mosaic_scenes import item_of, write_cog
from minedisc_core.bench.range_server import RangeServer, serve_ranges
from minedisc_core.domain import ProductLevel, RunState
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.demo import generate_scene
from minedisc_core.imagery.stac.catalogues import EARTH_SEARCH
from minedisc_core.imagery.writing import write_mosaic
from minedisc_core.jobs import ScanRequest, cancel, new_run_id, read_progress, read_request, start_scan
from minedisc_core.runs import REQUEST, RESULT, RESULT_ALONE, SCORES, SITES, read_sites, read_summary
from minedisc_core.settings import load_settings

MINEDISC = str(Path(sys.executable).parent / "minedisc")
HOME = Path(tempfile.gettempdir()) / "minedisc-no-home"
"""The scans of these tests need no home."""
SIDE, SMALL = 1400, 720
SECRET = "sig=topsecret0123"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`all.tif` in UTM 23S; its west as `west.tif`; its east in 24S as `east.tif`, with 4 km in both."""
    folder = tmp_path_factory.mktemp("ground")
    scene = generate_scene(SIDE, 5)
    write_mosaic(folder / "all.tif", scene.l1c, scene.grid, L1C_BANDS, ProductLevel.L1C)
    west = RasterGrid(SIDE, 900, scene.grid.transform, scene.grid.crs)
    write_mosaic(folder / "west.tif", scene.l1c[:, :900], west, L1C_BANDS, ProductLevel.L1C)
    write_in_zone_24(folder / "east.tif", scene.l1c[:, 500:], scene.grid.transform @ Affine.translation(500, 0))
    return folder


def write_in_zone_24(path: Path, pixels: NDArray[np.uint16], transform: Affine) -> None:
    height, width, bands = pixels.shape
    bounds = array_bounds(height, width, transform)
    there, columns, rows = calculate_default_transform(
        "EPSG:32723", "EPSG:32724", width, height, *bounds, resolution=10
    )
    there = Affine(10, 0, round(there.c, -1), 0, -10, round(there.f, -1))
    out = np.zeros((bands, rows, columns), np.uint16)
    reproject(
        np.ascontiguousarray(np.moveaxis(pixels, -1, 0)), out, src_transform=transform, src_crs="EPSG:32723",
        dst_transform=there, dst_crs="EPSG:32724", resampling=Resampling.nearest, src_nodata=0, dst_nodata=0,
    )  # fmt: skip
    grid = RasterGrid(rows, columns, there, "EPSG:32724")
    write_mosaic(path, np.moveaxis(out, 0, -1), grid, L1C_BANDS, ProductLevel.L1C)


def scan(*words: str | Path, model: str = "demo-l1c", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [MINEDISC, "scan", "--model", model, "--json", "--mosaic", *map(str, words)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "MINEDISC_HOME": str(HOME), **environment},
    )


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert "Traceback" not in done.stderr
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def scores(run: Path) -> NDArray[np.float32]:
    with rasterio.open(run / SCORES) as raster:
        found: NDArray[np.float32] = raster.read(1)
    return found


@pytest.fixture(scope="module")
def whole(ground: Path) -> Path:
    """The run of the uncut ground."""
    run = ground / "run_all"
    done = scan(ground / "all.tif", "--run", run)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="module")
def zones(ground: Path) -> tuple[list[dict[str, Any]], list[Path]]:
    """The runs of both zones, by one command."""
    done = scan(ground / "west.tif", ground / "east.tif", "--run", ground / "wide")
    assert done.returncode == 0, done.stderr
    return told(done), [ground / "wide_23S", ground / "wide_24S"]


def test_two_zones_are_two_runs_and_a_place_on_the_border_is_in_one_of_them(
    whole: Path, zones: tuple[list[dict[str, Any]], list[Path]]
) -> None:
    summaries, runs = zones
    assert [one["state"] for one in summaries] == ["complete", "complete"]
    assert summaries[0]["members"] == summaries[1]["members"] == [one["run_id"] for one in summaries]
    assert [read_request(run).members for run in runs] == [("wide_23S", "wide_24S")] * 2
    uncut, found = read_sites(whole), [site for run in runs for site in read_sites(run)]
    alone = sum(json.loads((run / RESULT_ALONE).read_text())["sites"] for run in runs)
    assert alone > len(found) == len(uncut)
    for site in uncut:
        assert sum(site.polygon.intersects(other.polygon) for other in found) == 1
    pairs = [a.polygon.intersection(b.polygon).area for a in read_sites(runs[0]) for b in read_sites(runs[1])]
    assert max(pairs) == 0
    reasons = [problem for one in summaries for problem in one["problems"]]
    assert any("which saw more of them: " in reason for reason in reasons)
    assert any("found too, and that are kept here: " in reason for reason in reasons)


def test_a_place_on_the_border_has_the_outline_of_both_runs(zones: tuple[list[dict[str, Any]], list[Path]]) -> None:
    _, runs = zones
    before = [site.polygon for run in runs for site in read_sites(run, "candidates.alone.parquet")]
    after = [site for run in runs for site in read_sites(run)]
    assert shapely.union_all(before).area == pytest.approx(sum(site.polygon.area for site in after), rel=1e-9)
    assert all(site.cells >= 1 and site.area_cells_ha > 7 for site in after)


def test_a_wide_scan_that_ended_after_its_first_run_goes_on_with_the_others(
    ground: Path, zones: tuple[list[dict[str, Any]], list[Path]], tmp_path: Path
) -> None:
    _, runs = zones
    for run in runs:
        shutil.copytree(run, tmp_path / run.name)
        (tmp_path / run.name / RESULT).unlink()
    second = tmp_path / runs[1].name
    for name in (RESULT_ALONE, SITES):
        (second / name).unlink()
    kept = (tmp_path / runs[0].name / RESULT_ALONE).stat().st_mtime_ns
    words = [ground / "west.tif", ground / "east.tif", "--run", tmp_path / "wide"]
    refused = scan(*words)
    assert refused.returncode == 1
    assert "holds a run already" in refused.stderr
    done = scan(*words, "--resume")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / runs[0].name / RESULT_ALONE).stat().st_mtime_ns == kept
    for run in runs:
        assert [s.polygon for s in read_sites(run)] == [s.polygon for s in read_sites(tmp_path / run.name)]


def test_zones_that_the_area_does_not_meet_are_left_out(ground: Path, tmp_path: Path) -> None:
    with rasterio.open(ground / "west.tif") as raster:
        grid = RasterGrid(*raster.shape, raster.transform, raster.crs.to_string())
    west, south, _, north = grid.footprint.bounds
    area = tmp_path / "area.geojson"
    area.write_text(json.dumps(shapely.geometry.mapping(shapely.box(west, south, west + 0.03, north))))
    done = scan(ground / "west.tif", ground / "east.tif", "--aoi", area, "--run", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert Path(told(done)["run_dir"]).name == "run_23S"
    assert not (tmp_path / "run_24S").exists()


def test_the_app_starts_cancels_and_resumes_all_zones_with_one_click_each(ground: Path, tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    request = ScanRequest((str(ground / "west.tif"), str(ground / "east.tif")), "demo-l1c", pictures=False)
    first = start_scan(request, settings.runs / new_run_id(), settings=settings).run_dir
    members = [settings.runs / name for name in read_request(first).members]
    assert members[0] == first
    assert len(members) == 2
    assert [read_progress(run).state for run in members] == [RunState.RUNNING] * 2
    cancel(members[1])
    assert [read_progress(run).state for run in members] == [RunState.CANCELLED] * 2
    start_scan(read_request(members[1]), members[1], resume=True, settings=settings)
    until = time.monotonic() + 120
    while not all(read_progress(run).is_over for run in members) and time.monotonic() < until:
        time.sleep(0.1)
    assert [read_progress(run).state for run in members] == [RunState.COMPLETE] * 2
    assert len(read_summary(members[0]).members) == 2


def test_a_damaged_file_among_good_ones_leaves_its_tiles_unseen_with_the_reason(ground: Path, tmp_path: Path) -> None:
    with rasterio.open(ground / "all.tif") as raster:
        pixels, transform = np.moveaxis(raster.read(), 0, -1), raster.transform
    for name, first_column in (("a.tif", 0), ("b.tif", SIDE - 50)):
        grid = RasterGrid(SIDE, SIDE, transform @ Affine.translation(first_column, 0), "EPSG:32723")
        write_mosaic(tmp_path / name, pixels, grid, L1C_BANDS, ProductLevel.L1C)
    content = bytearray((tmp_path / "b.tif").read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    (tmp_path / "b.tif").write_bytes(content)
    (tmp_path / "c.tif").write_bytes(content[:50])
    done = scan(tmp_path / "*.tif", "--run", tmp_path / "run")
    assert done.returncode == 1
    found = told(done)
    assert found["state"] == "incomplete"
    assert 0 < found["coverage"]["cells_failed"] < found["coverage"]["cells_asked"]
    assert 0 < found["fraction"] < 1
    assert any("b.tif cannot be read" in problem and problem.startswith("tile ") for problem in found["problems"])
    assert any("c.tif" in problem and problem.startswith("not seen: ") for problem in found["problems"])


# --- files of a network ---


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `items.json`: two scenes side by side, a COG for each band; and `whole.tif`, both in one file."""
    folder = tmp_path_factory.mktemp("scenes")
    made = generate_scene(SMALL, 3)
    truth = made.l2a.copy()
    items = []
    for number, cols in enumerate((slice(0, 420), slice(360, SMALL))):
        corner = made.grid.transform @ Affine.translation(cols.start, 0)
        grid = RasterGrid(SMALL, len(range(SMALL)[cols]), corner, made.grid.crs)
        item = item_of(f"scene{number}", number, f"scene{number}", grid, 0.0, 1000 * number)
        (folder / f"scene{number}").mkdir()
        for band in L2A_BANDS:
            key = EARTH_SEARCH.assets[band]
            path = folder / f"scene{number}" / f"{key}.tif"
            write_cog(path, made.l2a[:, cols, L2A_BANDS.index(band)] + np.uint16(1000 * number), grid, band)
            with rasterio.open(path) as raster:
                item["assets"][key] |= {"proj:shape": raster.shape, "proj:transform": list(raster.transform)[:6]}
                step = round(raster.transform.a / 10)
            truth[..., L2A_BANDS.index(band)] = (
                made.l2a[::step, ::step, L2A_BANDS.index(band)].repeat(step, 0).repeat(step, 1)
            )
        items.append(item)
    (folder / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    write_mosaic(folder / "whole.tif", truth, made.grid, L2A_BANDS, ProductLevel.L2A)
    return folder


@pytest.fixture(scope="module")
def expected(scenes: Path) -> NDArray[np.float32]:
    """Scores of `whole.tif` from disk."""
    done = scan(scenes / "whole.tif", "--run", scenes / "run", model="demo-l2a")
    assert done.returncode == 0, done.stderr
    return scores(scenes / "run")


@pytest.fixture
def served(scenes: Path) -> Iterator[RangeServer]:
    with serve_ranges(scenes) as server:
        yield server


def test_items_behind_http_give_the_scores_of_the_same_pixels_on_disk(
    scenes: Path, served: RangeServer, expected: NDArray[np.float32], tmp_path: Path
) -> None:
    done = scan(f"{served.url}/items.json", "--run", tmp_path / "run", model="demo-l2a")
    assert done.returncode == 0, done.stderr
    assert told(done)["fraction"] == 1
    np.testing.assert_array_equal(scores(tmp_path / "run"), expected)


def test_a_signed_file_is_read_and_its_signature_stands_nowhere(
    served: RangeServer, expected: NDArray[np.float32], tmp_path: Path
) -> None:
    served.token = SECRET
    run, address = tmp_path / "run", f"{served.url}/whole.tif"
    done = scan(f"{address}?{SECRET}", "--run", run, model="demo-l2a")
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(scores(run), expected)
    written = [path.read_bytes() for path in run.rglob("*") if path.is_file()]
    assert not any(b"topsecret" in content for content in written)
    assert "topsecret" not in done.stdout + done.stderr
    assert read_request(run).mosaic == (f"/vsicurl/{address}",)
    (run / RESULT).unlink()
    served.token = "sig=anewone"  # the old signature has ended
    ended = scan(f"{address}?{SECRET}", "--run", run, "--resume", model="demo-l2a")
    assert ended.returncode == 1
    assert "does not give it (HTTP 403)" in ended.stderr
    assert "topsecret" not in ended.stderr
    again = scan(f"{address}?{served.token}", "--run", run, "--resume", model="demo-l2a")
    assert again.returncode == 0, again.stderr


def test_the_app_hands_a_signature_to_its_worker_and_writes_it_nowhere(served: RangeServer, tmp_path: Path) -> None:
    served.token = SECRET
    settings = load_settings({}, tmp_path)
    request = ScanRequest((f"{served.url}/whole.tif?{SECRET}",), "demo-l2a")
    run = start_scan(request, settings.runs / new_run_id(), settings=settings).run_dir
    until = time.monotonic() + 120
    while not read_progress(run).is_over and time.monotonic() < until:
        time.sleep(0.1)
    assert read_progress(run).state is RunState.COMPLETE, (run / "worker.log").read_text()
    assert not any(b"topsecret" in path.read_bytes() for path in run.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("missing", "the file is missing (HTTP 404)"),
        ("stalls", "the server did not answer within 1 s"),
        ("cut", "the file is damaged or cut off"),
    ],
)
def test_a_scene_that_cannot_be_read_leaves_its_tiles_unseen_with_the_reason(
    scenes: Path, served: RangeServer, tmp_path: Path, fault: str, words: str
) -> None:
    broken = "scene1/swir22.tif"
    whole_file = (scenes / broken).read_bytes()
    if fault == "cut":
        (scenes / broken).write_bytes(whole_file[: len(whole_file) // 3])
    else:
        served.faults[broken] = fault  # type: ignore[assignment]  # one of its literals
    patience = {"GDAL_HTTP_LOW_SPEED_TIME": "1", "GDAL_HTTP_TIMEOUT": "5", "GDAL_HTTP_MAX_RETRY": "0"}
    run = tmp_path / "run"
    words_of_scan = (f"{served.url}/items.json", "--run", run)
    try:
        done = scan(*words_of_scan, model="demo-l2a", **patience)
    finally:
        (scenes / broken).write_bytes(whole_file)
    found = told(done)
    assert done.returncode == 1
    assert found["state"] == "incomplete"
    assert found["coverage"]["cells_failed"] > 0
    assert any(words in problem and broken in problem for problem in found["problems"]), found["problems"]
    served.faults.clear()
    again = scan(*words_of_scan, "--resume", model="demo-l2a", **patience)
    assert again.returncode == 0, again.stderr
    assert told(again)["fraction"] == 1


@pytest.fixture(scope="module")
def bucket(scenes: Path) -> Iterator[dict[str, str]]:
    """An S3 server on loopback that holds the files; the environment that names it."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "AKIATOPSECRETKEY", "AWS_SECRET_ACCESS_KEY": "topsecret"}
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"], aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    client.create_bucket(Bucket="imagery")
    for path in scenes.rglob("*.tif"):
        client.upload_file(str(path), "imagery", path.relative_to(scenes).as_posix())
    yield {**keys, "AWS_S3_ENDPOINT": f"{host}:{port}", "AWS_VIRTUAL_HOSTING": "FALSE", "AWS_HTTPS": "NO"}
    server.stop()


def test_items_and_files_of_a_bucket_give_the_scores_of_the_same_pixels_on_disk(
    scenes: Path, bucket: dict[str, str], expected: NDArray[np.float32], tmp_path: Path
) -> None:
    done = scan("s3://imagery/whole.tif", "--run", tmp_path / "one", model="demo-l2a", **bucket)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(scores(tmp_path / "one"), expected)
    items = json.loads((scenes / "items.json").read_text())
    for item in items["features"]:
        for asset in item["assets"].values():
            asset["href"] = f"s3://imagery/{asset['href']}"
    (tmp_path / "items.json").write_text(json.dumps(items))
    done = scan(tmp_path / "items.json", "--run", tmp_path / "many", model="demo-l2a", **bucket)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(scores(tmp_path / "many"), expected)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"topsecret" in content or b"AKIATOPSECRET" in content for content in written)


@pytest.mark.parametrize(
    ("address", "change", "words"),
    [
        ("s3://imagery/nothing.tif", {}, "the file is missing in its bucket"),
        ("s3://nowhere/whole.tif", {}, "there is no such bucket at this endpoint"),
        ("s3://imagery/whole.tif", {"AWS_S3_ENDPOINT": "127.0.0.1:9"}, "no server answers at this address"),
        ("s3://imagery/whole.tif", {"AWS_SECRET_ACCESS_KEY": ""}, "the server does not give it to these credentials"),
    ],
)
def test_a_bucket_that_cannot_be_read_is_told_in_words_without_keys(
    bucket: dict[str, str], tmp_path: Path, address: str, change: dict[str, str], words: str
) -> None:
    done = scan(address, "--run", tmp_path / "run", model="demo-l2a", **{**bucket, **change})
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "SECRET" not in done.stderr.upper()
    assert not (tmp_path / "run" / REQUEST).exists()
