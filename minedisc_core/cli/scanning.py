"""The scan: from a mosaic to a run folder, with progress, cancel and resume."""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from minedisc_core.cli.imagery import Day, DnOffset, Level, split_names
from minedisc_core.cli.options import FAILED, AsJson, Home, settings_of
from minedisc_core.cli.output import library_notes_into, print_json, progress_bar, say
from minedisc_core.errors import RunError, UsageError
from minedisc_core.settings import checked_scheduler

if TYPE_CHECKING:
    from minedisc_core.domain import RunSummary
    from minedisc_core.jobs import ScanRequest
    from minedisc_core.jobs.run import Nets
    from minedisc_core.settings import Settings

EngineWord = Literal["auto", "tensorflow", "openvino", "openvino-bf16"]
SchedulerAddress = Annotated[
    str | None, typer.Option(help="Dask scheduler whose workers score the tiles: tcp://HOST:8786.")
]
WorkerCount = Annotated[int | None, typer.Option(min=1, help="Start so many worker processes here, one thread each.")]
ResultsPlace = Annotated[
    str | None, typer.Option(help="Where tiles' results are kept: a folder or s3://BUCKET/FOLDER (the run's own).")
]
CANCEL = "cancel"
"""File in a run folder that asks its scan to stop (`runs.CANCEL`; not imported, as start-up stays light)."""
CANCEL_SECONDS = 1.2
"""A scan that was told to stop and does not is ended after this time; its finished tiles are kept."""


class SeveralMosaics(typer.core.TyperCommand):
    """Lets one --mosaic take several files: `--mosaic A B` is `--mosaic A --mosaic B`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its further values."""
        return super().parse_args(ctx, list(spread(args, "--mosaic")))


def spread(words: Sequence[str], option: str) -> Iterator[str]:
    """Words of a command line with `option` repeated before each of its values.

    A word belongs to the option until the next word that starts with `-`.
    """
    collecting, first = False, False
    for word in words:
        if word.startswith("-") and len(word) > 1:
            collecting = word == option or word.startswith(f"{option}=")
            first = word == option
        elif collecting:
            if not first:
                yield option
            first = False
        yield word


def scan(
    mosaic: Annotated[
        list[str],
        typer.Option(
            help="GeoTIFF, VRT, https://, s3://, 'folder/*.tif', STAC items (.json); several may follow.",
            show_default=False,
        ),
    ],
    model: Annotated[str, typer.Option(help="Name or folder; see `minedisc models list`.", show_default=False)],
    run: Annotated[Path, typer.Option(help="Folder for the run.", show_default=False)],
    aoi: Annotated[Path | None, typer.Option(help="Area: GeoJSON, KML, zipped shapefile.")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Default: the model card's.")] = None,
    engine: Annotated[
        EngineWord | None, typer.Option(help="What scores (default: MINEDISC_ENGINE, else auto).")
    ] = None,
    isolated_threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Ask isolated single-cell hits for this score (off).")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier scan stopped.")] = False,
    level: Level = None,
    bands: Annotated[str | None, typer.Option(help="Bands of the file in order (B2,B3,B4), if it names none.")] = None,
    dn_offset: DnOffset = None,
    imagery_start: Day = None,
    imagery_end: Day = None,
    scheduler: SchedulerAddress = None,
    workers: WorkerCount = None,
    results: ResultsPlace = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Scan a mosaic, or a list of them, for mines and tailings dams. Run folders are read with `minedisc take-in`.

    Files of one coordinate system make one run. Those of several make one each, in folders NAME_23S, NAME_24S, ...
    """
    settings = _settings(settings_of(home), engine, scheduler, workers or 0)
    request = build_request(
        settings,
        aoi,
        mosaic=tuple(mosaic),
        model=model,
        threshold=threshold,
        isolated_threshold=isolated_threshold,
        bands=split_names(bands),
        dn_offset=dn_offset,
        level=level,
        imagery_start=imagery_start.date() if imagery_start else None,
        imagery_end=imagery_end.date() if imagery_end else None,
        results=results,
    )
    with _workers_of(settings, workers or 0) as chosen:
        runs = run_each_to_end(request, run, chosen, resume=resume)
    _tell_all(runs, as_json)


def _settings(settings: Settings, engine: str | None, scheduler: str | None, workers: int) -> Settings:
    """The settings with what the command line names instead."""
    chosen = settings.scheduler if scheduler is None else checked_scheduler(scheduler)
    if workers and chosen:
        raise UsageError(
            f"workers of this machine and the scheduler {chosen} are named",
            "one of the two",
            "leave out --workers, or --scheduler and MINEDISC_SCHEDULER",
        )
    return dataclasses.replace(settings, engine=engine or settings.engine, scheduler=chosen)


def _tell_all(runs: dict[Path, RunSummary], as_json: bool) -> None:
    """Print what came out of each run; one that is not complete makes the command fail."""
    if as_json:
        told = [as_plain(summary, folder) for folder, summary in runs.items()]
        print_json(told if len(told) > 1 else told[0])
    failed = [tell(summary, folder, silent=as_json) for folder, summary in runs.items()]
    if any(failed):
        raise typer.Exit(FAILED)


def run_each_to_end(request: ScanRequest, run: Path, settings: Settings, *, resume: bool) -> dict[Path, RunSummary]:
    """Scan in this process, one run for each coordinate system of the files; the summaries by their folders.

    Raises:
        Cancelled: Ctrl-C; the finished tiles are kept.
        MinediscError: the request cannot be met.
    """
    from minedisc_core.jobs.zones import check_new, plan, run_all

    planned = plan(request, run.absolute(), settings)
    check_new(planned, resume=resume)
    folders = [folder_to_fill(one.run_dir) for one in planned]
    if len(planned) > 1:
        say(f"the files lie in {len(planned)} coordinate systems: {', '.join(folder.name for folder in folders)}")
    summaries = run_all(
        planned, settings, lambda one, nets: run_to_end(one.request, one.run_dir, settings, resume=resume, nets=nets)
    )
    return dict(zip(folders, summaries, strict=True))


def folder_to_fill(path: Path) -> Path:
    """The absolute path of a folder (of a run, of a home), made if it is missing.

    Raises:
        UsageError: a file is there.
        RunError: the folder cannot be made.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file", "a folder", "choose another")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"the folder {path} cannot be made: {error.strerror or error}", remedy="choose another"
        ) from error
    return path.resolve()


def build_request(settings: Settings, aoi: Path | None, **choices: Any) -> ScanRequest:
    """The request that the options describe; the area is read from its file.

    Raises:
        RegisterError: the file of the area cannot be read.
    """
    from shapely.geometry import mapping

    from minedisc_core.domain import ProductLevel
    from minedisc_core.jobs import ScanRequest
    from minedisc_core.registers.areas import read_aoi

    area = mapping(read_aoi(aoi, settings)) if aoi else None
    level = ProductLevel(choices.pop("level")) if choices["level"] else choices.pop("level")
    return ScanRequest(aoi=area, level=level, **choices)


def run_to_end(
    request: ScanRequest, run_dir: Path, settings: Settings, *, resume: bool, nets: Nets | None = None
) -> RunSummary:
    """Scan from this process, with progress on stderr; Ctrl-C stops it within two seconds.

    Args:
        request: what to scan.
        run_dir: the run's folder.
        settings: threads, or a scheduler whose workers score the tiles.
        resume: go on with a run that was begun here.
        nets: of the request's model, if they are loaded already.

    Raises:
        Cancelled: Ctrl-C; the finished tiles are kept.
        MinediscError: the request cannot be met.
    """
    from minedisc_core.jobs import run_scan
    from minedisc_core.jobs.process import LOG

    with library_notes_into(run_dir / LOG), stopping_on_signals(run_dir), progress_bar("scan") as show:
        return run_scan(request, run_dir, resume=resume, on_progress=show, settings=settings, nets=nets)


@contextmanager
def _workers_of(settings: Settings, count: int) -> Iterator[Settings]:
    """The settings, with the scheduler of as many workers of this machine as are asked for."""
    if not count:
        yield settings
        return
    from minedisc_core.jobs.cluster import local_workers

    with local_workers(count) as address:
        yield dataclasses.replace(settings, scheduler=address)


@contextmanager
def stopping_on_signals(run_dir: Path) -> Iterator[None]:
    """On Ctrl-C and SIGTERM ask the scan to stop, and end the process if it has not after `CANCEL_SECONDS`."""
    ends: list[threading.Timer] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / CANCEL).touch()
        say(
            f"stopping: what is finished is kept in {shlex.quote(str(run_dir))}; the same command with --resume goes on"
        )
        ends.append(threading.Timer(CANCEL_SECONDS, end_now))
        ends[-1].daemon = True
        ends[-1].start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
        for end in ends:  # it has finished all the same; a scan that stopped may still take its time to exit
            end.cancel()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_now() -> None:
    """End this process whatever it is doing; the terminal gets its cursor back, which a progress bar hides."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")
        sys.stderr.flush()
    os._exit(FAILED)


def tell(summary: RunSummary, run_dir: Path, *, silent: bool = False) -> bool:
    """Print what the scan found (`silent`: only what a person should read of it); whether it is not complete."""
    from minedisc_core.domain import RunState

    coverage = summary.coverage
    if not silent:
        print(f"run {summary.run_id}: {summary.state.value} after {summary.seconds:,.0f} s, in {run_dir}")
        print(f"engine: {'; '.join((str(summary.engine), *summary.engine.refused))}")
        if summary.engine.scheduler:
            print(f"scored by: {summary.engine.workers} workers of {summary.engine.scheduler}")
        print(f"seen: {coverage.seen_km2:,.1f} of {coverage.asked_km2:,.1f} km2 ({coverage.fraction:.1%})")
        print(f'sites: {summary.sites}, {summary.discarded} of them hidden as "no ore"')
    for problem in summary.problems:
        say(problem)
    return summary.state is not RunState.COMPLETE


def as_plain(summary: RunSummary, run_dir: Path) -> dict[str, Any]:
    """A summary as plain values for JSON."""
    from minedisc_core.service.records import plain

    values: dict[str, Any] = plain(summary)
    return values | {"run_dir": str(run_dir), "fraction": summary.coverage.fraction}
