"""`minedisc bench export`: our writers beside GDAL's and pandas' on the same rows, in turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pyogrio

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.domain import Status
from minedisc_core.exports import FORMATS, export
from minedisc_core.exports.gis import frame
from minedisc_core.exports.kml import write_kml
from minedisc_core.exports.table import write_csv
from minedisc_core.review import new_verdict
from minedisc_core.store import CandidateFilter, Store

_REPEATS = 5
_CONFIRMED = 1_000
"""Confirmed places of the export of two runs."""
_NOT_IN_KML = ["note"]
"""Columns that our KML writes once per file instead of once per row: GDAL is not made to write them either."""


def bench_export(rows: int = 10_000) -> dict[str, Any]:
    """Times of exporting `rows` candidates with polygons of 33 vertices."""
    with tempfile.TemporaryDirectory() as scratch, Store.in_memory() as store:
        folder = Path(scratch)
        store.take_in(made_up_summary(rows), folder, made_up_sites(rows), made_up_matches(rows))
        figures = _against_others(store, folder) + _whole_exports(store, folder) + _of_two_runs(store, folder, rows)
    return report("export", figures, rows=rows)


def _against_others(store: Store, folder: Path) -> list[Figure]:
    candidates = store.candidates(CandidateFilter(include_discarded=True))
    table = frame(candidates)
    for_kml, for_csv = table.drop(columns=_NOT_IN_KML), table.drop(columns="geometry")
    kml, libkml = _in_turns(
        lambda: write_kml(folder / "ours.kml", candidates),
        lambda: pyogrio.write_dataframe(for_kml, folder / "gdal.kml", driver="LIBKML"),
    )
    csv, pandas = _in_turns(
        lambda: write_csv(folder / "ours.csv", candidates),
        lambda: for_csv.to_csv(folder / "pandas.csv", index=False),
    )
    return [
        figure("KML, time against GDAL LIBKML", kml / libkml, "ratio", "<= 1.2", f"LIBKML by pyogrio, {libkml:.2f} s"),
        figure("KML", kml, "s"),
        figure("CSV, time against pandas to_csv", csv / pandas, "ratio", "<= 2", f"pandas to_csv, {pandas:.2f} s"),
        figure("CSV", csv, "s"),
    ]


def _in_turns(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of both, measured in turns so that a busy machine slows both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_REPEATS):
        for work, taken in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return median(times[0]), median(times[1])


def _of_two_runs(store: Store, folder: Path, rows: int) -> list[Figure]:
    """What people export: confirmed places, seen by two runs, each written once."""
    ids = store.candidate_ids(limit=_CONFIRMED)
    store.record([new_verdict(name, Status.CONFIRMED, "bench") for name in ids])
    again = [replace(site, site_id=f"again-{number}") for number, site in enumerate(made_up_sites(rows))]
    store.take_in(made_up_summary(rows, "again"), folder, again, made_up_matches(rows))
    figures = []
    for name in ("csv", "kml"):
        start = time.perf_counter()
        written = export(store, folder / f"once.{name}", name)
        seconds = time.perf_counter() - start
        told = f"{written.rows:,} confirmed places, {written.repeats_left_out:,} repeats left out, {name}"
        figures.append(figure(told, seconds, "s"))
    return figures


def _whole_exports(store: Store, folder: Path) -> list[Figure]:
    """From the database to a file in its place, once per format."""
    figures = []
    for name in FORMATS:
        start = time.perf_counter()
        export(store, folder / f"all.{name}", name, include_all=True)
        figures.append(figure(f"whole export, {name}", time.perf_counter() - start, "s"))
    return figures
