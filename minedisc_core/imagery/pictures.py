"""From DN to something to look at: band combinations, and a stretch fixed per run or of one chip."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.indices import INDICES

PICTURES: dict[str, tuple[str, str, str]] = {
    "true_colour": ("B4", "B3", "B2"),
    "swir": ("B12", "B8", "B4"),
    "near_infrared": ("B8", "B4", "B3"),
}
"""Bands shown as red, green and blue. In `swir` bare ground is pink to brown, plants green, water black."""
WEBP_QUALITY, WEBP_METHOD = 82, 0
"""1.7 ms for 256 x 256 px, 2.7 with alpha; JPEG takes 0.3 but has no alpha, PNG 8 and is 14 times as large."""

_SAMPLES_PER_SIDE = 6
_SAMPLE_PX = 96
_LOW_PERCENT, _HIGH_PERCENT = 1.0, 99.0
_HEADROOM = 1.2
"""Bright bare ground is what people look for: the upper end lies above the 99th percentile."""
_DEFAULT_LIMITS = (0, 3_000)
"""DN; used for a band of which the samples hold no data."""
_OWN_PERCENT = (1.0, 99.0)
_OWN_LEAST_DN = 200
"""A chip's own stretch spans at least 2 % of reflectance: noise of even ground is not shown as relief."""
_OWN_EVERY_PX = 2
"""Percentiles of every second row and column say the same."""


@dataclass(frozen=True)
class Stretch:
    """DN that become black and white, per band; the same for all pictures of a run, or of one chip only."""

    limits: Mapping[str, tuple[int, int]]
    _tables: dict[str, NDArray[np.uint8]] = field(default_factory=dict, compare=False, repr=False)

    def table(self, band: str) -> NDArray[np.uint8]:
        """Look-up table from DN (0..65535) to 0..255."""
        if band not in self._tables:
            self._tables[band] = self.levels(band, np.arange(65_536, dtype=np.uint16))
        return self._tables[band]

    def levels(self, band: str, dn: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """0..255 of each DN, without a table: cheaper for a stretch that is used once."""
        low, high = self.limits[band]
        ramp = (dn.astype(np.float32) - low) * np.float32(255 / max(1, high - low))
        shown: NDArray[np.uint8] = np.rint(np.clip(ramp, 0, 255)).astype(np.uint8)
        return shown


def picture_kinds(bands: Sequence[str]) -> tuple[str, ...]:
    """The kinds of picture that can be made of these bands, colours first."""
    return tuple(kind for kind in (*PICTURES, *INDICES) if set(picture_bands((kind,))) <= set(bands))


def picture_bands(kinds: Sequence[str]) -> tuple[str, ...]:
    """The bands that the kinds need together, each once."""
    wanted = [band for kind in kinds for band in (PICTURES[kind] if kind in PICTURES else INDICES[kind].bands)]
    return tuple(dict.fromkeys(wanted))


def measure_stretch(mosaic: Mosaic, bands: Sequence[str] = ()) -> Stretch:
    """The stretch of a mosaic, from the percentiles of 36 windows spread evenly over it.

    The same mosaic always gives the same stretch.

    Args:
        mosaic: what is shown.
        bands: to measure; none given: those of its colour pictures (an index needs no stretch).
    """
    wanted = tuple(bands) or picture_bands([kind for kind in PICTURES if kind in picture_kinds(mosaic.bands)])
    if not wanted:
        return Stretch({})
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


def chip_stretch(dn: Mapping[str, NDArray[np.uint16]]) -> Stretch:
    """The stretch of one picture, from the percentiles of its own pixels with data.

    Constant ground becomes middle grey; a band without any data gets limits that are never seen.
    """
    return Stretch({band: _own_limits(values) for band, values in dn.items()})


def _own_limits(values: NDArray[np.uint16]) -> tuple[int, int]:
    some = values[::_OWN_EVERY_PX, ::_OWN_EVERY_PX]
    valid = some[some > 0]
    if not valid.size:
        return _DEFAULT_LIMITS
    low, high = (int(limit) for limit in np.percentile(valid, _OWN_PERCENT, method="nearest"))
    missing = max(0, _OWN_LEAST_DN - (high - low))
    return low - missing // 2, high + missing - missing // 2


def render(
    kind: str, dn: Mapping[str, NDArray[np.uint16]], stretch: Stretch, *, has_table: bool = True
) -> NDArray[np.uint8]:
    """An RGBA picture (height, width, 4), uint8.

    Alpha is 0 where no band of a colour picture has data, and where one of an index's bands has none.

    Args:
        kind: one of `picture_kinds`.
        dn: DN (height, width) per band.
        stretch: of the run or of this picture; an index has its own colours and needs none.
        has_table: the stretch serves many pictures, so that tables pay off.
    """
    if kind in INDICES:
        return INDICES[kind].picture(dn)
    bands = PICTURES[kind]
    picture = np.empty((*dn[bands[0]].shape, 4), np.uint8)
    for channel, band in enumerate(bands):
        if has_table:
            np.take(stretch.table(band), dn[band], out=picture[..., channel])
        else:
            picture[..., channel] = stretch.levels(band, dn[band])
    some = dn[bands[0]] | dn[bands[1]] | dn[bands[2]]
    picture[..., 3] = np.where(some != 0, 255, 0)
    return picture


def webp(picture: NDArray[np.uint8], quality: int = WEBP_QUALITY) -> bytes:
    """A WebP file of an RGBA picture; without the alpha channel where all is opaque."""
    opaque = bool((picture[..., 3] == 255).all())
    image = Image.fromarray(np.ascontiguousarray(picture[..., :3]) if opaque else picture)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=WEBP_METHOD)
    return buffer.getvalue()
