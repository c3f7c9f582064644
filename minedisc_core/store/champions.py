"""Champions and retrainings: which model scans by default, how it became that, and who is held out for ever.

All three tables are append-only. The champion of a product level and its bands is what the last line for them says,
so a promotion is one row in one transaction, and a rollback is one more row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from minedisc_core.errors import StoreError
from minedisc_core.store.connection import Cursor, maybe_row
from minedisc_core.store.loop_records import ChampionAction, ChampionEvent, RetrainingRow, Spot

_EVENT = (
    "event_no, event_id, given_utc, action, level, bands, model, model_folder, model_identity, previous,"
    " previous_folder, previous_identity, retraining_id, analyst, reason, report"
)


def add_event(cursor: Cursor, event: ChampionEvent) -> None:
    """Write a promotion or a rollback; one that is there already (same id) is left as it is.

    Raises:
        StoreError: the champion is not the one that the event replaces: somebody was quicker.
    """
    if maybe_row(cursor.execute("SELECT 1 FROM champion_events WHERE event_id = ?", [event.event_id])):
        return
    now = champion(cursor, event.level, event.bands)
    if (now.model_identity if now else "") not in (event.previous_identity, ""):
        raise StoreError(
            f"the champion is {now.model if now else 'another'} by now",
            f"{event.previous or 'none'}, which this was judged against",
            "look at it again",
        )
    cursor.execute(
        "INSERT INTO champion_events VALUES (nextval('champion_numbers'), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [event.event_id, event.at_utc, event.action, event.level, _words(event.bands), event.model, str(event.folder),
         event.model_identity, event.previous, str(event.previous_folder), event.previous_identity,
         event.retraining_id, event.analyst, event.reason, json.dumps(event.report)],
    )  # fmt: skip


def champion(cursor: Cursor, level: str, bands: Sequence[str]) -> ChampionEvent | None:
    """The event that made the champion of a product level and its bands; None if none was ever made."""
    found = events(cursor, level, bands)
    return found[0] if found else None


def events(cursor: Cursor, level: str | None = None, bands: Sequence[str] | None = None) -> list[ChampionEvent]:
    """Promotions and rollbacks, newest first; of one level and its bands (in any order), or all."""
    rows = cursor.execute(
        f"SELECT {_EVENT} FROM champion_events WHERE (? IS NULL OR level = ?) AND (? IS NULL OR bands = ?)"  # noqa: S608  # fixed texts
        " ORDER BY event_no DESC",
        [level, level, None if bands is None else _words(bands), None if bands is None else _words(bands)],
    ).fetchall()
    return [_event(row) for row in rows]


def _words(bands: Sequence[str]) -> str:
    return " ".join(sorted(bands))


def _event(row: tuple[object, ...]) -> ChampionEvent:
    _, event_id, at_utc, action, level, bands, *rest = row
    model, folder, identity, previous, before, before_identity, retraining, analyst, reason, report = map(str, rest)
    if not isinstance(at_utc, datetime):
        raise StoreError("The database gave an event without a time", remedy="report this as a fault")
    return ChampionEvent(
        str(event_id), at_utc, ChampionAction(str(action)), str(level), tuple(str(bands).split()), model, Path(folder),
        identity, previous, Path(before), before_identity, retraining, analyst, reason, json.loads(report),
    )  # fmt: skip


def add_retraining(cursor: Cursor, row: RetrainingRow, spots: Sequence[Spot]) -> None:
    """Write down a retraining with all its samples and on which side each stands; once.

    Raises:
        StoreError: a sample of it was held out earlier and would be learned from now.
    """
    if maybe_row(cursor.execute("SELECT 1 FROM retrainings WHERE retraining_id = ?", [row.retraining_id])):
        return
    held = {spot.sample_id for spot in spots_of(cursor, is_held_out=True)}
    broken = [spot.sample_id for spot in spots if spot.sample_id in held and not spot.is_held_out]
    if broken:
        count = f"{len(broken)} held-out samples"
        raise StoreError(f"{count} would be learned from", "none, ever", "report this as a fault")
    cursor.execute(
        "INSERT INTO retrainings VALUES (?, ?, ?, ?, ?, ?, ?)",
        [row.retraining_id, row.begun_at_utc, str(row.folder), row.champion, row.champion_identity, row.out,
         row.dataset],
    )  # fmt: skip
    columns = [[getattr(spot, name) for spot in spots] for name in ("sample_id", "lon", "lat", "place", "is_held_out")]
    cursor.execute(
        "INSERT INTO retraining_spots SELECT ?, unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)",
        [row.retraining_id, *columns],
    )


def spots_of(cursor: Cursor, *, is_held_out: bool) -> list[Spot]:
    """Every sample that any retraining held out, or learned from; each once."""
    rows = cursor.execute(
        "SELECT DISTINCT ON (sample_id) sample_id, lon, lat, place, held_out FROM retraining_spots WHERE held_out = ?"
        " ORDER BY sample_id",
        [is_held_out],
    ).fetchall()
    return [Spot(*row) for row in rows]


def retrainings(cursor: Cursor) -> list[RetrainingRow]:
    """Retrainings that were begun, newest first."""
    rows = cursor.execute(
        "SELECT retraining_id, begun_utc, folder, champion, champion_identity, out_name, dataset FROM retrainings"
        " ORDER BY begun_utc DESC, retraining_id DESC"
    ).fetchall()
    return [RetrainingRow(row[0], row[1], Path(row[2]), *row[3:]) for row in rows]


def utc_now() -> datetime:
    """Now, naive UTC, as the tables keep it."""
    return datetime.now(UTC).replace(tzinfo=None)
