"""Dataset versions: immutable folders of samples with a manifest, the input of a training.

<folder>/manifest.json    what the version holds: for each sample its hash, label, reason, source, place, split
<folder>/<sample_id>.npz  `planes`, uint16 (band, side, side), DN, 0 = no data; read-only

Planes compress to three quarters of what (side, side, band) would. Format 1 (`pixels`, (side, side, band), no
places, no hash of the whole) stays readable.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import StoreError
from minedisc_core.learning.places import PLACE_M, places_of

__all__ = [
    "MANIFEST",
    "PLACE_M",
    "Dataset",
    "SampleEntry",
    "check_dataset",
    "open_dataset",
    "places_of",
    "read_windows",
    "write_dataset",
]

MANIFEST = "manifest.json"
_FORMAT = 2
_READ_ONLY = 0o444
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NEW = "make a new version"


@dataclass(frozen=True)
class SampleEntry:
    """One sample of a dataset version: a row of the manifest."""

    sample_id: str
    """Letters, digits, `.`, `_`, `-`; the file's stem."""
    label: str
    """`mine` or `background` (discovery); `high`, `low` or `no_ore` (impact)."""
    lon: float
    """Centre of the window, EPSG:4326."""
    lat: float
    reason: str | None = None
    """Why it is a background: the reject reason, or its stratum (`random`, `look-alike`)."""
    source: str = ""
    """Where it comes from: name of a register file, run id, ..."""
    place: str = ""
    """Samples of one place are within 5 km chains of each other, and are never split; `write_dataset` fills it in."""
    split: str = ""
    """`training`, `validation`, `held-out`, or empty: not decided."""
    file: str = ""
    """Name of its file; `write_dataset` fills it in."""
    sha256: str = ""
    """SHA-256 of that file; `write_dataset` fills it in."""
    pixels_sha256: str = ""
    """SHA-256 of the planes themselves, whatever packed them; `write_dataset` fills it in."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The rest: mosaic, days of the imagery, footprint, ..."""


@dataclass(frozen=True)
class Dataset:
    """A dataset version that was opened or written."""

    folder: Path
    version: str
    """Name of the folder."""
    hash: str
    """SHA-256 over what decides the content: window, bands, level and each sample's pixels, label, reason, place,
    split and position; not over dates, order, or names of files and folders."""
    window_px: int
    """Side of the windows: 255, 201 or 21."""
    level: ProductLevel | None
    bands: tuple[str, ...]
    samples: tuple[SampleEntry, ...]
    """In order of their ids."""


def write_dataset(
    folder: Path,
    samples: Iterable[tuple[SampleEntry, NDArray[np.uint16]]],
    *,
    bands: Sequence[str],
    level: ProductLevel | None,
    window_px: int,
    more: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
    decide_splits: Callable[[Sequence[SampleEntry]], Sequence[str]] | None = None,
) -> Dataset:
    """Write a version, whole or not at all; its files are read-only and the folder must be new.

    Args:
        folder: the version's folder; its name is the version.
        samples: entries with their pixels, DN uint16 (window_px, window_px, band), one after the other. An entry
            without a place gets one from the positions of all.
        bands: names of the bands, in the order of the pixels.
        level: product level, None if not known.
        window_px: side of the windows.
        more: what else the manifest should tell (how it was made, what was left out); not hashed. A function is
            called after the last sample.
        decide_splits: told all entries, in order of their ids and with their places, gives the split of each.

    Raises:
        StoreError: the folder is there already or cannot be written, there is no sample, an id comes twice or
            cannot name a file, or pixels have another shape.
    """
    if folder.exists():
        raise StoreError(f"{folder} is there already", "a new folder: a dataset version never changes", _NEW)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            kind = (window_px, tuple(bands), level)
            placed = _with_places(_write_samples(scratch, samples, kind))
            if decide_splits:
                splits = decide_splits(placed)
                placed = tuple(replace(entry, split=split) for entry, split in zip(placed, splits, strict=True))
            made = Dataset(folder, folder.name, _content_hash(kind, placed), window_px, level, kind[1], placed)
            told = more() if callable(more) else more or {}
            _write_synced(scratch / MANIFEST, json.dumps(_manifest(made, told), indent=1).encode())
            scratch.chmod(0o755)
            scratch.rename(folder)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreError(
            f"{folder} could not be written: {error.strerror or error}", remedy="free disk space"
        ) from error
    return made


_Kind = tuple[int, tuple[str, ...], ProductLevel | None]


def _write_samples(
    scratch: Path, samples: Iterable[tuple[SampleEntry, NDArray[np.uint16]]], kind: _Kind
) -> list[SampleEntry]:
    """Write each sample's file; their entries in order of their ids."""
    entries: dict[str, SampleEntry] = {}
    for entry, pixels in samples:
        if entry.sample_id in entries:
            raise StoreError(f"Two samples are called {entry.sample_id}", "an id for each sample")
        entries[entry.sample_id] = _write_sample(scratch, entry, pixels, kind)
    if not entries:
        raise StoreError("A dataset version needs samples, and there is none", "at least one sample")
    return [entries[name] for name in sorted(entries)]


def _write_sample(scratch: Path, entry: SampleEntry, pixels: NDArray[np.uint16], kind: _Kind) -> SampleEntry:
    window_px, bands, _ = kind
    if not _SAFE_ID.fullmatch(entry.sample_id):
        raise StoreError(f"{entry.sample_id!r} cannot name a sample", "letters, digits, '.', '_' and '-'")
    if pixels.dtype != np.uint16 or pixels.shape != (window_px, window_px, len(bands)):
        raise StoreError(
            f"Sample {entry.sample_id} is {pixels.dtype} {pixels.shape}",
            f"uint16 {(window_px, window_px, len(bands))}: every window of a version has the same side and bands",
        )
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    packed = io.BytesIO()
    np.savez_compressed(packed, planes=planes)
    file = f"{entry.sample_id}.npz"
    _write_synced(scratch / file, packed.getbuffer())
    return replace(
        entry,
        file=file,
        sha256=hashlib.sha256(packed.getbuffer()).hexdigest(),
        pixels_sha256=_planes_hash(planes),
    )


def _planes_hash(planes: NDArray[np.uint16]) -> str:
    return hashlib.sha256(np.ascontiguousarray(planes, "<u2").tobytes()).hexdigest()


def _with_places(entries: Sequence[SampleEntry]) -> tuple[SampleEntry, ...]:
    if all(entry.place for entry in entries):
        return tuple(entries)
    found = places_of(np.array([(entry.lon, entry.lat) for entry in entries]))
    return tuple(replace(entry, place=entry.place or place) for entry, place in zip(entries, found, strict=True))


def _content_hash(kind: _Kind, entries: Sequence[SampleEntry]) -> str:
    window_px, bands, level = kind
    rows = sorted(
        json.dumps([e.pixels_sha256, e.label, e.reason, e.place, e.split, f"{e.lon:.6f}", f"{e.lat:.6f}"])
        for e in entries
    )
    content = [window_px, list(bands), None if level is None else str(level), rows]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _manifest(made: Dataset, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **more,
        "format": _FORMAT,
        "version": made.version,
        "hash": made.hash,
        "made_at_utc": datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
        "window_px": made.window_px,
        "level": None if made.level is None else str(made.level),
        "bands": list(made.bands),
        "by_label": dict(sorted(Counter(entry.label for entry in made.samples).items())),
        "places": len({entry.place for entry in made.samples}),
        "samples": [asdict(entry) for entry in made.samples],
    }


def _write_synced(path: Path, content: bytes | memoryview) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(_READ_ONLY)


def open_dataset(folder: Path, *, check_files: bool = True) -> Dataset:
    """Open a version of either format.

    Args:
        folder: the version's folder.
        check_files: compare each file with its hash (reads all of them). Without it only the manifest is checked.

    Raises:
        StoreError: the folder is no dataset version, or a file is missing or was changed.
    """
    manifest = _read_manifest(folder)
    try:
        old = manifest["format"] == 1
        if check_files or old:
            _check_files(folder, manifest["samples"])
        return _from_format_1(folder, manifest) if old else _from_format_2(folder, manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise _not_whole(folder, error) from error


def check_dataset(folder: Path) -> dict[str, Any]:
    """The manifest of a version whose files are all there and unchanged.

    Raises:
        StoreError: the folder is no dataset, or a file is missing or was changed.
    """
    open_dataset(folder)
    return _read_manifest(folder)


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        if not isinstance(manifest, dict) or manifest.get("format") not in (1, _FORMAT):
            raise ValueError(f"{MANIFEST} is of no format that this version of minedisc knows")
    except (OSError, ValueError) as error:
        raise _not_whole(folder, error) from error
    return manifest


def _not_whole(folder: Path, error: Exception) -> StoreError:
    return StoreError(f"{folder} is not a whole dataset version: {error}", "a folder with its manifest", _NEW)


def _check_files(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        path = folder / Path(row["file"]).name
        if hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            raise StoreError(f"{path} was changed", "the file the manifest names", _NEW)


def _from_format_2(folder: Path, manifest: Mapping[str, Any]) -> Dataset:
    names = {each.name for each in fields(SampleEntry)}
    entries = tuple(SampleEntry(**{name: row[name] for name in names}) for row in manifest["samples"])
    kind = (int(manifest["window_px"]), tuple(manifest["bands"]), _level(manifest["level"]))
    if _content_hash(kind, entries) != manifest["hash"]:
        raise StoreError(f"{folder / MANIFEST} was changed", "the manifest as it was written", _NEW)
    return Dataset(folder, folder.name, manifest["hash"], kind[0], kind[2], kind[1], entries)


def _from_format_1(folder: Path, manifest: Mapping[str, Any]) -> Dataset:
    """Its samples may come from several mosaics: their common bands count, and the level if all have the same."""
    rows = sorted(manifest["samples"], key=lambda row: str(row["sample_id"]))
    common = [band for band in rows[0]["bands"] if all(band in row["bands"] for row in rows)] if rows else []
    levels = {row["level"] for row in rows}
    kind = (int(manifest["window_px"]), tuple(common), _level(levels.pop()) if len(levels) == 1 else None)
    entries = _with_places([_old_entry(folder, row, common) for row in rows])
    return Dataset(folder, folder.name, _content_hash(kind, entries), kind[0], kind[2], kind[1], entries)


def _old_entry(folder: Path, row: Mapping[str, Any], bands: Sequence[str]) -> SampleEntry:
    own = ("sample_id", "label", "lon", "lat", "reason", "file", "sha256")
    with np.load(folder / Path(row["file"]).name, allow_pickle=False) as packed:
        planes = packed["pixels"][..., [row["bands"].index(band) for band in bands]].transpose(2, 0, 1)
    return SampleEntry(
        **{name: row[name] for name in own},
        source=row.get("run_id", ""),
        pixels_sha256=_planes_hash(planes),
        facts={name: value for name, value in row.items() if name not in own},
    )


def _level(text: str | None) -> ProductLevel | None:
    return None if text is None else ProductLevel(text)


def read_windows(
    dataset: Dataset, bands: Sequence[str] | None = None, chosen: Sequence[int] | None = None
) -> NDArray[np.uint16]:
    """Pixels of samples, DN uint16 (n, side, side, band), 0 = no data.

    Args:
        dataset: the version.
        bands: bands in the order wanted; all of the version if None.
        chosen: places in `dataset.samples`, in the order wanted; all if None.

    Raises:
        StoreError: the version has no such band, or a file is missing or broken.
    """
    wanted = tuple(bands) if bands is not None else dataset.bands
    missing = [band for band in wanted if band not in dataset.bands]
    if missing:
        raise StoreError(
            f"Dataset {dataset.version} has no {', '.join(missing)}", f"bands of {', '.join(dataset.bands)}"
        )
    entries = dataset.samples if chosen is None else [dataset.samples[index] for index in chosen]
    windows = np.empty((len(entries), dataset.window_px, dataset.window_px, len(wanted)), np.uint16)
    for index, entry in enumerate(entries):
        windows[index] = _read_sample(dataset, entry, wanted)
    return windows


def _read_sample(dataset: Dataset, entry: SampleEntry, wanted: Sequence[str]) -> NDArray[np.uint16]:
    path = dataset.folder / Path(entry.file).name
    there = list(entry.facts.get("bands") or dataset.bands)
    try:
        with np.load(path, allow_pickle=False) as packed:
            if "planes" in packed:
                there, pixels = list(dataset.bands), packed["planes"].transpose(1, 2, 0)
            else:
                pixels = packed["pixels"]
        side = (dataset.window_px, dataset.window_px, len(there))
        if pixels.dtype != np.uint16 or pixels.shape != side:
            raise ValueError(f"it holds {pixels.dtype} {pixels.shape}")
        found: NDArray[np.uint16] = pixels[..., [there.index(band) for band in wanted]]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path} cannot be read: {error}", "a sample of the version", _NEW) from error
    return found
