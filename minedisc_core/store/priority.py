"""The order by priority as SQL: a sum of six named terms, each 0..1, times the weights of the settings.

`review.priority` gives the same terms of one candidate in words, for the screen.
"""

from __future__ import annotations

from collections.abc import Mapping

from minedisc_core.domain import Impact, PriorityWeights, RegisterStatus

REGISTER_VALUES: Mapping[RegisterStatus, float] = {
    RegisterStatus.NOTHING_FOUND: 1.0,
    RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT: 0.75,
    RegisterStatus.NOT_CHECKED: 0.5,
    RegisterStatus.REGISTERED: 0.0,
}
"""What the registers do not know comes first; what could not be checked lies between."""
IMPACT_VALUES: Mapping[Impact, float] = {Impact.HIGH: 1.0, Impact.LOW: 0.5, Impact.UNKNOWN: 0.5, Impact.NO_ORE: 0.0}
"""By the class in force; an unknown one counts as low impact does."""
AREA_FULL_HA = 100.0
"""Area of the cells from which on the term is 1; below it grows evenly. A cell has 7.29 ha."""
NEARNESS_NONE_M = 10_000.0
"""Distance to the nearest dam, mine or river from which on the term is 0; it is 1 at 0 m."""


def _cases(column: str, values: Mapping[RegisterStatus, float] | Mapping[Impact, float]) -> str:
    cases = " ".join(f"WHEN '{word}' THEN {value}" for word, value in values.items())  # our own words
    return f"CASE {column} {cases} ELSE 0 END"


_TERMS = {
    "register_status": _cases("register_status", REGISTER_VALUES),
    "land": "CASE WHEN len(land_names) > 0 THEN 1 ELSE 0 END",
    "impact": _cases("coalesce(impact_corrected, machine_impact)", IMPACT_VALUES),
    "score": "greatest(0, least(score, 1))",
    "area": f"least(area_cells_ha / {AREA_FULL_HA}, 1)",
    "nearness": f"coalesce(1 - least(nearness_m / {NEARNESS_NONE_M}, 1), 0)",
}


def priority_sql(weights: PriorityWeights) -> tuple[str, list[float]]:
    """The sum over the columns of `states`, with the weights as values to bind."""
    terms = " + ".join(f"?::DOUBLE * ({term})" for term in _TERMS.values())
    return terms, [float(getattr(weights, name)) for name in _TERMS]
