"""What the pages share: settings, the store, session keys, signed addresses, and every cache.

No other module of this folder holds a caching decorator.
"""

from __future__ import annotations

import threading
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from minedisc_core.imagery.chips import read_outlines
from minedisc_core.imagery.display import DISPLAY_KINDS, TileReader
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.score_picture import ScorePicture, score_picture
from minedisc_core.jobs import ScanRequest
from minedisc_core.jobs.request import open_request_mosaic
from minedisc_core.runs import CHIPS, SCORES
from minedisc_core.settings import Settings, load_settings
from minedisc_core.store import Store
from pages import names
from pages.house import House, Noted

__all__ = ["Noted"]
PREVIEW = "preview-"
"""Names of pictures of mosaics that were looked at, not scanned, start with it."""


class SessionKeys(StrEnum):
    """Every key of st.session_state that a page sets by hand."""

    PAGE = "page"
    ENTERED = "entered"
    FLASH = "flash"
    ANALYST = "analyst"
    AREA = "area"
    PROBLEM = "problem"
    QUEUE = "queue"
    STALE = "stale"
    CANDIDATE = "candidate"
    REVIEW_RUN = "review_run"


KEPT_CHOICES = (
    "review_run_choice", "review_status", "review_impact", "review_register", "review_order", "review_hidden",
    "review_basemap", "scan_basemap", "scan_mosaic", "scan_paths",
)  # fmt: skip
"""Keys of widgets whose choice outlives their page."""

_HOUSES: dict[Path, House] = {}
_HOUSES_LOCK = threading.Lock()


def house() -> House:
    """The house of the current MINEDISC_HOME."""
    found = load_settings()
    with _HOUSES_LOCK:
        if found.home not in _HOUSES:
            _HOUSES[found.home] = House(found)
        return _HOUSES[found.home]


def close_houses() -> None:
    """Close every database that this process opened, and forget what was cached of it."""
    with _HOUSES_LOCK:
        for opened in _HOUSES.values():
            opened.close()
        _HOUSES.clear()
    for cached in (_tile_reader, _score_overlay, _outlines, _opened_mosaic):
        cached.cache_clear()


def settings() -> Settings:
    """Settings of this process."""
    return house().settings


def store() -> Store:
    """The store of this process."""
    return house().store


def run_labels() -> dict[str, str]:
    """A name for each run that was taken in: what was scanned, and when."""
    return {row.run_id: names.run_label(row.summary, settings().demo) for row in store().runs()}


def picture_folder(name: str) -> Path | None:
    """Folder with the map-tile pyramids of a run or a preview."""
    if name.startswith(PREVIEW):
        key = name.removeprefix(PREVIEW)
        return settings().home / "previews" / key if key.isalnum() else None
    return house().run_folder(name)


def tile_reader(name: str, kind: str) -> TileReader | None:
    """Reader of a run's or preview's map tiles; None if it has none of this kind."""
    folder = picture_folder(name)
    path = folder / f"{kind}.tif" if folder and kind in DISPLAY_KINDS else None
    return _tile_reader(path, path.stat().st_mtime_ns) if path and path.is_file() else None


@lru_cache(maxsize=24)
def _tile_reader(path: Path, _changed_ns: int) -> TileReader:
    return TileReader(path)


def score_overlay(name: str) -> ScorePicture | None:
    """A run's scores as a picture for the map; None if it left none."""
    folder = picture_folder(name)
    path = folder / SCORES if folder else None
    return _score_overlay(path, path.stat().st_mtime_ns) if path and path.is_file() else None


@lru_cache(maxsize=8)
def _score_overlay(path: Path, _changed_ns: int) -> ScorePicture:
    return score_picture(path)


def outlines(run_id: str) -> dict[str, dict[str, Any]]:
    """What is drawn over the chips of a run's sites, by site id."""
    folder = house().run_folder(run_id)
    return _outlines(folder / CHIPS) if folder else {}


@lru_cache(maxsize=8)
def _outlines(folder: Path) -> dict[str, dict[str, Any]]:
    return read_outlines(folder)


def opened_mosaic(request: ScanRequest) -> Mosaic:
    """The mosaic of a request, kept open until its files change.

    Raises:
        ImageryError: a file cannot be used.
    """
    stamps = tuple(path.stat().st_mtime_ns for path in map(Path, request.mosaic) if path.is_file())
    return _opened_mosaic(request, stamps)


@lru_cache(maxsize=4)
def _opened_mosaic(request: ScanRequest, _stamps: tuple[int, ...]) -> Mosaic:
    return open_request_mosaic(request)
