"""The facts beside the chips: label, value and note, each in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from minedisc_core.domain import Candidate, PlaceChange, RegisterMatch, SecondScore, TitleMatch
from minedisc_core.registers.sentences import describe
from pages import words
from pages.texts import numerals, t, translated

TITLES_SHOWN = 3
Fact = tuple[str, str, str]


def all_of(candidate: Candidate) -> list[Fact]:
    """All facts of a candidate, the machine's first, then the registers', then the imagery's."""
    return [*_machine(candidate), *_registers(candidate.match), *_imagery(candidate)]


def score(value: float) -> str:
    """`0.912`."""
    return numerals(f"{value:.3f}")


def _machine(candidate: Candidate) -> Iterator[Fact]:
    site = candidate.site
    cut_off = t("cut-off {threshold} · mean {mean}", threshold=_short(candidate.threshold), mean=score(site.mean_score))
    yield t("Score"), score(site.score), cut_off
    if candidate.model:
        yield t("Found by"), candidate.model, t("the model of this run")
    if candidate.second:
        yield _second(candidate.second)
    yield t("Impact class"), *_impact(candidate)
    cells = words.count(site.cells, "cell")
    side_m = round(math.sqrt(site.area_cells_ha * 10_000 / max(1, site.cells)), -1)
    of = t("{cells} of {side} m; not the mine's own area", cells=cells, side=_short(side_m))
    yield t("Area of the cells"), words.ha(site.area_cells_ha), of
    if candidate.area_drawn_ha is not None:
        yield t("Drawn area"), words.ha(candidate.area_drawn_ha), t("of the footprint, geodesic")


def _second(second: SecondScore) -> Fact:
    """What another model says of the place."""
    cut_off = _short(second.threshold)
    told = (
        t("{model}; also above its cut-off {threshold}", model=second.model, threshold=cut_off)
        if second.is_hit
        else t("{model}; not above its cut-off {threshold}: the models disagree", model=second.model, threshold=cut_off)
    )
    return t("Second model"), score(second.score), told


def _short(value: float) -> str:
    return numerals(f"{value:g}")


def _impact(candidate: Candidate) -> tuple[str, str]:
    given, label = candidate.site.impact_probabilities, words.IMPACT[candidate.impact]
    notes = []
    if candidate.impact_corrected and candidate.impact_corrected is not candidate.site.impact:
        notes.append(t("corrected; the machine says {label}", label=words.IMPACT[candidate.site.impact]))
    if given is None:
        notes.append(t("the model has no impact net"))
    else:
        shares = {name: words.percent(getattr(given, name)) for name in ("high", "low", "no_ore")}
        notes.append(t("high {high} · low {low} · no ore {no_ore}", **shares))
    if candidate.site.discarded:
        notes.append(t("hidden: every cell looks like no ore"))
    return label, " · ".join(notes)


def _registers(match: RegisterMatch) -> Iterator[Fact]:
    yield t("Registers"), words.REGISTER_STATUS[match.status], _register_note(match)
    if match.nearest_dam:
        dam = match.nearest_dam
        yield t("Nearest dam"), _near(dam.name, dam.distance_m), dam.owner
    if match.nearest_river:
        yield t("Nearest river"), _near(match.nearest_river.name, match.nearest_river.distance_m), ""
    for title in match.titles[:TITLES_SHOWN]:
        yield t("Title"), *_title(title)
    if len(match.titles) > TITLES_SHOWN:
        yield t("More titles"), words.count(len(match.titles) - TITLES_SHOWN, "title"), ""
    for land in match.lands:
        share = t("holds {share} of the cells", share=words.percent(land.covered_fraction))
        yield t("Protected land"), land.name, f"{land.kind} · {share}"


def _near(name: str, distance_m: float) -> str:
    return f"{name or t('without a name')}, {words.distance(distance_m)}"


def _register_note(match: RegisterMatch) -> str:
    """The sentences of `describe` without those on the dam, the river, the titles and the lands, which have lines."""
    lines = describe(match)
    before = 1 + len(match.missing)
    after = before + bool(match.nearest_dam) + len(match.titles)
    last = len(lines) - max(1, len(match.lands)) - bool(match.nearest_river)
    told = " ".join(map(translated, lines[:before] + lines[after:last]))
    sentence = told.removeprefix(f"{words.REGISTER_STATUS[match.status]}: ")
    return sentence[:1].upper() + sentence[1:]


def _title(title: TitleMatch) -> tuple[str, str]:
    right = t("this phase may extract") if title.may_extract else t("this phase alone may not extract")
    covers = t("covers {share}", share=words.percent(title.covered_fraction))
    parts = [right, title.holder, title.substance, covers]
    named = f"{title.process or t('without number')} · {title.phase or t('no phase')}"
    return named, " · ".join(part for part in parts if part)


def _imagery(candidate: Candidate) -> Iterator[Fact]:
    note = t("partly without data") if candidate.site.flagged_fill else ""
    yield t("Imagery"), words.dates(candidate.imagery_start, candidate.imagery_end), note
    if candidate.change:
        yield _change(candidate.change)
    if candidate.verdict_by:
        yield t("Decided by"), candidate.verdict_by, words.moment(candidate.verdict_at_utc)


def _change(change: PlaceChange) -> Fact:
    """What became of the place against the scan of another date."""
    label, dates = words.CHANGE[change.kind], words.dates(change.start, change.end)
    if change.earlier_ha is None or change.later_ha is None:
        return t("Change"), label, t("the scan of {dates} saw the place and found nothing", dates=dates)
    areas = {"before": words.ha(change.earlier_ha), "after": words.ha(change.later_ha)}
    told = t("{before} before, {after} after", **areas)
    return t("Change"), f"{label} · {told}", t("cells; against {dates}, same model", dates=dates)
