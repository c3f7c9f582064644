"""Retrain: what people's verdicts have put into the queue, and dataset versions made of it."""

from __future__ import annotations

import streamlit as st

from minedisc_core.domain import Reason
from minedisc_core.learning.samples import QueueCounts, cut_pending, make_dataset, queue, queue_counts
from pages import boundary, frame, shared, words


def main() -> None:
    """The page."""
    frame.heading("Retrain", "Confirmed and rejected candidates become samples; samples become the next model.")
    store = shared.store()
    counts = queue_counts(store)
    if not counts.total and not store.datasets():
        frame.empty(
            "The queue is empty. A confirmation puts in a mine, a rejection puts in background with its reason.",
            "review.py",
            "Review candidates",
        )
        return
    figures(counts)
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
        "Samples in the queue": counts.total,
        "Mines (confirmed)": counts.mine,
        "Background (rejected)": counts.background,
        "Pixels cut": cut,
        "Pixels waiting": counts.pending + counts.failed,
    }
    for column, (label, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        column.metric(label, f"{value:,}", border=True)


def by_reason(counts: QueueCounts) -> None:
    """How many samples of each label and reason."""
    st.markdown("##### By label and reason")
    rows = [{"Label": "Mine", "Reason": "Confirmed", "Samples": counts.mine}] if counts.mine else []
    for reason, number in sorted(counts.by_reason.items(), key=lambda pair: -pair[1]):
        rows.append({"Label": "Background", "Reason": words.REASON[Reason(reason)], "Samples": number})
    most = max((row["Samples"] for row in rows), default=1)
    bar = st.column_config.ProgressColumn("Samples", format="%d", min_value=0, max_value=most)
    st.dataframe(rows, hide_index=True, column_config={"Samples": bar})
    st.caption("A sample is a window of 255 px, all bands; its middle 201 px are what the net looks at.")


def dataset(counts: QueueCounts) -> None:
    """Make a version, and those that were made."""
    st.markdown("##### Dataset versions")
    waiting = counts.pending + counts.failed
    cut, make = st.columns(2)
    if cut.button("Cut the pixels now", disabled=not waiting, use_container_width=True):
        done = cut_pending(shared.store(), shared.settings())
        frame.say(f"{words.count(done, 'sample')} cut.")
        st.rerun()
    if make.button("Make a version", type="primary", disabled=waiting == counts.total, use_container_width=True):
        folder = make_dataset(shared.store(), shared.settings())
        frame.say(f"Dataset version {folder.name} is made.")
        st.rerun()
    made = shared.store().datasets()
    if not made:
        st.caption("None yet. A version is a folder that never changes; training reads one.")
        return
    rows = [
        {
            "Version": row.version,
            "Made (UTC)": f"{row.made_at_utc:%Y-%m-%d %H:%M}",
            "Samples": row.samples,
            "Undone since": row.withdrawn,
            "Folder": str(row.folder),
        }
        for row in made
    ]
    st.dataframe(rows, hide_index=True)
    st.caption("A sample whose verdict was undone stays in the versions that hold it, marked; the next leaves it out.")


def problems() -> None:
    """Samples whose pixels could not be cut, with the reason."""
    failed = [row for row in queue(shared.store()) if row.pixels == "failed"]
    if failed:
        with st.expander(f"{words.count(len(failed), 'sample')} could not be cut; it is tried again with the next"):
            for row in failed[:50]:
                st.markdown(f"- {words.place(row.lon, row.lat)}: {boundary.plain(row.problem)}")


main()
