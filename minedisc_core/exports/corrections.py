"""Corrected points of registers as CSV: where the register has them, where they are, who said so and when."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from minedisc_core.exports.table import safe_cell
from minedisc_core.store import CorrectionEvent

COLUMNS = ("register", "register_id", "line", "lon", "lat", "decision", "corrected_lon", "corrected_lat", "analyst",
           "at_utc")  # fmt: skip


def corrections_csv(events: Sequence[CorrectionEvent]) -> bytes:
    """One row a decision, UTF-8 with a byte-order mark (spreadsheets know it by that), degrees EPSG:4326."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for event in events:
        writer.writerow([
            safe_cell(event.source), event.register_id, event.line, event.lon, event.lat, event.action,
            event.new_lon, event.new_lat, safe_cell(event.analyst), event.given_at_utc.isoformat(timespec="seconds"),
        ])  # fmt: skip
    return text.getvalue().encode("utf-8-sig")
