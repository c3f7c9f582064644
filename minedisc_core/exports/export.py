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
            extraction right). True: every candidate that is not discarded, whatever its status.
        run_id: one run only.

    Raises:
        UsageError: an unknown format.
        StoreError: the run is unknown, or the file cannot be written.
    """
    if format not in FORMATS:
        raise UsageError(f"The format is {format!r}", ", ".join(FORMATS))
    rows = exported(store, include_all, run_id)
    writer = _WRITERS.get(format) or partial(write_kmz, run_dirs={r.run_id: r.run_dir for r in store.runs()})
    write_file(out, writer, rows)
    return ExportResult(out, len(rows), dict(Counter(str(candidate.match.status) for candidate in rows)))


def exported(store: Store, include_all: bool = False, run_id: str | None = None) -> list[Candidate]:
    """The candidates that an export holds, highest score first."""
    if run_id is not None:
        store.run(run_id)
    if include_all:
        return store.candidates(CandidateFilter(run_id=run_id))
    return store.candidates(
        CandidateFilter(run_id=run_id, statuses=(Status.CONFIRMED,), register_statuses=UNREGISTERED)
    )


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
