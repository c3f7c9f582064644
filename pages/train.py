"""Train: samples from a register's points as a dataset version, and nets trained on such versions."""

from __future__ import annotations

import streamlit as st

from pages import boundary, frame, train_form, train_results, train_samples, trainings
from pages.texts import t


def main() -> None:
    """The page."""
    frame.heading(t("Train"), t("Cut samples at the points of a register, and train a net of your own on them."))
    boundary.explain_kept()
    found = trainings.listed()
    trainings.running(found)
    samples, training = st.columns(2, gap="large")
    with samples:
        train_samples.section()
    with training:
        train_form.section(is_busy=any(each.is_running for each in found))
    trainings.stopped(found)
    train_results.finished(found)


main()
