"""The JSON form of what the verbs give; the command line's `--json` prints exactly this."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import Candidate, PriorityWeights
from minedisc_core.review import priority, priority_terms


def candidate_record(candidate: Candidate) -> dict[str, Any]:
    """A candidate as one flat object: degrees EPSG:4326, hectares, scores 0..1, times naive UTC in ISO form.

    `lon`, `lat` are the point an analyst moved the candidate to, else the site's centroid; `geometry` is
    the union of its cells as GeoJSON, `footprint` the outline that a person drew (null if none).
    `change` is new, grown, unchanged or gone against the scan of another date that the `change_other_` fields name,
    null where no other scan can be compared; the areas of its cells are null where that scan found nothing.
    """
    site, match, change, second = candidate.site, candidate.match, candidate.change, candidate.second
    moved = candidate.moved_lon is not None and candidate.moved_lat is not None
    return {
        "candidate_id": candidate.candidate_id,
        "run_id": candidate.run_id,
        "lon": candidate.moved_lon if moved else site.lon,
        "lat": candidate.moved_lat if moved else site.lat,
        "is_moved": moved,
        "score": site.score,
        "mean_score": site.mean_score,
        "threshold": candidate.threshold,
        "cells": site.cells,
        "area_cells_ha": site.area_cells_ha,
        "area_drawn_ha": candidate.area_drawn_ha,
        "peak_lon": site.peak_lon,
        "peak_lat": site.peak_lat,
        "impact": candidate.impact.value,
        "impact_probabilities": plain(site.impact_probabilities),
        "discarded": site.discarded,
        "flagged_fill": site.flagged_fill,
        "seen": candidate.seen,
        "status": candidate.status.value,
        "reason": plain(candidate.reason),
        "notes": candidate.notes,
        "verdict_by": candidate.verdict_by,
        "verdict_at_utc": plain(candidate.verdict_at_utc),
        "earlier": list(candidate.earlier),
        "register_status": match.status.value,
        "nearest_dam": plain(match.nearest_dam),
        "nearest_river": plain(match.nearest_river),
        "titles": plain(match.titles),
        "outside_extracting_titles_fraction": match.outside_extracting_titles_fraction,
        "lands": plain(match.lands),
        "missing_registers": list(match.missing),
        "registers_as_of": match.registers_as_of,
        "model": candidate.model,
        "imagery_start": plain(candidate.imagery_start),
        "imagery_end": plain(candidate.imagery_end),
        "change": plain(change.kind) if change else None,
        "change_earlier_ha": change.earlier_ha if change else None,
        "change_later_ha": change.later_ha if change else None,
        "change_other_start": plain(change.start) if change else None,
        "change_other_end": plain(change.end) if change else None,
        "change_other_run_id": change.run_id if change else None,
        "second_score": second.score if second else None,
        "second_model": second.model if second else None,
        "second_threshold": second.threshold if second else None,
        "second_run_id": second.run_id if second else None,
        "disagreement": second.disagreement if second else None,
        "geometry": mapping(site.polygon),
        "footprint": plain(candidate.footprint),
    }


def priority_record(candidate: Candidate, weights: PriorityWeights) -> dict[str, Any]:
    """The candidate's priority and the terms that it is the sum of."""
    return {"total": priority(candidate, weights), "terms": plain(priority_terms(candidate, weights))}


def plain(value: Any) -> Any:
    """A dataclass, enum, date, path, geometry or a collection of them as plain JSON values.

    Raises:
        TypeError: a type that has no such form.
    """
    if isinstance(value, BaseGeometry):
        return mapping(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> str | int | float | bool | None:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON form")
