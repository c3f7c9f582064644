"""From a drawn area to candidates through each source: loopback servers stand for Earth Engine and for a catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from minedisc_core.detection.models import list_models
from minedisc_core.imagery.demo.files import write_demo
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.settings import Settings, load_settings
from tests.e2e.conftest import free_port, picture, serving, settle
from tests.e2e.steps import draw_rectangle
from tests.earth_engine_server import EarthEngineServer, Fault, serve_mosaic_file
from tests.pages.fabricated import save_bright_model

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
def app(empty_home: Settings, earth_engine: EarthEngineServer) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINEDISC_EE_URL", earth_engine.url)
        with serving(empty_home, free_port()) as address:
            yield address


def middle_of(mosaic: Path) -> str:
    """The middle of a mosaic as a person types it."""
    with open_mosaic([mosaic]) as opened:
        place = opened.grid.footprint.centroid
    return f"{place.y:.5f}, {place.x:.5f}"


def go_to(page: Page, place: str) -> None:
    field = page.get_by_role("textbox", name="Go to a place")
    field.fill(place)
    field.press("Enter")
    settle(page)


def test_a_drawn_area_becomes_a_mosaic_of_earth_engine_and_then_candidates(
    page: Page, app: str, ground: Path, earth_engine: EarthEngineServer
) -> None:
    page.goto(app)
    settle(page)
    expect(page.get_by_role("combobox", name="Mosaic")).to_have_value("New: from Earth Engine or an open catalogue …")
    page.get_by_role("radio", name="Earth Engine (account needed)").click()
    settle(page)
    picture(page, "download_empty")
    go_to(page, middle_of(ground))
    draw_rectangle(page, 0.25, over_pixels=False)
    page.get_by_role("button", name="Look for scenes").click()
    expect(page.get_by_text("3 scenes")).to_be_visible()
    picture(page, "download_found")
    page.get_by_role("button", name="Make the mosaic").click()
    expect(page.get_by_role("button", name="Scan it")).to_be_visible(timeout=60_000)
    picture(page, "download_done")
    page.get_by_role("button", name="Scan it").click()
    settle(page)
    expect(page.get_by_text(re.compile("to scan, in"))).to_be_visible()
    picture(page, "download_scan")
    page.get_by_role("button", name="Start the scan").click()
    expect(page.get_by_role("button", name="Review")).to_be_visible(timeout=120_000)
    picture(page, "download_scanned")


def test_a_refusal_of_earth_engine_is_told_in_words(page: Page, app: str, earth_engine: EarthEngineServer, ground: Path) -> None:
    page.goto(app)
    settle(page)
    assert Fault
