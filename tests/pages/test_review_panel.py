"""The review panel: what its scripts get from Python, and what they may do with it."""

from __future__ import annotations

import json
import re

import pytest

from minedisc_core.domain import Impact, Reason, Status
from minedisc_core.imagery.indices import INDICES
from minedisc_core.settings import Settings
from minedisc_core.store import CandidateFilter
from pages import map_texts, panel_texts, queues, review_panel, shared, words
from pages.queues import Queue
from tests.pages.conftest import Opener

SCRIPT = "\n".join((review_panel.HERE / f"{name}.js").read_text("utf-8") for name in review_panel.SCRIPTS)


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch, home: Settings, open_page: Opener) -> dict[str, object]:
    """What the component gets when the page mounts it on the home's queue."""
    app = open_page("review.py")
    queue = app.session_state["queue"]
    assert isinstance(queue, Queue)
    got: dict[str, object] = {}
    monkeypatch.setattr(review_panel, "_mount", lambda **given: got.update(given))
    review_panel.show(queue, None, "Ana")
    return dict(got["data"])  # type: ignore[call-overload]  # what was mounted is untyped


def test_every_script_of_the_folder_is_part_of_the_panel_and_short_enough_to_read() -> None:
    files = {path.stem: path for path in review_panel.HERE.glob("*.js")}
    assert set(files) == set(review_panel.SCRIPTS)
    assert len(review_panel.SCRIPTS) == len(set(review_panel.SCRIPTS))
    assert {name: lines for name, path in files.items() if (lines := len(path.read_text().splitlines())) > 400} == {}


def test_no_script_makes_markup_or_code_of_what_it_was_sent() -> None:
    for way in (
        r"\binnerHTML\b",
        r"\bouterHTML\b",
        r"insertAdjacentHTML",
        r"\beval\(",
        r"new Function",
        r"document\.write",
    ):
        assert re.findall(way, SCRIPT) == [], way


def test_every_text_that_the_scripts_name_exists() -> None:
    named = set(re.findall(r"\btexts\.([a-z]\w*)", SCRIPT)) | set(re.findall(r"\[\"(key_\w+)\"", SCRIPT))
    known = panel_texts.texts() | map_texts.texts()
    assert len(named) > 50
    assert named - set(known) == set()


def test_every_place_for_a_value_in_a_text_is_filled_by_the_scripts() -> None:
    filled = dict(re.findall(r"fill\((?:\w+\.)*texts\.(\w+), \{([^}]*)\}", SCRIPT))
    for name, values in filled.items():
        places = set(re.findall(r"\{(\w+)\}", panel_texts.texts()[name]))
        assert places <= set(re.findall(r"\w+", values)), name


def test_every_action_has_a_text_and_a_key_of_its_own() -> None:
    keys = list(review_panel.KEYS.values())
    assert len(keys) == len(set(keys))
    assert set(review_panel.KEYS) - set(panel_texts.texts()) == set()
    assert set(keys).isdisjoint({"c", "r"}), "Streamlit takes them"
    assert set(keys).isdisjoint(words.REASON_KEYS.values()), "a reason's key decides"


def test_every_action_with_a_key_is_known_to_the_script() -> None:
    body = SCRIPT[SCRIPT.index("buildActions() {") :]
    actions = body[: body.index("\n  }\n")]
    assert {name for name in review_panel.KEYS if not re.search(rf"\b{name}:", actions)} == set()


def test_the_panel_gets_words_reasons_classes_and_legends(mounted: dict[str, object]) -> None:
    assert json.loads(json.dumps(mounted))["lang"] == "en"
    assert [r["code"] for r in mounted["reasons"]] == [str(r) for r in Reason]  # type: ignore[attr-defined]  # what was mounted is untyped
    assert [i["code"] for i in mounted["impacts"]] == [str(i) for i in Impact if i is not Impact.UNKNOWN]  # type: ignore[attr-defined]  # what was mounted is untyped
    assert set(mounted["statuses"]) == {str(s) for s in Status}  # type: ignore[call-overload]  # what was mounted is untyped
    legends = {index["kind"]: index for index in mounted["indices"]}  # type: ignore[attr-defined]  # what was mounted is untyped
    assert set(legends) == set(INDICES)
    assert (legends["ndvi"]["low"], legends["ndvi"]["high"]) == ("-0.2", "0.8")
    assert all(len(legend["colours"]) == len(INDICES[kind].colours) for kind, legend in legends.items())


def test_the_first_window_holds_the_candidate_to_begin_with(mounted: dict[str, object]) -> None:
    items = mounted["items"]
    assert mounted["index"] in [item["index"] for item in items]  # type: ignore[attr-defined]  # what was mounted is untyped
    assert mounted["total"] == len(shared.store().queue(CandidateFilter(statuses=(Status.UNDECIDED,))))
    assert queues.window(str(mounted["queue"]), 0, 2)["items"] == items[:2]  # type: ignore[index]  # what was mounted is untyped
