"""A scan as a process: finished, killed and resumed, cancelled, refused, failed. And what the run folder then holds."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy.ndimage import zoom

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import save_model
from minedisc_core.detection.networks import tensor_shapes
from minedisc_core.domain import ProductLevel, RunState
from minedisc_core.errors import Cancelled, ImageryError, RunError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.writing import write_mosaic
from minedisc_core.jobs import ScanRequest, cancel, list_runs, new_run_id, process, read_progress, run_scan, start_scan
from minedisc_core.jobs.request import enter
from minedisc_core.runs import RESULT, SCORES, TILES, read_sites, read_summary
from minedisc_core.settings import PROJECT_ROOT, load_settings

pytestmark = pytest.mark.tensorflow
BANDS = ("B2", "B3", "B4")
SIZE = 2_700
TILE_COUNT = 9


def random_weights(net):
    random = np.random.default_rng(4)
    spread = {name: np.sqrt(2 / np.prod(s[:-1])) if len(s) > 1 else 0 for name, s in tensor_shapes(net, 3).items()}
    found = {n: random.normal(0, spread[n] or 0.01, s).astype(np.float32) for n, s in tensor_shapes(net, 3).items()}
    if net == "discovery":
        found["output/kernel"] *= 4
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Settings with a model, and a request for a mosaic with a corner of no data."""
    settings = load_settings({}, tmp_path_factory.mktemp("home"))
    facts = (ProductLevel.L1C, BANDS, (1_500.0, 1_600.0, 1_700.0), (420.0,) * 3)
    save_model(
        settings.models / "m",
        (ModelCard("m", "1", "discovery", *facts), random_weights("discovery")),
        (ModelCard("m", "1", "impact", *facts, classes=("high", "low", "no_ore")), random_weights("impact")),
    )
    random = np.random.default_rng(0)
    smooth = zoom(random.random((30, 30, 3)), (SIZE / 30, SIZE / 30, 1), order=1)
    pixels = (800 + 1_500 * smooth + random.normal(0, 60, smooth.shape)).astype(np.uint16)
    pixels[:230, :250] = 0
    grid = RasterGrid(SIZE, SIZE, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
    mosaic = write_mosaic(settings.home / "mosaic.tif", pixels, grid, BANDS, ProductLevel.L1C)
    return settings, ScanRequest((str(mosaic),), "m", pictures=False)


@pytest.fixture(scope="module")
def uninterrupted(place):
    """The run that no one disturbed, with pictures, made through a process."""
    settings, request = place
    run_dir = settings.runs / new_run_id()
    process = start_scan(replace(request, pictures=True), run_dir, settings=settings)
    wait_for(lambda: not process.is_running, 120)
    return run_dir


def wait_for(condition, seconds):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def scores_of(run_dir):
    with rasterio.open(run_dir / SCORES) as raster:
        return raster.read(1)


def begin_slowly(place, run_dir, seconds_per_read):
    """A run under way in a process of its own group, whose every read takes a while."""
    settings, request = place
    enter(request, run_dir, settings, resume=False).mosaic.close()
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "MINEDISC_HOME": str(settings.home)}
    script = Path(__file__).with_name("slow_worker.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(run_dir), str(seconds_per_read)], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def tiles_of(run_dir):
    return {path.name: path.stat().st_mtime_ns for path in (run_dir / TILES).glob("*.npz")}


def test_a_finished_run_leaves_everything_the_page_needs(uninterrupted):
    summary = read_summary(uninterrupted)
    assert (summary.state, summary.coverage.cells_failed) == (RunState.COMPLETE, 0)
    sites = read_sites(uninterrupted)
    assert len(sites) == summary.sites > 1
    assert [site.site_id for site in sites][:2] == [f"{summary.run_id}-0001", f"{summary.run_id}-0002"]
    assert (uninterrupted / "true_colour.tif").is_file()
    assert (uninterrupted / "chips" / f"{sites[0].site_id}_true_colour.webp").is_file()
    progress = read_progress(uninterrupted)
    assert (progress.state, progress.tiles_done, progress.fraction) == (RunState.COMPLETE, TILE_COUNT, 1.0)
    assert progress.message.startswith("finished")
    assert "of the cells hold more than half no data: not seen" in progress.message


def test_the_scores_lie_on_the_grid_and_are_empty_where_nothing_was_seen(uninterrupted):
    summary, scores = read_summary(uninterrupted), scores_of(uninterrupted)
    assert scores.shape == (94, 94)
    assert scores.dtype == np.float32
    assert np.isnan(scores[0, 0])
    assert summary.coverage.cells_no_data == np.isnan(scores).sum() > 0
    assert summary.coverage.cells_seen == np.isfinite(scores).sum()
    assert summary.coverage.asked_km2 == pytest.approx(94**2 * 0.0729, rel=0.005)
    with rasterio.open(uninterrupted / SCORES) as raster:
        assert np.isnan(raster.nodata)
        assert raster.res == (270, 270)
        best = read_sites(uninterrupted)[0]
        x, y = Affine(10, 0, 600_000, 0, -10, 7_800_000) @ (best.peak_col_px + 0.5, best.peak_row_px + 0.5)
        assert next(raster.sample([(x, y)]))[0] == pytest.approx(best.score)


def test_a_finished_run_is_listed_and_left_as_it_is_when_resumed(place, uninterrupted):
    settings, request = place
    before = (uninterrupted / RESULT).stat().st_mtime_ns
    summary = run_scan(replace(request, pictures=True), uninterrupted, resume=True, settings=settings)
    assert summary == read_summary(uninterrupted)
    assert (uninterrupted / RESULT).stat().st_mtime_ns == before
    assert [run.state for run in list_runs(settings) if run.path == uninterrupted] == [RunState.COMPLETE]


def test_a_run_killed_in_mid_scan_goes_on_without_repeating_tiles_and_ends_the_same(place, uninterrupted, tmp_path):
    settings, request = place
    run_dir = tmp_path / "killed"
    worker = begin_slowly(place, run_dir, 0.4)
    wait_for(lambda: len(tiles_of(run_dir)) >= 3, 60)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    kept = tiles_of(run_dir)
    assert 3 <= len(kept) < TILE_COUNT
    seen = read_progress(run_dir)
    assert (seen.state, seen.message) == (RunState.FAILED, "interrupted: can be resumed")
    (run_dir / TILES / ".000048_000048.npz.scratch").write_bytes(b"half")
    process = start_scan(request, run_dir, resume=True, settings=settings)
    wait_for(lambda: not process.is_running, 120)
    assert read_summary(run_dir).state is RunState.COMPLETE
    after = tiles_of(run_dir)
    assert len(after) == TILE_COUNT
    assert {name: after[name] for name in kept} == kept
    np.testing.assert_array_equal(scores_of(run_dir), scores_of(uninterrupted))
    same = [(s.polygon.wkb, s.score, s.impact, s.impact_probabilities) for s in read_sites(run_dir)]
    assert same == [(s.polygon.wkb, s.score, s.impact, s.impact_probabilities) for s in read_sites(uninterrupted)]


def test_a_process_that_does_not_listen_is_gone_two_seconds_after_a_cancel(place, tmp_path):
    run_dir = tmp_path / "deaf"
    worker = begin_slowly(place, run_dir, 30)
    wait_for((run_dir / "worker.json").exists, 60)
    note = json.loads((run_dir / "worker.json").read_text())
    (run_dir / "worker.json").write_text(json.dumps({**note, "has_group": True}))
    wait_for(lambda: read_progress(run_dir).tiles == TILE_COUNT, 60)
    started = time.monotonic()
    cancel(run_dir)
    assert read_progress(run_dir).state is RunState.CANCELLED
    assert worker.wait(1) != 0
    assert time.monotonic() - started < 2.5
    assert read_progress(run_dir).can_resume


def test_a_run_cancelled_before_its_worker_is_ready_is_cancelled_and_not_interrupted(place, tmp_path):
    settings, request = place
    process = start_scan(request, tmp_path / "early", settings=settings)
    cancel(process.run_dir)
    assert not process.is_running
    assert read_progress(process.run_dir).state is RunState.CANCELLED


def test_a_second_worker_in_a_run_folder_is_refused(place, tmp_path):
    settings, request = place
    worker = begin_slowly(place, tmp_path / "busy", 30)
    wait_for((tmp_path / "busy" / "worker.json").exists, 60)
    with pytest.raises(RunError, match="another process works on"):
        run_scan(request, tmp_path / "busy", resume=True, settings=settings)
    with pytest.raises(RunError, match="another process works on"):
        start_scan(request, tmp_path / "busy", resume=True, settings=settings)
    worker.kill()
    worker.wait()


def test_a_flag_stops_a_scan_in_this_process_and_it_can_be_resumed(place, uninterrupted, tmp_path):
    settings, request = place
    run_dir = tmp_path / "stopped"

    def stop_after_two(progress):
        if progress.tiles_done == 2:
            cancel(run_dir)

    with pytest.raises(Cancelled):
        run_scan(request, run_dir, on_progress=stop_after_two, settings=settings)
    assert read_progress(run_dir).message != ""
    summary = run_scan(request, run_dir, resume=True, settings=settings)
    assert summary.state is RunState.COMPLETE
    np.testing.assert_array_equal(scores_of(run_dir), scores_of(uninterrupted))


def test_tiles_that_cannot_be_read_make_an_incomplete_run_and_a_later_attempt_completes_it(
    place, uninterrupted, tmp_path, monkeypatch
):
    settings, request = place
    run_dir, read = tmp_path / "torn", Mosaic.read

    def torn(self, window, bands):
        if window.row == 27 * 95 and window.col == 0:
            raise ImageryError("rows 2565-2700 cannot be read", remedy="download it again")
        return read(self, window, bands)

    with monkeypatch.context() as patch:
        patch.setattr(Mosaic, "read", torn)
        summary = run_scan(request, run_dir, settings=settings)
    assert summary.state is RunState.INCOMPLETE
    assert summary.coverage.cells_failed > 0
    assert summary.coverage.seen_km2 < summary.coverage.asked_km2
    assert "rows 2565-2700 cannot be read" in summary.problems[0]
    assert summary.problems[0][:200] in read_progress(run_dir).message
    assert read_progress(run_dir).can_resume
    before = read_sites(run_dir)
    again = run_scan(request, run_dir, resume=True, settings=settings)
    assert again.state is RunState.COMPLETE
    np.testing.assert_array_equal(scores_of(run_dir), scores_of(uninterrupted))
    after = {site.site_id: site.polygon for site in read_sites(run_dir)}
    assert len(after) >= len(before)
    assert all(after[site.site_id].intersects(site.polygon) for site in before)


def test_an_area_is_scanned_alone_and_what_lies_outside_the_mosaic_is_told(place, uninterrupted, tmp_path):
    settings, request = place
    west, south, east, _ = read_sites(uninterrupted)[0].polygon.buffer(0.01).bounds
    area = {
        "type": "Polygon",
        "coordinates": [[(west, south), (east, south), (east, 0), (west, 0), (west, south)]],
    }
    summary = run_scan(replace(request, aoi=area), tmp_path / "part", settings=settings)
    scores, whole = scores_of(tmp_path / "part"), scores_of(uninterrupted)
    seen = np.isfinite(scores)
    assert 0 < seen.sum() < np.isfinite(whole).sum()
    np.testing.assert_allclose(scores[seen], whole[seen], atol=1e-6)
    assert "outside the mosaic" in summary.problems[-2]
    assert "within 1 km of the mosaic's edge" in summary.problems[-1]
    assert summary.state is RunState.COMPLETE


def test_a_worker_that_fails_leaves_its_reason_for_people_and_the_rest_for_the_log(place, tmp_path):
    settings, request = place
    home = tmp_path / "home"
    shutil.copytree(settings.models, home / "models")
    process = start_scan(request, tmp_path / "run", settings=load_settings({}, home))
    (home / "models" / "m" / "discovery.safetensors").write_bytes(b"torn")
    wait_for(lambda: not process.is_running, 60)
    progress = read_progress(tmp_path / "run")
    assert progress.state is RunState.FAILED
    assert "discovery.safetensors" in progress.message
    assert "Traceback" not in progress.message
    assert "Traceback" in (tmp_path / "run" / "worker.log").read_text()


def test_a_full_disk_ends_the_run_with_a_clear_sentence(place, tmp_path, monkeypatch):
    settings, request = place

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("minedisc_core.runs.os.fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        run_scan(request, tmp_path / "run", settings=settings)
    assert not (tmp_path / "run" / RESULT).exists()


def test_a_run_that_is_just_being_started_shows_as_running_and_a_start_that_fails_leaves_nothing(place, monkeypatch):
    settings, request = place
    run_dir = settings.runs / new_run_id()
    seen = []

    def look_and_fail(folder, _settings):
        seen.append(read_progress(folder).state)
        raise OSError("no more processes")

    monkeypatch.setattr(process, "_spawn", look_and_fail)
    with pytest.raises(OSError, match="no more processes"):
        start_scan(request, run_dir, settings=settings)
    assert seen == [RunState.RUNNING]
    assert read_progress(run_dir).state == RunState.FAILED
    unfit = settings.runs / new_run_id()
    with pytest.raises(ImageryError):
        start_scan(replace(request, mosaic=("nowhere.tif",)), unfit, settings=settings)
    assert not unfit.exists()
