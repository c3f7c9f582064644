"""Recipes: how a net is trained, as one frozen value; the paper's, and the one that is used unless another is named.

A new recipe is a new value in `RECIPES`; nothing else has to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from minedisc_core.detection.networks import DROPOUT, NetKind
from minedisc_core.detection.spread import HeadKind
from minedisc_core.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """How to train, apart from data, seed and precision."""

    name: str
    epochs: int = 30
    batch: int = 16
    discovery_rate: float = 1e-3
    """Adam's rate for the discovery net."""
    impact_rate: float = 1e-4
    """Adam's rate for the impact net."""
    split: Literal["samples", "places"] = "places"
    """What is dealt into folds: single samples, or places as a whole (5 km, `learning.places`)."""
    balance: Literal["draws", "weights"] = "draws"
    """How classes become equal: equally many draws of each in an epoch, or weights in the loss."""
    window_px: int | None = None
    """Discovery: cut larger windows to their middle of this side (201: the paper's); None takes them as they are."""
    keep: Literal["last", "best"] = "best"
    """Weights to keep: of the last epoch, or of that with the lowest loss on the validation part."""
    patience: int | None = None
    """Stop after so many epochs without a lower loss on the validation part; None never stops early."""
    threshold: Literal["half", "validation"] = "validation"
    """Discovery: 0.5 (the more likely class, as in the paper), or the score with the best F1 on validation."""
    symmetries: bool = True
    """Show each window in one of the eight symmetries of the square, drawn anew each time."""
    brightness: float = 0.0
    """Each window is made brighter or darker by up to this share of a deviation, all bands alike."""
    band_jitter: float = 0.0
    """The same, drawn for each band on its own: colours shift."""
    noise: float = 0.0
    """Deviation of noise added to each pixel, in the band's deviations."""
    head: HeadKind = "context"
    """Discovery: the paper's head, or the one of `detection.spread`, which is fitted on the ground alone at first."""
    dropout: float = DROPOUT
    """Share of the features left out before the last layer."""
    spread_dropout: float = 0.3
    """The same of what the spread head sees."""
    weight_decay: float = 0.0
    """Decoupled (AdamW); kernels only."""
    label_smoothing: float = 0.0
    """Share of a label's certainty given to all classes alike."""
    clip_norm: float | None = 1.0
    """Largest norm of a step's gradients over all weights; None leaves them as they are."""
    fine_tune_rate: float = 0.2
    """In fine-tuning Adam's rate is multiplied by this: what was learned shall bend, not break."""

    def rate(self, net: NetKind, is_fine_tuning: bool = False) -> float:
        """Adam's rate for a net."""
        full = self.discovery_rate if net == "discovery" else self.impact_rate
        return full * (self.fine_tune_rate if is_fine_tuning else 1.0)


PAPER = Recipe(
    "paper",
    split="samples",
    window_px=201,
    keep="last",
    threshold="half",
    symmetries=False,
    clip_norm=None,
)
"""Sections 5.2.3 and 5.2.4 of the paper: Adam, batches of 16, 30 epochs, balanced classes, no augmentation, z-score of
the training part, folds of samples, the weights after the last epoch."""

DEFAULT = Recipe("default", patience=8, brightness=0.2, band_jitter=0.1, head="spread")
"""What did best at places that were not seen (README, "Real imagery" and "Training"): the spread head on the
paper's trunk, fitted on how the ground stands out before the trunk learns, and kept so where no later epoch is better;
the eight symmetries, other light and colour in each draw, balanced draws, early stopping, folds of places, windows as
they are (255 px: the middle cell scores as in a scan), and the threshold chosen on validation."""

RECIPES = {recipe.name: recipe for recipe in (PAPER, DEFAULT)}


def recipe_named(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in RECIPES:
        raise UsageError(f"there is no recipe {name!r}", " or ".join(RECIPES))
    return RECIPES[name]
