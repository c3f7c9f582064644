"""Export: which candidates, in which format, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from minedisc_core.domain import UNREGISTERED, Candidate, Status
from minedisc_core.errors import StoreError, UsageError
from minedisc_core.exports.gis import write_geopackage, write_parquet
from minedisc_core.exports.kml import write_kml, write_kmz
from minedisc_core.exports.table import write_csv
from minedisc_core.store import CandidateFilter, Store

_WRITERS: dict[str, Any] = {"csv": write_csv, "kml": write_kml, "gpkg": write_geopackage, "parquet": write_parquet}
FORMATS = ("csv", "kml", "kmz", "gpkg", "parquet")
"""What `format` may be; also the usual ending of the file."""


@dataclass(frozen=True)
class ExportResult:
    """What was written."""

    path: Path
    rows: int
    by_register_status: dict[str, int]
    repeats_left_out: int
    """Candidates that are not in the file because their place is confirmed in a newer run too."""


@dataclass(frozen=True)
class Exported:
    """What an export holds."""

    candidates: list[Candidate]
    """Highest score first."""
    repeats_left_out: int


def export(
    store: Store,
    out: Path,
    format: str,  # noqa: A002  # the word people use for it
    include_all: bool = False,
    run_id: str | None = None,
) -> ExportResult:
    """Write candidates to `out`, replacing what is there; the file appears whole or not at all.

    Args:
        store: the store.
        out: the file; missing folders are made.
        format: one of `FORMATS`.
        include_all: False: confirmed ones that are not registered (nothing found, or a title without
            extraction right), a place once, by the candidate of its newest run. True: every candidate
            that is not discarded, whatever its status.
        run_id: one run only, whatever other runs hold.

    Raises:
        UsageError: an unknown format.
        StoreError: the run is unknown, or the file cannot be written.
    """
    if format not in FORMATS:
        raise UsageError(f"The format is {format!r}", ", ".join(FORMATS))
    chosen = exported(store, include_all, run_id)
    writer = _WRITERS.get(format) or partial(write_kmz, run_dirs={r.run_id: r.run_dir for r in store.runs()})
    write_file(out, writer, chosen.candidates)
    statuses = Counter(str(candidate.match.status) for candidate in chosen.candidates)
    return ExportResult(out, len(chosen.candidates), dict(statuses), chosen.repeats_left_out)


def exported(store: Store, include_all: bool = False, run_id: str | None = None) -> Exported:
    """The candidates that an export holds; see `export`.

    Raises:
        StoreError: the run is unknown.
    """
    if run_id is not None:
        store.run(run_id)
    if include_all:
        return Exported(store.candidates(CandidateFilter(run_id=run_id)), 0)
    found = store.candidates(
        CandidateFilter(run_id=run_id, statuses=(Status.CONFIRMED,), register_statuses=UNREGISTERED)
    )
    repeats = store.confirmed_repeats() if run_id is None else frozenset()
    once = [candidate for candidate in found if candidate.candidate_id not in repeats]
    return Exported(once, len(found) - len(once))


def write_file(out: Path, writer: Any, rows: Sequence[Candidate]) -> None:
    """Call `writer(path, rows)` on a scratch file beside `out`, then put it in its place.

    Raises:
        StoreError: the folder or the file cannot be written.
    """
    target = out.expanduser().absolute()
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".minedisc-") as scratch:
            written = Path(scratch) / target.name
            writer(written, rows)
            with written.open("rb+") as file:
                os.fsync(file.fileno())
            written.replace(target)
    except (OSError, RuntimeError) as error:  # pyogrio's errors are RuntimeErrors
        reason = getattr(error, "strerror", None) or error
        raise StoreError(
            f"{target} could not be written: {reason}",
            "a file in a folder that can be written",
            "choose another folder, or free disk space",
        ) from error
