"""Which samples are held out: whole places, once and for all.

Places are chains: samples nearer than 5 km to each other are one place, whoever asked for them and whenever. A
place that holds a sample of an earlier held-out part is held out; a place that any earlier fine-tuning learned
from is learned from, unless it has grown together with one that is held out. Only new places are chosen anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minedisc_core.learning.places import places_of
from minedisc_core.learning.promotion import LEAST_MINES, LEAST_PLACES
from minedisc_core.store import Spot

HELD_OUT, TRAINING, VALIDATION = "held-out", "training", "validation"
SHARE = 0.3
"""Share of the new places that is held out at least."""
MOST = 0.5
"""Share of the new places that is held out at most."""
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Place:
    """What a retraining would make of one place."""

    name: str
    mines: int
    backgrounds: int
    split: str


@dataclass(frozen=True)
class NewSample:
    """A sample of the queue, or of the champion's dataset, that lies somewhere on Earth."""

    sample_id: str
    lon: float
    lat: float
    is_mine: bool
    split: str = ""
    """A side that is given: the champion's dataset knows its own."""


def hold_out(
    samples: Sequence[NewSample], held: Sequence[Spot], learned: Sequence[Spot], seed: int = 0
) -> tuple[dict[str, tuple[str, str]], tuple[Place, ...]]:
    """Place and split of each sample by its id, and the places in the order of their names.

    Of places that are new, at least `SHARE` are held out, more until the held-out part can prove something
    (`promotion.LEAST_MINES` mines at `LEAST_PLACES` places), never more than `MOST`; a fifth of the rest validates.

    Args:
        samples: those that may be learned from.
        held: samples that were ever held out.
        learned: samples that were ever learned from.
        seed: of the choice; the same samples and seed give the same sides.
    """
    if not samples:
        return {}, ()
    known: list[NewSample | Spot] = [*samples, *held, *learned]
    names = places_of(np.array([(each.lon, each.lat) for each in known]))
    own, rest = names[: len(samples)], names[len(samples) :]
    sided = list(zip(own, (sample.split for sample in samples), strict=True))
    closed = set(rest[: len(held)]) | {name for name, split in sided if split == HELD_OUT}
    opened = set(rest[len(held) :]) | {name for name, split in sided if split in (TRAINING, VALIDATION)}
    counts = _counts(own, samples)
    free = [name for name in _drawn(counts, seed) if name not in closed | opened]
    closed |= set(_chosen(free, counts, closed))
    checking = _validating([name for name in _drawn(counts, seed + 1) if name not in closed], counts)
    splits = {name: HELD_OUT if name in closed else VALIDATION if name in checking else TRAINING for name in counts}
    places = tuple(Place(name, *counts[name], splits[name]) for name in sorted(counts))
    return {s.sample_id: (name, splits[name]) for name, s in zip(own, samples, strict=True)}, places


def _counts(own: Sequence[str], samples: Sequence[NewSample]) -> dict[str, tuple[int, int]]:
    """Mines and backgrounds of each place."""
    found: dict[str, tuple[int, int]] = {}
    for name, sample in zip(own, samples, strict=True):
        mines, others = found.get(name, (0, 0))
        found[name] = (mines + sample.is_mine, others + (not sample.is_mine))
    return found


def _drawn(counts: dict[str, tuple[int, int]], seed: int) -> list[str]:
    """Places in an order that depends on the seed and their names alone; those that show both labels first."""

    def key(name: str) -> tuple[bool, str]:
        return 0 in counts[name], hashlib.sha256(f"{seed} {name}".encode()).hexdigest()

    return sorted(counts, key=key)


def _chosen(free: Sequence[str], counts: dict[str, tuple[int, int]], closed: set[str]) -> list[str]:
    chosen: list[str] = []
    for name in free[: int(len(free) * MOST)]:
        held = [counts.get(place, (0, 0))[0] for place in {*closed, *chosen}]
        is_enough = sum(held) >= LEAST_MINES and sum(count > 0 for count in held) >= LEAST_PLACES
        if is_enough and len(chosen) >= SHARE * len(free):
            break
        chosen.append(name)
    return chosen


def _validating(left: Sequence[str], counts: dict[str, tuple[int, int]]) -> set[str]:
    """A fifth of the places that are left, as long as those that stay show both labels."""
    wanted = round(VALIDATION_SHARE * len(left))
    picked: set[str] = set()
    for name in left:
        stay = [counts[other] for other in left if other not in picked | {name}]
        if len(picked) < wanted and all(sum(pair[side] for pair in stay) for side in (0, 1)):
            picked.add(name)
    return picked
