"""`outlines.json`: what the page draws over each site's chips; JSON with a line per site, ordered by their numbers.

So one site of a hundred thousand is found by a binary search over the lines, without reading the others.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from minedisc_core.errors import ImageryError

OUTLINES = "outlines.json"
"""File beside the chips."""
Told = dict[str, Any]


def outlines_as_json(found: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Content of the file, from the outlines of each site by its id."""
    lines = [f"{json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found, key=_order)]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def read_outlines(folder: Path) -> dict[str, Told]:
    """The outlines of every site (fields of ChipOutlines) by site id; empty if none were written.

    Raises:
        ImageryError: the file is damaged.
    """
    path = folder / OUTLINES
    if not path.is_file():
        return {}
    try:
        found: dict[str, Told] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise _damaged(path, error) from error
    return found


def read_outline(folder: Path, site_id: str) -> Told:
    """The outlines of one site; empty if it has none.

    Raises:
        ImageryError: the file is damaged.
    """
    path = folder / OUTLINES
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        if file.read(2) != b"{\n":  # by an older version, on one line
            return _whole(folder, path.stat().st_mtime_ns).get(site_id, {})
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return _search(content, site_id)
            except ValueError as error:
                raise _damaged(path, error) from error


@lru_cache(maxsize=4)
def _whole(folder: Path, _changed_ns: int) -> dict[str, Told]:
    return read_outlines(folder)


def _search(content: mmap.mmap, site_id: str) -> Told:
    wanted, low, high = _order(site_id), 2, content.rfind(b"\n}")
    while low < high:
        middle = (low + high) // 2
        start = content.rfind(b"\n", low - 1, middle + 1) + 1
        end = content.find(b"\n", middle + 1)
        name, told = _entry(content[start:end])
        if name == site_id:
            return told
        low, high = (end + 1, high) if _order(name) < wanted else (low, start - 1)
    return {}


def _entry(line: bytes) -> tuple[str, Told]:
    [(name, told)] = json.loads(b"{" + line.rstrip(b",\r\n") + b"}").items()
    return name, told


def _order(site_id: str) -> tuple[int, str]:
    """Numbers of four or more digits: the longer is the larger."""
    return len(site_id), site_id


def _damaged(path: Path, error: Exception) -> ImageryError:
    return ImageryError(f"{path} cannot be read: {error}", "what a run wrote", "scan again")
