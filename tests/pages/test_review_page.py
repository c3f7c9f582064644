"""The review page: queue, filters, and what is kept when one leaves and comes back."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from minedisc_core.domain import Impact, Reason, Status
from minedisc_core.review import new_verdict
from minedisc_core.settings import Settings
from pages import shared
from pages.queues import Queue
from tests.pages.conftest import Opener


def queue(app: AppTest) -> Queue:
    found = app.session_state["queue"]
    assert isinstance(found, Queue)
    return found


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
    app.radio(key="review_hidden").set_value("only").run()
    assert queue(app).total == 1
    assert shared.store().candidate(shared.house().queues[queue(app).name][0]).site.discarded


def test_a_filter_that_nothing_passes_leaves_a_calm_page(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    app.multiselect(key="review_status").set_value([Status.REJECTED]).run()
    assert not app.exception
    assert not app.error
    assert queue(app).total == 0


def test_decided_candidates_stay_in_the_queue_until_the_page_is_opened_again(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    first = shared.house().queues[queue(app).name][0]
    shared.store().record([new_verdict(first, Status.REJECTED, "Ana", reason=Reason.BURN)])
    app.run()
    assert first in shared.house().queues[queue(app).name]
    app.switch_page("exports.py").run()
    app.switch_page("review.py").run()
    assert first not in shared.house().queues[queue(app).name]


def test_the_filter_and_the_name_outlive_a_visit_to_another_page(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    app.selectbox(key="review_order").select("place").run()
    next(field for field in app.text_input if field.label == "Your name").set_value("Ana").run()
    app.switch_page("retrain.py").run()
    app.switch_page("review.py").run()
    assert app.selectbox(key="review_order").value == "place"
    assert next(field for field in app.text_input if field.label == "Your name").value == "Ana"


def test_the_candidate_looked_at_last_comes_first_again(home: Settings, open_page: Opener) -> None:
    app = open_page("review.py")
    fifth = shared.house().queues[queue(app).name][4]
    app.session_state["candidate"] = fifth
    app.switch_page("exports.py").run()
    app.switch_page("review.py").run()
    assert queue(app).index == 4
