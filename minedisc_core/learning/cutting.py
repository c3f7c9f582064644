"""Samples: training windows cut from the mosaic of a run after a verdict.

A sample is 255 px of all bands of the mosaic, DN, centred on the peak cell's centre pixel, on the point
an analyst moved it to, or inside the outline drawn with a confirmation. Its middle 201 px are the paper's
window; in 255 px the middle cell scores exactly as in a scan.

HOME/samples/<sample_id>.npz    pixels uint16 (255, 255, band), facts (JSON)
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from shapely.geometry import mapping

from minedisc_core.domain import Candidate
from minedisc_core.errors import ImageryError, MinediscError
from minedisc_core.grid import CONTEXT_PX, PixelWindow
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.learning.run_mosaic import open_run_mosaic
from minedisc_core.runs import write_atomically
from minedisc_core.settings import Settings
from minedisc_core.store import QueueRow, Store


@dataclass(frozen=True)
class QueueCounts:
    """What is in the retraining queue."""

    total: int
    mine: int
    background: int
    by_reason: dict[str, int]
    """Rejected samples (hard negatives) by reason."""
    pending: int
    """Pixels not cut yet."""
    failed: int
    """Pixels that could not be cut; the row says why, and it is tried again."""


def queue(store: Store, include_withdrawn: bool = False) -> list[QueueRow]:
    """The retraining queue, oldest first."""
    return store.sample_queue(include_withdrawn)


def queue_counts(store: Store) -> QueueCounts:
    """The queue by label and reason."""
    rows = queue(store)
    labels, pixels = Counter(row.label for row in rows), Counter(row.pixels for row in rows)
    reasons = Counter(str(row.reason) for row in rows if row.reason)
    return QueueCounts(
        len(rows), labels["mine"], labels["background"], dict(reasons), pixels["pending"], pixels["failed"]
    )


def sample_path(settings: Settings, sample_id: str) -> Path:
    """Where a sample's pixels are."""
    return settings.samples / f"{sample_id}.npz"


def cut_pending(store: Store, settings: Settings) -> int:
    """Cut the pixels of all queued samples that have none; gives the number cut.

    What cannot be cut (mosaic gone, changed, point outside) stays queued with the reason and is tried
    again the next time; nothing is lost.
    """
    waiting = [row for row in store.sample_queue() if _needs_pixels(row, settings)]
    waiting.sort(key=lambda row: row.run_id)
    return sum(_cut_run(store, settings, run_id, list(rows)) for run_id, rows in groupby(waiting, lambda r: r.run_id))


def _needs_pixels(row: QueueRow, settings: Settings) -> bool:
    return row.pixels != "cut" or not sample_path(settings, row.sample_id).is_file()


def _cut_run(store: Store, settings: Settings, run_id: str, rows: Sequence[QueueRow]) -> int:
    try:
        mosaic = open_run_mosaic(store.run(run_id))
    except MinediscError as error:
        for row in rows:
            _note_failure(store, row, error)
        return 0
    with mosaic:
        candidates = store.candidates_by_id([row.candidate_id for row in rows])
        return sum(_cut(store, settings, mosaic, *pair) for pair in zip(rows, candidates, strict=True))


def _cut(store: Store, settings: Settings, mosaic: Mosaic, row: QueueRow, candidate: Candidate) -> bool:
    try:
        content = cut_sample(mosaic, row, candidate)
        write_atomically(sample_path(settings, row.sample_id), content)
    except MinediscError as error:
        _note_failure(store, row, error)
        return False
    store.note_pixels(row.sample_id, "cut", "", hashlib.sha256(content).hexdigest())
    return True


def _note_failure(store: Store, row: QueueRow, error: MinediscError) -> None:
    """Write down why; not again each time it is tried and fails alike, for verdicts would wait for all these writes."""
    if (row.pixels, row.problem) != ("failed", str(error)):
        store.note_pixels(row.sample_id, "failed", str(error))


def cut_sample(mosaic: Mosaic, row: QueueRow, candidate: Candidate) -> bytes:
    """The npz of one sample: `pixels` uint16 (255, 255, band) DN, 0 = no data, and `facts` as JSON.

    Raises:
        ImageryError: the point lies outside the mosaic, or its pixels cannot be read.
    """
    height, width = mosaic.grid.height_px, mosaic.grid.width_px
    centre_row, centre_col = candidate.site.peak_row_px, candidate.site.peak_col_px
    if row.is_moved:
        centre_row, centre_col = mosaic.grid.pixel(row.lon, row.lat)
    if not (0 <= centre_row < height and 0 <= centre_col < width):
        raise ImageryError(
            f"The point {row.lon:.5f}, {row.lat:.5f} lies outside the mosaic", "a point on it", "undo, and move it less"
        )
    half = CONTEXT_PX // 2
    window = PixelWindow(centre_row - half, centre_col - half, CONTEXT_PX, CONTEXT_PX)
    pixels = np.ascontiguousarray(mosaic.read(window, mosaic.bands))
    packed = io.BytesIO()
    np.savez_compressed(packed, pixels=pixels, facts=np.array(json.dumps(_facts(mosaic, row, candidate))))
    return packed.getvalue()


def _facts(mosaic: Mosaic, row: QueueRow, candidate: Candidate) -> dict[str, Any]:
    start, end = candidate.imagery_start, candidate.imagery_end
    return {
        "sample_id": row.sample_id,
        "event_id": row.event_id,
        "candidate_id": row.candidate_id,
        "run_id": row.run_id,
        "label": row.label,
        "reason": None if row.reason is None else str(row.reason),
        "lon": row.lon,
        "lat": row.lat,
        "is_moved": row.is_moved,
        "footprint": None if row.footprint is None else mapping(row.footprint),
        "bands": list(mosaic.bands),
        "level": None if mosaic.level is None else str(mosaic.level),
        "source": mosaic.source,
        "mosaic_identity": mosaic.identity,
        "imagery_start": start.isoformat() if start else None,
        "imagery_end": end.isoformat() if end else None,
    }
