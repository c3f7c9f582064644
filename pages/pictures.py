"""Mosaics as maps show them: which map tiles there are, where, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass

from pages import shared

KINDS = {"true_colour": "True colour", "swir": "SWIR false colour"}
"""Map-tile pyramids that a run leaves, with their names on the map."""
Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


@dataclass(frozen=True)
class Picture:
    """A mosaic that can be shown as map tiles."""

    name: str
    """Run id, or the name of a preview."""
    label: str
    bounds: Box
    max_zoom: int
    kinds: tuple[str, ...]
    credit: str
    score_bounds: Box | None
    """Where the run's scores lie; None if it has none."""

    @property
    def centre(self) -> tuple[float, float]:
        """Latitude and longitude of the middle, as Leaflet wants them."""
        west, south, east, north = self.bounds
        return (south + north) / 2, (west + east) / 2


def picture(name: str, label: str, credit: str) -> Picture | None:
    """The picture of a run or preview; None where its pyramids are missing."""
    readers = {kind: reader for kind in KINDS if (reader := shared.tile_reader(name, kind))}
    if not readers:
        return None
    first = next(iter(readers.values()))
    overlay = shared.score_overlay(name)
    return Picture(
        name, label, first.bounds, first.max_zoom, tuple(readers), credit, overlay.bounds if overlay else None
    )
