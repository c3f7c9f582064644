"""Made-up runs for the benchmarks of store and export: many round sites over Minas Gerais."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import numpy as np
import shapely

from minedisc_core.domain import (
    Coverage,
    Impact,
    ImpactProbabilities,
    LandMatch,
    NearestDam,
    ProductLevel,
    RegisterMatch,
    RegisterStatus,
    RunState,
    RunSummary,
    Site,
    TitleMatch,
)

RUN_ID = "20260101-000000-0000"
IMAGERY = (date(2025, 1, 1), date(2025, 12, 31))
_QUARTER_SEGMENTS = 8
"""Segments of a quarter circle: 33 vertices in all, as the goal of the export bench names."""
LAND_NAMES = ("Parque Estadual Serra do Rola-Moça", *(f"Reserva {number}" for number in range(1, 20)))
"""Lands of the made-up matches, in turn."""
_MATCH = RegisterMatch(
    RegisterStatus.NOTHING_FOUND,
    NearestDam("Barragem São João & Filhos <B1>", "Mineração 'Ônix'", 12_345.6, "sigbm.csv"),
    (TitleMatch("830.123/2019", "AUTORIZAÇÃO DE PESQUISA", False, 'Cerâmica "Boa" Ltda', "ARGILA", 0.4),),
    1.0,
    (LandMatch(LAND_NAMES[0], "Proteção Integral: Parque", 0.2),),
    (),
    "sigbm 2026-01-01; sigmine 2026-01-01; lands 2026-01-01",
)


def made_up_sites(count: int, seed: int = 0, run_id: str = RUN_ID) -> list[Site]:
    """`count` sites in order of falling score, every hundredth discarded."""
    rng = np.random.default_rng(seed)
    lonlat = rng.uniform((-46, -21), (-42, -17), (count, 2))
    polygons = shapely.buffer(shapely.points(lonlat), 0.003, quad_segs=_QUARTER_SEGMENTS)
    scores = np.linspace(1, 0.6, count)
    return [
        _site(f"{run_id}-{number:04d}", polygon, lon, lat, score, number)
        for number, (polygon, (lon, lat), score) in enumerate(
            zip(polygons, lonlat.tolist(), scores.tolist(), strict=True), 1
        )
    ]


def _site(site_id: str, polygon: shapely.Polygon, lon: float, lat: float, score: float, number: int) -> Site:
    impact = (Impact.HIGH, Impact.LOW)[number % 2]
    return Site(
        site_id=site_id,
        polygon=polygon,
        lon=lon,
        lat=lat,
        peak_lon=lon,
        peak_lat=lat,
        peak_row_px=27 * (number % 300) + 100,
        peak_col_px=27 * (number // 300) + 100,
        score=score,
        mean_score=score - 0.05,
        cells=4,
        area_cells_ha=29.16,
        impact=impact,
        impact_probabilities=ImpactProbabilities(0.5, 0.4, 0.1),
        discarded=number % 100 == 0,
    )


def made_up_matches(count: int) -> list[RegisterMatch]:
    """A full match (dam, title, one of twenty lands) for each site."""
    in_turn = [replace(_MATCH, lands=(LandMatch(name, "Proteção Integral: Parque", 0.2),)) for name in LAND_NAMES]
    return [in_turn[place % len(in_turn)] for place in range(count)]


def made_up_summary(count: int, run_id: str = RUN_ID, imagery: tuple[date | None, date | None] = IMAGERY) -> RunSummary:
    """The summary of a run that found `count` sites."""
    return RunSummary(
        run_id=run_id,
        state=RunState.COMPLETE,
        model="bench",
        level=ProductLevel.L1C,
        threshold=0.6,
        mosaic=("mosaic.tif",),
        imagery_start=imagery[0],
        imagery_end=imagery[1],
        source="bench",
        coverage=Coverage(160_000, 160_000, 2_194_787, 2_194_787, 0, 0, 0),
        sites=count,
        discarded=count // 100,
        seconds=1.0,
        finished_at_utc=datetime(2026, 1, 1),
    )
