"""The dataset version of a retraining: the queue and the champion's own dataset, each sample on its side.

What goes in, and where it stands, is decided beside the database (`plan_samples`) and written down; the pixels are
brought together afterwards by the retraining's own process (`write_loop_dataset`), which knows no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Point, mapping
from shapely.geometry.base import BaseGeometry

from minedisc_core.detection.cards import ModelCard
from minedisc_core.domain import Candidate
from minedisc_core.errors import RunError, StoreError
from minedisc_core.grid import CONTEXT_PX
from minedisc_core.learning.comparison import SAME_MINE_M
from minedisc_core.learning.datasets import MANIFEST, Dataset, SampleEntry, open_dataset, read_windows, write_dataset
from minedisc_core.learning.generated import GENERATED
from minedisc_core.learning.holding_out import HELD_OUT, TRAINING, NewSample, Place, hold_out
from minedisc_core.learning.places import places_of
from minedisc_core.learning.queue_datasets import datasets_folder, queue_entry, queue_pixels, whole_samples
from minedisc_core.runs import read_json
from minedisc_core.settings import Settings
from minedisc_core.store import QueueRow, Spot, Store

QUEUE, OWN = "queue", "own"
"""Where a sample comes from: people's verdicts, or the champion's own dataset."""
Sample = tuple[SampleEntry, NDArray[np.uint16]]


@dataclass(frozen=True)
class LoopPlan:
    """What a retraining learns from, and what it is judged by."""

    entries: tuple[SampleEntry, ...]
    """With place and split; `facts["origin"]` is `QUEUE` or `OWN`."""
    judged: tuple[dict[str, Any], ...]
    """Every candidate with a verdict at a held-out place: the fields of `comparison.Judged`, the shape as GeoJSON."""
    places: tuple[Place, ...]
    """On earth; generated ones are none."""
    remarks: tuple[str, ...]
    """What was left out, and why."""

    def count(self, label: str, *splits: str) -> int:
        """Samples of a label on some sides."""
        return sum(entry.label == label and entry.split in splits for entry in self.entries)


def own_dataset(card: ModelCard, settings: Settings, folder: Path | None = None) -> Dataset | None:
    """The dataset that a model's card names (`training["dataset"]`: version and hash, perhaps folder); None if none.

    Args:
        card: of the model.
        settings: versions of the home are looked through by name, then by hash.
        folder: where it lies, if somebody says so.

    Raises:
        StoreError: it is named and is not there, or is not what the model learned from.
    """
    named = card.training.get("dataset")
    told: Mapping[str, Any] = named if isinstance(named, Mapping) else {"version": str(named or "")}
    wanted = told.get("hash")
    if folder is None and not named:
        return None
    places = [folder] if folder else _places(told, settings)
    for place in places:
        if place.is_dir():
            found = open_dataset(place, check_files=False)
            if wanted in (None, found.hash):
                return found
            raise StoreError(
                f"{place} is not what {card.name} learned from (another hash)", "the dataset of the card", _REMEDY
            )
    raise StoreError(f"the dataset of {card.name} is gone: {', '.join(map(str, places))}", "its folder", _REMEDY)


def _places(told: Mapping[str, Any], settings: Settings) -> list[Path]:
    """Where a dataset may lie: the folder that is told, the version of that name, any version of that hash."""
    found = [Path(str(told["folder"]))] if told.get("folder") else []
    versions = datasets_folder(settings)
    alike = [path.parent for path in sorted(versions.glob(f"*/{MANIFEST}")) if told.get("hash") == _hash(path)]
    return [*found, *alike, *([versions / str(told["version"])] if told.get("version") else [])]


def _hash(manifest: Path) -> str | None:
    try:
        return str(read_json(manifest).get("hash"))
    except RunError:  # another folder's trouble
        return None


_REMEDY = "say where it is: minedisc retrain --own-dataset DIR, or go on without it: --without-own-dataset"


@dataclass(frozen=True)
class Outlook:
    """What a retraining would have, told from positions and verdicts alone: no pixel is read."""

    places: tuple[Place, ...]
    learned: int
    """Verdicts of the queue that would be learned from."""
    held_mines: int
    """Distinct confirmed mines that would be held out."""
    held_places: int
    """Places at which they lie."""


def outlook(store: Store, card: ModelCard, own: Dataset | None, seed: int = 0) -> Outlook:
    """Look ahead at a retraining of this model; the sides are those that it would get."""
    rows = _rows_of(store, card)
    sides, places = _sides(store, rows, _located(own, frozenset()), seed)
    held = [row for row in rows if sides[row.sample_id][1] == HELD_OUT]
    mines = [row for row in held if row.label == "mine"]
    names = places_of(np.array([(row.lon, row.lat) for row in mines]).reshape(-1, 2), SAME_MINE_M)
    learned = sum(sides[row.sample_id][1] == TRAINING for row in rows)
    return Outlook(places, learned, len(set(names)), len({sides[row.sample_id][0] for row in mines}))


def plan_samples(store: Store, settings: Settings, card: ModelCard, own: Dataset | None, seed: int = 0) -> LoopPlan:
    """Decide what a retraining takes in and which side each sample stands on. Writes nothing.

    Raises:
        StoreError: the champion's dataset lacks a band of the champion, or is of another product.
    """
    if own:
        _check_fits(own, card)
    rows = _rows_of(store, card)
    cut, remarks = _usable(store, settings, card, {row.sample_id for row in rows})
    gone = {row.sample_id for row in store.sample_queue(include_withdrawn=True) if row.withdrawn}
    kept = [e for e in own.samples if e.sample_id not in gone | cut.keys()] if own else []
    sides, places = _sides(store, rows, _located(own, gone | cut.keys()), seed)
    entries = [_on_side(entry, QUEUE, sides) for entry in cut.values()]
    entries += [_on_side(entry, OWN, sides) for entry in kept]
    dropped = sum(e.sample_id in gone for e in own.samples) if own else 0
    if dropped:
        remarks.append(f"{dropped} samples of the champion's dataset are left out: their verdicts were taken back")
    judged = _judged(store, [row for row in rows if sides[row.sample_id][1] == HELD_OUT], sides)
    return LoopPlan(tuple(entries), tuple(judged), places, tuple(remarks))


def _rows_of(store: Store, card: ModelCard) -> list[QueueRow]:
    """The queue's rows from scans of the model's product."""
    runs = {run.run_id for run in store.runs() if run.summary.level == card.level}
    return [row for row in store.sample_queue() if row.run_id in runs]


def _located(own: Dataset | None, without: AbstractSet[str]) -> list[SampleEntry]:
    """Samples of the champion's dataset that lie somewhere on Earth."""
    found = own.samples if own else ()
    return [e for e in found if e.sample_id not in without and not e.place.startswith(GENERATED)]


def _sides(
    store: Store, rows: Sequence[QueueRow], located: Sequence[SampleEntry], seed: int
) -> tuple[dict[str, tuple[str, str]], tuple[Place, ...]]:
    known = [NewSample(row.sample_id, row.lon, row.lat, row.label == "mine") for row in rows]
    ids = {row.sample_id for row in rows}
    known += [
        NewSample(e.sample_id, e.lon, e.lat, e.label == "mine", e.split or TRAINING)
        for e in located
        if e.sample_id not in ids
    ]
    return hold_out(known, store.spots(is_held_out=True), store.spots(is_held_out=False), seed)


def _check_fits(own: Dataset, card: ModelCard) -> None:
    missing = [band for band in card.bands if band not in own.bands]
    if missing or own.level not in (None, card.level):
        held = f"{own.level}, {' '.join(own.bands)}"
        raise StoreError(f"dataset {own.version} is {held}", f"{card.level}, {' '.join(card.bands)}", _REMEDY)


def _usable(
    store: Store, settings: Settings, card: ModelCard, wanted: AbstractSet[str]
) -> tuple[dict[str, SampleEntry], list[str]]:
    """Cut samples of the queue that the model can learn from, and sentences about the others."""
    rows = [(row, facts) for row, facts in whole_samples(store, settings) if row.sample_id in wanted]
    candidates = {c.candidate_id: c for c in store.candidates_by_id([row.candidate_id for row, _ in rows])}
    usable = {
        row.sample_id: _with_class(queue_entry(row, facts), candidates[row.candidate_id])
        for row, facts in rows
        if set(card.bands) <= set(facts["bands"])
    }
    left_out = {
        "samples lack a band of the model": len(rows) - len(usable),
        "samples have no pixels: the mosaic is gone or changed": len(wanted) - len(rows),
    }
    return usable, [f"{count} {why}" for why, count in left_out.items() if count]


def _with_class(entry: SampleEntry, candidate: Candidate) -> SampleEntry:
    """The entry with the impact class in force, and whether a person set it."""
    impact = {"impact": str(candidate.impact), "is_impact_corrected": candidate.impact_corrected is not None}
    return replace(entry, facts={**entry.facts, **impact})


def _on_side(entry: SampleEntry, origin: str, sides: Mapping[str, tuple[str, str]]) -> SampleEntry:
    place, split = sides.get(entry.sample_id, (entry.place, entry.split or TRAINING))
    return replace(entry, place=place, split=split, facts={**entry.facts, "origin": origin})


def _judged(store: Store, rows: Sequence[QueueRow], sides: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    candidates = {c.candidate_id: c for c in store.candidates_by_id([row.candidate_id for row in rows])}
    mines = [row for row in rows if row.label == "mine"]
    lonlat = np.array([(row.lon, row.lat) for row in mines]).reshape(-1, 2)
    names = dict(zip([row.sample_id for row in mines], places_of(lonlat, SAME_MINE_M), strict=True))
    return [
        {
            "sample_id": row.sample_id,
            "candidate_id": row.candidate_id,
            "run_id": row.run_id,
            "mine": names.get(row.sample_id, ""),
            "place": sides[row.sample_id][0],
            "is_mine": row.label == "mine",
            "reason": str(row.reason or ""),
            "lon": row.lon,
            "lat": row.lat,
            "shape": mapping(_shape(row, candidates[row.candidate_id])),
        }
        for row in rows
    ]


def _shape(row: QueueRow, candidate: Candidate) -> BaseGeometry:
    """Where people say it is: the drawn outline, the moved point, else the site's cells."""
    if row.footprint is not None:
        return row.footprint
    return Point(row.lon, row.lat) if row.is_moved else candidate.site.polygon


def spots(plan: LoopPlan) -> list[Spot]:
    """The samples on earth, as the store remembers them for ever; what is only judged is held out too."""
    found = {
        e.sample_id: Spot(e.sample_id, e.lon, e.lat, e.place, e.split == HELD_OUT)
        for e in plan.entries
        if not e.place.startswith(GENERATED)
    }
    for row in plan.judged:
        found.setdefault(row["sample_id"], Spot(row["sample_id"], row["lon"], row["lat"], row["place"], True))
    return list(found.values())


def to_rows(entries: Sequence[SampleEntry]) -> list[dict[str, Any]]:
    """Entries as JSON objects."""
    return [asdict(entry) for entry in entries]


def write_loop_dataset(
    folder: Path, entries: Sequence[SampleEntry], card: ModelCard, settings: Settings, own: Dataset | None,
    generated: Iterable[Sample] = (), on_sample: Callable[[str], None] = lambda _: None,
) -> Dataset:  # fmt: skip
    """Bring the pixels of a plan together into a version; one that is there already is opened.

    Args:
        folder: of the version.
        entries: of the plan.
        card: bands and product of the model.
        settings: where the queue's samples are.
        own: the champion's dataset; its window is that of the version.
        generated: further samples with their sides, 255 px.
        on_sample: called with the id of each sample that is read; may raise to stop.

    Raises:
        StoreError: a sample cannot be read, or the folder cannot be written.
    """
    if folder.is_dir():
        return open_dataset(folder)
    side = own.window_px if own else CONTEXT_PX
    more = {"made_of": "the retraining queue and the champion's own dataset", "champion": card.name}
    samples = _samples(entries, card, settings, own, generated)
    cropped = ((entry, _middle(pixels, side)) for entry, pixels in _noted(samples, on_sample))
    return write_dataset(folder, cropped, bands=card.bands, level=card.level, window_px=side, more=more)


def _noted(samples: Iterable[Sample], on_sample: Callable[[str], None]) -> Iterator[Sample]:
    for entry, pixels in samples:
        on_sample(entry.sample_id)
        yield entry, pixels


def _samples(
    entries: Sequence[SampleEntry], card: ModelCard, settings: Settings, own: Dataset | None,
    generated: Iterable[Sample],
) -> Iterator[Sample]:  # fmt: skip
    at = {entry.sample_id: number for number, entry in enumerate(own.samples)} if own else {}
    for entry in entries:
        if entry.facts["origin"] == OWN and own:
            yield entry, read_windows(own, card.bands, [at[entry.sample_id]])[0]
        else:
            yield entry, queue_pixels(settings, entry.sample_id, entry.facts["bands"], card.bands)
    yield from generated


def _middle(pixels: NDArray[np.uint16], side_px: int) -> NDArray[np.uint16]:
    """The middle of a window."""
    first = (pixels.shape[0] - side_px) // 2
    return np.ascontiguousarray(pixels[first : first + side_px, first : first + side_px])
