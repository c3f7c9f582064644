"""The pictures of one candidate that the review panel shows: its chips, and the same ground on other dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from minedisc_core.domain import Candidate
from minedisc_core.imagery.chips import CHIP_KINDS, chip_name
from minedisc_core.imagery.indices import INDICES
from minedisc_core.jobs import second_dates
from minedisc_core.jobs.second_dates import DatedRun
from minedisc_core.runs import CHIPS
from pages import addresses, names, shared, words
from pages.texts import t

PICTURE_NAME = re.compile(rf"(.+?)_({'|'.join(CHIP_KINDS)})(_own)?\.webp")


def chips(candidate: Candidate) -> list[dict[str, Any]]:
    """The chips that the candidate's run left, in the order of CHIP_KINDS; what is missing is left out."""
    folder = shared.house().run_folder(candidate.run_id)
    if folder is None:
        return []
    site_id, run_id = candidate.site.site_id, candidate.run_id
    wanted = {chip_name(site_id, kind, is_own=is_own) for kind in CHIP_KINDS for is_own in (False, True)}
    there = {name for name in wanted if (folder / CHIPS / name).is_file()}
    return _listed(site_id, there, partial(_address, f"chips/{run_id}", f"chips:{run_id}"))


def pairs(candidate: Candidate) -> list[dict[str, Any]]:
    """The same ground on other dates, newest first: of the run its change was measured against, and the newest."""
    own, others = _dates(candidate.run_id)
    compared = [each for each in others if candidate.change and each.run_id == candidate.change.run_id]
    chosen = second_dates.dates_of_site(candidate.site, [*compared, *others]) if own else []
    shown = sorted(chosen, key=lambda each: each.end, reverse=True)
    found = [_pair(candidate, own.folder, other) for other in shown if own]
    return [pair for pair in found if pair["chips"]]


def _pair(candidate: Candidate, folder: Path, other: DatedRun) -> dict[str, Any]:
    """One other date; its pictures are made when they are asked for first."""
    site_id, run_id, run = candidate.site.site_id, candidate.run_id, shared.run_summary(other.run_id)
    names_there = second_dates.pair_names(folder, site_id, other)
    base = f"pairs/{run_id}/{other.run_id}"
    address = partial(_address, base, f"chips:{run_id}")
    return {
        "label": names.run_label(run, shared.settings().demo),
        "dates": words.dates(other.start, other.end),
        "source": names.credit(run),
        "chips": _listed(site_id, names_there, address),
    }


def pair_file(run_id: str, other_id: str, name: str) -> Path | None:
    """A picture of a candidate on another date, made now if nobody asked for it before; None if there is none."""
    own, others = _dates(run_id)
    other = next((each for each in others if each.run_id == other_id), None)
    asked = PICTURE_NAME.fullmatch(name)
    if own is None or other is None or asked is None:
        return None
    path = second_dates.pair_folder(own.folder, other) / name
    with shared.Noted():  # nobody's candidate has no picture
        candidate = None if path.is_file() else shared.store().candidate(asked[1])
        if candidate and candidate.run_id == run_id:
            shared.SECOND_DATES.made(own, candidate.site, other)
    return path if path.is_file() else None


def _dates(run_id: str) -> tuple[DatedRun | None, tuple[DatedRun, ...]]:
    """A run, None if it says too little of itself, and the runs taken in that show its ground on other dates."""
    folder = shared.house().run_folder(run_id)
    return shared.SECOND_DATES.of(folder, _taken_in) if folder else (None, ())


def _taken_in() -> list[Path]:
    return [row.run_dir for row in shared.store().runs()]


def _address(base: str, scope: str, name: str) -> str:
    return addresses.signed_address(f"{base}/{name}", scope)


def _listed(site_id: str, there: Collection[str], address: Callable[[str], str]) -> list[dict[str, Any]]:
    """The chips whose files are `there`; one without a picture in its own stretch has None there."""
    found = []
    for kind in CHIP_KINDS:
        name, own = chip_name(site_id, kind), chip_name(site_id, kind, is_own=True)
        if name in there:
            urls = {"url": address(name), "own": address(own) if own in there else None}
            found.append({"kind": kind, "label": words.CHIP[kind], **urls, "legend": _legend(kind)})
    return found


def _legend(kind: str) -> dict[str, Any] | None:
    """The fixed scale of an index: values, colours from low to high, and what lies at its ends; else None."""
    index = INDICES.get(kind)
    if index is None:
        return None
    low, high = _ends()[kind]
    numbers = {"low": words.number(index.low, 1), "high": words.number(index.high, 1)}
    return {**numbers, "colours": index.css_colours, "low_label": low, "high_label": high}


def _ends() -> dict[str, Sequence[str]]:
    """What the first and the last colour of an index mean."""
    return {
        "ndvi": (t("water"), t("dense plants")),
        "ndwi": (t("dry land"), t("open water")),
        "bare_soil": (t("plants or water"), t("bare ground")),
    }
