"""Retrain: what people's verdicts have put into the queue, and dataset versions made of it."""

from __future__ import annotations

import streamlit as st

from minedisc_core.domain import Reason, Status
from minedisc_core.learning.samples import QueueCounts, cut_pending, make_dataset, queue, queue_counts
from pages import boundary, champions, comparing, frame, retraining, shared, words
from pages.texts import t, translated


def main() -> None:
    """The page."""
    frame.heading(t("Retrain"), t("Confirmed and rejected candidates become samples; samples become the next model."))
    store = shared.store()
    counts = queue_counts(store)
    if not counts.total and not store.datasets():
        frame.empty(
            t("The queue is empty. A confirmation puts in a mine, a rejection puts in background with its reason."),
            "review.py",
            t("Review candidates"),
        )
        return
    boundary.explain_kept()
    figures(counts)
    retraining.section()
    comparing.section()
    champions.history()
    left, right = st.columns(2, gap="large")
    with left:
        by_reason(counts)
    with right:
        dataset(counts)
    problems()


def figures(counts: QueueCounts) -> None:
    """The queue in numbers."""
    cut = counts.total - counts.pending - counts.failed
    shown = {
        t("Samples in the queue"): counts.total,
        t("Mines (confirmed)"): counts.mine,
        t("Background (rejected)"): counts.background,
        t("Pixels cut"): cut,
        t("Pixels waiting"): counts.pending + counts.failed,
    }
    for column, (label, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        column.metric(label, words.number(value), border=True)


def by_reason(counts: QueueCounts) -> None:
    """How many samples of each label and reason."""
    st.markdown(f"##### {t('By label and reason')}")
    label, why, samples = t("Label"), t("Reason"), t("Samples")
    rows = [{label: t("Mine"), why: words.STATUS[Status.CONFIRMED], samples: counts.mine}] if counts.mine else []
    for reason, number in sorted(counts.by_reason.items(), key=lambda pair: -pair[1]):
        rows.append({label: t("Background"), why: words.REASON[Reason(reason)], samples: number})
    most = max((row[samples] for row in rows), default=1)
    bar = st.column_config.ProgressColumn(samples, format="%d", min_value=0, max_value=most)
    st.dataframe(rows, hide_index=True, column_config={samples: bar})
    st.caption(t("A sample is a window of 255 px, all bands; its middle 201 px are what the net looks at."))


def dataset(counts: QueueCounts) -> None:
    """Make a version, and those that were made."""
    st.markdown(f"##### {t('Dataset versions')}")
    waiting = counts.pending + counts.failed
    cut, make = st.columns(2)
    if cut.button(t("Cut the pixels now"), disabled=not waiting, use_container_width=True, key="retrain_cut"):
        done = cut_pending(shared.store(), shared.settings())
        frame.say(f"{words.count(done, 'sample cut', 'samples cut')}.")
        st.rerun()
    if make.button(
        t("Make a version"), type="primary", disabled=waiting == counts.total, use_container_width=True,
        key="retrain_make",
    ):  # fmt: skip
        folder = make_dataset(shared.store(), shared.settings())
        frame.say(t("Dataset version {name} is made.", name=folder.name))
        st.rerun()
    made = shared.store().datasets()
    if not made:
        st.caption(t("None yet. A version is a folder that never changes; training reads one."))
        return
    rows = [
        {
            t("Version"): row.version,
            t("Made (UTC)"): words.minute(row.made_at_utc),
            t("Samples"): row.samples,
            t("Undone since"): row.withdrawn,
            t("Folder"): str(row.folder),
        }
        for row in made
    ]
    st.dataframe(rows, hide_index=True)
    st.caption(
        t("A sample whose verdict was undone stays in the versions that hold it, marked; the next leaves it out.")
    )


def problems() -> None:
    """Samples whose pixels could not be cut, with the reason."""
    failed = [row for row in queue(shared.store()) if row.pixels == "failed"]
    if failed:
        samples = words.count(len(failed), "sample")
        with st.expander(t("{samples} could not be cut; it is tried again with the next", samples=samples)):
            for row in failed[:50]:
                st.markdown(f"- {words.place(row.lon, row.lat)}: {boundary.plain(translated(row.problem))}")


main()
