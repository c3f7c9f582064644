"""What the store gives beside the domain's own types."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import Change, Impact, PriorityWeights, Reason, RegisterStatus, RunSummary, Status

Order = Literal["score", "uncertainty", "oldest", "place", "priority"]
"""score: highest first. uncertainty: nearest to the run's threshold first. oldest: run by run as they
were scanned. place: neighbours follow each other (a Morton curve). priority: the weighted sum of
`store.priority`, highest first."""


@dataclass(frozen=True)
class CandidateFilter:
    """Which candidates; an empty tuple or None leaves that choice open.

    A discarded site ("no ore") is hidden unless asked for, or unless a person confirmed it.
    """

    run_id: str | None = None
    statuses: tuple[Status, ...] = ()
    impacts: tuple[Impact, ...] = ()
    """Class in force: a person's, else the machine's."""
    register_statuses: tuple[RegisterStatus, ...] = ()
    include_discarded: bool = False
    only_discarded: bool = False
    order: Order = "score"
    score_min: float | None = None
    score_max: float | None = None
    lands: tuple[str, ...] = ()
    """Names of protected lands; a candidate that meets one of them is in."""
    reasons: tuple[Reason, ...] = ()
    analysts: tuple[str, ...] = ()
    """Who gave the verdict in force."""
    box: tuple[float, float, float, float] | None = None
    """West, south, east, north (EPSG:4326, edges included) around the peak cell's centre."""
    seen: bool | None = None
    """Whether anybody has looked at it."""
    changes: tuple[Change, ...] = ()
    """Against a scan of another date."""
    weights: PriorityWeights = field(default_factory=PriorityWeights)
    """Of the order by priority."""


@dataclass(frozen=True)
class FilterChoices:
    """What a person can choose from in a filter, sorted."""

    lands: tuple[str, ...]
    """Names of the lands that candidates meet."""
    analysts: tuple[str, ...]
    """Who gave verdicts that are in force."""


@dataclass(frozen=True)
class TakeIn:
    """What taking in a run did."""

    run_id: str
    new: int
    """Candidates that came in; 0 if the run was there before."""
    already_taken_in: bool
    carried_over: int
    """Candidates that got the verdict of the same place in the same imagery."""


@dataclass(frozen=True)
class StatusChange:
    """A candidate whose register status changed because a snapshot was loaded or retired."""

    candidate_id: str
    changed_at_utc: datetime
    before: RegisterStatus
    after: RegisterStatus
    registers_as_of: str
    note: str
    """What happened to the registers, in words."""


@dataclass(frozen=True)
class Counters:
    """How far the review is; hidden (discarded) candidates are not counted.

    With an analyst, `decided`, the three verdicts and `per_hour` are that analyst's; `total` and
    `left` stay everybody's.
    """

    total: int
    decided: int
    left: int
    confirmed: int
    rejected: int
    unsure: int
    per_hour: int
    """Verdicts of the last 60 minutes that were not undone."""


@dataclass(frozen=True)
class AnalystProgress:
    """What one analyst has done."""

    name: str
    confirmed: int
    """Verdicts of theirs that are in force; so for the other two."""
    rejected: int
    unsure: int
    per_hour: int
    """Verdicts of theirs in the last 60 minutes that were not undone."""


@dataclass(frozen=True)
class ScoreBin:
    """Candidates with a score of `low` or more, below `high` (the last bin holds a score of 1 too)."""

    low: float
    high: float
    confirmed: int
    rejected: int
    unsure: int
    undecided: int


@dataclass(frozen=True)
class Progress:
    """How far the review of some candidates is."""

    total: int
    decided: int
    left: int
    seen: int
    """Candidates that anybody has looked at, decided or not."""
    per_hour: int
    """Verdicts of the last 60 minutes that were not undone, of all analysts."""
    by_analyst: tuple[AnalystProgress, ...]
    """In the order of the names."""
    agreement: float | None
    """Share of pairs (confirmed, rejected) of one model in which the confirmed one scores higher, ties half; None
    without both. Scores of two models are never compared."""
    histogram: tuple[ScoreBin, ...]
    """Of even width, without gaps, from the lowest score that occurs to the highest."""
    models: tuple[str, ...] = ()
    """Names of the models whose candidates were decided; one that was changed under its name counts again."""


@dataclass(frozen=True)
class RunRow:
    """A run that was taken in."""

    summary: RunSummary
    run_dir: Path
    taken_in_at_utc: datetime
    candidates: int
    """Without the discarded ones."""
    discarded: int
    undecided: int
    confirmed: int
    rejected: int
    unsure: int
    mosaic_identity: str = ""
    """Identity of the mosaic that was scanned; empty if the run did not say it."""

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.summary.run_id


SampleLabel = Literal["mine", "background"]
Pixels = Literal["pending", "cut", "failed"]
"""pending: not cut yet. cut: the file is there. failed: see `problem`; tried again next time."""


@dataclass(frozen=True)
class QueueRow:
    """One sample of the retraining queue."""

    sample_id: str
    event_id: str
    candidate_id: str
    run_id: str
    label: SampleLabel
    """A confirmation gives `mine`, a rejection `background` (a hard negative)."""
    reason: Reason | None
    queued_at_utc: datetime
    lon: float
    """Centre of the window: the peak cell's centre pixel, or where the person says the mine is."""
    lat: float
    is_moved: bool
    """The centre is the moved point, or else lies inside the outline drawn with a confirmation."""
    withdrawn: bool
    """The verdict was undone or replaced: out of the queue."""
    pixels: Pixels
    problem: str
    sha256: str
    datasets: tuple[str, ...] = ()
    """Dataset versions that hold it."""
    footprint: BaseGeometry | None = None
    """Outline that the person drew with the verdict, EPSG:4326."""


@dataclass(frozen=True)
class DatasetRow:
    """A dataset version: an immutable folder of samples."""

    version: str
    made_at_utc: datetime
    folder: Path
    samples: int
    withdrawn: int
    """Samples in it whose verdict was undone or replaced afterwards: marked, and left out of the next."""


CorrectionAction = Literal["moved", "not_a_mine", "skipped", "undone"]


@dataclass(frozen=True)
class CorrectionEvent:
    """What a person decided about one point of a register."""

    event_id: str
    """UUID made by the caller, so that a repeated call changes nothing."""
    register_id: str
    """SHA-256 of the register's file: another name of it changes nothing."""
    source: str
    """Name of the file."""
    line: int
    """Line or record of the point, as `registers.points.RegisterPoint` has it."""
    action: CorrectionAction
    lon: float
    """Where the register has the point, EPSG:4326."""
    lat: float
    new_lon: float | None
    """Where it was moved to; None with other actions."""
    new_lat: float | None
    analyst: str
    given_at_utc: datetime
    undoes: str | None = None
    """With `undone`: the event that counts no more."""
