"""What the store gives about champions and retrainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class ChampionAction(StrEnum):
    """How a model became champion."""

    PROMOTED = "promoted"
    """The rule allowed it."""
    OVERRIDDEN = "overridden"
    """The rule refused it and a person gave a reason."""
    ROLLED_BACK = "rolled_back"
    """The model before it came back."""


@dataclass(frozen=True)
class ChampionEvent:
    """One change of the champion of a product level and its bands."""

    event_id: str
    """UUID made by the client, so that a retry is harmless."""
    at_utc: datetime
    action: ChampionAction
    level: str
    bands: tuple[str, ...]
    """A set: their order counts for nothing."""
    model: str
    """Name of the champion from here on."""
    folder: Path
    model_identity: str
    previous: str
    """Name of the model that was champion until then."""
    previous_folder: Path
    previous_identity: str
    retraining_id: str
    """The retraining whose figures it was judged by; empty for a rollback, or where there is none."""
    analyst: str
    reason: str
    """Why the rule was overridden; empty otherwise."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """The figures it was decided by."""


@dataclass(frozen=True)
class RetrainingRow:
    """A retraining that was begun."""

    retraining_id: str
    begun_at_utc: datetime
    folder: Path
    champion: str
    champion_identity: str
    out: str
    """Name of the challenger."""
    dataset: str
    """Name of its dataset version."""


@dataclass(frozen=True)
class Spot:
    """Where a sample of a retraining lies, and on which side it stood."""

    sample_id: str
    lon: float
    lat: float
    place: str
    is_held_out: bool
