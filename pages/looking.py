"""Who looks at what: a look is noted, and the candidate is kept for the one who looks, for some minutes."""

from __future__ import annotations

from typing import Any

from minedisc_core.errors import UsageError
from minedisc_core.grid import geodesic_area_ha
from minedisc_core.review import footprint_from_geojson
from pages import history, sent, shared, words


def take(asked: dict[str, Any], bound: str) -> dict[str, Any]:
    """Note a look at a candidate; without a candidate, the browser tab's lease ends.

    Returns:
        `held_by`: who else is looking at it, empty if nobody; `others`: candidates that others look at, with their
        names; and of the candidate what the store says now (`history.state`).

    Raises:
        UsageError: the body is not what the panel sends.
        EventRefused: there is no such candidate.
    """
    analyst, client = sent.analyst(asked, bound), sent.uuid(asked, "client")
    candidate_id = sent.text(asked, "candidate_id")
    if not client:
        raise UsageError("this look names no browser tab", "a UUID as client", sent.RELOAD)
    leases = shared.house().leases
    said_at = sent.number(asked, "said_at")
    if not candidate_id:
        leases.leave(client, said_at)
        return {"held_by": "", "others": leases.others(client)}
    found = shared.store().candidate(candidate_id)
    shared.store().mark_seen([candidate_id], analyst)
    shared.house().queues.look(sent.text(asked, "queue"), candidate_id)
    held_by = leases.look(candidate_id, analyst, client, said_at) or ""
    now = history.state(found, shared.store().history(candidate_id))
    return {"held_by": held_by, "others": leases.others(client), **now}


def area(asked: dict[str, Any]) -> dict[str, Any]:
    """The geodesic area of an outline that is being drawn: `area_ha` and the same in words.

    Raises:
        UsageError: it is no polygon that could be a footprint.
    """
    area_ha = geodesic_area_ha(footprint_from_geojson(asked.get("geometry")))
    return {"area_ha": area_ha, "text": words.ha(area_ha)}
