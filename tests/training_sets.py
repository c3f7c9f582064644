"""Small dataset versions whose classes can be told apart: a bright patch in the middle, in another band per class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minedisc_core.domain import ProductLevel
from minedisc_core.learning.datasets import Dataset, SampleEntry, write_dataset

BANDS = ("B2", "B3", "B4")
LABELS = {"discovery": ("background", "mine"), "impact": ("high", "low", "no_ore")}
REASONS = ("random", "irrigation_dam")


def windows_of_classes(side: int, classes: Sequence[int], seed: int = 2) -> np.ndarray:
    """DN (n, side, side, 3); class 0 has no patch."""
    random = np.random.default_rng(seed)
    pixels = random.integers(900, 1_100, (len(classes), side, side, len(BANDS))).astype(np.uint16)
    middle, half = side // 2, max(4, side // 8)
    for window, label in zip(pixels, classes, strict=True):
        window[middle - half : middle + half, middle - half : middle + half, label] += 800 if label else 0
    return pixels


def small_dataset(
    folder: Path,
    net: str = "impact",
    count: int = 36,
    side: int | None = None,
    level: ProductLevel | None = ProductLevel.L1C,
    labels: Sequence[str] | None = None,
    splits: Sequence[str] = (),
    places: int | None = None,
) -> Dataset:
    """A version of `count` samples, each 0.2 degrees from the next, or at `places` places in turn."""
    names = labels or LABELS[net]
    known = LABELS[net]
    given = [names[index % len(names)] for index in range(count)]
    classes = [known.index(label) if label in known else 0 for label in given]
    pixels = windows_of_classes(side or (21 if net == "impact" else 201), classes)
    samples = [
        (
            SampleEntry(
                f"s{index:03}",
                given[index],
                -60 + 0.2 * ((index // len(names)) % places if places else index),
                -10.0,
                reason=REASONS[index // len(names) % 2] if given[index] == "background" else None,
                split=splits[index] if splits else "",
            ),
            window,
        )
        for index, window in enumerate(pixels)
    ]
    return write_dataset(folder, samples, bands=BANDS, level=level, window_px=pixels.shape[1])
