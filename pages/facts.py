"""What the review panel shows of one candidate: pictures, facts in words, what was decided before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minedisc_core.domain import Candidate, ProductLevel, VerdictEvent
from minedisc_core.registers.notations import anm_notation, decimal_notation, dms_notation
from pages import chip_pictures, fact_lines, history, links, names, priorities, shared, words
from pages.texts import t, translated


def item(candidate: Candidate, index: int, events: Sequence[VerdictEvent] = ()) -> dict[str, Any]:
    """One candidate as the panel's JavaScript reads it; `index` is its position in the queue."""
    site, run = candidate.site, shared.run_summary(candidate.run_id)
    return {
        "index": index,
        "title": title(candidate),
        "run": names.run_label(run, shared.settings().demo),
        "source": names.credit(run),
        "dates": words.dates(candidate.imagery_start, candidate.imagery_end),
        "lon": site.peak_lon,
        "lat": site.peak_lat,
        "polygon": site.polygon.__geo_interface__,
        "seen": candidate.seen,
        "held_by": "",
        "score": site.score,
        "score_text": fact_lines.score(site.score),
        "facts": [dict(zip(("label", "value", "note"), line, strict=True)) for line in fact_lines.all_of(candidate)],
        "priority": priorities.explained(candidate),
        "earlier": [translated(sentence) for sentence in candidate.earlier],
        **_pictures(candidate),
        **history.state(candidate, events),
        **_by_person_and_machine(candidate),
        **_place(candidate, run.level),
    }


def title(candidate: Candidate) -> str:
    """`Site 12`: the number within its run."""
    number = candidate.candidate_id.rpartition("-")[2]
    return t("Site {number}", number=int(number) if number.isdecimal() else number)


def _by_person_and_machine(candidate: Candidate) -> dict[str, Any]:
    """What a person may correct, beside what the machine said."""
    return {
        "impact_machine": str(candidate.site.impact),
        "impact_label": words.IMPACT[candidate.impact],
        "area_cells_text": words.ha(candidate.site.area_cells_ha),
        "area_drawn_text": history.area_drawn(candidate),
    }


def _place(candidate: Candidate, level: ProductLevel) -> dict[str, Any]:
    """Where it is, as text to paste and as links: the moved point, else the middle of the peak cell."""
    lon = candidate.site.peak_lon if candidate.moved_lon is None else candidate.moved_lon
    lat = candidate.site.peak_lat if candidate.moved_lat is None else candidate.moved_lat
    notations = {t("Decimal"): decimal_notation, t("DMS"): dms_notation, "ANM": anm_notation}
    dates = (candidate.imagery_start, candidate.imagery_end)
    return {
        "coordinates": [{"label": label, "value": notation(lon, lat)} for label, notation in notations.items()],
        "links": links.links(lon, lat, level, dates),
    }


def _pictures(candidate: Candidate) -> dict[str, Any]:
    outline = shared.outline(candidate.run_id, candidate.site.site_id)
    return {
        "chips": chip_pictures.chips(candidate),
        "pairs": chip_pictures.pairs(candidate),
        "outline": outline,
        "chip_width_m": outline.get("size_px", 201) * outline.get("pixel_width_m", 10.0),
        "scale_m": 500,
    }
