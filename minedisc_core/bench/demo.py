"""`minedisc bench demo`: what the shipped demonstration models find on unseen generated scenes.

These figures prove the code, not the method: the scenes are made up, and so is what the models know.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minedisc_core.bench.demo_baselines import Chosen, Known, fit_regression, fit_rule
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.domain import ProductLevel, Site
from minedisc_core.imagery.demo import Scene, generate_scene
from minedisc_core.imagery.geotiff import write_mosaic
from minedisc_core.jobs import ScanRequest, run_scan
from minedisc_core.learning.demo_models import BANDS, CROWDING, cell_labels
from minedisc_core.learning.demo_tally import Tally, tally, total
from minedisc_core.runs import read_sites
from minedisc_core.settings import load_settings

SEEDS = (1, 2, 3, 4, 5)
BASELINE_TRAINING_SEEDS = (1000, 1001, 1002, 1003)
BASELINE_TUNING_SEEDS = (101, 102, 103, 104)
RECALL, FALSE_PER_100_KM2, FAR, IMPACT = 0.95, 1.0, 0.2, 0.85
"""The goals."""


@dataclass(frozen=True)
class Measured:
    """One product on all seeds."""

    level: ProductLevel
    before: Tally
    """All sites."""
    after: Tally
    """Without the discarded ones."""
    rivals: tuple[tuple[Chosen, Tally], ...]


def bench_demo(
    size_px: int = 2048,
    seeds: Sequence[int] = SEEDS,
    products: Sequence[str] = ("L1C", "L2A"),
    *,
    models: Sequence[str] | None = None,
    with_baselines: bool = True,
) -> dict[str, Any]:
    """Scan unseen scenes with the shipped models and with two simple rivals; count against the truth.

    Args:
        size_px: side of each scene.
        seeds: scenes to measure; none of them was seen in training or tuning.
        products: L1C, L2A.
        models: a model for each product; None = `demo-l1c`, `demo-l2a`.
        with_baselines: also fit and measure the two rivals.
    """
    levels = [ProductLevel(name) for name in products]
    names = models or [f"demo-{level.lower()}" for level in levels]
    rivals = _fit_rivals(size_px, levels) if with_baselines else dict.fromkeys(levels, ())
    counts: dict[ProductLevel, list[tuple[Tally, Tally, list[Tally]]]] = {level: [] for level in levels}
    for seed in seeds:
        scene = generate_scene(size_px, seed)
        for level, name in zip(levels, names, strict=True):
            counts[level].append(_measure(scene, level, name, rivals[level]))
    measured = [_sum(level, counts[level], rivals[level]) for level in levels]
    facts = {str(m.level): {r.name: r.settings for r, _ in m.rivals} for m in measured}
    figures = [f for m in measured for f in _figures(m)]
    return report("demo", figures, seeds=list(seeds), size_px=size_px, rivals=facts)


def _measure(
    scene: Scene, level: ProductLevel, model: str, rivals: Sequence[Chosen]
) -> tuple[Tally, Tally, list[Tally]]:
    """Counts of all sites, of those not discarded, and of each rival's sites."""
    sites = scan_sites(scene, level, model)
    shown = [site for site in sites if not site.discarded]
    known = known_scene(scene, level)
    theirs = [tally(scene.grid, scene.features, rival.sites(known)) for rival in rivals]
    return tally(scene.grid, scene.features, sites), tally(scene.grid, scene.features, shown), theirs


def scan_sites(scene: Scene, level: ProductLevel, model: str) -> list[Site]:
    """Sites of the product's own scan of the scene, from a GeoTIFF to the run folder."""
    with tempfile.TemporaryDirectory() as scratch:
        mosaic = write_mosaic(Path(scratch) / "mosaic.tif", _pixels(scene, level), scene.grid, BANDS[level], level)
        run = Path(scratch) / "run"
        run_scan(ScanRequest((str(mosaic),), model, pictures=False), run, settings=load_settings())
        return read_sites(run)


def known_scene(scene: Scene, level: ProductLevel) -> Known:
    """What a rival gets to see."""
    return Known(scene.grid, scene.features, _pixels(scene, level), cell_labels(scene.grid, scene.features))


def _pixels(scene: Scene, level: ProductLevel) -> Any:
    return scene.l1c if level is ProductLevel.L1C else scene.l2a


def _fit_rivals(size_px: int, levels: Sequence[ProductLevel]) -> dict[ProductLevel, tuple[Chosen, ...]]:
    training = [generate_scene(size_px, seed, crowding=CROWDING) for seed in BASELINE_TRAINING_SEEDS]
    tuning = [generate_scene(size_px, seed) for seed in BASELINE_TUNING_SEEDS]
    fitted: dict[ProductLevel, tuple[Chosen, ...]] = {}
    for level in levels:
        known, tuned = ([known_scene(scene, level) for scene in scenes] for scenes in (training, tuning))
        fitted[level] = (fit_regression(known, tuned), fit_rule(tuned))
    return fitted


def _sum(level: ProductLevel, counts: Sequence[tuple[Tally, Tally, list[Tally]]], rivals: Sequence[Chosen]) -> Measured:
    theirs = tuple((rival, total(row[2][k] for row in counts)) for k, rival in enumerate(rivals))
    return Measured(level, total(row[0] for row in counts), total(row[1] for row in counts), theirs)


def _figures(measured: Measured) -> list[Figure]:
    level = str(measured.level)
    found = []
    for words, result in (("before discard", measured.before), ("after discard", measured.after)):
        found += _quality(f"{level} {{}}, {words}", result, measured)
    before = measured.before
    found.append(figure(f"{level} impact class right", before.impact_fraction, "share of true sites", f">= {IMPACT}"))
    found.append(figure(f"{level} true sites hidden as no ore", before.hidden, "sites", "== 0"))
    found.append(figure(f"{level} sites that touch no mine without growing", before.off_sites, "sites"))
    found.append(figure(f"{level} mines", before.mines, f"mines in {before.km2:.0f} km2"))
    for rival, result in measured.rivals:
        found.append(figure(f"{level} goals reached by the {rival.name}", _goals_reached(result), "of 3", "< 3"))
    return found


def _quality(name: str, result: Tally, measured: Measured) -> list[Figure]:
    def beside(field: str) -> str:
        return "; ".join(f"{rival.name} {getattr(other, field):.3f}" for rival, other in measured.rivals)

    return [
        figure(name.format("site recall"), result.recall, "share of mines", f">= {RECALL}", beside("recall")),
        figure(name.format("recall of mine polygons"), result.polygon_recall, "share of polygons", f">= {RECALL}",
               beside("polygon_recall")),
        figure(name.format("false sites"), result.false_per_100_km2, "per 100 km2", f"<= {FALSE_PER_100_KM2}",
               beside("false_per_100_km2")),
        figure(name.format("site cells over 1 km from a mine"), result.far_fraction, "share of cells", f"< {FAR}",
               beside("far_fraction")),
    ]  # fmt: skip


def _goals_reached(result: Tally) -> int:
    """How many of recall, false sites and far cells a rival without impact classes reaches."""
    return sum((result.recall >= RECALL, result.false_per_100_km2 <= FALSE_PER_100_KM2, result.far_fraction < FAR))
