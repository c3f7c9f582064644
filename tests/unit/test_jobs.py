"""Jobs without TensorFlow: requests, run folders, progress, ownership, patches."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box, mapping

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import load_model, save_model
from minedisc_core.detection.networks import tensor_shapes
from minedisc_core.detection.scan import TileResult
from minedisc_core.domain import ProductLevel, RunState
from minedisc_core.errors import ImageryError, MinediscError, ModelError, RunError, UsageError
from minedisc_core.grid import Tile, window_of_cell
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.jobs import ScanRequest, cancel, estimate, list_runs, new_run_id, read_progress, read_request
from minedisc_core.jobs.hits import HitCollector
from minedisc_core.jobs.ownership import is_alive, note_worker, sole_worker
from minedisc_core.jobs.patches import PatchCutter
from minedisc_core.jobs.places import Folder
from minedisc_core.jobs.progress import ProgressLog
from minedisc_core.jobs.request import area_of, enter, open_request_mosaic
from minedisc_core.jobs.tiles import TileFiles
from minedisc_core.runs import CANCEL, PROGRESS, REQUEST, write_json

BANDS = ("B2", "B3", "B4")


def save_tiny_model(folder, **more):
    card = ModelCard("m", "1", "discovery", ProductLevel.L1C, BANDS, (900.0,) * 3, (90.0,) * 3, **more)
    save_model(
        folder, (card, {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes("discovery", 3).items()})
    )
    return folder


@pytest.fixture
def request_for(settings, write_raster):
    """A request that can be met: 405 x 432 px, 3 bands."""
    pixels = np.random.default_rng(3).integers(500, 2_000, (405, 432, 3)).astype(np.uint16)
    mosaic = write_raster(pixels, bands=BANDS)
    save_tiny_model(settings.models / "m")
    return ScanRequest((str(mosaic),), "m", level=ProductLevel.L1C, imagery_start=date(2019, 1, 1))


def test_run_ids_are_different_and_sort_by_time():
    found = {new_run_id() for _ in range(50)}
    assert len(found) == 50
    assert all(len(run_id) == 24 and run_id.replace("-", "").isalnum() for run_id in found)


def test_a_request_survives_json():
    area = mapping(box(-44, -20, -43.9, -19.9))
    full = ScanRequest(
        ("a.tif", "b.tif"),
        "m",
        area,
        0.7,
        0.9,
        ProductLevel.L2A,
        BANDS,
        1000,
        date(2020, 1, 2),
        date(2020, 3, 4),
        False,
    )
    for asked in (full, ScanRequest(("a.tif",), "m")):
        back = ScanRequest.from_json(json.loads(json.dumps(asked.to_json())))
        assert back.to_json() == asked.to_json()
        assert replace(back, aoi=None) == replace(asked, aoi=None)


@pytest.mark.parametrize("content", [{}, {"mosaic": 3}, {**ScanRequest(("a",), "m").to_json(), "level": "L9"}])
def test_json_that_is_no_request_is_refused(content):
    with pytest.raises(RunError, match="not a scan request"):
        ScanRequest.from_json(content)


def test_a_new_run_writes_what_was_asked_with_the_identities(request_for, settings, tmp_path):
    run_dir = tmp_path / new_run_id()
    ready = enter(request_for, run_dir, settings, resume=False)
    stored = json.loads((run_dir / REQUEST).read_text())
    assert ready.run_id == stored["run_id"] == run_dir.name
    assert len(stored["model_identity"]) == len(stored["mosaic_identity"]) == 64
    assert stored["threshold_used"] == 0.6
    assert read_request(run_dir).imagery_start == date(2019, 1, 1)


def test_a_folder_of_any_name_gets_a_run_id_of_its_own(request_for, settings, tmp_path):
    first = enter(request_for, tmp_path / "out", settings, resume=False).run_id
    second = enter(request_for, tmp_path / "x" / "out", settings, resume=False).run_id
    assert first != second


def test_a_run_is_not_begun_twice_and_is_resumed_only_if_asked(request_for, settings, tmp_path):
    first = enter(request_for, tmp_path / "run", settings, resume=False)
    with pytest.raises(RunError, match="holds a run already"):
        enter(request_for, tmp_path / "run", settings, resume=False)
    assert enter(request_for, tmp_path / "run", settings, resume=True).run_id == first.run_id


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"threshold": 0.8}, "threshold"), ({"isolated_threshold": 0.9}, "isolated"), ({"dn_offset": 100}, "dn offset")],
)
def test_a_run_is_not_resumed_with_another_request(request_for, settings, tmp_path, changes, named):
    enter(request_for, tmp_path / "run", settings, resume=False)
    with pytest.raises(RunError, match=named):
        enter(replace(request_for, **changes), tmp_path / "run", settings, resume=True)


def test_a_run_is_not_resumed_with_a_changed_model(request_for, settings, tmp_path):
    enter(request_for, tmp_path / "run", settings, resume=False)
    save_tiny_model(settings.models / "m", threshold=0.61)
    with pytest.raises(RunError, match="model identity"):
        enter(request_for, tmp_path / "run", settings, resume=True)


def test_a_run_is_not_resumed_with_a_changed_mosaic(request_for, settings, tmp_path):
    enter(request_for, tmp_path / "run", settings, resume=False)
    os.utime(request_for.mosaic[0], (1, 1))
    with pytest.raises(RunError, match="mosaic identity"):
        enter(request_for, tmp_path / "run", settings, resume=True)


@pytest.mark.parametrize("text", ["[]", "{", '{"run_id": "x"}'])
def test_a_broken_request_file_is_refused(request_for, settings, tmp_path, text):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / REQUEST).write_text(text)
    with pytest.raises(RunError):
        enter(request_for, tmp_path / "run", settings, resume=True)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"threshold": 1.0}, UsageError),
        ({"threshold": float("nan")}, UsageError),
        ({"isolated_threshold": -0.1}, UsageError),
        ({"model": "no-such"}, ModelError),
        ({"level": None}, ModelError),
        ({"level": ProductLevel.L2A}, ModelError),
        ({"mosaic": ("/no/such/file.tif",)}, ImageryError),
        ({"mosaic": ()}, ImageryError),
        ({"aoi": mapping(box(10, 10, 11, 11))}, ImageryError),
        ({"aoi": {"type": "Point", "coordinates": [-44, -20]}}, UsageError),
        ({"aoi": {"type": "Polygon", "coordinates": []}}, UsageError),
        ({"aoi": {"type": "Nonsense"}}, UsageError),
        ({"aoi": mapping(box(600_000, 7_000_000, 600_100, 7_000_100))}, UsageError),
    ],
)
def test_a_request_that_cannot_be_met_leaves_no_run_behind(request_for, settings, tmp_path, changes, error):
    with pytest.raises(error) as caught:
        enter(replace(request_for, **changes), tmp_path / "run", settings, resume=False)
    assert isinstance(caught.value, MinediscError)
    assert not (tmp_path / "run" / REQUEST).exists()


def test_an_area_without_a_cell_centre_is_told_apart_from_one_outside(request_for, settings, tmp_path):
    with open_mosaic(request_for.mosaic) as mosaic:
        lon, lat = mosaic.grid.lonlat(np.array([9.5]), np.array([9.5]))[0]
    tiny = mapping(box(lon - 1e-5, lat - 1e-5, lon + 1e-5, lat + 1e-5))
    with pytest.raises(ImageryError, match="no cell's centre"):
        enter(replace(request_for, aoi=tiny), tmp_path / "run", settings, resume=False)


def test_a_mosaic_smaller_than_a_window_is_refused(request_for, settings, tmp_path, write_raster):
    small = write_raster(np.ones((150, 400, 3), np.uint16), "small.tif", bands=BANDS)
    with pytest.raises(ImageryError, match="150 x 400"):
        enter(replace(request_for, mosaic=(str(small),)), tmp_path / "run", settings, resume=False)


def test_a_crossed_polygon_is_made_valid():
    bow = {"type": "Polygon", "coordinates": [[(0, 0), (1, 1), (1, 0), (0, 1), (0, 0)]]}
    assert area_of(bow).area == pytest.approx(0.5)
    assert area_of({"type": "Feature", "geometry": bow, "properties": {}}).is_valid
    assert area_of(None) is None


def test_a_tile_result_is_read_as_it_was_saved(tmp_path):
    files, tile = TileFiles(Folder(tmp_path)), Tile(3, 5, 0, 4)
    result = TileResult(
        np.random.default_rng(0).normal(size=(2, 4, 64)).astype(np.float32), np.ones((22, 40), np.uint8)
    )
    assert files.load(tile) is None
    files.save(tile, result)
    found = files.load(tile)
    np.testing.assert_array_equal(found.features, result.features)
    np.testing.assert_array_equal(found.blocks, result.blocks)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x80\x04pickle"])
def test_a_torn_tile_result_counts_as_missing(tmp_path, content):
    files, tile = TileFiles(Folder(tmp_path)), Tile(0, 2, 0, 4)
    (tmp_path / f"{tile.name}.npz").write_bytes(content)
    assert files.load(tile) is None


def test_a_tile_result_of_another_size_counts_as_missing(tmp_path):
    files = TileFiles(Folder(tmp_path))
    files.save(Tile(0, 2, 0, 4), TileResult(np.zeros((2, 4, 64), np.float32), np.zeros((22, 40), np.uint8)))
    assert files.load(Tile(0, 3, 0, 4)) is None


def test_scratch_files_of_a_killed_process_are_swept(tmp_path):
    (tmp_path / ".000000_000000.npz.abc").write_bytes(b"half")
    Folder(tmp_path).sweep()
    assert list(tmp_path.iterdir()) == []


@given(st.integers(0, 20_000_000), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_patches_are_the_same_from_memory_and_read_again(kept_bytes, cells):
    dn = np.random.default_rng(1).integers(0, 9_000, (540, 540, 2)).astype(np.uint16)

    def read(window):
        return dn[window.row : window.row + window.height, window.col : window.col + window.width]

    cutter = PatchCutter(read, kept_bytes)
    for row in (0, 243):
        for col in (0, 243):
            cutter.read_tile(replace(window_of_cell(0, 0), row=row, col=col, height=297, width=297))
    cutter.forget_above(243)
    patches = cutter.cut(np.array(cells, np.int64).reshape(-1, 2))
    for (i, j), patch in zip(cells, patches, strict=True):
        window = window_of_cell(i, j, 21)
        np.testing.assert_array_equal(patch, read(window))


def begun(run_dir):
    write_json(
        run_dir / REQUEST, {"run_id": "r", "asked_at_utc": "2026-01-01T00:00:00", "model_name": "m", "mosaic": []}
    )
    return ProgressLog(run_dir)


def test_progress_adds_up_tiles_and_rate(tmp_path):
    heard = []
    begun(tmp_path)
    log = ProgressLog(tmp_path, heard.append)
    log.start(4, 100.0, 40)
    log.tile("a", 10, None, is_new=True)
    log.tile("b", 10, "the disk hiccuped", is_new=True)
    found = read_progress(tmp_path)
    assert (found.tiles_done, found.tiles_failed, found.tiles) == (1, 1, 4)
    assert (found.km2_done, found.km2) == (25.0, 100.0)
    assert found.fraction == 0.5
    assert found.km2_per_s > 0
    assert found.seconds_left == pytest.approx(75 / found.km2_per_s)
    assert [p.tiles_done for p in heard] == [0, 1, 1]
    assert heard[0].state is RunState.RUNNING


def test_a_second_attempt_counts_tiles_found_done_but_not_in_its_rate(tmp_path):
    log = begun(tmp_path)
    log.start(2, 10.0, 2)
    log.tile("a", 1, None, is_new=True)
    log.start(2, 10.0, 2)
    log.tile("a", 1, None, is_new=False)
    found = read_progress(tmp_path)
    assert (found.tiles_done, found.km2_done, found.km2_per_s, found.seconds_left) == (1, 5.0, 0.0, None)


def test_half_a_line_of_a_killed_process_does_no_harm(tmp_path):
    log = begun(tmp_path)
    log.start(2, 10.0, 2)
    with (tmp_path / PROGRESS).open("a") as file:
        file.write('{"kind": "tile", "na')
    ProgressLog(tmp_path).tile("a", 1, None, is_new=True)
    assert read_progress(tmp_path).tiles_done == 1


def test_a_run_whose_process_is_gone_is_interrupted_and_can_be_resumed(tmp_path):
    begun(tmp_path)
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    note_worker(tmp_path, int(ended.stdout), has_group=True)
    found = read_progress(tmp_path)
    assert (found.state, found.message, found.can_resume) == (RunState.FAILED, "interrupted: can be resumed", True)
    assert found.is_over


def test_a_later_process_of_the_same_number_is_not_the_worker(tmp_path):
    begun(tmp_path)
    write_json(tmp_path / "worker.json", {"pid": os.getpid(), "started": 1.0, "has_group": False})
    assert not is_alive(tmp_path)
    note_worker(tmp_path, os.getpid(), has_group=False)
    assert is_alive(tmp_path)
    assert read_progress(tmp_path).state is RunState.RUNNING


def test_a_reason_left_by_the_worker_becomes_a_sentence(tmp_path):
    begun(tmp_path)
    write_json(tmp_path / "failed.json", {"found": "the disk is full", "expected": "", "remedy": "free some space"})
    found = read_progress(tmp_path)
    assert (found.state, found.message) == (RunState.FAILED, "the disk is full. free some space.")


def test_a_cancelled_run_without_a_process_is_cancelled(tmp_path):
    begun(tmp_path)
    cancel(tmp_path)
    assert (tmp_path / CANCEL).exists()
    found = read_progress(tmp_path)
    assert (found.state, found.can_resume) == (RunState.CANCELLED, True)


def test_a_folder_without_a_run_has_no_progress(tmp_path):
    with pytest.raises(RunError, match="holds no run"):
        read_progress(tmp_path)


def test_only_one_process_works_on_a_run(tmp_path):
    code = (
        "import sys, pathlib; from minedisc_core.jobs.ownership import sole_worker\n"
        f"with sole_worker(pathlib.Path({str(tmp_path)!r})): pass"
    )
    with sole_worker(tmp_path):
        refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    allowed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another process works on" in refused.stderr
    assert allowed.returncode == 0


def test_runs_are_listed_newest_first_and_broken_ones_with_their_problem(settings):
    for day, name in ((2, "20260102-000000-aaaa"), (5, "20260105-000000-bbbb")):
        path = settings.runs / name
        write_json(
            path / REQUEST,
            {"run_id": name, "asked_at_utc": f"2026-01-0{day}T00:00:00", "model_name": "m", "mosaic": ["a.tif"]},
        )
    (settings.runs / "broken").mkdir()
    (settings.runs / "broken" / REQUEST).write_text("[")
    (settings.runs / "no-run").mkdir()
    found = list_runs(settings)
    assert [run.run_id for run in found] == ["20260105-000000-bbbb", "20260102-000000-aaaa", "broken"]
    assert found[0].can_resume
    assert "cannot be read" in found[2].message


def test_without_runs_the_list_is_empty(settings):
    assert list_runs(settings) == []


def test_an_estimate_grows_with_the_area(request_for, settings):
    model = load_model("m", settings)
    with open_mosaic(request_for.mosaic) as mosaic:
        whole = estimate(mosaic.grid, None, model)
        lon, lat = mosaic.grid.cell_centres(np.array([(4, 4)]))[0]
        part = estimate(mosaic.grid, mapping(box(lon - 0.003, lat - 0.003, lon + 0.003, lat + 0.003)), model)
    assert 0 < part.km2 < whole.km2
    assert 0 < part.seconds <= whole.seconds
    km2, seconds = whole
    assert (km2, seconds) == (whole.km2, whole.seconds)


def test_results_elsewhere_are_recorded_and_found_again_by_a_resumed_run(request_for, settings, tmp_path):
    first = enter(replace(request_for, results="memory://bucket/x"), tmp_path / "run", settings, resume=False)
    assert json.loads((tmp_path / "run" / REQUEST).read_text())["results"] == "memory://bucket/x"
    again = enter(request_for, tmp_path / "run", settings, resume=True)
    assert (again.run_id, again.request.results) == (first.run_id, "memory://bucket/x")
    with pytest.raises(RunError, match="another results"):
        enter(replace(request_for, results="memory://bucket/y"), tmp_path / "run", settings, resume=True)


def test_a_run_that_is_older_than_results_elsewhere_is_resumed(request_for, settings, tmp_path):
    enter(request_for, tmp_path / "run", settings, resume=False)
    assert "results" not in json.loads((tmp_path / "run" / REQUEST).read_text())  # as runs before there was the field
    assert enter(request_for, tmp_path / "run", settings, resume=True).request.results is None
    assert read_request(tmp_path / "run").results is None


def test_hits_whose_patches_cannot_be_read_again_are_kept_with_an_unknown_class(request_for, settings):
    class Class:
        def probabilities(self, _patches):
            raise AssertionError("there is nothing to classify")

    def gone(_window):
        raise ImageryError("rows 0-405 of mosaic.tif cannot be read")

    model = load_model("m", settings)
    with open_request_mosaic(request_for) as mosaic:
        hits = HitCollector(mosaic, model, 0.5)
        hits.net, hits._patches = Class(), PatchCutter(gone)
        hits.take(0, np.array([[0.1, 0.9, 0.8]], np.float32))
        found = hits.hits(np.zeros((1, 3), np.float32))
    assert found.cells.tolist() == [[0, 1], [0, 2]]
    assert np.isnan(found.probabilities).all()
    assert hits.unread == ["the impact class of 2 hits is unknown: rows 0-405 of mosaic.tif cannot be read."]
