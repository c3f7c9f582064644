"""From a drawn area to candidates through each source: loopback servers stand for Earth Engine and for a catalogue."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from minedisc_core.bench.mosaic_scenes import COLLECTION
from minedisc_core.detection.models import list_models
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.demo.files import write_demo
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.imagery.stac.catalogues import EARTH_SEARCH
from minedisc_core.settings import Settings, load_settings
from tests.e2e.accessibility import findings
from tests.e2e.conftest import free_port, picture, serving, settle
from tests.e2e.steps import choose, draw_rectangle
from tests.earth_engine_server import EarthEngineServer, Fault, serve_mosaic_file
from tests.pages.fabricated import save_bright_model
from tests.stac_server import StacServer, serve_stac

SIZE_PX, SEED = 1024, 3


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home without a mosaic: only models."""
    settings = load_settings({}, tmp_path_factory.mktemp("home"))
    if not list_models(settings):  # a checkout without the shipped models
        area = write_demo(tmp_path_factory.mktemp("other") / "demo", SIZE_PX, SEED)
        save_bright_model(settings.models / "bright", area.mosaic)
    return settings


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mosaic whose pixels Earth Engine's stand-in answers."""
    return write_demo(tmp_path_factory.mktemp("ground") / "demo", SIZE_PX, SEED).mosaic


@pytest.fixture(scope="module")
def earth_engine(ground: Path) -> Iterator[EarthEngineServer]:
    with serve_mosaic_file(ground, delay_s=0.3) as server:
        yield server


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StacServer]:
    """A STAC API whose scenes are of last year, which the page asks for by default."""
    year = str(date.today().year - 1)

    def of_last_year(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for item in items:
            item["properties"]["datetime"] = year + item["properties"]["datetime"][4:]
            item["properties"]["eo:cloud_cover"] = 8.0
        return items

    with serve_stac(tmp_path_factory.mktemp("stac"), change=of_last_year, size_px=1026, count=4, seed=SEED) as server:
        yield server


@pytest.fixture(scope="module")
def app(empty_home: Settings, earth_engine: EarthEngineServer) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINEDISC_EE_URL", earth_engine.url)
        with serving(empty_home, free_port()) as address:
            yield address


def middle_of(grid: RasterGrid) -> str:
    """The middle of a grid as a person types it."""
    place = grid.footprint.centroid
    return f"{place.y:.5f}, {place.x:.5f}"


def go_to(page: Page, place: str) -> None:
    field = page.get_by_role("textbox", name="Go to a place")
    field.fill(place)
    field.press("Enter")
    settle(page)


def draw_area(page: Page, home: Settings) -> None:
    """Draw, and wait until the app has got the drawing: a map reports a moment later."""
    saved = home.home / "areas" / "download.json"
    before = saved.stat().st_mtime_ns if saved.is_file() else 0
    draw_rectangle(page, 0.25, over_pixels=False)
    until = time.monotonic() + 30
    while not saved.is_file() or saved.stat().st_mtime_ns == before:
        assert time.monotonic() < until, "the drawing did not arrive"
        page.wait_for_timeout(100)
    settle(page)


def test_a_drawn_area_becomes_a_mosaic_of_earth_engine_and_then_candidates(
    page: Page, app: str, empty_home: Settings, ground: Path, earth_engine: EarthEngineServer
) -> None:
    page.goto(app)
    settle(page)
    expect(page.get_by_role("combobox", name="Mosaic")).to_have_value("New: from Earth Engine or an open catalogue …")
    page.get_by_role("radio", name="Earth Engine (account needed)").click()
    settle(page)
    picture(page, "download_empty")
    assert findings(page) == []
    with open_mosaic([ground]) as mosaic:
        go_to(page, middle_of(mosaic.grid))
    draw_area(page, empty_home)
    page.get_by_role("button", name="Look for scenes").click()
    expect(page.get_by_text("3 scenes")).to_be_visible()
    picture(page, "download_found")
    before = mosaics_to_scan(page)
    earth_engine.delay_s = 30
    page.get_by_role("button", name="Make the mosaic").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Resume").wait_for()
    earth_engine.delay_s = 0.3
    picture(page, "download_stopped")
    page.get_by_role("button", name="Resume").click()
    scan_it(page, "demo-l1c", "ee", before + 1)


def mosaics_to_scan(page: Page) -> int:
    """How many whole mosaics the page offers to scan."""
    settle(page)
    return page.get_by_role("button", name="Scan it").count()


def scan_it(page: Page, model: str, name: str, mosaics: int) -> None:
    """Scan the newest of the mosaics, once it is there, with the model that fits it, until its candidates are there."""
    expect(page.get_by_role("button", name="Scan it")).to_have_count(mosaics, timeout=90_000)
    picture(page, f"download_done_{name}")
    page.get_by_role("button", name="Scan it").first.click()
    expect(page.get_by_text(re.compile("to scan, in"))).to_be_visible()
    settle(page)
    if list_models(load_settings({}))[0].name.startswith("demo"):  # not in a checkout without the shipped models
        expect(page.get_by_role("combobox", name="Model")).to_have_value(model)
    before = page.get_by_role("button", name="Review").count()
    page.get_by_role("button", name="Start the scan").click()
    expect(page.get_by_role("button", name="Review")).to_have_count(before + 1, timeout=120_000)
    expect(page.get_by_text(re.compile(r"[1-9]\d* \([1-9]\d* undecided"))).to_have_count(before + 1)
    picture(page, f"download_scanned_{name}")


def test_a_drawn_area_becomes_a_mosaic_of_a_catalogue_without_an_account_and_then_candidates(
    page: Page, app: str, empty_home: Settings, catalogue: StacServer
) -> None:
    page.goto(app)
    settle(page)
    choose(page, "Mosaic", "New: from Earth Engine or an open catalogue …")
    go_to(page, middle_of(catalogue.made.grid))
    draw_area(page, empty_home)
    choose(page, "Catalogue", "Other …")
    for label, text in {
        "Address of the STAC API": catalogue.url,
        "Collection": COLLECTION,
        "Asset of each band": json.dumps(dict(EARTH_SEARCH.assets)),
    }.items():
        page.get_by_role("textbox", name=label).fill(text)
        page.get_by_role("textbox", name=label).blur()
        settle(page)
    page.get_by_role("button", name="Look for scenes").click()
    expect(page.get_by_text("4 scenes")).to_be_visible()
    picture(page, "download_found_stac")
    assert findings(page) == []
    before = mosaics_to_scan(page)
    page.get_by_role("button", name="Make the mosaic").click()
    scan_it(page, "demo-l2a", "stac", before + 1)


def test_what_earth_engine_refuses_is_told_in_words_and_nothing_starts(
    page: Page, app: str, empty_home: Settings, earth_engine: EarthEngineServer, catalogue: StacServer
) -> None:
    page.goto(app)
    settle(page)
    choose(page, "Mosaic", "New: from Earth Engine or an open catalogue …")
    page.get_by_role("radio", name="Earth Engine (account needed)").click()
    settle(page)
    go_to(page, middle_of(catalogue.made.grid))
    draw_area(page, empty_home)
    earth_engine.faults.append(Fault(403, "Caller does not have required permission to use project loopback."))
    page.get_by_role("button", name="Look for scenes").click()
    expect(page.get_by_test_id("stAlert").filter(has_text="project")).to_be_visible()
    picture(page, "download_refused")
    expect(page.get_by_role("button", name="Make the mosaic")).to_have_count(0)
    earth_engine.faults.clear()
    choose(page, "Recipe", "As in the paper: QA60 cloud mask")
    page.get_by_role("button", name="Look for scenes").click()
    expect(page.get_by_text("3 scenes")).to_be_visible()
    choose(page, "Recipe", "Cloud Score+ (default)")
    changed = page.get_by_text("The area or the choices have changed since you looked: look again.")
    expect(changed).to_be_visible()
    changed.scroll_into_view_if_needed()
    picture(page, "download_changed")
    expect(page.get_by_role("button", name="Make the mosaic")).to_have_count(0)
    page.get_by_role("button", name="Look for scenes").click()
    expect(page.get_by_text("3 scenes")).to_be_visible()
    expect(changed).to_have_count(0)
