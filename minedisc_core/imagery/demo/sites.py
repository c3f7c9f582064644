"""A feature under construction: what it is painted with and the truth about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from minedisc_core.imagery.demo.brushes import Brush
from minedisc_core.imagery.demo.canvas import Point


@dataclass(frozen=True)
class Truth:
    """One polygon of the ground truth, in px."""

    kind: str
    outline: BaseGeometry
    is_mine: bool
    impact: str
    """`high`, `low` or `none`."""


@dataclass
class Plan:
    """Brushes and truths of one place, in the order they are painted."""

    rng: np.random.Generator
    brushes: list[Brush] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    ore: str = ""
    """Name of what is mined here; empty for look-alikes."""

    def paint(self, *brushes: Brush) -> None:
        """Add brushes on top of those there are."""
        self.brushes.extend(brushes)

    def is_at(self, kind: str, outline: BaseGeometry, impact: str = "none") -> None:
        """State what lies in `outline` (px)."""
        self.truths.append(Truth(kind, shapely.make_valid(outline), impact != "none", impact))

    def seed(self) -> int:
        """A fresh seed for textures."""
        return int(self.rng.integers(1, 2**30))

    def between(self, low: float, high: float) -> float:
        """A number drawn evenly."""
        return float(self.rng.uniform(low, high))

    def turn(self) -> float:
        """An angle drawn evenly, radians."""
        return float(self.rng.uniform(0, 2 * math.pi))

    def chance(self, share: float) -> bool:
        """True in `share` of all draws."""
        return bool(self.rng.random() < share)


def beside(place: Point, angle: float, distance: float) -> Point:
    """The place `distance` px from `place` in direction `angle`."""
    return place[0] + math.cos(angle) * distance, place[1] + math.sin(angle) * distance
