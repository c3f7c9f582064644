"""The review panel: a components-v2 component, the queue it walks and the verdicts it sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core.domain import Reason
from minedisc_core.errors import UsageError
from pages import addresses, facts, shared, words
from pages.queues import Queue

SCOPE = "review"
FIRST_WINDOW = 30
"""Candidates that come with the page; later ones are fetched ahead of the keys."""
HERE = Path(__file__).parent

TEXTS = {
    "position": "Candidate {n} of {total}",
    "confirm": "Confirm",
    "reject": "Reject",
    "unsure": "Unsure",
    "undo": "Undo",
    "previous": "Previous",
    "next": "Next",
    "outline": "Outlines",
    "why": "Why is it rejected? One key decides.",
    "same": "Same as last",
    "decided": "decided",
    "left": "left",
    "per_hour": "an hour",
    "unsaved": "{n} not saved yet",
    "finished": "Every candidate of this queue is decided. Widen the filter above, or go to Exports.",
    "nothing": "No candidate passes this filter.",
}


_mount = st.components.v2.component(
    "minedisc_review_panel",
    html='<div class="md-panel"></div>',
    js=(HERE / "panel.js").read_text("utf-8"),
    css=(HERE / "panel.css").read_text("utf-8"),
    isolate_styles=False,
)


def show(queue: Queue, run_id: str | None, analyst: str) -> Any:
    """Mount the panel on a queue; its state: `current` (candidate id), `analyst`, `stale`."""
    return _mount(
        key="panel",
        data={
            "base": f"{addresses.prefix()}/minedisc",
            "token": shared.house().signer.token(SCOPE),
            "queue": queue.name,
            "total": queue.total,
            "index": queue.index,
            "run": run_id,
            "analyst": analyst,
            "items": items(queue.name, max(0, queue.index - 2), FIRST_WINDOW)["items"],
            "counters": counters(run_id, analyst),
            "texts": TEXTS,
            "statuses": {str(status): label for status, label in words.STATUS.items()},
            "reasons": [_reason(reason, label) for reason, label in words.REASON.items()],
        },
        on_current_change=_nothing,
        on_analyst_change=_nothing,
        on_stale_change=_nothing,
    )


def _reason(reason: Reason, label: str) -> dict[str, str]:
    return {"code": str(reason), "key": words.REASON_KEYS[reason], "label": label}


def _nothing() -> None:
    """The page reads the panel's state after the run: no callback is needed."""


def items(queue: str, start: int, count: int, around: str = "") -> dict[str, Any]:
    """Candidates `start` to `start + count` of a queue, or those around one of its candidates.

    Raises:
        UsageError: the queue is not known any more.
    """
    order = shared.house().queues.get(queue)
    if order is None:
        raise UsageError("this review queue is not known any more", remedy="reload the page")
    if around:
        start = max(0, order.index(around) - 2) if around in order else len(order)
    window = order[start : start + count]
    found = {candidate.candidate_id: candidate for candidate in shared.store().candidates_by_id(window)}
    made = [facts.item(found[name], start + k) for k, name in enumerate(window) if name in found]
    return {"queue": queue, "items": made}


def counters(run_id: str | None, analyst: str) -> dict[str, Any]:
    """Decided and left in the run (or in all), and the analyst's own pace."""
    everybody = shared.store().counters(run_id)
    mine = shared.store().counters(run_id, analyst or None)
    return {"decided": everybody.decided, "left": everybody.left, "total": everybody.total, "per_hour": mine.per_hour}
