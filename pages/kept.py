"""What training reads of files, kept until they change: columns of registers, manifests of dataset versions."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from minedisc_core.learning.datasets import MANIFEST, Dataset, open_dataset
from minedisc_core.learning.queue_datasets import list_datasets
from minedisc_core.registers import points
from minedisc_core.settings import Settings
from pages.noted import Noted

LOG = logging.getLogger("minedisc.pages")


def point_columns(source: str, settings: Settings) -> tuple[str, ...]:
    """Columns of a file or a loaded register that may hold labels.

    Raises:
        RegisterError: it cannot be read.
    """
    path = Path(source)
    return _point_columns(source, settings, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _point_columns(source: str, settings: Settings, _changed_ns: int) -> tuple[str, ...]:
    return points.point_columns(source, settings)


def datasets(settings: Settings) -> dict[str, Dataset]:
    """The dataset versions of the home that can be opened, by name, the newest first."""
    found = {}
    for folder in list_datasets(settings):
        with Noted() as noted:
            found[folder.name] = _dataset(folder, (folder / MANIFEST).stat().st_mtime_ns)
        if noted.error:
            LOG.warning("%s is no dataset version: %s", folder, noted.error)
    return found


@lru_cache(maxsize=32)
def _dataset(folder: Path, _changed_ns: int) -> Dataset:
    return open_dataset(folder, check_files=False)


def forget() -> None:
    """Keep nothing any more."""
    _point_columns.cache_clear()
    _dataset.cache_clear()
