"""Model folders: cards, weights, and what hostile or broken ones are answered."""

import json
import os
import struct

import numpy as np
import pytest

from minedisc_core.detection.cards import ORES, ModelCard, read_card
from minedisc_core.detection.models import (
    broken_models,
    fits,
    list_models,
    load_model,
    load_tensors,
    model_identity,
    save_model,
)
from minedisc_core.detection.networks import parameter_count, tensor_shapes
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ModelError, UsageError

BANDS = ("B2", "B3", "B4")


def card(net="discovery", **more):
    facts = {"level": ProductLevel.L1C, "bands": BANDS, "mean": (900.0, 800.0, 700.0), "std": (90.0, 80.0, 70.0)}
    if net == "impact":
        facts |= {"classes": ("high", "low", "no_ore"), "ores": dict(ORES)}
    return ModelCard(name="test", version="1", net=net, **{**facts, **more})


def tensors(net="discovery", bands=3, dtype=np.float32):
    random = np.random.default_rng(0)
    return {name: random.normal(size=shape).astype(dtype) for name, shape in tensor_shapes(net, bands).items()}


@pytest.fixture(scope="session")
def impact_weights():
    return tensors("impact", dtype=np.float16)


@pytest.fixture
def folder(settings, impact_weights):
    path = settings.models / "mine-net"
    save_model(path, (card(threshold=0.7), tensors()), (card("impact"), impact_weights))
    return path


def edit(path, **changes):
    content = json.loads(path.read_text())
    for name, value in changes.items():
        content.pop(name) if value is KeyError else content.__setitem__(name, value)
    path.write_text(json.dumps(content))


def with_header(path, header, data=b""):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_the_nets_have_the_parameters_of_the_paper():
    assert parameter_count("discovery", 12) == 259_810
    assert parameter_count("impact", 12) == 2_373_219


def test_a_saved_model_is_loaded_by_name_and_by_folder(folder, settings):
    by_name, by_folder = load_model("mine-net", settings), load_model(folder, settings)
    assert by_name == by_folder
    assert by_name.discovery == card(threshold=0.7)
    assert by_name.impact == card("impact")


@pytest.mark.parametrize("name", ["Pará 2024", "v2 (new)", "~m", "a" * 90])
def test_every_model_that_is_listed_is_loaded_by_its_name(folder, settings, name):
    folder.rename(folder.with_name(name))
    assert name in [model.name for model in list_models(settings)]
    assert load_model(name, settings).folder == folder.with_name(name)


def test_weights_come_back_as_they_were(folder, settings, impact_weights):
    model = load_model(folder, settings)
    for net, saved in (("discovery", tensors()), ("impact", impact_weights)):
        found = load_tensors(model, net)
        assert list(found) == list(tensor_shapes(net, 3))
        assert all(found[name].dtype == np.float32 for name in found)
        assert all((found[name] == saved[name].astype(np.float32)).all() for name in saved)


def test_a_model_without_an_impact_net_says_so(settings):
    save_model(settings.models / "lone", (card(), tensors()))
    model = load_model("lone", settings)
    assert model.impact is None
    with pytest.raises(ModelError, match="no impact net"):
        load_tensors(model, "impact")


def test_saving_without_an_impact_net_takes_the_old_one_away(folder, settings):
    save_model(folder, (card(), tensors()))
    assert load_model(folder, settings).impact is None


def test_the_identity_follows_cards_and_weights(folder, settings):
    before = model_identity(load_model(folder, settings))
    edit(folder / "discovery.json", threshold=0.8)
    after_card = model_identity(load_model(folder, settings))
    changed = tensors()
    changed["output/bias"][0] += 1
    save_model(folder, (card(threshold=0.8), changed))
    assert len({before, after_card, model_identity(load_model(folder, settings))}) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"bands": KeyError},
        {"format": 2},
        {"net": "impact"},
        {"level": "L3"},
        {"bands": []},
        {"bands": ["B2", "B2", "B4"]},
        {"bands": ["B2", "B3", ["B4"]]},
        {"bands": "B2"},
        {"bands": [f"X{k}" for k in range(65)], "mean": [1] * 65, "std": [1] * 65},
        {"mean": [1, 2]},
        {"std": [1, 0, 1]},
        {"std": [1, -5, 1]},
        {"std": [1, float("nan"), 1]},
        {"mean": [1, float("inf"), 1]},
        {"mean": [1, True, 1]},
        {"mean": [1, 10**400, 1]},
        {"threshold": 1.5},
        {"threshold": "0.6"},
        {"classes": ["mine", "background"]},
        {"ores": ["iron"]},
        {"training": "well"},
        {"name": "x" * 5000},
        {"name": None},
    ],
)
def test_a_card_with_a_value_that_cannot_be_is_refused(folder, settings, changes):
    edit(folder / "discovery.json", **changes)
    with pytest.raises(ModelError) as caught:
        load_model(folder, settings)
    assert "discovery.json" in caught.value.found
    assert caught.value.expected
    assert caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'{"a":' * 50_000])
def test_a_card_that_is_no_json_object_is_refused(folder, settings, content):
    (folder / "discovery.json").write_bytes(content)
    with pytest.raises(ModelError):
        load_model(folder, settings)


def test_a_giant_card_is_refused_unread(folder, settings):
    with (folder / "discovery.json").open("wb") as file:
        file.truncate(10**11)
    with pytest.raises(ModelError, match="bytes large"):
        load_model(folder, settings)


def test_a_card_that_is_a_pipe_or_a_folder_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name in ("pipe.json", "folder.json"):
        with pytest.raises(ModelError, match="no file"):
            read_card(tmp_path / name, "discovery")


def test_giant_weights_are_refused_unread(folder, settings):
    with (folder / "discovery.safetensors").open("r+b") as file:
        file.truncate(10**11)
    with pytest.raises(ModelError, match="bytes large"):
        load_model(folder, settings)


def test_missing_weights_are_named(folder, settings):
    (folder / "impact.safetensors").unlink()
    with pytest.raises(ModelError, match=r"impact\.safetensors is missing"):
        load_model(folder, settings)


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 8, b"\xff" * 200, b"not a tensor file at all", struct.pack("<Q", 2**60)]
)
def test_weights_that_are_no_safetensors_file_are_refused(folder, settings, content):
    (folder / "discovery.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(folder, settings)


def test_a_header_that_points_outside_the_file_is_refused(folder, settings):
    path = folder / "discovery.safetensors"
    with_header(path, {"conv1/kernel": {"dtype": "F32", "shape": [3, 3, 3, 32], "data_offsets": [0, 10**9]}})
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(folder, settings)


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "bands"])
def test_weights_of_another_net_are_refused(folder, settings, change):
    from safetensors.numpy import save_file

    found = tensors(bands=4) if change == "bands" else tensors()
    if change == "missing":
        del found["conv3/bias"]
    if change == "extra":
        found["backdoor/kernel"] = np.zeros(3, np.float32)
    if change == "shape":
        found["output/bias"] = np.zeros(3, np.float32)
    save_file(found, folder / "discovery.safetensors")
    with pytest.raises(ModelError) as caught:
        load_model(folder, settings)
    assert "discovery.safetensors" in caught.value.found


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.uint8])
def test_weights_of_another_number_type_are_refused(folder, settings, dtype):
    from safetensors.numpy import save_file

    found = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes("discovery", 3).items()}
    found["output/bias"] = np.zeros(2, dtype)
    save_file(found, folder / "discovery.safetensors")
    with pytest.raises(ModelError, match="type"):
        load_model(folder, settings)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_neither_loaded_nor_saved(folder, settings, value):
    from safetensors.numpy import save_file

    found = tensors()
    found["conv2/kernel"][0, 0, 0, 0] = value
    with pytest.raises(ModelError, match="not finite"):
        save_model(folder, (card(), found))
    save_file(found, folder / "discovery.safetensors")
    with pytest.raises(ModelError, match="not finite"):
        load_tensors(load_model(folder, settings), "discovery")


def test_a_pickle_named_as_weights_is_never_run(folder, settings, tmp_path):
    witness = tmp_path / "witness"
    (folder / "discovery.safetensors").write_bytes(b"cos\nsystem\n(S'touch " + str(witness).encode() + b"'\ntR.")
    with pytest.raises(ModelError):
        load_model(folder, settings)
    assert not witness.exists()


@pytest.mark.parametrize(
    "name", ["../mine-net/../..", "no-such", "", "..", "a\0b", "x" * 5000, "~nobody-here/model", "/"]
)
def test_a_name_that_leads_to_no_model_is_answered_with_the_models_there_are(folder, settings, name):
    with pytest.raises(ModelError, match="mine-net"):
        load_model(name, settings)


def test_nets_of_two_product_levels_are_no_model(folder, settings):
    edit(folder / "impact.json", level="L2A")
    with pytest.raises(ModelError, match="L2A"):
        load_model(folder, settings)


def test_a_card_for_the_other_net_is_not_saved(tmp_path):
    with pytest.raises(UsageError):
        save_model(tmp_path / "m", (card("impact"), tensors("impact")))


def test_tensors_that_do_not_fit_the_card_are_not_saved(tmp_path):
    with pytest.raises(ModelError, match="do not fit"):
        save_model(tmp_path / "m", (card(), tensors(bands=5)))
    assert not (tmp_path / "m" / "discovery.json").exists()


def test_a_broken_folder_is_listed_with_its_problem_beside_the_usable_ones(folder, settings):
    (settings.models / "torn").mkdir()
    (settings.models / "torn" / "discovery.json").write_text("[1]")
    (settings.models / "empty").mkdir()
    (settings.models / ".hidden").mkdir()
    (settings.models / "README.md").write_text("no folder")
    assert "mine-net" in [model.name for model in list_models(settings)]
    problems = {broken.name: broken.problem for broken in broken_models(settings)}
    assert "holds a list" in problems["torn"]
    assert "no discovery.json" in problems["empty"]
    assert ".hidden" not in problems


def test_without_a_models_folder_there_are_only_shipped_models(settings):
    assert all(model.folder.parent == settings.shipped_models for model in list_models(settings))


def test_fits_names_the_level_or_the_bands_that_are_wrong(folder, settings):
    model = load_model(folder, settings)
    assert fits(model, (*BANDS, "B8"), ProductLevel.L1C) is None
    assert "needs L1C and the mosaic is L2A" in fits(model, BANDS, ProductLevel.L2A)
    assert "state the mosaic's level" in fits(model, BANDS, None)
    assert "needs B3, B4" in fits(model, ("B2",), ProductLevel.L1C)
