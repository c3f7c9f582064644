"""From DN to something to look at: band combinations and a stretch that is fixed per run."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.geotiff import Mosaic

PICTURES: dict[str, tuple[str, str, str]] = {
    "true_colour": ("B4", "B3", "B2"),
    "swir": ("B12", "B8", "B4"),
    "near_infrared": ("B8", "B4", "B3"),
}
"""Bands shown as red, green and blue. In `swir` bare ground is pink to brown, plants green, water black."""
NDVI = "ndvi"
NDVI_BANDS = ("B8", "B4")
_NDVI_RANGE = (-0.2, 0.8)
_NDVI_COLOURS = ((70, 110, 170), (250, 245, 225), (190, 140, 80), (220, 210, 120), (90, 170, 70), (10, 80, 25))
"""From water over bare ground to dense plants, evenly spaced over the range."""

WEBP_QUALITY, WEBP_METHOD = 82, 0
"""1.7 ms for 256 x 256 px, 2.7 with alpha; JPEG takes 0.3 but has no alpha, PNG 8 and is 14 times as large."""

_SAMPLES_PER_SIDE = 6
_SAMPLE_PX = 96
_LOW_PERCENT, _HIGH_PERCENT = 1.0, 99.0
_HEADROOM = 1.2
"""Bright bare ground is what people look for: the upper end lies above the 99th percentile."""
_DEFAULT_LIMITS = (0, 3_000)
"""DN; used for a band of which the samples hold no data."""


@dataclass(frozen=True)
class Stretch:
    """DN that become black and white, per band; the same for all pictures of a run."""

    limits: Mapping[str, tuple[int, int]]
    _tables: dict[str, NDArray[np.uint8]] = field(default_factory=dict, compare=False, repr=False)

    def table(self, band: str) -> NDArray[np.uint8]:
        """Look-up table from DN (0..65535) to 0..255."""
        if band not in self._tables:
            low, high = self.limits[band]
            ramp = (np.arange(65_536) - low) / max(1, high - low)
            self._tables[band] = np.rint(np.clip(ramp, 0, 1) * 255).astype(np.uint8)
        return self._tables[band]


def picture_kinds(bands: Sequence[str]) -> tuple[str, ...]:
    """The kinds of picture that can be made of these bands."""
    needed = {"true_colour": PICTURES["true_colour"], "swir": PICTURES["swir"], NDVI: NDVI_BANDS}
    needed["near_infrared"] = PICTURES["near_infrared"]
    return tuple(kind for kind, wanted in needed.items() if set(wanted) <= set(bands))


def picture_bands(kinds: Sequence[str]) -> tuple[str, ...]:
    """The bands that the kinds need together, each once."""
    wanted = [band for kind in kinds for band in PICTURES.get(kind, NDVI_BANDS)]
    return tuple(dict.fromkeys(wanted))


def measure_stretch(mosaic: Mosaic, bands: Sequence[str] = ()) -> Stretch:
    """The stretch of a mosaic, from the percentiles of 36 windows spread evenly over it.

    The same mosaic always gives the same stretch.
    """
    wanted = tuple(bands) or picture_bands(picture_kinds(mosaic.bands))
    windows = _sample_windows(mosaic.grid.height_px, mosaic.grid.width_px)
    together = np.concatenate([mosaic.read(window, wanted).reshape(-1, len(wanted)) for window in windows])
    return Stretch({band: _limits(together[:, i]) for i, band in enumerate(wanted)})


def _sample_windows(height_px: int, width_px: int) -> list[PixelWindow]:
    rows, cols = (
        np.unique(np.linspace(0, max(0, size - _SAMPLE_PX), _SAMPLES_PER_SIDE).astype(int))
        for size in (height_px, width_px)
    )
    side_row, side_col = min(_SAMPLE_PX, height_px), min(_SAMPLE_PX, width_px)
    return [PixelWindow(int(row), int(col), side_row, side_col) for row in rows for col in cols]


def _limits(values: NDArray[np.uint16]) -> tuple[int, int]:
    seen = values[values > 0]
    if not seen.size:
        return _DEFAULT_LIMITS
    low, high = np.percentile(seen, (_LOW_PERCENT, _HIGH_PERCENT))
    return int(low), max(int(low) + 1, int(low + _HEADROOM * (high - low)))


def render(kind: str, dn: Mapping[str, NDArray[np.uint16]], stretch: Stretch) -> NDArray[np.uint8]:
    """An RGBA picture (height, width, 4), uint8; alpha is 0 where all its bands are no data.

    Args:
        kind: one of `picture_kinds`.
        dn: DN (height, width) per band.
        stretch: of the run.
    """
    bands = PICTURES.get(kind, NDVI_BANDS)
    height, width = dn[bands[0]].shape
    picture = np.empty((height, width, 4), np.uint8)
    seen = dn[bands[0]] != 0
    for band in bands[1:]:
        seen = seen | (dn[band] != 0)
    if kind == NDVI:
        picture[..., :3] = _ndvi_colours(dn["B8"], dn["B4"])
    else:
        for channel, band in enumerate(bands):
            np.take(stretch.table(band), dn[band], out=picture[..., channel])
    picture[..., 3] = np.where(seen, 255, 0)
    return picture


def _ndvi_colours(near_infrared: NDArray[np.uint16], red: NDArray[np.uint16]) -> NDArray[np.uint8]:
    nir, visible = near_infrared.astype(np.float32), red.astype(np.float32)
    index = (nir - visible) / np.maximum(nir + visible, 1)
    low, high = _NDVI_RANGE
    place = np.clip((index - low) / (high - low), 0, 1) * 255
    coloured: NDArray[np.uint8] = _ndvi_table()[place.astype(np.uint8)]
    return coloured


def _ndvi_table() -> NDArray[np.uint8]:
    stops = np.linspace(0, 255, len(_NDVI_COLOURS))
    channels = [np.interp(np.arange(256), stops, [colour[i] for colour in _NDVI_COLOURS]) for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def webp(picture: NDArray[np.uint8]) -> bytes:
    """A WebP file of an RGBA picture; without the alpha channel where all is opaque."""
    opaque = bool((picture[..., 3] == 255).all())
    image = Image.fromarray(np.ascontiguousarray(picture[..., :3]) if opaque else picture)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=WEBP_QUALITY, method=WEBP_METHOD)
    return buffer.getvalue()
