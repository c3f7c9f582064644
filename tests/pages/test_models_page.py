"""The page of models: what the cards say, adding from a file and a card, refusals in words, a second model's score."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from minedisc_core.detection.models import load_model
from minedisc_core.domain import SecondScore
from minedisc_core.settings import Settings
from pages import fact_lines, filters, shared
from tests.keras_files import CONV, DENSE, FLAT, card, layer, net, write_h5
from tests.pages.conftest import Opener
from tests.unit.test_patch_models import put


def shown(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in [*app.markdown, *app.caption, *app.error, *app.warning])


def test_models_are_listed_with_what_their_cards_say(empty_home: Settings, open_page: Opener) -> None:
    put(empty_home, "plain", description="Finds *plain* things")
    put(empty_home, "broken")
    (empty_home.models / "broken" / "model.h5").unlink()
    app = open_page("models.py")
    assert not app.exception
    rows = app.dataframe[0].value.to_dict("records")
    assert [(row["Model"], row["Kind"], row["Cell"], row["Licence"]) for row in rows] == [
        ("demo-l1c", "Demonstration", "27 px", ""),
        ("demo-l2a", "Demonstration", "27 px", ""),
        ("plain", "Patches, by other people", "4 px", "CC0"),
    ]
    told = shown(app)
    assert "**Patch:** 8 px, one every 4 px" in told
    assert "**Source:** made by a test" in told
    assert "Finds \\*plain\\* things" in told
    assert load_model("plain", empty_home).discovery.sha256 in told  # type: ignore[attr-defined]  # a patch card
    assert "broken cannot be used" in told


def give(app: AppTest, file: Path, written: Path | None, name: str = "") -> AppTest:
    if written is not None:
        app.selectbox(key="models_card_choice").set_value("").run()
        app.file_uploader(key="models_card").upload("card.json", written.read_bytes(), "application/json")
    app.file_uploader(key="models_file").upload(file.name, file.read_bytes(), "application/octet-stream").run()
    if name:
        app.text_input(key="models_name").set_value(name).run()
    return app.button(key="models_add").click().run()


def test_a_hostile_file_is_refused_in_words_and_leaves_nothing(
    empty_home: Settings, open_page: Opener, tmp_path: Path
) -> None:
    file = write_h5(tmp_path / "evil.h5", net(CONV, layer("Lambda", "x"), FLAT, DENSE))
    written = tmp_path / "card.json"
    written.write_text(json.dumps(card()))
    app = open_page("models.py")
    assert app.button(key="models_add").disabled
    app = give(app, file, written)
    assert not app.exception
    assert "it holds a layer of the kind 'Lambda'" in app.error[0].value.replace("\\", "")
    assert list(empty_home.models.iterdir()) == []


def test_a_ready_made_card_takes_only_its_own_file(empty_home: Settings, open_page: Opener, tmp_path: Path) -> None:
    app = give(open_page("models.py"), write_h5(tmp_path / "net.h5"), None)
    assert "the file is not 48px_v4.21" in app.error[0].value.replace("\\", "")
    assert list(empty_home.models.iterdir()) == []


@pytest.mark.tensorflow
def test_a_plain_model_is_added_and_can_be_chosen(empty_home: Settings, open_page: Opener, tmp_path: Path) -> None:
    written = tmp_path / "card.json"
    written.write_text(json.dumps(card()))
    app = give(open_page("models.py"), write_h5(tmp_path / "net.h5"), written, name="mine")
    assert not app.exception
    assert not app.error
    assert "mine" in [row["Model"] for row in app.dataframe[0].value.to_dict("records")]
    assert load_model("mine", empty_home).geometry.stride_px == 4


def test_the_panel_tells_which_model_found_it_and_what_the_second_says(taken_in: Settings) -> None:
    found = shared.store().candidates()[0]
    second = SecondScore(0.2, "20260101-000000-bbbb", "other-model", 0.5, 1.4)
    lines = {
        label: (value, note) for label, value, note in fact_lines.all_of(dataclasses.replace(found, second=second))
    }
    assert lines["Found by"] == (found.model, "the model of this run")
    assert lines["Second model"] == (
        "0.200",
        "other-model; not above its cut-off 0.5: the models disagree",
    )
    agreed = dataclasses.replace(found, second=dataclasses.replace(second, score=0.9))
    assert "also above" in {label: note for label, _, note in fact_lines.all_of(agreed)}["Second model"]
    assert "Second model" not in {label for label, _, _ in fact_lines.all_of(found)}


def test_cells_are_told_in_their_own_size(taken_in: Settings) -> None:
    found = shared.store().candidates()[0]
    patches = dataclasses.replace(found.site, cells=3, area_cells_ha=3 * 5.76)
    notes = {label: note for label, _, note in fact_lines.all_of(dataclasses.replace(found, site=patches))}
    assert notes["Area of the cells"] == "3 cells of 240 m; not the mine's own area"
    assert np.isclose(found.site.area_cells_ha / found.site.cells, 7.29, rtol=0.01)


def test_the_order_by_disagreement_can_be_chosen(taken_in: Settings, open_page: Opener) -> None:
    assert filters.ORDERS["disagreement"] == "Models disagree"
    app = open_page("review.py")
    app.selectbox(key="review_order").set_value("disagreement").run()
    assert not app.exception
    assert not app.error
