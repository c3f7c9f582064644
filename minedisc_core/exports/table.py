"""CSV in UTF-8 that opens in a spreadsheet without running anything."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minedisc_core.domain import Candidate
from minedisc_core.exports.rows import COLUMNS, NAMES, row

_STARTS_A_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_TEXTS = tuple(place for place, column in enumerate(COLUMNS) if column.kind is str)


def safe_cell(text: str) -> str:
    """`text` with an apostrophe before anything a spreadsheet would take for a formula; numbers stay numbers."""
    is_suspect = text.startswith(_STARTS_A_FORMULA) or text.lstrip().startswith(_STARTS_A_FORMULA)
    return "'" + text if is_suspect and not _PLAIN_NUMBER.fullmatch(text) else text


def write_csv(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write one line per candidate under a header; no candidate gives the header alone."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(NAMES)
        writer.writerows(_cells(candidate) for candidate in candidates)


def _cells(candidate: Candidate) -> list[Any]:
    cells = row(candidate)
    for place in _TEXTS:
        text = cells[place]
        if text and not text[0].isalnum():
            cells[place] = safe_cell(text)
    return cells
