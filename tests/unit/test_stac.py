"""What a catalogue's items mean: names of bands, offsets, days, each acquisition once; and the masked median."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pystac import Item
from shapely.geometry import box, mapping

from minedisc_core.bench.mosaic_scenes import item_of
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import Cancelled, ImageryError, UsageError
from minedisc_core.grid import RasterGrid
from minedisc_core.imagery.bands import L2A_BANDS
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.composites.target import target_grid
from minedisc_core.imagery.stac.catalogues import EARTH_SEARCH, MASK, PLANETARY_COMPUTER, catalogue_of
from minedisc_core.imagery.stac.layout import WIDE_PX, layout_of
from minedisc_core.imagery.stac.median import masked_median, remove_offset
from minedisc_core.imagery.stac.readers import Readers
from minedisc_core.imagery.stac.scenes import Scene, Unusable, newest_processings, offset_of, scene_of
from minedisc_core.imagery.stac.search import choose_scenes
from minedisc_core.imagery.stac.signing import Signer

AREA = box(-44.0, -20.0, -43.95, -19.95)
REQUEST = CompositeRequest(
    source="stac",
    recipe="scl",
    aoi=mapping(AREA),
    start=date(2023, 5, 1),
    end=date(2023, 8, 1),
    level=ProductLevel.L2A,
)


@pytest.fixture(scope="module")
def grid() -> RasterGrid:
    return target_grid(AREA)


def item(grid: RasterGrid, number: int = 0, **properties: Any) -> Item:
    made = item_of(f"S2A_{number}", number, "https://example.org/x", grid, 5.0, 0)
    made["properties"] |= properties
    return Item.from_dict(made)


# Blocks on the lines of the files' tiles


def scenes_at(grid: RasterGrid, corner: tuple[float, float] | None, count: int, first: int = 0) -> list[Scene]:
    """Scenes over a grid whose files begin at a corner."""
    found = []
    for number in range(first, first + count):
        made = item(grid, number, **{"proj:transform": [10, 0, corner[0], 0, -10, corner[1]] if corner else None})
        found.append(scene_of(made, EARTH_SEARCH.assets))
    assert all(isinstance(scene, Scene) for scene in found)
    return [scene for scene in found if isinstance(scene, Scene)]


def test_blocks_lie_on_the_tile_lines_of_the_corner_that_most_files_have(grid: RasterGrid) -> None:
    left, top = grid.transform @ (0, 0)
    often, once = (left - 30_000, top + 50_020), (left - 10, top + 10)
    layout = layout_of([*scenes_at(grid, often, 2), *scenes_at(grid, once, 1, first=2)], grid)
    assert layout.side_px == WIDE_PX
    assert (layout.row_px + 5_002) % WIDE_PX == (layout.col_px + 3_000) % WIDE_PX == 0


def test_without_a_stated_corner_blocks_begin_with_the_grid(grid: RasterGrid) -> None:
    layout = layout_of(scenes_at(grid, None, 2), grid)
    assert (layout.side_px, layout.row_px, layout.col_px) == (WIDE_PX, 0, 0)


def test_files_of_another_zone_do_not_tell_the_lines(grid: RasterGrid) -> None:
    other = [replace(scene, crs="EPSG:32722") for scene in scenes_at(grid, (300_010.0, 7_000_010.0), 3)]
    assert layout_of(other, grid).col_px == 0


def test_very_many_looks_are_read_in_smaller_blocks_so_that_memory_stays_bounded(grid: RasterGrid) -> None:
    corner = grid.transform @ (-100, -200)
    assert layout_of(scenes_at(grid, corner, 42), grid).side_px == WIDE_PX
    layout = layout_of(scenes_at(grid, corner, 43), grid)
    assert (layout.side_px, layout.row_px, layout.col_px) == (1_024, 824, 924)


# Catalogues


def test_the_presets_name_each_band_and_the_classification() -> None:
    for preset in (EARTH_SEARCH, PLANETARY_COMPUTER):
        assert set(preset.assets) == {*L2A_BANDS, MASK}
        assert len(set(preset.assets.values())) == len(preset.assets)
    assert PLANETARY_COMPUTER.assets["B8A"] == "B8A"
    assert PLANETARY_COMPUTER.assets["B2"] == "B02"


def test_only_the_files_of_the_asked_bands_are_named() -> None:
    assert set(catalogue_of(replace(REQUEST, bands=("B2", "B11"))).assets) == {"B2", "B11", MASK}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"level": ProductLevel.L1C}, "level L1C from a STAC catalogue.*Earth Engine"),
        ({"recipe": "paper"}, "recipe paper from a STAC catalogue"),
        ({"end": date(2023, 5, 1)}, "dates 2023-05-01 to 2023-05-01"),
        ({"masked_classes": (3, 12)}, "class 12"),
        ({"bands": ("B10",)}, "B10 is no band of Level-2A"),
        ({"catalogue": "earth"}, "no catalogue is called earth"),
        ({"catalogue": "https://example.org/v1"}, "no collection is named"),
        ({"catalogue": "https://example.org/v1", "collection": "s2"}, "no asset is named for B1, "),
        ({"catalogue": "file:///etc"}, "no catalogue is called"),
    ],
)
def test_a_request_that_does_not_fit_a_catalogue_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        catalogue_of(replace(REQUEST, **changes))


# Items


@pytest.mark.parametrize(
    ("properties", "offset"),
    [
        ({"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.09"}, 0),
        ({"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.09"}, 1_000),
        ({"s2:processing_baseline": "04.00"}, 1_000),
        ({"s2:processing_baseline": "03.01"}, 0),
        ({"processing:version": "05.11"}, 1_000),
        ({"s2:processing_baseline": "N0500"}, 1_000),
        ({"s2:processing_baseline": 5.09}, 1_000),
        ({"s2:processing_baseline": "new"}, None),
        ({}, None),
    ],
)
def test_the_offset_is_what_the_item_says_and_never_a_guess(properties: dict[str, Any], offset: int | None) -> None:
    assert offset_of(properties) == offset


def test_an_item_that_does_not_tell_its_offset_is_left_out_by_name(grid: RasterGrid) -> None:
    silent = item(grid)
    for name in ("s2:processing_baseline", "earthsearch:boa_offset_applied"):
        del silent.properties[name]
    told = scene_of(silent, EARTH_SEARCH.assets)
    assert isinstance(told, Unusable)
    assert "never guessed" in told.reason
    found = choose_scenes(REQUEST, EARTH_SEARCH, [silent, item(grid, 1)])
    assert [scene.facts.scene_id for scene in found.scenes] == ["S2A_1"]
    assert any("S2A_0" in remark and "never guessed" in remark for remark in found.remarks)


def test_an_item_without_a_footprint_is_left_out_by_name(grid: RasterGrid) -> None:
    blank = item(grid)
    blank.geometry = None
    assert isinstance(scene_of(blank, EARTH_SEARCH.assets), Unusable)


def scene(grid: RasterGrid, number: int = 0, **properties: Any) -> Scene:
    found = scene_of(item(grid, number, **properties), EARTH_SEARCH.assets)
    assert isinstance(found, Scene)
    return found


def test_of_several_processings_of_one_acquisition_only_the_newest_counts(grid: RasterGrid) -> None:
    old = scene(grid, 0, **{"s2:processing_baseline": "02.08"})
    new = replace(scene(grid, 0, **{"s2:processing_baseline": "05.00"}))
    new = replace(new, facts=replace(new.facts, scene_id="S2A_0_again"))
    other_day = scene(grid, 1)
    kept = newest_processings([old, new, other_day])
    assert [each.facts.scene_id for each in kept] == ["S2A_0_again", "S2A_1"]


@pytest.mark.parametrize(("limit", "kept"), [(4.9, 0), (5.0, 1), (20.0, 1)])
def test_the_cloud_limit_holds_whatever_the_catalogue_gives(grid: RasterGrid, limit: float, kept: int) -> None:
    request = replace(REQUEST, most_cloud_percent=limit)
    items = [item(grid), item(grid, 1, **{"eo:cloud_cover": 99.0}), item(grid, 2, **{"eo:cloud_cover": 0})]
    assert len(choose_scenes(request, EARTH_SEARCH, items).scenes) == kept + 1


def test_a_scene_of_unknown_cloud_share_is_used_and_named(grid: RasterGrid) -> None:
    cloudless = item(grid)
    del cloudless.properties["eo:cloud_cover"]
    found = choose_scenes(REQUEST, EARTH_SEARCH, [cloudless])
    assert "used though no cloud share is stated: S2A_0" in found.remarks


def test_days_outside_the_request_are_left_out_and_the_end_is_not_included(grid: RasterGrid) -> None:
    on_first = choose_scenes(replace(REQUEST, start=date(2023, 5, 3), end=date(2023, 5, 4)), EARTH_SEARCH, [item(grid)])
    assert len(on_first.scenes) == 1
    with pytest.raises(ImageryError, match="No usable scene"):
        choose_scenes(replace(REQUEST, end=date(2023, 5, 3)), EARTH_SEARCH, [item(grid)])


def test_items_with_files_missing_are_named(grid: RasterGrid) -> None:
    short = item(grid)
    del short.assets["blue"]
    remark = choose_scenes(REQUEST, EARTH_SEARCH, [short]).remarks[0]
    assert remark.startswith("files missing in the catalogue")
    assert "S2A_0 (B2)" in remark


# The median

stacks = arrays(
    np.uint16,
    st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)),
    elements=st.one_of(st.just(0), st.integers(1, 65_534)),
)


@given(stacks)
def test_the_masked_median_is_numpys_over_the_looks_that_are_there(stack: np.ndarray) -> None:
    median, count = masked_median(stack.copy())
    hidden = np.ma.masked_equal(stack, 0)
    expected = np.floor(np.ma.median(hidden.astype(float), axis=0)).filled(0)
    assert np.array_equal(median, expected.astype(np.uint16))
    assert np.array_equal(count, (stack > 0).sum(axis=0))


@given(arrays(np.uint16, (3, 4)), st.sampled_from([0, 1_000]))
def test_the_offset_goes_and_no_pixel_becomes_no_data(numbers: np.ndarray, offset: int) -> None:
    clean = remove_offset(numbers.copy(), offset)
    assert np.array_equal(clean == 0, numbers == 0)
    real = numbers > offset
    assert np.array_equal(clean[real], numbers[real] - offset)


# Readers and signing


def test_waiting_for_readers_ends_at_once_when_it_is_cancelled() -> None:
    readers, over = Readers(1, {}), threading.Event()
    begin = time.monotonic()
    with pytest.raises(Cancelled):
        list(readers.results([over.wait, over.wait], lambda: True))
    assert time.monotonic() - begin < 1
    over.set()


def test_an_error_in_a_reader_reaches_who_waits() -> None:
    def fails() -> int:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(Readers(2, {}).results([fails], lambda: False))


@contextmanager
def token_server(answers: list[bytes]) -> Iterator[tuple[str, list[str]]]:
    """Gives one answer after the other; its address, and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = answers[min(len(asked), len(answers)) - 1]
            self.send_response(200 if body else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/token/{{collection}}", asked
    finally:
        server.shutdown()
        server.server_close()


def token(text: str, minutes: float) -> bytes:
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    return json.dumps({"token": text, "msft:expiry": until.isoformat()}).encode()


def test_addresses_are_signed_with_one_token_until_it_is_about_to_end() -> None:
    with token_server([token("sv=first", 45), token("sv=second", 45)]) as (url, asked):
        signer = Signer(replace(PLANETARY_COMPUTER, token_url=url))
        assert signer.sign("https://x/a.tif") == "https://x/a.tif?sv=first"
        assert signer.sign("https://x/b.tif") == "https://x/b.tif?sv=first"
        assert signer.sign("https://x/b.tif?sv=own") == "https://x/b.tif?sv=own"
        assert asked == ["/token/sentinel-2-l2a"]
    with token_server([token("sv=first", 4), token("sv=second", 45)]) as (url, _):
        signer = Signer(replace(PLANETARY_COMPUTER, token_url=url))
        signer.sign("https://x/a.tif")
        assert signer.sign("https://x/a.tif") == "https://x/a.tif?sv=second"


def test_a_busy_token_server_is_asked_again_and_one_that_gives_none_is_named_without_its_answer() -> None:
    with token_server([b"", token("sv=late", 45)]) as (url, _):
        assert Signer(replace(PLANETARY_COMPUTER, token_url=url)).sign("https://x/a.tif").endswith("sv=late")
    with token_server([b'{"token": 1, "secret": "x"']) as (url, _), pytest.raises(ImageryError) as caught:
        Signer(replace(PLANETARY_COMPUTER, token_url=url)).sign("https://x/a.tif")
    assert "gave no token" in str(caught.value)
    assert "secret" not in str(caught.value)
