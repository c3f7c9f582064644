"""How far the review is: the figures, who did what, and what the agreement with the score means."""

from __future__ import annotations

from collections.abc import Sequence

from streamlit.testing.v1 import AppTest

from minedisc_core.domain import Reason, Status
from minedisc_core.review import new_verdict
from minedisc_core.settings import Settings
from pages import shared


def drawn() -> AppTest:
    """What stands behind the button, over all candidates."""

    def page() -> None:
        from minedisc_core.store import CandidateFilter
        from pages import progress, shared

        progress.draw(CandidateFilter(run_id=shared.store().runs()[0].run_id))

    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.markdown, *app.caption])


def decide(ids: Sequence[str], status: Status, analyst: str) -> None:
    reason = Reason.BURN if status is Status.REJECTED else None
    shared.store().record([new_verdict(each, status, analyst, reason=reason) for each in ids])


def test_before_the_first_verdict_nothing_is_claimed(taken_in: Settings) -> None:
    app = drawn()
    assert "Nobody has decided anything here yet." in said(app)
    assert "once something is confirmed and something is rejected" in said(app)
    assert "**23**" in said(app)


def test_figures_table_and_agreement_follow_the_verdicts(taken_in: Settings) -> None:
    ids = shared.store().candidate_ids()
    decide(ids[:5], Status.CONFIRMED, "Ana")
    decide(ids[-5:], Status.REJECTED, "Bia")
    app = drawn()
    assert "In 100 % of all pairs" in said(app)
    assert "say little yet" not in said(app)
    table = app.dataframe[0].value
    assert list(table["Analyst"]) == ["Ana", "Bia"]
    assert list(table["Confirmed"]) == [5, 0]
    assert list(table["Rejected"]) == [0, 5]
    assert "Decided  \n**10**" in said(app)
    assert "Left  \n**13**" in said(app)


def test_a_handful_of_verdicts_is_said_to_say_little(taken_in: Settings) -> None:
    ids = shared.store().candidate_ids()
    decide(ids[-1:], Status.CONFIRMED, "Ana")
    decide(ids[:1], Status.REJECTED, "Ana")
    assert "In 0 % of all pairs" in said(drawn())
    assert "say little yet" in said(drawn())
