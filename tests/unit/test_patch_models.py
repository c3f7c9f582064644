"""Patch models: cards, the grid of their cells, the scan through the same engine, and adding without a trace left."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from minedisc_core import cli
from minedisc_core.detection import adding
from minedisc_core.detection.architecture import read_architecture
from minedisc_core.detection.fetching import fetch
from minedisc_core.detection.models import broken_models, fits, list_models, load_model, load_tensors, model_identity
from minedisc_core.detection.patch_cards import CARD, PatchCard, file_hash, read_patch_card, write_patch_card
from minedisc_core.detection.patch_net import completed, scaled
from minedisc_core.detection.ready_made import READY_MADE
from minedisc_core.detection.scan import TileResult, scan
from minedisc_core.detection.whole_tiles import Split, split_for_tiles
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ModelError, UsageError
from minedisc_core.grid import CellGeometry, PixelWindow, RasterGrid, Tile
from minedisc_core.jobs.listing import estimate
from minedisc_core.settings import Settings
from tests.keras_files import BANDS, CONV, DENSE, FLAT, PLAIN, card, layer, net, write_card, write_h5, write_keras

L1C = ProductLevel.L1C


def put(settings: Settings, name: str = "plain", **changes: Any) -> Path:
    """A patch model in the home, as `add_model` would leave it."""
    folder = settings.models / name
    folder.mkdir(parents=True)
    file = write_h5(folder / "model.h5")
    written = read_patch_card(write_card(folder / "given.json", **changes), is_stored=False)
    (folder / "given.json").unlink()
    done = completed(written, read_architecture(json.dumps(PLAIN), written.patch_px))
    write_patch_card(folder / CARD, dataclasses.replace(done, file="model.h5", sha256=file_hash(file)))
    return folder


# Cards


def test_a_card_that_a_person_wrote_is_read_and_written_again_the_same(tmp_path: Path) -> None:
    read = read_patch_card(write_card(tmp_path / "card.json", training={"f1": 0.9}), is_stored=False)
    assert (read.bands, read.level, read.scaling) == (BANDS, L1C, "reflectance")
    write_patch_card(tmp_path / "again.json", read)
    with pytest.raises(ModelError, match=r"not model\.keras or model\.h5"):
        read_patch_card(tmp_path / "again.json", is_stored=True)
    assert read_patch_card(tmp_path / "again.json", is_stored=False) == read


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scaling": "log"}, "the scaling is 'log'"),
        ({"scaling": "z-score"}, "0 means and 0 deviations where the scaling needs 3"),
        ({"mean": [1, 2, 3], "std": [1, 1, 1]}, "where the scaling needs 0"),
        ({"scaling": "z-score", "mean": [1, 2, 3], "std": [1, 0, 1]}, "deviation is not above 0"),
        ({"threshold": 1.0}, "the threshold is 1.0"),
        ({"threshold": "high"}, "no finite number"),
        ({"patch_px": 2}, "the patch is 2 px"),
        ({"patch_px": 8.5}, "no whole number"),
        ({"stride_px": 9}, "the stride is 9 px, the patch 8"),
        ({"stride_px": 0}, "the stride is 0 px"),
        ({"bands": ["B2", "B2", "B4"]}, "named twice"),
        ({"bands": []}, "it names 0 bands"),
        ({"licence": " "}, "no licence is stated"),
        ({"source": ""}, "no source is stated"),
        ({"level": "L3"}, "'L3' is not a valid ProductLevel"),
        ({"mine_output": -1}, "no whole number"),
        ({"kind": "discovery"}, "is of the kind 'discovery'"),
        ({"format": 9}, "in format 1"),
        ({"name": ""}, "it has no name"),
    ],
)
def test_a_card_that_cannot_be_is_refused_with_its_reason(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refused:
        read_patch_card(write_card(tmp_path / "card.json", **changes), is_stored=False)
    assert said in refused.value.found


@pytest.mark.parametrize("left_out", ["level", "bands", "scaling", "patch_px", "stride_px", "threshold", "licence"])
def test_a_card_must_state_what_is_never_guessed(left_out: str, tmp_path: Path) -> None:
    content = card()
    del content[left_out]
    (tmp_path / "card.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=f"has no '{left_out}'"):
        read_patch_card(tmp_path / "card.json", is_stored=False)


@pytest.mark.parametrize(
    ("config", "changes", "said"),
    [
        (PLAIN, {"bands": ["B2", "B3"]}, "the card names 2 bands and the net takes 3"),
        (PLAIN, {"patch_px": 16}, "patches of 16 px and the net takes 8 x 8 px"),
        (net(CONV), {}, "the net makes 6 x 6 x 2 numbers"),
        (net(FLAT, layer("Dense", "d", units=1)), {}, "does not end in a sigmoid or a softmax"),
        (net(FLAT, DENSE, layer("ReLU", "r")), {}, "does not end in a sigmoid"),
        (net(FLAT, layer("Dense", "d", units=2, activation="softmax")), {}, "which is the mine"),
        (net(FLAT, layer("Dense", "d", units=2, activation="softmax")), {"mine_output": 2}, "which is the mine"),
    ],
)
def test_card_and_net_must_belong_together(config: Any, changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    written = read_patch_card(write_card(tmp_path / "card.json", **changes), is_stored=False)
    with pytest.raises(ModelError) as refused:
        completed(written, read_architecture(json.dumps(config), 8))
    assert said in refused.value.found


def test_the_card_is_completed_with_what_the_layers_tell(tmp_path: Path) -> None:
    written = read_patch_card(write_card(tmp_path / "card.json"), is_stored=False)
    done = completed(written, read_architecture(json.dumps(PLAIN), 8))
    assert (done.mine_output, done.outputs, done.parameters, done.scored_by) == (0, 1, 129, "whole tiles")
    padded = net(layer("Conv2D", "c", filters=2, kernel_size=3, padding="same"), FLAT, DENSE)
    assert completed(written, read_architecture(json.dumps(padded), 8)).scored_by == "patches"


def test_the_ready_made_cards_are_those_of_their_makers() -> None:
    new, old = (READY_MADE[f"amazon-mining-watch-{version}"].card for version in ("v4.21", "v3.7"))
    assert new.bands == ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8A", "B8", "B9", "B10", "B11", "B12")
    assert old.bands == tuple(band for band in new.bands if band != "B10")
    assert {(c.level, c.scaling, c.patch_px, c.stride_px, c.licence) for c in (new, old)} == {
        (L1C, "reflectance", 48, 24, "MIT")
    }
    assert (new.threshold, old.threshold) == (0.5, 0.8)


def test_dn_become_what_the_net_was_trained_on(tmp_path: Path) -> None:
    dn = np.array([[[1000, 20_000, 0]]], np.uint16)
    plain = read_patch_card(write_card(tmp_path / "a.json"), is_stored=False)
    np.testing.assert_allclose(scaled(dn, None, plain), [[[0.1, 1.0, 0.0]]], atol=1e-7)
    changes = {"scaling": "z-score", "mean": [500, 10_000, 1], "std": [100, 5_000, 1]}
    z = read_patch_card(write_card(tmp_path / "b.json", **changes), is_stored=False)
    np.testing.assert_allclose(scaled(dn, None, z), [[[5, 2, -1]]], atol=1e-6)
    np.testing.assert_array_equal(scaled(dn, np.array([[True]]), z), [[[0, 0, 0]]])


# Which nets may run over whole tiles


def pool(name: str, side: int, **more: Any) -> dict[str, Any]:
    return layer("MaxPooling2D", name, pool_size=side, **more)


@pytest.mark.parametrize(
    ("layers", "stride_px", "split"),
    [
        ((CONV, FLAT, DENSE), 4, Split(1, 1, 6, 4)),
        ((CONV, pool("p", 2), FLAT, DENSE), 4, Split(2, 2, 3, 2)),
        ((CONV, pool("p", 2), FLAT, DENSE), 3, None),
        ((CONV, pool("p", 3, strides=2), layer("GlobalMaxPooling2D", "g"), DENSE), 4, Split(2, 2, 2, 2)),
        ((layer("Conv2D", "c", filters=1, kernel_size=8, activation="sigmoid"),), 4, Split(1, 1, 1, 4)),
        ((CONV, FLAT, layer("Dropout", "d", rate=0.5), DENSE), 4, Split(1, 1, 6, 4)),
        ((CONV, FLAT, layer("BatchNormalization", "b"), DENSE), 4, None),
        ((layer("Conv2D", "c", filters=1, kernel_size=3, padding="same"), FLAT, DENSE), 4, None),
        ((layer("ZeroPadding2D", "z", padding=1), CONV, FLAT, DENSE), 4, None),
        ((CONV, layer("Dense", "d", units=2), FLAT, DENSE), 4, None),
    ],
)
def test_a_net_runs_over_tiles_only_where_its_strides_and_edges_allow(
    layers: tuple[dict[str, Any], ...], stride_px: int, split: Split | None
) -> None:
    assert split_for_tiles(read_architecture(json.dumps(net(*layers)), 8), stride_px) == split


# The engine


class _Mean:
    """A net whose score of a patch is its first band's mean over 1,000."""

    def __init__(self, cells: CellGeometry) -> None:
        self.cells = cells

    def trunk(self, dn: NDArray[np.uint16], _no_data: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        side, step = self.cells.window_px, self.cells.stride_px
        windows = np.lib.stride_tricks.sliding_window_view(dn[..., 0], (side, side))[::step, ::step]
        return (windows.mean(axis=(2, 3)) / 1000).astype(np.float32)[..., None]

    def head(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return features[..., 0]


class _Kept:
    def __init__(self) -> None:
        self.kept: dict[Tile, TileResult] = {}

    def load(self, tile: Tile) -> TileResult | None:
        return self.kept.get(tile)

    def save(self, tile: Tile, result: TileResult) -> None:
        self.kept[tile] = result


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    stride=st.integers(1, 12),
    overlap=st.integers(0, 12),
    per_side=st.integers(1, 9),
    seed=st.integers(0, 9),
)
def test_every_whole_patch_is_scored_once_whatever_the_tiles(
    height: int, width: int, stride: int, overlap: int, per_side: int, seed: int
) -> None:
    patch = max(4, stride + overlap)
    cells = CellGeometry.of_patches(patch, stride)
    grid = RasterGrid(height, width, Affine(10, 0, 6e5, 0, -10, 7.8e6), "EPSG:32723", cells)
    dn = np.random.default_rng(seed).integers(1, 900, (height, width, 1)).astype(np.uint16)
    dn[np.random.default_rng(seed + 1).random((height, width)) < 0.2] = 0
    asked = np.ones(grid.cells, bool)

    def read(window: PixelWindow) -> NDArray[np.uint16]:
        assert window.row >= 0
        assert window.row + window.height <= height
        return dn[window.row : window.row + window.height, window.col : window.col + window.width]

    found = scan(grid, asked, read, _Mean(cells), _Kept(), features_per_side=per_side)
    rows, cols = grid.cells
    assert (rows, cols) == tuple(max(0, (side - patch) // stride + 1) for side in (height, width))
    for i in range(rows):
        for j in range(cols):
            window = dn[i * stride : i * stride + patch, j * stride : j * stride + patch, 0]
            share = (window == 0).mean()
            assert found.fill[i, j] == pytest.approx(share, abs=1e-6)
            expected = window.mean() / 1000 if found.fill[i, j] <= 0.5 else np.nan
            np.testing.assert_allclose(found.scores[i, j], expected, rtol=1e-5)


def test_tiles_that_are_there_are_not_scored_again() -> None:
    cells = CellGeometry.of_patches(48, 24)
    grid = RasterGrid(300, 300, Affine(10, 0, 6e5, 0, -10, 7.8e6), "EPSG:32723", cells)
    dn = np.full((300, 300, 1), 500, np.uint16)
    store, asked = _Kept(), np.ones(grid.cells, bool)
    reads: list[PixelWindow] = []

    def read(window: PixelWindow) -> NDArray[np.uint16]:
        reads.append(window)
        return dn[window.row : window.row + window.height, window.col : window.col + window.width]

    whole = scan(grid, asked, read, _Mean(cells), store, features_per_side=4)
    assert len(reads) == len(store.kept) == 9
    del store.kept[next(iter(store.kept))]
    again = scan(grid, asked, read, _Mean(cells), store, features_per_side=4)
    assert len(reads) == 10
    np.testing.assert_array_equal(whole.scores, again.scores)


def test_a_patchs_cell_lies_around_the_patchs_middle() -> None:
    cells = CellGeometry.of_patches(48, 24)
    grid = RasterGrid(480, 480, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723", cells)
    assert grid.cells == (19, 19)
    assert cells.size_px(19) == 480
    assert grid.cell_transform[:6] == (240, 0, 600_120, 0, -240, 7_799_880)
    middle = grid.lonlat(np.array([24.0]), np.array([48.0]))
    np.testing.assert_allclose(grid.cell_centres(np.array([[0, 1]])), middle, atol=1e-12)
    assert grid.peak_pixels(np.array([[0, 1]])).tolist() == [[24, 48]]
    assert grid.site_polygon(np.array([[0, 0], [0, 1]])).area == pytest.approx(
        2 * grid.cell_polygons(np.array([[0, 0]]))[0].area, rel=1e-3
    )


# Models on disk


def test_a_patch_model_is_listed_beside_the_others_and_says_what_it_is(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    put(settings)
    put(settings, "broken")
    (settings.models / "broken" / "model.h5").unlink()
    assert [m.name for m in list_models(settings)] == ["demo-l1c", "demo-l2a", "plain"]
    assert "model.h5 is missing" in broken_models(settings)[0].problem
    model = load_model("plain", settings)
    assert model.impact is None
    assert model.geometry == CellGeometry(4, 8, tail_px=4)
    assert fits(model, ("B4", "B3", "B2", "B8"), L1C) is None
    assert "needs B2, B3" in (fits(model, ("B4",), L1C) or "")
    assert "the mosaic is L2A" in (fits(model, BANDS, ProductLevel.L2A) or "")
    assert cli.main(["models", "show", "plain", "--home", str(settings.home)]) == 0
    told = capsys.readouterr().out
    assert "licence: CC0" in told
    assert "patch_px: 8" in told
    assert cli.main(["models", "list", "--home", str(settings.home), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[2]["discovery"]["stride_px"] == 4


def test_the_identity_of_a_patch_model_follows_its_file_and_its_card(settings: Settings) -> None:
    one, same = put(settings, "one"), put(settings, "same")
    other = put(settings, "other", threshold=0.7)
    identities = [model_identity(load_model(str(folder), settings)) for folder in (one, same, other)]
    assert identities[0] == identities[1] != identities[2]
    with (one / "model.h5").open("ab") as file:
        file.write(b"x")
    assert model_identity(load_model("one", settings)) != identities[0]


def test_a_patch_model_cannot_be_fine_tuned_and_two_kinds_do_not_share_a_folder(settings: Settings) -> None:
    folder = put(settings)
    with pytest.raises(ModelError, match="its net is not the paper's"):
        load_tensors(load_model("plain", settings), "discovery")
    (folder / "discovery.json").write_text("{}")
    with pytest.raises(ModelError, match="two kinds of models"):
        load_model("plain", settings)


def test_an_estimate_counts_the_patches_and_the_size_of_the_net(settings: Settings) -> None:
    put(settings)
    model = load_model("plain", settings)
    grid = RasterGrid(2000, 2000, Affine(10, 0, 6e5, 0, -10, 7.8e6), "EPSG:32723")
    large = dataclasses.replace(model.discovery, multiply_adds=10**9)
    small, slow = (estimate(grid, None, each) for each in (model, dataclasses.replace(model, discovery=large)))
    assert slow.seconds - small.seconds == pytest.approx(499**2 * 1e9 / 100e9, rel=0.01)
    assert small.km2 == pytest.approx(499**2 * 0.0016, rel=0.01)


# Adding


def left_behind(settings: Settings) -> list[str]:
    return [path.name for path in settings.models.iterdir()] if settings.models.exists() else []


HOSTILE = net(CONV, layer("Lambda", "evil"), FLAT, DENSE)


@pytest.mark.parametrize("write", [write_h5, write_keras])
def test_a_hostile_file_is_refused_by_the_command_and_leaves_nothing(
    write: Callable[..., Path], settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--card", str(write_card(tmp_path / "card.json")), "--home", str(settings.home)]
    assert cli.main(["models", "add", str(write(tmp_path / "net", HOSTILE)), *words]) == 1
    told = capsys.readouterr().err
    assert "it holds a layer of the kind 'Lambda'" in told
    assert "What to do: export the net without" in told
    assert left_behind(settings) == []


def test_a_wrong_number_of_bands_is_refused_and_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    short = write_card(tmp_path / "card.json", bands=["B2", "B3"])
    with pytest.raises(ModelError, match="the card names 2 bands and the net takes 3"):
        adding.add_model(write_h5(tmp_path / "net.h5"), short, settings)
    assert left_behind(settings) == []


@pytest.mark.parametrize("name", ["../evil", ".hidden", "a/b", "", "x" * 65, "a b", "-rf", "plain", "demo-l1c"])
def test_a_name_that_is_none_or_taken_is_refused(name: str, settings: Settings, tmp_path: Path) -> None:
    put(settings)
    known, source = "amazon-mining-watch-v3.7", str(write_h5(tmp_path / "x.h5"))
    ready = dataclasses.replace(READY_MADE[known], sha256=file_hash(Path(source)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(adding, "READY_MADE", {known: ready})
        with pytest.raises(UsageError) if name else pytest.raises(ModelError):
            adding.add_ready_made(known, source, settings, name)
    assert left_behind(settings) == ["plain"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["net.h5"], 2, "--card or --from"),
        (["net.h5", "--card", "c.json", "--from", "x"], 2, "--card or --from"),
        (["net.h5", "--card", "missing.json"], 1, "is missing or no file"),
        (["amazon-mining-watch-v9", "--from", "x.h5"], 2, "no ready-made card"),
        (["amazon-mining-watch-v3.7", "--from", "missing.h5"], 1, "is missing or no file"),
        (["amazon-mining-watch-v3.7", "--from", "ftp://example.org/x"], 1, "no address of the web"),
        (["amazon-mining-watch-v3.7", "--from", "file:///etc/passwd"], 1, "no address of the web"),
        (["amazon-mining-watch-v3.7", "--from", "net.h5"], 1, "the file is not 48px_v3.7_2024-01-10.h5"),
    ],
)
def test_what_cannot_be_added_is_said_in_one_line(
    words: list[str], code: int, said: str, settings: Settings, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_h5(tmp_path / "net.h5")
    write_card(tmp_path / "c.json")
    assert cli.main(["models", "add", *words, "--home", str(settings.home)]) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert left_behind(settings) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_refused_even_if_it_ends_the_process_that_looks_at_it(
    seed: int, settings: Settings, tmp_path: Path
) -> None:
    """The HDF5 library itself can be brought down by a damaged file: that is why it looks in a process of its own."""
    path, random = write_h5(tmp_path / "net.h5"), np.random.default_rng(seed)
    damaged = bytearray(path.read_bytes())
    for place in random.integers(8, len(damaged), 400):
        damaged[place] = random.integers(0, 256)
    path.write_bytes(bytes(damaged))
    with pytest.raises(ModelError, match=r"damaged|without an answer|cannot be used|weights"):
        adding.add_model(path, write_card(tmp_path / "card.json"), settings)
    assert left_behind(settings) == []


def test_a_trial_that_dies_or_never_ends_is_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, written = write_h5(tmp_path / "net.h5"), write_card(tmp_path / "card.json")
    monkeypatch.setattr(adding, "_TRIAL_S", 0.01)
    with pytest.raises(ModelError, match="did not score four patches"):
        adding.add_model(file, written, settings)
    monkeypatch.setattr(adding, "_TRIAL_S", 60)
    monkeypatch.setattr(adding.sys, "executable", "/bin/false")
    with pytest.raises(ModelError, match="ended without an answer"):
        adding.add_model(file, written, settings)
    assert left_behind(settings) == []


# Downloads


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """A server on loopback: its address, and what it answers by path."""
    answers: dict[str, Any] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, headers, body = answers.get(self.path, (404, {}, b""))
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", answers
    running.shutdown()
    running.server_close()


def test_a_file_is_downloaded_whole_also_over_a_redirect(server: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    address, answers = server
    answers["/net"] = (200, {"Content-Length": "5"}, b"whole")
    answers["/moved"] = (302, {"Location": "/net"}, b"")
    fetch(f"{address}/moved", tmp_path / "net", 5)
    assert (tmp_path / "net").read_bytes() == b"whole"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {}, b""), "404"),
        ((200, {"Content-Length": "9"}, b"whole"), "broke off after 5 of 9 bytes"),
        ((200, {}, b"x" * 200_000), "larger than 1,000 bytes"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "file:///etc/passwd"),
        ((302, {"Location": "ftp://127.0.0.1/x"}, b""), "ftp://127.0.0.1"),
        ((302, {"Location": "/net"}, b""), "redirect"),
    ],
)
def test_a_download_that_fails_leaves_nothing(
    answer: tuple[int, dict[str, str], bytes], said: str, server: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    address, answers = server
    answers["/net"] = answer
    with pytest.raises(ModelError) as refused:
        fetch(f"{address}/net", tmp_path / "net", 1_000)
    assert said in refused.value.found
    assert list(tmp_path.iterdir()) == []


def test_a_download_of_another_file_is_refused(
    server: tuple[str, dict[str, Any]], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    address, answers = server
    answers["/net"] = (200, {}, b"not the model")
    words = ["models", "add", "amazon-mining-watch-v4.21", "--from", f"{address}/net", "--home", str(settings.home)]
    assert cli.main(words) == 1
    assert "its SHA-256 is" in capsys.readouterr().err
    assert left_behind(settings) == []


def test_nobody_answers(settings: Settings) -> None:
    with pytest.raises(ModelError, match="could not be downloaded"):
        adding.add_ready_made("amazon-mining-watch-v4.21", "http://127.0.0.1:9/x", settings)
    assert left_behind(settings) == []


def test_a_card_of_a_patch_model_is_its_own_kind(tmp_path: Path) -> None:
    read = read_patch_card(write_card(tmp_path / "card.json"), is_stored=False)
    assert isinstance(read, PatchCard)
    assert read.net == "discovery"
