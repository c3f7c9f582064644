"""Where the results of tiles are kept: a folder, or an object store under a URL that `fsspec` knows.

Whoever scores a tile writes it there, this process or a worker far away, whole or not at all; whoever goes on with
the run finds it there. Credentials come from the environment or fsspec's own configuration, never with a URL: a URL
is written into `request.json`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from minedisc_core.errors import RunError, UsageError
from minedisc_core.runs import TILES, write_atomically

Answer = TypeVar("Answer")

_ONE_PUT = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "memory"))
"""Stores in which an object appears as a whole or not at all."""
_SCRATCH = "."
"""How the names of files begin that are not whole yet."""


class Place(Protocol):
    """Files by name, each whole or absent."""

    def read(self, name: str) -> bytes | None:
        """Content of a file; None if there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Keep a file.

        Raises:
            RunError: it cannot be written.
        """

    def names(self) -> set[str]:
        """Names of all whole files."""

    def remove(self, name: str) -> None:
        """Take a file away; it may have gone already."""

    def sweep(self) -> None:
        """Take away what killed processes have left half written."""


@dataclass(frozen=True)
class Folder:
    """A folder, of this machine or shared with others."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def read(self, name: str) -> bytes | None:
        """Content of a file; None if it is missing or cannot be read."""
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file atomically; see `Place.write`."""
        write_atomically(self.path / name, content)

    def names(self) -> set[str]:
        """Names of all whole files."""
        found = self.path.iterdir() if self.path.is_dir() else iter(())
        return {path.name for path in found if not path.name.startswith(_SCRATCH)}

    def remove(self, name: str) -> None:
        """Take a file away."""
        (self.path / name).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Take away scratch files."""
        for path in self.path.glob(f"{_SCRATCH}*"):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Bucket:
    """Objects under a URL; each process that holds it opens the store for itself."""

    url: str
    """Without credentials."""

    def __str__(self) -> str:
        return self.url

    @cached_property
    def _store(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        # A listing that is kept would hide what workers write after it.
        found: tuple[Any, str] = self._told("opened", lambda: url_to_fs(self.url, use_listings_cache=False))
        return found

    def read(self, name: str) -> bytes | None:
        """Content of an object; None if there is none.

        Raises:
            RunError: the store does not answer.
        """
        store, root = self._store

        def content() -> bytes | None:
            try:
                return bytes(store.cat_file(f"{root}/{name}"))
            except FileNotFoundError:
                return None

        return self._told("read", content)

    def write(self, name: str, content: bytes) -> None:
        """One PUT where that is atomic, elsewhere a scratch file that gets its name when it is whole."""
        store, root = self._store
        self._told("written", lambda: self._put(store, root, name, content))

    def _put(self, store: Any, root: str, name: str, content: bytes) -> None:
        if urlsplit(self.url).scheme in _ONE_PUT:
            store.pipe_file(f"{root}/{name}", content)
            return
        scratch = f"{root}/{_SCRATCH}{name}.{secrets.token_hex(4)}"
        store.makedirs(root, exist_ok=True)
        store.pipe_file(scratch, content)
        store.mv(scratch, f"{root}/{name}")

    def names(self) -> set[str]:
        """Names of all whole objects."""
        return {name for name in self._all() if not name.startswith(_SCRATCH)}

    def _all(self) -> set[str]:
        store, root = self._store

        def found() -> set[str]:
            try:
                return {path.rpartition("/")[2] for path in store.find(root)}
            except FileNotFoundError:
                return set()

        return self._told("listed", found)

    def remove(self, name: str) -> None:
        """Take an object away."""
        store, root = self._store

        def removed() -> None:
            try:
                store.rm_file(f"{root}/{name}")
            except FileNotFoundError:
                return

        self._told("cleared", removed)

    def sweep(self) -> None:
        """Take away scratch files."""
        for name in self._all():
            if name.startswith(_SCRATCH):
                self.remove(name)

    def _told(self, what: str, action: Callable[[], Answer]) -> Answer:
        """What `action` gives; its failure in words.

        Raises:
            RunError: it failed.
        """
        try:
            return action()
        except ImportError as error:
            raise RunError(
                f"{self.url} needs a package that is not installed ({str(error)[:150]})",
                "fsspec's driver for such a URL, here and on every worker",
                "install it (s3fs, gcsfs, adlfs)",
            ) from error
        except Exception as error:  # each store's driver has errors of its own: told, never kept quiet
            raise RunError(
                f"{self.url} could not be {what}: {type(error).__name__}: {str(error)[:200]}",
                "a place that this process and all workers may read and write",
                "check address, bucket and credentials (environment or fsspec's configuration), then resume the run",
            ) from error


def checked_results(text: str) -> str:
    """A place for results as a person gives it: an absolute path, or a URL without credentials.

    Raises:
        UsageError: the URL has no such form, holds credentials, or is of a kind that fsspec does not know.
    """
    if "://" not in text:
        return str(Path(text).expanduser().resolve())
    parts = urlsplit(text)
    if parts.scheme in ("file", "local"):
        return parts.path
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError(
            "the URL of the results holds credentials or a query",
            "a plain URL, for it is written into the run's record",
            "give credentials by the environment or in fsspec's configuration",
        )
    from fsspec.registry import known_implementations

    if parts.scheme not in known_implementations or not (parts.netloc or parts.path.strip("/")):
        raise UsageError(f"{text[:100]} is no place for results", "a folder, or a URL such as s3://BUCKET/FOLDER")
    return text.rstrip("/")


def place_of(run_dir: Path, results: str | None, run_id: str) -> Place:
    """Where a run's tiles are kept: in its own folder, or under `results` (`checked_results`) by its id."""
    if results is None:
        return Folder(run_dir / TILES)
    if "://" in results:
        return Bucket(f"{results}/{run_id}/{TILES}")
    return Folder(Path(results) / run_id / TILES)
