"""From the retraining queue to the next dataset version: HOME/datasets/<version>."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import StoreError, UsageError
from minedisc_core.grid import CONTEXT_PX
from minedisc_core.learning.cutting import sample_path
from minedisc_core.learning.datasets import MANIFEST, SampleEntry, write_dataset
from minedisc_core.settings import Settings
from minedisc_core.store import QueueRow, Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_Ready = tuple[QueueRow, dict[str, Any]]
_OWN = ("sample_id", "label", "reason", "lon", "lat", "source")


def datasets_folder(settings: Settings) -> Path:
    """Folder that holds one folder per version."""
    return settings.home / "datasets"


def list_datasets(settings: Settings) -> list[Path]:
    """Folders of the versions of a home, the newest first; what each holds says `open_dataset`."""
    folder = datasets_folder(settings)
    found = [path.parent for path in folder.glob(f"*/{MANIFEST}")] if folder.is_dir() else []
    shown = [path for path in found if not path.name.startswith(".")]
    return sorted(shown, key=lambda path: ((path / MANIFEST).stat().st_mtime, path.name), reverse=True)


def new_dataset_folder(settings: Settings, name: str) -> Path:
    """The folder of a version that is still to be made.

    Raises:
        UsageError: the name cannot be one.
        StoreError: it is taken.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of a dataset version", "letters, digits, dots, hyphens and underscores",
            "choose another name",
        )  # fmt: skip
    folder = datasets_folder(settings) / name
    if folder.exists():
        raise StoreError(
            f"there is a dataset version {name!r} already", "a new name: a dataset version never changes",
            "choose another name",
        )  # fmt: skip
    return folder


def make_dataset(store: Store, settings: Settings, level: ProductLevel | None = None) -> Path:
    """Make the next version of all samples in the queue whose pixels are cut; gives its folder.

    A sample whose file is gone or damaged goes back to be cut again and is left out. The version has the bands
    that all samples have; places are found from the positions, splits are not decided.

    Args:
        store: the database.
        settings: where samples and versions are.
        level: only samples of this product; None where the queue holds one product only.

    Raises:
        StoreError: no sample is ready, the queue holds several products and none was chosen, the samples have no
            band in common, or the folder cannot be written.
    """
    ready = [(row, facts) for row, facts in whole_samples(store, settings) if level in (None, _level(facts))]
    if not ready:
        raise StoreError("No sample is ready", "confirmed or rejected candidates with their pixels cut", "review first")
    found = _one_level([facts for _, facts in ready])
    bands = _common_bands([facts["bands"] for _, facts in ready])
    folder = datasets_folder(settings)
    final = folder / next_version(folder, [row.version for row in store.datasets()])
    cut = ((queue_entry(row, f), queue_pixels(settings, row.sample_id, f["bands"], bands)) for row, f in ready)
    made = write_dataset(final, cut, bands=bands, level=found, window_px=CONTEXT_PX, more={"made_of": "verdicts"})
    store.add_dataset(made.version, final, [row.sample_id for row, _ in ready])
    return final


def next_version(folder: Path, known: Sequence[str] = ()) -> str:
    """Name of the next version: `v0001` on, above all in the folder and all that are known."""
    names = {*known, *(path.name for path in folder.iterdir())} if folder.is_dir() else set(known)
    numbers = [int(name[1:]) for name in names if name.startswith("v") and name[1:].isdecimal()]
    return f"v{max(numbers, default=0) + 1:04d}"


def whole_samples(store: Store, settings: Settings) -> Iterator[_Ready]:
    """Samples whose file is what was cut, with the facts in it."""
    for row in store.sample_queue():
        if row.pixels != "cut":
            continue
        path = sample_path(settings, row.sample_id)
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() == row.sha256:
            with np.load(io.BytesIO(content), allow_pickle=False) as packed:
                facts: dict[str, Any] = json.loads(str(packed["facts"]))
            yield row, facts
        else:
            store.note_pixels(row.sample_id, "pending", "its file is gone or damaged: it will be cut again")
            path.unlink(missing_ok=True)


def _level(facts: dict[str, Any]) -> ProductLevel | None:
    return ProductLevel(facts["level"]) if facts.get("level") else None


def _one_level(all_facts: Sequence[dict[str, Any]]) -> ProductLevel | None:
    levels = {_level(facts) for facts in all_facts}
    if len(levels) > 1:
        named = ", ".join(sorted("unknown" if level is None else str(level) for level in levels))
        raise StoreError(f"The queue holds samples of {named}", "samples of one product level", "choose the level")
    return levels.pop()


def _common_bands(given: Sequence[Sequence[str]]) -> list[str]:
    """Bands that all have, in an order that does not depend on who comes first."""
    order = min(given, key=lambda bands: (-len(bands), list(bands)))
    common = [band for band in order if all(band in bands for bands in given)]
    if not common:
        raise StoreError("The samples of the queue have no band in common", "samples of mosaics with the same bands")
    return common


def queue_entry(row: QueueRow, facts: dict[str, Any]) -> SampleEntry:
    """The queue's sample as an entry of a version: no place and no split yet."""
    return SampleEntry(
        sample_id=row.sample_id,
        label=row.label,
        lon=row.lon,
        lat=row.lat,
        reason=None if row.reason is None else str(row.reason),
        source=row.run_id,
        facts={**{name: value for name, value in facts.items() if name not in _OWN}, "imagery": facts.get("source")},
    )


def queue_pixels(settings: Settings, sample_id: str, held: Sequence[str], bands: Sequence[str]) -> NDArray[np.uint16]:
    """Pixels of a sample of the queue, DN (255, 255, band), in the order of `bands`; `held` are those of its file.

    Raises:
        StoreError: its file cannot be read, or lacks a band.
    """
    try:
        with np.load(sample_path(settings, sample_id), allow_pickle=False) as packed:
            found: NDArray[np.uint16] = packed["pixels"][..., [list(held).index(band) for band in bands]]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StoreError(f"Sample {sample_id} cannot be read: {error}", remedy="make the version again") from error
    return found
