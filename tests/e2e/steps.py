"""What a person does on the pages, step by step."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.e2e.conftest import picture, settle

MAP = "iframe[title^='streamlit_folium']:not([width='-1'])"
"""A map that has got its size: one that has just moved on the page is there twice for a moment."""
PANEL = ".md-panel[data-candidate]"


def draw_rectangle(page: Page, share: float, *, over_pixels: bool = True) -> None:
    """Draw with the mouse, over that share of the map's height, around its middle."""
    expect(page.locator(MAP)).to_have_count(1)
    frame = page.frame_locator(MAP)
    if over_pixels:
        frame.locator(".leaflet-tile-loaded").first.wait_for()
    frame.locator("a.leaflet-draw-draw-rectangle").click()
    box = page.locator(MAP).bounding_box()
    assert box is not None
    x, y, half = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["height"] * share / 2
    page.mouse.move(x - half, y - half)
    page.mouse.down()
    page.mouse.move(x + half, y + half, steps=6)
    page.mouse.up()


def choose(page: Page, label: str, option: str) -> None:
    """Choose in a list; a list that closes because its surroundings still move is opened again."""
    wanted = page.get_by_role("option", name=option)
    for _ in range(10):
        page.get_by_role("combobox", name=label).click()
        try:
            wanted.wait_for(timeout=3_000)
        except PlaywrightTimeout:
            continue
        break
    wanted.click()
    settle(page)


def candidate(page: Page) -> str:
    """Id of the candidate on the panel."""
    return page.locator(PANEL).get_attribute("data-candidate") or ""


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def all_saved(page: Page) -> None:
    """Wait until the server has acknowledged every verdict."""
    expect(page.locator(".md-panel")).to_have_attribute("data-unsaved", "0")


def open_queue(page: Page, app: str, run: str, **view: str) -> None:
    """Open the review page on a run's undecided candidates, by falling score; `view` adds to the address."""
    asked = {"run": run, "order": "score", "status": "undecided", **view}
    page.goto(f"{app}/review?" + "&".join(f"{name}={value}" for name, value in asked.items()))
    page.locator(PANEL).wait_for()
    settle(page)


def say_name(page: Page, name: str) -> None:
    """Type who decides."""
    field = page.get_by_label("Your name")
    field.fill(name)
    field.press("Enter")
    page.wait_for_function("name => window.__minediscOutbox.analyst === name", arg=name)
    field.blur()


def map_point(page: Page, right: float, down: float) -> tuple[float, float]:
    """A place on the screen: that many pixels right of and below the map's middle."""
    box = page.locator(MAP).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2 + right, box["y"] + box["height"] / 2 + down


def downloads(page: Page) -> dict[str, str]:
    """The CSV and the KML of all candidates, by the buttons of the page."""
    page.get_by_role("link", name="Exports").click()
    settle(page)
    expect(page.get_by_text("Candidates in the file")).to_be_visible()
    picture(page, "exports")
    page.get_by_text("Every candidate, whatever").click()
    settle(page)
    found = {}
    for label in ("CSV", "KML"):
        found[label] = _downloaded(page, label)
    return found


def _downloaded(page: Page, label: str) -> str:
    """The text of a file; who gets none after ten seconds clicks once more."""
    button = page.get_by_role("button", name=re.compile(rf"{label}$"))
    settle(page)
    try:
        with page.expect_download(timeout=10_000) as waiting:
            button.click()
    except PlaywrightTimeout:  # the page was drawn anew under the click
        settle(page)
        with page.expect_download() as waiting:
            button.click()
    return Path(waiting.value.path()).read_text("utf-8-sig")
