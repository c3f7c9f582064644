"""The nets in TensorFlow: parameters, geometry, and the scan's split and folded form of them."""

import numpy as np
import pytest
from affine import Affine

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.networks import (
    build_discovery,
    build_impact,
    get_tensors,
    head_view,
    set_tensors,
    tensor_shapes,
    trunk_view,
)
from minedisc_core.detection.scan import scan
from minedisc_core.detection.scorer import DiscoveryNet, ImpactNet
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ModelError
from minedisc_core.grid import CONTEXT_PX, RasterGrid, cells_along

pytestmark = pytest.mark.tensorflow
BANDS = tuple(f"B{k}" for k in range(1, 13))
RANDOM = np.random.default_rng(5)
MEAN = tuple(float(v) for v in RANDOM.uniform(300, 2_500, 12))
STD = tuple(float(v) for v in RANDOM.uniform(80, 700, 12))


def weights(net, bands=12):
    random = np.random.default_rng(11)
    found = {}
    for name, shape in tensor_shapes(net, bands).items():
        spread = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        found[name] = random.normal(0, spread, shape).astype(np.float32)
    return found


def card(net):
    return ModelCard("t", "1", net, ProductLevel.L1C, BANDS, MEAN, STD)


def scene(height, width, gaps=True):
    dn = RANDOM.normal(MEAN, STD, (height, width, 12)).clip(1, 12_000).astype(np.uint16)
    if gaps:
        dn[20:60, 100:130] = 0
        dn[150:160, :, 3] = 0
    return dn


def z_scored(dn):
    z = (dn.astype(np.float64) - MEAN) / STD
    z[(dn == 0).any(axis=-1)] = 0
    return z.astype(np.float32)


@pytest.fixture(scope="module")
def discovery():
    network = build_discovery(12)
    set_tensors(network, weights("discovery"))
    return network


def test_the_nets_hold_the_numbers_of_parameters_that_the_paper_gives():
    assert build_discovery(12).count_params() == 259_810
    assert build_impact(12).count_params() == 2_373_219


@pytest.mark.parametrize("bands", [3, 4, 13])
def test_any_number_of_bands_makes_a_net_with_the_tensors_that_are_expected(bands):
    for net, build in (("discovery", build_discovery), ("impact", build_impact)):
        found = {name: values.shape for name, values in get_tensors(build(bands)).items()}
        assert found == tensor_shapes(net, bands)


def test_tensors_of_another_net_are_refused(discovery):
    with pytest.raises(ModelError):
        set_tensors(discovery, weights("discovery", bands=3))
    with pytest.raises(ModelError):
        set_tensors(discovery, {})


@pytest.mark.parametrize(("height", "width"), [(201, 201), (215, 242), (188 + 27, 300)])
def test_a_raster_gives_as_many_cells_as_the_grid_says(discovery, height, width):
    given = RANDOM.normal(size=(1, height, width, 12)).astype(np.float32)
    assert discovery(given).shape == (1, cells_along(height), cells_along(width), 2)


def test_trunk_and_head_together_are_the_net(discovery):
    given = RANDOM.normal(size=(1, 270, 243, 12)).astype(np.float32)
    split = head_view(discovery)(trunk_view(discovery)(given))
    np.testing.assert_allclose(split, discovery(given), atol=1e-6)


def test_a_cell_looks_at_215_pixels_and_no_further(discovery):
    given = RANDOM.normal(size=(1, 270, 270, 12)).astype(np.float32)
    before = np.asarray(discovery(given))[0, 1, 1, 1]
    touched = {}
    for row in (13, 14, 228, 229):
        changed = given.copy()
        changed[0, row] += 50
        touched[row] = np.asarray(discovery(changed))[0, 1, 1, 1] != before
    assert touched == {13: False, 14: True, 228: True, 229: False}


def test_the_middle_cell_of_a_255_px_window_scores_as_in_the_scene(discovery):
    given = RANDOM.normal(size=(1, 500, 500, 12)).astype(np.float32)
    whole = np.asarray(discovery(given))[0]
    i, j = 4, 6
    top, left = 27 * i - 27, 27 * j - 27
    window = given[:, top : top + CONTEXT_PX, left : left + CONTEXT_PX]
    np.testing.assert_allclose(np.asarray(discovery(window))[0, 1, 1], whole[i, j], atol=1e-6)


class Memory(dict):
    def load(self, tile):
        return self.get(tile)

    def save(self, tile, result):
        self[tile] = result


@pytest.mark.parametrize(("size", "side"), [((420, 533), 4), ((420, 533), 7), ((705, 402), 11), ((705, 402), 32)])
def test_the_tiled_scan_equals_the_net_over_the_whole_scene(discovery, size, side):
    dn = scene(*size)
    grid = RasterGrid(*size, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
    banded = np.moveaxis(np.ascontiguousarray(np.moveaxis(dn, -1, 0)), 0, -1)

    def read(window):
        return banded[window.row : window.row + window.height, window.col : window.col + window.width]

    net = DiscoveryNet(card("discovery"), weights("discovery"), 1)
    found = scan(grid, np.ones(grid.cells, bool), read, net, Memory(), features_per_side=side)
    whole = net.head(net.trunk(dn, (dn == 0).any(axis=-1)))
    assert whole.std() > 0.02
    np.testing.assert_allclose(found.scores, whole, atol=1e-6)
    plain = np.asarray(discovery(z_scored(dn)[None]))[0, :, :, 1]
    np.testing.assert_allclose(found.scores, plain, atol=1e-5)  # other order of the same float32 sums


def test_the_impact_net_on_dn_equals_the_keras_net_on_z_scores():
    network = build_impact(12)
    set_tensors(network, weights("impact"))
    patches = np.stack([scene(21, 140)[:, k : k + 21] for k in range(0, 110, 10)])
    found = ImpactNet(card("impact"), weights("impact")).probabilities(patches)
    np.testing.assert_allclose(found, network(z_scored(patches)), atol=2e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_no_patches_have_no_probabilities():
    found = ImpactNet(card("impact"), weights("impact")).probabilities(np.zeros((0, 21, 21, 12), np.uint16))
    assert found.shape == (0, 3)
