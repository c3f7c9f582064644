"""Both languages: no text without an entry, no entry without its text, and the switch loses nothing."""

from __future__ import annotations

import ast
import json
import logging
import re
from pathlib import Path
from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest

from minedisc_core.domain import NearestDam, Reason, RegisterMatch, RegisterStatus, Status, TitleMatch
from minedisc_core.errors import ModelError
from minedisc_core.registers.sentences import describe
from minedisc_core.settings import PROJECT_ROOT, Settings
from pages import phrases, texts, words
from tests.pages import spoken
from tests.pages.conftest import Opener
from tests.pages.test_routes import ask, token

APP, CORE = phrases.catalogue()["app"], phrases.catalogue()["core"]
KEYS = {key: path.name for path in spoken.PAGES for key in spoken.keys(path)}
TEMPLATES = {text: path.name for path in [*spoken.CORE, *spoken.PAGES] for text in spoken.templates(path)}
SHOWING = {
    "button", "caption", "checkbox", "date_input", "download_button", "empty", "error", "expander", "file_uploader",
    "header", "heading", "info", "layer_group", "markdown", "metric", "multiselect", "number_input", "outline_group",
    "page_link", "pills", "popover", "progress", "radio", "say", "segmented_control", "selectbox", "slider", "spinner",
    "subheader", "success", "tabs", "text_area", "text_input", "title", "toast", "toggle", "warning", "write",
}  # fmt: skip
"""Calls whose first texts stand on the screen."""
SHOWN_ARGUMENTS = {"label", "body", "help", "placeholder", "title", "text", "name"}
SAME_IN_BOTH = re.compile(
    r"B2, B3, B4, B8|MG, PA|/data/mosaic\.tif|\w+\.py|\.?[a-z_]+|:[a-z_]+/[a-z_]+:|:small\[|#[0-9a-f]{6}|GeoPackage"
)
"""What needs no translation: examples of input, files, Markdown, codes."""
GLOSSARY = {
    "candidates?": "candidat", "verdicts?": "parecer|decisão", "registers?": "cadastr|nos cadastros", "sites?": "sítio",
    "cells?": "célula", "cut-off": "limiar", "footprint": "contorno", "tailings dams?": "barrage[mn]s? de rejeitos",
    "mining titles?": "títulos? minerários?", "scores?": "pontuaç", "mosaics?": "mosaico", "chips?": "recorte",
    "impact": "impacto", "confirmed": "confirma", "rejected": "rejeit", "unsure": "incert", "runs?": "execu",
    "protected lands?": "áreas? protegidas?", "nothing found": "nada encontrado", "models?": "modelo",
    "samples?": "amostra",
}  # fmt: skip
"""One word of the README's glossary is one word in Portuguese, on every page."""
COMMANDS = re.compile(r"Cloud Score\+|`[^`]*`|\w+: --\S+|minedisc mosaic.*")
PANEL = sorted((PROJECT_ROOT / "pages" / "panel").glob("*.js"))


@pytest.fixture
def portuguese() -> object:
    with texts.in_language("pt"):
        yield


def shown_literals(path: Path) -> list[str]:
    """Texts that a call shows as they stand in the code, with their line."""
    found = []
    for call in spoken.calls(path):
        if spoken.name_of(call) not in SHOWING or not isinstance(call.func, ast.Attribute) or _is_log(call.func):
            continue
        given = [*call.args, *(k.value for k in call.keywords if k.arg in SHOWN_ARGUMENTS)]
        for node in given:
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            said = [text for text in map(spoken.literal, parts) if text and spoken.LETTERS.search(text)]
            found += [
                f"{path.name}:{node.lineno} {text!r}" for text in said if not SAME_IN_BOTH.fullmatch(text.strip())
            ]
    return found


def _is_log(called: ast.Attribute) -> bool:
    return getattr(called.value, "id", "") == "LOG"


def test_every_text_of_the_pages_has_a_portuguese_one() -> None:
    assert [f"{where}: {key}" for key, where in KEYS.items() if key not in APP] == []


def test_every_sentence_of_the_core_has_a_portuguese_one() -> None:
    assert len(TEMPLATES) > 400
    assert [f"{where}: {text}" for text, where in TEMPLATES.items() if text not in CORE] == []
    assert [word for word in spoken.domain_words() if word not in CORE] == []


def test_no_entry_has_lost_its_text() -> None:
    assert [key for key in APP if key not in KEYS] == []
    assert [text for text in CORE if text not in {*TEMPLATES, *spoken.domain_words()}] == []


def test_both_languages_have_the_same_places_for_values() -> None:
    pairs = [*APP.items(), *CORE.items()]
    assert [a for a, b in pairs if sorted(phrases.PLACE.findall(a)) != sorted(phrases.PLACE.findall(b))] == []
    assert [a for a, b in pairs if not b.strip()] == []


def test_texts_are_given_as_literals() -> None:
    """A text put together before it is looked up has no entry."""
    odd = [
        f"{path.name}:{call.lineno}"
        for path in spoken.PAGES
        if path.name not in ("texts.py", "words.py")  # they look up what they are given
        for call in spoken.calls(path)
        if spoken.name_of(call) == "t" and (not call.args or spoken.literal(call.args[0]) is None)
    ]
    assert odd == []


def test_values_are_named_as_the_text_names_them() -> None:
    """Without any value it is a text for a script in the browser, which fills it in."""
    odd = []
    for path in spoken.PAGES:
        for call in spoken.calls(path):
            key = spoken.literal(call.args[0]) if spoken.name_of(call) == "t" and call.args else None
            if key is not None and call.keywords and all(keyword.arg for keyword in call.keywords):
                given = {keyword.arg for keyword in call.keywords}
                odd += [f"{path.name}:{call.lineno}"] if given != set(phrases.PLACE.findall(key)) else []
    assert odd == []


@pytest.mark.parametrize("path", spoken.PAGES, ids=lambda path: path.name)
def test_no_widget_shows_a_text_past_the_catalogue(path: Path) -> None:
    assert shown_literals(path) == []


@pytest.mark.parametrize("path", PANEL, ids=lambda path: path.name)
def test_the_panels_script_holds_no_text_of_its_own(path: Path) -> None:
    code = re.sub(r"/\*.*?\*/|^\s*//.*?$|\s//\s.*?$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    said = re.findall(r'"([A-Z][a-z]+(?: [a-zA-Z]+)+[.?!]?)"', code)
    said += re.findall(r'(?:textContent|title|placeholder|ariaLabel)\s*=\s*"([^"]*[a-z]{2}[^"]*)"', code)
    assert said == []


@pytest.mark.parametrize(("english", "told"), GLOSSARY.items())
def test_a_word_of_the_glossary_is_the_same_word_everywhere(english: str, told: str) -> None:
    word = re.compile(rf"(?<![-{{])\b({english})\b(?!}})", re.IGNORECASE)
    said = {a: b for a, b in [*APP.items(), *CORE.items()] if word.search(COMMANDS.sub("", a))}
    assert said
    assert {a: b for a, b in said.items() if not re.search(told, b, re.IGNORECASE)} == {}


def test_accusing_words_stand_nowhere() -> None:
    assert [b for b in [*APP.values(), *CORE.values()] if re.search(r"\bilega|clandestin", b, re.IGNORECASE)] == []


def test_a_text_without_entry_is_shown_in_english_and_logged_once(
    portuguese: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "minedisc.pages"):
        assert texts.t("A text that {nobody} translated", nobody="Ana") == "A text that Ana translated"
        texts.t("A text that {nobody} translated", nobody="Ana")
    assert caplog.text.count("no Portuguese for") == 1


def test_a_value_that_is_missing_leaves_its_place() -> None:
    assert texts.t("{done} of {all}", done=3) == "3 of {all}"


def test_an_unknown_language_is_english() -> None:
    with texts.in_language("de"):
        assert texts.t("Undecided") == "Undecided"


def test_a_language_inside_another_ends_with_its_block() -> None:
    with texts.in_language("pt"):
        with texts.in_language("en"):
            assert texts.language() == "en"
        assert texts.language() == "pt"
    assert texts.language() == "en"


def test_labels_follow_the_language_and_stay_a_mapping(portuguese: object) -> None:
    assert words.STATUS[Status.UNSURE] == "Incerto"
    assert words.REASON.get(Reason.BURN) == "Queimada"
    assert dict(words.STATUS.items())[Status.CONFIRMED] == "Confirmado"
    assert list(words.REASON_KEYS) == list(words.REASON)


def test_numbers_and_dates_follow_the_language(portuguese: object) -> None:
    from datetime import date, datetime

    assert words.ha(1234.5) == "1.234 ha"
    assert words.km2(12.34) == "12,3 km²"
    assert words.place(-43.812, -19.93412) == "19,93412° S, 43,81200° O"
    assert words.moment(datetime(2026, 11, 23, 14, 3)) == "23/11/2026 14:03 UTC"
    assert words.dates(date(2024, 6, 1), date(2024, 8, 31)) == "01/06/2024 a 31/08/2024"


def test_nothing_and_one_are_singular_in_portuguese(portuguese: object) -> None:
    assert [words.count(n, "cell") for n in (0, 1, 2, 1200)] == ["0 célula", "1 célula", "2 células", "1.200 células"]


def test_nothing_is_plural_in_english() -> None:
    assert [words.count(n, "cell") for n in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]


def test_an_error_of_the_core_is_told_in_portuguese_with_its_values(portuguese: object) -> None:
    error = ModelError("there is no model 'x'", "a folder with a discovery.json, or one of: a, b")
    assert texts.translated(error.found) == "não há modelo 'x'"
    assert texts.translated(str(error)) == (
        "não há modelo 'x'. Esperado: uma pasta com discovery.json, ou um destes: a, b."
    )


def test_what_the_registers_say_is_told_in_portuguese(portuguese: object) -> None:
    dam = NearestDam("Barragem Um", "Vale S.A.", 4200.0, "sigbm 2025-01-02")
    title = TitleMatch("1/2020", "Requerimento de Lavra", False, "Fulano", "OURO", 0.004)
    match = RegisterMatch(
        RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT, dam, (title,), 1.0, (), (),
        "sigbm 2025-01-02; sigmine 2025-01-02",
    )  # fmt: skip
    told = [texts.translated(sentence) for sentence in describe(match)]
    assert told[1] == "Barragem ou mina cadastrada mais próxima: Barragem Um (Vale S.A.), a 4,2 km [sigbm 2025-01-02]."
    assert told[2].startswith("O título 1/2020 cobre menos de 1 % do sítio: Requerimento de Lavra, Fulano, OURO; esta")
    assert "Nenhum título que permita a extração foi encontrado" in told[3]


def test_a_refused_verdict_and_a_lost_queue_are_told_in_the_panels_language(home: Settings) -> None:
    lost = ask(f"/minedisc/review/items?queue=nothing&lang=pt&t={token('review')}")
    assert lost.json()["problem"] == "esta fila de revisão não é mais conhecida. O que fazer: recarregue a página."
    event = {"event_id": str(uuid4()), "candidate_id": "nobody", "verdict": "confirmed", "analyst": "Ana"}
    body = json.dumps({"events": [event], "lang": "pt"}).encode()
    said = ask("/minedisc/review/verdicts", "POST", body, X_Minedisc_Token=token("review")).json()
    assert said["refused"][0]["problem"].startswith("Não há candidato 'nobody'. Esperado: ")


def test_an_unknown_sentence_stays_as_it_is(portuguese: object) -> None:
    for sentence in ("The river is wide", "", "x" * 5000, "a; b", "100%"):
        assert texts.translated(sentence) == sentence


def test_a_text_made_to_fit_a_template_nearly_is_left_alone_and_soon() -> None:
    nearly = "x" + " by  on " * ((phrases.LONGEST - 1) // 8)  # as a regular expression, the template takes minutes
    assert phrases.portuguese(nearly) == nearly


@pytest.mark.parametrize("english", [text for text in CORE if sum(map(str.isalpha, phrases.PLACE.sub("", text))) >= 4])
def test_every_template_recognises_its_own_sentence(english: str) -> None:
    """A more talkative template must not take it away."""
    said = phrases.PLACE.sub(lambda place: f"V{place[1]}", english)
    told = phrases.PLACE.sub(lambda place: f"V{place[1]}", CORE[english])
    assert phrases.portuguese(said) == told


@pytest.mark.parametrize(
    "page", ["scan.py", "review.py", "retrain.py", "train.py", "models.py", "registers.py", "points.py", "exports.py"]
)
def test_every_page_opens_in_portuguese_without_a_missing_text(
    home: Settings, page: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = AppTest.from_file(str(PROJECT_ROOT / "pages" / "main.py"), default_timeout=90)
    app.query_params["lang"] = "pt"
    app.run()
    if page != "scan.py":
        app.switch_page(page).run()
    assert not app.exception
    assert "no Portuguese for" not in caplog.text
    assert app.query_params["lang"] in ("pt", ["pt"])


def test_switching_the_language_keeps_run_filters_and_area(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    app.multiselect(key="review_status").set_value([Status.CONFIRMED, Status.UNSURE]).run()
    run = app.selectbox(key="review_run_choice").value
    app.segmented_control(key="language_switch").set_value("pt").run()
    assert not app.exception
    assert app.selectbox(key="review_run_choice").value == run
    assert app.multiselect(key="review_status").value == [Status.CONFIRMED, Status.UNSURE]
    with texts.in_language("pt"):  # the test's browser shows Portuguese labels now
        app.switch_page("scan.py").run()
    assert app.session_state["language"] == "pt"
    assert app.segmented_control(key="scan_area_kind").label == "Área a varrer"


def test_switching_the_language_keeps_the_mosaic_and_the_drawn_area(home: Settings, open_page: Opener) -> None:
    app = open_page("scan.py")
    app.selectbox(key="scan_mosaic").set_value("other").run()
    app.text_area(key="scan_paths").set_value(str(home.demo / "mosaic.tif")).run()
    app.segmented_control(key="scan_area_kind").set_value("Drawn").run()
    app.number_input[0].set_value(0.75).run()
    app.segmented_control(key="language_switch").set_value("pt").run()
    assert app.segmented_control(key="scan_area_kind").label == "Área a varrer"
    assert_kept(app, home)
    with texts.in_language("pt"):  # the test's browser shows Portuguese labels now
        app.segmented_control(key="language_switch").set_value("en").run()
    assert app.segmented_control(key="scan_area_kind").label == "Area to scan"
    assert_kept(app, home)


def assert_kept(app: AppTest, home: Settings) -> None:
    assert not app.exception
    assert app.segmented_control(key="scan_area_kind").value == "Drawn"
    assert app.selectbox(key="scan_mosaic").value == "other"
    assert app.text_area(key="scan_paths").value == str(home.demo / "mosaic.tif")
    assert app.number_input[0].value == 0.75
