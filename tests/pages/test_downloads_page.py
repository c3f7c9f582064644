"""A new mosaic on the scan page: what may be asked, what is refused before anything starts, and what is listed."""

from __future__ import annotations

import threading
import time
from datetime import date
from pathlib import Path

import pytest
from shapely.geometry import box, mapping
from streamlit.testing.v1 import AppTest

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.jobs.compositing import enter_composite, work_folder
from minedisc_core.jobs.progress import FAILED
from minedisc_core.runs import CANCEL, write_json
from minedisc_core.settings import Settings
from pages import area, download, looked, mosaics
from pages.session import SessionKeys
from tests.pages.conftest import Opener

AREA = mapping(box(-44.0, -20.0, -43.9, -19.9))
REQUEST = CompositeRequest(
    source="stac",
    recipe="scl",
    aoi=AREA,
    start=date(2024, 6, 1),
    end=date(2024, 9, 1),
    level=ProductLevel.L2A,
)


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.error, *app.warning])


def opened(open_page: Opener, home: Settings) -> AppTest:
    """The form with an area that was drawn."""
    write_json(
        home.home / "areas" / f"{download.AREA_KEY}.json",
        {"kind": area.Kind.DRAWN, "drawn": AREA, "file": None, "mosaic": download.AREA_KEY},
    )
    return open_page("scan.py").selectbox(key=mosaics.KEY).select(mosaics.NEW).run()


def test_nothing_can_be_looked_for_without_an_area(home: Settings, open_page: Opener) -> None:
    app = open_page("scan.py").selectbox(key=mosaics.KEY).select(mosaics.NEW).run()
    assert not app.exception
    assert "**No area yet.**" in texts(app)
    assert next(found for found in app.button if found.label == "Look for scenes").disabled


def test_the_papers_recipe_brings_its_days_and_is_refused_where_its_mask_is_missing(
    home: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINEDISC_EE_URL", "http://127.0.0.1:9")
    app = opened(open_page, home)
    app.session_state["download_source"] = "ee"
    app.run()
    app.selectbox(key="download_recipe").select("paper").run()
    days = app.date_input(key="download_days_paper")
    assert days.value == (date(2018, 1, 1), date(2019, 12, 31))
    assert not next(found for found in app.button if found.label == "Look for scenes").disabled
    days.set_value((date(2023, 1, 1), date(2023, 12, 31))).run()
    assert "QA60 is missing" in texts(app)
    assert next(found for found in app.button if found.label == "Look for scenes").disabled


def test_what_is_missing_for_earth_engine_is_said_before_anything_is_asked(
    home: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("MINEDISC_EE_URL", "MINEDISC_EE_PROJECT", "MINEDISC_EE_SERVICE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    app = opened(open_page, home)
    app.session_state["download_source"] = "ee"
    app.run()
    assert "earthengine authenticate" in "\n".join(warning.value for warning in app.warning)


def test_a_catalogue_of_ones_own_needs_its_assets_as_json(home: Settings, open_page: Opener) -> None:
    app = opened(open_page, home)
    app.selectbox(key="download_catalogue").select("own").run()
    app.text_input(key="download_address").set_value("http://127.0.0.1:9").run()
    app.text_area(key="download_assets").set_value('{"B2": ').run()
    assert "is no JSON" in texts(app)
    app.text_area(key="download_assets").set_value('{"B2": "blue"}').run()
    assert "no collection is named" in texts(app)
    app.text_input(key="download_collection").set_value("s2").run()
    assert "no asset is named for B1, " in texts(app)


def test_a_catalogue_that_does_not_answer_is_told_and_nothing_can_start(home: Settings, open_page: Opener) -> None:
    app = opened(open_page, home)
    app.selectbox(key="download_catalogue").select("own").run()
    app.text_input(key="download_address").set_value("http://127.0.0.1:9").run()
    app.text_input(key="download_collection").set_value("s2").run()
    names = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12", "scl"]
    app.text_area(key="download_assets").set_value("{" + ", ".join(f'"{n}": "{n}"' for n in names) + "}").run()
    next(found for found in app.button if found.label == "Look for scenes").click().run()
    assert not app.exception
    assert "could not be searched" in texts(app)
    app.run()  # as a map does that reports itself: what was said stays
    assert "could not be searched" in texts(app)
    app.number_input(key="download_cloud").set_value(30).run()
    assert "could not be searched" not in texts(app)
    assert "changed since you looked" in texts(app)
    assert "Make the mosaic" not in [found.label for found in app.button]


def test_a_source_that_is_asked_twice_at_once_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[CompositeRequest] = []

    def slow(request: CompositeRequest, _source: object) -> None:
        asked.append(request)
        time.sleep(0.2)
        raise ImageryError("the catalogue could not be searched")

    monkeypatch.setattr(looked, "plan_composite", slow)
    question = looked.Looked(REQUEST)
    threads = [threading.Thread(target=question.ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [REQUEST]
    assert isinstance(question.error, ImageryError)


@pytest.mark.parametrize("text", ["here", "-19.93, -243.81"])
def test_a_place_that_is_none_is_told_with_an_example(home: Settings, open_page: Opener, text: str) -> None:
    app = open_page("scan.py").selectbox(key=mosaics.KEY).select(mosaics.NEW).run()
    app.text_input(key=SessionKeys.PLACE).set_value(text).run()
    assert not app.exception
    assert "-19.93, -43.81" in texts(app)


def test_mosaics_that_stopped_are_listed_with_their_reason_and_what_can_be_done(
    home: Settings, open_page: Opener
) -> None:
    for name in ("stopped", "failed", "broken"):
        enter_composite(REQUEST, home.mosaics / f"{name}.tif", resume=False)
    (work_folder(home.mosaics / "stopped.tif") / CANCEL).touch()
    found = {"found": "the disk is full", "expected": "", "remedy": "free disk space"}
    write_json(work_folder(home.mosaics / "failed.tif") / FAILED, found)
    (work_folder(home.mosaics / "broken.tif") / "request.json").write_text("{")
    app = open_page("scan.py")
    assert not app.exception
    told = texts(app).replace("\\", "")  # Markdown's own signs are escaped
    assert "cancelled: can be resumed" in told
    assert "the disk is full. free disk space." in told
    assert "cannot be read" in told
    assert [found.label for found in app.button].count("Resume") == 2
    app.button(key="remove_stopped.tif").click().run()
    assert not work_folder(home.mosaics / "stopped.tif").exists()
