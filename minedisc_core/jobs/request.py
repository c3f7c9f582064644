"""What a scan is asked to do, and the proof that a resumed run is asked the same."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from minedisc_core.detection.models import Model, fits, load_model, model_identity
from minedisc_core.detection.scan import FEATURES_PER_SIDE
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError, ModelError, RunError, UsageError
from minedisc_core.grid import DISCOVERY_CELLS, RasterGrid
from minedisc_core.imagery.gathering import listed
from minedisc_core.imagery.geotiff import Mosaic, open_mosaic, open_mosaics
from minedisc_core.jobs.places import checked_results
from minedisc_core.runs import REQUEST, RESULT, read_json, write_json
from minedisc_core.settings import Settings

RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-z]{4,8}")
"""As `new_run_id` makes them; a run folder of such a name gives the run its id."""
_YOUNG = ("crs", "members", "results")
"""Fields that stand in a request only where they say something."""
_UNBOUND = ("pictures",)
"""Fields that a resumed run may be asked differently: they do not change its scores."""


@dataclass(frozen=True)
class ScanRequest:
    """One scan, as a person asks for it."""

    mosaic: tuple[str, ...]
    """Files that make one mosaic (see `imagery.geotiff.open_mosaic`), addresses without their secrets."""
    model: str
    """Name or folder of the model."""
    aoi: Mapping[str, Any] | None = None
    """GeoJSON geometry (EPSG:4326, polygonal) of the area; None = the whole mosaic."""
    threshold: float | None = None
    """A cell above it is a hit, 0..1; None = the model card's."""
    isolated_threshold: float | None = None
    """Single cells without a neighbour need a higher score than this; None = off."""
    level: ProductLevel | None = None
    """Product level, if the files do not say it."""
    bands: tuple[str, ...] | None = None
    """Names of the files' bands in order, if the files do not name them."""
    dn_offset: int | None = None
    """Offset of the stored DN, if the files do not say it."""
    imagery_start: date | None = None
    imagery_end: date | None = None
    pictures: bool = True
    """Write map-tile pyramids and chips at the end."""
    crs: str | None = None
    """Only the files of this coordinate system; None = all have one."""
    members: tuple[str, ...] = ()
    """Folders, side by side, of the runs of a scan over several coordinate systems, this one's too; empty = alone."""
    results: str | None = None
    """Where the results of tiles are kept (`jobs.places`), by the run's id; None = in the run's folder."""

    def to_json(self) -> dict[str, Any]:
        """The request as a JSON object."""
        content: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), default=str))
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ScanRequest:
        """The request that `to_json` wrote.

        Raises:
            RunError: the object is not a request.
        """
        try:
            older = dict.fromkeys(_YOUNG)  # requests of runs that were begun before there were these fields
            found = {field.name: {**older, **content}[field.name] for field in dataclasses.fields(cls)}
            return cls(
                **{
                    **found,
                    "mosaic": tuple(found["mosaic"]),
                    "members": tuple(found["members"] or ()),
                    "level": ProductLevel(found["level"]) if found["level"] else None,
                    "bands": tuple(found["bands"]) if found["bands"] else None,
                    "imagery_start": date.fromisoformat(found["imagery_start"]) if found["imagery_start"] else None,
                    "imagery_end": date.fromisoformat(found["imagery_end"]) if found["imagery_end"] else None,
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"the {REQUEST} of the run is not a scan request ({error})", remedy="scan anew") from error


@dataclass(frozen=True)
class Prepared:
    """A request whose files have been opened and found to fit together."""

    run_id: str
    request: ScanRequest
    model: Model
    mosaic: Mosaic
    area: BaseGeometry | None
    threshold: float

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.mosaic.close()

    @property
    def grid(self) -> RasterGrid:
        """The mosaic's pixels and the model's cells over them."""
        return self.mosaic.grid.for_cells(self.model.geometry)


def new_run_id() -> str:
    """`YYYYMMDD-HHMMSS-xxxxxxxx`, UTC: sorts by time; 32 random bits, for runs may begin in the same second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def prepare(request: ScanRequest, settings: Settings) -> Prepared:
    """Open and check everything a request names, without TensorFlow.

    Raises:
        ImageryError: the mosaic cannot be used, is too small, or lies elsewhere than the area.
        ModelError: the model cannot be used or does not fit the mosaic.
        UsageError: a threshold or the area makes no sense.
    """
    _check_thresholds(request)
    area = area_of(request.aoi)
    model = load_model(request.model, settings)
    mosaic = open_request_mosaic(request)
    problem = fits(model, mosaic.bands, mosaic.level)
    if problem:
        mosaic.close()
        raise ModelError(problem)
    try:
        check_area(mosaic.grid.for_cells(model.geometry), area)
    except ImageryError:
        mosaic.close()
        raise
    threshold = model.discovery.threshold if request.threshold is None else request.threshold
    return Prepared("", request, model, mosaic, area, threshold)


def open_request_mosaic(request: ScanRequest) -> Mosaic:
    """The mosaic of a request."""
    return open_mosaic(request.mosaic, crs=request.crs, **_stated(request))


def open_request_mosaics(request: ScanRequest) -> dict[str, Mosaic]:
    """The mosaics of a request, by their coordinate systems: one, unless it is not bound to one."""
    if request.crs:
        return {request.crs: open_request_mosaic(request)}
    return open_mosaics(request.mosaic, **_stated(request))


def _stated(request: ScanRequest) -> dict[str, Any]:
    names = ("level", "bands", "dn_offset", "imagery_start", "imagery_end")
    return {name: getattr(request, name) for name in names}


def _check_thresholds(request: ScanRequest) -> None:
    for name in ("threshold", "isolated_threshold"):
        value = getattr(request, name)
        if value is not None and not 0 <= value < 1:
            raise UsageError(f"the {name.replace('_', ' ')} is {value}", "a number from 0 to below 1")


def area_of(aoi: Mapping[str, Any] | None) -> BaseGeometry | None:
    """The area of a GeoJSON geometry or feature, EPSG:4326, made valid; None stays None.

    Raises:
        UsageError: it is no polygon on the earth.
    """
    if aoi is None:
        return None
    try:
        area = shapely.make_valid(shape(aoi.get("geometry") or aoi))
    except (ShapelyError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise UsageError(f"the area cannot be read ({error})", "a GeoJSON polygon") from error
    parts = [part for part in shapely.get_parts(area) if part.area > 0]
    if not parts:
        raise UsageError(f"the area is an empty or flat {area.geom_type}", "a polygon, in longitude and latitude")
    area = shapely.union_all(parts)
    west, south, east, north = area.bounds
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise UsageError(
            f"the area reaches from {west:.1f}, {south:.1f} to {east:.1f}, {north:.1f}",
            "longitudes -180 to 180 and latitudes -90 to 90 (EPSG:4326)",
            "reproject the area to EPSG:4326",
        )
    return area


def check_area(grid: RasterGrid, area: BaseGeometry | None) -> None:
    """Check that an area (EPSG:4326; None: everywhere) has cells in a mosaic.

    Raises:
        ImageryError: it has none.
    """
    window_px = grid.geometry.window_px
    if not all(grid.cells):
        raise ImageryError(
            f"the mosaic is {grid.height_px} x {grid.width_px} px",
            f"at least {window_px} x {window_px} px, the window of one cell",
            "use a larger mosaic",
        )
    if area is not None and not area.intersects(grid.footprint):
        raise ImageryError(
            f"the area lies outside the mosaic: {_box(area.bounds)}",
            f"an area that meets {_box(grid.footprint.bounds)}",
            "draw another area or choose another mosaic",
        )
    if area is not None and not grid.asked_cells(area).any():
        raise ImageryError(
            "no cell's centre lies in the area: it is too small or at the very edge of the mosaic",
            f"an area of a few cells ({grid.geometry.stride_px} px each), {window_px // 2} px inside the mosaic",
            "draw a larger area",
        )


def _box(bounds: Sequence[float]) -> str:
    west, south, east, north = bounds
    return f"longitude {west:.3f} to {east:.3f}, latitude {south:.3f} to {north:.3f}"


def enter(request: ScanRequest, run_dir: Path, settings: Settings, *, resume: bool) -> Prepared:
    """Write `request.json` of a new run, or check that an old one asks the same.

    Raises:
        RunError: the folder holds another run, or one that was not asked to be resumed.
        MinediscError: as `prepare`.
    """
    has_run = (run_dir / REQUEST).exists()
    if has_run and not resume:
        raise RunError(
            f"{run_dir} holds a run already", "an empty or new folder", "choose another folder, or resume the run"
        )
    if has_run and request.results is None:
        request = dataclasses.replace(request, results=read_json(run_dir / REQUEST).get("results"))
    ready = prepare(absolute(request), settings)
    facts = _facts(ready)
    if has_run:
        stored = read_json(run_dir / REQUEST)
        _check_same(stored, facts, run_dir)
        return dataclasses.replace(ready, run_id=str(stored["run_id"]))
    if (run_dir / RESULT).exists() or (run_dir.is_dir() and any(run_dir.glob("*.tif"))):
        raise RunError(f"{run_dir} is in use for something else", "an empty or new folder", "choose another folder")
    run_id = run_dir.name if RUN_ID.fullmatch(run_dir.name) else new_run_id()
    asked_at = datetime.now(UTC).replace(tzinfo=None)
    write_json(run_dir / REQUEST, {"run_id": run_id, "asked_at_utc": asked_at, **facts})
    return dataclasses.replace(ready, run_id=run_id)


def absolute(request: ScanRequest) -> ScanRequest:
    """The request with files that mean the same from any folder and at any time, and without secrets of addresses."""
    paths = tuple(
        str(Path(path).expanduser().resolve()) if Path(path).exists() else path for path in listed(request.mosaic)
    )
    results = checked_results(request.results) if request.results else None
    return dataclasses.replace(request, mosaic=paths, results=results)


def _facts(ready: Prepared) -> dict[str, Any]:
    request = dataclasses.replace(ready.request, model=str(ready.model.folder))
    cells = ready.model.geometry
    return {
        **{name: value for name, value in request.to_json().items() if value or name not in _YOUNG},
        **({} if cells == DISCOVERY_CELLS else {"cells": dataclasses.asdict(cells)}),
        "threshold_used": ready.threshold,
        "model_name": ready.model.name,
        "model_identity": model_identity(ready.model),
        "mosaic_identity": ready.mosaic.identity,
        "features_per_side": FEATURES_PER_SIDE,
        "height_px": ready.grid.height_px,
        "width_px": ready.grid.width_px,
    }


def _check_same(stored: Mapping[str, Any], facts: Mapping[str, Any], run_dir: Path) -> None:
    changed = [name for name in facts if name not in _UNBOUND and stored.get(name) != facts[name]]
    if "run_id" not in stored:
        changed.append("run_id")
    if changed:
        what = ", ".join(name.replace("_", " ") for name in changed)
        raise RunError(
            f"{run_dir} was begun with another {what}",
            "the same request, model and mosaic as when the run was begun",
            "undo the change, or scan into a new folder",
        )


def read_request(run_dir: Path) -> ScanRequest:
    """The request of a run folder.

    Raises:
        RunError: the folder holds no run, or its request is broken.
    """
    if not (run_dir / REQUEST).is_file():
        raise RunError(f"{run_dir} holds no {REQUEST}", "the folder of a run", "scan first")
    return ScanRequest.from_json(read_json(run_dir / REQUEST))
