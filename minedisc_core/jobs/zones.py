"""A scan of files in several coordinate systems: a run for each, one after another, then the places joined.

The runs are folders side by side, each with a request that names all of them. A run's result is written when the
last one has ended: until then a place on the border would be there twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minedisc_core.detection.models import fits, load_model
from minedisc_core.domain import RunState, RunSummary
from minedisc_core.errors import Cancelled, ImageryError, MinediscError, ModelError, RunError
from minedisc_core.imagery.composites.target import zone_name
from minedisc_core.imagery.gathering import is_collection, listed
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.seen_cells import read_seen_cells
from minedisc_core.jobs.joining import OneRun, join
from minedisc_core.jobs.progress import FAILED, ProgressLog
from minedisc_core.jobs.request import (
    RUN_ID,
    ScanRequest,
    absolute,
    area_of,
    check_area,
    enter,
    new_run_id,
    open_request_mosaics,
    read_request,
)
from minedisc_core.jobs.run import Nets, load_nets, work_on
from minedisc_core.runs import (
    REQUEST,
    RESULT,
    RESULT_ALONE,
    SCORES,
    SITES_ALONE,
    read_json,
    read_sites,
    read_summary,
    write_json,
    write_sites,
    write_summary,
)  # fmt: skip
from minedisc_core.settings import Settings


@dataclass(frozen=True)
class Planned:
    """One run of a scan."""

    request: ScanRequest
    run_dir: Path


def plan(request: ScanRequest, run_dir: Path, settings: Settings) -> list[Planned]:
    """The runs that a request comes to: itself, or one for each coordinate system of its files.

    Zones that the area does not meet are left out. Nothing is written.

    Args:
        request: a new one, or that of one run of a scan that was begun.
        run_dir: folder of the run; of several, `NAME_23S` beside it, or further run ids where it is one.
        settings: folders of models.

    Raises:
        ModelError: the model does not fit the files of a zone.
        ImageryError: the files cannot be used, or none meets the area.
    """
    if request.members:
        folders = [run_dir.with_name(name) for name in request.members]
        return [Planned(read_request(folder), folder) for folder in folders]
    asked = absolute(request)
    is_one_file = len(asked.mosaic) == 1 and not is_collection(asked.mosaic[0])
    mosaics = {} if is_one_file or asked.crs else open_request_mosaics(asked)
    if len(mosaics) < 2:
        return [Planned(request, run_dir)]
    wanted = _wanted(asked, mosaics, settings)
    folders = [_folder(run_dir, crs, number) for number, crs in enumerate(wanted)]
    members = tuple(folder.name for folder in folders) if len(wanted) > 1 else ()
    return [
        Planned(
            dataclasses.replace(asked, crs=crs, members=members, mosaic=_files_of(crs, asked, mosaics)), folder
        )
        for crs, folder in zip(wanted, folders, strict=True)
    ]  # fmt: skip


def _wanted(request: ScanRequest, mosaics: dict[str, Mosaic], settings: Settings) -> list[str]:
    """The coordinate systems with cells in the area."""
    model, area = load_model(request.model, settings), area_of(request.aoi)
    wanted: list[str] = []
    outside: list[ImageryError] = []
    for crs, mosaic in mosaics.items():
        try:
            check_area(mosaic.grid.for_cells(model.geometry), area)
        except ImageryError as error:
            outside.append(error)
            continue
        if problem := fits(model, mosaic.bands, mosaic.level):
            raise ModelError(problem)
        wanted.append(crs)
    if not wanted:
        raise outside[0]
    return wanted


def _files_of(crs: str, request: ScanRequest, mosaics: dict[str, Mosaic]) -> tuple[str, ...]:
    """The listed files without those that lie in other coordinate systems."""
    others = {path for other, mosaic in mosaics.items() if other != crs for path in mosaic.paths}
    return tuple(path for path in listed(request.mosaic) if path not in others)


def _folder(run_dir: Path, crs: str, number: int) -> Path:
    if RUN_ID.fullmatch(run_dir.name):
        return run_dir.with_name(new_run_id()) if number else run_dir
    try:
        zone = zone_name(crs)
    except MinediscError:  # no UTM zone
        zone = crs.removeprefix("EPSG:") if len(crs) < 20 else f"crs{number + 1}"
    return run_dir.with_name(f"{run_dir.name}_{zone}")


def check_new(planned: Sequence[Planned], *, resume: bool) -> None:
    """Check that no run of a scan is there already, before the first takes its hours.

    Raises:
        RunError: one is, and it was not asked to be resumed.
    """
    there = [one.run_dir for one in planned if (one.run_dir / REQUEST).exists()]
    if there and not resume:
        raise RunError(
            f"{there[0]} holds a run already", "an empty or new folder", "choose another folder, or resume the run"
        )


def enter_all(planned: Sequence[Planned], settings: Settings, *, resume: bool) -> None:
    """Write the requests of all runs of a scan, or check that they ask the same.

    Raises:
        MinediscError: as `request.enter`; runs that were entered are left without a request again.
    """
    check_new(planned, resume=resume)
    begun: list[Path] = []
    try:
        for one in planned:
            is_new = not (one.run_dir / REQUEST).exists()
            enter(one.request, one.run_dir, settings, resume=resume).mosaic.close()
            if is_new:
                begun.append(one.run_dir)
    except MinediscError:
        for folder in begun:
            (folder / REQUEST).unlink(missing_ok=True)
        raise
    for one in planned[1:]:
        ProgressLog(one.run_dir).phase("waiting for the other zones of this scan")


def run_all(
    planned: Sequence[Planned], settings: Settings, work: Callable[[Planned, Nets | None], RunSummary]
) -> list[RunSummary]:
    """Work on the runs of a scan one after another and join what they found.

    Args:
        planned: as `plan` gives them.
        settings: threads and folders of models.
        work: scans for one of them (`run_scan`), with the nets if these are loaded already.

    Raises:
        MinediscError: as `run_scan`. The results of several runs are written when all have ended.
    """
    if len(planned) == 1:
        return [work(planned[0], None)]
    finished = [read_summary(one.run_dir) for one in planned if (one.run_dir / RESULT).exists()]
    if len(finished) == len(planned) and all(summary.state is RunState.COMPLETE for summary in finished):
        return finished
    nets = load_nets(load_model(planned[0].request.model, settings), settings)
    for one in planned:
        work(one, nets)
    return settle([one.run_dir for one in planned])


def settle(run_dirs: Sequence[Path]) -> list[RunSummary]:
    """Join the places of runs that have ended, from what each found alone, and write sites and results.

    Raises:
        RunError: a run has not ended, or its files cannot be read.
    """
    summaries = [read_summary(folder, RESULT_ALONE) for folder in run_dirs]
    ids = tuple(summary.run_id for summary in summaries)
    runs = [
        OneRun(run_id, read_sites(folder, SITES_ALONE), read_seen_cells(folder / SCORES))
        for run_id, folder in zip(ids, run_dirs, strict=True)
    ]
    settled = []
    for folder, summary, joined in zip(run_dirs, summaries, join(runs), strict=True):
        write_sites(folder, joined.sites)
        discarded = sum(site.discarded for site in joined.sites)
        settled.append(
            dataclasses.replace(
                summary, sites=len(joined.sites), discarded=discarded, members=ids,
                problems=(*summary.problems, *joined.told),
            )
        )  # fmt: skip
    for folder, summary in zip(run_dirs, settled, strict=True):
        write_summary(folder, summary)
    return settled


def folders_of(run_dir: Path) -> list[Path]:
    """The folders of all runs of the scan that a run belongs to; of a run alone, its own.

    Raises:
        RunError: the folder's request cannot be read.
    """
    stored = read_json(run_dir / REQUEST) if (run_dir / REQUEST).is_file() else {}
    return [run_dir.with_name(name) for name in stored.get("members") or ()] or [run_dir]


def work_on_all(run_dir: Path, settings: Settings) -> list[RunSummary]:
    """Go on with the runs that `enter_all` has entered, in this process; a cancel flag that came meanwhile counts.

    Raises:
        MinediscError: as `run_all`; the reason is left in the folder of every run of the scan.
    """
    planned = [Planned(read_request(folder), folder) for folder in folders_of(run_dir)]
    try:
        return run_all(planned, settings, lambda one, nets: work_on(one.run_dir, settings, nets))
    except Cancelled:
        raise
    except MinediscError as error:
        for one in planned:
            write_json(one.run_dir / FAILED, {"found": error.found, "expected": error.expected, "remedy": error.remedy})
        raise
