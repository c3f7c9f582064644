"""A finished retraining without TensorFlow: scores, scans and a challenger's folder written by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import rasterio
from shapely.geometry import shape

from minedisc_core.detection.models import load_model, model_identity
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.jobs.retraining import SAMPLES, scan_folder
from minedisc_core.learning.comparison import MODELS
from minedisc_core.runs import REQUEST, RESULT, SCORES, read_json, write_json
from minedisc_core.settings import Settings

FOUND, MISSED = 0.9, 0.1


def finish_by_hand(folder: Path, settings: Settings, *, misses: int = 0, still_false: int = 0) -> None:
    """The champion finds every mine and every look-alike; the challenger misses and keeps so many of them."""
    request = read_json(folder / REQUEST)
    shutil.copytree(request["champion_folder"], settings.models / request["out"])
    card = settings.models / request["out"] / "discovery.json"
    card.write_text(card.read_text().replace('"name": "bright"', f'"name": "{request["out"]}"'))
    judged = request["judged"]
    scores = {row["sample_id"]: {"champion": FOUND, "challenger": MISSED} for row in judged}
    mines = [row for row in judged if row["is_mine"]]
    others = [row for row in judged if not row["is_mine"]]
    for row in [*mines[misses:], *others[:still_false]]:
        scores[row["sample_id"]]["challenger"] = FOUND
    write_json(folder / SAMPLES, {"scores": scores})
    for number, scene in enumerate(request["scenes"]):
        rows = [row for row in judged if row["sample_id"] in scene["samples"]]
        for which in MODELS:
            _scan(scan_folder(folder, number, which), scene, rows, {k: v[which] for k, v in scores.items()})
    model = load_model(request["out"], settings)
    write_json(folder / RESULT, {
        "state": "complete", "challenger": request["out"], "challenger_folder": model.folder,
        "challenger_identity": model_identity(model), "champion": request["champion"],
        "thresholds": {"champion": 0.6, "challenger": 0.6}, "finished_at_utc": "2026-01-02T00:00:00", "seconds": 1.0,
        "dataset": {"version": request["dataset"], "folder": str(settings.home), "hash": "0" * 64},
    })  # fmt: skip


def _scan(folder: Path, scene: dict, rows: list[dict], scores: dict[str, float]) -> None:
    """Scores of a scan: each judged place has its own, all else is low."""
    folder.mkdir(parents=True)
    with open_mosaic(scene["request"]["mosaic"]) as mosaic:
        grid = mosaic.grid
    cells = np.full(grid.cells, 0.05, np.float32)
    inverse = ~grid.cell_transform
    from pyproj import Transformer

    to_crs = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    for row in rows:
        inside = shape(row["shape"]).representative_point()
        col, line = inverse @ to_crs.transform(inside.x, inside.y)
        cells[int(line), int(col)] = scores[row["sample_id"]]
    profile = {"driver": "GTiff", "height": cells.shape[0], "width": cells.shape[1], "count": 1, "dtype": "float32"}
    with rasterio.open(folder / SCORES, "w", crs=grid.crs, transform=grid.cell_transform, **profile) as raster:
        raster.write(cells, 1)
