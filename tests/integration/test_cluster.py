"""A scan on a Dask cluster of real processes: the same result to the last bit, and what becomes of it when it fails."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest
import rasterio
from distributed import Client
from moto.server import ThreadedMotoServer
from rasterio.shutil import copy as copy_raster
from rasterio.warp import transform_bounds
from shapely.geometry import box, mapping

from minedisc_core.bench.range_server import serve_ranges
from minedisc_core.domain import ProductLevel, RunState
from minedisc_core.errors import Cancelled, RunError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.demo import generate_scene
from minedisc_core.imagery.writing import write_mosaic
from minedisc_core.jobs import ScanRequest, cancel, cluster, read_progress, run_scan, start_scan
from minedisc_core.jobs.cluster import local_workers
from minedisc_core.jobs.places import place_of
from minedisc_core.runs import REQUEST, RESULT, SCORES, TILES, read_sites, read_summary
from minedisc_core.settings import PROJECT_ROOT, load_settings

HERE = Path(__file__).parent
SIZE = 2_700
TILE_COUNT = 9
QUICKLY_LOST = {"GDAL_HTTP_LOW_SPEED_TIME": "1", "GDAL_HTTP_MAX_RETRY": "0"}


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """The folder that says what goes wrong on the workers; they inherit its name from this process."""
    folder = tmp_path_factory.mktemp("faults")
    path = os.pathsep.join(filter(None, (str(PROJECT_ROOT), os.environ.get("PYTHONPATH", ""))))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"MINEDISC_TEST_FAULTS": str(folder), "PYTHONPATH": path, **QUICKLY_LOST}.items():
            patch.setenv(name, value)
        yield folder


@pytest.fixture(autouse=True)
def _nothing_goes_wrong_any_more(faults):
    yield
    for path in faults.iterdir():
        path.unlink()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Settings of one thread, and a request for a mosaic of nine tiles, four of them large."""
    settings = load_settings({"MINEDISC_THREADS": "1"}, tmp_path_factory.mktemp("home"))
    scene = generate_scene(SIZE // 3, 9).l1c
    rows = np.concatenate([scene, scene[:, ::-1], scene], axis=1)
    pixels = np.concatenate([rows, rows[::-1], rows])
    pixels[:230, :250] = 0
    grid = RasterGrid(SIZE, SIZE, rasterio.Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
    mosaic = write_mosaic(settings.home / "mosaic.tif", pixels, grid, L1C_BANDS, ProductLevel.L1C)
    return settings, ScanRequest((str(mosaic),), "demo-l1c", pictures=False)


@pytest.fixture(scope="module")
def alone(place, tmp_path_factory):
    """The run of a single process."""
    settings, request = place
    run_dir = tmp_path_factory.mktemp("alone") / "run"
    assert run_scan(request, run_dir, settings=settings).state is RunState.COMPLETE
    return run_dir


@pytest.fixture(scope="module")
def address(faults):
    """Two workers that share a scheduler with all tests which leave it alive."""
    with local_workers(2, preload=[str(HERE / "faulty_worker.py")]) as found:
        yield found


@pytest.fixture
def on_workers(place, address):
    """Settings of a scan on them, and the request."""
    settings, request = place
    return dataclasses.replace(settings, scheduler=address), request


def scores_of(run_dir):
    with rasterio.open(run_dir / SCORES) as raster:
        return raster.read(1)


def found_by(run_dir):
    return [(s.polygon.wkb, s.score, s.impact, s.impact_probabilities) for s in read_sites(run_dir)]


def tiles_of(run_dir):
    return {path.name: path.stat().st_mtime_ns for path in (run_dir / TILES).glob("*.npz")}


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def at_tile(number, action):
    """A listener that acts once so many tiles are done, and keeps what was done by then."""
    seen = {}

    def listen(progress):
        if progress.tiles_done == number and not seen:
            seen["done"] = progress.tiles_done
            action()

    return listen


def check_same(run_dir, alone, kept=None):
    """All of it is there, as a single process made it, and what was finished before was left as it was."""
    assert read_summary(run_dir).state is RunState.COMPLETE
    np.testing.assert_array_equal(scores_of(run_dir), scores_of(alone))
    assert found_by(run_dir) == found_by(alone)
    after = tiles_of(run_dir)
    assert len(after) == TILE_COUNT
    assert {name: after[name] for name in kept or {}} == (kept or {})
    check_nothing_is_half_written(run_dir)


def check_nothing_is_half_written(run_dir):
    assert [path.name for path in run_dir.rglob(".*")] == []
    for name in tiles_of(run_dir):
        with np.load(run_dir / TILES / name) as file:
            assert np.isfinite(file["features"]).all()


def test_two_workers_find_what_one_process_finds_to_the_last_bit(on_workers, alone, tmp_path):
    settings, request = on_workers
    summary = run_scan(request, tmp_path / "run", settings=settings)
    check_same(tmp_path / "run", alone)
    assert summary.sites > 1
    for name in tiles_of(alone):
        assert (tmp_path / "run" / TILES / name).read_bytes() == (alone / TILES / name).read_bytes()
    assert (summary.engine.scheduler, summary.engine.workers) == (settings.scheduler, 2)
    assert dataclasses.replace(summary.engine, scheduler="", workers=0) == read_summary(alone).engine
    assert read_progress(tmp_path / "run").tiles_done == TILE_COUNT


def test_a_worker_killed_in_mid_run_costs_nothing_but_time(on_workers, alone, faults, tmp_path):
    settings, request = on_workers
    (faults / "slow").write_text("0.2")
    run_dir, kept = tmp_path / "run", {}
    with Client(settings.scheduler, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())

    def kill():
        kept.update(tiles_of(run_dir))
        os.kill(pids[0], signal.SIGKILL)

    run_scan(request, run_dir, settings=settings, on_progress=at_tile(2, kill))
    assert 2 <= len(kept) < TILE_COUNT
    check_same(run_dir, alone, kept)


def test_a_cancelled_run_stops_and_is_resumed_by_one_process_alone(place, on_workers, alone, faults, tmp_path):
    settings, request = on_workers
    (faults / "slow").write_text("0.2")
    run_dir = tmp_path / "run"
    with pytest.raises(Cancelled):
        run_scan(request, run_dir, settings=settings, on_progress=at_tile(2, lambda: cancel(run_dir)))
    assert not (run_dir / RESULT).exists()
    wait_for(lambda: not list((run_dir / TILES).glob(".*")))
    kept = tiles_of(run_dir)
    run_scan(request, run_dir, resume=True, settings=place[0])
    check_same(run_dir, alone, kept)


def test_a_driver_killed_in_mid_run_is_resumed_without_repeating(on_workers, alone, faults, tmp_path):
    settings, request = on_workers
    (faults / "slow").write_text("0.3")
    run_dir = tmp_path / "run"
    process = start_scan(request, run_dir, settings=settings)
    wait_for(lambda: len(tiles_of(run_dir)) >= 2)
    os.killpg(process.pid, signal.SIGKILL)
    wait_for(lambda: not process.is_running)
    (faults / "slow").unlink()
    kept = tiles_of(run_dir)
    assert not (run_dir / RESULT).exists()
    run_scan(request, run_dir, resume=True, settings=settings)
    check_same(run_dir, alone, kept)


def test_a_disk_that_takes_no_more_is_told_tile_by_tile_and_resume_finishes(on_workers, alone, tmp_path):
    settings, request = on_workers
    with Client(settings.scheduler, set_as_default=False) as client:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill(progress):
            if progress.tiles and not progress.tiles_done + progress.tiles_failed:  # the tiles begin
                client.run(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, most))

        try:
            summary = run_scan(request, tmp_path / "run", settings=settings, on_progress=fill)
        finally:
            client.run(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
    assert summary.state is RunState.INCOMPLETE
    told = [problem for problem in summary.problems if problem.startswith("tile ")]
    assert 4 <= len(told) <= TILE_COUNT
    assert all("could not be written: File too large" in problem for problem in told)
    assert all(f"(worker on {socket.gethostname()})" in problem for problem in told)
    check_nothing_is_half_written(tmp_path / "run")
    kept = tiles_of(tmp_path / "run")
    run_scan(request, tmp_path / "run", resume=True, settings=settings)
    check_same(tmp_path / "run", alone, kept)


def test_a_damaged_file_fails_its_own_tiles_only(on_workers, tmp_path):
    settings, request = on_workers
    mosaic = tmp_path / "mosaic.tif"
    shutil.copy2(request.mosaic[0], mosaic)
    request = dataclasses.replace(request, mosaic=(str(mosaic),))
    whole, stat = mosaic.read_bytes(), mosaic.stat()
    mosaic.write_bytes(whole[:-3_000] + b"\xff" * 3_000)
    os.utime(mosaic, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    summary = run_scan(request, tmp_path / "run", settings=settings)
    assert summary.state is RunState.INCOMPLETE
    told = [problem for problem in summary.problems if problem.startswith("tile ")]
    assert 1 <= len(told) < TILE_COUNT
    assert all(f"of {mosaic} cannot be read" in problem for problem in told)
    assert 0 < summary.coverage.cells_failed < summary.coverage.cells_asked
    kept = tiles_of(tmp_path / "run")
    mosaic.write_bytes(whole)
    os.utime(mosaic, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert run_scan(request, tmp_path / "run", resume=True, settings=settings).state is RunState.COMPLETE
    assert {name: tiles_of(tmp_path / "run")[name] for name in kept} == kept


def test_a_server_that_stalls_fails_the_tiles_that_it_holds_up(on_workers, alone, faults, tmp_path):
    settings, request = on_workers
    (faults / "slow").write_text("0.3")
    with rasterio.open(request.mosaic[0]) as raster:
        west, south, east, north = transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)
    four_tiles = box(west, north - 0.6 * (north - south), west + 0.6 * (east - west), north)
    copy_raster(request.mosaic[0], tmp_path / "m.tif", driver="GTiff", tiled=True, compress="zstd", interleave="band")
    with serve_ranges(tmp_path) as server:
        request = dataclasses.replace(request, mosaic=(f"/vsicurl/{server.url}/m.tif",), aoi=mapping(four_tiles))
        stall = at_tile(1, lambda: server.faults.update({"m.tif": "stalls"}))
        summary = run_scan(request, tmp_path / "run", settings=settings, on_progress=stall)
        assert summary.state is RunState.INCOMPLETE
        assert any("cannot be read" in problem for problem in summary.problems)
        kept = tiles_of(tmp_path / "run")
        assert 1 <= len(kept) < 4
        server.faults.clear()
        run_scan(request, tmp_path / "run", resume=True, settings=settings)
    after = tiles_of(tmp_path / "run")
    assert len(after) == 4
    assert {name: after[name] for name in kept} == kept
    found, whole = scores_of(tmp_path / "run"), scores_of(alone)
    np.testing.assert_array_equal(found[np.isfinite(found)], whole[np.isfinite(found)])
    assert np.isfinite(found).sum() > 1_000
    check_nothing_is_half_written(tmp_path / "run")


def refused(settings, request, run_dir):
    """What a run is refused with; it was not begun."""
    with pytest.raises(RunError) as error:
        run_scan(request, run_dir, settings=settings)
    assert tiles_of(run_dir) == {}
    assert not (run_dir / RESULT).exists()
    return str(error.value)


def test_where_no_scheduler_listens_nothing_is_begun(place, tmp_path, monkeypatch):
    settings, request = place
    monkeypatch.setattr(cluster, "REACH_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (1, silent.getsockname()[1]):
            there = f"tcp://127.0.0.1:{port}"
            told = refused(dataclasses.replace(settings, scheduler=there), request, tmp_path / "run")
            assert f"no Dask scheduler answers at {there}" in told
            assert not (tmp_path / "run" / REQUEST).exists()


@pytest.mark.parametrize(
    ("fault", "value", "told"),
    [
        ("minedisc", "9.9", f"on {socket.gethostname()}: minedisc 9.9"),
        ("python", "3.6.15.final.0", "python 3.6"),
    ],
)
def test_workers_of_other_versions_are_refused_by_name(on_workers, faults, tmp_path, fault, value, told):
    settings, request = on_workers
    (faults / fault).write_text(value)
    refusal = refused(settings, request, tmp_path / "run")
    assert told in refusal
    assert "tcp://127.0.0.1:" in refusal
    assert not (tmp_path / "run" / REQUEST).exists()


def test_a_mosaic_that_workers_cannot_read_is_refused_with_path_and_host(on_workers, tmp_path):
    settings, request = on_workers
    copy_raster(request.mosaic[0], "/vsimem/only_here.tif", driver="GTiff")
    request = dataclasses.replace(request, mosaic=("/vsimem/only_here.tif",))
    refusal = refused(settings, request, tmp_path / "run")
    assert "2 of 2 workers cannot work on the run" in refusal
    assert f"on {socket.gethostname()}: /vsimem/only_here.tif" in refusal


def test_results_that_workers_would_write_elsewhere_are_refused(on_workers, tmp_path):
    settings, request = on_workers
    request = dataclasses.replace(request, results="memory://only/here")
    refusal = refused(settings, request, tmp_path / "run")
    assert "is not the folder that the scan's own process sees under this name" in refusal
    assert "--results" in refusal


def test_a_worker_without_memory_fails_its_tile_and_the_rest_goes_on(place, alone, faults, tmp_path):
    settings, request = place
    (faults / "eat").write_text(str(27 * 95))
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        local_workers(2, preload=[str(HERE / "faulty_worker.py")], memory_limit="1 GB") as address,
    ):
        there = dataclasses.replace(settings, scheduler=address)
        summary = run_scan(request, tmp_path / "run", settings=there)
        assert summary.state is RunState.INCOMPLETE
        told = [problem for problem in summary.problems if problem.startswith("tile ")]
        assert any("1 workers that had it died" in problem and "000096_" in problem for problem in told)
        kept = tiles_of(tmp_path / "run")
        assert 1 <= len(kept) < TILE_COUNT
    run_scan(request, tmp_path / "run", resume=True, settings=settings)  # by a process that has the memory
    check_same(tmp_path / "run", alone, kept)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def process(*words):
    """A process of Dask's, ended when the test is."""
    started = subprocess.Popen(
        [sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def wait_until_up(port):
    """Until the scheduler has a worker."""
    with Client(f"tcp://127.0.0.1:{port}", timeout=60, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)


def scheduler_at(port):
    return process("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")


def worker_of(port, folder):
    return process(
        "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}", "--nthreads", "1", "--no-nanny", "--no-dashboard",
        "--preload", str(HERE / "faulty_worker.py"), "--local-directory", str(folder), "--death-timeout", "30",
    )  # fmt: skip


def test_a_scheduler_that_is_killed_and_started_again_loses_nothing(place, alone, faults, tmp_path):
    settings, request = place
    (faults / "slow").write_text("0.2")
    port, run_dir, kept = free_port(), tmp_path / "run", {}
    there = dataclasses.replace(settings, scheduler=f"tcp://127.0.0.1:{port}")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(scheduler_at(port))
        stack.enter_context(worker_of(port, tmp_path / "first"))
        wait_until_up(port)

        def kill():
            kept.update(tiles_of(run_dir))
            first.kill()
            first.wait()
            stack.enter_context(scheduler_at(port))
            stack.enter_context(worker_of(port, tmp_path / "second"))

        run_scan(request, run_dir, settings=there, on_progress=at_tile(2, kill))
    assert 2 <= len(kept) < TILE_COUNT
    check_same(run_dir, alone, kept)


def test_a_scheduler_that_stays_away_leaves_each_tile_its_reason_and_one_process_finishes(
    place, alone, faults, tmp_path, monkeypatch
):
    settings, request = place
    (faults / "slow").write_text("0.2")
    port, run_dir = free_port(), tmp_path / "run"
    there = dataclasses.replace(settings, scheduler=f"tcp://127.0.0.1:{port}")
    with scheduler_at(port) as only, worker_of(port, tmp_path):
        wait_until_up(port)
        monkeypatch.setattr(cluster, "PATIENCE_S", 2.0)
        summary = run_scan(request, run_dir, settings=there, on_progress=at_tile(2, only.kill))
    assert summary.state is RunState.INCOMPLETE
    told = [problem for problem in summary.problems if problem.startswith("tile ")]
    kept = tiles_of(run_dir)
    assert TILE_COUNT - len(kept) <= len(told) <= TILE_COUNT - 2
    assert all(f"{there.scheduler} was lost and did not come back" in problem for problem in told)
    check_nothing_is_half_written(run_dir)
    run_scan(request, run_dir, resume=True, settings=settings)
    check_same(run_dir, alone, kept)


def test_the_command_with_workers_of_its_own_stops_on_ctrl_c_and_goes_on(place, alone, faults, tmp_path, monkeypatch):
    _, request = place
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", f"['{HERE / 'faulty_worker.py'}']")
    (faults / "slow").write_text("0.5")
    run_dir = tmp_path / "run"
    words = [sys.executable, "-m", "minedisc_core.cli", "scan", "--mosaic", request.mosaic[0], "--model", "demo-l1c"]
    words += ["--run", str(run_dir), "--workers", "2"]
    scan = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(tiles_of(run_dir)) >= 2)
    family = psutil.Process(scan.pid).children(recursive=True)
    scan.send_signal(signal.SIGINT)
    _, told = scan.communicate(timeout=30)
    assert scan.returncode == 1
    assert "--resume" in told
    assert "Traceback" not in told
    psutil.wait_procs(family, timeout=30)
    assert not any(member.is_running() for member in family)
    kept = tiles_of(run_dir)
    (faults / "slow").unlink()
    done = subprocess.run([*words, "--resume"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "scored by: 2 workers of tcp://127.0.0.1:" in done.stdout
    np.testing.assert_array_equal(scores_of(run_dir), scores_of(alone))
    assert {name: tiles_of(run_dir)[name] for name in kept} == kept


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of an S3 server on loopback, for this process and for workers that are started from now on."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "testing"}
    environment |= {"AWS_SECRET_ACCESS_KEY": "not-to-be-told", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with urllib.request.urlopen(
        urllib.request.Request(f"http://{host}:{port}/results", method="PUT"), timeout=30
    ) as made:
        assert made.status == 200
    yield "s3://results/wide"
    server.stop()


def test_results_in_a_bucket_are_found_by_a_resumed_run_and_no_credential_is_written(
    place, alone, faults, bucket, tmp_path
):
    settings, request = place
    (faults / "slow").write_text("0.2")
    run_dir = tmp_path / "run"
    with local_workers(1, preload=[str(HERE / "faulty_worker.py")]) as address:
        there = dataclasses.replace(settings, scheduler=address)
        stop = at_tile(2, lambda: cancel(run_dir))
        with pytest.raises(Cancelled):
            run_scan(dataclasses.replace(request, results=bucket), run_dir, settings=there, on_progress=stop)
        place_of_run = place_of(run_dir, bucket, json.loads((run_dir / REQUEST).read_text())["run_id"])
        before = place_of_run.names()
        summary = run_scan(request, run_dir, resume=True, settings=there)
    assert summary.state is RunState.COMPLETE
    assert len(before) >= 2
    assert len(place_of_run.names()) == TILE_COUNT
    assert tiles_of(run_dir) == {}
    lines = [json.loads(line) for line in (run_dir / "progress.jsonl").read_text().splitlines()]
    again = [line for line in lines[[line["kind"] for line in lines].index("tile") + 1 :] if line["kind"] == "tile"]
    assert sum(not line["new"] for line in again) >= 2
    np.testing.assert_array_equal(scores_of(run_dir), scores_of(alone))
    assert found_by(run_dir) == found_by(alone)
    written = b"".join(path.read_bytes() for path in run_dir.rglob("*") if path.is_file())
    assert b"not-to-be-told" not in written
