"""The mosaic of a run that was taken in, opened as the scan opened it, or a reason why not."""

from __future__ import annotations

from datetime import date
from typing import Any

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError, RunError
from minedisc_core.imagery.geotiff import Mosaic, open_mosaic
from minedisc_core.runs import REQUEST, read_json
from minedisc_core.store import RunRow


def open_run_mosaic(run: RunRow) -> Mosaic:
    """Open the files a run scanned, and make sure that they are still the same.

    Raises:
        ImageryError: the files are gone, unreadable, or not what was scanned.
        RunError: the run's request is broken.
    """
    request = read_json(run.run_dir / REQUEST) if (run.run_dir / REQUEST).is_file() else {}
    mosaic = open_mosaic(run.summary.mosaic, **_options(request))
    if run.mosaic_identity and mosaic.identity != run.mosaic_identity:
        mosaic.close()
        raise ImageryError(
            f"{', '.join(run.summary.mosaic)} has changed since run {run.run_id}",
            "the mosaic that was scanned",
            "put the scanned file back, or scan the new one",
        )
    return mosaic


def _options(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {
            "level": ProductLevel(request["level"]) if request.get("level") else None,
            "bands": request.get("bands") or None,
            "dn_offset": request.get("dn_offset"),
            "imagery_start": _day(request.get("imagery_start")),
            "imagery_end": _day(request.get("imagery_end")),
            "crs": request.get("crs"),
        }
    except (TypeError, ValueError) as error:
        raise RunError(f"The run's {REQUEST} is broken: {error}", "a request that a scan wrote") from error


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
