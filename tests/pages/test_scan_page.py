"""The scan page: what is offered, what it costs, and what is said when something does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from affine import Affine
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Markdown

from minedisc_core import service
from minedisc_core.bench.range_server import serve_ranges
from minedisc_core.domain import ProductLevel
from minedisc_core.settings import Settings
from pages import area, shared
from tests.pages.conftest import Opener
from tests.pages.fabricated import GRID, make_mosaic, save_bright_model


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.error, *app.warning])


def test_the_mosaic_and_the_cost_are_told_before_anything_starts(home: Settings, open_page: Opener) -> None:
    save_bright_model(home.models / "bright", home.demo / "mosaic.tif")
    app = open_page("scan.py")
    assert not app.exception
    assert "41.0 km² · 640 x 640 px of 10 m · L1C · 12 bands" in texts(app)
    assert "2024-06-01 to 2024-08-31" in texts(app)
    assert "to scan, in **under a minute**" in texts(app)
    assert app.number_input[0].value == pytest.approx(0.6)
    assert not next(button for button in app.button if button.label == "Start the scan").disabled


def test_only_models_that_fit_are_offered_and_a_sentence_says_why_others_do_not(
    home: Settings, open_page: Opener
) -> None:
    save_bright_model(home.models / "bright", home.demo / "mosaic.tif")
    other = make_mosaic(home.home / "other.tif", ProductLevel.L2A)
    save_bright_model(home.models / "surface", other)
    app = open_page("scan.py")
    assert "bright" in app.selectbox(key="scan_model").options
    assert "surface" not in app.selectbox(key="scan_model").options
    assert "surface needs L2A and the mosaic is L1C" in texts(app)


def test_a_demonstration_model_is_called_one(home: Settings, open_page: Opener) -> None:
    save_bright_model(home.models / "bright", home.demo / "mosaic.tif")
    assert "demonstration model" in texts(open_page("scan.py"))


def test_a_path_that_is_no_mosaic_is_explained_and_the_page_goes_on(
    home: Settings, open_page: Opener, tmp_path: Path
) -> None:
    app = open_page("scan.py")
    app.selectbox(key="scan_mosaic").select("other").run()
    app.text_area(key="scan_paths").set_value(str(tmp_path / "nothing.tif")).run()
    assert not app.exception
    assert "nothing" in app.error[0].value
    assert "Past runs" in texts(app)


def test_a_finished_run_is_taken_in_by_itself_and_listed(home: Settings, open_page: Opener) -> None:
    app = open_page("scan.py")
    assert "23 (23 undecided, 1 hidden)" in texts(app)
    assert "Demo area (L1C), 02 Jan 03:06: 24 new candidates." in [toast.value for toast in app.toast]
    app.run()
    assert not app.toast


def test_a_broken_run_is_listed_with_its_problem_and_not_tried_again(
    home: Settings, open_page: Opener, run_folder: Path
) -> None:
    (run_folder / "candidates.parquet").write_bytes(b"no parquet")
    app = open_page("scan.py")
    assert not app.exception
    assert "could not be taken in" in app.toast[0].value
    app.run()
    assert not app.toast
    assert "cannot be read" in texts(app)


def test_an_area_that_was_drawn_is_kept_for_the_next_visit(home: Settings, open_page: Opener) -> None:
    save_bright_model(home.models / "bright", home.demo / "mosaic.tif")
    ring = [[-44.04, -19.90], [-44.00, -19.90], [-44.00, -19.94], [-44.04, -19.94], [-44.04, -19.90]]
    app = open_page("scan.py")
    saved = app.session_state["area"]
    app.session_state["area"] = {**saved, "drawn": {"type": "Polygon", "coordinates": [ring]}}
    app.session_state[area.KIND_KEY] = area.Kind.DRAWN
    app.run()
    assert "km²** to scan" in texts(app)
    assert not app.exception


def test_an_area_outside_the_mosaic_cannot_be_scanned(home: Settings, open_page: Opener) -> None:
    save_bright_model(home.models / "bright", home.demo / "mosaic.tif")
    ring = [[10.0, 10.0], [11.0, 10.0], [11.0, 11.0], [10.0, 10.0]]
    app = open_page("scan.py")
    app.session_state["area"] = {**app.session_state["area"], "drawn": {"type": "Polygon", "coordinates": [ring]}}
    app.session_state[area.KIND_KEY] = area.Kind.DRAWN
    app.run()
    assert "No cell of the mosaic lies in this area" in texts(app)
    assert next(button for button in app.button if button.label == "Start the scan").disabled


def test_the_champion_is_chosen_first(home: Settings, open_page: Opener) -> None:
    save_bright_model(home.models / "bright", home.demo / "mosaic.tif")
    why = {"analyst": "Ana", "override": "the model of this test"}
    service.VERBS["models_promote"](shared.store(), home, name="bright", **why)
    chosen = open_page("scan.py").selectbox(key="scan_model")
    assert chosen.value == "bright"
    assert "bright (champion)" in chosen.options


def chosen_files(app: AppTest, *paths: Path | str) -> AppTest:
    app.selectbox(key="scan_mosaic").select("other").run()
    app.text_area(key="scan_paths").set_value("\n".join(map(str, paths))).run()
    assert not app.exception
    return app


def test_files_of_two_zones_are_one_choice_and_the_cost_is_that_of_both(home: Settings, open_page: Opener) -> None:
    save_bright_model(home.models / "bright", home.demo / "mosaic.tif")
    east = make_mosaic(home.home / "east.tif", grid=replace(GRID, crs="EPSG:32724"))
    app = chosen_files(open_page("scan.py"), home.demo / "mosaic.tif", east)
    assert "82.0 km² · 2 coordinate systems, a run for each · L1C" in texts(app)
    assert "2 files" in texts(app)
    alone = chosen_files(open_page("scan.py"), east)
    both = [float(found.value.split("**")[1].split()[0]) for page in (app, alone) for found in scan_costs(page)]
    assert both[0] == pytest.approx(2 * both[1], rel=0.02)
    assert not next(button for button in app.button if button.label == "Start the scan").disabled


def scan_costs(app: AppTest) -> list[Markdown]:
    return [element for element in app.markdown if "to scan, in" in element.value]


def test_a_file_that_cannot_be_read_among_others_is_named_before_the_scan(home: Settings, open_page: Opener) -> None:
    broken = home.home / "broken.tif"
    broken.write_bytes((home.demo / "mosaic.tif").read_bytes()[:80])
    app = chosen_files(open_page("scan.py"), home.demo / "mosaic.tif", broken)
    assert "What these files show will not be seen:" in app.warning[0].value
    assert "broken.tif" in app.warning[0].value


def test_files_that_overlap_between_pixels_are_one_mosaic_and_the_shift_is_told(
    home: Settings, open_page: Opener
) -> None:
    moved = replace(GRID, transform=GRID.transform @ Affine.translation(600.3, 0))
    beside = make_mosaic(home.home / "beside.tif", grid=moved)
    app = chosen_files(open_page("scan.py"), home.demo / "mosaic.tif", beside)
    assert "1,240 x 640 px of 10 m" in texts(app)
    assert "by up to 0.30 px" in texts(app)


def test_a_file_of_a_network_is_chosen_by_its_address_and_no_picture_is_made_of_it(
    home: Settings, open_page: Opener
) -> None:
    with serve_ranges(home.demo) as server:
        server.token = "sig=topsecret"
        app = chosen_files(open_page("scan.py"), f"{server.url}/mosaic.tif?{server.token}")
        assert "41.0 km² · 640 x 640 px of 10 m · L1C" in texts(app)
        assert "No picture is made of files on a network" in texts(app)
        server.token = "sig=another"
        refused = chosen_files(open_page("scan.py"), f"{server.url}/mosaic_2.tif?sig=topsecret")
        assert "does not give it (HTTP 403)" in refused.error[0].value
        assert "topsecret" not in texts(refused)
