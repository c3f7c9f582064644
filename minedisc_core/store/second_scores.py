"""What a second model says of each candidate: its greatest score on the place, in the same mosaic.

Two runs are set side by side if they scanned the same mosaic (by its identity) with different models (by theirs).
Of several the one that finished last and has a score on the place counts. Scores of two models are not on one scale,
so each is taken against its own cut-off: 0 at the cut-off, 1 at the highest score, -1 at the lowest; the disagreement
is the distance, 0..2.
"""

from __future__ import annotations

from collections.abc import Sequence
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
            _renew(cursor, scan, sorted(beside, key=lambda other: (other.finished, other.run_id), reverse=True))


def _renew(cursor: Cursor, own: _Scan, others: Sequence[_Scan]) -> None:
    if not others:  # no other model scanned here: no outline is read
        cleared = ", ".join(f"{name} = NULL" for name in SECOND_COLUMNS)
        cursor.execute(f"UPDATE states SET {cleared} WHERE run_id = ? AND second_run IS NOT NULL", [own.run_id])  # noqa: S608  # our own names
        return
    sites = cursor.execute(
        "SELECT site_no, polygon, score FROM sites WHERE run_id = ? ORDER BY site_no", [own.run_id]
    ).fetchall()
    if not sites:
        return
    polygons = valid(shapely.from_wkb(np.fromiter((row[1] for row in sites), object, len(sites))))
    scores, which = np.full(len(sites), np.nan), np.full(len(sites), -1)
    for number, other in enumerate(others):
        left = np.flatnonzero(which < 0)
        found = greatest_scores(other.folder / SCORES, polygons[left]) if len(left) else None
        if found is not None:
            scores[left] = found
            which[left[np.isfinite(found)]] = number
    first = _against(np.array([row[2] for row in sites]), np.full(len(sites), own.threshold))
    cut_offs = np.array([*(other.threshold for other in others), np.nan])[which]
    unknown = which < 0
    columns = (
        pa.array(scores, pa.float64(), mask=unknown),
        pa.array([others[number].run_id if number >= 0 else None for number in which.tolist()], pa.string()),
        pa.array(np.abs(first - _against(scores, cut_offs)), pa.float64(), mask=unknown),
    )
    _write(cursor, [row[0] for row in sites], columns)


def _against(scores: NDArray[np.float64], cut_offs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores against cut-offs: -1..1, 0 at the cut-off."""
    over = (scores - cut_offs) / np.maximum(1 - cut_offs, 1e-9)
    under = (scores - cut_offs) / np.maximum(cut_offs, 1e-9)
    return np.clip(np.where(scores >= cut_offs, over, under), -1, 1)


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
