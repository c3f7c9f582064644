"""A retraining is asked for: everything that its process needs is decided beside the database and written down.

HOME/retrainings/<id>/request.json: champion, samples with their sides, candidates judged at held-out places, the
scenes they lie in. The job's own files lie beside it (`jobs.retraining`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shapely import union_all
from shapely.geometry import mapping

from minedisc_core.detection.models import Model, fits, load_tensors, model_identity
from minedisc_core.errors import MinediscError, ModelError, RunError, UsageError
from minedisc_core.grid import square_around
from minedisc_core.jobs.ownership import is_alive
from minedisc_core.jobs.request import ScanRequest
from minedisc_core.jobs.worker import RETRAINING
from minedisc_core.learning.cutting import cut_pending
from minedisc_core.learning.holding_out import TRAINING
from minedisc_core.learning.loop_dataset import QUEUE, LoopPlan, own_dataset, plan_samples, spots, to_rows
from minedisc_core.learning.promotion import LEAST_MINES, LEAST_PLACES
from minedisc_core.learning.run_mosaic import open_run_mosaic
from minedisc_core.runs import REQUEST, read_json, write_json
from minedisc_core.settings import Settings
from minedisc_core.store import RetrainingRow, RunRow, Store

AROUND_M = 5_000.0
"""Side of the square around each held-out candidate that both models scan: no other place reaches into it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


@dataclass(frozen=True)
class RetrainingOptions:
    """How to retrain."""

    epochs: int = 60
    learning_rate: float = 1e-3
    seed: int = 0
    without_own: bool = False
    """Leave the champion's own dataset out."""
    own_folder: str | None = None
    """Where the champion's own dataset lies, if not where its card says."""
    generated_scenes: int = 4
    """Of a demonstration model without a dataset: so many of its training scenes are drawn again."""


def retrainings_folder(settings: Settings) -> Path:
    """Folder that holds one folder per retraining."""
    return settings.home / "retrainings"


def running_retraining(settings: Settings) -> Path | None:
    """Folder of the retraining that a process works on now; None if there is none."""
    folder = retrainings_folder(settings)
    found = sorted(path.parent for path in folder.glob(f"*/{REQUEST}")) if folder.is_dir() else []
    return next((path for path in found if is_alive(path)), None)


def refuse_second(settings: Settings, own: Path | None = None) -> None:
    """Refuse a retraining beside another one.

    Raises:
        RunError: a retraining other than `own` is running.
    """
    running = running_retraining(settings)
    if running and running != own:
        raise RunError(
            f"retraining {running.name} is running", "one retraining at a time", "wait for it, or cancel it first"
        )


def begin_retraining(
    store: Store, settings: Settings, champion: Model, out: str, retraining_id: str, options: RetrainingOptions
) -> Path:
    """Decide what is learned from and what is held out, keep that for ever, and write the request; its folder.

    The same id again changes nothing.

    Raises:
        RunError: another retraining is running.
        UsageError: the name cannot be used, or there is too little to learn from; says what is missing.
        StoreError: the champion's dataset is not there.
    """
    folder = retrainings_folder(settings) / retraining_id
    if (folder / REQUEST).is_file():
        return folder
    refuse_second(settings)
    _check_name(out, settings)
    cut_pending(store, settings)
    load_tensors(champion, "discovery")  # told before anything is written: only the paper's net can be fine-tuned
    given = Path(options.own_folder).resolve() if options.own_folder else None
    own = None if options.without_own else own_dataset(champion.discovery, settings, given)
    plan = plan_samples(store, settings, champion.discovery, own, options.seed)
    is_generated = bool(champion.discovery.is_demonstration and own is None and not options.without_own)
    lacking = missing_to_start(plan, is_generated)
    if lacking:
        raise UsageError(f"a retraining cannot start: {'; '.join(lacking)}", remedy="review more candidates")
    scenes, problems = _scenes(store, plan, champion)
    identity, now = model_identity(champion), datetime.now(UTC).replace(tzinfo=None)
    version = f"{RETRAINING}-{retraining_id}"
    row = RetrainingRow(retraining_id, now, folder, champion.name, identity, out, version)
    store.add_retraining(row, spots(plan))  # first: what is held out is known before anything can learn
    request = {
        "kind": RETRAINING, "retraining_id": retraining_id, "asked_at_utc": now, "champion": champion.name,
        "champion_folder": champion.folder, "champion_identity": identity, "out": out, "dataset": version,
        "own_dataset": None if own is None else {"folder": str(own.folder), "hash": own.hash},
        "is_generated": is_generated, "options": asdict(options), "samples": to_rows(plan.entries),
        "judged": list(plan.judged), "scenes": scenes, "remarks": [*plan.remarks, *problems],
        "places": [asdict(place) for place in plan.places],
    }  # fmt: skip
    write_json(folder / REQUEST, request)
    return folder


def _check_name(out: str, settings: Settings) -> None:
    if not _NAME.fullmatch(out):
        raise UsageError(f"{out!r} cannot name a model", "letters, digits, '.', '_' and '-'")
    if (settings.models / out).exists() or (settings.shipped_models / out).exists():
        raise UsageError(f"there is a model {out} already", "a new name", "choose another --out")


def missing_to_start(plan: LoopPlan, is_generated: bool) -> list[str]:
    """What a retraining needs before it can start, sentence by sentence; empty if nothing is missing."""
    lacking = []
    if not any(e.facts["origin"] == QUEUE and e.split == TRAINING for e in plan.entries):
        lacking.append("no confirmed or rejected candidate outside the held-out places has its pixels")
    if not is_generated and not plan.count("mine", TRAINING):
        lacking.append("no mine to learn from")
    if not is_generated and not plan.count("background", TRAINING):
        lacking.append("no background to learn from")
    return lacking


def lacking_to_promote(mines: int, places: int) -> list[str]:
    """What a promotion would lack, whatever the challenger is like: held-out mines and places."""
    lacking = []
    if mines < LEAST_MINES:
        lacking.append(f"{mines} of {LEAST_MINES} held-out confirmed mines")
    if places < LEAST_PLACES:
        lacking.append(f"{places} of {LEAST_PLACES} places with held-out mines")
    return lacking


def _scenes(store: Store, plan: LoopPlan, champion: Model) -> tuple[list[dict[str, Any]], list[str]]:
    """The scans to repeat around held-out candidates, and why some cannot be repeated."""
    by_run: dict[str, list[Mapping[str, Any]]] = {}
    for row in plan.judged:
        by_run.setdefault(row["run_id"], []).append(row)
    scenes, problems = [], []
    for run_id, rows in sorted(by_run.items()):
        try:
            request = _scan_request(store.run(run_id), rows, champion)
        except MinediscError as error:
            problems.append(f"{len(rows)} held-out candidates of run {run_id} are not judged on the scene: {error}")
            continue
        samples = [row["sample_id"] for row in rows]
        scenes.append({"run_id": run_id, "samples": samples, "request": request.to_json()})
    return scenes, problems


def _scan_request(run: RunRow, rows: Sequence[Mapping[str, Any]], champion: Model) -> ScanRequest:
    """Around the candidates of one run, with the options its mosaic was opened with; the model comes later."""
    with open_run_mosaic(run) as mosaic:
        level, bands = mosaic.level, mosaic.bands
    problem = fits(champion, bands, level)
    if problem:
        raise ModelError(problem)
    area = union_all([square_around(row["lon"], row["lat"], AROUND_M) for row in rows])
    stored = read_json(run.run_dir / REQUEST) if (run.run_dir / REQUEST).is_file() else {}
    return ScanRequest(
        mosaic=tuple(run.summary.mosaic), model="", aoi=mapping(area), level=level,
        bands=bands if stored.get("bands") else None, dn_offset=stored.get("dn_offset"),
        imagery_start=run.summary.imagery_start, imagery_end=run.summary.imagery_end, pictures=False,
        crs=stored.get("crs"),
    )  # fmt: skip
