"""The registers in force: all snapshots that are not retired, with spatial indexes, loaded once per change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from threading import Lock

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from minedisc_core.domain import RegisterKind, Snapshot
from minedisc_core.registers.coverage import StatedCoverage
from minedisc_core.registers.pieces import cut_up
from minedisc_core.registers.snapshots import label, list_snapshots, read_coverage, read_rows
from minedisc_core.settings import Settings

_TO_MERCATOR = Transformer.from_crs("EPSG:4326", "EPSG:3395", always_xy=True)
_POLE_DEG = 85.0


def to_mercator(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """Geometries in the ellipsoidal, conformal World Mercator (EPSG:3395, metres times 1 / cos(lat))."""

    def move(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        lat = np.clip(lonlat[:, 1], -_POLE_DEG, _POLE_DEG)
        return np.column_stack(_TO_MERCATOR.transform(lonlat[:, 0], lat))

    moved: NDArray[np.object_] = shapely.transform(geometry, move)
    return moved


class Layer:
    """Rows of one sort, of all snapshots together, with indexes that are built when first needed."""

    def __init__(self, frame: gpd.GeoDataFrame, labels: Sequence[str]) -> None:
        self.geometry: NDArray[np.object_] = np.asarray(frame.geometry.array, dtype=object)
        self._texts = {name: frame[name].to_numpy(dtype=object) for name in frame.columns if name != "geometry"}
        self.labels = labels
        """Snapshot of each row, as people read it."""

    def __len__(self) -> int:
        return len(self.geometry)

    def value(self, column: str, row: int) -> str:
        """Text of one row; '' where this register has no such column."""
        values = self._texts.get(column)
        found = "" if values is None else values[row]
        return found if isinstance(found, str) else ""

    def values(self, column: str, rows: NDArray[np.int64]) -> list[str]:
        """Texts of many rows; '' where this register has no such column."""
        values = self._texts.get(column)
        if values is None:
            return [""] * len(rows)
        return [text if isinstance(text, str) else "" for text in values[rows].tolist()]

    @cached_property
    def may_extract(self) -> NDArray[np.bool_]:
        """Of each title."""
        given: NDArray[np.bool_] = self._texts["may_extract"].astype(bool)
        return given

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Index in degrees."""
        return shapely.STRtree(self.geometry)

    @cached_property
    def pieces(self) -> tuple[Layer, NDArray[np.int64]]:
        """Long lines and large polygons cut up (`pieces.cut_up`), without texts, and the row of each piece."""
        pieces, rows = cut_up(self.geometry)
        return Layer(gpd.GeoDataFrame(geometry=pieces, crs="EPSG:4326"), ()), rows

    @cached_property
    def mercator(self) -> NDArray[np.object_]:
        """Geometries in World Mercator."""
        return to_mercator(self.geometry)

    @cached_property
    def mercator_tree(self) -> shapely.STRtree:
        """Index in World Mercator."""
        return shapely.STRtree(self.mercator)


@dataclass(frozen=True)
class ActiveRegisters:
    """Everything that sites are matched with."""

    snapshots: tuple[Snapshot, ...]
    points: Layer
    """Dams (SIGBM) and other points: known mines whose place may be off target."""
    outlines: Layer
    """Polygons of known mines."""
    titles: Layer
    lands: Layer
    rivers: Layer
    """Lines or polygons of water."""
    coverage: dict[RegisterKind, tuple[StatedCoverage, ...]]
    """Where the snapshots of each kind are complete."""

    @property
    def as_of(self) -> str:
        """`sigbm 2026-11-02; sigmine 2026-10-30`, '' where nothing is loaded."""
        return "; ".join(label(snapshot) for snapshot in self.snapshots)

    def labels(self, kind: RegisterKind) -> list[str]:
        """The snapshots of one kind."""
        return [label(snapshot) for snapshot in self.snapshots if snapshot.kind is kind]


_LOADING = Lock()


def load_active(settings: Settings) -> ActiveRegisters:
    """All registers in force; cached until a snapshot is added, changed or retired.

    Raises:
        RegisterError: a snapshot is damaged.
    """
    snapshots = tuple(list_snapshots(settings))
    stated = tuple(read_coverage(settings, snapshot.snapshot_id) for snapshot in snapshots)
    with _LOADING:
        return _load(settings, snapshots, stated)


@lru_cache(maxsize=2)
def _load(settings: Settings, snapshots: tuple[Snapshot, ...], stated: tuple[StatedCoverage, ...]) -> ActiveRegisters:
    kinds = list(RegisterKind)
    return ActiveRegisters(
        snapshots,
        points=_layer(settings, snapshots, (RegisterKind.SIGBM, RegisterKind.POINTS)),
        outlines=_layer(settings, snapshots, (RegisterKind.POLYGONS,)),
        titles=_layer(settings, snapshots, (RegisterKind.SIGMINE,)),
        lands=_layer(settings, snapshots, (RegisterKind.LANDS,)),
        rivers=_layer(settings, snapshots, (RegisterKind.RIVERS,)),
        coverage={
            kind: tuple(where for snapshot, where in zip(snapshots, stated, strict=True) if snapshot.kind is kind)
            for kind in kinds
        },
    )


def _layer(settings: Settings, snapshots: Sequence[Snapshot], kinds: Sequence[RegisterKind]) -> Layer:
    chosen = [snapshot for snapshot in snapshots if snapshot.kind in kinds]
    if not chosen:
        return Layer(gpd.GeoDataFrame({"may_extract": []}, geometry=[], crs="EPSG:4326"), [])
    frames = [read_rows(settings, snapshot) for snapshot in chosen]
    names = [label(snapshot) for snapshot, frame in zip(chosen, frames, strict=True) for _ in range(len(frame))]
    return Layer(gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs="EPSG:4326"), names)
