"""The words of minedisc as types: one meaning each (README, glossary).

All longitudes and latitudes are EPSG:4326 degrees, all times naive UTC, all scores float in 0..1
(a score is the net's output, not a probability until calibrated).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from minedisc_core.engine_record import EngineRecord

if TYPE_CHECKING:  # only a word here: the command line starts without loading shapely
    from shapely.geometry.base import BaseGeometry


class ProductLevel(StrEnum):
    """Sentinel-2 product: top of atmosphere (L1C) or surface reflectance (L2A)."""

    L1C = "L1C"
    L2A = "L2A"


class Impact(StrEnum):
    """Environmental impact class of a site (paper, section 5.2.4)."""

    HIGH = "high"
    LOW = "low"
    NO_ORE = "no_ore"
    UNKNOWN = "unknown"


IMPACT_CLASSES = (Impact.HIGH, Impact.LOW, Impact.NO_ORE)
"""Order of the impact net's outputs."""


class Status(StrEnum):
    """Current state of a candidate; the last verdict that was not undone."""

    UNDECIDED = "undecided"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNSURE = "unsure"


VERDICTS = (Status.CONFIRMED, Status.REJECTED, Status.UNSURE)
"""What a person can decide."""


class Reason(StrEnum):
    """Why a candidate was rejected; stored as codes, in the order of the digit keys."""

    IRRIGATION_DAM = "irrigation_dam"
    RIVER_BANK = "river_bank"
    NATURAL_LAKE = "natural_lake"
    BARE_FIELD = "bare_field"
    URBAN = "urban"
    ROAD_AIRSTRIP = "road_airstrip"
    ROCK_OUTCROP = "rock_outcrop"
    BURN = "burn"
    CLOUD_SHADOW = "cloud_shadow"
    LANDSLIDE = "landslide"
    SOLAR_GREENHOUSE = "solar_greenhouse"
    OTHER = "other"


class RegisterKind(StrEnum):
    """Kind of register file, as in `minedisc registers add KIND FILE`."""

    SIGBM = "sigbm"
    SIGMINE = "sigmine"
    LANDS = "lands"
    POINTS = "points"
    POLYGONS = "polygons"
    RIVERS = "rivers"


class RegisterStatus(StrEnum):
    """What the registers say of a candidate. Never an accusation: the tool points, people decide."""

    REGISTERED = "registered"
    TITLE_WITHOUT_EXTRACTION_RIGHT = "title_without_extraction_right"
    NOTHING_FOUND = "nothing_found"
    NOT_CHECKED = "not_checked"


UNREGISTERED = (RegisterStatus.NOTHING_FOUND, RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT)
"""Register statuses that an export of unregistered mines holds."""


@dataclass(frozen=True, slots=True)
class ImpactProbabilities:
    """Output of the impact net, each 0..1, summing to 1 (the net's softmax, uncalibrated)."""

    high: float
    low: float
    no_ore: float


@dataclass(frozen=True, slots=True)
class Site:
    """A connected group of hit cells (8 neighbours) of one run."""

    site_id: str
    """`<run_id>-<4 or more digits>`, in order of falling peak score."""
    polygon: BaseGeometry
    """Union of the 270 m cells, EPSG:4326 (Polygon or MultiPolygon)."""
    lon: float
    """Centroid of the polygon."""
    lat: float
    peak_lon: float
    """Centre of the cell with the highest score."""
    peak_lat: float
    peak_row_px: int
    """Mosaic row of that centre pixel (27 i + 100)."""
    peak_col_px: int
    score: float
    """Highest cell score."""
    mean_score: float
    cells: int
    area_cells_ha: float
    """Geodesic area of the cells. Not the area of the mine."""
    impact: Impact
    impact_probabilities: ImpactProbabilities | None
    """Score-weighted mean over the cells that are not "no ore"; None without an impact net."""
    discarded: bool
    """All cells are "no ore" by the stated margin: kept, hidden, auditable."""
    flagged_fill: bool = False
    """More than 10 % of a hit window is no data."""


@dataclass(frozen=True, slots=True)
class NearestDam:
    """The nearest register point of a dam or mine."""

    name: str
    owner: str
    distance_m: float
    """Geodesic, from the site's polygon (0 inside) to the point or polygon."""
    register: str
    """Name of the snapshot it comes from."""


@dataclass(frozen=True, slots=True)
class NearestRiver:
    """The nearest river of a loaded river register, within 5 km. It never changes the register status."""

    name: str
    """As the register has it; empty where it names none."""
    distance_m: float
    """Geodesic, from the site's polygon (0 where they meet) to the line or polygon."""
    register: str
    """Name of the snapshot it comes from."""


@dataclass(frozen=True, slots=True)
class TitleMatch:
    """A mining title (SIGMINE process) that meets the site."""

    process: str
    phase: str
    may_extract: bool
    """Whether the phase by itself may extract (ANM phases, README)."""
    holder: str
    substance: str
    covered_fraction: float
    """Share of the site's cells inside the title, 0..1."""


@dataclass(frozen=True, slots=True)
class LandMatch:
    """A protected land that meets the site."""

    name: str
    kind: str
    """Indigenous land, conservation unit group and category, ... as the register says."""
    covered_fraction: float


@dataclass(frozen=True, slots=True)
class RegisterMatch:
    """What all loaded registers say of one site."""

    status: RegisterStatus
    nearest_dam: NearestDam | None
    titles: tuple[TitleMatch, ...]
    outside_extracting_titles_fraction: float | None
    """Share of the site outside titles that may extract; None when no title register covers it."""
    lands: tuple[LandMatch, ...]
    missing: tuple[str, ...]
    """Registers that would be needed for `nothing_found` and are not loaded here."""
    registers_as_of: str
    """`sigbm 2026-11-02; sigmine 2026-10-30`: the snapshots that were asked, with their dates."""
    nearest_river: NearestRiver | None = None
    """None: no river register is loaded, or none of its rivers is within 5 km."""


@dataclass(frozen=True)
class Snapshot:
    """One load of one register."""

    snapshot_id: str
    kind: RegisterKind
    name: str
    """Name of the source file."""
    loaded_at_utc: datetime
    as_of: date
    """Date the register is from: stated by the user, else the day it was loaded."""
    rows: int
    problems: int
    """Rows left out, each listed with line and reason."""
    coverage: str
    """States (`MG`, `PA,MT`), `polygon`, or `everywhere`."""
    sha256: str
    active: bool = True


class Change(StrEnum):
    """What became of a place from the earlier of two imagery dates to the later one."""

    NEW = "new"
    GROWN = "grown"
    UNCHANGED = "unchanged"
    GONE = "gone"


@dataclass(frozen=True)
class PlaceChange:
    """A place in two scans by one model, with imagery of dates that do not overlap."""

    kind: Change
    run_id: str
    """The other scan, earlier or later than the candidate's own."""
    start: date | None
    """First and last day of the other scan's imagery."""
    end: date | None
    earlier_ha: float | None
    """Area of the cells on the place in the earlier scan; None if it found nothing there."""
    later_ha: float | None
    """The same of the later one."""


@dataclass(frozen=True)
class SecondScore:
    """What another model says of a place, in the same mosaic."""

    score: float
    """The greatest of its cells on the place, 0..1; of another scale than the candidate's own."""
    run_id: str
    model: str
    threshold: float
    """Its run's cut-off."""
    disagreement: float
    """Distance of the two scores, each against its own cut-off; 0..2."""

    @property
    def is_hit(self) -> bool:
        """Whether the other model calls the place a mine too."""
        return self.score > self.threshold


@dataclass(frozen=True)
class Candidate:
    """A site with its register match and its current status."""

    candidate_id: str
    """Equals the site's id."""
    run_id: str
    site: Site
    match: RegisterMatch
    status: Status
    reason: Reason | None = None
    notes: str = ""
    verdict_by: str = ""
    verdict_at_utc: datetime | None = None
    impact_corrected: Impact | None = None
    """Class set by a person; wins over the machine's."""
    moved_lon: float | None = None
    moved_lat: float | None = None
    earlier: tuple[str, ...] = ()
    """Earlier verdicts on the same place, newest first, one sentence each."""
    model: str = ""
    imagery_start: date | None = None
    imagery_end: date | None = None
    threshold: float = 0.0
    footprint: BaseGeometry | None = None
    """Outline that a person drew (Polygon or MultiPolygon, EPSG:4326)."""
    area_drawn_ha: float | None = None
    """Geodesic area of the footprint; the machine's stays `site.area_cells_ha`."""
    seen: bool = False
    """Whether anybody has looked at it; says nothing of a verdict."""
    change: PlaceChange | None = None
    """Against a scan of another date; None where no other scan can be compared."""
    second: SecondScore | None = None
    """What a second model says; None where none scanned the same mosaic or saw the place."""

    @property
    def impact(self) -> Impact:
        """The class in force: a person's, else the machine's."""
        return self.impact_corrected or self.site.impact


@dataclass(frozen=True)
class VerdictEvent:
    """One line of the append-only log. An undo is an event of its own."""

    event_id: str
    """UUID made by the client, so that a retry is harmless."""
    candidate_id: str
    verdict: Status
    """CONFIRMED, REJECTED, UNSURE; UNDECIDED means: undo of `undoes`."""
    analyst: str
    at_utc: datetime
    reason: Reason | None = None
    notes: str = ""
    impact: Impact | None = None
    """Corrected class, with a confirmation."""
    moved_lon: float | None = None
    moved_lat: float | None = None
    undoes: str | None = None
    footprint: BaseGeometry | None = None
    """Outline that the person drew (Polygon or MultiPolygon, EPSG:4326)."""
    batch_id: str | None = None
    """Shared by verdicts, or undos, that were given with one gesture: one undo takes all of them back."""


@dataclass(frozen=True)
class PriorityWeights:
    """Weight of each term of a candidate's priority; the terms are 0..1 (`review.priority`)."""

    register_status: float = 3.0
    land: float = 2.0
    impact: float = 2.0
    score: float = 2.0
    area: float = 1.0
    nearness: float = 1.0


@dataclass(frozen=True)
class Coverage:
    """How much of what was asked has been seen."""

    asked_km2: float
    seen_km2: float
    cells_asked: int
    cells_seen: int
    cells_no_data: int
    """Cells whose 201 px window is more than half no data: not seen, never background."""
    cells_failed: int
    cells_flagged: int
    """Seen, but more than 10 % of the window is fill."""

    @property
    def fraction(self) -> float:
        """Share of the asked cells that was seen, 0..1."""
        return self.cells_seen / self.cells_asked if self.cells_asked else 0.0


class RunState(StrEnum):
    """State of a run folder."""

    RUNNING = "running"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class RunSummary:
    """What a finished run's `result.json` holds."""

    run_id: str
    state: RunState
    model: str
    level: ProductLevel
    threshold: float
    mosaic: tuple[str, ...]
    imagery_start: date | None
    imagery_end: date | None
    source: str
    coverage: Coverage
    sites: int
    discarded: int
    seconds: float
    finished_at_utc: datetime
    problems: tuple[str, ...] = field(default=())
    """What people should know of the run, a sentence each: tiles that failed, with the reason; cells without
    data; what of the area lies outside; an engine that was asked for and not used."""
    has_impact: bool = True
    engine: EngineRecord = field(default_factory=EngineRecord)
    """Which library scored it."""
    members: tuple[str, ...] = ()
    """Of a scan over several coordinate systems: the ids of its runs, this one's too. A place is in one of them."""
