"""`minedisc bench tailings --sites`: real tailings in three bands, from training to KML, places kept apart.

The data (a folder given by --data, else MINEDISC_TRIAL_DATA) are frames of 448 px with B2, B3, B4 and a
mask of one structure each, and the real dam register. The places are dealt into folds; for each fold a
three-band discovery net is trained on the other folds' frames and the whole job runs on the fold's own, so
that every frame is scanned by a net that saw nothing of its place. The weights are thrown away.

What the figures can and cannot say: a mask marks one structure, other pits and ponds of a frame are
unmarked, so a site off the mask need not be wrong; each structure lies in the middle of its frame, so a
frame holds little true background; three visible bands are far fewer than the paper's twelve.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.features
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.detection.models import save_model
from minedisc_core.domain import ProductLevel, Reason, Site, Status
from minedisc_core.errors import UsageError
from minedisc_core.grid import CENTRE_PX, STRIDE_PX, RasterGrid, geodesic_distance_m
from minedisc_core.jobs import ScanRequest, run_scan
from minedisc_core.learning.dense import (
    IGNORED,
    cell_distances_px,
    label_cells,
)
from minedisc_core.learning.mask_labels import MaskedScene
from minedisc_core.learning.spread import train_spread
from minedisc_core.runs import SCORES, read_sites
from minedisc_core.service import verbs
from minedisc_core.settings import Settings, load_settings
from minedisc_core.store import Store

BANDS = ("B2", "B3", "B4")
PLACE_M = 20_000.0
"""Frames nearer to each other belong to one place, which is on one side of the split."""
GROWN_M = 270.0
"""A site that comes this near to a mask has hit it."""
NEAR_PX, FAR_PX = 20, 70
"""Cells within 200 m of a mask are near, beyond 700 m far; those between count for nothing."""
THRESHOLD = 0.5
"""The fit counts mines and background alike."""
FOLDS = 3
ANALYST = "trial"


@dataclass(frozen=True)
class Frame:
    """One frame of the data."""

    name: str
    path: Path
    grid: RasterGrid
    mask: BaseGeometry
    """Marked structure, EPSG:4326."""
    place: int

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of the middle."""
        lon, lat = self.grid.footprint.centroid.coords[0]
        return float(lon), float(lat)


@dataclass(frozen=True)
class FrameResult:
    """What the job found in one held-out frame."""

    name: str
    place: int
    fold: int
    sites: int
    hit_cells_fraction: float
    """Share of the frame's cells that are in sites: the larger, the less a hit mask says."""
    mask_hit: bool
    sites_off_masks: int
    nearest_dam_m: tuple[float, ...]
    """Of each site, highest score first; geodesic, from the site's edge."""
    nearest_dam: str
    """Of the first site: name, municipality and state are in the register."""
    registered: int
    """Sites with a registered dam within 1 km."""


@dataclass(frozen=True)
class CellFigures:
    """The held-out cells: those within NEAR_PX of a mask against those beyond FAR_PX of all masks."""

    near_hit_fraction: float
    far_hit_fraction: float
    score_auc: float
    """0.5 is chance; 1 ranks every near cell above every far one (in one fold, the folds averaged)."""
    red_auc: float
    """The same cells ranked by the mean red reflectance of their middle 810 m: how far brightness alone goes."""


@dataclass(frozen=True)
class TrialResult:
    """The whole trial."""

    frames: tuple[FrameResult, ...]
    training_frames: tuple[int, ...]
    """Of each fold."""
    cells: CellFigures
    confirmed: int
    kml_rows: int
    train_seconds: float
    scan_seconds: float


def bench_trial(data: Path | None = None) -> dict[str, Any]:
    """Train in each fold and run the trial; minutes on two cores.

    Args:
        data: folder with imagery/tailings_rgb and registers/sigbm_dams.csv; None: MINEDISC_TRIAL_DATA.

    Raises:
        UsageError: there are no data.
    """
    folder = data or Path(os.environ.get("MINEDISC_TRIAL_DATA") or "")
    frames = read_frames(folder / "imagery" / "tailings_rgb")
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings({}, Path(home))
        result = run_trial(frames, folder / "registers" / "sigbm_dams.csv", settings)
    return report("tailings", _figures(result), table=[asdict(row) for row in result.frames])


def _figures(result: TrialResult) -> list[Figure]:
    rows, cells = result.frames, result.cells
    distances = [metres for row in rows for metres in row.nearest_dam_m]
    share = float(np.mean([row.hit_cells_fraction for row in rows]))
    return [
        figure("frames, each scanned by a net that saw nothing of its place", len(rows), "frames"),
        figure("places", len({row.place for row in rows}), "places"),
        figure("training frames of a fold, mean", float(np.mean(result.training_frames)), "frames"),
        figure("masks hit", sum(row.mask_hit for row in rows) / len(rows), "fraction"),
        figure("share of a frame's cells in sites, mean", share, "fraction"),
        figure("sites", sum(row.sites for row in rows), "sites"),
        figure("sites off all masks (other pits are unmarked)", sum(row.sites_off_masks for row in rows), "sites"),
        figure("sites with a registered dam within 1 km", sum(row.registered for row in rows), "sites"),
        figure("nearest registered dam of a site, median", float(np.median(distances)) if distances else -1, "m"),
        figure("hits among cells within 200 m of a mask", cells.near_hit_fraction, "fraction"),
        figure("hits among cells beyond 700 m of all masks", cells.far_hit_fraction, "fraction"),
        figure("AUC of near against far cells", cells.score_auc, "AUC", baseline=f"red alone: {cells.red_auc:.3f}"),
        figure("confirmed by a mask", result.confirmed, "sites"),
        figure("placemarks in the KML (--all)", result.kml_rows, "placemarks"),
        figure("training, all folds", result.train_seconds, "s"),
        figure("scans to KML", result.scan_seconds, "s"),
    ]


def read_frames(folder: Path) -> list[Frame]:
    """All frames of a folder with their masks, and their places.

    Raises:
        UsageError: there are none.
    """
    paths = sorted(p for p in folder.glob("*.tif") if not p.stem.endswith("_mask"))
    if not paths:
        raise UsageError(
            f"{folder} holds no frames",
            "imagery/tailings_rgb/*.tif with *_mask.tif in the trial data",
            "name the folder with --data or MINEDISC_TRIAL_DATA",
        )
    read = [(path, *_read_mask(path.with_name(f"{path.stem}_mask.tif"))) for path in paths]
    centres = [grid.footprint.centroid.coords[0] for _, grid, _ in read]
    places = places_of(np.array(centres))
    return [
        Frame(path.stem, path, grid, mask, int(place)) for (path, grid, mask), place in zip(read, places, strict=True)
    ]


def _read_mask(path: Path) -> tuple[RasterGrid, BaseGeometry]:
    with rasterio.open(path) as dataset:
        mask = dataset.read(1)
        grid = RasterGrid(dataset.height, dataset.width, dataset.transform, f"EPSG:{dataset.crs.to_epsg()}")
        outlines = rasterio.features.shapes(mask, mask=mask > 0, transform=dataset.transform)
        return grid, shapely.union_all([shape(outline) for outline, _ in outlines])


def places_of(centres: NDArray[np.float64], within_m: float = PLACE_M) -> NDArray[np.int64]:
    """Number of the place of each (longitude, latitude): chains of points nearer than `within_m` are one place."""
    from scipy.sparse.csgraph import connected_components

    near = [[geodesic_distance_m(*a, *b) < within_m for b in centres] for a in centres]
    _, labels = connected_components(np.array(near))
    return np.asarray(labels, np.int64)


def deal(frames: Sequence[Frame], folds: int, seed: int = 0) -> list[list[Frame]]:
    """Frames dealt into folds by whole places, the largest places first, each to the smallest fold so far."""
    sizes = Counter(frame.place for frame in frames)
    shuffled = [int(place) for place in np.random.default_rng(seed).permutation(sorted(sizes))]
    dealt: list[list[Frame]] = [[] for _ in range(folds)]
    for place in sorted(shuffled, key=lambda p: -sizes[p]):
        min(dealt, key=len).extend(frame for frame in frames if frame.place == place)
    return dealt


def run_trial(
    frames: Sequence[Frame], sigbm: Path, settings: Settings, *, folds: int = FOLDS, seed: int = 0
) -> TrialResult:
    """For each fold: train on the others, then scan, match, decide by the masks; one KML in the end."""
    dealt = deal(frames, folds, seed)
    train_seconds = scan_seconds = 0.0
    rows: list[FrameResult] = []
    with Store.open(settings.database) as store:
        verbs.registers_add(store, settings, "sigbm", str(sigbm))
        for number, held_out in enumerate(dealt):
            started = time.monotonic()
            training = [frame for other in dealt if other is not held_out for frame in other]
            model = _train(training, frames, settings, number, seed)
            trained = time.monotonic()
            rows += [_job(store, settings, frame, model, number, frames) for frame in held_out]
            train_seconds += trained - started
            scan_seconds += time.monotonic() - trained
        out = settings.home / "tailings.kml"
        exported = verbs.export(store, settings, str(out), "kml", include_all=True)
        confirmed = len(verbs.candidates(store, settings, statuses=[Status.CONFIRMED]))
    sizes = tuple(len(frames) - len(fold) for fold in dealt)
    cells = _cells(dealt, frames, settings)
    return TrialResult(tuple(rows), sizes, cells, confirmed, int(exported["rows"]), train_seconds, scan_seconds)


def _train(training: Sequence[Frame], frames: Sequence[Frame], settings: Settings, fold: int, seed: int) -> str:
    """Train a fold's net; the name of its model. A neighbour's structure may lie in a frame too."""
    masks = [frame.mask for frame in frames]
    scenes = [MaskedScene(f.name, f"place {f.place}", _pixels(f), burnt(f, masks)) for f in training]
    trained = train_spread(scenes, bands=BANDS, seed=seed)
    name = f"tailings-trial-{fold}"
    card = trained.card(name, "1", threshold=THRESHOLD, is_demonstration=True)
    save_model(settings.models / name, (card, trained.tensors))
    return name


def burnt(frame: Frame, masks: Sequence[BaseGeometry]) -> NDArray[np.bool_]:
    """Pixels of a frame whose centre lies in one of the masks (EPSG:4326)."""
    shape = (frame.grid.height_px, frame.grid.width_px)
    turn = Transformer.from_crs("EPSG:4326", frame.grid.crs, always_xy=True)
    turned = [shapely.transform(m, lambda xy: np.column_stack(turn.transform(xy[:, 0], xy[:, 1]))) for m in masks]
    kept = [mask for mask in turned if not mask.is_empty]
    if not kept:
        return np.zeros(shape, bool)
    painted: NDArray[np.uint8] = rasterio.features.rasterize(kept, shape, transform=frame.grid.transform, dtype="uint8")
    return painted > 0


def _pixels(frame: Frame) -> NDArray[np.uint16]:
    with rasterio.open(frame.path) as dataset:
        return np.ascontiguousarray(np.moveaxis(dataset.read(), 0, -1))


def _labels(frame: Frame, frames: Sequence[Frame]) -> NDArray[np.int8]:
    """Labels by the masks of all frames: a neighbour's structure may lie in this frame too."""
    return label_cells(cell_distances_px(frame.grid, [other.mask for other in frames]), NEAR_PX, FAR_PX)


def _job(store: Store, settings: Settings, frame: Frame, model: str, fold: int, frames: Sequence[Frame]) -> FrameResult:
    """Scan one frame, take the run in (which matches it with the register), decide; what was found."""
    run_dir = settings.runs / frame.name
    run_scan(ScanRequest((str(frame.path),), model, level=ProductLevel.L1C), run_dir, settings=settings)
    taken = verbs.take_in(store, settings, str(run_dir))
    sites = read_sites(run_dir)
    on_mask = {site.site_id: hits_any(site, [other.mask for other in frames]) for site in sites}
    found = verbs.candidates(store, settings, run_id=taken["run_id"])
    for row in found:
        _decide(store, settings, row["candidate_id"], on_mask[row["candidate_id"]])
    dams = [row["nearest_dam"] for row in found if row["nearest_dam"]]
    return FrameResult(
        name=frame.name,
        place=frame.place,
        fold=fold,
        sites=len(found),
        hit_cells_fraction=round(sum(site.cells for site in sites) / math.prod(frame.grid.cells), 3),
        mask_hit=any(hits_any(site, [frame.mask]) for site in sites),
        sites_off_masks=sum(not on_mask[row["candidate_id"]] for row in found),
        nearest_dam_m=tuple(round(dam["distance_m"]) for dam in dams),
        nearest_dam=str(dams[0]["name"]) if dams else "",
        registered=sum(row["register_status"] == "registered" for row in found),
    )


def _decide(store: Store, settings: Settings, candidate_id: str, is_on_mask: bool) -> None:
    """The mask stands in for the analyst."""
    if is_on_mask:
        verbs.verdict(store, settings, candidate_id, Status.CONFIRMED, ANALYST, notes="meets a mask")
    else:
        notes = "meets no mask; other pits are unmarked"
        verbs.verdict(store, settings, candidate_id, Status.REJECTED, ANALYST, reason=Reason.OTHER, notes=notes)


def hits_any(site: Site, masks: Sequence[BaseGeometry], within_m: float = GROWN_M) -> bool:
    """Whether a site grown by `within_m` metres meets one of the masks."""
    reach = 2 * within_m / 100_000
    nearby = [mask for mask in masks if mask.intersects(shapely.box(*site.polygon.bounds).buffer(reach))]
    plane = Transformer.from_crs("EPSG:4326", f"+proj=aeqd +lat_0={site.lat} +lon_0={site.lon}", always_xy=True)

    def flat(geometry: BaseGeometry) -> BaseGeometry:
        return shapely.transform(geometry, lambda xy: np.column_stack(plane.transform(xy[:, 0], xy[:, 1])))

    here = flat(site.polygon)
    return any(here.distance(flat(mask)) <= within_m for mask in nearby)


def _cells(dealt: Sequence[Sequence[Frame]], frames: Sequence[Frame], settings: Settings) -> CellFigures:
    """Each fold has a net of its own, so areas under the curve are taken by fold, then averaged."""
    folds = [_ranked(held_out, frames, settings) for held_out in dealt]
    near = np.concatenate([score[is_near] for is_near, score, _ in folds])
    far = np.concatenate([score[~is_near] for is_near, score, _ in folds])
    return CellFigures(
        near_hit_fraction=float((near > THRESHOLD).mean()),
        far_hit_fraction=float((far > THRESHOLD).mean()),
        score_auc=float(np.mean([area_under_curve(is_near, score) for is_near, score, _ in folds])),
        red_auc=float(np.mean([area_under_curve(is_near, red) for is_near, _, red in folds])),
    )


def _ranked(
    held_out: Sequence[Frame], frames: Sequence[Frame], settings: Settings
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Of the cells that are near or far: whether near, score, and mean red DN."""
    labels, scores, reds = [], [], []
    for frame in held_out:
        with rasterio.open(settings.runs / frame.name / SCORES) as dataset:
            scores.append(dataset.read(1).astype(np.float64).ravel())
        labels.append(_labels(frame, frames).ravel())
        reds.append(_red(frame).ravel())
    label = np.concatenate(labels)
    counted = label != IGNORED
    return label[counted] == 1, np.concatenate(scores)[counted], np.concatenate(reds)[counted]


def area_under_curve(positive: NDArray[np.bool_], value: NDArray[np.float64]) -> float:
    """Chance that a positive has a higher value than a negative, ties counting half; NaN if one kind is missing."""
    from scipy.stats import rankdata

    many, few = int(positive.sum()), int((~positive).sum())
    if not many or not few:
        return float("nan")
    return float((rankdata(value)[positive].sum() - many * (many + 1) / 2) / (many * few))


def _red(frame: Frame) -> NDArray[np.float64]:
    """Mean red DN of the 81 px around each cell's centre."""
    half = STRIDE_PX + STRIDE_PX // 2
    red = _pixels(frame)[..., BANDS.index("B4")].astype(np.float64)
    rows, cols = frame.grid.cells
    centres = [(STRIDE_PX * i + CENTRE_PX, STRIDE_PX * j + CENTRE_PX) for i in range(rows) for j in range(cols)]
    means = [red[r - half : r + half + 1, c - half : c + half + 1].mean() for r, c in centres]
    return np.array(means).reshape(rows, cols)
