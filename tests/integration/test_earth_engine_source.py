"""The real client of Earth Engine against a server of ours: pixels, quotas, refusals, sign-in, exports."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import google.auth.exceptions
import numpy as np
import pytest
from affine import Affine
from shapely.geometry import box, mapping

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import Cancelled, ImageryError, UsageError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.bands import L1C_BANDS
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.earth_engine import what_is_missing
from minedisc_core.imagery.earth_engine.asking import Patience, explained, is_passing, without_secrets
from minedisc_core.imagery.earth_engine.exports import export_status, start_export
from minedisc_core.imagery.earth_engine.sign_in import sign_in
from minedisc_core.imagery.earth_engine.source import EarthEngineSource, quarters
from minedisc_core.imagery.writing import write_mosaic
from tests.earth_engine_server import SCENES, SECRET, EarthEngineServer, Fault, serve_earth_engine, serve_mosaic_file

GRID = RasterGrid(700, 600, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
REQUEST = CompositeRequest(
    "ee", "cloud-score-plus", mapping(box(-44.0, -20.0, -43.9, -19.9)), date(2019, 1, 1), date(2020, 1, 1)
)
WINDOW = PixelWindow(30, 50, 64, 48)
QUICK = Patience(tries=4, pause_s=0.01, timeout_s=5)


def truth() -> np.ndarray:
    values = np.random.default_rng(4).integers(1, 10_000, (700, 600, 12)).astype(np.uint16)
    values[:40, :60] = 0  # no data in a corner
    return values


def never() -> bool:
    return False


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EarthEngineServer]:
    with serve_earth_engine(truth(), L1C_BANDS, GRID) as served:
        monkeypatch.setenv("MINEDISC_EE_URL", served.url)
        monkeypatch.setenv("MINEDISC_EE_PROJECT", "minedisc-test")
        yield served


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home and no variable: nobody is signed in."""
    for name in ("URL", "PROJECT", "SERVICE_ACCOUNT"):
        monkeypatch.delenv(f"MINEDISC_EE_{name}", raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return tmp_path


def source(**changes: object) -> EarthEngineSource:
    return EarthEngineSource(replace(REQUEST, **changes), patience=QUICK)  # type: ignore[arg-type]  # mixed by design


def asked_pixels(server: EarthEngineServer) -> list[dict]:
    return server.bodies("image:computePixels")


def test_pixels_are_those_of_the_window_exactly(server):
    block = source().read_block(GRID, WINDOW, never)
    expected = truth()[30:94, 50:98]
    assert block.values.dtype == block.looks.dtype == np.uint16
    assert np.array_equal(block.values, expected)
    assert np.array_equal(block.looks, np.where(expected[..., 0] > 0, 7, 0))
    assert block.problems == ()
    (asked,) = asked_pixels(server)
    assert asked["grid"] == {
        "dimensions": {"width": 48, "height": 64},
        "affineTransform": {
            "scaleX": 10, "shearX": 0, "translateX": 600_500, "shearY": 0, "scaleY": -10, "translateY": 7_799_700,
        },
        "crsCode": "EPSG:32723",
    }  # fmt: skip
    assert asked["bandIds"] == [*L1C_BANDS, "looks"]
    assert asked["fileFormat"] == "NPY"


def test_chosen_bands_come_in_the_order_in_which_they_were_asked_for(server):
    block = source(bands=("B12", "B2")).read_block(GRID, WINDOW, never)
    assert np.array_equal(block.values, truth()[30:94, 50:98][..., [11, 1]])


def test_a_pixel_without_looks_is_no_data_in_all_bands(server):
    server.looks = 0
    block = source().read_block(GRID, WINDOW, never)
    assert not block.values.any()
    assert not block.looks.any()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_quotas_and_server_errors_are_survived(server, status):
    server.faults = [Fault(status, "Too many concurrent aggregations.")] * 3
    block = source().read_block(GRID, WINDOW, never)
    assert np.array_equal(block.values, truth()[30:94, 50:98])
    assert len(asked_pixels(server)) == 4


def test_an_answer_that_never_comes_is_asked_for_again(server):
    patience = replace(QUICK, timeout_s=0.4)
    server.faults = [Fault(stall_s=1.5)]
    block = EarthEngineSource(REQUEST, patience=patience).read_block(GRID, WINDOW, never)
    assert np.array_equal(block.values, truth()[30:94, 50:98])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(429, "Quota exceeded"), r"quota is used up \(Quota exceeded\) in 4 tries.*--resume"),
        (Fault(503, "Backend error"), r"failed \(HTTP 503: Backend error\) in 4 tries"),
        (Fault(stall_s=0.5), "did not answer in time in 4 tries"),
    ],
)
def test_what_does_not_pass_is_given_up_in_words(server, fault, words):
    server.faults = [fault] * 4
    patience = replace(QUICK, timeout_s=0.2 if fault.stall_s else 5)
    with pytest.raises(ImageryError, match=words):
        EarthEngineSource(REQUEST, patience=patience).read_block(GRID, WINDOW, never)
    assert len(asked_pixels(server)) == 4


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (400, "Total request size (99999999 bytes) must be less than or equal to 50331648 bytes.",
         "over a limit of Earth Engine.*48 MB.*fewer days"),
        (400, "Band 'B99' not found", "refused the request .*B99"),
        (403, "Caller does not have required permission to use project x", "does not permit this.*--project"),
        (403, "Not signed up for Earth Engine or project is not registered", "does not permit this.*registered"),
        (401, "Request had invalid authentication credentials.", "Nobody is signed in.*earthengine authenticate"),
    ],
)  # fmt: skip
def test_refusals_are_told_in_words_and_not_tried_again(server, status, message, words):
    server.faults = [Fault(status, message)]
    with pytest.raises(ImageryError, match=words) as refused:
        source().read_block(GRID, WINDOW, never)
    assert refused.value.remedy
    assert len(asked_pixels(server)) == 1


def test_a_window_that_is_too_much_is_asked_for_in_quarters(server):
    server.most_pixels_answered = 160 * 160
    window = PixelWindow(0, 0, 513, 600)
    block = source().read_block(GRID, window, never)
    assert np.array_equal(block.values, truth()[:513])
    assert len(asked_pixels(server)) == 1 + 4 + 16


def test_what_stays_too_much_in_the_smallest_window_is_refused_in_words(server):
    server.most_pixels_answered = 100
    with pytest.raises(ImageryError, match=r"over a limit of Earth Engine \(User memory limit exceeded.\).*fewer days"):
        source().read_block(GRID, PixelWindow(0, 0, 300, 300), never)


def test_no_request_is_larger_than_1024_px(server):
    grid = replace(GRID, height_px=2_100, width_px=1_100)
    source().read_block(grid, PixelWindow(0, 0, 1_030, 1_000), never)
    sizes = [asked["grid"]["dimensions"] for asked in asked_pixels(server)]
    assert len(sizes) == 4
    assert all(size["width"] <= 1_024 and size["height"] <= 1_024 for size in sizes)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 1), (7, 5), (1024, 1023)])
def test_quarters_cover_a_window_once(height, width):
    seen = np.zeros((height, width), int)
    for part in quarters(PixelWindow(10, 20, height, width)):
        seen[part.row - 10 : part.row - 10 + part.height, part.col - 20 : part.col - 20 + part.width] += 1
    assert (seen == 1).all()


def cancelled_after(seconds: float):
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


@pytest.mark.parametrize("fault", [Fault(stall_s=6), Fault(429, "Quota exceeded")])
def test_a_cancelled_block_stops_within_a_second_while_it_waits(server, fault):
    waiting = EarthEngineSource(REQUEST, patience=Patience(pause_s=30))
    waiting.survey()
    server.faults = [fault] * 3
    start = time.monotonic()
    with pytest.raises(Cancelled):
        waiting.read_block(GRID, WINDOW, cancelled_after(0.3))
    assert time.monotonic() - start < 1.3


def test_a_block_that_waits_for_its_turn_can_be_cancelled(server):
    busy = source()
    busy.survey()
    server.delay_s = 3
    threads = [threading.Thread(target=lambda: busy.read_block(GRID, WINDOW, never), daemon=True) for _ in range(8)]
    [thread.start() for thread in threads]
    time.sleep(0.3)
    start = time.monotonic()
    with pytest.raises(Cancelled):
        busy.read_block(GRID, WINDOW, cancelled_after(0.2))
    assert time.monotonic() - start < 1.2
    [thread.join() for thread in threads]


def test_many_threads_sign_in_once_and_ask_for_no_more_than_the_bound_at_once(server):
    shared = source()
    server.delay_s = 0.05
    windows = [PixelWindow(40 * i, 40 * j, 40, 40) for i in range(6) for j in range(4)]
    with ThreadPoolExecutor(16) as pool:
        blocks = list(pool.map(lambda window: shared.read_block(GRID, window, never), windows))
    for window, block in zip(windows, blocks, strict=True):
        rows, cols = slice(window.row, window.row + 40), slice(window.col, window.col + 40)
        assert np.array_equal(block.values, truth()[rows, cols])
    assert 1 < server.most_at_once <= shared.most_in_flight == 8
    assert sum(path.startswith("/$discovery") for path, _ in server.asked) <= 4


def test_pauses_grow_up_to_a_limit_and_differ():
    patience = Patience(pause_s=1, longest_pause_s=8)
    for attempt, most in [(1, 1), (2, 2), (3, 4), (4, 8), (9, 8)]:
        pauses = {patience.pause_after(attempt) for _ in range(20)}
        assert len(pauses) > 1
        assert all(most / 2 <= pause <= most for pause in pauses)


@pytest.mark.parametrize("wrong", ["shape", "bands", "cut"])
def test_an_answer_that_is_not_what_was_asked_for_is_refused(server, wrong, monkeypatch):
    import ee

    real = ee.data.computePixels

    def other(question):
        if wrong == "shape":
            question = {**question, "grid": {**question["grid"], "dimensions": {"width": 5, "height": 5}}}
        if wrong == "bands":
            question = {**question, "bandIds": ["B2", "looks"]}
        return real(question)[: 1_000 if wrong == "cut" else None]

    monkeypatch.setattr(ee.data, "computePixels", other)
    with pytest.raises(ImageryError, match=r"Earth Engine's answer is cut off|Earth Engine answered"):
        source().read_block(GRID, WINDOW, never)


def test_the_survey_names_scenes_days_clouds_and_baselines_and_asks_once(server):
    asked = source()
    survey = asked.survey()
    assert asked.survey() is survey
    assert len(server.bodies("value:compute")) == 1
    assert survey.collection == "COPERNICUS/S2_HARMONIZED"
    assert survey.level is ProductLevel.L1C
    assert survey.bands == L1C_BANDS
    facts = [(s.scene_id, s.day.isoformat(), s.cloud_percent, s.baseline) for s in survey.scenes]
    assert facts == list(SCENES)
    assert {s.dn_offset for s in survey.scenes} == {0}
    assert survey.remarks == (f"scenes without Cloud Score+ give no pixel: {SCENES[-1][0]}",)
    assert survey.tags["mask"].endswith("cs_cdf below 0.6 masked")


def test_a_fact_that_some_scenes_lack_is_unknown_for_all_rather_than_mixed_up(server):
    server.scenes = (*SCENES[:2], (SCENES[2][0], SCENES[2][1], 0.0, ""))
    assert [scene.baseline for scene in source().survey().scenes] == ["", "", ""]


def test_nothing_found_is_told_with_the_dates_and_the_limit(server):
    server.scenes = ()
    with pytest.raises(ImageryError, match=r"No scene in COPERNICUS/S2_HARMONIZED from 2019-01-01 .* less than 20 %"):
        source().survey()


def test_the_released_recipe_and_old_surface_reflectance_are_remarked(server):
    remarks = source(recipe="paper-as-released", level=ProductLevel.L2A, start=date(2018, 1, 1)).survey().remarks
    assert any("clouds are not masked" in remark for remark in remarks)
    assert any("does not cover the whole Earth" in remark for remark in remarks)


def test_a_sign_in_outlives_a_server_error(server):
    server.sign_in_faults = [Fault(503, "try later")]
    assert sign_in("another-project") == "another-project"


def test_a_project_that_is_not_permitted_is_told_in_words_without_secrets(server):
    server.sign_in_faults = [Fault(403, f"Caller lacks permission (access_token={SECRET})")] * 3
    with pytest.raises(ImageryError, match="does not permit this") as refused:
        sign_in("forbidden-project")
    assert SECRET not in str(refused.value)


def test_a_server_that_is_not_there_is_told_in_words(nobody, monkeypatch):
    monkeypatch.setenv("MINEDISC_EE_URL", "http://127.0.0.1:9")
    with pytest.raises(ImageryError, match=r"Earth Engine cannot be reached in 3 tries"):
        sign_in("minedisc-test")


def test_credentials_are_only_sent_to_google_or_to_this_machine(nobody, monkeypatch):
    for url in ("https://earthengine.example.org", "http://earthengine.googleapis.com", "127.0.0.1", "https://a.b@c.d"):
        monkeypatch.setenv("MINEDISC_EE_URL", url)
        with pytest.raises(UsageError, match="credentials are sent there"):
            sign_in("minedisc-test")


def test_without_a_sign_in_the_words_say_what_to_run(nobody):
    with pytest.raises(ImageryError, match=r"Nobody is signed in.*earthengine authenticate"):
        sign_in("minedisc-test")
    assert "earthengine authenticate" in (what_is_missing("minedisc-test") or "")


def test_what_is_missing_goes_from_sign_in_to_project_to_nothing(nobody, monkeypatch):
    assert "Nobody is signed in" in (what_is_missing() or "")
    stored = nobody / ".config" / "earthengine" / "credentials"
    stored.parent.mkdir(parents=True)
    stored.write_text(json.dumps({"refresh_token": SECRET}))
    assert "No cloud project" in (what_is_missing() or "")
    assert what_is_missing("a-project") is None
    monkeypatch.setenv("MINEDISC_EE_PROJECT", "a-project")
    assert what_is_missing() is None
    monkeypatch.setenv("MINEDISC_EE_SERVICE_ACCOUNT", str(nobody / "gone.json"))
    assert "does not exist" in (what_is_missing() or "")


def test_a_sign_in_that_has_ended_is_told_without_its_token():
    error = google.auth.exceptions.RefreshError(f"invalid_grant: Token has been expired: {SECRET}")
    told = explained(error)
    assert "the sign-in has ended" in str(told)
    assert SECRET not in str(told)
    assert not is_passing(error)


def test_a_waiting_sign_in_can_be_cancelled(server):
    server.sign_in_faults = [Fault(503, "try later", stall_s=3)]
    start = time.monotonic()
    with pytest.raises(Cancelled):
        EarthEngineSource(replace(REQUEST, project="slow-project")).read_block(GRID, WINDOW, cancelled_after(0.2))
    assert time.monotonic() - start < 1.2


def test_without_a_project_a_server_of_ours_is_asked_for_one_that_bills_nobody(server, monkeypatch):
    monkeypatch.delenv("MINEDISC_EE_PROJECT")
    assert sign_in() == "loopback"
    source().read_block(GRID, WINDOW, never)
    assert any("projects/loopback/image:computePixels" in path for path, _ in server.asked)


def test_a_mosaic_file_is_served_pixel_by_pixel(tmp_path, monkeypatch):
    path = write_mosaic(tmp_path / "m.tif", truth(), GRID, L1C_BANDS, ProductLevel.L1C)
    with serve_mosaic_file(path) as served:
        monkeypatch.setenv("MINEDISC_EE_URL", served.url)
        assert np.array_equal(source().read_block(GRID, WINDOW, never).values, truth()[30:94, 50:98])


def test_a_key_file_that_is_none_is_refused_without_its_content(nobody, caplog):
    key = nobody / "key.json"
    contents = [SECRET, "[]", "{}", json.dumps({"client_email": "a@b.c", "private_key": SECRET, "token_uri": "x"})]
    with caplog.at_level(logging.DEBUG):
        for content in contents:
            key.write_text(content)
            with pytest.raises(ImageryError, match=r"key.json cannot be used.*make a new key") as refused:
                sign_in("minedisc-test", key)
            assert SECRET not in str(refused.value)
            assert refused.value.__context__ is None
            assert refused.value.__cause__ is None
    assert SECRET not in caplog.text


def test_secrets_in_the_servers_words_reach_neither_errors_nor_logs(server, caplog):
    words = f'token: "{SECRET}" Bearer abc.def https://x.example/?key=AIzaSyA-1 client_secret=GOCSPX-1 1//0refresh'
    server.faults = [Fault(400, words)]
    with caplog.at_level(logging.DEBUG), pytest.raises(ImageryError) as refused:
        source().read_block(GRID, WINDOW, never)
    for secret in (SECRET, "abc.def", "AIza", "GOCSPX", "0refresh"):
        assert secret not in str(refused.value)
        assert secret not in caplog.text


def test_a_private_key_over_many_lines_is_taken_out():
    text = "bad key -----BEGIN PRIVATE KEY-----\nMIIE\nabc\n-----END PRIVATE KEY----- in the file"
    assert without_secrets(text) == "bad key [...] in the file"


def test_the_package_is_imported_without_the_library():
    code = (
        "import sys; import minedisc_core.imagery.earth_engine as e; e.what_is_missing(); sys.exit('ee' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_export_to_drive_names_folder_files_grid_and_bands(server):
    ids = start_export(REQUEST, GRID, to="drive", place="minedisc", name="area", patience=QUICK)
    assert len(set(ids)) == 2
    values, looks = server.bodies("image:export")
    assert [values["description"], looks["description"]] == ["area", "area_looks"]
    options = values["fileExportOptions"]
    assert options["driveDestination"] == {"folder": "minedisc", "filenamePrefix": "area"}
    assert options["geoTiffOptions"]["tileDimensions"] == {"width": 9_216, "height": 9_216}
    assert options["geoTiffOptions"]["noData"] == {"floatValue": 0}
    assert values["maxPixels"] == {"value": str(10**11)}
    sent = json.dumps(values["expression"])
    assert "EPSG:32723" in sent
    assert all(f'"{band}"' in sent for band in L1C_BANDS)


def test_an_export_to_cloud_storage_names_bucket_and_folder(server):
    start_export(REQUEST, GRID, to="gcs", place="gs://my-bucket/mosaics", name="area", patience=QUICK)
    options = server.bodies("image:export")[0]["fileExportOptions"]
    assert options["cloudStorageDestination"] == {"bucket": "my-bucket", "filenamePrefix": "mosaics/area"}


def test_an_export_that_is_tried_again_is_started_once(server):
    server.faults = [Fault(503, "Backend error")]
    start_export(REQUEST, GRID, to="drive", place="minedisc", name="area", patience=QUICK)
    first, again, _ = [body["requestId"] for body in server.bodies("image:export")]
    assert first == again
    assert len(server.operations) == 2


def test_the_state_of_exports_is_followed(server):
    ids = start_export(REQUEST, GRID, to="drive", place="minedisc", name="area", patience=QUICK)
    assert [one.state for one in export_status(ids, patience=QUICK)] == ["READY", "READY"]
    first, second = server.operations.values()
    first["metadata"] |= {"state": "SUCCEEDED", "destinationUris": ["https://drive.example/folder"]}
    second["metadata"]["state"] = "FAILED"
    second |= {"done": True, "error": {"message": "out of space"}}
    done, failed, unknown = export_status([*ids, "NOSUCHTASK"], patience=QUICK)
    assert (done.state, done.places, done.is_final) == ("COMPLETED", ("https://drive.example/folder",), True)
    assert (failed.state, failed.error) == ("FAILED", "out of space")
    assert (unknown.task_id, unknown.state) == ("NOSUCHTASK", "UNKNOWN")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"to": "ftp"}, "drive or gcs"),
        ({"name": "a/b"}, "name 'a/b'"),
        ({"place": " "}, "folder ' '"),
        ({"to": "gcs", "place": "My Bucket"}, "bucket 'My Bucket'"),
    ],
)
def test_an_export_to_nowhere_is_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        start_export(REQUEST, GRID, **({"to": "drive", "place": "minedisc", "name": "area"} | changes))


def test_an_id_that_is_no_task_is_refused():
    for ids in ([], ["../x"], ["a b"]):
        with pytest.raises(UsageError, match="task"):
            export_status(ids)
