"""What the pages share: settings, the store, session keys, signed addresses, and every cache.

No other module of this folder but `kept` (what training reads) and `phrases` holds a caching decorator.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from minedisc_core.domain import RunSummary
from minedisc_core.imagery.display import DISPLAY_KINDS, TileReader
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.outline_file import read_outline
from minedisc_core.imagery.score_picture import ScorePicture, score_picture
from minedisc_core.jobs import ScanRequest
from minedisc_core.jobs.request import open_request_mosaics
from minedisc_core.jobs.second_dates import SecondDates
from minedisc_core.registers.points import PointFile, open_points
from minedisc_core.runs import CHIPS, SCORES
from minedisc_core.settings import Settings, load_settings
from minedisc_core.store import Store
from pages import kept, names
from pages.house import House
from pages.noted import Noted
from pages.session import KEPT_CHOICES, SessionKeys

__all__ = ["KEPT_CHOICES", "Noted", "SessionKeys"]
PREVIEW = "preview-"  # so begin the names of pictures of mosaics that were looked at, not scanned
SECOND_DATES = SecondDates()

_HOUSES: dict[str, House] = {}
"""By MINEDISC_HOME as it stands in the environment: settings are read once."""
_HOUSES_LOCK = threading.Lock()


def house() -> House:
    """The house of the current MINEDISC_HOME."""
    asked = os.environ.get("MINEDISC_HOME", "")
    with _HOUSES_LOCK:
        if asked not in _HOUSES:
            _HOUSES[asked] = House(load_settings())
        return _HOUSES[asked]


def close_houses() -> None:
    """Close every database that this process opened, and forget what was cached of it."""
    with _HOUSES_LOCK:
        for opened in _HOUSES.values():
            opened.close()
        _HOUSES.clear()
    SECOND_DATES.forget()
    kept.forget()
    for cached in (_tile_reader, _score_overlay, _opened_mosaics, _run_summary, _register_points):
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


def run_summary(run_id: str) -> RunSummary:
    """What a run that was taken in says of itself; kept, because it never changes.

    Raises:
        StoreError: it was not taken in.
    """
    return _run_summary(house(), run_id)


@lru_cache(maxsize=64)
def _run_summary(owner: House, run_id: str) -> RunSummary:
    return owner.store.run(run_id).summary


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


def outline(run_id: str, site_id: str) -> dict[str, Any]:
    """What is drawn over the chips of a site of a run; empty if it left nothing."""
    folder = house().run_folder(run_id)
    return read_outline(folder / CHIPS, site_id) if folder else {}


def register_points(source: str) -> PointFile:
    """Points of a file or of a loaded register, kept until the file changes."""
    path = Path(source)
    return _register_points(house(), source, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _register_points(owner: House, source: str, _changed_ns: int) -> PointFile:
    return open_points(source, owner.settings)


def opened_mosaics(request: ScanRequest) -> tuple[Mosaic, ...]:
    """The mosaics of a request, one for each coordinate system, kept open until their files change.

    Raises:
        ImageryError: a file cannot be used.
    """
    return _opened_mosaics(request, tuple(p.stat().st_mtime_ns for p in map(Path, request.mosaic) if p.is_file()))


@lru_cache(maxsize=4)
def _opened_mosaics(request: ScanRequest, _stamps: tuple[int, ...]) -> tuple[Mosaic, ...]:
    return tuple(open_request_mosaics(request).values())
