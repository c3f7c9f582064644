"""The scan, with a small numpy net of the discovery net's geometry in place of TensorFlow."""

import time

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from minedisc_core.detection.refine import Doubt
from minedisc_core.detection.scan import Hooks, SecondLook, scan
from minedisc_core.errors import Cancelled, ImageryError, RunError
from minedisc_core.grid import RasterGrid, tile_read, tiles, window_of_cell

RANDOM = np.random.default_rng(7)


def conv3(image, kernel):
    """3 x 3 convolution with zero padding and relu, (h, w, c)."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    height, width = image.shape[:2]
    out = np.zeros((height, width, kernel.shape[-1]), np.float64)
    for down in range(3):
        for right in range(3):
            out += padded[down : down + height, right : right + width] @ kernel[down, right]
    return np.maximum(out + 0.1, 0)


def pool3(image):
    rows, cols = image.shape[0] // 3, image.shape[1] // 3
    return image[: rows * 3, : cols * 3].reshape(rows, 3, cols, 3, -1).max(axis=(1, 3))


class NumpyNet:
    """Two channels instead of 64, the same strides, paddings and reach."""

    def __init__(self):
        self.kernels = [RANDOM.normal(size=(3, 3, c, 2)) for c in (2, 2, 2)]
        self.context = RANDOM.normal(size=(7, 7, 2))
        self.trunk_calls = 0

    def trunk(self, dn, no_data):
        self.trunk_calls += 1
        flow = dn.astype(np.float64) / 1000 - 1
        if no_data is not None:
            flow[no_data] = 0
        for kernel in self.kernels:
            flow = pool3(conv3(flow, kernel))
        return flow.astype(np.float32)

    def head(self, features):
        rows, cols = features.shape[0] - 6, features.shape[1] - 6
        flow = np.zeros((rows, cols))
        for down in range(7):
            for right in range(7):
                flow += features[down : down + rows, right : right + cols] @ self.context[down, right]
        return (1 / (1 + np.exp(-flow / 50))).astype(np.float32)


class Memory:
    """Tile results in a dict."""

    def __init__(self):
        self.kept = {}

    def load(self, tile):
        return self.kept.get(tile)

    def save(self, tile, result):
        self.kept[tile] = result


def raster(height, width, no_data=()):
    dn = RANDOM.integers(1, 3000, (height, width, 2)).astype(np.uint16)
    for rows, cols in no_data:
        dn[rows, cols] = 0
    grid = RasterGrid(height, width, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
    return grid, dn


def reader(dn):
    def read(window):
        return dn[window.row : window.row + window.height, window.col : window.col + window.width]

    return read


def whole(net, dn):
    """The net over the whole raster at once."""
    no_data = dn.min(axis=-1) == 0
    return net.head(net.trunk(dn, no_data if no_data.any() else None))


def run(grid, dn, net=None, asked=None, **more):
    asked = np.ones(grid.cells, bool) if asked is None else asked
    given_reader = more.pop("read_tile", None) or reader(dn)
    store = more.pop("store", None) or Memory()
    return scan(grid, asked, given_reader, net or NumpyNet(), store, retry_wait_s=0, **more)


@settings(max_examples=25, deadline=None)
@given(st.integers(189, 420), st.integers(189, 420), st.integers(1, 16), st.booleans())
def test_the_tiled_grid_equals_the_whole_scene_for_any_size_and_split(height, width, side, has_gaps):
    gaps = [(slice(0, 40), slice(0, 30)), (slice(100, 160), slice(90, 110))] if has_gaps else []
    grid, dn = raster(height, width, gaps)
    net = NumpyNet()
    found = run(grid, dn, net, features_per_side=side)
    expected = whole(net, dn)
    seen = np.isfinite(found.scores)
    assert (seen == (found.fill <= 0.5)).all()
    np.testing.assert_allclose(found.scores[seen], expected[seen], atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_an_area_of_any_shape_gets_the_scores_of_the_whole_scene_inside_it_and_none_outside(data):
    grid, dn = raster(500, 470)
    asked = np.array(data.draw(st.lists(st.booleans(), min_size=132, max_size=132))).reshape(12, 11)
    net = NumpyNet()
    found = run(grid, dn, net, asked, features_per_side=data.draw(st.integers(1, 9)))
    np.testing.assert_allclose(found.scores[asked], whole(net, dn)[asked], atol=1e-6)
    assert np.isnan(found.scores[~asked]).all()


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_the_fill_of_a_cell_is_the_share_of_no_data_in_its_window(data):
    height, width = data.draw(st.integers(201, 300)), data.draw(st.integers(201, 300))
    row, col = data.draw(st.integers(0, 200)), data.draw(st.integers(0, 200))
    size = data.draw(st.integers(1, 150))
    grid, dn = raster(height, width)
    dn[row : row + size, col : col + size, 1] = 0
    found = run(grid, dn, features_per_side=data.draw(st.integers(1, 8)))
    no_data = np.pad(dn.min(axis=-1) == 0, ((0, 201), (0, 201)), constant_values=True)
    for i, j in np.ndindex(grid.cells):
        window = window_of_cell(i, j)
        held = no_data[window.row : window.row + 201, window.col : window.col + 201]
        assert found.fill[i, j] == pytest.approx(held.mean(), abs=1e-6)


def test_a_cell_that_is_more_than_half_no_data_is_not_seen():
    grid, dn = raster(300, 300, [(slice(0, 300), slice(0, 110))])
    found = run(grid, dn)
    assert np.isnan(found.scores[:, 0]).all()
    assert np.isfinite(found.scores[:, 2]).all()
    assert not found.failed.any()


def test_a_band_without_data_is_no_data_even_if_the_other_bands_have_it():
    grid, dn = raster(210, 210)
    dn[:, :150, 0] = 0
    assert np.isnan(run(grid, dn).scores).all()


def test_a_tile_that_fails_twice_is_read_a_third_time():
    grid, dn = raster(400, 400)
    failures = []

    def flaky(window):
        if window.row > 0 and len(failures) < 2:
            failures.append(window)
            raise OSError("the disk hiccuped")
        return reader(dn)(window)

    net = NumpyNet()
    found = run(grid, dn, net, read_tile=flaky, features_per_side=8)
    np.testing.assert_allclose(found.scores, whole(net, dn), atol=1e-6)
    assert len(failures) == 2
    assert found.problems == ()


def test_the_cells_of_a_tile_that_cannot_be_read_are_failed_and_all_others_scored():
    grid, dn = raster(540, 540)
    bad = tiles(np.ones(grid.cells, bool), 10)[3]

    def broken(window):
        if window == tile_read(bad, 540, 540).window:
            raise ImageryError("rows 270-540 cannot be read")
        return reader(dn)(window)

    net, heard = NumpyNet(), []
    hooks = Hooks(on_tile=lambda tile, reason: heard.append((tile, reason)))
    found = run(grid, dn, net, read_tile=broken, features_per_side=10, hooks=hooks)
    reached = np.zeros(grid.cells, bool)
    reached[10 - 6 :, 10 - 6 :] = True
    assert (found.failed == reached).all()
    assert (np.isnan(found.scores) == reached).all()
    np.testing.assert_allclose(found.scores[~reached], whole(net, dn)[~reached], atol=1e-6)
    assert [(p.tile, p.reason) for p in found.problems] == [(bad, "rows 270-540 cannot be read.")]
    assert dict(heard)[bad] == "rows 270-540 cannot be read."
    assert sum(reason is None for reason in dict(heard).values()) == 3


def test_a_net_that_fails_on_every_tile_leaves_failed_cells_and_no_score():
    class Broken(NumpyNet):
        def trunk(self, _dn, _no_data):
            raise RuntimeError("no memory")

    grid, dn = raster(300, 300)
    found = run(grid, dn, Broken())
    assert found.failed.all()
    assert np.isnan(found.scores).all()
    assert "no memory" in found.problems[0].reason


def test_finished_tiles_are_not_computed_again_and_the_result_is_the_same():
    grid, dn = raster(500, 500, [(slice(0, 60), slice(0, 60))])
    net, store = NumpyNet(), Memory()
    first = run(grid, dn, net, store=store, features_per_side=6)
    calls = net.trunk_calls
    for tile in list(store.kept)[::2]:
        del store.kept[tile]
    again = run(grid, dn, net, store=store, features_per_side=6)
    assert net.trunk_calls - calls == (calls + 1) // 2
    np.testing.assert_array_equal(first.scores, again.scores)
    np.testing.assert_array_equal(first.fill, again.fill)


def test_a_cancelled_scan_stops_and_keeps_what_it_has():
    grid, dn = raster(600, 600)
    store = Memory()
    hooks = Hooks(is_cancelled=lambda: len(store.kept) >= 3)
    with pytest.raises(Cancelled):
        run(grid, dn, store=store, features_per_side=4, hooks=hooks)
    assert 3 <= len(store.kept) < 36


def test_a_result_that_cannot_be_saved_ends_the_scan():
    class Full(Memory):
        def save(self, _tile, _result):
            raise RunError("no space left on the disk")

    grid, dn = raster(300, 300)
    with pytest.raises(RunError, match="no space"):
        run(grid, dn, store=Full())


@pytest.mark.parametrize("size", [(100, 300), (188, 188), (27, 5000)])
def test_a_raster_smaller_than_a_window_has_no_cells_and_no_error(size):
    grid, dn = raster(*size)
    found = run(grid, dn)
    assert found.scores.size == 0


def test_scores_come_band_by_band_and_together_make_the_whole_grid():
    grid, dn = raster(600, 420)
    heard = []
    found = run(
        grid, dn, features_per_side=5, hooks=Hooks(on_scores=lambda row, scores: heard.append((row, scores.copy())))
    )
    assert [row for row, _ in heard] == list(np.cumsum([0, *[len(s) for _, s in heard[:-1]]]))
    np.testing.assert_array_equal(np.concatenate([scores for _, scores in heard]), found.scores)


def test_no_thread_reads_on_when_a_cancelled_scan_has_ended():
    grid, dn = raster(600, 600)
    reads, store = [], Memory()

    def slow(window):
        time.sleep(0.02)
        reads.append(window)
        return reader(dn)(window)

    hooks = Hooks(is_cancelled=lambda: len(store.kept) >= 1)
    with pytest.raises(Cancelled) as kept_alive:
        run(grid, dn, store=store, read_tile=slow, features_per_side=4, hooks=hooks)
    after = len(reads)
    time.sleep(0.2)
    assert len(reads) == after < 36
    assert kept_alive.value.remedy


class RoughNet(NumpyNet):
    """The same net with features rounded to a few steps."""

    def __init__(self, exact):
        self.kernels, self.context, self.trunk_calls = exact.kernels, exact.context, 0

    def trunk(self, dn, no_data):
        return np.round(super().trunk(dn, no_data) * 4) / 4


def look_twice(exact, dn, doubt, **more):
    return SecondLook(exact, doubt, more.get("read") or reader(dn))


@settings(max_examples=25, deadline=None)
@given(st.integers(189, 560), st.integers(189, 560), st.integers(1, 16), st.booleans())
def test_cells_in_doubt_get_the_exact_scores_and_the_others_the_quick_ones_for_any_split(height, width, side, has_gaps):
    gaps = [(slice(0, 40), slice(0, 30)), (slice(100, 160), slice(90, 110))] if has_gaps else []
    grid, dn = raster(height, width, gaps)
    exact = NumpyNet()
    rough = RoughNet(exact)
    quick, right = whole(rough, dn), whole(exact, dn)
    middle = float(np.median(quick))

    def doubt(scores):
        return np.abs(scores - middle) < 0.02

    found = run(grid, dn, rough, features_per_side=side, second_look=look_twice(exact, dn, doubt))
    seen = np.isfinite(found.scores)
    expected = np.where(doubt(quick), right, quick)
    np.testing.assert_allclose(found.scores[seen], expected[seen], atol=1e-6)
    assert found.looked_twice == (doubt(quick) & seen).sum()


def test_only_the_surroundings_of_doubtful_cells_are_read_again():
    grid, dn = raster(700, 700)
    exact, read = NumpyNet(), []

    def again(window):
        read.append(window)
        return reader(dn)(window)

    def only_the_corner(scores):
        return np.arange(scores.size).reshape(scores.shape) == 0

    look = look_twice(exact, dn, only_the_corner, read=again)
    run(grid, dn, RoughNet(exact), second_look=look, features_per_side=48)
    assert len(read) == 1
    assert (read[0].row, read[0].col, read[0].height, read[0].width) == (0, 0, 7 * 27 + 13, 7 * 27 + 13)


def test_a_cell_in_doubt_that_cannot_be_read_again_has_failed_and_the_others_stay():
    grid, dn = raster(420, 420)

    def broken(window):
        raise OSError(5, "the disk is gone")

    look = look_twice(NumpyNet(), dn, lambda scores: np.arange(scores.size).reshape(scores.shape) == 3, read=broken)
    found = run(grid, dn, NumpyNet(), second_look=look)
    assert found.failed.sum() == 1
    assert np.isnan(found.scores).sum() == 1
    assert found.failed[0, 3]
    assert "the disk is gone" in found.problems[0].reason


def test_a_scan_is_cancelled_between_the_first_and_the_second_look():
    grid, dn = raster(420, 420)
    asked = []

    def cancelled():
        return bool(asked)

    def doubt(scores):
        asked.append(1)
        return scores >= 0

    with pytest.raises(Cancelled):
        run(grid, dn, NumpyNet(), second_look=look_twice(NumpyNet(), dn, doubt), hooks=Hooks(is_cancelled=cancelled))


def test_doubt_of_no_size_leaves_every_score_as_it_is():
    grid, dn = raster(300, 300)
    net = NumpyNet()
    doubt = Doubt(0.0)
    found = run(grid, dn, net, second_look=look_twice(None, dn, lambda scores: doubt.of(scores, 2.0)))
    np.testing.assert_allclose(found.scores, whole(net, dn), atol=1e-6)
    assert found.looked_twice == 0
