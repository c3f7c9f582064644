"""Why a candidate comes early in the order by priority: named terms, as the store sums them."""

from __future__ import annotations

from dataclasses import dataclass

from minedisc_core.domain import Candidate, PriorityWeights, RegisterMatch
from minedisc_core.store.priority import AREA_FULL_HA, IMPACT_VALUES, NEARNESS_NONE_M, REGISTER_VALUES


@dataclass(frozen=True)
class PriorityTerm:
    """One term of the sum."""

    name: str
    """A field of `PriorityWeights`."""
    value: float
    """0..1."""
    weight: float


def priority_terms(candidate: Candidate, weights: PriorityWeights) -> list[PriorityTerm]:
    """The terms in the order of `PriorityWeights`; the sum of value times weight is the priority."""
    site, match = candidate.site, candidate.match
    values = {
        "register_status": REGISTER_VALUES[match.status],
        "land": float(bool(match.lands)),
        "impact": IMPACT_VALUES[candidate.impact],
        "score": min(max(site.score, 0.0), 1.0),
        "area": min(site.area_cells_ha / AREA_FULL_HA, 1.0),
        "nearness": _nearness(match),
    }
    return [PriorityTerm(name, value, getattr(weights, name)) for name, value in values.items()]


def priority(candidate: Candidate, weights: PriorityWeights) -> float:
    """The sum that the queue is ordered by, highest first."""
    return sum(term.value * term.weight for term in priority_terms(candidate, weights))


def _nearness(match: RegisterMatch) -> float:
    """1 at a dam, mine or river, 0 far from all, or where no register tells."""
    found = [near.distance_m for near in (match.nearest_dam, match.nearest_river) if near is not None]
    return 1 - min(min(found) / NEARNESS_NONE_M, 1.0) if found else 0.0
