"""Between the domain's dataclasses and the table's columns."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from minedisc_core.domain import (
    Coverage,
    Impact,
    ImpactProbabilities,
    LandMatch,
    NearestDam,
    NearestRiver,
    ProductLevel,
    RegisterMatch,
    RegisterStatus,
    RunState,
    RunSummary,
    Site,
    TitleMatch,
)
from minedisc_core.runs import engine_record
from minedisc_core.store.text import one_line

SITE_COLUMNS = (
    "candidate_id", "polygon", "lon", "lat", "peak_lon", "peak_lat", "peak_row_px", "peak_col_px", "score",
    "mean_score", "cells", "area_cells_ha", "impact", "p_high", "p_low", "p_no_ore", "discarded", "flagged_fill",
)  # fmt: skip
MATCH_COLUMNS = ("register_status", "dam", "titles", "outside_fraction", "lands", "missing", "registers_as_of",
                 "river")  # fmt: skip

_AS_IS = ("lon", "lat", "peak_lon", "peak_lat", "peak_row_px", "peak_col_px", "score", "mean_score", "cells",
          "area_cells_ha", "discarded", "flagged_fill")  # fmt: skip
_MORTON_BITS = 21


def polygons_of(sites: Sequence[Site]) -> NDArray[np.object_]:
    """The sites' polygons as an array, invalid ones repaired so that overlaps can be measured."""
    polygons = np.fromiter((site.polygon for site in sites), object, len(sites))
    return valid(polygons)


def valid(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """The same polygons, self-crossing ones repaired."""
    broken = ~shapely.is_valid(polygons)
    if broken.any():
        polygons = polygons.copy()
        polygons[broken] = shapely.make_valid(polygons[broken])
    return polygons


def site_table(sites: Sequence[Site], run_id: str) -> pa.Table:
    """One row per site in the columns of `sites`, numbered from 0."""
    polygons = np.fromiter((site.polygon for site in sites), object, len(sites))
    west, south, east, north = shapely.bounds(polygons).reshape(-1, 4).T
    columns: dict[str, Any] = {
        "site_no": np.arange(len(sites), dtype=np.int64),
        "candidate_id": pa.array([site.site_id for site in sites], pa.string()),
        "run_id": pa.array([run_id] * len(sites), pa.string()),
        "polygon": pa.array(list(shapely.to_wkb(polygons)), pa.binary()),
        "west": west, "south": south, "east": east, "north": north,
        "impact": pa.array([str(site.impact) for site in sites], pa.string()),
    }  # fmt: skip
    for name in _AS_IS:
        columns[name] = [getattr(site, name) for site in sites]
    for name in ("high", "low", "no_ore"):
        given = [site.impact_probabilities for site in sites]
        columns[f"p_{name}"] = pa.array([None if p is None else getattr(p, name) for p in given], pa.float64())
    return pa.table(columns)


def match_columns(matches: Sequence[RegisterMatch]) -> dict[str, Any]:
    """The columns of `matches` without the site's number."""
    return {
        "register_status": pa.array([str(match.status) for match in matches], pa.string()),
        "dam": pa.array([_as_json(match.nearest_dam) for match in matches], pa.string()),
        "titles": pa.array([_as_json(match.titles) for match in matches], pa.string()),
        "outside_fraction": pa.array([m.outside_extracting_titles_fraction for m in matches], pa.float64()),
        "lands": pa.array([_as_json(match.lands) for match in matches], pa.string()),
        "missing": pa.array([json.dumps([one_line(x) for x in m.missing]) for m in matches], pa.string()),
        "registers_as_of": pa.array([one_line(match.registers_as_of) for match in matches], pa.string()),
        "river": pa.array([_as_json(match.nearest_river) for match in matches], pa.string()),
    }


def narrow_columns(matches: Sequence[RegisterMatch]) -> dict[str, Any]:
    """What `states` keeps of the matches, for filters and the order by priority."""
    return {
        "land_names": pa.array(
            [[one_line(land.name) for land in match.lands] for match in matches], pa.list_(pa.string())
        ),
        "nearness_m": pa.array([_nearness_m(match) for match in matches], pa.float64()),
    }


def _nearness_m(match: RegisterMatch) -> float | None:
    """Metres to the nearest dam, mine or river; None where no register tells."""
    found = [near.distance_m for near in (match.nearest_dam, match.nearest_river) if near is not None]
    return min(found) if found else None


def _as_json(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, tuple):
        return json.dumps([_fields(item) for item in value]) if value else "[]"
    return json.dumps(_fields(value))


def _fields(record: Any) -> dict[str, Any]:
    values = ((name, getattr(record, name)) for name in record.__slots__)
    return {name: one_line(x) if isinstance(x, str) else x for name, x in values}


def sites_from(rows: Sequence[tuple[Any, ...]]) -> list[Site]:
    """Sites of rows in the order of `SITE_COLUMNS`."""
    polygons = shapely.from_wkb(np.fromiter((row[1] for row in rows), object, len(rows)))
    return [_site(row, polygon) for row, polygon in zip(rows, polygons, strict=True)]


def _site(row: tuple[Any, ...], polygon: Any) -> Site:
    probabilities = None if row[13] is None else ImpactProbabilities(row[13], row[14], row[15])
    measured = dict(zip(SITE_COLUMNS[2:12], row[2:12], strict=True))
    return Site(
        site_id=row[0],
        polygon=polygon,
        **measured,
        impact=Impact(row[12]),
        impact_probabilities=probabilities,
        discarded=row[16],
        flagged_fill=row[17],
    )


def match_from(row: tuple[Any, ...]) -> RegisterMatch:
    """The match of a row in the order of `MATCH_COLUMNS`."""
    status, dam, titles, outside, lands, missing, as_of, river = row
    return RegisterMatch(
        RegisterStatus(status),
        None if dam is None else NearestDam(**json.loads(dam)),
        () if titles == "[]" else tuple(TitleMatch(**item) for item in json.loads(titles)),
        outside,
        () if lands == "[]" else tuple(LandMatch(**item) for item in json.loads(lands)),
        () if missing == "[]" else tuple(json.loads(missing)),
        as_of,
        None if river is None else NearestRiver(**json.loads(river)),
    )


def summary_text(summary: RunSummary) -> str:
    """A run's summary as JSON text."""
    return json.dumps(dataclasses.asdict(summary), default=_iso)


def _iso(value: date | datetime) -> str:
    return value.isoformat()


def summary_from(text: str) -> RunSummary:
    """The summary that `summary_text` wrote."""
    found = json.loads(text)
    for name in ("imagery_start", "imagery_end"):
        found[name] = date.fromisoformat(found[name]) if found[name] else None
    found["finished_at_utc"] = datetime.fromisoformat(found["finished_at_utc"])
    found["coverage"] = Coverage(**found["coverage"])
    found["state"], found["level"] = RunState(found["state"]), ProductLevel(found["level"])
    found["mosaic"], found["problems"] = tuple(found["mosaic"]), tuple(found["problems"])
    found["members"] = tuple(found.get("members", ()))
    return RunSummary(**{**found, "engine": engine_record(found.get("engine"))})


def place_keys(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
    """Morton keys (42 bits) of places in degrees: near keys are near places."""
    steps = (1 << _MORTON_BITS) - 1
    x = np.clip((lon + 180) / 360 * steps, 0, steps).astype(np.int64)
    y = np.clip((90 - lat) / 180 * steps, 0, steps).astype(np.int64)
    keys = np.zeros(len(x), np.int64)
    for bit in range(_MORTON_BITS):
        keys |= ((x >> bit) & 1) << (2 * bit) | ((y >> bit) & 1) << (2 * bit + 1)
    return keys


def number_list(numbers: Iterable[int]) -> str:
    """Whole numbers as SQL: only digits can come out of this."""
    return ",".join(str(int(number)) for number in numbers)
