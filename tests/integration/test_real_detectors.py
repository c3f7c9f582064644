"""Amazon Mining Watch's own files: taken by their hashes, and scored as plain Keras scores them."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from minedisc_core.detection.adding import add_ready_made
from minedisc_core.detection.keras_files import load_net
from minedisc_core.detection.networks import keras
from minedisc_core.detection.patch_cards import PatchCard, read_patch_card
from minedisc_core.detection.patch_net import PatchNet, completed, load_patch_net
from minedisc_core.detection.ready_made import READY_MADE
from minedisc_core.settings import Settings
from tests.keras_files import write_card

pytestmark = [pytest.mark.trial, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def ground() -> np.ndarray:
    """DN of 7 x 5 patches of 48 px, smooth and rough places beside each other."""
    random = np.random.default_rng(1)
    level = random.integers(200, 4_000, (9, 7, 13))
    return (level.repeat(24, 0).repeat(24, 1) + random.integers(0, 600, (216, 168, 13))).astype(np.uint16)


@pytest.fixture
def address(trial_data: Path) -> Iterator[str]:
    """The folder of the files, served on loopback."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(trial_data / "models"))
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize(("name", "is_downloaded"), list(zip(READY_MADE, (False, True), strict=True)))
def test_a_ready_made_model_scores_as_plain_keras(
    name: str, is_downloaded: bool, trial_data: Path, address: str, settings: Settings, ground: np.ndarray
) -> None:
    file = trial_data / "models" / READY_MADE[name].file_name
    model = add_ready_made(name, f"{address}/{file.name}" if is_downloaded else str(file), settings)
    card = model.discovery
    assert isinstance(card, PatchCard)
    assert (card.scored_by, card.outputs, card.mine_output) == ("patches", 1, 0)
    dn = ground[..., : len(card.bands)]
    net = load_patch_net(model.folder, card)
    scores = net.head(net.trunk(dn, None))
    plain = keras().models.load_model(file, compile=False)
    pixels = np.clip(dn / 10_000, 0, 1).astype(np.float32)
    patches = np.stack([pixels[24 * i : 24 * i + 48, 24 * j : 24 * j + 48] for i in range(8) for j in range(6)])
    expected = plain.predict(patches, verbose=0).reshape(8, 6)
    assert scores.shape == (8, 6)
    assert np.abs(scores - expected).max() < 1e-4


def test_the_28_px_net_runs_over_whole_tiles_with_the_same_scores(
    trial_data: Path, tmp_path: Path, ground: np.ndarray
) -> None:
    file = trial_data / "models" / "28_px_v9.h5"
    bands = list(READY_MADE["amazon-mining-watch-v3.7"].card.bands)
    for stride, over_tiles in ((9, True), (14, False)):
        written = write_card(tmp_path / "card.json", bands=bands, patch_px=28, stride_px=stride, mine_output=1)
        architecture, network = load_net(file, 28)
        card = completed(read_patch_card(written, is_stored=False), architecture)
        net = PatchNet(card, architecture, network)
        assert net.runs_over_tiles == over_tiles
        dn = ground[..., :12]
        scores = net.head(net.trunk(dn, None))
        pixels = np.clip(dn / 10_000, 0, 1).astype(np.float32)
        rows, cols = scores.shape
        patches = np.stack([
            pixels[stride * i : stride * i + 28, stride * j : stride * j + 28] for i in range(rows) for j in range(cols)
        ])  # fmt: skip
        plain = keras().models.load_model(file, compile=False)
        expected = plain.predict(patches, verbose=0)[:, 1].reshape(rows, cols)
        assert np.abs(scores - expected).max() < 1e-4
