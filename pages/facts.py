"""What the review panel shows of one candidate: chips, outlines and facts in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minedisc_core.domain import Candidate, RegisterMatch, TitleMatch
from minedisc_core.imagery.chips import CHIP_KINDS, chip_name
from minedisc_core.registers.sentences import describe
from minedisc_core.runs import CHIPS
from pages import addresses, shared, words

TITLES_SHOWN = 3


def item(candidate: Candidate, index: int) -> dict[str, Any]:
    """One candidate as the panel's JavaScript reads it; `index` is its position in the queue."""
    site = candidate.site
    outline = shared.outlines(candidate.run_id).get(site.site_id, {})
    return {
        "index": index,
        "id": candidate.candidate_id,
        "title": title(candidate),
        "lon": site.peak_lon,
        "lat": site.peak_lat,
        "polygon": site.polygon.__geo_interface__,
        "impact": str(candidate.impact),
        "impact_label": words.IMPACT[candidate.impact],
        "status": str(candidate.status),
        "reason": str(candidate.reason) if candidate.reason else None,
        "chips": list(_chips(candidate)),
        "outline": outline,
        "chip_width_m": outline.get("size_px", 201) * outline.get("pixel_width_m", 10.0),
        "scale_m": 500,
        "facts": [{"label": label, "value": value, "note": note} for label, value, note in _facts(candidate)],
    }


def title(candidate: Candidate) -> str:
    """`Site 12`: the number within its run."""
    number = candidate.candidate_id.rpartition("-")[2]
    return f"Site {int(number)}" if number.isdecimal() else f"Site {number}"


def _chips(candidate: Candidate) -> Iterator[dict[str, str]]:
    folder = shared.house().run_folder(candidate.run_id)
    for kind in CHIP_KINDS:
        name = chip_name(candidate.site.site_id, kind)
        if folder is not None and (folder / CHIPS / name).is_file():
            address = addresses.signed_address(f"chips/{candidate.run_id}/{name}", f"chips:{candidate.run_id}")
            yield {"kind": kind, "label": words.CHIP[kind], "url": address}


def _facts(candidate: Candidate) -> Iterator[tuple[str, str, str]]:
    site, match = candidate.site, candidate.match
    yield "Score", f"{site.score:.3f}", f"cut-off {candidate.threshold:g} · mean {site.mean_score:.3f}"
    yield "Impact class", *_impact(candidate)
    yield (
        "Area of the cells",
        words.ha(site.area_cells_ha),
        f"{words.count(site.cells, 'cell')} of 270 m; not the mine's own area",
    )
    yield "Registers", words.REGISTER_STATUS[match.status], _register_note(match)
    if match.nearest_dam:
        dam = match.nearest_dam
        yield "Nearest dam", f"{dam.name or 'without a name'}, {words.distance(dam.distance_m)}", dam.owner
    for mining_title in match.titles[:TITLES_SHOWN]:
        yield "Title", *_title(mining_title)
    if len(match.titles) > TITLES_SHOWN:
        yield "More titles", words.count(len(match.titles) - TITLES_SHOWN, "title"), ""
    for land in match.lands:
        yield "Protected land", land.name, f"{land.kind} · holds {words.percent(land.covered_fraction)} of the cells"
    yield "Place", words.place(site.lon, site.lat), _imagery(candidate)
    if candidate.earlier:
        yield "Earlier here", candidate.earlier[0], " ".join(candidate.earlier[1:])
    if candidate.verdict_by:
        yield "Decided by", candidate.verdict_by, words.moment(candidate.verdict_at_utc)


def _register_note(match: RegisterMatch) -> str:
    """The sentences of `describe` without those on the dam, the titles and the lands, which stand by themselves."""
    lines = describe(match)
    before = 1 + len(match.missing)
    after = before + bool(match.nearest_dam) + len(match.titles)
    told = " ".join(lines[:before] + lines[after : len(lines) - max(1, len(match.lands))])
    sentence = told.removeprefix(f"{words.REGISTER_STATUS[match.status]}: ")
    return sentence[:1].upper() + sentence[1:]


def _impact(candidate: Candidate) -> tuple[str, str]:
    given = candidate.site.impact_probabilities
    label = words.IMPACT[candidate.impact]
    if given is None:
        return label, "the model has no impact net"
    note = f"high {words.percent(given.high)} · low {words.percent(given.low)} · no ore {words.percent(given.no_ore)}"
    return label, note + (" · hidden: every cell looks like no ore" if candidate.site.discarded else "")


def _title(mining_title: TitleMatch) -> tuple[str, str]:
    right = "this phase may extract" if mining_title.may_extract else "this phase alone may not extract"
    parts = [
        right,
        mining_title.holder,
        mining_title.substance,
        f"covers {words.percent(mining_title.covered_fraction)}",
    ]
    return f"{mining_title.process} · {mining_title.phase}", " · ".join(part for part in parts if part)


def _imagery(candidate: Candidate) -> str:
    note = f"imagery {words.dates(candidate.imagery_start, candidate.imagery_end)}"
    return note + (" · partly without data" if candidate.site.flagged_fill else "")
