"""Who has looked at which candidate; kept apart from verdicts, which it never changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from minedisc_core.store.connection import Cursor
from minedisc_core.store.text import one_line


def mark_seen(cursor: Cursor, candidate_ids: Sequence[str], analyst: str) -> None:
    """Write down the first look of an analyst at each candidate; ids that no candidate has are left out."""
    now = datetime.now(UTC).replace(tzinfo=None)
    ids = list(candidate_ids)
    cursor.execute(
        "INSERT INTO seen_events SELECT candidate_id, ?, ? FROM states WHERE candidate_id IN (SELECT unnest(?))"
        " ON CONFLICT DO NOTHING",
        [one_line(analyst), now, ids],
    )
    cursor.execute("UPDATE states SET seen = true WHERE NOT seen AND candidate_id IN (SELECT unnest(?))", [ids])


def not_looked_at(cursor: Cursor, candidate_ids: Sequence[str], analyst: str) -> list[str]:
    """Those of the candidates that the analyst has not looked at yet, each once."""
    ids = list(dict.fromkeys(candidate_ids))
    rows = cursor.execute(
        "SELECT candidate_id FROM seen_events WHERE analyst = ? AND candidate_id IN (SELECT unnest(?))",
        [one_line(analyst), ids],
    ).fetchall()
    known = {row[0] for row in rows}
    return [candidate_id for candidate_id in ids if candidate_id not in known]


def follow_all_looks(cursor: Cursor) -> None:
    """Fold `seen` of every candidate from the log again."""
    cursor.execute("UPDATE states SET seen = candidate_id IN (SELECT candidate_id FROM seen_events)")
