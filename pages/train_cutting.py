"""Cutting samples while the page shows how far it is."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import streamlit as st

from minedisc_core import service
from minedisc_core.errors import UsageError
from minedisc_core.jobs import ScanRequest
from minedisc_core.jobs.request import open_request_mosaics
from minedisc_core.learning.queue_datasets import new_dataset_folder
from minedisc_core.learning.register_samples import NOBODY, People, SampleRequest, make_register_dataset
from minedisc_core.learning.sample_inputs import DECIDED, model_bands, people_of
from pages import shared, train_made
from pages.shared import SessionKeys
from pages.texts import t

_BUSY = threading.Lock()
"""Held while samples are cut: the machine has better to do than to cut twice at once."""


@dataclass(frozen=True)
class Asked:
    """What the widgets say."""

    request: SampleRequest
    mosaics: tuple[ScanRequest, ...]
    model: str | None
    """Whose bands are cut; None: all that the mosaics have."""
    takes_rejected: bool
    takes_corrections: bool
    name: str


def cut(asked: Asked) -> None:
    """Cut the samples with a bar that follows, and keep what came of it for the next run.

    Raises:
        MinediscError: as `make_register_dataset`; the name cannot be one; or samples are cut in another window.
    """
    settings = shared.settings()
    folder = new_dataset_folder(settings, asked.name)
    if not _BUSY.acquire(blocking=False):
        raise UsageError("samples are being cut in another window", "one at a time", "wait for it")
    try:
        with ExitStack() as stack:
            opened = [
                stack.enter_context(mosaic)
                for request in asked.mosaics
                for mosaic in open_request_mosaics(request).values()
            ]
            bands = model_bands(asked.model, asked.request.window_px, opened, settings)
            made, left_out = make_register_dataset(
                asked.request, folder, opened, settings, bands=bands, people=_people(asked), on_progress=_bar()
            )
    finally:
        _BUSY.release()
    st.session_state[SessionKeys.CUT] = train_made.Made(
        made.version, made.hash, made.window_px, Counter(sample.label for sample in made.samples),
        len({sample.place for sample in made.samples}), tuple(left_out),
    )  # fmt: skip


def _bar() -> Callable[[int, int], None]:
    bar, last = st.progress(0.0, t("Reading the register and choosing backgrounds …")), [0.0]

    def tell(done: int, of: int) -> None:
        if done == of or time.monotonic() - last[0] > 0.2:
            last[0] = time.monotonic()
            bar.progress(done / of, t("{done} of {all} points", done=done, all=of))

    return tell


def _people(asked: Asked) -> People:
    """Rejected and confirmed candidates and corrected points of the home, as far as they were asked for."""
    if not (asked.takes_rejected or asked.takes_corrections):
        return NOBODY
    found = _verb("candidates", statuses=list(DECIDED)) if asked.takes_rejected else []
    corrected = _verb("corrections", points=str(asked.request.points)) if asked.takes_corrections else []
    return people_of(found, corrected)


def _verb(name: str, **arguments: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.VERBS[name](shared.store(), shared.settings(), **arguments)
    return found
