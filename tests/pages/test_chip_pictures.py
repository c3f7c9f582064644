"""The pictures of a candidate as the review panel is told of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from minedisc_core.domain import Candidate
from minedisc_core.imagery.chips import CHIP_KINDS, chip_name
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.jobs import ScanRequest
from minedisc_core.runs import CHIPS, REQUEST, read_json, read_summary, write_json, write_summary
from minedisc_core.settings import Settings
from pages import chip_pictures, shared
from tests.pages.fabricated import make_mosaic, make_run
from tests.pages.test_routes import RUN, ask, token


@pytest.fixture
def candidate(home: Settings) -> Candidate:
    say_dates(home.runs / RUN, home.demo / "mosaic.tif", date(2024, 6, 1), date(2024, 8, 31))
    shared.house().take_in_finished()
    return shared.store().candidates(limit=1)[0]


def served(address: str) -> Any:
    return ask(f"/{address.lstrip('/')}")


def test_a_candidate_has_six_kinds_the_colours_in_two_stretches(candidate: Candidate) -> None:
    chips = chip_pictures.chips(candidate)
    assert [chip["kind"] for chip in chips] == list(CHIP_KINDS)
    assert [chip["kind"] for chip in chips if chip["own"]] == ["true_colour", "swir", "near_infrared"]
    for address in [chip[key] for chip in chips for key in ("url", "own") if chip[key]]:
        assert served(address).body[8:12] == b"WEBP"


def test_an_index_says_its_scale(candidate: Candidate) -> None:
    legends = {chip["kind"]: chip["legend"] for chip in chip_pictures.chips(candidate)}
    assert legends["true_colour"] is None
    assert (legends["ndvi"]["low"], legends["ndvi"]["high"]) == ("-0.2", "0.8")
    assert legends["ndwi"]["colours"][-1] == "#052d82"
    assert legends["bare_soil"]["high_label"] == "bare ground"


def test_a_run_of_an_older_version_shows_what_it_has(home: Settings, candidate: Candidate) -> None:
    folder = home.runs / RUN / CHIPS
    site_id = candidate.site.site_id
    for kind in CHIP_KINDS:
        (folder / chip_name(site_id, kind, is_own=True)).unlink(missing_ok=True)
    for kind in ("ndwi", "bare_soil"):
        (folder / chip_name(site_id, kind)).unlink()
    chips = chip_pictures.chips(candidate)
    assert [chip["kind"] for chip in chips] == ["true_colour", "swir", "near_infrared", "ndvi"]
    assert {chip["own"] for chip in chips} == {None}


def test_a_candidate_whose_chips_are_gone_has_none(home: Settings, candidate: Candidate) -> None:
    for path in (home.runs / RUN / CHIPS).iterdir():
        path.unlink()
    assert chip_pictures.chips(candidate) == []


def say_dates(folder: Path, mosaic: Path, start: date, end: date) -> None:
    """Complete a made-up run: the whole request, the mosaic's identity, its dates."""
    with open_mosaic([mosaic]) as opened:
        identity = opened.identity
    asked = ScanRequest((str(mosaic),), "bright").to_json()
    write_json(folder / REQUEST, {**asked, **read_json(folder / REQUEST), "mosaic_identity": identity})
    write_summary(folder, replace(read_summary(folder), imagery_start=start, imagery_end=end))


LATER = "20270102-030405-abcd"


@pytest.fixture
def two_dates(home: Settings, candidate: Candidate) -> Candidate:
    """Another run of the same ground, with imagery of the next year, taken in too."""
    mosaic = make_mosaic(home.demo / "later.tif", dates=(date(2025, 6, 1), date(2025, 8, 31)))
    folder = make_run(home.runs, mosaic, LATER)
    say_dates(folder, mosaic, date(2025, 6, 1), date(2025, 8, 31))
    shared.house().take_in_finished()
    shared.SECOND_DATES.forget()
    return candidate


def test_a_candidate_of_an_older_run_shows_the_newer_date_when_first_asked(two_dates: Candidate) -> None:
    (pair,) = chip_pictures.pairs(two_dates)
    assert (pair["dates"], pair["source"]) == ("2025-06-01 to 2025-08-31", "Made for a test")
    assert pair["label"].startswith("later, ")
    assert [chip["kind"] for chip in pair["chips"]] == list(CHIP_KINDS)
    folder = shared.house().settings.runs / RUN / "pairs" / LATER
    assert not folder.exists()
    for address in [chip[key] for chip in pair["chips"] for key in ("url", "own") if chip[key]]:
        assert served(address).body[8:12] == b"WEBP"
    assert len(list(folder.iterdir())) == 9


def test_a_newer_runs_candidate_shows_the_older_date(two_dates: Candidate) -> None:
    newer = next(c for c in shared.store().candidates() if c.run_id == LATER)
    (pair,) = chip_pictures.pairs(newer)
    assert pair["dates"] == "2024-06-01 to 2024-08-31"


def test_without_another_date_there_is_no_pair(candidate: Candidate) -> None:
    assert chip_pictures.pairs(candidate) == []


def test_a_second_date_whose_mosaic_is_gone_is_no_pair_and_never_a_broken_picture(
    home: Settings, two_dates: Candidate
) -> None:
    address = chip_pictures.pairs(two_dates)[0]["chips"][0]["url"]
    (home.demo / "later.tif").unlink()
    assert chip_pictures.pairs(two_dates) == []
    said = served(address)
    assert (said.status, said.headers["content-type"]) == (200, "image/png")


def test_a_second_date_needs_the_runs_token(two_dates: Candidate) -> None:
    address = chip_pictures.pairs(two_dates)[0]["chips"][0]["url"].partition("?")[0]
    assert served(address).status == 403
    assert served(f"{address}?t={token('chips:other')}").status == 403


@pytest.mark.parametrize(
    "place",
    [
        f"{LATER}/../../result.json",
        "../x_swir.webp",
        f"{LATER}/outlines.json",
        f"..%2f{LATER}/x_swir.webp",
        "a b/c.webp",
    ],
)
def test_a_name_never_leads_out_of_the_folder_of_pairs(two_dates: Candidate, place: str) -> None:
    assert served(f"/minedisc/pairs/{RUN}/{place}?t={token(f'chips:{RUN}')}").status == 404


@pytest.mark.parametrize("place", ["nobody/x_swir.webp", f"{LATER}/x_swir.webp", f"{LATER}/{LATER}-0001_swir.webp"])
def test_a_picture_of_nobody_is_clear(home: Settings, two_dates: Candidate, place: str) -> None:
    said = served(f"/minedisc/pairs/{RUN}/{place}?t={token(f'chips:{RUN}')}")
    assert (said.status, said.headers["content-type"]) == (200, "image/png")
    assert not (home.runs / RUN / "pairs").exists()


def test_those_who_ask_at_once_all_get_the_picture(two_dates: Candidate) -> None:
    chips = chip_pictures.pairs(two_dates)[0]["chips"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(served, [chip["url"] for chip in chips] * 2))
    assert {answer.body[8:12] for answer in answers} == {b"WEBP"}
