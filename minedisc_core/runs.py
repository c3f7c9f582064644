"""A run is a folder: what was asked, what each tile gave, what came out. No database is needed to read it.

request.json         what was asked: AOI, model and mosaic with their hashes, threshold
tiles/               one result file per tile, written whole or not at all (or elsewhere: `results` in request.json)
progress.jsonl       one line per finished or failed tile
cancel               its presence asks the job to stop
engine.json          which engine scored the tiles, so that a resumed run does not mix two
scores.tif           float32, one 270 m pixel per cell, no data = not seen
candidates.parquet   the sites, GeoParquet in EPSG:4326
result.json          the run's summary, written last: with it the run is finished
candidates.alone.parquet, result.alone.json    the same before the runs of a scan over several zones were joined
candidates.before.parquet    sites that earlier attempts of the run have numbered: their numbers stay theirs
true_colour.tif, swir.tif    8-bit map-tile pyramids of the mosaic
chips/<site_id>_<kind>.webp  small pictures of each site; `_own.webp`: in a stretch of its own
pairs/<run_id>/              the same of the mosaics of other runs, with other dates
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd

from minedisc_core.domain import (
    Coverage,
    Impact,
    ImpactProbabilities,
    ProductLevel,
    RunState,
    RunSummary,
    Site,
)
from minedisc_core.engine_record import EngineRecord
from minedisc_core.errors import RunError

REQUEST = "request.json"
RESULT = "result.json"
PROGRESS = "progress.jsonl"
CANCEL = "cancel"
SITES = "candidates.parquet"
RESULT_ALONE, SITES_ALONE = "result.alone.json", "candidates.alone.parquet"
SITES_BEFORE = "candidates.before.parquet"
SCORES = "scores.tif"
TILES = "tiles"
ENGINE = "engine.json"
CHIPS = "chips"
TRAINING = "training"
"""The `kind` in the request of a training: its folder is one of a model, not of a run."""

_PROBABILITIES = ("high", "low", "no_ore")


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write `content` so that `path` is whole or absent, even after a power cut.

    Raises:
        RunError: the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RunError(
            f"{path} could not be written: {error.strerror or error}", remedy="free disk space or choose another folder"
        ) from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object atomically; dates and times as ISO text."""
    write_atomically(path, json.dumps(content, default=_as_text, indent=1).encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RunError: the file is missing, broken or not an object.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}", "a JSON file that a run wrote", "scan again") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} holds a {type(content).__name__}", "a JSON object", "scan again")
    return content


def is_training(folder: Path) -> bool:
    """Whether a folder is that of a training; one whose request cannot be read is none, and is told as what it is."""
    try:
        return (folder / REQUEST).is_file() and read_json(folder / REQUEST).get("kind") == TRAINING
    except RunError:
        return False


def _as_text(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a run's JSON")


def write_sites(run_dir: Path, sites: Sequence[Site], file: str = SITES) -> None:
    """Write `candidates.parquet` (no row is a valid result)."""
    columns = [f.name for f in dataclasses.fields(Site) if f.name not in ("polygon", "impact_probabilities")]
    rows: dict[str, list[Any]] = {name: [getattr(site, name) for site in sites] for name in columns}
    rows["impact"] = [str(site.impact) for site in sites]
    for name in _PROBABILITIES:
        given = [site.impact_probabilities for site in sites]
        rows[f"p_{name}"] = [None if p is None else getattr(p, name) for p in given]
    frame = gpd.GeoDataFrame(rows, geometry=[site.polygon for site in sites], crs="EPSG:4326")
    with tempfile.TemporaryDirectory(dir=run_dir) as scratch:
        written = Path(scratch) / SITES
        frame.to_parquet(written)
        write_atomically(run_dir / file, written.read_bytes())


def read_sites(run_dir: Path, name: str = SITES) -> list[Site]:
    """Read the sites of a finished run.

    Raises:
        RunError: the file is missing or is not what a run writes.
    """
    try:
        frame = gpd.read_parquet(run_dir / name)
        return [_site(row) for row in frame.to_dict("records")]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"{run_dir / name} cannot be read: {error}", "the sites of a finished run", "scan again"
        ) from error


def _site(row: dict[str, Any]) -> Site:
    known = row["p_high"] is not None and row["p_high"] == row["p_high"]
    probabilities = ImpactProbabilities(*(float(row[f"p_{name}"]) for name in _PROBABILITIES)) if known else None
    plain = {name: row[name] for name in row if name != "geometry" and not name.startswith("p_")}
    return Site(
        **{**plain, "impact": Impact(row["impact"])}, polygon=row["geometry"], impact_probabilities=probabilities
    )


def write_summary(run_dir: Path, summary: RunSummary, name: str = RESULT) -> None:
    """Write `result.json`: the last file of a run."""
    write_json(run_dir / name, dataclasses.asdict(summary))


def read_summary(run_dir: Path, name: str = RESULT) -> RunSummary:
    """Read `result.json`.

    Raises:
        RunError: the run is not finished, or the file is not what a run writes.
    """
    if not (run_dir / name).is_file():
        raise RunError(f"{run_dir} holds no {name}", "the folder of a finished run", "scan, or resume the scan")
    found = read_json(run_dir / name)
    try:
        return RunSummary(
            **{
                **found,
                "state": RunState(found["state"]),
                "level": ProductLevel(found["level"]),
                "mosaic": tuple(found["mosaic"]),
                "imagery_start": _date(found["imagery_start"]),
                "imagery_end": _date(found["imagery_end"]),
                "coverage": Coverage(**found["coverage"]),
                "finished_at_utc": datetime.fromisoformat(found["finished_at_utc"]),
                "problems": tuple(found["problems"]),
                "members": tuple(found.get("members", ())),
                "engine": engine_record(found.get("engine")),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run_dir / name} is not a run's summary: {error}", remedy="scan again") from error


def engine_record(found: Mapping[str, Any] | None) -> EngineRecord:
    """The engine of a summary; of a run that was made before engines were recorded: TensorFlow.

    Raises:
        TypeError, ValueError: that is no record of an engine.
    """
    given = dict(found or {})
    return EngineRecord(**{**given, "refused": tuple(given.get("refused", ()))})


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
