"""Earth Engine as a source of composites: the pixels of a window by `computePixels`, several windows at once."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import ee
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow, RasterGrid
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.composites.source import BLOCK_PX, Block, BlockLayout, SceneFacts, Survey
from minedisc_core.imagery.earth_engine.asking import Asker, Patience, TooMuch, held
from minedisc_core.imagery.earth_engine.products import COLLECTIONS, bands_of, check_request, mask_in_words
from minedisc_core.imagery.earth_engine.recipes import LOOKS, composite, scene_facts
from minedisc_core.imagery.earth_engine.sign_in import project_of, sign_in

MOST_IN_FLIGHT = 8
"""Requests at once: well under the 40 that Earth Engine allows a project, which other people may share."""
MOST_BYTES = 48 * 1024 * 1024
"""Earth Engine answers no more than this at a time."""
LEAST_PX = 128
"""Windows are cut in four while Earth Engine finds them too much, down to this side."""
_NAMED_IN_REMARK = 5


class EarthEngineSource:
    """Composites of one request (`imagery.composites.source.CompositeSource`).

    Args:
        request: source `ee`; recipe `paper`, `paper-as-released` or `cloud-score-plus`.
        service_account_file: key file; None: the environment's, else the stored sign-in (`sign_in`).
        patience: how long and how often a request is tried.

    Raises:
        UsageError: Earth Engine cannot make the request.
    """

    most_in_flight = MOST_IN_FLIGHT

    def __init__(
        self,
        request: CompositeRequest,
        *,
        service_account_file: Path | None = None,
        patience: Patience | None = None,
    ) -> None:
        check_request(request)
        self.bands = bands_of(request)
        self._request, self._key_file = request, service_account_file
        self._asker = Asker(self.most_in_flight, patience or Patience())
        self._lock = threading.Lock()
        self._image: Any = None

    def survey(self) -> Survey:
        """The scenes of the request, by one question.

        Raises:
            ImageryError: not signed in, Earth Engine cannot be reached, or it holds nothing for the request.
        """
        with self._lock:
            return self._survey

    def layout(self, grid: RasterGrid) -> BlockLayout:  # noqa: ARG002 - of every source
        """Blocks of 1,024 px: what one answer may hold."""
        return BlockLayout()

    def read_block(self, grid: RasterGrid, window: PixelWindow, is_cancelled: Callable[[], bool]) -> Block:
        """The composite of a window of the grid; cut in four where Earth Engine finds it too much.

        Raises:
            ImageryError: refused, or failed in every try.
            Cancelled: `is_cancelled` said so, also while waiting for an answer or between tries.
        """
        with held(self._lock, is_cancelled):
            image = self._composite(is_cancelled)
        values, looks = self._pixels(image, grid, window, is_cancelled)
        values[looks == 0] = 0  # a pixel that one band lacks is no data in all
        return Block(values, looks)

    def _composite(self, is_cancelled: Callable[[], bool]) -> Any:
        if self._image is None:
            sign_in(project_of(self._request), self._key_file, is_cancelled)
            self._image = composite(self._request)
        return self._image

    @cached_property
    def _survey(self) -> Survey:
        sign_in(project_of(self._request), self._key_file)
        question = scene_facts(self._request)
        told = self._asker.ask(partial(ee.data.computeValue, question), lambda: False)
        found = scenes_of(told)
        if not found:
            raise ImageryError(
                f"No scene in {COLLECTIONS[self._request.level]} from {self._request.start} up to {self._request.end} "
                f"with less than {self._request.most_cloud_percent:g} % cloud",
                "at least one scene over the area",
                "choose other dates or a higher --cloud",
            )
        return Survey(
            collection=COLLECTIONS[self._request.level],
            level=self._request.level,
            bands=self.bands,
            scenes=found,
            remarks=tuple(_remarks(self._request, found, told)),
            tags={
                "mask": mask_in_words(self._request),
                "reducer": "median, cast by toUint16; a valid 0 is stored as 1",
                "resampling": "nearest neighbour",
                "cloud_limit": f"CLOUDY_PIXEL_PERCENTAGE < {self._request.most_cloud_percent:g}",
            },
        )

    def _pixels(
        self, image: Any, grid: RasterGrid, window: PixelWindow, is_cancelled: Callable[[], bool]
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Values (height, width, band) and looks (height, width)."""
        if _bytes(window, len(self.bands)) > MOST_BYTES or max(window.height, window.width) > BLOCK_PX:
            return self._in_four(image, grid, window, is_cancelled)
        question = {
            "expression": image,
            "fileFormat": "NPY",
            "bandIds": [*self.bands, LOOKS],
            "grid": pixel_grid(grid, window),
        }
        try:
            answer = self._asker.ask(partial(ee.data.computePixels, question), is_cancelled)
        except TooMuch:
            if max(window.height, window.width) // 2 < LEAST_PX:
                raise
            return self._in_four(image, grid, window, is_cancelled)
        return decoded(answer, self.bands, window)

    def _in_four(
        self, image: Any, grid: RasterGrid, window: PixelWindow, is_cancelled: Callable[[], bool]
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        values = np.zeros((window.height, window.width, len(self.bands)), np.uint16)
        looks = np.zeros((window.height, window.width), np.uint16)
        for part in quarters(window):
            rows = slice(part.row - window.row, part.row - window.row + part.height)
            cols = slice(part.col - window.col, part.col - window.col + part.width)
            values[rows, cols], looks[rows, cols] = self._pixels(image, grid, part, is_cancelled)
        return values, looks


def pixel_grid(grid: RasterGrid, window: PixelWindow) -> dict[str, Any]:
    """Earth Engine's `PixelGrid` of a window: size, affine and CRS."""
    a = grid.transform @ Affine.translation(window.col, window.row)
    return {
        "dimensions": {"width": window.width, "height": window.height},
        "affineTransform": {
            "scaleX": a.a,
            "shearX": a.b,
            "translateX": a.c,
            "shearY": a.d,
            "scaleY": a.e,
            "translateY": a.f,
        },
        "crsCode": grid.crs,
    }


def quarters(window: PixelWindow) -> list[PixelWindow]:
    """The window cut in (up to) four parts that cover it once."""
    high, wide = max(1, window.height // 2), max(1, window.width // 2)
    rows = [(window.row, high), (window.row + high, window.height - high)]
    cols = [(window.col, wide), (window.col + wide, window.width - wide)]
    return [PixelWindow(row, col, h, w) for row, h in rows for col, w in cols if h and w]


def decoded(
    answer: bytes, bands: tuple[str, ...], window: PixelWindow
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Values (height, width, band) and looks (height, width) of an NPY answer: a structured array, a field a band.

    Raises:
        ImageryError: it is not what was asked for: cut off, other bands, other size.
    """
    names = (*bands, LOOKS)
    try:
        pixels = np.load(io.BytesIO(answer), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ImageryError(
            "Earth Engine's answer is cut off or no NPY file", "", "go on later with --resume"
        ) from error
    if pixels.shape != (window.height, window.width) or set(pixels.dtype.names or ()) != set(names):
        raise ImageryError(
            f"Earth Engine answered {pixels.shape} pixels of {', '.join(pixels.dtype.names or ('no band',))}",
            f"{(window.height, window.width)} pixels of {', '.join(names)}",
            "go on later with --resume",
        )
    values = np.stack([pixels[band].astype(np.uint16, copy=False) for band in bands], axis=-1)
    return values, pixels[LOOKS].astype(np.uint16)


def scenes_of(told: dict[str, Any]) -> tuple[SceneFacts, ...]:
    """The scenes in order of time. A list that is shorter than the ids cannot be told apart: unknown for all."""
    ids = [str(one) for one in told.get("ids", ())]
    days = [_day(scene_id, moment) for scene_id, moment in zip(ids, _column(told, "moments", len(ids)), strict=True)]
    clouds = [None if share is None else float(share) for share in _column(told, "clouds", len(ids))]
    baselines = ["" if one is None else str(one) for one in _column(told, "baselines", len(ids))]
    rows = zip(ids, days, clouds, baselines, strict=True)
    found = [SceneFacts(scene_id, day, cloud, baseline, 0) for scene_id, day, cloud, baseline in rows]
    return tuple(sorted(found, key=lambda scene: (scene.day, scene.scene_id)))


def _bytes(window: PixelWindow, bands: int) -> int:
    return window.height * window.width * (bands + 1) * 2


def _column(told: dict[str, Any], name: str, count: int) -> list[Any]:
    column = list(told.get(name, ()))
    return column if len(column) == count else [None] * count


def _day(scene_id: str, moment: float | None) -> Any:
    if moment is not None:
        return datetime.fromtimestamp(moment / 1_000, UTC).date()
    return datetime.strptime(scene_id[:8], "%Y%m%d").date()  # 20190605T140059_20190605T140057_T21MXP


def _remarks(request: CompositeRequest, found: tuple[SceneFacts, ...], told: dict[str, Any]) -> list[str]:
    remarks = []
    if request.recipe == "cloud-score-plus":
        scored = set(map(str, told.get("scored", ())))
        without = [scene.scene_id for scene in found if scene.scene_id not in scored]
        if without:
            more = f" and {len(without) - _NAMED_IN_REMARK} more" if len(without) > _NAMED_IN_REMARK else ""
            named = ", ".join(without[:_NAMED_IN_REMARK])
            remarks.append(f"scenes without Cloud Score+ give no pixel: {named}{more}")
    if request.recipe == "paper-as-released":
        remarks.append("clouds are not masked: the released code tests bits that are never set")
    if request.level is ProductLevel.L2A and request.start.year < 2019:
        remarks.append("Earth Engine's Level-2A of 2017 and 2018 does not cover the whole Earth")
    return remarks
