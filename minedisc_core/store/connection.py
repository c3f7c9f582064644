"""One DuckDB file, one process: a cursor for each thread, one write lock, short transactions.

A second process cannot open the file, not even to read; it gets `StoreOwned` and sends its verb to
the owner instead. A committed transaction is on disk (DuckDB syncs its write-ahead log).
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from minedisc_core.errors import StoreError, StoreOwned

Cursor = duckdb.DuckDBPyConnection
T = TypeVar("T")

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""No extension is needed, and none is ever fetched from the network."""
_OWNED = ("could not set lock", "conflicting lock", "being used by another process")
_NEWER = ("version number", "newer version", "storage version")
_RETRIES = 6
_FIRST_PAUSE_S = 0.005
_LONGEST_WORK_S = 60.0
"""How long closing waits for work that is under way."""

_locks: dict[str, threading.RLock] = {}
_locks_guard = threading.Lock()


def _write_lock(name: str) -> threading.RLock:
    """One lock per file, however many stores this process opens on it."""
    with _locks_guard:
        return _locks.setdefault(name, threading.RLock())


class Database:
    """The open file. Threads may share it; use `reading` and `write`."""

    def __init__(self, connection: Cursor, name: str) -> None:
        self.name = name
        self._connection = connection
        self._lock = threading.RLock() if name == ":memory:" else _write_lock(name)
        self._local = threading.local()
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self._idle = threading.Condition()
        self._active = 0
        self._is_open = True

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open or make the file at `path`.

        Raises:
            StoreOwned: another process has it open.
            StoreError: it is no database, is damaged, or cannot be made there.
        """
        where = path.expanduser().resolve()
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
            return cls(duckdb.connect(str(where), config=_CONFIG), str(where))
        except OSError as error:
            raise StoreError(
                f"{where} cannot be made: {error.strerror or error}",
                "a folder that can be written",
                "set MINEDISC_HOME",
            ) from error
        except duckdb.Error as error:
            raise _explain(where, error) from error

    @classmethod
    def in_memory(cls) -> Database:
        """A database that is gone when it is closed."""
        return cls(duckdb.connect(":memory:", config=_CONFIG), ":memory:")

    def close(self) -> None:
        """Let running work end, close every cursor and give the file up; closing twice is harmless."""
        with self._idle:
            if not self._is_open:
                return
            self._is_open = False  # from here on nothing new begins
            self._idle.wait_for(lambda: not self._active, _LONGEST_WORK_S)
        for cursor in [*self._cursors, self._connection]:
            cursor.close()

    @contextmanager
    def _working(self) -> Iterator[Cursor]:
        """The calling thread's cursor; the store is not closed under it.

        Raises:
            StoreError: the store is closed.
        """
        with self._idle:
            if not self._is_open:
                raise StoreError("The store is closed", remedy="open it again")
            self._active += 1
        try:
            yield self._own_cursor()
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def _own_cursor(self) -> Cursor:
        found: Cursor | None = getattr(self._local, "cursor", None)
        if found is None:
            found = self._connection.cursor()
            self._local.cursor = found
            self._cursors.add(found)
        return found

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A cursor that sees one state of the database for the whole block. Do not nest."""
        with self._working() as cursor:
            try:
                cursor.execute("BEGIN TRANSACTION")
                yield cursor
            except duckdb.Error as error:
                raise _failed(error) from error
            finally:
                _roll_back(cursor)

    def write(self, work: Callable[[Cursor], T]) -> T:
        """Run `work(cursor)` in one transaction: all of it is on disk on return, or none of it.

        `work` may be called again after a conflict, so it keeps nothing outside the database.

        Raises:
            StoreError: the disk is full, the file is damaged, or conflicts would not end.
        """
        with self._lock:
            pause_s = _FIRST_PAUSE_S
            for attempt in range(_RETRIES):
                try:
                    return self._once(work)
                except duckdb.TransactionException as error:
                    if attempt == _RETRIES - 1:
                        raise _failed(error) from error
                    time.sleep(pause_s)
                    pause_s *= 2
                except duckdb.Error as error:
                    raise _failed(error) from error
        raise AssertionError("the loop above returns or raises")

    def _once(self, work: Callable[[Cursor], T]) -> T:
        with self._working() as cursor:
            cursor.execute("BEGIN TRANSACTION")
            try:
                result = work(cursor)
                cursor.execute("COMMIT")
            except BaseException:
                _roll_back(cursor)
                raise
            return result

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file, after a bulk insert; skipped while others read."""
        with self._lock, self._working() as cursor:
            try:
                cursor.execute("CHECKPOINT")
            except duckdb.TransactionException:
                return  # a reader holds an older state; DuckDB folds the log in by itself later


def _roll_back(cursor: Cursor) -> None:
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        return  # the transaction ended by itself, or the connection is gone: nothing is left to undo


def _failed(error: Exception) -> StoreError:
    return StoreError(
        f"The database refused: {_first_line(error)}",
        remedy="free disk space if it is full; else close the app, start it again and repeat the step",
    )


def _explain(path: Path, error: Exception) -> StoreError:
    text = str(error).lower()
    if any(sign in text for sign in _OWNED):
        return StoreOwned(
            f"{path} is open in another process", "one process at a time", "use the running app, or close it first"
        )
    if any(sign in text for sign in _NEWER):
        return StoreError(
            f"{path} was made by a newer DuckDB: {_first_line(error)}",
            remedy="run `make install` for the newer version",
        )
    return StoreError(
        f"{path} cannot be opened: {_first_line(error)}",
        "a database that minedisc made",
        "restore it from a backup, or move it (and its .wal) away and take the runs in again",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def first_row(cursor: Cursor) -> tuple[Any, ...]:
    """The only row of a query that always gives one."""
    row = maybe_row(cursor)
    if row is None:
        raise StoreError("The database gave no row where one is certain", remedy="report this as a fault")
    return row


def maybe_row(cursor: Cursor) -> tuple[Any, ...] | None:
    """The first row of a query or None; the rest is fetched too, for a half-read result blocks the connection."""
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows[0] if rows else None
