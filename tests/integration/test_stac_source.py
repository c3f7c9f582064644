"""Composites from a real STAC API and real COG files on loopback, with known truth; and what is said of faults."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely.geometry import box, mapping

from minedisc_core.bench.mosaic_scenes import COLLECTION, OFFSET, write_cog
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import Cancelled, ImageryError
from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.composites.target import all_blocks
from minedisc_core.imagery.stac.catalogues import EARTH_SEARCH
from minedisc_core.imagery.stac.layout import part_of
from minedisc_core.imagery.stac.source import StacSource
from tests.stac_server import BEGIN, END, StacServer, serve_items, serve_stac

BANDS = ("B2", "B4", "B8A", "B11")
SIZE_PX, SCENES = 768, 8


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StacServer]:
    """Eight scenes, 30 % of each under cloud or shadow, every second one with the offset of newer baselines."""
    with serve_stac(tmp_path_factory.mktemp("stac"), size_px=SIZE_PX, count=SCENES, bands=BANDS) as server:
        yield server


@pytest.fixture(autouse=True)
def without_faults(catalogue: StacServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts with whole files, and with a GDAL that remembers nothing of them."""
    monkeypatch.setenv("CPL_VSIL_CURL_NON_CACHED", "/vsicurl/http://127.0.0.1")
    yield
    catalogue.files.faults.clear()


def request_for(server: StacServer, **changes: Any) -> CompositeRequest:
    plain = CompositeRequest(
        source="stac",
        recipe="scl",
        aoi=mapping(server.made.grid.footprint),
        start=date.fromisoformat(BEGIN),
        end=date.fromisoformat(END),
        level=ProductLevel.L2A,
        bands=BANDS,
        most_cloud_percent=100.0,
        catalogue=server.url,
        collection=COLLECTION,
        assets=dict(EARTH_SEARCH.assets),
    )
    return replace(plain, **changes)


def whole(catalogue: StacServer) -> PixelWindow:
    return PixelWindow(0, 0, catalogue.made.grid.height_px, catalogue.made.grid.width_px)


def native_truth(catalogue: StacServer) -> np.ndarray:
    """The truth as files of 20 m hold it: each 2 x 2 pixels the value of the first."""
    truth = catalogue.made.truth.astype(int)
    for number, band in enumerate(BANDS):
        if band in ("B8A", "B11"):
            truth[..., number] = truth[::2, ::2, number].repeat(2, 0).repeat(2, 1)
    return truth


def test_the_median_is_the_truth_within_one_dn_where_three_looks_are_clear(catalogue: StacServer) -> None:
    source = StacSource(request_for(catalogue))
    assert [scene.dn_offset for scene in source.survey().scenes] == [0, OFFSET] * (SCENES // 2)
    block = source.read_block(catalogue.made.grid, whole(catalogue), never)
    assert block.problems == ()
    clear = catalogue.made.looks
    enough = clear >= 3
    assert enough.mean() > 0.8
    assert np.abs(block.values.astype(int) - native_truth(catalogue))[enough].max() <= 1
    assert np.array_equal(block.looks, clear)


def test_a_part_of_the_area_costs_a_part_of_the_bytes(catalogue: StacServer) -> None:
    source = StacSource(request_for(catalogue))
    source.survey()
    catalogue.files.forget()
    source.read_block(catalogue.made.grid, PixelWindow(0, 0, 256, 256), never)
    share = sum(catalogue.files.sent.values()) / sum(path.stat().st_size for path in catalogue.folder.rglob("*.tif"))
    assert share < 256 * 256 / SIZE_PX**2 + 0.15  # plus the files' heads and the rest of their own blocks


def test_an_area_inside_the_files_costs_each_of_their_tiles_once(catalogue: StacServer) -> None:
    """A mosaic that begins 100 px off the tiles' lines: no tile travels for two blocks."""
    source, grid = StacSource(request_for(catalogue)), catalogue.made.grid
    inner = part_of(grid, PixelWindow(100, 100, grid.height_px - 100, grid.width_px - 100))
    windows = all_blocks(inner, source.layout(inner))
    catalogue.files.forget()
    for window in windows:
        assert source.read_block(inner, window, never).problems == ()
    stored = sum(path.stat().st_size for path in catalogue.folder.rglob("S2*/*.tif"))
    assert sum(catalogue.files.sent.values()) < 1.15 * stored


def test_scenes_over_the_cloud_limit_are_left_out_though_the_catalogue_gives_them(catalogue: StacServer) -> None:
    clouds = sorted(item["properties"]["eo:cloud_cover"] for item in catalogue.made.items)
    limit = clouds[3]
    survey = StacSource(request_for(catalogue, most_cloud_percent=limit)).survey()
    assert len(survey.scenes) == 4
    assert any(f"left out for more than {limit:g} % cloud: 4" in remark for remark in survey.remarks)


def test_scenes_of_another_zone_are_brought_to_the_mosaics_grid(catalogue: StacServer, tmp_path: Path) -> None:
    """Smooth ground, seen from the neighbouring zone by half of the scenes: both see the same place."""
    grid = catalogue.made.grid
    rows, cols = np.mgrid[: grid.height_px, : grid.width_px]
    ground = (1_000 + (rows + 2 * cols) // 16).astype(np.uint16)  # a pixel's shift changes it by 1 at most
    items = [dict(item) for item in catalogue.made.items[:6:2]]  # without offset
    for number, item in enumerate(items):
        zone = "EPSG:32722" if number % 2 else ""
        home = catalogue.folder / f"smooth-{number}"
        home.mkdir()
        for band in BANDS:
            write_cog(home / f"{EARTH_SEARCH.assets[band]}.tif", ground, grid, band, zone)
        write_cog(home / "scl.tif", np.full_like(ground, 4, np.uint8), grid, "scl", zone)
        item["properties"] = {**item["properties"], "proj:epsg": int(zone[5:] or grid.crs[5:])}
        item["assets"] = {key: {"href": f"{catalogue.files.url}/{home.name}/{key}.tif"} for key in item["assets"]}
    with serve_items(tmp_path, items) as url:
        block = StacSource(request_for(catalogue, catalogue=url)).read_block(grid, whole(catalogue), never)
    assert block.problems == ()
    inner = np.s_[8:-8, 8:-8]
    assert (block.looks[inner] == len(items)).all()
    assert np.abs(block.values[inner].astype(int) - ground[inner][..., None]).max() <= 1


def first_scene(catalogue: StacServer) -> str:
    return str(catalogue.made.items[0]["id"])


def test_a_missing_file_is_named_and_the_other_scenes_go_on(catalogue: StacServer) -> None:
    catalogue.files.faults[f"{first_scene(catalogue)}/blue.tif"] = "missing"
    block = StacSource(request_for(catalogue)).read_block(catalogue.made.grid, whole(catalogue), never)
    assert block.problems == (f"{first_scene(catalogue)}, B2: the file is missing (HTTP 404)",)
    without = catalogue.made.looks - catalogue.made.scenes[0].clear
    assert np.array_equal(block.looks, without)  # the look counts only where every band has it
    enough = without >= 3
    assert np.abs(block.values.astype(int) - native_truth(catalogue))[enough].max() <= 1


def test_a_missing_mask_leaves_the_scene_out(catalogue: StacServer) -> None:
    catalogue.files.faults[f"{first_scene(catalogue)}/scl.tif"] = "missing"
    block = StacSource(request_for(catalogue)).read_block(catalogue.made.grid, whole(catalogue), never)
    assert block.problems == (
        f"{first_scene(catalogue)}, scl: the file is missing (HTTP 404); the scene was not used here",
    )
    assert np.array_equal(block.looks, catalogue.made.looks - catalogue.made.scenes[0].clear)


def test_a_file_that_is_cut_off_is_named_and_the_others_go_on(catalogue: StacServer) -> None:
    path = catalogue.folder / first_scene(catalogue) / "red.tif"
    content = path.read_bytes()
    try:
        path.write_bytes(content[: len(content) // 3])
        block = StacSource(request_for(catalogue)).read_block(catalogue.made.grid, whole(catalogue), never)
    finally:
        path.write_bytes(content)
    assert len(block.problems) == 1
    assert block.problems[0].startswith(f"{first_scene(catalogue)}, B4: the file is damaged or cut off")
    assert "127.0.0.1" not in block.problems[0]


def test_a_server_that_stalls_costs_its_time_out_and_is_named(catalogue: StacServer) -> None:
    catalogue.files.faults[f"{first_scene(catalogue)}/blue.tif"] = "stalls"
    source = StacSource(request_for(catalogue), read_timeout_s=1.0)
    begin = time.monotonic()
    block = source.read_block(catalogue.made.grid, whole(catalogue), never)
    assert time.monotonic() - begin < 20
    assert block.problems == (f"{first_scene(catalogue)}, B2: the server did not answer within 1 s",)
    assert np.array_equal(block.looks, catalogue.made.looks - catalogue.made.scenes[0].clear)


def test_a_server_that_is_busy_once_is_asked_again(catalogue: StacServer) -> None:
    catalogue.files.faults[f"{first_scene(catalogue)}/blue.tif"] = "busy once"
    block = StacSource(request_for(catalogue)).read_block(catalogue.made.grid, whole(catalogue), never)
    assert block.problems == ()


def test_cancelling_does_not_wait_for_a_server_that_stalls(catalogue: StacServer) -> None:
    for scene in catalogue.made.items:
        catalogue.files.faults[f"{scene['id']}/scl.tif"] = "stalls"
    source = StacSource(request_for(catalogue))
    source.survey()
    begin = time.monotonic()
    with pytest.raises(Cancelled):
        source.read_block(catalogue.made.grid, whole(catalogue), lambda: time.monotonic() - begin > 0.3)
    assert time.monotonic() - begin < 1.5


def test_a_block_of_which_no_scene_could_be_read_is_an_error_and_not_no_data(catalogue: StacServer) -> None:
    for scene in catalogue.made.items:
        catalogue.files.faults[f"{scene['id']}/scl.tif"] = "missing"
    with pytest.raises(ImageryError, match="No scene could be read"):
        StacSource(request_for(catalogue)).read_block(catalogue.made.grid, whole(catalogue), never)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": date(2001, 1, 1), "end": date(2002, 1, 1)}, "No usable scene"),
        ({"aoi": mapping(box(10, 10, 10.1, 10.1))}, "No usable scene"),
        ({"collection": "landsat"}, "No usable scene|could not be searched"),
        ({"catalogue": "http://127.0.0.1:9"}, "could not be searched"),
    ],
)
def test_a_catalogue_that_has_nothing_or_does_not_answer_is_told(
    catalogue: StacServer, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ImageryError, match=words):
        StacSource(request_for(catalogue, **changes)).survey()


@pytest.mark.parametrize(
    ("href", "words"),
    [
        ("file:///etc/passwd", "its address is"),
        ("/vsimem/x.tif", "its address is"),
        ("{files}/evil.vrt", "damaged"),
        ("{files}/float.tif", "its numbers are float32"),
    ],
)
def test_hostile_files_of_an_item_are_refused_and_named(
    catalogue: StacServer, tmp_path: Path, href: str, words: str
) -> None:
    (catalogue.folder / "evil.vrt").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    write_cog(catalogue.folder / "float.tif", np.ones((64, 64), np.float32), catalogue.made.grid, "B2")
    items = [dict(item) for item in catalogue.made.items]
    items[0]["assets"] = {**items[0]["assets"], "blue": {"href": href.format(files=catalogue.files.url)}}
    with serve_items(tmp_path, items) as url:
        block = StacSource(request_for(catalogue, catalogue=url)).read_block(
            catalogue.made.grid, whole(catalogue), never
        )
    assert len(block.problems) == 1
    assert words in block.problems[0]
    assert block.problems[0].startswith(f"{first_scene(catalogue)}, B2: ")
