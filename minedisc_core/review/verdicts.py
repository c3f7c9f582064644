"""A verdict as a person gives it: checked before it becomes an event."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime

from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import VERDICTS, Impact, Reason, Status, VerdictEvent
from minedisc_core.errors import UsageError
from minedisc_core.review.footprints import checked_footprint
from minedisc_core.store.text import one_line, several_lines

NOTES_LENGTH = 2_000
"""Most characters of a note."""
ANALYST_LENGTH = 80
NOBODY = "analyst"
"""Name that stands for a person who gave none."""
_EVENT_ID_LENGTH = 100


def new_verdict(
    candidate_id: str,
    verdict: Status,
    analyst: str = "",
    *,
    reason: Reason | None = None,
    notes: str = "",
    impact: Impact | None = None,
    moved: tuple[float, float] | None = None,
    footprint: BaseGeometry | None = None,
    batch_id: str | None = None,
    event_id: str | None = None,
    at_utc: datetime | None = None,
) -> VerdictEvent:
    """A verdict ready for `Store.record`. It says all: what it leaves out is no longer in force.

    Args:
        candidate_id: the candidate.
        verdict: CONFIRMED, REJECTED or UNSURE.
        analyst: who decides; control characters go, nobody becomes "analyst".
        reason: needed for a rejection, and for nothing else.
        notes: free text of at most `NOTES_LENGTH` characters.
        impact: corrected class, with a confirmation only.
        moved: longitude and latitude (EPSG:4326) where the mine really is.
        footprint: outline that the person drew, Polygon or MultiPolygon (EPSG:4326); see `checked_footprint`.
        batch_id: UUID shared by verdicts of one gesture: one undo takes all of them back.
        event_id: the client's UUID, so that a retry is harmless; None makes one.
        at_utc: when it was given; None is now. A time with a zone is turned into naive UTC.

    Raises:
        UsageError: the parts do not fit together.
    """
    if verdict not in VERDICTS:
        raise UsageError(f"The verdict is {verdict!r}", ", ".join(VERDICTS), "use undo to take a verdict back")
    _check_reason(verdict, reason)
    _check_impact(verdict, impact)
    lon, lat = _checked_point(moved)
    return VerdictEvent(
        event_id=_checked_id(event_id),
        candidate_id=candidate_id,
        verdict=verdict,
        analyst=one_line(analyst, ANALYST_LENGTH) or NOBODY,
        at_utc=naive_utc(at_utc),
        reason=reason,
        notes=_checked_notes(notes),
        impact=impact,
        moved_lon=lon,
        moved_lat=lat,
        footprint=None if footprint is None else checked_footprint(footprint),
        batch_id=None if batch_id is None else _checked_id(batch_id),
    )


def _check_reason(verdict: Status, reason: Reason | None) -> None:
    if verdict is Status.REJECTED and reason is None:
        raise UsageError("A rejection came without a reason", ", ".join(Reason), "say why: it trains the next model")
    if verdict is not Status.REJECTED and reason is not None:
        raise UsageError(f"The reason {reason} came with {verdict}", "a reason with a rejection only")


def _check_impact(verdict: Status, impact: Impact | None) -> None:
    if impact is None:
        return
    if verdict is not Status.CONFIRMED or impact is Impact.UNKNOWN:
        raise UsageError(
            f"The impact class {impact} came with {verdict}", "high, low or no_ore, with a confirmation only"
        )


def _checked_point(moved: tuple[float, float] | None) -> tuple[float | None, float | None]:
    if moved is None:
        return None, None
    try:
        lon, lat = (float(value) for value in moved)
    except OverflowError:  # a whole number of hundreds of digits
        lon = lat = math.inf
    if not (math.isfinite(lon) and math.isfinite(lat) and -180 <= lon <= 180 and -90 <= lat <= 90):
        raise UsageError(f"The point was moved to {lon}, {lat}", "longitude and latitude in degrees")
    return lon, lat


def _checked_notes(notes: str) -> str:
    kept = several_lines(notes)
    if len(kept) > NOTES_LENGTH:
        raise UsageError(f"The note has {len(kept):,} characters", f"at most {NOTES_LENGTH:,}", "shorten it")
    return kept


def _checked_id(event_id: str | None) -> str:
    if event_id is None:
        return str(uuid.uuid4())
    if not event_id or event_id != one_line(event_id, _EVENT_ID_LENGTH):
        raise UsageError(f"The event's id is {one_line(event_id, 40)!r}", "a UUID")
    return event_id


def naive_utc(at_utc: datetime | None) -> datetime:
    """A time as naive UTC; None is now."""
    if at_utc is None:
        return datetime.now(UTC).replace(tzinfo=None)
    return at_utc.astimezone(UTC).replace(tzinfo=None) if at_utc.tzinfo else at_utc
