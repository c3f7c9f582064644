"""Model cards: one JSON file per net, with all that is needed to use the net honestly."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minedisc_core.detection.card_values import broken_card as _broken
from minedisc_core.detection.card_values import listed as _list
from minedisc_core.detection.card_values import number as _number
from minedisc_core.detection.card_values import read_object as _read_object
from minedisc_core.detection.card_values import text as _text
from minedisc_core.detection.networks import HEAD_LAYERS, NetKind
from minedisc_core.detection.spread import Ground, HeadKind
from minedisc_core.domain import IMPACT_CLASSES, ProductLevel
from minedisc_core.grid import DISCOVERY_CELLS, CellGeometry
from minedisc_core.runs import write_json

FORMAT = 1
"""Version of the card's layout."""
DEFAULT_THRESHOLD = 0.6
"""A cell above it is a hit (paper, section 6)."""
DEFAULT_NO_ORE_MARGIN = 0.5
"""A cell is surely "no ore" if p(no ore) exceeds the larger of the others by this much."""
ORES: Mapping[str, tuple[str, ...]] = {
    "high": (
        "lead", "iron", "niobium", "zinc", "copper", "phosphate",
        "limestone", "nickel", "schist", "manganese", "bauxite",
    ),
    "low": ("sand", "gravel", "clay", "stones"),
    "no_ore": ("soil", "rocks", "vegetation"),
}  # fmt: skip
"""What the paper puts in each impact class (section 5.1.3); gold looks like sand or gravel at 10 m."""
PAPER_FIGURES: Mapping[NetKind, Mapping[str, float]] = {
    "discovery": {"training_accuracy": 0.9739, "validation_accuracy": 0.9685, "f1": 0.9689},
    "impact": {"training_accuracy": 0.927, "validation_accuracy": 0.965},
}
"""The paper's figures, to stand beside a model's own (sections 5.2.3 and 5.2.4); they are no promise."""
DISCOVERY_CLASSES = ("background", "mine")
_MAX_BANDS = 64
_MOST_DARK = 0.99
"""Of the mean: the light above the dark is divided by their difference."""


@dataclass(frozen=True)
class ModelCard:
    """What one net is, needs and has shown."""

    name: str
    version: str
    net: NetKind
    level: ProductLevel
    """Product it was trained on; a mosaic of the other level is refused."""
    bands: tuple[str, ...]
    """Band names in the order of the net's input."""
    mean: tuple[float, ...]
    """Per band, DN (reflectance x 10,000), over the valid pixels of the training part."""
    std: tuple[float, ...]
    """Per band, DN, above 0."""
    threshold: float = DEFAULT_THRESHOLD
    """Discovery: a cell whose score is above it is a hit."""
    no_ore_margin: float = DEFAULT_NO_ORE_MARGIN
    """Impact: see DEFAULT_NO_ORE_MARGIN."""
    classes: tuple[str, ...] = DISCOVERY_CLASSES
    """Names of the outputs, in order."""
    ores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Impact: the ores of each class."""
    is_demonstration: bool = False
    """Trained on generated scenes: shows that the code works, not that the method does."""
    description: str = ""
    pixel_m: float = 10.0
    """Side of the pixels it was trained on."""
    window_px: int | None = None
    """Side of the windows it was trained on; None: whole scenes, or not told."""
    licence: str = ""
    intended_use: str = ""
    limits: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Places, windows, epochs, seed, seconds, date, figures on the validation places."""
    paper: Mapping[str, float] = field(default_factory=dict)
    """The paper's figures for the same net."""
    head: HeadKind = "context"
    """Discovery: the paper's head, or the one of `detection.spread`."""
    dark: tuple[float, ...] = ()
    """Spread head: per band, DN that the air alone sends back, from 0 to 0.99 of the mean."""

    @property
    def geometry(self) -> CellGeometry:
        """How the cells lie over the pixels."""
        return DISCOVERY_CELLS

    @property
    def ground(self) -> Ground | None:
        """What the spread head measures the ground with; None for the paper's head."""
        return Ground.of(self.mean, self.std, self.dark) if self.head == "spread" else None


def write_card(path: Path, card: ModelCard) -> None:
    """Write a card as JSON, whole or not at all."""
    write_json(path, {"format": FORMAT, **dataclasses.asdict(card)})


def read_card(path: Path, net: NetKind) -> ModelCard:
    """Read and check a card.

    Raises:
        ModelError: missing, too large, not JSON, not an object, a key missing, or a value that cannot be.
    """
    content = _read_object(path)
    try:
        if content.get("format") != FORMAT:
            raise ValueError(f"format is {content.get('format')!r}, not {FORMAT}")
        if content["net"] != net:
            raise ValueError(f"net is {content['net']!r}, not {net!r}")
        return _checked(_card(content, net))
    except KeyError as error:
        raise _broken(path, f"has no {error.args[0]!r}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _broken(path, f"cannot be used: {str(error)[:300]}") from error


def _card(content: Mapping[str, Any], net: NetKind) -> ModelCard:
    default_classes = DISCOVERY_CLASSES if net == "discovery" else tuple(str(c) for c in IMPACT_CLASSES)
    return ModelCard(
        name=_text(content["name"]),
        version=_text(content["version"]),
        net=net,
        level=ProductLevel(content["level"]),
        bands=tuple(_text(band) for band in _list(content["bands"])),
        mean=tuple(_number(value) for value in _list(content["mean"])),
        std=tuple(_number(value) for value in _list(content["std"])),
        threshold=_number(content.get("threshold", DEFAULT_THRESHOLD)),
        no_ore_margin=_number(content.get("no_ore_margin", DEFAULT_NO_ORE_MARGIN)),
        classes=tuple(_text(name) for name in _list(content.get("classes", list(default_classes)))),
        ores={_text(k): tuple(_text(ore) for ore in _list(v)) for k, v in content.get("ores", {}).items()},
        is_demonstration=content.get("is_demonstration", False) is True,
        description=_text(content.get("description", "")),
        pixel_m=_number(content.get("pixel_m", 10.0)),
        window_px=None if content.get("window_px") is None else int(_number(content["window_px"])),
        licence=_text(content.get("licence", "")),
        intended_use=_text(content.get("intended_use", "")),
        limits=_text(content.get("limits", "")),
        training=dict(content.get("training", {})),
        paper=dict(content.get("paper", {})),
        head=content.get("head", "context"),
        dark=tuple(_number(value) for value in _list(content.get("dark", []))),
    )


def _checked(card: ModelCard) -> ModelCard:
    count = len(card.bands)
    expected = DISCOVERY_CLASSES if card.net == "discovery" else tuple(str(c) for c in IMPACT_CLASSES)
    problems = {
        f"it names {count} bands": not 1 <= count <= _MAX_BANDS,
        "a band is named twice or not at all": len({*card.bands}) != count or "" in card.bands,
        f"{len(card.mean)} means and {len(card.std)} deviations for {count} bands": not (
            len(card.mean) == len(card.std) == count
        ),
        "a standard deviation is not above 0": any(value <= 0 for value in card.std),
        f"the threshold is {card.threshold}": not 0 < card.threshold < 1,
        f"the no-ore margin is {card.no_ore_margin}": not 0 <= card.no_ore_margin <= 1,
        f"the classes are {card.classes}, not {expected}": card.classes != expected,
        f"the head is {card.head!r}": card.head not in (HEAD_LAYERS if card.net == "discovery" else ("context",)),
        f"{len(card.dark)} dark values for {count} bands": len(card.dark) != (count if card.head == "spread" else 0),
        "a dark value is not from 0 to 0.99 of a mean of at least 1": any(
            not (mean >= 1 and 0 <= dark <= _MOST_DARK * mean) for dark, mean in zip(card.dark, card.mean, strict=False)
        ),
    }
    for text, is_wrong in problems.items():
        if is_wrong:
            raise ValueError(text)
    return card
