"""What finished trainings have shown: figures of each, and the curves of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core.jobs.training import CURVES
from minedisc_core.jobs.trainings import TrainingFolder
from pages import boundary, words
from pages.texts import t
from pages.train_form import NETS

MODELS = Path(__file__).parent / "models.py"


def finished(found: Sequence[TrainingFolder]) -> None:
    """A row for each that is done, and the curves of one."""
    done = {each.name: each for each in found if each.report}
    if not done:
        return
    st.markdown(f"##### {t('Finished trainings')}")
    st.dataframe([_row(each) for each in done.values()], hide_index=True)
    st.caption(t("Mean over the folds, on samples that were not trained on."))
    left, right = st.columns([1, 2], gap="large")
    with left:
        name = st.selectbox(t("Curves of"), list(done), key="train_shown")
        if done[name].is_model:
            st.markdown(t("**{name}** is on the Models page, and can be chosen for a scan.", name=boundary.plain(name)))
            st.page_link(MODELS, label=t("Models"), icon=":material/arrow_forward:")
        else:
            st.markdown(t("Without a net that finds mines beside it, it is no model that a scan can use."))
    curves = done[name].path / CURVES
    if curves.is_file():
        right.image(str(curves), alt=t("Training curves of {name}", name=name))


def _row(each: TrainingFolder) -> dict[str, str]:
    report = each.report
    shown: Mapping[str, Any] = report.get("validation") or {}
    return {
        t("Model"): each.name,
        t("Net"): NETS.get(str(report.get("net")), ""),
        t("Dataset version"): str((report.get("dataset") or {}).get("version", "")),
        t("Folds"): words.number(len(report.get("folds") or ())),
        t("Accuracy"): _mean(shown.get("accuracy")),
        t("F1"): _mean(shown.get("f1")),
        t("Threshold"): _figure(report.get("threshold"), 2),
        t("ECE"): _figure((report.get("reliability") or {}).get("ece"), 3),
    }


def _mean(figure: Any) -> str:
    """`0.912 ± 0.010`; empty where there is none."""
    if not isinstance(figure, Mapping):
        return ""
    mean, deviation = _figure(figure.get("mean"), 3), _figure(figure.get("deviation"), 3)
    return f"{mean} ± {deviation}" if deviation else mean


def _figure(value: Any, decimals: int) -> str:
    return words.number(value, decimals) if isinstance(value, int | float) else ""
