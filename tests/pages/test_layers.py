"""What is drawn on the map: names out of files and registers stay text."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.domain import Impact, Status
from minedisc_core.settings import Settings
from pages import facts, layers, shared, words


@given(st.text(max_size=80))
def test_harmless_text_reads_the_same_and_holds_nothing_active(text: str) -> None:
    made = layers.harmless(text)
    assert not set(made) & set("<>\"'`\\{}$")
    assert html.unescape(made) == html.unescape(html.escape(text))


def test_a_register_name_cannot_bring_a_script_onto_the_map() -> None:
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [-44.0, -20.0]},
        "properties": {"label": "<img src=x onerror=alert(1)> `${1}`"},
    }
    group = layers.layer_group("Dams", [feature], "#000000")
    collection = next(iter(group._children.values()))
    assert collection.data["features"][0]["properties"]["label"].startswith("&lt;img")


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("impact", list(Impact))
def test_every_site_has_the_colour_of_its_class(impact: Impact, status: Status) -> None:
    assert layers.site_style(impact, status)["color"] == words.IMPACT_COLOUR[impact]


def test_a_rejected_site_is_dashed_and_empty_and_a_confirmed_one_is_full() -> None:
    rejected, confirmed = (layers.site_style(Impact.HIGH, s) for s in (Status.REJECTED, Status.CONFIRMED))
    assert rejected["dashArray"]
    assert rejected["fillOpacity"] == 0
    assert confirmed["fillOpacity"] > layers.site_style(Impact.HIGH, Status.UNDECIDED)["fillOpacity"]


def test_the_panel_is_told_what_a_candidate_is(home: Settings) -> None:
    shared.house().take_in_finished()
    candidate = shared.store().candidates(limit=1)[0]
    item = facts.item(candidate, 7)
    assert (item["index"], item["id"], item["title"]) == (7, candidate.candidate_id, "Site 1")
    assert [chip["label"] for chip in item["chips"]] == ["True colour", "SWIR false colour", "NDVI", "Near infrared"]
    assert item["chip_width_m"] == pytest.approx(2010, rel=0.01)
    told = {fact["label"]: f"{fact['value']} {fact['note']}" for fact in item["facts"]}
    assert "0.990 cut-off 0.6" in told["Score"]
    assert "high 80 % · low 15 % · no ore 5 %" in told["Impact class"]
    assert told["Registers"].startswith("Not checked Registers that would be needed are missing here. Missing:")
    assert "S, " in told["Place"]


def test_every_word_of_the_domain_has_a_label_and_each_reason_a_key_of_its_own() -> None:
    assert set(words.STATUS) == set(Status)
    assert set(words.IMPACT) == set(words.IMPACT_COLOUR) == set(Impact)
    assert len(set(words.REASON_KEYS.values())) == len(words.REASON) == 12


@pytest.mark.parametrize(
    ("given_value", "text"),
    [(0, "0 km²"), (0.123, "0.12 km²"), (41.04, "41.0 km²"), (419.4, "419 km²"), (67110, "67,110 km²")],
)
def test_areas_have_as_many_digits_as_they_need(given_value: float, text: str) -> None:
    assert words.km2(given_value) == text


def test_shares_are_never_rounded_to_nothing_or_all() -> None:
    assert [words.percent(x) for x in (0, 0.001, 0.5, 0.999, 1)] == ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]
