"""Datasets from a register of points: windows at the points, backgrounds by strata, what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError, UsageError
from minedisc_core.grid import CONTEXT_PX, PATCH_PX, WINDOW_PX
from minedisc_core.learning.backgrounds import APART_M, Ground, draw_from, draw_random
from minedisc_core.learning.datasets import Dataset, SampleEntry, write_dataset
from minedisc_core.learning.labels import BACKGROUND, MINE, discovery_label, impact_label, why_no_label
from minedisc_core.learning.land_cover import look_alikes
from minedisc_core.learning.splits import split_by_place
from minedisc_core.learning.windows import Imagery, LeftOut, SamplePoint, cut_windows, without_duplicates
from minedisc_core.registers.points import PointFile, RegisterPoint, open_points, read_places
from minedisc_core.settings import Settings

SIZES = (CONTEXT_PX, WINDOW_PX, PATCH_PX)
NO_ORE = "no_ore"


@dataclass(frozen=True)
class PointCorrection:
    """What a person decided about one point of a register."""

    action: str
    """`moved`, `not_a_mine` or `skipped`."""
    lon: float | None
    """EPSG:4326, where it was moved to."""
    lat: float | None
    analyst: str


@dataclass(frozen=True)
class SampleRequest:
    """What to make samples of."""

    points: str | Path
    """Register of points: a file, or the id of a loaded snapshot; see `registers.points.open_points`."""
    window_px: int
    """255 or 201 (discovery), 21 (impact)."""
    label_column: str | None = None
    """None: all points are mines (discovery only)."""
    backgrounds: int | None = None
    """How many to draw; None: as many as are missing to the number of mines (discovery), none (impact)."""
    look_alike_share: float = 0.5
    """Share of the backgrounds drawn from look-alikes, where there is a source of them."""
    apart_m: float = APART_M
    """No background's centre is nearer to a known mine."""
    known: tuple[Path, ...] = ()
    """Further registers of mines, points or outlines, to keep away from."""
    land_cover: Path | None = None
    land_cover_classes: tuple[int, ...] = ()
    seed: int = 0
    validation_fraction: float = 0.0
    """Share of the places whose samples are for validation; 0: splits are not decided."""


@dataclass(frozen=True)
class People:
    """What people have decided that bears on samples."""

    corrections: Mapping[int, PointCorrection] = field(default_factory=dict)
    """By line of the register."""
    rejected: Sequence[SamplePoint] = ()
    """Rejected candidates: look-alikes, with their reasons."""
    confirmed: Sequence[tuple[float, float]] = ()
    """Longitude and latitude of confirmed candidates: known mines."""


NOBODY = People()


def make_register_dataset(
    request: SampleRequest,
    folder: Path,
    imagery: Sequence[Imagery],
    settings: Settings,
    *,
    bands: Sequence[str] | None = None,
    people: People = NOBODY,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Dataset, list[LeftOut]]:
    """Cut the samples of a register and write them as a version; also gives what was left out and why.

    Args:
        request: what to make.
        folder: the version's folder, new.
        imagery: mosaics in the order of preference; the first that holds a whole window counts.
        settings: limits of uploads.
        bands: bands in the order wanted; None: those that all mosaics have.
        people: corrections of points, rejected and confirmed candidates.
        on_progress: is told the points done and all.

    Raises:
        UsageError: a choice that cannot be, or no label column where one is needed.
        RegisterError: a register cannot be read.
        ImageryError: mosaics do not fit together or cannot be read, or no point of the register gives a sample.
        StoreError: the folder is there, or cannot be written.
    """
    _check(request)
    level, chosen = _kind(imagery, bands)
    read = open_points(request.points, settings, request.label_column)
    if request.window_px == PATCH_PX and not read.has_label:
        raise UsageError("the impact net needs a class for each point", "--label-column", "name the column of ores")
    left_out = [LeftOut(read.source, problem.line, problem.reason) for problem in read.problems]
    labelled, known = _labelled(read, request, people, left_out)
    points = without_duplicates(labelled, left_out)
    known += [place for path in request.known for place in read_places(path, settings)]
    known += [shapely.Point(place) for place in people.confirmed]
    drawn = _backgrounds(request, points, known, imagery, people)
    if len(drawn) < (wanted := _wanted(request, points)):
        left_out.append(LeftOut("backgrounds", 0, f"only {len(drawn)} of {wanted} found a place clear of known mines"))
    cut = cut_windows(_counted([*points, *drawn], on_progress), imagery, chosen, request.window_px, left_out)
    made = write_dataset(
        folder,
        _at_least_one(cut, left_out),
        bands=chosen,
        level=level,
        window_px=request.window_px,
        more=lambda: {"made_of": read.source, "request": _as_json(request), "left_out": [asdict(x) for x in left_out]},
        decide_splits=lambda entries: splits(entries, request.validation_fraction, request.seed),
    )
    return made, left_out


def _check(request: SampleRequest) -> None:
    if request.window_px not in SIZES:
        raise UsageError(f"windows of {request.window_px} px", f"{', '.join(map(str, SIZES))} px")
    if not 0 <= request.look_alike_share <= 1 or not 0 <= request.validation_fraction < 1:
        raise UsageError("a share lies outside 0 to 1", "shares from 0 to 1 (validation: below 1)")
    if not request.apart_m >= 0:
        raise UsageError(f"backgrounds {request.apart_m} m apart from mines", "0 m or more")
    if (request.land_cover is None) != (not request.land_cover_classes):
        raise UsageError("land cover needs both a raster and its classes", "--land-cover FILE --land-cover-classes 80")


def _kind(imagery: Sequence[Imagery], bands: Sequence[str] | None) -> tuple[ProductLevel, tuple[str, ...]]:
    """Product and bands that all mosaics have."""
    levels = {each.level for each in imagery}
    if len(levels) != 1:
        raise ImageryError("the mosaics are of different products", "mosaics of one product level", "choose them so")
    level = levels.pop()
    if level is None:
        raise ImageryError("nothing says whether the mosaics are L1C or L2A", "--level L1C or --level L2A")
    common = tuple(band for band in imagery[0].bands if all(band in each.bands for each in imagery))
    missing = [band for band in bands or () if band not in common]
    if missing or not common:
        raise ImageryError(f"not all mosaics have {', '.join(missing) or 'a band in common'}", "mosaics with all bands")
    return level, tuple(bands) if bands else common


def _labelled(
    read: PointFile, request: SampleRequest, people: People, left_out: list[LeftOut]
) -> tuple[list[SamplePoint], list[BaseGeometry]]:
    """Points with their labels, and all places of the register that may be mines."""
    points: list[SamplePoint] = []
    known: list[BaseGeometry] = []
    for row in read.points:
        label = _label(row, read.has_label, request.window_px)
        correction = people.corrections.get(row.line)
        if label not in (BACKGROUND, NO_ORE) and not (correction and correction.action == "not_a_mine"):
            known.append(shapely.Point(row.lon, row.lat))
        problem = _why_out(row, label, correction)
        if problem or label is None:
            left_out.append(LeftOut(read.source, row.line, problem, row.lon, row.lat))
            continue
        points.append(_point(row, label, read.source, correction))
        if label not in (BACKGROUND, NO_ORE):
            known.append(shapely.Point(points[-1].lon, points[-1].lat))
    return points, known


def _label(row: RegisterPoint, has_label: bool, window_px: int) -> str | None:
    if window_px == PATCH_PX:
        return impact_label(row.label)
    return discovery_label(row.label) if has_label else MINE


def _why_out(row: RegisterPoint, label: str | None, correction: PointCorrection | None) -> str:
    if correction and correction.action == "not_a_mine":
        return f"{correction.analyst} marked it as not a mine"
    if correction and correction.action == "skipped":
        return f"{correction.analyst} skipped it"
    return why_no_label(row.label) if label is None else ""


def _point(row: RegisterPoint, label: str, source: str, correction: PointCorrection | None) -> SamplePoint:
    facts: dict[str, Any] = {"word": row.label} if row.label else {}
    reason = "register" if label == BACKGROUND else None
    point = SamplePoint(row.lon, row.lat, label, reason, source, row.line, facts=facts)
    if correction is None or correction.lon is None or correction.lat is None:
        return point
    moved = {"moved_from": [row.lon, row.lat], "moved_by": correction.analyst}
    return replace(point, lon=correction.lon, lat=correction.lat, facts=facts | moved)


def _backgrounds(
    request: SampleRequest,
    points: Sequence[SamplePoint],
    known: Sequence[BaseGeometry],
    imagery: Sequence[Imagery],
    people: People,
) -> list[SamplePoint]:
    """Backgrounds by strata: rejected candidates and land cover first, up to their share, the rest at random."""
    wanted = _wanted(request, points)
    if wanted <= 0:
        return []
    grounds = [Ground(each, known, request.apart_m, request.window_px, request.seed) for each in imagery]
    for point in points:
        for ground in grounds:
            ground.take(point.lon, point.lat)  # given backgrounds keep their distance from drawn ones
    label = NO_ORE if request.window_px == PATCH_PX else BACKGROUND
    share = round(wanted * request.look_alike_share)
    alike = draw_from((replace(point, label=label) for point in people.rejected), grounds, share)
    if request.land_cover:
        covered = look_alikes(request.land_cover, request.land_cover_classes, imagery, request.seed, label)
        alike += draw_from(covered, grounds, share - len(alike))
    return [*alike, *draw_random(grounds, wanted - len(alike), request.seed, label)]


def _wanted(request: SampleRequest, points: Sequence[SamplePoint]) -> int:
    if request.backgrounds is not None:
        return request.backgrounds
    counts = Counter(point.label for point in points)
    return 0 if request.window_px == PATCH_PX else max(0, counts[MINE] - counts[BACKGROUND])


def _counted(points: Sequence[SamplePoint], on_progress: Callable[[int, int], None] | None) -> Iterator[SamplePoint]:
    for number, point in enumerate(points, 1):
        yield point
        if on_progress:
            on_progress(number, len(points))


def _at_least_one(
    cut: Iterable[tuple[SampleEntry, NDArray[np.uint16]]], left_out: Sequence[LeftOut]
) -> Iterator[tuple[SampleEntry, NDArray[np.uint16]]]:
    has_any = False
    for entry, pixels in cut:
        if not has_any and not entry.facts["line"]:
            break  # the points come first: only drawn backgrounds are left
        has_any = True
        yield entry, pixels
    if not has_any:
        counts = Counter(each.reason for each in left_out).most_common(3)
        first = "; ".join(f"{count} times: {reason}" for reason, count in counts) or "there is none"
        raise ImageryError(f"no point gives a sample ({first})", "points on the mosaics", "check points and mosaics")


def splits(entries: Sequence[SampleEntry], fraction: float, seed: int) -> list[str]:
    """`training` or `validation` of each sample by its place; empty for a fraction of 0.

    Raises:
        UsageError: there are too few places for it.
    """
    if fraction <= 0:
        return [entry.split for entry in entries]
    _, labels = np.unique([entry.label for entry in entries], return_inverse=True)
    places = np.array([entry.place for entry in entries])
    _, validation = split_by_place(labels, places, fraction, seed)
    held = set(validation.tolist())
    return ["validation" if index in held else "training" for index in range(len(entries))]


def _as_json(request: SampleRequest) -> dict[str, Any]:
    """The request with file names only: a folder on somebody's disk is nobody's business."""
    plain = asdict(request)
    plain |= {"points": Path(request.points).name, "known": [path.name for path in request.known]}
    return plain | {"land_cover": request.land_cover.name if request.land_cover else None}
