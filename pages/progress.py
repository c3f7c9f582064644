"""How far the review is: decided, left, pace, who did what, and whether verdicts follow the score."""

from __future__ import annotations

from typing import Any

import streamlit as st

from minedisc_core.domain import Status
from minedisc_core.store import CandidateFilter, Progress
from pages import shared, words
from pages.texts import numerals, t

COLOURS = {
    Status.CONFIRMED: "#196b34",
    Status.REJECTED: "#c2410c",
    Status.UNSURE: "#a16207",
    Status.UNDECIDED: "#b8bec7",
}
CHART_PX = 240
SEVERAL = 20
"""From so many pairs of verdicts on, their agreement with the score says something."""


def popover(place: Any, wanted: CandidateFilter) -> None:
    """A button; what is behind it is counted when it is opened, without drawing the page anew."""
    with place:
        _popover(wanted)


@st.fragment
def _popover(wanted: CandidateFilter) -> None:
    opened = st.popover(
        t("Progress"), icon=":material/insights:", width="stretch", key="review_progress", on_change="rerun"
    )
    if opened.open:
        with opened:
            draw(wanted)


def draw(wanted: CandidateFilter) -> None:
    """Figures, a table of the analysts, the agreement in words, and the histogram."""
    found = shared.store().progress(wanted)
    st.caption(t("Everything that the filter holds, whatever was decided"))
    if not found.total:
        st.markdown(t("No candidate passes this filter."))
        return
    figures = {
        t("Decided"): found.decided,
        t("Left"): found.left,
        t("Seen"): found.seen,
        t("In the last hour"): found.per_hour,
    }
    for column, (label, number) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.markdown(f"{label}  \n**{numerals(f'{number:,}')}**")
    st.progress(found.decided / found.total)
    _analysts(found)
    _scores(found, _threshold(wanted))
    st.button(t("Count again"), icon=":material/refresh:", type="tertiary")


def _analysts(found: Progress) -> None:
    if not found.by_analyst:
        st.caption(t("Nobody has decided anything here yet."))
        return
    head = [t("Analyst"), t("Confirmed"), t("Rejected"), t("Unsure"), t("In the last hour")]
    rows = [[a.name, a.confirmed, a.rejected, a.unsure, a.per_hour] for a in found.by_analyst]
    st.dataframe([dict(zip(head, row, strict=True)) for row in rows], hide_index=True, width="stretch")


def _scores(found: Progress, threshold: float | None) -> None:
    """The agreement in words, and the histogram of scores by verdict with the cut-off."""
    st.markdown(f"**{t('Do the verdicts follow the score?')}** {_agreement(found)}")
    st.altair_chart(_histogram(found, threshold), width="stretch")
    if threshold is not None:
        st.caption(
            t("Candidates by score; the dashed line is the cut-off, {cutoff}", cutoff=numerals(f"{threshold:g}"))
        )


def _agreement(found: Progress) -> str:
    if found.agreement is None:
        return t("That can be told once something is confirmed and something is rejected.")
    said = t(
        "In {share} of all pairs of a confirmed and a rejected candidate, the confirmed one has the higher score. "
        "100 % would be perfect agreement, 50 % none.",
        share=words.percent(found.agreement),
    )
    confirmed, rejected = (sum(getattr(a, name) for a in found.by_analyst) for name in ("confirmed", "rejected"))
    if len(found.models) > 1:
        said += " " + t("Scores of several models: only pairs of one model are compared.")
    return said + (" " + t("So few verdicts say little yet.") if confirmed * rejected < SEVERAL else "")


def _threshold(wanted: CandidateFilter) -> float | None:
    return shared.run_summary(wanted.run_id).threshold if wanted.run_id else None


def _histogram(found: Progress, threshold: float | None) -> Any:
    import altair as alt

    labels = [words.STATUS[status] for status in COLOURS]
    rows = [
        {"low": part.low, "high": part.high, "verdict": label, "order": place, "candidates": getattr(part, str(status))}
        for part in found.histogram
        for place, (status, label) in enumerate(zip(COLOURS, labels, strict=True))
    ]
    bars = alt.Chart(alt.Data(values=rows)).mark_bar(binSpacing=1)
    bars = bars.encode(
        x=alt.X("low:Q", bin="binned", title=t("Score")),
        x2="high:Q",
        y=alt.Y("candidates:Q", title=t("Candidates"), axis=alt.Axis(tickMinStep=1)),
        color=alt.Color(
            "verdict:N",
            title=None,
            scale=alt.Scale(domain=labels, range=list(COLOURS.values())),
            legend=alt.Legend(orient="top"),
        ),
        order="order:Q",
        tooltip=[alt.Tooltip("verdict:N", title=t("Verdict")), alt.Tooltip("candidates:Q", title=t("Candidates"))],
    )
    if threshold is None:
        return bars.properties(height=CHART_PX)
    line = alt.Chart(alt.Data(values=[{"cut": threshold}])).mark_rule(strokeDash=[5, 4], color="#111827")
    return (bars + line.encode(x="cut:Q")).properties(height=CHART_PX)
