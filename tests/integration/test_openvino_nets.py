"""The nets in OpenVINO: as TensorFlow scores, exact at the seams, from several threads, and without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from minedisc_core.detection import openvino_nets, openvino_runtime
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.engines import OpenVinoEngine, TensorFlowEngine, first_that_agrees
from minedisc_core.detection.models import load_model, save_model
from minedisc_core.detection.networks import tensor_shapes
from minedisc_core.detection.openvino_nets import OpenVinoDiscovery, OpenVinoImpact
from minedisc_core.detection.openvino_runtime import Threads
from minedisc_core.detection.scan import SecondLook, scan
from minedisc_core.domain import ProductLevel
from minedisc_core.engine_record import EngineRecord
from minedisc_core.errors import ModelError
from minedisc_core.grid import RasterGrid
from minedisc_core.runs import TILES
from minedisc_core.settings import PROJECT_ROOT, load_settings

pytestmark = pytest.mark.skipif(not openvino_runtime.is_installed(), reason="not published for this platform")
BANDS = tuple(f"B{k}" for k in range(1, 13))
RANDOM = np.random.default_rng(5)
MEAN = tuple(float(v) for v in RANDOM.integers(300, 2_500, 12))
STD = tuple(float(v) for v in RANDOM.integers(80, 700, 12))


def weights(net: str, bands: int = 12) -> dict[str, np.ndarray]:
    random = np.random.default_rng(11)
    found = {}
    for name, shape in tensor_shapes(net, bands).items():
        spread = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        found[name] = random.normal(0, spread, shape).astype(np.float32)
    return found


def card(net: str) -> ModelCard:
    classes = {"classes": ("high", "low", "no_ore")} if net == "impact" else {}
    return ModelCard("t", "1", net, ProductLevel.L1C, BANDS, MEAN, STD, **classes)


def scene(height: int, width: int) -> np.ndarray:
    """Bands one after the other in memory, with gaps, as they come from a file."""
    dn = RANDOM.normal(MEAN, STD, (height, width, 12)).clip(1, 12_000).astype(np.uint16)
    dn[20:60, 100:130] = 0
    dn[150:160, :, 3] = 0
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(dn, -1, 0)), 0, -1)


def gaps(dn: np.ndarray) -> np.ndarray:
    return (dn == 0).any(axis=-1)


def net_of(precision: str, callers: int = 1) -> OpenVinoDiscovery:
    return OpenVinoDiscovery(card("discovery"), weights("discovery"), precision, Threads(callers, 1))


class Memory(dict):
    load = dict.get

    def save(self, tile: object, result: object) -> None:
        self[tile] = result


def scanned(net: OpenVinoDiscovery, dn: np.ndarray, side: int, second_look: SecondLook | None = None) -> np.ndarray:
    grid = RasterGrid(*dn.shape[:2], Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")

    def read(window: object) -> np.ndarray:
        return dn[window.row : window.row + window.height, window.col : window.col + window.width]

    asked = np.ones(grid.cells, bool)
    return scan(grid, asked, read, net, Memory(), features_per_side=side, second_look=second_look).scores


@pytest.mark.tensorflow
def test_both_nets_score_as_tensorflow_does_and_are_proved_by_the_probe(tmp_path: Path) -> None:
    dn, threads = scene(353, 402), Threads()
    reference, found = TensorFlowEngine(threads), OpenVinoEngine("f32", threads)
    right, net = (engine.discovery(card("discovery"), weights("discovery")) for engine in (reference, found))
    scores = net.head(net.trunk(dn, gaps(dn)))
    assert scores.std() > 0.02
    np.testing.assert_allclose(scores, right.head(right.trunk(dn, gaps(dn))), atol=1e-5)
    np.testing.assert_allclose(net.trunk(dn, None), right.trunk(dn, None), atol=1e-4)
    patches = np.stack([dn[30:51, k : k + 21] for k in range(90, 140, 5)])
    first, second = (engine.impact(card("impact"), weights("impact")) for engine in (reference, found))
    np.testing.assert_allclose(second.probabilities(patches), first.probabilities(patches), atol=1e-5)

    save_model(tmp_path / "m", (card("discovery"), weights("discovery")), (card("impact"), weights("impact")))
    model = load_model(tmp_path / "m", load_settings({}, tmp_path))
    loaded = first_that_agrees(model, [found], reference, tmp_path / "cache")
    assert loaded.engine.refused == ()
    assert loaded.engine.largest_difference <= found.allowed
    loaded = first_that_agrees(model, [Tampered("f32", threads)], reference, tmp_path / "cache")
    assert loaded.engine.name == "tensorflow"
    assert "was refused" in loaded.engine.refused[0]


@pytest.mark.tensorflow
@pytest.mark.skipif(not openvino_runtime.has_bf16(), reason="this processor does not multiply bfloat16")
def test_the_shipped_l1c_model_agrees_in_bfloat16_and_hits_are_decided_in_float32(tmp_path: Path) -> None:
    model, threads = load_model("demo-l1c", load_settings({}, tmp_path)), Threads()
    loaded = first_that_agrees(model, [OpenVinoEngine("bf16", threads)], TensorFlowEngine(threads), tmp_path / "cache")
    assert loaded.engine.name == "openvino-bf16"
    assert 1e-5 < loaded.engine.largest_difference <= 5e-3
    assert loaded.exact is not None
    assert loaded.exact.doubt.margin == 0.01


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_bias_keeps_its_digits_though_openvino_rounds_those_of_a_layer_in_bfloat16(precision: str) -> None:
    given = weights("discovery")
    given["conv3/kernel"] *= 0
    net = OpenVinoDiscovery(card("discovery"), given, precision, Threads())
    features = net.trunk(scene(162, 135), None)
    expected = np.broadcast_to(np.maximum(given["conv3/bias"], 0), features.shape)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-7)


class Tampered(OpenVinoEngine):
    """One of the first layer's 3,456 factors is a thousandth larger."""

    @property
    def identity(self) -> tuple[str, ...]:
        return "tampered", *super().identity[1:]

    def discovery(self, card: ModelCard, tensors: dict[str, np.ndarray]) -> OpenVinoDiscovery:
        kernel = tensors["conv1/kernel"].copy()
        kernel[1, 1, 0] *= 1.01
        return super().discovery(card, {**tensors, "conv1/kernel": kernel})


@pytest.mark.parametrize(("size", "side"), [((420, 533), 4), ((420, 533), 7), ((705, 402), 11), ((705, 402), 32)])
def test_the_tiled_scan_equals_one_pass_over_the_whole_scene(size: tuple[int, int], side: int) -> None:
    dn, net = scene(*size), net_of("f32", 2)
    whole = net.head(net.trunk(dn, gaps(dn)))
    assert whole.std() > 0.02
    np.testing.assert_allclose(scanned(net, dn, side), whole, atol=1e-6)


def test_a_second_look_brings_rounded_scores_back_to_the_exact_ones() -> None:
    dn, exact, rounded = scene(560, 480), net_of("f32", 2), net_of("bf16", 2)
    whole = exact.head(exact.trunk(dn, gaps(dn)))

    def read(window: object) -> np.ndarray:
        return dn[window.row : window.row + window.height, window.col : window.col + window.width]

    all_twice = scanned(rounded, dn, 7, SecondLook(exact, lambda scores: scores >= 0, read))
    np.testing.assert_allclose(all_twice, whole, atol=1e-6)
    if openvino_runtime.has_bf16():
        assert np.abs(scanned(rounded, dn, 7) - whole).max() > 1e-6, "nothing was rounded: this test shows nothing"


@pytest.mark.parametrize("size", [(215, 189), (27, 27), (53, 80), (54 * 3, 90), (54 * 3 + 1, 91), (54 * 3 + 2, 92)])
def test_strips_of_any_height_give_the_features_of_the_tile(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dn, net = scene(260, 260)[: size[0], : size[1]], net_of("f32")
    features = net.trunk(dn, None)
    assert features.shape == (size[0] // 27, size[1] // 27, 64)
    monkeypatch.setattr(openvino_nets, "STRIP_PX", 3_000)
    np.testing.assert_allclose(features, net_of("f32").trunk(dn, None), atol=1e-5)


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_many_threads_at_once_get_what_one_gets(precision: str) -> None:
    net = net_of(precision, 2)
    tiles = [scene(190 + 27 * k, 300 - 27 * k) for k in range(4)] * 3
    alone = [net.trunk(tile, gaps(tile)) for tile in tiles]
    with ThreadPoolExecutor(5) as pool:
        together = list(pool.map(lambda tile: net.trunk(tile, gaps(tile)), tiles))
        heads = list(pool.map(net.head, alone))
    for found, right, scores in zip(together, alone, heads, strict=True):
        np.testing.assert_array_equal(found, right)
        np.testing.assert_array_equal(scores, net.head(right))


def test_more_widths_than_are_kept_score_the_same() -> None:
    few = OpenVinoDiscovery(card("discovery"), weights("discovery"), "f32", Threads(), 1)
    many = net_of("f32")
    for width in (190, 217, 250):
        dn = scene(260, width)
        np.testing.assert_allclose(few.trunk(dn, None), many.trunk(dn, None), atol=1e-5)


def test_other_numbers_of_bands_and_patches_are_scored_too() -> None:
    three = ModelCard("t", "1", "discovery", ProductLevel.L1C, BANDS[:3], MEAN[:3], STD[:3])
    net = OpenVinoDiscovery(three, weights("discovery", 3), "f32", Threads())
    assert net.head(net.trunk(scene(230, 260)[..., :3], None)).shape == (2, 3)
    impact = OpenVinoImpact(card("impact"), weights("impact"), Threads())
    assert impact.probabilities(np.zeros((0, 21, 21, 12), np.uint16)).shape == (0, 3)
    many = impact.probabilities(np.stack([scene(160, 200)[:21, :21]] * 300))
    assert many.shape == (300, 3)
    np.testing.assert_allclose(many.sum(axis=1), 1, atol=1e-6)


def test_what_openvino_cannot_do_is_an_error_with_a_remedy() -> None:
    with pytest.raises(ModelError, match="OpenVINO could not run the net") as caught:
        net_of("f32").head(np.zeros((9, 9, 63), np.float32))
    assert caught.value.remedy


@pytest.fixture
def proved_home(tmp_path: Path) -> dict[str, str]:
    """Settings with a cache of its own, in which the demonstration model is proved."""
    return {"MINEDISC_HOME": str(tmp_path / "home"), "MINEDISC_ENGINE_CACHE": str(tmp_path / "cache")}


@pytest.mark.tensorflow
def test_a_proved_model_is_scanned_without_tensorflow_and_a_resumed_run_keeps_one_engine(
    tmp_path: Path, proved_home: dict[str, str], write_raster: Callable[..., Path]
) -> None:
    mosaic = write_raster(scene(420, 420), bands=BANDS)
    run = tmp_path / "run"
    scan_words = ["scan", "--mosaic", str(mosaic), "--model", "demo-l1c", "--run", str(run), "--level", "L1C", "--json"]
    first, seen = minedisc(proved_home, *scan_words)
    assert first["engine"]["name"] in ("openvino", "openvino-bf16")
    assert seen == ["tensorflow"], "the first use compares with TensorFlow"
    (run / "result.json").unlink()
    again, seen = minedisc(proved_home, *scan_words, "--resume")
    assert (again["engine"], seen) == (first["engine"], [])
    assert len(list((run / TILES).glob("*.npz"))) == 1

    before = {path: path.stat().st_mtime_ns for path in (run / TILES).glob("*.npz")}
    (run / "result.json").unlink()
    other, _ = minedisc(proved_home, *scan_words, "--resume", "--engine", "tensorflow")
    assert EngineRecord(**{**other["engine"], "refused": ()}).name == "tensorflow"
    assert {path: path.stat().st_mtime_ns for path in (run / TILES).glob("*.npz")} != before
    assert "another engine scored them" in (run / "progress.jsonl").read_text()


def minedisc(environment: dict[str, str], *words: str) -> tuple[dict[str, object], list[str]]:
    """What the command prints, and whether TensorFlow was imported."""
    code = (
        "import sys, json\n"
        "from minedisc_core.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.stderr.write('\\nimported ' + json.dumps([n for n in ('tensorflow', 'keras') if n in sys.modules][:1]))\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=300,
        env={"PATH": "", "HOME": environment["MINEDISC_HOME"], "PYTHONPATH": str(PROJECT_ROOT), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), json.loads(done.stderr.rsplit("imported ", 1)[1])
