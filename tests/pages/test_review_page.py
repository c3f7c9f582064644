"""The review page: queue, filters, and what is kept when one leaves and comes back."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from minedisc_core.domain import Impact, Reason, Status
from minedisc_core.review import new_verdict
from minedisc_core.settings import Settings
from minedisc_core.store import FilterChoices
from pages import shared, views
from pages.queues import Queue
from tests.pages.asking import RUN
from tests.pages.conftest import MAIN, Opener


def queue(app: AppTest) -> Queue:
    found = app.session_state["queue"]
    assert isinstance(found, Queue)
    return found


def order(app: AppTest) -> tuple[str, ...]:
    """Candidates of the queue, as they come."""
    found = shared.house().queues.get(queue(app).name)
    assert found is not None
    return tuple(each.candidate_id for each in shared.store().candidates_by_number(found.part(0, len(found))))


def test_the_queue_begins_with_the_undecided_candidates(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    assert not app.exception
    assert not app.error
    assert queue(app).total == 23
    assert app.multiselect(key="review_status").value == [Status.UNDECIDED]


def test_filters_change_the_queue(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    app.multiselect(key="review_impact").select(Impact.HIGH).run()
    assert queue(app).total == 8
    app.multiselect(key="review_impact").set_value([]).run()
    app.selectbox(key="review_hidden").set_value("only").run()
    assert queue(app).total == 1
    assert shared.store().candidate(order(app)[0]).site.discarded


def test_a_filter_that_nothing_passes_leaves_a_calm_page(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    app.multiselect(key="review_status").set_value([Status.REJECTED]).run()
    assert not app.exception
    assert not app.error
    assert queue(app).total == 0


def test_decided_candidates_stay_in_the_queue_until_the_page_is_opened_again(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    first = order(app)[0]
    shared.store().record([new_verdict(first, Status.REJECTED, "Ana", reason=Reason.BURN)])
    app.run()
    assert first in order(app)
    app.switch_page("exports.py").run()
    app.switch_page("review.py").run()
    assert first not in order(app)


def test_the_filter_and_the_name_outlive_a_visit_to_another_page(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    app.selectbox(key="review_order").select("place").run()
    app.text_input(key="analyst").set_value("Ana").run()
    app.switch_page("retrain.py").run()
    app.switch_page("review.py").run()
    assert app.selectbox(key="review_order").value == "place"
    assert app.text_input(key="analyst").value == "Ana"


def test_the_candidate_looked_at_last_comes_first_again(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    fifth = order(app)[4]
    shared.house().queues.look(queue(app).name, fifth)
    app.switch_page("exports.py").run()
    app.switch_page("review.py").run()
    assert queue(app).index == 4


def open_link(**view: str | list[str]) -> AppTest:
    """The review page, opened by a link."""
    app = AppTest.from_file(str(MAIN), default_timeout=90).run()
    app.switch_page("review.py")
    for name, value in view.items():
        app.query_params[name] = value
    return app.run()


def address(app: AppTest) -> str:
    """The view that the page puts into the address bar."""
    scripts = [element.proto.body for element in app.get("html") if "replaceState" in element.proto.body]
    (view,) = re.findall(r'URLSearchParams\("(.*?)"\)', scripts[0])
    return str(view)


def test_a_link_opens_its_view_and_its_candidate(home: Settings) -> None:
    shared.house().take_in_finished()
    third = shared.store().candidate_ids()[6]
    app = open_link(status="all", order="score", score="0.5-0.95", candidate=third, **{"class": ["high", "low"]})
    assert not app.exception
    assert not app.warning
    assert app.multiselect(key="review_status").value == []
    assert app.slider(key="review_score").value == (0.5, 0.95)
    assert order(app)[queue(app).index] == third
    assert address(app) == f"run={RUN}&status=all&order=score&class=high&class=low&score=0.5-0.95"


def test_what_a_link_gets_wrong_is_left_out_and_said(home: Settings) -> None:
    app = open_link(run="<b>", order="x", box="1,2,3", candidate="</script>", status="undecided")
    assert not app.exception
    assert "`run`, `order`, `box`" in app.warning[0].value
    assert queue(app).total == 23
    assert queue(app).index == 0
    assert app.run().warning == []


def test_a_links_candidate_that_the_filter_leaves_out_stands_first(home: Settings) -> None:
    shared.house().take_in_finished()
    decided = shared.store().candidate_ids()[2]
    shared.store().record([new_verdict(decided, Status.CONFIRMED, "Ana")])
    app = open_link(status="undecided", candidate=decided)
    assert (order(app)[0], queue(app).index, queue(app).total) == (decided, 0, 23)
    assert "does not pass this filter" in app.toast[-1].value


def test_a_land_whose_name_holds_script_stays_text_in_the_address(home: Settings, open_page: Opener) -> None:
    name = '</script><script>alert("1")</script>'
    view = views.write(views.fields([RUN], FilterChoices((name,), ())), {"review_land": [name]})
    assert views.read(views.fields([RUN], FilterChoices((name,), ())), view)[0]["review_land"] == [name]
    assert not set('<>"') & set(urlencode(view, doseq=True))


def test_the_button_counts_the_choices_behind_it_and_takes_them_back(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    app.multiselect(key="review_impact").select(Impact.HIGH).run()
    app.slider(key="review_score").set_range(0.7, 1.0).run()
    total = queue(app).total
    clear = next(button for button in app.button if button.label == "Clear all of these")
    clear.click().run()
    assert app.multiselect(key="review_impact").value == []
    assert app.slider(key="review_score").value == (0.0, 1.0)
    assert total < queue(app).total == 23


def test_a_box_keeps_what_lies_in_it_until_it_is_cleared(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    place = shared.store().candidate(order(app)[4]).site
    app.session_state["review_box"] = (
        place.peak_lon - 1e-4, place.peak_lat - 1e-4, place.peak_lon + 1e-4, place.peak_lat + 1e-4,
    )  # fmt: skip
    app.run()
    assert order(app) == (place.site_id,)
    assert "box=" in address(app)
    next(button for button in app.button if button.label == "Clear the box").click().run()
    assert queue(app).total == 23


def test_the_choices_outlive_a_visit_as_a_browser_makes_it(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    app.selectbox(key="review_order").select("oldest").run()
    app.switch_page("exports.py").run()
    if "review_order" in app.session_state:
        del app.session_state["review_order"]  # a browser's Streamlit forgets it, unlike that of the tests
    app.switch_page("review.py").run()
    assert app.selectbox(key="review_order").value == "oldest"


def test_a_login_replaces_the_typed_name(home: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "user", {"is_logged_in": True, "name": "Bia Souza"})
    app = open_page("review.py")
    assert not app.exception
    assert not [field for field in app.text_input if field.label == "Your name"]
    assert any("Bia Souza" in text.value for text in app.markdown)


def test_nobody_reviews_without_signing_in_where_a_login_is_configured(
    home: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "user", {"is_logged_in": False})
    app = open_page("review.py")
    assert [button.label for button in app.button] == ["Sign in"]
    assert "queue" not in app.session_state
