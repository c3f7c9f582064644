"""What the commands print: JSON, tables, and the progress of long work."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

SECONDS_BETWEEN_LINES = 10.0
"""Where there is no terminal, progress is a line now and then."""


def print_json(value: Any) -> None:
    """Print plain values as one JSON document (ASCII, so that any terminal and pipe takes it)."""
    print(json.dumps(value, indent=1))


def say(text: str) -> None:
    """Tell how things go on stderr: stdout belongs to results."""
    print(clean(text), file=sys.stderr, flush=True)


def clean(text: object) -> str:
    """Text for a terminal: register names and notes may hold control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    numeric = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(head))]
    for row in [list(head), *cells]:
        parts = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ]
        print("  ".join(parts).rstrip())


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    return clean(value)


class Progress(Protocol):
    """How far a long job is."""

    @property
    def km2_done(self) -> float:
        """Area done."""

    @property
    def km2(self) -> float:
        """Area asked."""

    @property
    def km2_per_s(self) -> float:
        """Speed."""

    @property
    def seconds_left(self) -> float | None:
        """Time left; None while it cannot be known."""

    @property
    def message(self) -> str:
        """What is being done."""

    @property
    def tiles_done(self) -> int:
        """Tiles done."""

    @property
    def tiles(self) -> int:
        """Tiles asked."""


class Reporter(Protocol):
    """Takes progress as it comes."""

    def __call__(self, progress: Progress, /) -> None:
        """Show it."""


def sentence(progress: Progress) -> str:
    """Progress in words: `scanning, 12 of 60 tiles, 96 of 419 km2, 41.3 km2/s, 8 s left`."""
    if not progress.tiles:
        return clean(progress.message)
    parts = [
        clean(progress.message),
        f"{progress.tiles_done} of {progress.tiles} tiles",
        f"{progress.km2_done:,.0f} of {progress.km2:,.0f} km2",
        f"{progress.km2_per_s:,.1f} km2/s",
    ]
    if not progress.km2:  # a job that covers no ground
        return f"{parts[0]}, {progress.tiles_done} of {progress.tiles}"
    if progress.seconds_left is not None:
        parts.append(f"{progress.seconds_left:,.0f} s left")
    return ", ".join(parts)


@contextmanager
def progress_bar(title: str) -> Iterator[Reporter]:
    """A bar on a terminal, else a line every ten seconds; on stderr."""
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, words="starting")

        def show(progress: Any) -> None:
            total = progress.tiles or None
            bar.update(task, completed=progress.tiles_done, total=total, words=sentence(progress))

        yield show


@contextmanager
def library_notes_into(log: Path) -> Iterator[None]:
    """Send to a file what compiled libraries write to the terminal by themselves; `sys.stderr` still reaches it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    shown = sys.stderr
    shown.flush()
    terminal = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    if sys.__stderr__ is not None and shown is sys.__stderr__:
        sys.stderr = os.fdopen(os.dup(terminal), "w", encoding=shown.encoding, errors="replace", buffering=1)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = shown
        os.dup2(terminal, 2)
        os.close(terminal)


def _lines(title: str) -> Reporter:
    last = [time.monotonic()]

    def show(progress: Progress, /) -> None:
        if time.monotonic() - last[0] >= SECONDS_BETWEEN_LINES:
            last[0] = time.monotonic()
            say(f"{title}: {sentence(progress)}")

    return show
