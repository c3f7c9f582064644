"""From a request to a mosaic on disk: blocks asked for several at once, kept as they come, put together at the end.

All that is unfinished lies in a hidden folder beside the result, `.NAME.tif.parts`, which is laid out as a run's:
request.json, progress.jsonl, blocks/, cancel, failed.json, result.json (a result with missing blocks), and
result/, where the mosaic and what lies beside it are written before they take their names.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from minedisc_core.errors import Cancelled, ImageryError, RunError, UsageError
from minedisc_core.grid import PixelWindow, RasterGrid, geodesic_area_ha
from minedisc_core.imagery.composites.assembly import (
    Assembly,
    CompositeSummary,
    assemble,
    looks_path,
    story_path,
    summary_of,
)
from minedisc_core.imagery.composites.blocks import BlockFiles, cut, joined
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.composites.source import BLOCK_PX, Block, CompositeSource, Survey
from minedisc_core.imagery.composites.target import distortion, pieces, target_grid, wanted_blocks
from minedisc_core.jobs.ownership import sole_worker
from minedisc_core.jobs.process import ScanProcess, start_job
from minedisc_core.jobs.progress import FAILED, ProgressLog, ScanProgress
from minedisc_core.jobs.request import area_of
from minedisc_core.jobs.sources import check_request, open_source
from minedisc_core.jobs.worker import COMPOSITE
from minedisc_core.runs import CANCEL, REQUEST, RESULT, read_json, write_json
from minedisc_core.settings import Settings, load_settings

BLOCKS, WHOLE = "blocks", "result"
_NO_PIXEL_DEPENDS_ON = ("project",)
"""Of a request: who pays may change when it is resumed."""
_STORED_SHARE = 0.6
"""Stored size of DN beside their plain size, with zstd level 1 and overviews (measured on real scenes)."""


@dataclass(frozen=True)
class CompositePlan:
    """What a composite would be made of, before a pixel is read."""

    survey: Survey
    grid: RasterGrid
    blocks: int
    km2: float
    """Of the area, geodesic."""
    megabytes: float
    """Of the mosaic on disk, about."""
    remarks: tuple[str, ...] = ()
    """Sentences a person should read: what was left out, and the distortion of an area in several zones."""

    @property
    def cloud_percent(self) -> float | None:
        """Mean of the scenes' stated cloud shares, 0..100; None if none states one."""
        known = [scene.cloud_percent for scene in self.survey.scenes if scene.cloud_percent is not None]
        return sum(known) / len(known) if known else None


def work_folder(out: Path) -> Path:
    """Where the unfinished part of a mosaic lies."""
    return out.parent / f".{out.name}.parts"


def plan_composite(request: CompositeRequest, source: CompositeSource) -> CompositePlan:
    """Ask the source what there is for a request.

    Raises:
        UsageError: the request makes no sense.
        ImageryError: the source cannot be reached or holds nothing for it.
    """
    area, grid = _place(request)
    survey = source.survey()
    plain = 2e-6 * grid.height_px * grid.width_px * len(survey.bands)
    blocks = len(wanted_blocks(grid, area, source.layout(grid)))
    remarks = (*survey.remarks, *filter(None, [distortion(grid, area)]))
    return CompositePlan(survey, grid, blocks, geodesic_area_ha(area) / 100, plain * _STORED_SHARE, remarks)


def check_composite(request: CompositeRequest) -> None:
    """Check what can be checked without a network.

    Raises:
        UsageError: the request makes no sense; says why.
    """
    check_request(request)
    _place(request)


def run_composite(
    request: CompositeRequest,
    out: Path,
    *,
    resume: bool = False,
    source: CompositeSource | None = None,
    service_account: Path | None = None,
    on_progress: Callable[[ScanProgress], None] | None = None,
) -> CompositeSummary:
    """Make a composite in this process.

    Args:
        request: what is asked for.
        out: the GeoTIFF to write; `NAME.looks.tif` and `NAME.tif.json` appear beside it.
        resume: go on with what was begun for `out`: finished blocks are not asked for again, and nothing at all
            if the mosaic is whole already.
        source: None opens the request's own.
        service_account: see `open_source`.
        on_progress: called after each block and at each step.

    Raises:
        Cancelled: the work folder's `cancel` flag was set; finished blocks are kept.
        UsageError: the request makes no sense.
        ImageryError: the source has nothing, or no block could be made.
        RunError: another request was begun here, or the disk is full.
    """
    check_composite(request)
    made = made_already(request, out) if resume else None
    if made is not None:
        return made
    folder = work_folder(out)
    with sole_worker(folder):
        enter_composite(request, out, resume=resume)
        (folder / CANCEL).unlink(missing_ok=True)
        chosen = source or open_source(request, service_account)
        return _finish(folder, _Work(request, out, folder, chosen, on_progress).execute())


def made_already(request: CompositeRequest, out: Path) -> CompositeSummary | None:
    """The summary of a mosaic that is there, whole, and made for the same request; else None."""
    if (work_folder(out) / REQUEST).exists() or not (out.is_file() and story_path(out).is_file()):
        return None
    try:
        story = read_json(story_path(out))
        summary = summary_of(story)
        is_same = not _changed(story.get("request") or {}, request.to_json())
    except RunError:  # another program's JSON
        return None
    return summary if is_same and summary.is_complete else None


def work_on_composite(folder: Path) -> CompositeSummary:
    """Go on with what `start_composite` has entered; a cancel flag that came in the meantime counts.

    Raises:
        MinediscError: as `run_composite`.
    """
    request, out = read_composite_request(folder)
    with sole_worker(folder):
        source = open_source(request)
        return _finish(folder, _Work(request, out, folder, source, None).execute())


def start_composite(
    request: CompositeRequest, out: Path, *, resume: bool = False, settings: Settings | None = None
) -> ScanProcess:
    """Check a request, then make the composite in a process of its own that outlives this one.

    Raises:
        UsageError: the request makes no sense (nothing is started).
        RunError: another request was begun here, or a process works on it.
    """
    chosen = settings or load_settings()
    check_composite(request)
    return start_job(work_folder(out), lambda: enter_composite(request, out, resume=resume), chosen)


def enter_composite(request: CompositeRequest, out: Path, *, resume: bool) -> None:
    """Write `request.json` of a new composite, or check that what was begun asks the same.

    Raises:
        UsageError: the request makes no sense.
        RunError: something else was begun here, or this was begun and not asked to be resumed.
    """
    check_composite(request)
    folder = work_folder(out)
    asked = request.to_json()
    facts: dict[str, Any] = {"kind": COMPOSITE, "request": asked, "out": str(out)}
    kept = BlockFiles(folder / BLOCKS)
    if kept.is_empty or not (folder / REQUEST).exists():
        kept.forget()  # of a mosaic that is whole, when the removal of its folder was cut short
        write_json(folder / REQUEST, {**facts, "asked_at_utc": datetime.now(UTC).replace(tzinfo=None)})
        return
    if not resume:
        raise RunError(
            f"a mosaic was begun for {out} and is not finished",
            "a new name, or --resume",
            f"resume it, or remove the folder {folder}",
        )
    stored = read_json(folder / REQUEST)
    _check_same(stored.get("request") or {}, asked, out)
    write_json(folder / REQUEST, {**stored, **facts})


def read_composite_request(folder: Path) -> tuple[CompositeRequest, Path]:
    """The request of a work folder, and the mosaic it is for.

    Raises:
        RunError: the folder holds none, or it is broken.
    """
    found = read_json(folder / REQUEST)
    if found.get("kind") != COMPOSITE or not isinstance(found.get("request"), dict):
        raise RunError(f"{folder} holds no composite", remedy="ask for the mosaic anew")
    return CompositeRequest.from_json(found["request"]), Path(str(found["out"]))


def _check_same(stored: Mapping[str, Any], asked: Mapping[str, Any], out: Path) -> None:
    changed = _changed(stored, asked)
    if changed:
        raise RunError(
            f"the mosaic {out} was begun with another {', '.join(changed)}",
            "the same request as when it was begun",
            "undo the change, or choose another name",
        )


def _changed(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """What of a request would change pixels, in words."""
    named = [name for name in asked if name not in _NO_PIXEL_DEPENDS_ON and stored.get(name) != asked[name]]
    return [name.replace("_", " ") for name in named]


def _place(request: CompositeRequest) -> tuple[BaseGeometry, RasterGrid]:
    area = area_of(request.aoi)
    if area is None:
        raise UsageError("no area is given", "a polygon", "draw one, or give a file")
    return area, target_grid(area, request.crs)


def _finish(folder: Path, summary: CompositeSummary) -> CompositeSummary:
    """A whole result needs no work folder any more; of one with missing blocks the rest can be resumed."""
    if summary.is_complete:
        (folder / REQUEST).unlink(missing_ok=True)  # with it goes the mosaic's state "begun"
        shutil.rmtree(folder, ignore_errors=True)
    else:
        write_json(folder / RESULT, dataclasses.asdict(summary))
    return summary


class _Work:
    """One attempt at a composite."""

    def __init__(
        self, request: CompositeRequest, out: Path, folder: Path, source: CompositeSource,
        on_progress: Callable[[ScanProgress], None] | None,
    ) -> None:  # fmt: skip
        self.request, self.out, self.folder, self.source = request, out, folder, source
        self.area, self.grid = _place(request)
        self.files = BlockFiles(folder / BLOCKS)
        self.log = ProgressLog(folder, on_progress)
        self.stopped: BaseException | None = None

    def execute(self) -> CompositeSummary:
        """Everything, in order."""
        for name in (FAILED, RESULT):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / WHOLE, ignore_errors=True)
        self.files.sweep()
        self._step("asking which scenes there are")
        survey = self.source.survey()
        windows = wanted_blocks(self.grid, self.area, self.source.layout(self.grid))
        failures = self._blocks(survey, windows)
        self._step("writing the mosaic")
        load = self._finished(survey, [window for window in windows if window not in failures])
        job = Assembly(self.request, self.area, self.grid, survey, load, failures)
        summary = assemble(job, self.out, self.folder / WHOLE)
        (self.folder / WHOLE).rmdir()
        return summary

    def _finished(self, survey: Survey, made: list[PixelWindow]) -> Callable[[PixelWindow], Block | None]:
        """How the assembly gets blocks: it stops if it is cancelled, or if a file has gone since it was made."""
        due: dict[tuple[int, int], list[PixelWindow]] = {}
        for piece in (piece for window in made for piece in pieces(window)):
            due.setdefault((piece.row // BLOCK_PX, piece.col // BLOCK_PX), []).append(piece)

        def load(window: PixelWindow) -> Block | None:
            self._check_going_on()
            wanted = due.get((window.row // BLOCK_PX, window.col // BLOCK_PX), [])
            found = {piece: self.files.load(piece, len(survey.bands)) for piece in wanted}
            for piece, block in found.items():
                if block is None:
                    raise RunError(f"the block at row {piece.row}, column {piece.col} has gone", remedy="resume")
            return joined(window, {piece: block for piece, block in found.items() if block}) if found else None

        return load

    def _blocks(self, survey: Survey, windows: list[PixelWindow]) -> dict[PixelWindow, str]:
        """Make what is missing; blocks that could not be made, and why."""
        pixels = sum(window.height * window.width for window in windows)
        self.log.start(len(windows), geodesic_area_ha(self.area) / 100, pixels, "reading scenes")
        missing = []
        for window in windows:
            if any(self.files.load(piece, len(survey.bands)) is None for piece in pieces(window)):
                missing.append(window)
            else:
                self._note(window, None, is_new=False)
        failures = self._make(missing)
        if failures and len(failures) == len(windows):
            reason = next(iter(failures.values()))
            raise ImageryError(f"no block of the mosaic could be made: {reason}", remedy="try again later")
        return failures

    def _make(self, windows: list[PixelWindow]) -> dict[PixelWindow, str]:
        failures: dict[PixelWindow, str] = {}
        with ThreadPoolExecutor(self.source.most_in_flight) as pool:
            futures = {pool.submit(self._make_one, window): window for window in windows}
            try:
                for future in as_completed(futures):
                    window, reason = futures[future], future.result()
                    if reason:
                        failures[window] = reason
                    self._note(window, reason, is_new=True)
            except BaseException as error:  # noqa: BLE001 - what came first is raised below
                self.stopped = self.stopped or error  # the pool waits for its threads: they must not go on
                pool.shutdown(wait=False, cancel_futures=True)
        if self.stopped:
            raise self.stopped
        return failures

    def _make_one(self, window: PixelWindow) -> str | None:
        """Why a block could not be made (in a thread); the first thing that stops all is kept for the others."""
        try:
            self._check_going_on()
            block = self.source.read_block(self.grid, window, self._is_stopping)
            for number, piece in enumerate(pieces(window)):
                self.files.save(piece, cut(block, window, piece, with_problems=number == 0))
        except ImageryError as error:
            return str(error)
        except BaseException as error:
            self.stopped = self.stopped or error
            raise
        return None

    def _check_going_on(self) -> None:
        if self._is_stopping():
            raise Cancelled("the mosaic was cancelled", remedy="resume it when you like: finished blocks are kept")

    def _is_stopping(self) -> bool:
        return self.stopped is not None or (self.folder / CANCEL).exists()

    def _note(self, window: PixelWindow, reason: str | None, *, is_new: bool) -> None:
        self.log.tile(f"{window.row}_{window.col}", window.height * window.width, reason, is_new)

    def _step(self, message: str) -> None:
        self._check_going_on()
        self.log.phase(message)


def remove_composite(out: Path) -> None:
    """Remove a mosaic, what lies beside it and what was begun for it.

    Raises:
        RunError: the files cannot be removed.
    """
    try:
        for path in (story_path(out), looks_path(out), out):
            path.unlink(missing_ok=True)
        if work_folder(out).exists():
            shutil.rmtree(work_folder(out))
    except OSError as error:
        raise RunError(f"{out} could not be removed: {error.strerror or error}") from error
