"""The main job in a browser: draw an area, scan it, decide by keys, export; and the command line beside it."""

from __future__ import annotations

import csv
import io
import json
import re

from playwright.sync_api import Page, expect

from minedisc_core.settings import Settings
from tests.e2e.conftest import FABRICATED_RUN, command_line, picture, settle, wants_pictures
from tests.e2e.steps import MAP, PANEL, all_saved, candidate, choose, downloads, draw_rectangle, open_queue, press


def test_an_area_drawn_by_mouse_is_scanned_reviewed_by_keys_and_exported(page: Page, app: str, home: Settings) -> None:
    page.goto(app)
    settle(page)
    expect(page.get_by_text("105 km²").first).to_be_visible()
    draw_rectangle(page, 0.5)
    expect(page.get_by_role("radio", name="Drawn")).to_be_checked()
    expect(page.get_by_text("to scan, in")).to_be_visible()
    picture(page, "scan")
    page.get_by_role("button", name="Start the scan").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(re.compile("of 70.1 km²"))).to_be_visible(timeout=60_000)
    picture(page, "scanning")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden(timeout=120_000)
    settle(page)
    page.get_by_text("Past runs").scroll_into_view_if_needed()
    picture(page, "past_runs")

    page.get_by_role("button", name="Review").first.click()
    page.locator(PANEL).wait_for()
    page.frame_locator(MAP).locator(".leaflet-tile-loaded").first.wait_for()
    first = candidate(page)
    press(page, "a")
    expect(page.locator(PANEL)).not_to_have_attribute("data-candidate", first)
    second = candidate(page)
    press(page, "x", "1")
    expect(page.locator(PANEL)).not_to_have_attribute("data-candidate", second)
    third = candidate(page)
    press(page, "u", "z")
    expect(page.locator(PANEL)).to_have_attribute("data-candidate", third)
    all_saved(page)
    if wants_pictures():
        press(page, "p", "p")
        expect(page.get_by_test_id("stToast")).to_have_count(0)
        picture(page, "review")

    found = {c["candidate_id"]: c for c in command_line(home, "candidates")}
    assert found[first]["status"] == "confirmed"
    assert (found[second]["status"], found[second]["reason"]) == ("rejected", "irrigation_dam")
    assert found[third]["status"] == "undecided"

    exported = downloads(page)
    assert first in [row["candidate_id"] for row in csv.DictReader(io.StringIO(exported["CSV"]))]
    assert first in exported["KML"]
    assert second in exported["KML"]


def test_twenty_rapid_key_presses_are_stored_on_the_right_candidates(page: Page, app: str, home: Settings) -> None:
    open_queue(page, app, FABRICATED_RUN)
    before = {c["candidate_id"]: c for c in command_line(home, "candidates")}
    order = [i for i, c in before.items() if c["run_id"] == FABRICATED_RUN and c["status"] == "undecided"]
    keys = ["a", "u", "3", "a", "7"] * 4
    for key in keys:
        page.keyboard.press(key)
    all_saved(page)
    after = {c["candidate_id"]: c for c in command_line(home, "candidates")}
    wanted = {
        "a": ("confirmed", None),
        "u": ("unsure", None),
        "3": ("rejected", "natural_lake"),
        "7": ("rejected", "rock_outcrop"),
    }
    stored = [(after[i]["status"], after[i]["reason"]) for i in order[:20]]
    assert stored == [wanted[key] for key in keys]
    press(page, *["z"] * 20)
    all_saved(page)
    again = {c["candidate_id"]: c for c in command_line(home, "candidates")}
    assert {again[i]["status"] for i in order} == {"undecided"}


def test_verdicts_wait_in_the_browser_while_the_server_cannot_be_reached_and_are_sent_again(
    page: Page, app: str, home: Settings
) -> None:
    open_queue(page, app, FABRICATED_RUN)
    page.route("**/review/verdicts", lambda route: route.abort())
    first = candidate(page)
    press(page, "u", "u")
    expect(page.locator(".md-unsaved")).to_have_text("2 not saved yet")
    page.reload()
    page.locator(PANEL).wait_for()
    expect(page.locator(".md-unsaved")).to_have_text("2 not saved yet")
    page.unroute("**/review/verdicts")
    all_saved(page)
    assert {c["candidate_id"]: c["status"] for c in command_line(home, "candidates")}[first] == "unsure"
    press(page, "z", "z")
    all_saved(page)


def test_keys_work_after_a_click_on_the_map_but_not_while_typing(page: Page, app: str) -> None:
    open_queue(page, app, FABRICATED_RUN)
    page.frame_locator(MAP).locator(".leaflet-tile-loaded").first.wait_for()
    first = candidate(page)
    page.frame_locator(MAP).locator(".leaflet-container[data-candidate]").click(position={"x": 60, "y": 520})
    press(page, "n")
    expect(page.locator(PANEL)).not_to_have_attribute("data-candidate", first)
    press(page, "p")
    expect(page.locator(PANEL)).to_have_attribute("data-candidate", first)
    name = page.get_by_label("Your name")
    name.click()
    page.keyboard.type("Ana axuz")
    expect(name).to_have_value("Ana axuz")
    expect(page.locator(PANEL)).to_have_attribute("data-candidate", first)


def test_a_site_clicked_on_the_map_comes_into_the_panel(page: Page, app: str) -> None:
    open_queue(page, app, FABRICATED_RUN)
    first = candidate(page)
    sites = page.frame_locator(MAP).locator(
        "path.leaflet-interactive[stroke='#ffb000'], path.leaflet-interactive[stroke='#ff3b30']"
    )
    sites.first.wait_for()
    page.frame_locator(MAP).locator("a.leaflet-control-zoom-out").click()
    sites.nth(3).dispatch_event("click")
    expect(page.locator(PANEL)).not_to_have_attribute("data-candidate", first)


def test_leaving_the_review_page_while_it_notes_the_current_candidate_blanks_nothing(page: Page, app: str) -> None:
    for wait_ms in (1_050, 1_150, 1_200, 1_250):  # the panel notes its candidate 1,200 ms after the last move
        page.goto(f"{app}/review")
        page.locator(f"{PANEL}[data-candidate]").wait_for()
        settle(page)
        press(page, "n")
        page.wait_for_timeout(wait_ms)
        page.get_by_role("link", name="Exports").click()
        expect(page.get_by_text("What people confirmed and the registers do not know")).to_be_visible()


def test_no_page_shows_a_traceback(page: Page, app: str) -> None:
    for path, sentence in (
        ("", "Area to scan"),
        ("review", "Candidate"),
        ("retrain", "Retrain"),
        ("train", "Samples"),
        ("registers", "SIGMINE"),
        ("exports", "Candidates in the file"),
    ):
        page.goto(f"{app}/{path}")
        settle(page)
        expect(page.get_by_text(sentence).first).to_be_visible()
        assert "Traceback" not in page.content()
        assert page.get_by_test_id("stException").count() == 0
        if path == "retrain":
            picture(page, path)


def test_an_area_comes_from_a_file_and_a_file_that_is_none_is_explained(page: Page, app: str, home: Settings) -> None:
    land = json.loads((home.demo / "protected_land.geojson").read_text())
    area, broken = home.home / "area.geojson", home.home / "area.kml"
    area.write_text(json.dumps(land))
    broken.write_text("<kml>")
    page.goto(app)
    settle(page)
    page.get_by_text("From a file").click()
    settle(page)
    page.locator("input[type=file]").set_input_files(broken)
    expect(page.get_by_test_id("stAlert")).to_contain_text("area.kml")
    page.locator("input[type=file]").set_input_files(area)
    cost = page.get_by_text("to scan, in")
    expect(cost).to_be_visible()
    expect(cost).not_to_contain_text("70.1 km²")
    page.reload()
    settle(page)
    expect(page.get_by_role("radio", name="From a file")).to_be_checked()
    page.get_by_text("Whole mosaic").click()
    expect(cost).to_contain_text("70.1 km²")


def test_a_register_is_loaded_by_hand_and_its_bad_rows_are_listed(page: Page, app: str, home: Settings) -> None:
    points = home.home / "known mines.csv"
    points.write_text("name;latitude;longitude\nMina <b>Um</b>;-20,0;-44,2\nNowhere;;\n")
    page.goto(f"{app}/registers")
    settle(page)
    page.get_by_text("Load a register").click()
    choose(page, "Kind", "Known mines: points")
    page.locator("input[type=file]").set_input_files(points)
    page.get_by_role("button", name="Load and match again").click()
    expect(page.get_by_text("1 row of known mines.csv left out")).to_be_visible()
    settle(page)
    picture(page, "registers")
    page.get_by_role("button", name="Retire").last.click()
    expect(page.get_by_text("known mines.csv is retired")).to_be_visible()
