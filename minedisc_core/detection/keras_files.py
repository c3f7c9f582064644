"""A Keras file of other people, `.keras` or legacy `.h5`: looked through without Keras, then read as plain numbers.

Nothing in such a file is deserialised. Its text is read by `architecture`; its weights are arrays that are put into
a net made anew. Links out of the file, pickles, archives with anything else in them, numbers that are not finite and
files that grow when they are opened are refused.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.architecture import Architecture, build, own_name, read_architecture
from minedisc_core.errors import ModelError, UsageError
from minedisc_core.settings import Settings
from minedisc_core.uploads import safe_unzip

MOST_BYTES = 400_000_000
"""Of a file: 50 million parameters of 4 bytes, and what an optimizer keeps beside them."""
MOST_EXPANDED_MB = 800
SUFFIXES = (".keras", ".h5", ".hdf5")
_IN_ARCHIVE = frozenset({"metadata.json", "config.json", "model.weights.h5"})
_MOST_ENTRIES = 8
_MOST_OBJECTS = 20_000
_DEEPEST = 16
_NUMBERS = "fiu"
_FILTERS = ("gzip", "lzf", "shuffle", "fletcher32")
"""Ways to pack an array that HDF5 has built in; others would be code that it loads from a folder."""
_BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError, MemoryError, EOFError)
"""What h5py raises on a damaged file, and Keras on weights that do not fit."""


def inspect(path: Path, patch_px: int) -> Architecture:
    """Look through a file; no TensorFlow is imported.

    Args:
        path: of the file.
        patch_px: side of the patches, where the net leaves it open.

    Raises:
        ModelError: it is neither kind of file, damaged, too large, or holds anything but plain layers and numbers.
    """
    with _opened(path) as (text, weights, _):
        architecture = read_architecture(text, patch_px)
        _check_weights(path, weights, architecture)
    return architecture


def load_net(path: Path, patch_px: int) -> tuple[Architecture, Any]:
    """The file's net as a Keras model of our own making, with the file's weights; imports TensorFlow.

    Raises:
        ModelError: as `inspect`, or the weights do not fit the layers.
    """
    with _opened(path) as (text, weights, weights_file):
        architecture = read_architecture(text, patch_px)
        _check_weights(path, weights, architecture)
        network = build(architecture)
        if weights_file is None:
            _set_by_name(network, architecture, weights)
        else:
            network.load_weights(str(weights_file))
    return architecture, network


@contextmanager
def _opened(path: Path) -> Iterator[tuple[str, Any, Path | None]]:
    """The text of the layers, the group of the weights, and for `.keras` the unpacked file of weights.

    Whatever a damaged file does while it is read, here or by the caller, ends in a ModelError.
    """
    import h5py

    with tempfile.TemporaryDirectory(prefix="minedisc-model-") as scratch:
        content = _checked_bytes(path)
        unpacked = _unpacked(path, Path(scratch)) if content.startswith(b"PK") else None
        try:
            with h5py.File(unpacked or path, "r") as file:
                _check_tree(path, file)
                if unpacked is None:
                    yield _config_of(path, file), file["model_weights"], None
                else:
                    yield unpacked.with_name("config.json").read_text("utf-8"), file, unpacked
        except _BROKEN as error:
            raise _refused(path, f"is damaged, or holds what does not belong together ({str(error)[:200]})") from error


def _checked_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})") from error
    if size > MOST_BYTES:
        raise _refused(path, f"is {size:,} bytes large, more than {MOST_BYTES:,}")
    if not start.startswith((b"PK\x03\x04", b"\x89HDF\r\n\x1a\n")):
        raise _refused(path, "is neither a .keras archive nor an HDF5 file")
    return start


def _refused(path: Path, held: str) -> ModelError:
    return ModelError(
        f"{path.name} {held}",
        "a classifier as Keras saves it: .keras (Keras 3) or .h5",
        "save the model with Keras again, or get it again",
    )


def _unpacked(path: Path, scratch: Path) -> Path:
    """The file of weights of a `.keras` archive, unpacked beside its texts."""
    limits = dataclasses.replace(Settings(home=scratch), zip_max_entries=_MOST_ENTRIES,
                                 zip_max_expanded_mb=MOST_EXPANDED_MB)  # fmt: skip
    try:
        files = safe_unzip(path, scratch, limits)
    except UsageError as error:
        raise _refused(path, f"cannot be unpacked: {error.found}") from error
    names = {file.name if file.parent.parent == scratch else f"{file.parent.name}/{file.name}" for file in files}
    if names != _IN_ARCHIVE:
        odd = sorted(names - _IN_ARCHIVE) or sorted(_IN_ARCHIVE - names)
        raise _refused(path, f"holds {odd[0]!r}" if odd[0] in names else f"lacks {odd[0]!r}")
    return files[0].with_name("model.weights.h5")


def _config_of(path: Path, file: Any) -> str:
    if "model_weights" not in file or "model_config" not in file.attrs:
        raise _refused(path, "holds weights without the layers that they belong to")
    text = file.attrs["model_config"]
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)


def _check_tree(path: Path, file: Any) -> None:
    """Groups and arrays of numbers only, all of them in the file itself."""
    size = 0
    for count, found in enumerate(_tree(path, file)):
        size += found
        if count > _MOST_OBJECTS:
            raise _refused(path, f"holds more than {_MOST_OBJECTS:,} objects")
    if size > MOST_EXPANDED_MB * 1_000_000:
        raise _refused(path, f"expands to more than {MOST_EXPANDED_MB} MB")


def _tree(path: Path, file: Any) -> Iterator[int]:
    """Bytes of every object in a file, one after the other: a group may hold itself."""
    import h5py

    waiting = [(file, 0)]
    while waiting:
        group, depth = waiting.pop()
        if depth > _DEEPEST:
            raise _refused(path, "holds groups that are nested too deep")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _refused(path, f"holds the link {name[:60]!r} to somewhere else")
            found = group[name]
            if isinstance(found, h5py.Group):
                waiting.append((found, depth + 1))
                yield 0
            else:
                yield _array_bytes(path, found, name)


def _array_bytes(path: Path, found: Any, name: str) -> int:
    import h5py

    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in _NUMBERS:
        raise _refused(path, f"holds {name[:60]!r}, which is no array of numbers")
    if found.external or found.is_virtual:
        raise _refused(path, f"holds the array {name[:60]!r}, whose numbers lie in another file")
    if any(key not in _FILTERS for key in found._filters):
        raise _refused(path, f"holds the array {name[:60]!r}, packed in a way that is not known here")
    return int(found.size) * int(found.dtype.itemsize)


def _arrays(group: Any) -> Iterator[tuple[str, Any]]:
    for name, found in group.items():
        if name.startswith("optimizer"):
            continue
        if hasattr(found, "items"):
            yield from ((f"{name}/{rest}", array) for rest, array in _arrays(found))
        elif found.dtype.kind == "f":
            yield name, found


def _check_weights(path: Path, group: Any, architecture: Architecture) -> None:
    held = 0
    for name, array in _arrays(group):
        held += int(array.size)
        if held > architecture.parameters:
            break
        if not np.isfinite(array[()]).all():
            raise _refused(path, f"holds weights in {name[:80]} that are not finite")
    if held != architecture.parameters:
        more = "more" if held > architecture.parameters else f"{held:,}"
        raise _refused(path, f"holds {more} weights where its layers need {architecture.parameters:,}")


def _set_by_name(network: Any, architecture: Architecture, weights: Any) -> None:
    """Put the weights of a legacy file in their layers, by the layers' names in the file."""
    for number, layer in enumerate(architecture.layers):
        if layer.sized.parameters:
            group = weights[layer.name]
            names = [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs["weight_names"]]
            values: list[NDArray[np.float32]] = [np.asarray(group[name], np.float32) for name in names]
            network.get_layer(own_name(number)).set_weights(values)
