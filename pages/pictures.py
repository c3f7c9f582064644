"""Mosaics as maps show them: which map tiles there are, where, and whose they are."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from pages import shared
from pages.texts import t

KINDS = ("true_colour", "swir")
"""Map-tile pyramids that a run leaves."""
Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


def kind_label(kind: str) -> str:
    """Name of a kind of map tiles on the map."""
    return {"true_colour": t("True colour"), "swir": t("SWIR false colour")}[kind]


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
    not_seen: str = ""
    """Data URL of a picture, where the scores lie, of the cells asked for but not seen; empty if all were seen."""

    @property
    def centre(self) -> tuple[float, float]:
        """Latitude and longitude of the middle, as Leaflet wants them."""
        west, south, east, north = self.bounds
        return (south + north) / 2, (west + east) / 2


def picture(name: str, label: str, credit: str) -> Picture | None:
    """The picture of a run or preview; None where there are neither pyramids nor scores."""
    readers = {kind: reader for kind in KINDS if (reader := shared.tile_reader(name, kind))}
    overlay = shared.score_overlay(name)
    veil = _data_url(overlay.not_seen_png) if overlay and overlay.not_seen_png else ""
    score_bounds = overlay.bounds if overlay else None
    if not readers:
        return Picture(name, label, score_bounds, 0, (), credit, score_bounds, veil) if score_bounds else None
    first = next(iter(readers.values()))
    return Picture(name, label, first.bounds, first.max_zoom, tuple(readers), credit, score_bounds, veil)


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"
