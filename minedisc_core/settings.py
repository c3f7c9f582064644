"""All that can be set from outside, read once from the environment."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from minedisc_core.domain import PriorityWeights
from minedisc_core.errors import UsageError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("auto", "tensorflow", "openvino", "openvino-bf16")
"""What MINEDISC_ENGINE may be (`detection.engines`)."""
_SCHEDULER = re.compile(r"(tcp|tls|ws|wss)://(\[[0-9a-fA-F:.%]+\]|[^\s:/@\[\]]+):(\d{1,5})/?")
_KEPT = frozenset(
    ("runs", "retrainings", "mosaics", "registers", "samples", "datasets", "models", "demo", "areas", "points",
     "previews", "demo.json", "server.json", "minedisc.log")
)  # fmt: skip
"""What lies in a home beside the database."""


@dataclass(frozen=True)
class Settings:
    """Settings of one process; see README, "Settings"."""

    home: Path
    """Folder of the database, runs, registers and added models (MINEDISC_HOME, default data/)."""
    shipped_models: Path = PROJECT_ROOT / "models"
    """Folder of the demonstration models that come with the project."""
    upload_max_mb: int = 200
    """Largest upload (MINEDISC_UPLOAD_MAX_MB)."""
    zip_max_entries: int = 2_000
    """Most entries a zip may hold (MINEDISC_ZIP_MAX_ENTRIES)."""
    zip_max_expanded_mb: int = 2_000
    """Largest sum of a zip's expanded entries (MINEDISC_ZIP_MAX_EXPANDED_MB)."""
    threads: int = os.cpu_count() or 1
    """Threads a scan may use (MINEDISC_THREADS)."""
    engine: str = "auto"
    """What scores: auto, tensorflow, openvino, openvino-bf16 (MINEDISC_ENGINE)."""
    engine_cache: Path = Path(sys.prefix) / "minedisc-engines"
    """Where it is kept that an engine agreed with TensorFlow on a model (MINEDISC_ENGINE_CACHE, default: beside the
    libraries that it speaks of)."""
    scheduler: str = ""
    """Dask scheduler whose workers score the tiles of scans, `tcp://HOST:8786` (MINEDISC_SCHEDULER); empty: the scan's
    own process does."""
    priority_weights: PriorityWeights = field(default_factory=PriorityWeights)
    """Weights of the order by priority (MINEDISC_PRIORITY, `land=2,score=1`; what is left out keeps its default)."""

    @property
    def database(self) -> Path:
        """The DuckDB file; one process owns it at a time."""
        return self.home / "minedisc.duckdb"

    @property
    def runs(self) -> Path:
        """One folder per run."""
        return self.home / "runs"

    @property
    def mosaics(self) -> Path:
        """Mosaics that were asked of Earth Engine or a catalogue."""
        return self.home / "mosaics"

    @property
    def registers(self) -> Path:
        """One GeoParquet and one JSON per register snapshot."""
        return self.home / "registers"

    @property
    def samples(self) -> Path:
        """Training windows cut after verdicts, one file each."""
        return self.home / "samples"

    @property
    def models(self) -> Path:
        """Models the user added or trained."""
        return self.home / "models"

    @property
    def demo(self) -> Path:
        """The generated demo area."""
        return self.home / "demo"

    @property
    def log(self) -> Path:
        """The app's log file."""
        return self.home / "minedisc.log"

    def keeps(self, path: Path) -> bool:
        """Whether minedisc itself keeps `path` (absolute): no result that a person asks for may replace it."""
        if not path.is_relative_to(self.home):
            return path.is_relative_to(self.shipped_models)
        first = path.relative_to(self.home).parts[:1]
        return first == () or path.name.startswith(self.database.name) or first[0] in _KEPT


def load_settings(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Settings:
    """Read MINEDISC_* once; `home` (from --home) wins over MINEDISC_HOME.

    Raises:
        UsageError: a number is not a positive whole number, a weight is none, there is no such engine, or the
            scheduler has no such address.
    """
    chosen = home or Path(environment.get("MINEDISC_HOME") or PROJECT_ROOT / "data")
    return Settings(
        home=chosen.expanduser().resolve(),
        upload_max_mb=_positive(environment, "MINEDISC_UPLOAD_MAX_MB", Settings.upload_max_mb),
        zip_max_entries=_positive(environment, "MINEDISC_ZIP_MAX_ENTRIES", Settings.zip_max_entries),
        zip_max_expanded_mb=_positive(environment, "MINEDISC_ZIP_MAX_EXPANDED_MB", Settings.zip_max_expanded_mb),
        threads=_positive(environment, "MINEDISC_THREADS", Settings.threads),
        engine=checked_engine(environment.get("MINEDISC_ENGINE", "").strip() or Settings.engine),
        engine_cache=Path(environment.get("MINEDISC_ENGINE_CACHE") or Settings.engine_cache).expanduser().resolve(),
        scheduler=checked_scheduler(environment.get("MINEDISC_SCHEDULER", "").strip()),
        priority_weights=_weights(environment.get("MINEDISC_PRIORITY", "")),
    )


def checked_engine(name: str) -> str:
    """The name of an engine.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in ENGINES:
        raise UsageError(
            f"the engine is {name!r}", f"one of {', '.join(ENGINES)}", "correct MINEDISC_ENGINE or --engine"
        )
    return name


def checked_scheduler(address: str) -> str:
    """The address of a Dask scheduler; empty stays empty.

    Raises:
        UsageError: it has another form.
    """
    if address and not _SCHEDULER.fullmatch(address):
        raise UsageError(
            f"the scheduler is {address[:100]!r}",
            "an address such as tcp://HOST:8786 (or tls://HOST:8786)",
            "correct MINEDISC_SCHEDULER or --scheduler",
        )
    return address.rstrip("/")


def _positive(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{name} is {text!r}", "a whole number of at least 1", f"unset {name} or correct it")
    return int(text)


def _weights(text: str) -> PriorityWeights:
    """Weights as `name=number` with commas between; a name that is left out keeps its default."""
    given: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        given[name] = _weight(number)
    names = [each.name for each in fields(PriorityWeights)]
    unknown = [name for name in given if name not in names]
    if unknown or not all(math.isfinite(weight) and weight >= 0 for weight in given.values()):
        raise UsageError(
            f"MINEDISC_PRIORITY is {text!r}",
            f"name=number with commas between, of {', '.join(names)}, no number below 0",
            "unset MINEDISC_PRIORITY or correct it",
        )
    return PriorityWeights(**given)


def _weight(number: str) -> float:
    try:
        return float(number)
    except ValueError:
        return math.nan
