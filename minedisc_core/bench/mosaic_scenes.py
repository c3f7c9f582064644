"""Made-up acquisitions of the demo area's ground: COG files and STAC items whose truth is known.

Each scene is the ground's L2A numbers, a little brighter or darker (-1, 0 or +1), under clouds that the
scene classification tells. Every second scene has the offset of newer baselines: stored numbers + 1,000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.warp import Resampling, reproject

from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L2A_BANDS, NATIVE_RESOLUTION_M
from minedisc_core.imagery.demo import generate_scene
from minedisc_core.imagery.stac.catalogues import EARTH_SEARCH, MASK

COLLECTION = EARTH_SEARCH.collection
FIRST_DAY = date(2023, 5, 3)
DAYS_APART = 5
OFFSET = 1_000
CLOUD_DN = 9_000
SHADOW_DN = 150
_CLOUD, _SHADOW, _LAND = 9, 3, 4
_BLOB_PX = 96
"""Clouds are squares of this side."""


@dataclass(frozen=True)
class MadeScene:
    """One acquisition on disk."""

    item: dict[str, Any]
    """STAC item whose assets lie under `base_url`."""
    clear: NDArray[np.bool_]
    """Where the ground is seen, (height, width)."""
    offset: int


@dataclass(frozen=True)
class Acquisitions:
    """All scenes of one piece of ground."""

    truth: NDArray[np.uint16]
    """L2A DN, (height, width, 12)."""
    grid: RasterGrid
    scenes: tuple[MadeScene, ...]

    @property
    def looks(self) -> NDArray[np.int64]:
        """How often each pixel is seen clear."""
        counts: NDArray[np.int64] = np.sum([scene.clear for scene in self.scenes], axis=0)
        return counts

    @property
    def items(self) -> list[dict[str, Any]]:
        """The STAC items."""
        return [scene.item for scene in self.scenes]


def make_scenes(
    folder: Path,
    base_url: str,
    size_px: int = 768,
    count: int = 6,
    *,
    bands: Sequence[str] = L2A_BANDS,
    cloud_fraction: float = 0.3,
    seed: int = 0,
    tile_px: int = 256,
) -> Acquisitions:
    """Write the files of `count` scenes of a generated area and describe them.

    Args:
        folder: a folder of its own per scene, a file per asset.
        base_url: where `folder` is served.
        size_px: side of the area, a multiple of 6.
        count: scenes, five days apart.
        bands: which bands have files; the classification always has.
        cloud_fraction: share of each scene under cloud or shadow, about.
        seed: of the area and the clouds.
        tile_px: side of the files' tiles.
    """
    area = generate_scene(size_px, seed)
    ground = {band: np.ascontiguousarray(area.l2a[..., L2A_BANDS.index(band)]) for band in bands}
    write = partial(_write_scene, folder, base_url, ground, area.grid, cloud_fraction, seed, tile_px)
    with ThreadPoolExecutor(2) as pool:
        scenes = tuple(pool.map(write, range(count)))
    return Acquisitions(np.stack(list(ground.values()), -1), area.grid, scenes)


def _write_scene(
    folder: Path,
    base_url: str,
    ground: Mapping[str, NDArray[np.uint16]],
    grid: RasterGrid,
    cloud_fraction: float,
    seed: int,
    tile_px: int,
    number: int,
) -> MadeScene:
    random = np.random.default_rng([seed, number])
    classes = _weather(random, grid, cloud_fraction)
    offset = OFFSET if number % 2 else 0
    scene_id = f"S2A_23KNA_{FIRST_DAY + timedelta(days=DAYS_APART * number):%Y%m%d}_0_L2A"
    home = folder / scene_id
    home.mkdir(parents=True)
    for band, numbers in ground.items():
        seen = numbers + np.uint16(number % 3) - np.uint16(1)  # -1, 0, +1 in turn; DN are well above 1
        seen = np.where(classes == _CLOUD, CLOUD_DN, np.where(classes == _SHADOW, SHADOW_DN, np.maximum(seen, 1)))
        write_cog(
            home / f"{EARTH_SEARCH.assets[band]}.tif",
            seen.astype(np.uint16) + np.uint16(offset),
            grid,
            band,
            tile_px=tile_px,
        )
    write_cog(home / "scl.tif", classes, grid, MASK, tile_px=tile_px)
    clear = classes == _LAND
    cloud_percent = 100 * float((classes == _CLOUD).mean())
    item = item_of(scene_id, number, f"{base_url}/{scene_id}", grid, cloud_percent, offset, tuple(ground))
    return MadeScene(item, clear, offset)


def _weather(random: np.random.Generator, grid: RasterGrid, fraction: float) -> NDArray[np.uint8]:
    """Scene classification: squares of cloud, each with a smaller square of shadow."""
    shape = [-(-side // _BLOB_PX) for side in (grid.height_px, grid.width_px)]
    drawn = random.random(shape)
    blobs = np.where(drawn < 0.8 * fraction, _CLOUD, np.where(drawn < fraction, _SHADOW, _LAND)).astype(np.uint8)
    return blobs.repeat(_BLOB_PX, 0).repeat(_BLOB_PX, 1)[: grid.height_px, : grid.width_px]


def write_cog(
    path: Path, numbers: NDArray[Any], grid: RasterGrid, band: str, crs: str = "", *, tile_px: int = 256
) -> None:
    """One band as a COG at its native pixel size (20 m for the classification), in another CRS if named."""
    metres = 20 if band == MASK else NATIVE_RESOLUTION_M[band]
    step = metres // 10
    native, transform, system = numbers[::step, ::step], grid.transform @ grid.transform.scale(step), grid.crs
    if crs:
        native, transform = reproject(
            native, src_crs=grid.crs, src_transform=transform, dst_crs=crs, dst_nodata=0, src_nodata=0,
            resampling=Resampling.nearest, dst_resolution=metres,
        )  # fmt: skip
        native, system = native.reshape(native.shape[-2:]), crs
    height, width = native.shape
    profile = {"dtype": native.dtype, "count": 1, "height": height, "width": width, "nodata": 0}
    with rasterio.open(
        path, "w", driver="COG", compress="deflate", level=1, predictor="yes", blocksize=tile_px,
        crs=system, transform=transform, **profile,
    ) as dataset:  # fmt: skip
        dataset.write(native, 1)


def item_of(
    scene_id: str,
    number: int,
    base_url: str,
    grid: RasterGrid,
    cloud_percent: float,
    offset: int,
    bands: Sequence[str] = L2A_BANDS,
) -> dict[str, Any]:
    """The STAC item of a scene as Earth Search would write it."""
    outline = grid.footprint
    keys = [EARTH_SEARCH.assets[name] for name in (*bands, MASK)]
    taken = datetime.combine(FIRST_DAY, datetime.min.time()) + timedelta(days=DAYS_APART * number, hours=13)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": scene_id,
        "collection": COLLECTION,
        "geometry": shapely.geometry.mapping(outline),
        "bbox": list(outline.bounds),
        "properties": {
            "datetime": f"{taken:%Y-%m-%dT%H:%M:%S}Z",
            "platform": "sentinel-2a",
            "eo:cloud_cover": round(cloud_percent, 2),
            "grid:code": "MGRS-23KNA",
            "proj:epsg": int(grid.crs.removeprefix("EPSG:")),
            "proj:transform": list(grid.transform)[:6],
            "s2:processing_baseline": "05.09" if offset or number % 4 else "02.08",
            "earthsearch:boa_offset_applied": not offset,
        },
        "links": [],
        "assets": {
            key: {
                "href": f"{base_url}/{key}.tif",
                "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                "roles": ["data"],
            }
            for key in keys
        },
    }
