"""Dataset versions: immutable folders of samples with a manifest, the input of a training.

HOME/datasets/<version>/manifest.json    what the version holds, with a SHA-256 per file
HOME/datasets/<version>/<sample_id>.npz  copies of the samples, read-only
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from minedisc_core.errors import StoreError
from minedisc_core.grid import CONTEXT_PX
from minedisc_core.learning.cutting import sample_path
from minedisc_core.settings import Settings
from minedisc_core.store import QueueRow, Store

MANIFEST = "manifest.json"
_FORMAT = 1
_READ_ONLY = 0o444


def datasets_folder(settings: Settings) -> Path:
    """Folder that holds one folder per version."""
    return settings.home / "datasets"


def make_dataset(store: Store, settings: Settings) -> Path:
    """Make the next version of all samples in the queue whose pixels are cut; gives its folder.

    A sample whose file is gone or damaged goes back to be cut again and is left out.

    Raises:
        StoreError: no sample is ready, or the folder cannot be written.
    """
    ready = [row for row in store.sample_queue() if row.pixels == "cut" and _is_whole(store, settings, row)]
    if not ready:
        raise StoreError("No sample is ready", "confirmed or rejected candidates with their pixels cut", "review first")
    folder = datasets_folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        version = _next_version(store, folder)
        final = _write(folder, version, [(row, sample_path(settings, row.sample_id)) for row in ready])
    except OSError as error:
        raise StoreError(
            f"{folder} could not be written: {error.strerror or error}", remedy="free disk space"
        ) from error
    store.add_dataset(version, final, [row.sample_id for row in ready])
    return final


def _is_whole(store: Store, settings: Settings, row: QueueRow) -> bool:
    path = sample_path(settings, row.sample_id)
    if path.is_file() and _sha256(path) == row.sha256:
        return True
    store.note_pixels(row.sample_id, "pending", "its file is gone or damaged: it will be cut again")
    path.unlink(missing_ok=True)
    return False


def _next_version(store: Store, folder: Path) -> str:
    names = {row.version for row in store.datasets()} | {path.name for path in folder.iterdir()}
    numbers = [int(name[1:]) for name in names if name.startswith("v") and name[1:].isdecimal()]
    return f"v{max(numbers, default=0) + 1:04d}"


def _write(folder: Path, version: str, samples: Sequence[tuple[QueueRow, Path]]) -> Path:
    scratch = Path(tempfile.mkdtemp(dir=folder, prefix=f".{version}."))
    try:
        entries = [_add(scratch, row, path) for row, path in samples]
        labels = Counter(row.label for row, _ in samples)
        manifest = {
            "format": _FORMAT,
            "version": version,
            "made_at_utc": datetime.now(UTC).replace(tzinfo=None).isoformat(),
            "window_px": CONTEXT_PX,
            "by_label": dict(labels),
            "samples": entries,
        }
        _write_synced(scratch / MANIFEST, json.dumps(manifest, indent=1).encode())
        scratch.chmod(0o755)
        scratch.rename(folder / version)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return folder / version


def _add(scratch: Path, row: QueueRow, source: Path) -> dict[str, Any]:
    """Copy a sample into the version (a copy of its own: what happens to the queue cannot reach it)."""
    content = source.read_bytes()
    target = scratch / source.name
    _write_synced(target, content)
    with np.load(source, allow_pickle=False) as packed:
        facts: dict[str, Any] = json.loads(str(packed["facts"]))
    return {
        **facts,
        "file": target.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "label": row.label,
        "reason": None if row.reason is None else str(row.reason),
    }


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(_READ_ONLY)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_dataset(folder: Path) -> dict[str, Any]:
    """The manifest of a version whose files are all there and unchanged.

    Raises:
        StoreError: the folder is no dataset, or a file is missing or was changed.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        changed = [e["file"] for e in manifest["samples"] if _sha256(folder / Path(e["file"]).name) != e["sha256"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder} is not a whole dataset version: {error}", "a folder with its manifest") from error
    if changed:
        raise StoreError(f"{folder / changed[0]} was changed", "the file the manifest names", "make a new version")
    return manifest
