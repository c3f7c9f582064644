"""Names of mosaics and runs, as people call them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minedisc_core.domain import RunSummary
from pages import boundary, words
from pages.texts import Labels, t, translated

DEMO = Labels({"mosaic.tif": "Demo area (L1C)", "mosaic_l2a.tif": "Demo area (L2A)"})
"""Files of the demo area."""


def mosaic_label(paths: Sequence[str], demo: Path) -> str:
    """`Demo area (L1C)`, else the first file's name."""
    if not paths:
        return t("Mosaic")
    first = Path(paths[0])
    if first.parent == demo and first.name in DEMO:
        return DEMO[first.name]
    return first.stem if len(paths) == 1 else t("{name} and {n} more", name=first.stem, n=len(paths) - 1)


def run_label(summary: RunSummary, demo: Path) -> str:
    """What was scanned and when: `Demo area (L1C), 22 Nov 14:03`."""
    return f"{mosaic_label(summary.mosaic, demo)}, {words.short_moment(summary.finished_at_utc)}"


def seen(summary: RunSummary) -> str:
    """How much of the area was seen: `98.2 km2 (99 %)`."""
    return f"{words.km2(summary.coverage.seen_km2)} ({words.percent(summary.coverage.fraction)})"


def engine(summary: RunSummary) -> str:
    """What scored the run, and where: `OpenVINO 2026.4 on 2 workers of tcp://...`."""
    record = summary.engine
    if not record.scheduler:
        return boundary.plain(str(record))
    count = words.count(record.workers, "worker")
    told = t("{engine} on {workers} of {scheduler}", engine=str(record), workers=count, scheduler=record.scheduler)
    return boundary.plain(told)


def engines_left_out(summary: RunSummary) -> str | None:
    """Why engines other than the run's did not score it."""
    return "  \n".join(boundary.plain(translated(reason)) for reason in summary.engine.refused) or None


def credit(summary: RunSummary) -> str:
    """Who the pixels are from, for the map's corner."""
    return summary.source or copernicus()


def copernicus() -> str:
    """Who the pixels are from, where the file does not say it."""
    return t("Contains Copernicus Sentinel data")
