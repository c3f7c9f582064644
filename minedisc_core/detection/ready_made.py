"""Models of other people that this project knows: their cards and the hashes of their files, not the files.

Amazon Mining Watch's detectors (Earthrise Media, Earth Genome; MIT licence). Bands, order and scaling are those of
its own code for the collection `S2L1C` (13 bands) and `S2L1C-12band`: Level-1C with the offset removed, B8A before B8,
DN / 10,000 clipped to 0..1; imagery there is the median of a year of pixels with a Cloud Score+ of at least 0.6. The
net ends in one sigmoid, which is the mine ("No Mine" 0, "Mine" 1 in the logs beside the files, which also give the
thresholds and figures below).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minedisc_core.detection.patch_cards import PatchCard
from minedisc_core.domain import ProductLevel

_BANDS_13 = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8A", "B8", "B9", "B10", "B11", "B12")
_BANDS_12 = tuple(band for band in _BANDS_13 if band != "B10")
_SOURCE = "Amazon Mining Watch, github.com/earthrise-media/mining-detector"
_USE = (
    "Artisanal gold mines of the Amazon, seen in the median of a year of cloud-free Level-1C pixels. Its scores are"
    " not comparable with another model's."
)


@dataclass(frozen=True)
class ReadyMade:
    """A known model."""

    card: PatchCard
    sha256: str
    """Of the file that the card is for; no other is taken."""
    size_bytes: int
    file_name: str
    """What its makers call the file."""


def _ready_made(
    version: str, bands: tuple[str, ...], threshold: float, figures: Mapping[str, Any], file: tuple[str, str, int]
) -> ReadyMade:
    card = PatchCard(
        name=f"Amazon Mining Watch {version}",
        version=version,
        net="discovery",
        level=ProductLevel.L1C,
        bands=bands,
        mean=(),
        std=(),
        threshold=threshold,
        description=_USE,
        training=figures,
        scaling="reflectance",
        patch_px=48,
        stride_px=24,
        mine_output=0,
        licence="MIT",
        source=_SOURCE,
    )
    return ReadyMade(card, file[1], file[2], file[0])


READY_MADE: Mapping[str, ReadyMade] = {
    "amazon-mining-watch-v4.21": _ready_made(
        "v4.21",
        _BANDS_13,
        0.5,
        {
            "validation": {"precision": 0.906, "recall": 0.888, "f1": 0.897, "mines": 249, "others": 1818},
            "test 1": {"precision": 0.878, "recall": 0.593, "f1": 0.708, "mines": 182, "others": 792},
            "test 2": {"precision": 0.955, "recall": 0.969, "f1": 0.962, "mines": 131, "others": 673},
            "at threshold": 0.5,
        },
        (
            "48px_v4.21-CNN100ka_2026-05-08ep179.h5",
            "a55c5eb45c04c18a10056f9cbfb2e14437fecba087d99138862957cce2c12fe3",
            1_528_824,
        ),
    ),
    "amazon-mining-watch-v3.7": _ready_made(
        "v3.7",
        _BANDS_12,
        0.8,
        {
            "validation": {"precision": 0.95, "recall": 0.97, "f1": 0.96, "mines": 152, "others": 265},
            "at threshold": 0.8,
        },
        (
            "48px_v3.7_2024-01-10.h5",
            "ba97216be76fd00a9c33dd9f5243ef5e8d0843b86ea73ee350faf1b26cc9984a",
            1_522_408,
        ),
    ),
}
"""By the name that `minedisc models add` takes."""
