"""What a match says, in sentences for people: careful ones, because a register can be wrong and so can a map."""

from __future__ import annotations

from minedisc_core.domain import LandMatch, NearestDam, NearestRiver, RegisterMatch, RegisterStatus, TitleMatch

GUIA = "check Guia de Utilização"
STATUS_WORDS = {
    RegisterStatus.REGISTERED: "Registered: a dam, a mine or a title that may extract was found here.",
    RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT: "A title was found here, but its phase may not extract by itself.",
    RegisterStatus.NOTHING_FOUND: "No dam, mine or title was found here in the registers that are loaded.",
    RegisterStatus.NOT_CHECKED: "Not checked: registers that would be needed are missing here.",
}
"""One sentence per status. "Not found" is a fact about registers, never an accusation; the sentence on
extraction titles, which follows both unregistered statuses, says to check the Guia de Utilização."""


def describe(match: RegisterMatch) -> list[str]:
    """Sentences on one site, the status first: missing registers, nearest dam, titles, a river, lands."""
    return [
        STATUS_WORDS[match.status],
        *(f"Missing: {missing}." for missing in match.missing),
        *([_nearest(match.nearest_dam)] if match.nearest_dam else []),
        *(_title(title) for title in match.titles),
        *_no_extraction_title(match),
        *([_river(match.nearest_river)] if match.nearest_river else []),
        *_lands(match),
    ]


def _nearest(dam: NearestDam) -> str:
    owner = f" ({dam.owner})" if dam.owner else ""
    where = "meets the site" if dam.distance_m == 0 else f"{distance_text(dam.distance_m)} away"
    return f"Nearest registered dam or mine: {dam.name}{owner}, {where} [{dam.register}]."


def _river(river: NearestRiver) -> str:
    where = "meets the site" if river.distance_m == 0 else f"{distance_text(river.distance_m)} away"
    return f"Nearest river: {river.name or 'without name'}, {where} [{river.register}]."


def distance_text(distance_m: float) -> str:
    """`320 m`, `4.2 km`, `57 km`."""
    if distance_m < 1_000:
        return f"{distance_m:.0f} m"
    return f"{distance_m / 1_000:.1f} km" if distance_m < 20_000 else f"{distance_m / 1_000:,.0f} km"


def _title(title: TitleMatch) -> str:
    right = "this phase may extract" if title.may_extract else f"this phase by itself may not extract ({GUIA})"
    facts = ", ".join(fact for fact in (title.phase or "no phase", title.holder, title.substance) if fact)
    share = percent(title.covered_fraction)
    return f"Title {title.process or 'without number'} covers {share} of the site: {facts}; {right}."


def percent(fraction: float) -> str:
    """Whole percent; never 0 % or 100 % for a share that is neither."""
    if 0 < fraction < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < fraction < 1 - 1e-6 else f"{fraction:.0%}".replace("%", " %")


def _no_extraction_title(match: RegisterMatch) -> list[str]:
    outside = match.outside_extracting_titles_fraction
    if outside is None:
        return []
    if not any(title.may_extract for title in match.titles):
        dates = [name.split()[-1] for name in match.registers_as_of.split("; ") if name.startswith("sigmine ")]
        return [f"No extraction title found here in SIGMINE of {' and '.join(dates)} ({GUIA})."]
    if outside > 1e-6:
        return [f"{percent(outside)} of the site lies outside titles that may extract."]
    return []


def _lands(match: RegisterMatch) -> list[str]:
    if match.lands:
        return [_land(land) for land in match.lands]
    if not any(name.startswith("lands ") for name in match.registers_as_of.split("; ")):
        return ["No protected lands are loaded."]
    return ["None of the protected lands that are loaded meets the site."]


def _land(land: LandMatch) -> str:
    return f"Protected land: {land.name}, {land.kind}: {percent(land.covered_fraction)} of the site lies inside."
