"""Registers as a map shows them: GeoJSON features with a label, only those in the view, only so many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping

from minedisc_core.registers.active import ActiveRegisters, Layer

TOLERANCE_DEG = 5e-5
"""Outlines are thinned to about 5 m: no eye sees it on a map."""
Box = tuple[float, float, float, float]
"""West, south, east, north in degrees (EPSG:4326)."""


@dataclass(frozen=True)
class MapFeatures:
    """What a map shows of the registers in a box, as GeoJSON features with `label` among their properties."""

    dams: list[dict[str, Any]]
    """Points and outlines of known dams and mines."""
    titles: list[dict[str, Any]]
    lands: list[dict[str, Any]]
    rivers: list[dict[str, Any]]
    """Lines or outlines, cut off at the boxes."""
    left_out: int
    """Features in the box beyond the limit."""


def features_in(registers: ActiveRegisters, boxes: list[Box], most: int) -> MapFeatures:
    """The registers in one or more boxes, at most `most` features of each layer."""
    points, missed_points = _of(registers.points, boxes, most, _dam)
    mines, missed_mines = _of(registers.outlines, boxes, most, _dam)
    titles, missed_titles = _of(registers.titles, boxes, most, _title)
    lands, missed_lands = _of(registers.lands, boxes, most, _land)
    rivers, missed_rivers = _of(registers.rivers, boxes, most, _river, is_cut=True)
    left_out = missed_points + missed_mines + missed_titles + missed_lands + missed_rivers
    return MapFeatures([*points, *mines], titles, lands, rivers, left_out)


def _of(
    layer: Layer, boxes: list[Box], most: int, label: Callable[[Layer, int], str], *, is_cut: bool = False
) -> tuple[list[dict[str, Any]], int]:
    if not len(layer) or not boxes:
        return [], 0
    found = np.unique(np.concatenate([layer.tree.query(shapely.box(*box), "intersects") for box in boxes]))
    shown = [int(row) for row in found[:most]]
    thinned = shapely.simplify(layer.geometry[shown], TOLERANCE_DEG)
    if is_cut:
        thinned = shapely.intersection(thinned, shapely.union_all([shapely.box(*box) for box in boxes]))
    features = [
        {"type": "Feature", "geometry": mapping(shape), "properties": {"label": label(layer, row)}}
        for row, shape in zip(shown, thinned, strict=True)
        if not shape.is_empty
    ]
    return features, len(found) - len(shown)


def _dam(layer: Layer, row: int) -> str:
    return _joined(layer.value("name", row), layer.value("owner", row), layer.labels[row])


def _title(layer: Layer, row: int) -> str:
    right = "may extract" if layer.may_extract[row] else "may not extract by itself"
    return _joined(layer.value("process", row), layer.value("phase", row), right, layer.value("holder", row))


def _land(layer: Layer, row: int) -> str:
    return _joined(layer.value("name", row), layer.value("kind", row))


def _river(layer: Layer, row: int) -> str:
    return _joined(layer.value("name", row) or "river", layer.labels[row])


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
