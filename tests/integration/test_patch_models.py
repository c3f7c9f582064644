"""Patch models in TensorFlow: as plain Keras scores them, through the engine, into the review, with a second model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minedisc_core import cli, service
from minedisc_core.detection.adding import add_model
from minedisc_core.detection.keras_files import load_net
from minedisc_core.detection.models import load_model
from minedisc_core.detection.networks import keras
from minedisc_core.detection.patch_cards import PatchCard, read_patch_card
from minedisc_core.detection.patch_net import PatchNet, completed, load_patch_net, scaled
from minedisc_core.errors import Cancelled, ModelError
from minedisc_core.jobs.request import ScanRequest
from minedisc_core.jobs.run import run_scan
from minedisc_core.jobs.second_dates import run_grid
from minedisc_core.runs import CANCEL, TILES, read_sites
from minedisc_core.settings import Settings
from minedisc_core.store import CandidateFilter, Store
from tests.keras_files import write_card

pytestmark = pytest.mark.tensorflow
BANDS, PATCH, STRIDE = ("B2", "B3", "B4"), 24, 12


def nets() -> dict[str, Any]:
    """Small nets of every kind that is told apart: name to Keras model."""
    layers, given = keras().layers, lambda side=PATCH: keras().Input((side, side, 3))
    out = {"activation": "sigmoid"}
    branched = given()
    left = layers.Conv2D(4, 3, padding="same", activation="relu")(branched)
    right = layers.Conv2D(4, 3, padding="same")(branched)
    joined = layers.Concatenate()([layers.Add()([left, right]), right])
    joined = layers.SeparableConv2D(5, 3, activation="relu")(layers.DepthwiseConv2D(3)(joined))
    ended = layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(joined))
    sequence = keras().Sequential
    return {
        "padded": sequence([
            given(), layers.Conv2D(6, 3, padding="same", activation="relu"), layers.BatchNormalization(),
            layers.MaxPooling2D(2), layers.Conv2D(4, 3, padding="same"), layers.LeakyReLU(), layers.Flatten(),
            layers.Dense(8, activation="relu"), layers.Dropout(0.3), layers.Dense(1, **out)]),
        "branched": keras().Model(branched, ended),
        "all valid": sequence([
            given(), layers.Conv2D(6, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(3),
            layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(), layers.Dropout(0.2),
            layers.Dense(9, activation="relu"), layers.Dense(2, activation="softmax")]),
        "pooled": sequence([
            given(None), layers.Rescaling(2.0), layers.Conv2D(5, 5, strides=2, activation="tanh"),
            layers.AveragePooling2D(2, strides=1), layers.GlobalMaxPooling2D(), layers.Dense(1, **out)]),
        "fully convolutional": sequence([
            given(None), layers.Conv2D(5, 3, strides=3, activation="relu"), layers.Conv2D(7, 8, activation="relu"),
            layers.Dropout(0.5), layers.Conv2D(1, 1, **out)]),
    }  # fmt: skip


OVER_TILES = {"all valid", "pooled", "fully convolutional"}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    keras().utils.set_random_seed(7)
    found = nets()
    random = np.random.default_rng(3)
    for network in found.values():
        for weight in network.weights:
            if "variance" not in weight.path:
                weight.assign(random.normal(0, 0.25, weight.shape))
    return found


def card_of(tmp_path: Path, network: Any, **changes: Any) -> Path:
    more = {"mine_output": 1} if network.output_shape[-1] == 2 else {}
    return write_card(tmp_path / "card.json", patch_px=PATCH, stride_px=STRIDE, **more, **changes)


def ground(height: int, width: int, seed: int = 0) -> NDArray[np.uint16]:
    """Noise on places of different brightness."""
    random = np.random.default_rng(seed)
    level = random.integers(1, 11_000, (height // 20 + 1, width // 20 + 1, 3)).repeat(20, 0).repeat(20, 1)
    return (level[:height, :width] + random.integers(0, 1_000, (height, width, 3))).astype(np.uint16)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", ["padded", "branched", "all valid", "pooled", "fully convolutional"])
def test_every_patch_scores_as_in_plain_keras(name: str, suffix: str, made: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    made[name].save(path)
    written = read_patch_card(card_of(tmp_path, made[name]), is_stored=False)
    architecture, network = load_net(path, PATCH)
    card = completed(written, architecture)
    net = PatchNet(card, architecture, network)
    assert net.runs_over_tiles == (name in OVER_TILES)
    assert card.scored_by == ("whole tiles" if name in OVER_TILES else "patches")
    dn = ground(14 * STRIDE + PATCH + 5, 5 * STRIDE + PATCH + 11)
    scores = net.head(net.trunk(dn, None))
    assert scores.shape == (15, 6)
    plain = keras().models.load_model(path, compile=False)
    patches = np.stack([
        scaled(dn, None, card)[STRIDE * i : STRIDE * i + PATCH, STRIDE * j : STRIDE * j + PATCH]
        for i in range(15) for j in range(6)
    ])  # fmt: skip
    expected = plain.predict(patches, verbose=0).reshape(len(patches), -1)[:, card.mine_output].reshape(15, 6)
    assert np.ptp(expected) > 0.01
    assert np.abs(scores - expected).max() < 1e-5


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net whose score is high where a patch is bright, as a file; its middle is DN 5,000."""
    layers = keras().layers
    network = keras().Sequential([
        keras().Input((PATCH, PATCH, 3)), layers.Conv2D(1, 3, padding="same"), layers.Flatten(),
        layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    conv, _, dense = network.layers
    conv.set_weights([np.pad(np.full((1, 1, 3, 1), 1 / 3), ((1, 1), (1, 1), (0, 0), (0, 0))), np.zeros(1)])
    dense.set_weights([np.full((PATCH * PATCH, 1), 20 / PATCH**2), np.full(1, -10.0)])
    path = tmp_path_factory.mktemp("detector") / "bright.keras"
    network.save(path)
    return path


@pytest.fixture
def bright(detector: Path, settings: Settings, tmp_path: Path) -> Settings:
    """A home with the model `bright`."""
    add_model(detector, write_card(tmp_path / "bright.json", patch_px=PATCH, stride_px=STRIDE), settings, "bright")
    return settings


@pytest.fixture
def mosaic(write_raster: Callable[..., Path]) -> tuple[str, NDArray[np.uint16]]:
    """Dark ground with one bright square, and a strip without data."""
    dn = np.full((700, 650, 3), 1_000, np.uint16)
    dn += np.random.default_rng(0).integers(0, 200, dn.shape).astype(np.uint16)
    dn[300:360, 240:312] = 9_000
    dn[:, 600:] = 0
    path = write_raster(dn, "mosaic.tif", bands=BANDS, tiled=True)
    return str(path), dn


def test_a_patch_model_scans_is_cancelled_resumed_and_reviewed(
    bright: Settings, mosaic: tuple[str, NDArray[np.uint16]], capsys: pytest.CaptureFixture[str]
) -> None:
    path, dn = mosaic
    request = ScanRequest((path,), "bright", level=service_level())
    run = bright.runs / "20260101-000000-aaaa"

    def cancel(progress: Any) -> None:
        if progress.tiles_done:
            (run / CANCEL).touch()

    with pytest.raises(Cancelled):
        run_scan(request, run, on_progress=cancel, settings=bright)
    assert list((run / TILES).glob("*.npz"))
    summary = run_scan(request, run, resume=True, settings=bright)
    rows, cols = (700 - PATCH) // STRIDE + 1, (650 - PATCH) // STRIDE + 1
    assert summary.coverage.cells_asked == rows * cols
    assert summary.coverage.cells_no_data > 0
    assert summary.sites == 1
    grid = run_grid(run)
    assert grid.geometry == load_model("bright", bright).geometry
    assert grid.cells == (rows, cols)
    site = read_sites(run)[0]
    assert 300 <= site.peak_row_px < 360
    assert 240 <= site.peak_col_px < 312
    cards = load_model("bright", bright).discovery
    assert isinstance(cards, PatchCard)
    net = load_patch_net(bright.models / "bright", cards)
    whole = net.head(net.trunk(dn, dn.min(axis=-1) == 0))
    hits = whole[:, : (600 - PATCH) // STRIDE + 1] > 0.5
    assert site.cells == hits.sum()
    assert site.score == pytest.approx(whole.max(), abs=1e-6)
    assert cli.main(["take-in", str(run), "--home", str(bright.home)]) == 0
    assert cli.main(["candidates", "--home", str(bright.home), "--json"]) == 0
    found = json.loads("[" + capsys.readouterr().out.partition("\n[")[2])
    assert [(each["model"], each["impact"], each["second_score"]) for each in found] == [("bright", "unknown", None)]


def service_level() -> Any:
    from minedisc_core.domain import ProductLevel

    return ProductLevel.L1C


def test_a_second_model_scores_the_candidates_of_the_first(
    bright: Settings, detector: Path, mosaic: tuple[str, NDArray[np.uint16]], tmp_path: Path
) -> None:
    other = write_card(tmp_path / "other.json", patch_px=PATCH, stride_px=8, threshold=0.9999)
    add_model(detector, other, bright, "strict")
    runs = {}
    with Store.open(bright.database) as store:
        for number, model in enumerate(("bright", "strict")):
            run = bright.runs / f"20260101-00000{number}-aaaa"
            runs[model] = run_scan(ScanRequest((mosaic[0],), model, level=service_level(), pictures=False), run,
                                   settings=bright)  # fmt: skip
            service.take_in(store, bright, str(run))
        found = store.candidates(CandidateFilter(order="disagreement"))
        assert [each.model for each in found][:1] == ["bright"]
        second = found[0].second
        assert second is not None
        assert (second.model, second.threshold, second.is_hit) == ("strict", 0.9999, second.score > 0.9999)
        assert second.score > 0.9


def test_a_file_that_was_changed_after_it_was_added_is_not_loaded(bright: Settings) -> None:
    model = load_model("bright", bright)
    with (model.folder / "model.keras").open("ab") as file:
        file.write(b"\0")
    assert isinstance(model.discovery, PatchCard)
    with pytest.raises(ModelError, match="is not the file that was added"):
        load_patch_net(model.folder, model.discovery)


def test_the_page_process_imports_no_tensorflow_to_add_or_list(
    detector: Path, settings: Settings, tmp_path: Path
) -> None:
    written = write_card(tmp_path / "card.json", patch_px=PATCH, stride_px=STRIDE)
    code = (
        "import sys; from minedisc_core import cli;"
        f"code = cli.main(['models', 'add', {str(detector)!r}, '--card', {str(written)!r}, '--name', 'x',"
        f" '--home', {str(settings.home)!r}]) or cli.main(['models', 'list', '--home', {str(settings.home)!r}]);"
        "sys.exit(code or 10 * ('tensorflow' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "x is added" in done.stdout
