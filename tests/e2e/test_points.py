"""A click on the map moves a point, is on disk before the page answers, and one press undoes it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from minedisc_core.settings import Settings
from tests.e2e.conftest import command_line, settle
from tests.e2e.steps import MAP


def decisions(home: Settings) -> list[str]:
    """What the command line tells, through the app that owns the database."""
    return [each["action"] for each in command_line(home, "samples", "corrections")]


def test_a_click_moves_the_point_and_undo_brings_it_back(page: Page, app: str, home: Settings) -> None:
    page.goto(f"{app}/points")
    settle(page)
    page.frame_locator(MAP).locator(".leaflet-tile-loaded").first.wait_for()
    box = page.locator(MAP).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2 - 30)
    expect(page.get_by_text("Moved to:")).to_be_visible()
    assert decisions(home) == ["moved"]
    page.reload()
    settle(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Nobody has decided about it yet.")).to_be_visible()
    settle(page)
    assert decisions(home) == []
