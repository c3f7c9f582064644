"""What samples are made with besides points: what people have decided, and the bands of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minedisc_core.detection.models import load_model
from minedisc_core.errors import UsageError
from minedisc_core.grid import PATCH_PX
from minedisc_core.imagery.geotiff import Mosaic, check_bands
from minedisc_core.learning.register_samples import People, PointCorrection
from minedisc_core.learning.windows import SamplePoint
from minedisc_core.settings import Settings

DECIDED = ("rejected", "confirmed")
"""Statuses of candidates that bear on samples."""


def people_of(candidates: Sequence[Mapping[str, Any]], corrections: Sequence[Mapping[str, Any]]) -> People:
    """Rejected and confirmed candidates and corrected points, from what the verbs of the service say.

    Args:
        candidates: records of the verb `candidates`; others than rejected and confirmed ones are passed over.
        corrections: records of the verb `corrections`, of the register whose points are cut.
    """
    return People(
        corrections={
            each["line"]: PointCorrection(each["action"], each["new_lon"], each["new_lat"], each["analyst"])
            for each in corrections
        },
        rejected=[
            SamplePoint(each["lon"], each["lat"], "background", each["reason"] or "other", each["run_id"])
            for each in candidates
            if each["status"] == "rejected"
        ],
        confirmed=[(each["lon"], each["lat"]) for each in candidates if each["status"] == "confirmed"],
    )


def model_bands(
    name: str | None, window_px: int, mosaics: Sequence[Mosaic], settings: Settings
) -> tuple[str, ...] | None:
    """The bands of a model, if one is named; each mosaic must fit it.

    Raises:
        UsageError: the model has no net for windows of this size.
        ModelError: there is no such model.
        ImageryError: a mosaic lacks a band, or is of another product level.
    """
    if name is None:
        return None
    model = load_model(name, settings)
    card = model.impact if window_px == PATCH_PX else model.discovery
    if card is None:
        raise UsageError(f"the model {name} has no impact net", "a model with one", "choose another --model")
    for mosaic in mosaics:
        check_bands(mosaic, card.bands, card.level)
    return card.bands


def class_numbers(text: str | None) -> tuple[int, ...]:
    """The classes of a land cover, from their numbers with commas between.

    Raises:
        UsageError: they are no whole numbers.
    """
    try:
        return tuple(int(part) for part in (text or "").split(",") if part.strip())
    except ValueError as error:
        raise UsageError(f"the classes are {text!r}", "whole numbers with commas between: 50,60,80") from error
