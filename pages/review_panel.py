"""The review panel: a components-v2 component, the queue it walks and the verdicts it sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from minedisc_core.domain import Impact, Reason, Status
from minedisc_core.imagery.indices import INDICES, Index
from pages import addresses, analysts, map_sites, map_texts, panel_texts, queues, words
from pages.queues import Queue
from pages.texts import language

FIRST_WINDOW = 30
"""Candidates that come with the page; later ones are fetched ahead of the keys."""
HERE = Path(__file__).parent / "panel"
SCRIPTS = (
    "elements", "outbox", "keys", "chips", "facts", "drafts", "reasons", "looking", "queue", "decisions",
    "map_tiles", "map_tools", "map_editor", "map_sites", "map_view", "grid", "view", "panel",
)  # fmt: skip
"""Files of the component, joined to one module in this order."""
STYLES = ("panel", "grid")

KEYS = {
    "confirm": "a", "reject": "x", "unsure": "u", "undo": "z", "next": "n", "previous": "p", "next_undecided": "j",
    "class": "k", "notes": "e", "outlines": "o", "stretch": "s", "index": "i", "zoom": "v", "before_after": "b",
    "layers": "l", "lock_zoom": "w", "move": "m", "footprint": "f", "grid": "g", "help": "h",
}  # fmt: skip
"""Action -> key, as long as the analyst has not chosen another; never C or R, which Streamlit takes for itself."""
CLASSES = (Impact.HIGH, Impact.LOW, Impact.NO_ORE)
"""What a person can say of a site's impact."""


_mount = st.components.v2.component(
    "minedisc_review_panel",
    html='<div class="md-panel"></div>',
    js="\n".join((HERE / f"{name}.js").read_text("utf-8") for name in SCRIPTS),
    css="\n".join((HERE / f"{name}.css").read_text("utf-8") for name in STYLES),
    isolate_styles=False,
)


def show(queue: Queue, run_id: str | None, analyst: str) -> Any:
    """Mount the panel on a queue; state: `analyst`; triggers: `stale` (a new queue, please), `box` (of a place)."""
    return _mount(
        key="panel",
        data={
            "base": f"{addresses.prefix()}/minedisc",
            "token": analysts.token(),
            "lang": language(),
            "queue": queue.name,
            "total": queue.total,
            "index": queue.index,
            "run": run_id,
            "box": queue.wanted.box,
            "many_sites": map_sites.are_many(queue.wanted),
            "holds_undecided": not queue.wanted.statuses or Status.UNDECIDED in queue.wanted.statuses,
            "analyst": analyst,
            "items": queues.window(queue.name, max(0, queue.index - 2), FIRST_WINDOW)["items"],
            "counters": queues.counters(run_id, analyst),
            "texts": panel_texts.texts() | map_texts.texts(),
            "keys": KEYS,
            "statuses": {str(status): label for status, label in words.STATUS.items()},
            "reasons": [_reason(reason, label) for reason, label in words.REASON.items()],
            "impacts": [{"code": str(code), "label": words.IMPACT[code]} for code in CLASSES],
            "indices": [_index(kind, index) for kind, index in INDICES.items()],
        },
        on_analyst_change=_nothing,
        on_stale_change=_nothing,
        on_box_change=_nothing,
    )


def _reason(reason: Reason, label: str) -> dict[str, str]:
    return {"code": str(reason), "key": words.REASON_KEYS[reason], "label": label}


def _index(kind: str, index: Index) -> dict[str, Any]:
    """A kind of chip with the legend of its colours."""
    ends = {"low": f"{index.low:g}", "high": f"{index.high:g}"}
    return {"kind": kind, "label": words.CHIP[kind], "colours": index.css_colours, **ends}


def _nothing() -> None:
    """The page reads the panel's state after the run: no callback is needed."""
