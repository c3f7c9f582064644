"""What a second model says of each candidate: its greatest score on the place, in the same mosaic.

Two runs are set side by side if they scanned the same mosaic (by its identity) with different models (by theirs). Of
several the one that finished last counts. Scores of two models are not on one scale, so each is taken against its own
cut-off: 0 at the cut-off, 1 at the highest score, -1 at the lowest; the disagreement is the distance, 0..2.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from minedisc_core.imagery.cell_scores import greatest_scores
from minedisc_core.runs import SCORES
from minedisc_core.store.connection import Cursor
from minedisc_core.store.rows import valid

SECOND_COLUMNS = ("second_score", "second_run", "disagreement")


class _Scan(NamedTuple):
    run_id: str
    folder: Path
    mosaic: str
    model: str
    threshold: float
    finished: datetime

    def is_beside(self, other: _Scan) -> bool:
        """Whether the other is of the same known mosaic, by another known model."""
        known = bool(self.mosaic and self.model and other.model)
        return known and self.mosaic == other.mosaic and self.model != other.model


def renew_second_scores(cursor: Cursor, run_id: str | None = None) -> None:
    """Look the second scores up anew for a run and every run beside it; for all runs without one.

    Inside the caller's transaction.
    """
    rows = cursor.execute(
        "SELECT run_id, run_dir, mosaic_identity, coalesce(model_identity, ''), threshold, finished_utc FROM runs"
        " ORDER BY run_id"
    ).fetchall()
    scans = [_Scan(row[0], Path(row[1]), *row[2:]) for row in rows]
    own = next((scan for scan in scans if scan.run_id == run_id), None)
    lost = {row[0] for row in cursor.execute("SELECT DISTINCT run_id FROM states WHERE second_run = ?", [run_id])
            .fetchall()}  # fmt: skip
    for scan in scans:
        if run_id is None or scan is own or scan.run_id in lost or (own is not None and own.is_beside(scan)):
            beside = [other for other in scans if scan.is_beside(other)]
            second = max(beside, key=lambda other: (other.finished, other.run_id), default=None)
            _renew(cursor, scan, second)


def _renew(cursor: Cursor, own: _Scan, second: _Scan | None) -> None:
    sites = cursor.execute(
        "SELECT site_no, polygon, score FROM sites WHERE run_id = ? ORDER BY site_no", [own.run_id]
    ).fetchall()
    if not sites:
        return
    scores: NDArray[np.float64] | None = None
    if second is not None:
        polygons = valid(shapely.from_wkb(np.fromiter((row[1] for row in sites), object, len(sites))))
        scores = greatest_scores(second.folder / SCORES, polygons)
    if scores is None:
        scores = np.full(len(sites), np.nan)
    known = np.isfinite(scores)
    first = _against(np.array([row[2] for row in sites]), own.threshold)
    apart = np.abs(first - _against(scores, second.threshold if second else 0.5))
    columns = (
        pa.array(scores, pa.float64(), mask=~known),
        pa.array([second.run_id if second and is_known else None for is_known in known.tolist()], pa.string()),
        pa.array(apart, pa.float64(), mask=~known),
    )
    _write(cursor, [row[0] for row in sites], columns)


def _against(scores: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Scores against a cut-off: -1..1, 0 at the cut-off."""
    over = (scores - threshold) / max(1 - threshold, 1e-9)
    under = (scores - threshold) / max(threshold, 1e-9)
    return np.clip(np.where(scores >= threshold, over, under), -1, 1)


def _write(cursor: Cursor, numbers: list[int], columns: tuple[pa.Array, ...]) -> None:
    """Only what differs: the other rows are not written again."""
    table = {"site_no": pa.array(numbers, pa.int64()), **dict(zip(SECOND_COLUMNS, columns, strict=True))}
    setting = ", ".join(f"{name} = beside.{name}" for name in SECOND_COLUMNS)
    differs = " OR ".join(f"states.{name} IS DISTINCT FROM beside.{name}" for name in SECOND_COLUMNS)
    cursor.register("beside", pa.table(table))
    try:
        cursor.execute(
            f"UPDATE states SET {setting} FROM beside WHERE states.site_no = beside.site_no AND ({differs})"  # noqa: S608  # our own names
        )
    finally:
        cursor.unregister("beside")
