"""What a person can do with a home: each verb takes a store, the settings and plain arguments, and gives plain JSON.

Every verb may be repeated: taking in twice changes nothing, a verdict carries its own id, an export writes
the same file again, a register file of identical content is the same snapshot.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_args

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import (
    Candidate,
    Change,
    Impact,
    PriorityWeights,
    Reason,
    RegisterKind,
    RegisterStatus,
    Site,
    Status,
)
from minedisc_core.errors import UsageError
from minedisc_core.exports import export as write_export
from minedisc_core.jobs.collector import collector_paused
from minedisc_core.learning import samples
from minedisc_core.registers import matching, snapshots
from minedisc_core.registers.active import load_active
from minedisc_core.review import footprint_from, new_verdict
from minedisc_core.review import summary as tally
from minedisc_core.runs import read_sites, read_summary
from minedisc_core.service.corrections import correct_point, corrections, undo_correction
from minedisc_core.service.learning import LEARNING_VERBS
from minedisc_core.service.records import candidate_record, plain, priority_record
from minedisc_core.settings import Settings
from minedisc_core.store import CandidateFilter, Order, Store

Verb = Callable[..., Any]
Word = TypeVar("Word", bound=StrEnum)


def take_in(store: Store, settings: Settings, run_dir: str) -> dict[str, Any]:
    """Read a finished run's folder into the database and match its sites with the registers.

    Raises:
        RunError: the run is not finished, or its files cannot be read.
    """
    folder = Path(run_dir).resolve()
    with collector_paused():
        summary, sites = read_summary(folder), read_sites(folder)
        matches = matching.match_sites(sites, load_active(settings))
    taken = store.take_in(summary, folder, sites, matches)
    return {
        **plain(taken),
        "state": summary.state.value,
        "sites": len(sites),
        "discarded": sum(site.discarded for site in sites),
        "coverage": plain(summary.coverage) | {"fraction": summary.coverage.fraction},
        "register_status": _count(match.status for match in matches),
        "by_change": plain(store.by_change(taken.run_id)),
        "problems": list(summary.problems),
    }


def candidates(
    store: Store,
    settings: Settings,
    run_id: str | None = None,
    statuses: Sequence[str] = (),
    impacts: Sequence[str] = (),
    register_statuses: Sequence[str] = (),
    reasons: Sequence[str] = (),
    changes: Sequence[str] = (),
    analysts: Sequence[str] = (),
    lands: Sequence[str] = (),
    score_min: float | None = None,
    score_max: float | None = None,
    box: Sequence[float] | None = None,
    seen: bool | None = None,
    include_discarded: bool = False,
    order: str = "score",
    limit: int | None = None,
    with_history: bool = False,
) -> list[dict[str, Any]]:
    """The candidates that meet all choices, as `records.candidate_record` describes them, with their priority.

    The choices are those of `CandidateFilter`; `box` is west, south, east, north (EPSG:4326). With
    `with_history` each has all its events too, oldest first.

    Raises:
        UsageError: a word that is none of the known ones, or a box that is none.
    """
    if order not in get_args(Order):
        raise UsageError(f"order is {order!r}", ", ".join(get_args(Order)))
    chosen = CandidateFilter(
        run_id=run_id,
        statuses=tuple(_word(Status, text) for text in statuses),
        impacts=tuple(_word(Impact, text) for text in impacts),
        register_statuses=tuple(_word(RegisterStatus, text) for text in register_statuses),
        reasons=tuple(_word(Reason, text) for text in reasons),
        changes=tuple(_word(Change, text) for text in changes),
        analysts=tuple(analysts),
        lands=tuple(lands),
        score_min=score_min,
        score_max=score_max,
        box=_box(box),
        seen=seen,
        include_discarded=include_discarded,
        order=order,  # type: ignore[arg-type]  # checked above
        weights=settings.priority_weights,
    )
    return _records(store, settings.priority_weights, store.candidates(chosen, limit=limit), with_history)


def _records(
    store: Store, weights: PriorityWeights, found: Sequence[Candidate], with_history: bool
) -> list[dict[str, Any]]:
    records = [candidate_record(each) | {"priority": priority_record(each, weights)} for each in found]
    if not with_history:
        return records
    histories = store.histories([candidate.candidate_id for candidate in found])
    return [record | {"history": plain(histories[record["candidate_id"]])} for record in records]


def _box(edges: Sequence[float] | None) -> tuple[float, float, float, float] | None:
    if edges is None:
        return None
    if len(edges) != 4 or not (edges[0] <= edges[2] and edges[1] <= edges[3]):
        raise UsageError(f"the box is {', '.join(map(str, edges))}", "west, south, east, north in degrees")
    return (edges[0], edges[1], edges[2], edges[3])


def verdict(
    store: Store,
    _settings: Settings,
    candidate_id: str,
    verdict: str,
    analyst: str,
    reason: str | None = None,
    notes: str = "",
    impact: str | None = None,
    moved: Sequence[float] | None = None,
    event_id: str | None = None,
    footprint: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Store what a person decided; the candidate as it is then.

    Args:
        store: the store.
        candidate_id: of a run that was taken in.
        verdict: confirmed, rejected or unsure.
        analyst: who decided.
        reason: why rejected, a `Reason`; None with a rejection counts as `other`.
        notes: free text.
        impact: corrected class, with a confirmation.
        moved: longitude and latitude (EPSG:4326) where the mine really is.
        event_id: UUID made by the caller, so that a repeated call changes nothing.
        footprint: outline that the person drew, GeoJSON of polygons (EPSG:4326).

    Raises:
        UsageError: an unknown word, a footprint that is none, or a reason without a rejection.
        StoreError: no such candidate.
    """
    if moved is not None and len(moved) != 2:
        raise UsageError(f"the point has {len(moved)} numbers", "longitude and latitude")
    status = _word(Status, verdict)
    why = _word(Reason, reason) if reason else None
    event = new_verdict(
        candidate_id,
        status,
        analyst,
        reason=why or (Reason.OTHER if status is Status.REJECTED else None),
        notes=notes,
        impact=_word(Impact, impact) if impact else None,
        moved=(moved[0], moved[1]) if moved else None,
        footprint=None if footprint is None else footprint_from(footprint),
        event_id=event_id,
    )
    store.record([event])
    return candidate_record(store.candidate(candidate_id))


def undo(
    store: Store, _settings: Settings, analyst: str, candidate_id: str | None = None, event_id: str | None = None
) -> dict[str, Any] | None:
    """Undo the analyst's last verdict (on that candidate), with those given in the same gesture.

    The candidate as it is then, and in `undone` the ids of all that were undone; None if there was none.
    """
    undone = [event.candidate_id for event in store.undo(analyst, event_id or str(uuid.uuid4()), candidate_id)]
    return candidate_record(store.candidate(undone[0])) | {"undone": undone} if undone else None


def cut_samples(store: Store, settings: Settings) -> dict[str, int]:
    """Cut the pixels of queued samples; how many were cut now."""
    return {"cut": samples.cut_pending(store, settings)}


def summary(store: Store, _settings: Settings, run_id: str | None = None) -> dict[str, Any]:
    """The paper's tally: km2 seen, sites, confirmed, unregistered, by impact class and protected land."""
    found: dict[str, Any] = plain(tally(store, run_id))
    return found


def runs(store: Store, _settings: Settings) -> list[dict[str, Any]]:
    """The runs that were taken in, with their counts."""
    return [plain(row) | {"run_id": row.run_id} for row in store.runs()]


def export(
    store: Store,
    _settings: Settings,
    out: str,
    format: str,  # noqa: A002 - the word people use for it
    include_all: bool = False,
    run_id: str | None = None,
) -> dict[str, Any]:
    """Write confirmed unregistered candidates (all undiscarded ones with `include_all`) to a file."""
    found: dict[str, Any] = plain(write_export(store, Path(out), format, include_all=include_all, run_id=run_id))
    return found


def registers_add(
    store: Store,
    settings: Settings,
    kind: str,
    path: str,
    as_of: str | None = None,
    coverage: str | None = None,
    coverage_polygon: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Load a register file as a dated snapshot and match every candidate again.

    `also_in_force` lists the snapshots that the file may have been meant to replace, each with a `notice`: loading
    takes nothing out of force.

    Args:
        store: the store.
        settings: names the home.
        kind: a `RegisterKind`.
        path: the file.
        as_of: date the register is from, `YYYY-MM-DD`; else today.
        coverage: states such as `MG,PA`, or `everywhere`.
        coverage_polygon: GeoJSON geometry, EPSG:4326, of what the register covers.

    Raises:
        RegisterError: the file cannot be read or holds nothing usable.
    """
    polygon: BaseGeometry | None = shape(coverage_polygon) if coverage_polygon else None
    before = snapshots.list_snapshots(settings)
    snapshot, table = snapshots.add_snapshot(
        settings, _word(RegisterKind, kind), Path(path), as_of=_day(as_of), coverage=coverage, coverage_polygon=polygon
    )
    changes = rematch(store, settings, f"{snapshot.kind} {snapshot.name} loaded")
    beside = snapshots.still_beside(snapshot, before)
    return {
        "snapshot": plain(snapshot),
        "problems": plain(table.problems),
        "changes": changes,
        "also_in_force": [plain(other) | {"notice": snapshots.beside_notice(other)} for other in beside],
    }


def registers_list(_store: Store | None, settings: Settings, include_retired: bool = False) -> list[dict[str, Any]]:
    """The loaded snapshots; they are files, so no store is needed."""
    return [plain(snapshot) for snapshot in snapshots.list_snapshots(settings, include_retired)]


def registers_retire(store: Store, settings: Settings, snapshot_id: str) -> dict[str, Any]:
    """Take a snapshot out of use and match every candidate again."""
    snapshots.retire_snapshot(settings, snapshot_id)
    return {"snapshot_id": snapshot_id, "changes": rematch(store, settings, f"{snapshot_id} retired")}


def rematch(store: Store, settings: Settings, note: str) -> list[dict[str, Any]]:
    """Match all candidates with the registers as they are now; the statuses that changed."""
    with collector_paused():
        sites: Sequence[Site] = store.all_sites()
        matches = matching.match_sites(sites, load_active(settings))
    return [plain(change) for change in store.rematch([site.site_id for site in sites], matches, note)]


def _count(words: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[str(word.value)] = counts.get(str(word.value), 0) + 1
    return counts


def _word(kind: type[Word], text: str) -> Word:
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no {kind.__name__.lower()}", ", ".join(word.value for word in kind)) from error


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise UsageError(f"the date is {text!r}", "YYYY-MM-DD") from error


VERBS: dict[str, Verb] = {
    verb.__name__: verb
    for verb in (
        take_in,
        candidates,
        verdict,
        undo,
        cut_samples,
        summary,
        runs,
        export,
        registers_add,
        registers_list,
        registers_retire,
        correct_point,
        undo_correction,
        corrections,
    )
} | dict(LEARNING_VERBS)
"""Every verb by its name."""
