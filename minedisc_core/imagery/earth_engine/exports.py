"""Large areas: Earth Engine writes the composite to Google Drive or Cloud Storage, as the paper did.

What comes back are files of at most `FILE_PX` a side; `minedisc mosaic --source files` makes one mosaic of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import ee

from minedisc_core.errors import UsageError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.earth_engine.asking import Asker, Patience, status_of, without_secrets
from minedisc_core.imagery.earth_engine.products import bands_of, check_request
from minedisc_core.imagery.earth_engine.recipes import LOOKS, composite
from minedisc_core.imagery.earth_engine.sign_in import project_of, sign_in

Destination = Literal["drive", "gcs"]
FILE_PX = 9_216
"""Side of the files, 92 km, as in the paper; a multiple of Earth Engine's 256 px shards."""
MOST_PIXELS = 10**11
_STATES = {"PENDING": "READY", "SUCCEEDED": "COMPLETED", "CANCELLING": "CANCEL_REQUESTED"}
"""The interface's words, in those of Earth Engine's task list."""
_FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "UNKNOWN"})


@dataclass(frozen=True)
class ExportStatus:
    """Where an export stands."""

    task_id: str
    state: str
    """READY, RUNNING, CANCEL_REQUESTED, COMPLETED, FAILED, CANCELLED, or UNKNOWN: no such task in the project."""
    description: str = ""
    places: tuple[str, ...] = ()
    """Addresses of the folder or files, once it is completed."""
    error: str = ""
    """Why it failed, in Earth Engine's words."""

    @property
    def is_final(self) -> bool:
        """Whether asking again will tell nothing new."""
        return self.state in _FINAL


def start_export(
    request: CompositeRequest,
    grid: RasterGrid,
    *,
    to: Destination,
    place: str,
    name: str,
    service_account_file: Path | None = None,
    patience: Patience | None = None,
) -> tuple[str, ...]:
    """Start two exports, the composite (`NAME`) and its looks (`NAME_looks`); the ids of their tasks.

    Args:
        request: what to make.
        grid: the mosaic's grid; its CRS and affine become those of the files.
        to: Google Drive or Cloud Storage.
        place: folder of the Drive, or bucket with an optional folder (`bucket/folder`).
        name: stem of the files: letters, digits, `.`, `_` and `-`.
        service_account_file: key file (`sign_in`). A service account has a Drive of its own that nobody sees:
            use Cloud Storage with one.
        patience: how long and how often a call is tried.

    Raises:
        UsageError: request, place or name cannot be used.
        ImageryError: not signed in, refused, or Earth Engine cannot be reached.
    """
    check_request(request)
    _check_names(to, place, name)
    sign_in(project_of(request), service_account_file)
    image, asker = composite(request), Asker(1, patience or Patience())
    parts = {name: image.select(list(bands_of(request))), f"{name}_looks": image.select([LOOKS])}
    tasks = [_task(part, grid, to, place, stem) for stem, part in parts.items()]
    for task in tasks:
        # A task asks with an id that it has made itself: trying again starts it no second time.
        asker.ask(task.start, lambda: False)
    return tuple(str(task.id) for task in tasks)


def export_status(
    task_ids: tuple[str, ...] | list[str],
    *,
    project: str = "",
    service_account_file: Path | None = None,
    patience: Patience | None = None,
) -> tuple[ExportStatus, ...]:
    """Where exports stand, in the order of the ids.

    Raises:
        ImageryError: not signed in, not permitted, or Earth Engine cannot be reached.
        UsageError: an id is none.
    """
    strange = [one for one in task_ids if not re.fullmatch(r"[\w-]{1,100}", one)]
    if strange or not task_ids:
        raise UsageError(
            f"{strange[0]!r} is no id of a task" if strange else "no task is named",
            "ids as the start of an export has printed them",
            "give --tasks ID...",
        )
    billed, asker = sign_in(project, service_account_file), Asker(1, patience or Patience())
    calls = [partial(_status, billed, task_id) for task_id in task_ids]
    return tuple(asker.ask(call, lambda: False) for call in calls)


def _task(image: Any, grid: RasterGrid, to: Destination, place: str, stem: str) -> Any:
    transform = grid.transform
    west, north = transform @ (0, 0)
    east, south = transform @ (grid.width_px, grid.height_px)
    # Half a pixel inside: a region that touches the next pixel's edge would add a row and a column.
    half_x, half_y = abs(transform.a) / 2, abs(transform.e) / 2
    corners = [west + half_x, south + half_y, east - half_x, north - half_y]
    known = {
        "image": image,
        "description": stem,
        "region": ee.Geometry.Rectangle(corners, grid.crs, False),
        "crs": grid.crs,
        "crsTransform": list(transform[:6]),
        "maxPixels": MOST_PIXELS,
        "fileDimensions": FILE_PX,
        "fileFormat": "GeoTIFF",
        "formatOptions": {"noData": 0},
    }
    if to == "drive":
        return ee.batch.Export.image.toDrive(**known, folder=place, fileNamePrefix=stem)
    bucket, _, folder = place.removeprefix("gs://").partition("/")
    prefix = f"{folder.strip('/')}/{stem}".lstrip("/")
    return ee.batch.Export.image.toCloudStorage(**known, bucket=bucket, fileNamePrefix=prefix)


def _status(project: str, task_id: str) -> ExportStatus:
    try:
        told = ee.data.getOperation(f"projects/{project}/operations/{task_id}")
    except ee.EEException as error:
        if status_of(error) == HTTPStatus.NOT_FOUND:
            return ExportStatus(task_id, "UNKNOWN")
        raise
    about = told.get("metadata", {})
    state = str(about.get("state", "UNKNOWN"))
    return ExportStatus(
        task_id=task_id,
        state=_STATES.get(state, state),
        description=str(about.get("description", "")),
        places=tuple(map(str, about.get("destinationUris", ()))),
        error=without_secrets(str(told.get("error", {}).get("message", ""))),
    )


def _check_names(to: str, place: str, name: str) -> None:
    if to not in ("drive", "gcs"):
        raise UsageError(f"an export to {to}", "drive or gcs", "choose another --export")
    if not re.fullmatch(r"[\w.-]{1,80}", name, re.ASCII):
        raise UsageError(
            f"the name {name!r} for exported files", "1 to 80 letters, digits, '.', '_' or '-'", "choose another name"
        )
    bucket = place.removeprefix("gs://").partition("/")[0]
    if not place.strip() or (to == "gcs" and not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", bucket)):
        raise UsageError(
            f"the {'folder' if to == 'drive' else 'bucket'} {place!r}",
            "the name of a folder in your Drive" if to == "drive" else "the name of a bucket, or bucket/folder",
            "give --folder",
        )
