"""Every page passes axe-core: contrast, names, roles, order of headings and focus."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.accessibility import findings
from tests.e2e.conftest import FABRICATED_RUN, settle
from tests.e2e.steps import MAP, PANEL, open_queue, press

PATHS = ("", "retrain", "train", "models", "registers", "points", "exports")
LANGUAGES = ("en", "pt")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PATHS)
def test_a_page_passes_axe(page: Page, app: str, path: str, language: str) -> None:
    page.goto(f"{app}/{path}?lang={language}")
    settle(page)
    if not path:
        page.frame_locator(MAP).locator(".leaflet-tile-loaded").first.wait_for()
    assert findings(page) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_review_page_passes_axe_with_its_reasons_its_help_and_its_grid(page: Page, app: str, language: str) -> None:
    open_queue(page, app, FABRICATED_RUN, lang=language)
    page.frame_locator(MAP).locator(".leaflet-tile-loaded").first.wait_for()
    assert findings(page) == []
    for key, opened in (("x", ".md-reasons:not([hidden])"), ("h", "dialog[open]"), ("g", "dialog.md-grid[open]")):
        press(page, key)
        page.locator(opened).wait_for()
        assert findings(page) == []
        press(page, "Escape")
        expect(page.locator(opened)).to_have_count(0)
    page.locator(PANEL).wait_for()
