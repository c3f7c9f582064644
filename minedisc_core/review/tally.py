"""The paper's tally: how much was seen, what was found, what of it stands in no register."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from minedisc_core.domain import UNREGISTERED, Candidate, Status
from minedisc_core.store import CandidateFilter, Store


@dataclass(frozen=True)
class ClassTally:
    """Confirmed candidates of one impact class."""

    impact: str
    confirmed: int
    unregistered: int


@dataclass(frozen=True)
class LandTally:
    """Confirmed candidates that meet one protected land."""

    name: str
    kind: str
    confirmed: int
    unregistered: int


@dataclass(frozen=True)
class Tally:
    """What `minedisc summary` prints."""

    runs: int
    km2_seen: float
    """Sum over the runs: ground seen by two runs counts twice."""
    sites: int
    """Without the discarded ones."""
    discarded: int
    undecided: int
    confirmed: int
    """Over all runs a place counts once, by the candidate of its newest run; so do the figures made from it."""
    rejected: int
    unsure: int
    unregistered: int
    """Confirmed, and nothing found in the registers or only a title without extraction right."""
    not_checked: int
    """Confirmed, but a register is missing there: never counted as unregistered."""
    repeats: int
    """Confirmed candidates that are not counted because their place is confirmed in a newer run too."""
    by_impact: tuple[ClassTally, ...]
    by_land: tuple[LandTally, ...]
    by_register_status: dict[str, int]
    """Confirmed candidates by register status."""
    by_change: dict[str, int]
    """Candidates, decided or not, by what became of the place against a scan of another date."""


def summary(store: Store, run_id: str | None = None) -> Tally:
    """The tally of one run or of all.

    Raises:
        StoreError: the run was not taken in.
    """
    runs = [store.run(run_id)] if run_id is not None else store.runs()
    confirmed = store.candidates(CandidateFilter(run_id=run_id, statuses=(Status.CONFIRMED,)))
    repeats = store.confirmed_repeats() if run_id is None else frozenset()
    found = [candidate for candidate in confirmed if candidate.candidate_id not in repeats]
    by_status = Counter(str(candidate.match.status) for candidate in found)
    return Tally(
        runs=len(runs),
        km2_seen=sum(run.summary.coverage.seen_km2 for run in runs),
        sites=sum(run.candidates for run in runs),
        discarded=sum(run.discarded for run in runs),
        undecided=sum(run.undecided for run in runs),
        confirmed=len(found),
        rejected=sum(run.rejected for run in runs),
        unsure=sum(run.unsure for run in runs),
        unregistered=sum(by_status[str(status)] for status in UNREGISTERED),
        not_checked=by_status["not_checked"],
        repeats=len(confirmed) - len(found),
        by_impact=_by_impact(found),
        by_land=_by_land(found),
        by_register_status=dict(by_status),
        by_change={str(change): count for change, count in store.by_change(run_id).items()},
    )


def is_unregistered(candidate: Candidate) -> bool:
    """Whether the registers hold nothing that lets anybody extract there. Not an accusation."""
    return candidate.match.status in UNREGISTERED


def _by_impact(found: Sequence[Candidate]) -> tuple[ClassTally, ...]:
    confirmed = Counter(str(candidate.impact) for candidate in found)
    unregistered = Counter(str(candidate.impact) for candidate in found if is_unregistered(candidate))
    return tuple(ClassTally(name, count, unregistered[name]) for name, count in confirmed.most_common())


def _by_land(found: Sequence[Candidate]) -> tuple[LandTally, ...]:
    met = [({(land.name, land.kind) for land in c.match.lands}, is_unregistered(c)) for c in found]
    confirmed = Counter(land for lands, _ in met for land in lands)
    unregistered = Counter(land for lands, is_open in met if is_open for land in lands)
    ordered = sorted(confirmed, key=lambda land: (-confirmed[land], land))
    return tuple(LandTally(*land, confirmed[land], unregistered[land]) for land in ordered)
