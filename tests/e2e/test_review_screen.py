"""The review screen as two analysts use it: keys, reasons, undo, grid, point, footprint, leases, export; Portuguese.

The scan is real. Its few candidates are not enough for the rest, so the review itself walks LONG_RUN, a
finished run whose sites are made up on the same mosaic.
"""

from __future__ import annotations

import csv
import io
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from minedisc_core.settings import Settings
from pages.routes import EMPTY_TILE
from tests.e2e.conftest import LONG_RUN, command_line, is_elsewhere, picture, settle
from tests.e2e.steps import (
    MAP,
    PANEL,
    all_saved,
    candidate,
    downloads,
    draw_rectangle,
    map_point,
    open_queue,
    press,
    say_name,
)

ROUND = (("a",), ("x", "1"), ("u",), ("x", "4"), ("x", "x"))
"""Keys of five verdicts; `x x` is the reason of last time."""
STORED = (
    ("confirmed", None),
    ("rejected", "irrigation_dam"),
    ("unsure", None),
    ("rejected", "bare_field"),
    ("rejected", "bare_field"),
)
THIRTY = ROUND * 6


def stored(home: Settings) -> dict[str, tuple[str, str | None]]:
    """Status and reason of each candidate of LONG_RUN by falling score, as the command line tells them."""
    found = command_line(home, "candidates", "--run", LONG_RUN)
    return {c["candidate_id"]: (c["status"], c["reason"]) for c in found}


def decide(page: Page, keys: tuple[str, ...]) -> str:
    """Press the keys of one verdict and wait for the next candidate; the candidate that was decided."""
    shown = candidate(page)
    press(page, *keys)
    expect(page.locator(PANEL)).not_to_have_attribute("data-candidate", shown)
    return shown


def test_two_analysts_draw_scan_review_by_keys_and_export(
    page: Page, second_page: Page, app: str, home: Settings
) -> None:
    scan_a_drawn_area(page, app)
    order = list(stored(home))
    open_queue(page, app, LONG_RUN)
    say_name(page, "Ana")
    decide_thirty(page, order)
    assert list(stored(home).values())[:30] == list(STORED) * 6
    reject_three_in_the_grid(page)
    assert [stored(home)[name] for name in order[30:33]] == [("rejected", "road_airstrip")] * 3
    drawn = confirm_with_point_footprint_and_note(page)
    assert drawn == order[33]
    a_second_analyst_joins(second_page, app, page, order)
    change_a_verdict_of_the_first(second_page, app, order[0])
    assert stored(home)[order[0]] == ("rejected", "natural_lake")
    the_export_holds_what_was_drawn(page, drawn, order[1])


def scan_a_drawn_area(page: Page, app: str) -> None:
    """Draw an area, scan it, and open its review."""
    page.goto(app)
    settle(page)
    draw_rectangle(page, 0.3)
    expect(page.get_by_text("to scan, in")).to_be_visible()
    page.get_by_role("button", name="Start the scan").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden(timeout=120_000)
    settle(page)
    page.get_by_role("button", name="Review").first.click()
    page.locator(".md-panel").wait_for()


def decide_thirty(page: Page, order: list[str]) -> None:
    """Thirty verdicts by keys; two of them are taken back and given again."""
    decided = [decide(page, keys) for keys in THIRTY[:12]]
    press(page, "z", "z")
    expect(page.locator(PANEL)).to_have_attribute("data-candidate", order[10])
    decided[10:] = [decide(page, keys) for keys in THIRTY[10:]]
    all_saved(page)
    assert decided == order[:30]


def reject_three_in_the_grid(page: Page) -> None:
    """Three look-alikes with one reason; one undo takes all back; then again."""
    press(page, "g")
    grid = page.locator("dialog.md-grid")
    grid.locator("[data-candidate] img").nth(23).wait_for()
    choose = (" ", "ArrowRight", " ", "ArrowRight", " ")
    press(page, *choose)
    expect(grid.locator("[aria-selected=true]")).to_have_count(3)
    picture(page, "grid")
    press(page, "x", "6")
    expect(grid.locator(".md-grid-decided")).to_have_count(3)
    press(page, "z")
    expect(grid.locator(".md-grid-decided")).to_have_count(0)
    press(page, "Home", *choose, "x", "6")
    expect(grid.locator(".md-grid-decided")).to_have_count(3)
    press(page, "Escape")
    all_saved(page)


def confirm_with_point_footprint_and_note(page: Page) -> str:
    """Move the point, draw a footprint, write a note, then confirm; the candidate."""
    press(page, "j")
    shown = candidate(page)
    drawn = page.locator(".md-drawn")
    page.frame_locator(MAP).locator(".leaflet-tile-loaded").first.wait_for()
    press(page, "m")
    page.frame_locator(MAP).locator(".md-aiming").wait_for()
    page.mouse.click(*map_point(page, 18, 12))
    expect(drawn).to_contain_text("Point moved")
    press(page, "f")
    for corner in ((-60, -50), (55, -60), (70, 45), (-50, 60)):
        page.mouse.click(*map_point(page, *corner))
        page.wait_for_timeout(300)  # two clicks within 0.2 s are a double click to the drawing
    press(page, "Enter")
    expect(drawn).to_contain_text("Drawn:")
    expect(drawn).to_contain_text(" ha (")
    picture(page, "footprint")
    press(page, "Enter", "e")
    page.keyboard.type("pit and dam, axuz")
    press(page, "Escape")
    assert candidate(page) == shown
    decide(page, ("a",))
    all_saved(page)
    press(page, "p")
    expect(page.locator(PANEL)).to_have_attribute("data-candidate", shown)
    expect(page.locator(".md-history")).to_contain_text("Ana")
    picture(page, "review")
    return shown


def a_second_analyst_joins(second: Page, app: str, first: Page, order: list[str]) -> None:
    """What one looks at is not offered to the other, who sees the name beside it."""
    with first.expect_response("**/review/looking"):
        press(first, "n")
    expect(first.locator(PANEL)).to_have_attribute("data-candidate", order[34])
    open_queue(second, app, LONG_RUN)
    say_name(second, "Bruno")
    expect(second.locator(PANEL)).to_have_attribute("data-candidate", order[35])
    assert decide(second, ("u",)) == order[35]
    all_saved(second)
    expect(second.locator(".md-counts")).to_contain_text(" 1 an hour")
    open_queue(second, app, LONG_RUN, candidate=order[34])
    expect(second.locator(".md-held")).to_have_text("Ana is looking at this one")


def change_a_verdict_of_the_first(second: Page, app: str, confirmed: str) -> None:
    """The second's verdict is a new event: the history shows both."""
    open_queue(second, app, LONG_RUN, status="all", candidate=confirmed)
    expect(second.locator(PANEL)).to_have_attribute("data-candidate", confirmed)
    press(second, "x", "3")
    all_saved(second)
    open_queue(second, app, LONG_RUN, status="all", candidate=confirmed)
    history = second.locator(".md-history")
    expect(history).to_contain_text("Ana")
    expect(history).to_contain_text("Bruno")


def the_export_holds_what_was_drawn(page: Page, drawn: str, rejected: str) -> None:
    """The CSV and the KML of all candidates."""
    exported = downloads(page)
    rows = {row["candidate_id"]: row for row in csv.DictReader(io.StringIO(exported["CSV"]))}
    row = rows[drawn]
    assert (row["status"], row["verdict_by"], row["notes"]) == ("confirmed", "Ana", "pit and dam, axuz")
    assert (row["is_moved"].lower(), row["geometry_source"]) == ("true", "drawn")
    assert float(row["area_drawn_ha"]) > 1
    assert rows[rejected]["reason"] == "irrigation_dam"
    assert drawn in exported["KML"]


def test_a_base_map_comes_from_the_host_that_is_named_and_only_once_it_is_switched_on(
    browser: Browser, app: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(body=EMPTY_TILE, content_type="image/png")

    context.route(is_elsewhere, answer)
    page = context.new_page()
    open_queue(page, app, LONG_RUN)
    page.frame_locator(MAP).locator(".leaflet-tile-loaded").first.wait_for()
    assert asked == []
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("combobox", name="Base map from the internet").click()
    with page.expect_request("https://server.arcgisonline.com/**"):
        page.get_by_role("option", name="Esri World Imagery (server.arcgisonline.com)").click()
    settle(page)
    expect(page.locator(MAP)).to_have_count(1)  # while the page is drawn anew the former map stands beside the new one
    page.frame_locator(MAP).locator("img.leaflet-tile-loaded[src*='arcgisonline']").first.wait_for()
    picture(page, "base_map")
    context.close()
    assert {urlsplit(address).hostname for address in asked} == {"server.arcgisonline.com"}


NOTE_PRESSES = """() => {
  window.pressedOn = [];
  const note = () => window.pressedOn.push(document.querySelector(".md-panel").dataset.candidate);
  window.addEventListener("keydown", note, { capture: true });
}"""


def test_two_hundred_presses_at_40_ms_store_two_hundred_verdicts_each_on_the_candidate_shown(
    page: Page, app: str, home: Settings
) -> None:
    open_queue(page, app, LONG_RUN)
    page.evaluate(NOTE_PRESSES)
    before = stored(home)
    keys = (["a", "u", "3", "7"] * 50)[:200]
    for key in keys:
        page.keyboard.press(key, delay=0)
        page.wait_for_timeout(40)
    all_saved(page)
    wanted = {
        "a": ("confirmed", None),
        "u": ("unsure", None),
        "3": ("rejected", "natural_lake"),
        "7": ("rejected", "rock_outcrop"),
    }
    shown = page.evaluate("window.pressedOn")
    assert len(set(shown)) == 200
    after = stored(home)
    assert [after[name] for name in shown] == [wanted[key] for key in keys]
    assert {name: status for name, status in after.items() if name not in shown} == {
        name: status for name, status in before.items() if name not in shown
    }


def test_undo_after_a_reload_leads_back_step_by_step_and_the_pace_is_ones_own(
    page: Page, app: str, home: Settings
) -> None:
    open_queue(page, app, LONG_RUN)
    say_name(page, "Dora")
    decided = [decide(page, keys) for keys in (("a",), ("u",), ("x", "4"))]
    all_saved(page)
    open_queue(page, app, LONG_RUN)
    expect(page.locator(".md-counts")).to_contain_text(" 3 an hour")
    for name in reversed(decided):
        press(page, "z")
        expect(page.locator(PANEL)).to_have_attribute("data-candidate", name)
    all_saved(page)
    assert {stored(home)[name] for name in decided} == {("undecided", None)}


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "Iniciar a varredura"),
        ("review", "Candidato"),
        ("retrain", "Retreino"),
        ("registers", "SIGMINE"),
        ("exports", "Exportação"),
    ],
)
def test_every_page_speaks_portuguese(page: Page, app: str, path: str, sentence: str) -> None:
    page.goto(f"{app}/{path}?lang=pt")
    settle(page)
    expect(page.get_by_text(sentence).first).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
