"""Why a candidate comes early in the order by priority: the named terms of the sum, in words."""

from __future__ import annotations

from typing import Any

from minedisc_core.domain import Candidate
from minedisc_core.review import priority_terms
from pages import shared
from pages.texts import Labels, numerals, t

LABELS = Labels(
    {
        "register_status": "What the registers say",
        "land": "Meets a protected land",
        "impact": "Impact class",
        "score": "Score",
        "area": "Area of the cells",
        "nearness": "Near a dam, mine or river",
    }
)
MEANING = Labels(
    {
        "register_status": "nothing found 1, a title without extraction right 0.75, not checked 0.5, registered 0",
        "land": "1 if it meets one, else 0",
        "impact": "high 1, low or unknown 0.5, no ore 0",
        "score": "the score itself",
        "area": "grows evenly to 1 at 100 ha",
        "nearness": "1 where it meets one, falls evenly to 0 at 10 km",
    }
)


def explained(candidate: Candidate) -> dict[str, Any]:
    """The sum, the largest it could be, and its terms with their weights."""
    terms = priority_terms(candidate, shared.settings().priority_weights)
    return {
        "total": sum(term.value * term.weight for term in terms),
        "most": sum(term.weight for term in terms),
        "terms": [{"label": LABELS[term.name], "value": term.value, "weight": term.weight} for term in terms],
    }


def order_help() -> str:
    """What the orders mean; priority with its terms and their weights."""
    weights = shared.settings().priority_weights
    terms = [
        f"| {label} | {numerals(f'{getattr(weights, name):g}')} | {MEANING[name]} |" for name, label in LABELS.items()
    ]
    return "\n".join(
        [
            t("**Priority** is a sum: each term is 0 to 1, times its weight (MINEDISC_PRIORITY)."),
            "",
            f"| {t('Term')} | {t('Weight')} | {t('Value')} |",
            "|---|---|---|",
            *terms,
            "",
            t("**Uncertainty**: nearest to the cut-off first. **Place**: neighbours follow each other."),
        ]
    )
