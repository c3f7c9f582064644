"""The straight line from a mosaic to a finished run folder."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from minedisc_core.detection.coverage import area_km2, coverage
from minedisc_core.detection.engines import NOT_INSTALLED, LoadedNets, Tell, load_nets_for
from minedisc_core.detection.models import Model, model_identity
from minedisc_core.detection.openvino_runtime import Threads
from minedisc_core.detection.scan import FEATURES_PER_SIDE, FLAGGED_FILL, Hooks, ScanResult, SecondLook, scan
from minedisc_core.detection.sites import SiteGroups, SiteRules, group_sites
from minedisc_core.domain import ProductLevel, RunState, RunSummary
from minedisc_core.engine_record import EngineRecord
from minedisc_core.errors import Cancelled, RunError
from minedisc_core.grid import DISCOVERY_CELLS, Tile, tiles
from minedisc_core.imagery.block_cache import scan_cache
from minedisc_core.jobs.collector import collector_paused
from minedisc_core.jobs.hits import HitCollector
from minedisc_core.jobs.numbering import keep_numbers, numbered, numbered_before
from minedisc_core.jobs.orders import Order, facts, files_of
from minedisc_core.jobs.ownership import sole_worker
from minedisc_core.jobs.pictures import write_pictures
from minedisc_core.jobs.places import place_of
from minedisc_core.jobs.progress import FAILED, ProgressLog, ScanProgress
from minedisc_core.jobs.request import Prepared, ScanRequest, enter, read_request
from minedisc_core.jobs.tiles import TileFiles
from minedisc_core.runs import (
    CANCEL,
    ENGINE,
    RESULT,
    RESULT_ALONE,
    SCORES,
    SITES,
    SITES_ALONE,
    engine_record,
    read_json,
    read_summary,
    write_atomically,
    write_json,
    write_sites,
    write_summary,
)  # fmt: skip
from minedisc_core.settings import Settings, load_settings

if TYPE_CHECKING:
    from minedisc_core.jobs.cluster import Cluster

_TOLD_FRACTION = 0.0005
"""Least share of an area that is worth a sentence."""
MOST_SCORERS = 4
"""Tiles scored at once at most; with more threads than that each tile gets several (memory: 0.5 GB a tile)."""


Nets = LoadedNets
"""The nets of a model, loaded, and the engine that runs them."""


def load_nets(model: Model, settings: Settings, tell: Tell = lambda _: None) -> Nets:
    """Load a model's nets once, for several runs in one process, in the engine that the settings ask for.

    Raises:
        ModelError: the weights cannot be used.
    """
    scorers = min(settings.threads, MOST_SCORERS)
    threads = Threads(scorers, -(-settings.threads // scorers))
    return load_nets_for(model, settings.engine, threads, settings.engine_cache, tell)


def run_scan(
    request: ScanRequest,
    run_dir: Path,
    *,
    resume: bool = False,
    on_progress: Callable[[ScanProgress], None] | None = None,
    settings: Settings | None = None,
    nets: Nets | None = None,
) -> RunSummary:
    """Scan and leave a finished run folder; the tiles are scored here, or by the workers of `settings.scheduler`.

    Args:
        request: what to scan, with what.
        run_dir: the run's folder; made if missing.
        resume: go on with a run that was begun here. Finished tiles are not repeated; a complete run is
            left as it is.
        on_progress: called after each tile and at each step.
        settings: threads and folders of models; None reads the environment.
        nets: of this very model, if they are loaded already.

    Raises:
        Cancelled: the folder's `cancel` flag was set.
        MinediscError: the request cannot be met, the disk is full, or the scheduler's workers cannot work on it.
    """
    with sole_worker(run_dir):
        (run_dir / CANCEL).unlink(missing_ok=True)
        return _work(request, run_dir, resume, settings or load_settings(), on_progress, nets)


def work_on(run_dir: Path, settings: Settings, nets: Nets | None = None) -> RunSummary:
    """Go on with the run that `start_scan` has entered; a cancel flag that came in the meantime counts.

    Raises:
        MinediscError: as `run_scan`.
    """
    with sole_worker(run_dir):
        return _work(read_request(run_dir), run_dir, True, settings, nets=nets)


def _work(
    request: ScanRequest, run_dir: Path, resume: bool, settings: Settings,
    on_progress: Callable[[ScanProgress], None] | None = None, nets: Nets | None = None,
) -> RunSummary:  # fmt: skip
    with _cluster(settings, run_dir, request) as cluster, enter(request, run_dir, settings, resume=resume) as ready:
        done = _finished(run_dir, ready.request)
        if done:
            return done
        keep_numbers(run_dir, _names(ready.request)[0])
        for name in (FAILED, RESULT, SITES, RESULT_ALONE, SITES_ALONE):
            (run_dir / name).unlink(missing_ok=True)
        with scan_cache(ready.grid.width_px, len(ready.model.discovery.bands)):
            return _Run(ready, run_dir, settings, on_progress, cluster).execute(nets)


@contextmanager
def _cluster(settings: Settings, run_dir: Path, request: ScanRequest) -> Iterator[Cluster | None]:
    """The workers that the settings name, if any, before anything of a run is written."""
    if not settings.scheduler or _finished(run_dir, request):
        yield None
        return
    from minedisc_core.jobs.cluster import cluster  # only here: Dask's import takes its time

    with cluster(settings.scheduler, (run_dir / CANCEL).exists) as found:
        yield found


def _finished(run_dir: Path, request: ScanRequest) -> RunSummary | None:
    name = _names(request)[1]
    if not (run_dir / name).exists():
        return None
    summary = read_summary(run_dir, name)
    return summary if summary.state is RunState.COMPLETE else None


def _names(request: ScanRequest) -> tuple[str, str]:
    """Files of sites and summary: those of a run that is one of several are joined with the others' first."""
    return (SITES_ALONE, RESULT_ALONE) if request.members else (SITES, RESULT)


class _Run:
    """One attempt at a run."""

    def __init__(
        self, ready: Prepared, run_dir: Path, settings: Settings,
        on_progress: Callable[[ScanProgress], None] | None = None, cluster: Cluster | None = None,
    ) -> None:  # fmt: skip
        self.ready, self.run_dir, self.settings, self.cluster = ready, run_dir, settings, cluster
        self.log = ProgressLog(run_dir, on_progress)
        place = place_of(run_dir, ready.request.results, ready.run_id)
        self.tiles = TileFiles(place, ready.model.geometry)
        self.asked = ready.grid.asked_cells(ready.area)
        self.scorers = min(settings.threads, MOST_SCORERS)
        self.hits = HitCollector(ready.mosaic, ready.model, ready.threshold)

    def execute(self, loaded: Nets | None = None) -> RunSummary:
        """Everything, in order; the summary is written last."""
        started = time.monotonic()
        self.log.phase("loading the model")
        nets = loaded or load_nets(self.ready.model, self.settings, self.log.phase)
        self._begin_with(nets.engine)
        self.hits.net = nets.impact
        if self.cluster:
            self._step("asking the workers whether they can work on it")
            self.cluster.give(self._order(nets))
        self._announce()
        result = self._scan(nets)
        self._step("grouping hits into sites")
        write_atomically(self.run_dir / SCORES, self._scores_tif(result.scores))
        with collector_paused():
            found = group_sites(self.ready.run_id, self.ready.grid, self.hits.hits(result.fill), self._rules())
            groups = numbered(self.ready.run_id, found, numbered_before(self.run_dir))
        sites_name, result_name = _names(self.ready.request)
        write_sites(self.run_dir, groups.sites, sites_name)
        problems = self._problems(result)
        if self.ready.request.pictures:
            problems += write_pictures(
                self.ready.mosaic, groups, self.run_dir, self._step, self.settings.runs, self.ready.grid
            )
        summary = self._summary(result, groups, problems, time.monotonic() - started)
        write_summary(self.run_dir, summary, result_name)
        self.log.phase("finished")
        return summary

    def _problems(self, result: ScanResult) -> list[str]:
        mosaic = self.ready.mosaic
        unread = [f"tile {p.tile.name}: {p.reason}" for p in result.problems] + self.hits.unread
        unread += [f"not seen: {sentence}" for sentence in mosaic.left_out]
        told = [*self._without_data(result), *self._outside(), *self._other_engine(), *self._other_processors()]
        return [*unread, *told, *mosaic.remarks]

    def _begin_with(self, engine: EngineRecord) -> None:
        """Keep the tiles of an earlier attempt only if this very engine scored them."""
        self.tiles.place.sweep()
        self.engine = engine
        if not self._has_begun_with(engine):
            if self.tiles.clear():
                self.log.phase("finished tiles are scored again: another engine scored them")
            write_json(self.run_dir / ENGINE, dataclasses.asdict(engine))

    def _has_begun_with(self, engine: EngineRecord) -> bool:
        """Whether earlier results come from this very engine: its name, its library's version, its processor."""
        try:
            before = engine_record(read_json(self.run_dir / ENGINE))
        except (RunError, TypeError, ValueError):
            return False
        return (before.name, before.version, before.processor) == (engine.name, engine.version, engine.processor)

    def _order(self, nets: Nets) -> Order:
        """What the workers are given, once each."""
        ready = self.ready
        return Order(
            name=f"{ready.run_id}-{secrets.token_hex(4)}",
            code=facts().code,
            model=files_of(ready.model),
            identity=model_identity(ready.model),
            engine=nets.engine,
            proof=nets.proof,
            mosaic=ready.mosaic,
            grid=ready.grid,
            bands=tuple(ready.model.discovery.bands),
            files=self.tiles,
            probe=secrets.token_bytes(16),
        )

    def _announce(self) -> None:
        wanted = tiles(self.asked, FEATURES_PER_SIDE, self.ready.grid.geometry)
        features = sum((tile.row1 - tile.row0) * (tile.col1 - tile.col0) for tile in wanted)
        message = "scanning on the workers" if self.cluster else "scanning"
        self.log.start(len(wanted), area_km2(self.ready.grid, self.asked), features, message)

    def _scan(self, nets: Nets) -> ScanResult:
        flag = self.run_dir / CANCEL
        there = self.tiles.names()

        def on_tile(tile: Tile, reason: str | None) -> None:
            features = (tile.row1 - tile.row0) * (tile.col1 - tile.col0)
            self.log.tile(tile.name, features, reason, is_new=tile.name not in there)

        hooks = Hooks(on_tile, self.hits.take, flag.exists)
        read = self.hits.tiles.read_tile
        result = scan(
            self.ready.grid, self.asked, read, nets.discovery, self.tiles,
            hooks=hooks, scorers=self.scorers, second_look=self._second_look(nets), workers=self.cluster,
        )  # fmt: skip
        if self.cluster:
            self.tiles.place.sweep()  # a worker that was killed may have left half a file
        return result

    def _second_look(self, nets: Nets) -> SecondLook | None:
        if nets.exact is None:
            return None
        doubt, threshold = nets.exact.doubt, self.ready.threshold
        return SecondLook(nets.exact.discovery, lambda scores: doubt.of(scores, threshold), self.hits.tiles.read_again)

    def _step(self, message: str) -> None:
        if (self.run_dir / CANCEL).exists():
            raise Cancelled("the scan was cancelled", remedy="resume it when you like: finished tiles are kept")
        self.log.phase(message)

    def _rules(self) -> SiteRules:
        impact = self.ready.model.impact
        margin = impact.no_ore_margin if impact else 1.0
        return SiteRules(margin, self.ready.request.isolated_threshold)

    def _scores_tif(self, scores: NDArray[np.float32]) -> bytes:
        """`scores.tif`: one pixel per cell (270 m for the discovery net); NaN = not asked, not seen or failed."""
        grid = self.ready.grid
        profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": np.nan, "compress": "deflate"}
        profile |= {"height": scores.shape[0], "width": scores.shape[1]}
        with MemoryFile() as memory:
            with memory.open(**profile, crs=grid.crs, transform=grid.cell_transform) as dataset:
                dataset.write(scores, 1)
                dataset.descriptions = ("score of the net that looks for mines, 0..1; NaN = not seen",)
                dataset.update_tags(MINEDISC_RUN=self.ready.run_id, MINEDISC_MODEL=self.ready.model.name)
            return bytes(memory.read())

    def _without_data(self, result: ScanResult) -> list[str]:
        """Cells that hold no or little data: asked for, and not seen or not seen well."""
        seen = coverage(self.ready.grid, self.asked, result)
        share = f"{seen.cells_no_data / max(1, seen.cells_asked):.1%} of the cells"
        told = {
            f"{share} hold more than half no data: not seen": seen.cells_no_data,
            f"{seen.cells_flagged} cells hold over {FLAGGED_FILL:.0%} no data: scored, and flagged": seen.cells_flagged,
        }
        return [sentence for sentence, count in told.items() if count]

    def _outside(self) -> list[str]:
        """What of the area has no cells: it is no part of the coverage, so it is told beside it."""
        area, grid = self.ready.area, self.ready.grid
        if area is None:
            return []
        inside = area.intersection(grid.footprint)
        places = {
            "outside the mosaic": area.area - inside.area,
            f"within {self._margin()} of the mosaic's edge, where the net sees too little,": inside.difference(
                grid.cells_footprint
            ).area,
        }
        shares = {place: part / area.area for place, part in places.items()}
        return [f"{share:.1%} of the area lies {place} and was not scanned" for place, share in shares.items()
                if share >= _TOLD_FRACTION]  # fmt: skip

    def _margin(self) -> str:
        cells = self.ready.model.geometry
        return "1 km" if cells == DISCOVERY_CELLS else f"{cells.window_px} px"

    def _other_engine(self) -> list[str]:
        """An engine that was asked for by name and could not be used."""
        asked, used = self.settings.engine, self.engine
        is_as_asked = asked == used.name or (asked == "auto" and used.name != "tensorflow")
        is_missing = asked == "auto" and used.refused[:1] == (NOT_INSTALLED,)
        if is_as_asked or is_missing or not used.refused:
            return []
        return [f"scored with {used}, because {'; '.join(used.refused)}"]

    def _other_processors(self) -> list[str]:
        """Processors of workers on which float32 sums may round otherwise than on this one."""
        if not self.cluster or not self.cluster.processors:
            return []
        others = ", ".join(self.cluster.processors)
        return [f"tiles were also scored on other processors ({others}): their scores may differ a little"]

    def _engine_record(self, looked_twice: int) -> EngineRecord:
        found = dataclasses.replace(self.engine, cells_looked_twice=looked_twice)
        if not self.cluster:
            return found
        return dataclasses.replace(found, scheduler=self.cluster.address, workers=self.cluster.most_workers)

    def _state(self, result: ScanResult) -> RunState:
        is_incomplete = result.problems or self.hits.unread or self.ready.mosaic.left_out
        return RunState.INCOMPLETE if is_incomplete else RunState.COMPLETE

    def _summary(self, result: ScanResult, groups: SiteGroups, problems: list[str], seconds: float) -> RunSummary:
        mosaic, model = self.ready.mosaic, self.ready.model
        return RunSummary(
            run_id=self.ready.run_id,
            state=self._state(result),
            model=model.name,
            level=mosaic.level or ProductLevel(model.discovery.level),
            threshold=self.ready.threshold,
            mosaic=self.ready.request.mosaic,
            imagery_start=mosaic.imagery_start,
            imagery_end=mosaic.imagery_end,
            source=mosaic.source,
            coverage=coverage(self.ready.grid, self.asked, result),
            sites=len(groups.sites),
            discarded=sum(site.discarded for site in groups.sites),
            seconds=round(seconds, 2),
            finished_at_utc=datetime.now(UTC).replace(tzinfo=None),
            problems=tuple(problems),
            has_impact=model.impact is not None,
            engine=self._engine_record(result.looked_twice),
        )
