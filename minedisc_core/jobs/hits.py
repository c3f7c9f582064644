"""Hits as the scan brings them, each with the impact class of its patch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.models import Model
from minedisc_core.detection.probe import Classifier
from minedisc_core.detection.sites import Hits
from minedisc_core.domain import IMPACT_CLASSES
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PATCH_PX, PixelWindow
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.jobs.patches import PatchCutter


class HitCollector:
    """Takes scores band by band (`scan.Hooks.on_scores`) and gives the hits at the end."""

    def __init__(self, mosaic: Mosaic, model: Model, threshold: float) -> None:
        self.mosaic, self.model, self.threshold = mosaic, model, threshold
        self.net: Classifier | None = None
        self.unread: list[str] = []
        """Why patches of hits could not be read again: their impact is unknown then."""
        self.tiles = PatchCutter(self._read_tile)
        impact = model.impact
        has_same_bands = impact is not None and impact.bands == model.discovery.bands
        self._patches = self.tiles if has_same_bands else PatchCutter(self._read_patches)
        self._cells = [np.zeros((0, 2), np.int64)]
        self._scores = [np.zeros(0, np.float32)]
        self._probabilities = [np.zeros((0, len(IMPACT_CLASSES)), np.float32)]

    def _read_tile(self, window: PixelWindow) -> NDArray[np.uint16]:
        return self.mosaic.read(window, self.model.discovery.bands)

    def _read_patches(self, window: PixelWindow) -> NDArray[np.uint16]:
        bands = self.model.impact.bands if self.model.impact else self.model.discovery.bands
        return self.mosaic.read(window, bands)

    def take(self, first_row: int, scores: NDArray[np.float32]) -> None:
        """Hits among cell rows from `first_row` on; NaN is no hit."""
        cells = np.argwhere(scores > self.threshold)
        self._scores.append(scores[cells[:, 0], cells[:, 1]])
        cells[:, 0] += first_row
        self._cells.append(cells)
        if self.net is not None and len(cells):
            self._probabilities.append(self._classified(self.net, cells))
        geometry = self.model.geometry
        next_peak_px = geometry.stride_px * (first_row + len(scores)) + geometry.peak_px
        self.tiles.forget_above(next_peak_px - PATCH_PX // 2)

    def _classified(self, net: Classifier, cells: NDArray[np.int64]) -> NDArray[np.float32]:
        try:
            patches = self._patches.cut(cells)
        except ImageryError as error:  # the tiles were read elsewhere, and the mosaic has gone in the meantime
            self.unread.append(f"the impact class of {len(cells)} hits is unknown: {error}")
            return np.full((len(cells), len(IMPACT_CLASSES)), np.nan, np.float32)
        probabilities = net.probabilities(patches)
        has_data = (patches != 0).all(axis=-1).any(axis=(1, 2))
        probabilities[~has_data] = np.nan
        return probabilities

    def hits(self, fill: NDArray[np.float32]) -> Hits:
        """All hits; `fill` is the share of no data of each cell of the grid."""
        cells = np.concatenate(self._cells)
        probabilities = np.concatenate(self._probabilities) if self.net is not None else None
        return Hits(cells, np.concatenate(self._scores), fill[cells[:, 0], cells[:, 1]], probabilities)
