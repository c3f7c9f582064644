"""Champion and challenger side by side: figures, what changed with its chips, and what the rule says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core import service
from minedisc_core.domain import Reason, RunState
from minedisc_core.imagery.chips import CHIP_KINDS, chip_name
from minedisc_core.jobs.retraining_result import RetrainingFolder, list_retrainings
from minedisc_core.runs import CHIPS
from pages import boundary, champions, shared, texts, words
from pages.texts import t, translated

CHANGED_SHOWN = 12
CHIP_PX = 120
SIDE_BY_SIDE = 2
"""Candidates in a row."""


def section() -> None:
    """The newest finished retraining, or the one that is chosen."""
    done = [each for each in list_retrainings(shared.settings()) if each.state is RunState.COMPLETE]
    if not done:
        return
    chosen: RetrainingFolder = done[0]
    st.markdown(f"##### {t('Champion and challenger')}")
    if len(done) > 1:
        chosen = st.selectbox(t("Challenger"), done, format_func=lambda each: each.out, key="retrain_shown")
    shown: dict[str, Any] = service.VERBS["retrain_show"](
        shared.store(), shared.settings(), retraining_id=chosen.retraining_id
    )
    st.caption(
        t(
            "Both on the same held-out places, which no retraining has ever learned from. {name} is the champion that "
            "{other} started from; each at its own cut-off.",
            name=boundary.plain(chosen.champion), other=boundary.plain(chosen.out),
        )
    )  # fmt: skip
    _figures(shown)
    _rule(shown)
    champions.decide(chosen, shown)
    _changed(shown)
    for problem in shown["problems"]:
        st.caption(boundary.plain(translated(problem)))


def _figures(found: dict[str, Any]) -> None:
    """The table: rows are figures, columns the two models."""
    both = [found["figures"][which] for which in ("champion", "challenger")]
    rows = [
        (t("Held-out mines found, whole scenes"), [_of(found["sites"], which) for which in ("champion", "challenger")]),
        (t("False sites, whole scenes"), [words.number(each["sites_false"]) for each in both]),
        (t("Sites nobody judged, whole scenes"), [words.number(each["sites_unjudged"]) for each in both]),
        (t("Held-out mines found, samples"), [_of(found["samples"], w) for w in ("champion", "challenger")]),
        (t("F1, samples"), [words.number(each["f1"], 3) for each in both]),
        (t("Calibration error of the score (ECE)"), [words.number(each["calibration_error"], 3) for each in both]),
        (t("Score cut-off"), [texts.numerals(f"{each['threshold']:g}") for each in both]),
    ]
    for reason in both[0]["false_by_reason"]:
        label = t("False alarms: {reason}", reason=words.REASON[Reason(reason)])
        rows.append((label, [_alarms(each["false_by_reason"][reason]) for each in both]))
    head = (t("Figure"), t("Champion"), t("Challenger"))
    st.dataframe([dict(zip(head, (name, *pair), strict=True)) for name, pair in rows], hide_index=True)


def _of(recall: dict[str, Any], which: str) -> str:
    return t(
        "{share} of {mines}", share=words.percent(recall[which]), mines=words.count(recall["mines"], "confirmed mine")
    )


def _alarms(pair: list[int]) -> str:
    return t("{false} of {all}", false=words.number(pair[0]), all=words.number(pair[1]))


def _rule(found: dict[str, Any]) -> None:
    """What the rule says, with the interval."""
    sites = found["sites"]
    low, high, mean = (
        texts.numerals(f"{100 * value:+.1f}")
        for value in (sites["low"], sites["high"], sites["challenger"] - sites["champion"])
    )
    st.caption(
        t("Recall on whole scenes, challenger minus champion: {mean} points (95 % interval {low} to {high}).",
          mean=mean, low=low, high=high)
    )  # fmt: skip
    if not found["refusals"]:
        st.success(t("The rule allows the promotion: no fewer mines, fewer false alarms."), icon=":material/check:")
        return
    lines = [f"- {boundary.plain(translated(text))}" for text in found["refusals"]]
    st.warning("\n".join([t("The rule refuses the promotion:"), "", *lines]), icon=":material/block:")


def _changed(found: dict[str, Any]) -> None:
    """Candidates that one model finds and the other does not, with chips and both scores."""
    changed = found["changed"]
    st.markdown(f"**{t('What changed')}** · {words.count(len(changed), 'candidate')}")
    if not changed:
        st.caption(t("Both models find the same of the held-out candidates."))
    shown = changed if st.session_state.get("retrain_all_changed") else changed[:CHANGED_SHOWN]
    for first in range(0, len(shown), SIDE_BY_SIDE):
        for column, outcome in zip(st.columns(SIDE_BY_SIDE), shown[first : first + SIDE_BY_SIDE], strict=False):
            with column:
                _outcome(outcome)
    if len(changed) > CHANGED_SHOWN:
        st.toggle(t("Show all"), key="retrain_all_changed")


def _outcome(outcome: dict[str, Any]) -> None:
    pictures, facts = st.columns([3, 4], vertical_alignment="center")
    files = _chips(outcome)
    if files:
        pictures.image([str(path) for path in files], width=CHIP_PX)
    else:
        pictures.caption(t("no chips"))
    what = t("Mine") if outcome["is_mine"] else words.REASON[Reason(outcome["reason"])]
    where = words.place(outcome["lon"], outcome["lat"])
    scores = t("Champion {a} · challenger {b}", a=_score(outcome, "champion"), b=_score(outcome, "challenger"))
    facts.markdown(f"**{what}** · {_told(outcome)}  \n{scores}  \n:small[{where}]")


def _told(outcome: dict[str, Any]) -> str:
    is_better = (_value(outcome, "challenger") > _value(outcome, "champion")) == outcome["is_mine"]
    return t("better") if is_better else t("worse")


def _value(outcome: dict[str, Any], which: str) -> float:
    by_site = outcome[f"{which}_site"]
    return float(by_site if by_site is not None else outcome[which] or 0)


def _score(outcome: dict[str, Any], which: str) -> str:
    return words.number(_value(outcome, which), 2)


def _chips(outcome: dict[str, Any]) -> list[Path]:
    """The first two kinds of chips that the candidate's run left."""
    folder = shared.house().run_folder(outcome["run_id"])
    if folder is None:
        return []
    paths = [folder / CHIPS / chip_name(outcome["candidate_id"], kind, is_own=False) for kind in CHIP_KINDS[:2]]
    return [path for path in paths if path.is_file()]
