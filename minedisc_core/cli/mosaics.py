"""One door to a mosaic: files that lie here, Earth Engine, or a catalogue of open files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from minedisc_core.cli.imagery import Day, DnOffset, Level, split_names
from minedisc_core.cli.mosaic_options import (
    AREA,
    ASSETS,
    CATALOGUE,
    CLEAR,
    CLOUD,
    COLLECTION,
    EXPORT,
    FOLDER,
    MASKED,
    PROJECT,
    RECIPE,
    RESUME,
    SERVICE_ACCOUNT,
    SURVEY,
    TASKS,
    ZONE,
    check_fits,
)  # fmt: skip
from minedisc_core.cli.options import FAILED, AsJson, Home, file_to_write, settings_of
from minedisc_core.cli.output import print_json, progress_bar, say
from minedisc_core.errors import UsageError

if TYPE_CHECKING:
    from minedisc_core.imagery.composites.assembly import CompositeSummary
    from minedisc_core.imagery.composites.request import CompositeRequest
    from minedisc_core.jobs.compositing import CompositePlan
    from minedisc_core.settings import Settings

SourceName = Literal["ee", "stac", "files"]


def mosaic(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[IN...]", help="With files: files or folders.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="GeoTIFF to write.", show_default=False)] = None,
    source: Annotated[SourceName, typer.Option(help="Earth Engine, a STAC catalogue, or files.")] = "files",
    aoi: AREA = None,
    recipe: RECIPE = None,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = None,
    end: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day after the last.")] = None,
    resume: RESUME = False,
    level: Level = None,
    bands: Annotated[str | None, typer.Option(help="Bands (B2,B3,B4); default: the twelve of the level.")] = None,
    cloud: CLOUD = 20.0,
    clear: CLEAR = 0.60,
    mask_classes: MASKED = None,
    zone: ZONE = None,
    project: PROJECT = "",
    service_account: SERVICE_ACCOUNT = None,
    catalogue: CATALOGUE = "earth-search",
    collection: COLLECTION = "",
    assets: ASSETS = None,
    survey: SURVEY = False,
    export: EXPORT = None,
    folder: FOLDER = "",
    tasks: TASKS = None,
    dn_offset: DnOffset = None,
    file_bands: Annotated[str | None, typer.Option(help="Files: their bands in order, if they name none.")] = None,
    imagery_start: Day = None,
    imagery_end: Day = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a mosaic of 10 m UTM pixels that a scan takes: of files, from Earth Engine, or from a STAC catalogue.

    Before a download starts the number of scenes, their clouds and the size are told. Ctrl-C stops it; the same
    command with --resume goes on. Beside the mosaic lie NAME.tif.json (what it is made of) and NAME.looks.tif.
    """
    check_fits(ctx, source)
    if tasks:
        follow_tasks(split_names(tasks) or (), project, service_account, as_json)
        return
    settings = settings_of(home)
    if source == "files":
        days = (imagery_start.date() if imagery_start else None, imagery_end.date() if imagery_end else None)
        from_files(_Files(sources or [], out, aoi, level, dn_offset, bands, file_bands, days), settings, as_json)
        return
    request = _request(ctx.params, settings)
    if survey or export:
        plan = tell_plan(request, service_account, as_json=as_json and not export)
        if export:
            start_exports(request, plan, (export, folder), out, service_account)
        return
    for part, target in _by_zone(request, zone, _target(out, settings)):
        make(part, target, resume=resume, service_account=service_account, as_json=as_json)


@dataclass(frozen=True)
class _Files:
    """What the options say of files."""

    sources: list[str]
    out: Path | None
    aoi: Path | None
    level: str | None
    dn_offset: int | None
    bands: str | None
    file_bands: str | None
    days: tuple[date | None, date | None]


def _target(out: Path | None, settings: Settings) -> Path:
    if out is None:
        raise UsageError("--out is missing", "the GeoTIFF to write")
    return file_to_write(out, settings)


def from_files(asked: _Files, settings: Settings, as_json: bool) -> None:
    """Make the mosaic of files, and print what it is."""
    from minedisc_core.domain import ProductLevel
    from minedisc_core.imagery.files import build_mosaic
    from minedisc_core.imagery.geotiff import open_mosaic
    from minedisc_core.registers.areas import read_aoi

    if not asked.sources:
        raise UsageError("no files are named", "files or folders, or --source ee or stac")
    area = read_aoi(asked.aoi, settings) if asked.aoi else None
    target = _target(asked.out, settings)
    say(f"files: building {asked.out} ...")
    written = build_mosaic(
        [Path(path) for path in asked.sources],
        target,
        level=ProductLevel(asked.level) if asked.level else None,
        dn_offset=asked.dn_offset,
        bands=split_names(asked.bands),
        file_bands=split_names(asked.file_bands),
        aoi=area,
        imagery_start=asked.days[0],
        imagery_end=asked.days[1],
    )
    with open_mosaic([written]) as made:
        facts = {
            "path": str(written),
            "width_px": made.grid.width_px,
            "height_px": made.grid.height_px,
            "bands": list(made.bands),
            "level": made.level.value if made.level else None,
        }
    if as_json:
        print_json(facts)
        return
    print(f"{facts['path']}: {facts['width_px']} x {facts['height_px']} px, {facts['level']}, {' '.join(made.bands)}")


def _request(given: Mapping[str, Any], settings: Settings) -> CompositeRequest:
    """The composite that the options describe."""
    from shapely.geometry import mapping

    from minedisc_core.cli.mosaic_options import assets_of, classes_of, default_level, default_recipe, zone_of
    from minedisc_core.domain import ProductLevel
    from minedisc_core.imagery.composites.request import CompositeRequest, default_dates
    from minedisc_core.jobs.sources import check_request
    from minedisc_core.registers.areas import read_aoi

    if given["aoi"] is None:
        raise UsageError("--aoi is missing", "a file with the area: GeoJSON, KML, zipped shapefile")
    recipe = given["recipe"] or default_recipe(given["source"])
    usual = default_dates(recipe)
    days = [value.date() if value else day for value, day in zip((given["start"], given["end"]), usual, strict=True)]
    if days[0] is None or days[1] is None:
        raise UsageError("--start and --end are missing", "two days, YYYY-MM-DD: the first, and the one after the last")
    request = CompositeRequest(
        source=given["source"],
        recipe=recipe,
        aoi=mapping(read_aoi(given["aoi"], settings)),
        start=days[0],
        end=days[1],
        level=ProductLevel(given["level"] or default_level(given["source"])),
        bands=split_names(given["bands"]) or (),
        most_cloud_percent=given["cloud"],
        clear_cutoff=given["clear"],
        crs=zone_of(given["zone"]),
        project=given["project"],
        catalogue=given["catalogue"],
        collection=given["collection"],
        assets=assets_of(given["assets"]),
        **classes_of(given["mask_classes"]),
    )
    check_request(request)
    return request


def _by_zone(request: CompositeRequest, zone: str | None, out: Path) -> list[tuple[CompositeRequest, Path]]:
    """The request itself, or with `each` one for each UTM zone that the area meets: NAME_23S.tif, ..."""
    from dataclasses import replace

    from shapely.geometry import mapping, shape

    from minedisc_core.imagery.composites.target import parts_by_zone, zone_name

    if zone != "each":
        return [(request, out)]
    parts = parts_by_zone(shape(request.aoi))
    return [
        (replace(request, aoi=mapping(area), crs=crs), out.with_name(f"{out.stem}_{zone_name(crs)}{out.suffix}"))
        for crs, area in parts
    ]


def tell_plan(request: CompositeRequest, service_account: Path | None, *, as_json: bool = False) -> CompositePlan:
    """Ask what there is, and print it."""
    from minedisc_core.jobs.compositing import plan_composite
    from minedisc_core.jobs.sources import open_source
    from minedisc_core.service.records import plain

    plan = plan_composite(request, open_source(request, service_account))
    survey = plan.survey
    if as_json:
        print_json(
            {
                "collection": survey.collection,
                "scenes": plain(survey.scenes),
                "cloud_percent": plan.cloud_percent,
                "km2": round(plan.km2, 1),
                "blocks": plan.blocks,
                "megabytes": round(plan.megabytes),
                "remarks": list(plan.remarks),
            }
        )
        return plan
    _say_plan(plan)
    return plan


def _say_plan(plan: CompositePlan) -> None:
    clouds = "" if plan.cloud_percent is None else f", {plan.cloud_percent:.0f} % cloud on average"
    say(f"{len(plan.survey.scenes)} scenes of {plan.survey.collection}{clouds}")
    say(f"{plan.km2:,.0f} km2, {plan.grid.width_px:,} x {plan.grid.height_px:,} px, about {plan.megabytes:,.0f} MB")
    for remark in plan.remarks:
        say(remark)


def make(request: CompositeRequest, out: Path, *, resume: bool, service_account: Path | None, as_json: bool) -> None:
    """Make one composite in this process, and print what it is."""
    from minedisc_core.cli.output import library_notes_into
    from minedisc_core.cli.scanning import folder_to_fill, stopping_on_signals
    from minedisc_core.jobs.compositing import plan_composite, run_composite, work_folder
    from minedisc_core.jobs.process import LOG
    from minedisc_core.jobs.sources import open_source

    source = open_source(request, service_account)
    _say_plan(plan_composite(request, source))
    work = folder_to_fill(work_folder(out))
    with library_notes_into(work / LOG), stopping_on_signals(work), progress_bar("mosaic") as show:
        summary = run_composite(request, out, resume=resume, source=source, on_progress=show)
    if summary.is_complete:
        shutil.rmtree(work, ignore_errors=True)  # what the libraries said, of a mosaic that is whole
    tell(summary, as_json)


def tell(summary: CompositeSummary, as_json: bool) -> None:
    """Print what became of it; with missing blocks it has failed."""
    from minedisc_core.service.records import plain

    if as_json:
        print_json(plain(summary))
    else:
        print(
            f"{summary.path}: {summary.seen_km2:,.1f} of {summary.asked_km2:,.1f} km2 seen in {summary.scenes} scenes"
        )
    for problem in summary.problems:
        say(problem)
    if not summary.is_complete:
        say("incomplete: the same command with --resume asks for the missing blocks again")
        raise typer.Exit(FAILED)


def start_exports(
    request: CompositeRequest, plan: CompositePlan, to: tuple[str, str], out: Path | None, key: Path | None
) -> None:
    """Let Earth Engine write files, as the paper did; print the tasks' ids."""
    from minedisc_core.imagery.earth_engine.exports import start_export

    place, folder = to
    if not folder:
        raise UsageError("--folder is missing", "a folder in Drive, or bucket/prefix of Cloud Storage")
    name = out.stem if out else f"minedisc_{request.start:%Y%m%d}_{request.end:%Y%m%d}"
    where: Any = place
    ids = start_export(request, plan.grid, to=where, place=folder, name=name, service_account_file=key)
    for task in ids:
        print(task)
    say(f"follow them: minedisc mosaic --source ee --tasks {','.join(ids)}")
    say(f"when they are done and the files are here: minedisc mosaic FOLDER --source files --out {name}.tif")


def follow_tasks(ids: tuple[str, ...], project: str, key: Path | None, as_json: bool) -> None:
    """Print how export tasks are; a failed one is a failure."""
    from minedisc_core.cli.output import print_table
    from minedisc_core.imagery.earth_engine.exports import export_status
    from minedisc_core.service.records import plain

    found = export_status(ids, project=project, service_account_file=key)
    if as_json:
        print_json(plain(found))
    else:
        head = ("task", "name", "state", "files", "problem")
        print_table(head, [(t.task_id, t.description, t.state, " ".join(t.places), t.error) for t in found])
    if any(task.error for task in found):
        raise typer.Exit(FAILED)
