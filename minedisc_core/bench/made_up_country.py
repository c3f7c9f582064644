"""A made-up country for `minedisc bench sites`: many hit cells in a mosaic, and registers over it and around it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from minedisc_core.detection.sites import Hits
from minedisc_core.domain import RegisterKind, Snapshot
from minedisc_core.grid import DISCOVERY_CELLS, RasterGrid
from minedisc_core.registers.active import ActiveRegisters, Layer
from minedisc_core.registers.coverage import BRAZIL, StatedCoverage

HIT_FRACTION = 0.04
"""Share of the cells that are hits: about a hundred times that of a scan whose model is fit for the place."""
IN_BRAZIL = 2.16
"""Side of the square that the registers fill over that of the mosaic: of 1,000,000 hits it is 8.5 million km2."""
_BLUR_CELLS = 1.2
"""Hits hang together in groups of about this radius: five to eight cells, some of fifty."""
_CRS = "EPSG:5880"
"""One metric CRS for all of Brazil."""
_WEST_M, _NORTH_M = 4_300_000.0, 9_350_000.0
"""The square begins in the west of Mato Grosso and lies inland."""
_TITLE_RADIUS_M, _LAND_RADIUS_M = 1_200.0, 18_000.0
_TITLE_VERTICES, _LAND_VERTICES = 12, 200


def made_up_grid(count: int) -> RasterGrid:
    """A square mosaic whose cells hold `count` hits at `HIT_FRACTION`."""
    side_px = DISCOVERY_CELLS.size_px(int(np.ceil(np.sqrt(count / HIT_FRACTION))))
    return RasterGrid(side_px, side_px, Affine(10, 0, _WEST_M, 0, -10, _NORTH_M), _CRS)


def made_up_hits(grid: RasterGrid, count: int, seed: int = 0) -> Hits:
    """The `count` highest cells of a blurred random field, with scores 0.6..1 and impact probabilities."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal(grid.cells, np.float32), _BLUR_CELLS)
    highest = np.sort(np.argpartition(field.ravel(), -count)[-count:])
    cells = np.stack(np.unravel_index(highest, field.shape), axis=1).astype(np.int64)
    rank = field.ravel()[highest].argsort().argsort()
    scores = (0.6 + 0.4 * rank / count).astype(np.float32)
    probabilities = rng.dirichlet((1, 1, 1), count).astype(np.float32)
    return Hits(cells, scores, np.zeros(count, np.float32), probabilities)


def made_up_registers(
    grid: RasterGrid, titles: int, lands: int, dams: int = 1_000, spread: float = IN_BRAZIL, seed: int = 0
) -> ActiveRegisters:
    """Registers with indexes that are not built yet: titles of 12 vertices, lands of 200, dams.

    Args:
        grid: the mosaic, in the middle of them.
        titles: number of titles; every second may extract.
        lands: number of protected lands.
        dams: number of dams.
        spread: side of the square that they fill over that of the mosaic.
        seed: of the places.
    """
    centres = _Around(np.random.default_rng(seed), grid, spread)
    rng = np.random.default_rng(seed)
    nothing = _layer(np.empty(0, object), {})
    snapshots = tuple(_snapshot(kind) for kind in (RegisterKind.SIGBM, RegisterKind.SIGMINE, RegisterKind.LANDS))
    return ActiveRegisters(
        snapshots,
        points=_layer(shapely.points(centres.places(dams)), {"name": "Barragem", "owner": "Mineração"}),
        outlines=nothing,
        titles=_layer(
            _outlines(rng, centres.places(titles), _TITLE_RADIUS_M, _TITLE_VERTICES),
            {"process": "830.", "phase": "CONCESSÃO DE LAVRA", "holder": "Mineração", "substance": "OURO"},
        ),
        lands=_layer(
            _outlines(rng, centres.places(lands), _LAND_RADIUS_M, _LAND_VERTICES),
            {"name": "Reserva", "kind": "Proteção Integral"},
        ),
        rivers=nothing,
        coverage={snapshot.kind: (StatedCoverage(BRAZIL),) for snapshot in snapshots},
    )


def _snapshot(kind: RegisterKind) -> Snapshot:
    now = datetime.now(UTC).replace(tzinfo=None)
    return Snapshot(f"{kind}-made-up", kind, f"{kind}.csv", now, date(2026, 1, 1), 0, 0, BRAZIL, "")


def _layer(geometry: NDArray[np.object_], texts: dict[str, str]) -> Layer:
    """Texts are numbered row by row; every second title may extract."""
    rows = range(len(geometry))
    columns = {name: [f"{text} {row}" for row in rows] for name, text in texts.items()}
    frame = gpd.GeoDataFrame(
        columns | {"may_extract": [row % 2 == 0 for row in rows]}, geometry=geometry, crs="EPSG:4326"
    )
    return Layer(frame, ["made up 2026-01-01"] * len(frame))


class _Around:
    """Random places in a square around the middle of a mosaic."""

    def __init__(self, rng: np.random.Generator, grid: RasterGrid, spread: float) -> None:
        self._rng, self._grid = rng, grid
        self._reach = (0.5 - spread / 2, 0.5 + spread / 2)

    def places(self, count: int) -> NDArray[np.float64]:
        """Longitude and latitude of so many."""
        rows, cols = self._rng.uniform(*self._reach, (2, count)) * self._grid.height_px
        return self._grid.lonlat(rows, cols)


def _outlines(
    rng: np.random.Generator, centres: NDArray[np.float64], radius_m: float, vertices: int
) -> NDArray[np.object_]:
    """Star-shaped outlines around places, radii from a log-normal distribution."""
    count = len(centres)
    angle = np.sort(rng.uniform(0, 2 * np.pi, (count, vertices)), axis=1)
    radius_deg = radius_m / 111_000 * rng.lognormal(0, 0.5, (count, 1)) * rng.uniform(0.7, 1.0, (count, vertices))
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * radius_deg[..., None]
    outlines: NDArray[np.object_] = shapely.make_valid(shapely.polygons(ring + centres[:, None]))
    return outlines
