"""What is drawn on the map: names out of files and registers stay text."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.domain import Change, Impact, PlaceChange, Status
from minedisc_core.imagery.chips import CHIP_KINDS
from minedisc_core.settings import Settings
from pages import fact_lines, facts, layers, map_texts, maps, review_panel, shared, texts, words
from pages.pictures import Picture


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


MOSAIC = Picture("run-1", "Demo <b>", (-44.5, -20.1, -44.3, -19.9), 14, ("true_colour", "swir"), "Copernicus", None)


def tile_layers(made: Any) -> list[Any]:
    """The tile layers of a map, from the lowest to the highest."""
    return [layer for layer in made._children.values() if type(layer).__name__ == "TileLayer"]


def test_a_mosaic_lies_above_another_hosts_map_and_both_are_shown(home: Settings) -> None:
    below, true_colour, swir = tile_layers(maps.base([MOSAIC], "Esri World Imagery"))
    assert (below.overlay, below.show) == (False, True)
    assert "server.arcgisonline.com" in below.layer_name
    assert [(layer.overlay, layer.show) for layer in (true_colour, swir)] == [(True, True), (True, False)]


def test_without_a_base_map_every_tile_comes_from_this_app(home: Settings) -> None:
    made = maps.base([MOSAIC])
    assert all(layer.tiles.startswith("/minedisc/tiles/run-1/") for layer in tile_layers(made))
    assert not any(host in made.get_root().render() for _, host, _, _ in maps.BASEMAPS.values())


def test_a_layer_tells_the_maps_script_its_mosaic_and_its_kind(home: Settings) -> None:
    told = [(layer.options["mosaic"], layer.options["kind"]) for layer in tile_layers(maps.base([MOSAIC]))]
    assert told == [("run-1", "true_colour"), ("run-1", "swir")]


def test_layers_of_several_mosaics_are_told_apart_and_their_names_are_harmless(home: Settings) -> None:
    made = tile_layers(maps.base([MOSAIC, MOSAIC]))
    assert made[0].layer_name == "True colour: Demo &lt;b&gt;"
    assert made[1].layer_name == "SWIR false colour: Demo &lt;b&gt;"


def test_the_scripts_of_map_and_grid_use_all_their_texts_and_no_others() -> None:
    scripts = "".join((review_panel.HERE / f"{name}.js").read_text("utf-8") for name in review_panel.SCRIPTS)
    used = set(re.findall(r"(?:\btexts\.|put\(\"|\? \"|: \")((?:map|grid)_[a-z_]+)", scripts))
    assert used == set(map_texts.texts())


def test_the_panels_scripts_colour_a_class_as_the_maps_layers_do() -> None:
    script = (review_panel.HERE / "map_view.js").read_text("utf-8")
    told = re.search(r"IMPACT_COLOURS = \{(.*?)\}", script)
    assert told
    assert dict(re.findall(r'(\w+): "(#\w+)"', told[1])) == {
        str(i): colour for i, colour in words.IMPACT_COLOUR.items()
    }


def test_the_grid_confirms_nothing() -> None:
    script = (review_panel.HERE / "grid.js").read_text("utf-8")
    assert set(re.findall(r"decide\(\"(\w+)\"", script)) == {"rejected", "unsure"}


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
    assert [chip["kind"] for chip in item["chips"]] == list(CHIP_KINDS)
    assert {"True colour", "SWIR false colour", "NDVI", "Near infrared"} <= {chip["label"] for chip in item["chips"]}
    assert item["chip_width_m"] == pytest.approx(2010, rel=0.01)
    told = {fact["label"]: f"{fact['value']} {fact['note']}" for fact in item["facts"]}
    assert "0.990 cut-off 0.6" in told["Score"]
    assert "high 80 % · low 15 % · no ore 5 %" in told["Impact class"]
    assert told["Registers"].startswith("Not checked Registers that would be needed are missing here. Missing:")
    assert [notation["label"] for notation in item["coordinates"]] == ["Decimal", "DMS", "ANM"]


CHANGES = {
    Change.NEW: (None, 40.0, "New", "the scan of 2018-01-01 to 2020-01-01 saw the place and found nothing"),
    Change.GROWN: (12.0, 40.0, "Grown · 12 ha before, 40 ha after",
                   "cells; against 2018-01-01 to 2020-01-01, same model"),
    Change.UNCHANGED: (12.0, 12.0, "Unchanged · 12 ha before, 12 ha after",
                       "cells; against 2018-01-01 to 2020-01-01, same model"),
    Change.GONE: (12.0, None, "Gone", "the scan of 2018-01-01 to 2020-01-01 saw the place and found nothing"),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(Change))
def test_the_panel_tells_the_change_since_another_date_in_both_languages(home: Settings, kind: Change) -> None:
    shared.house().take_in_finished()
    candidate = shared.store().candidates(limit=1)[0]
    assert "Change" not in {label for label, _, _ in fact_lines.all_of(candidate)}
    earlier, later, value, note = CHANGES[kind]
    change = PlaceChange(kind, "other", date(2018, 1, 1), date(2020, 1, 1), earlier, later)
    changed = replace(candidate, change=change)
    assert ("Change", value, note) in fact_lines.all_of(changed)
    with texts.in_language("pt"):
        [(_, told, source)] = [fact for fact in fact_lines.all_of(changed) if fact[0] == "Mudança"]
    assert "01/01/2018" in source
    assert told.startswith(("Novo", "Maior · 12 ha antes", "Sem mudança · 12 ha antes", "Não mais encontrado"))


def test_every_word_of_the_domain_has_a_label_and_each_reason_a_key_of_its_own() -> None:
    assert set(words.STATUS) == set(Status)
    assert set(words.CHANGE) == set(Change)
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
