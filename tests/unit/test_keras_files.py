"""Keras files of other people: plain ones are read, everything else is refused before Keras sees it."""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.detection import architecture, keras_files
from minedisc_core.detection.architecture import read_architecture
from minedisc_core.detection.keras_files import inspect
from minedisc_core.errors import ModelError
from tests.keras_files import (
    CONV,
    DENSE,
    FLAT,
    PARAMETERS,
    PATCH_PX,
    PLAIN,
    layer,
    net,
    weights,
    weights_h5,
    write_h5,
    write_keras,
)

LAMBDA = layer("Lambda", "evil", function=["4wEAAAAAAAAA", None, None], function_type="lambda")


def described(config: Any) -> architecture.Architecture:
    return read_architecture(json.dumps(config), PATCH_PX)


@pytest.mark.parametrize("write", [write_h5, write_keras])
def test_a_plain_file_is_read_for_what_it_is(tmp_path: Path, write: Callable[..., Path]) -> None:
    found = inspect(write(tmp_path / "net"), PATCH_PX)
    assert found.input_shape == (8, 8, 3)
    assert found.output_shape == (1,)
    assert found.parameters == PARAMETERS
    assert found.multiply_adds == 27 * 2 * 36 + 72
    assert [layer.kind for layer in found.layers] == ["Conv2D", "Flatten", "Dense"]


def test_looking_through_a_file_imports_no_tensorflow(tmp_path: Path) -> None:
    path = write_keras(tmp_path / "net.keras")
    code = (
        "import sys; from pathlib import Path; from minedisc_core.detection.keras_files import inspect;"
        f"inspect(Path({str(path)!r}), 8); sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_input_of_open_size_takes_the_cards_patch() -> None:
    assert described(net(CONV, FLAT, DENSE, patch_px=None)).input_shape == (PATCH_PX, PATCH_PX, 3)


def test_a_branched_net_in_either_layout_is_followed() -> None:
    def entry(kind: str, name: str, inputs: list[str], **config: Any) -> dict[str, Any]:
        nodes = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
        return {**layer(kind, name, **config), "name": name, "inbound_nodes": nodes}

    layers = [
        entry("InputLayer", "in", [], batch_input_shape=[None, 8, 8, 3]),
        entry("Conv2D", "a", ["in"], filters=4, kernel_size=3, padding="same"),
        entry("Conv2D", "b", ["in"], filters=4, kernel_size=1),
        entry("Add", "sum", ["a", "b"]),
        entry("GlobalAveragePooling2D", "mean", ["sum"]),
        entry("Dense", "out", ["mean"], units=2, activation="softmax"),
    ]
    config = {"name": "f", "layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [["out", 0, 0]]}
    old = described({"class_name": "Functional", "config": config})
    for each in layers:
        tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
                   for name, *_ in (each["inbound_nodes"] or [[]])[0]]  # fmt: skip
        each["inbound_nodes"] = [{"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": {}}] if tensors else []
    new = described({"class_name": "Functional", "config": {**config, "output_layers": ["out", 0, 0]}})
    assert old == new
    assert (old.output_shape, old.parameters, old.is_chain) == ((2,), 112 + 16 + 10, False)
    assert old["sum"].inputs == ("a", "b")


def _with(entry: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**entry, **changes}


def _set(**changes: Any) -> dict[str, Any]:
    return net({**CONV, "config": {**CONV["config"], **changes}}, FLAT, DENSE)


CUSTOM = {"module": "builtins", "class_name": "function", "config": "exploit", "registered_name": "function"}
DEEP: Any = []
for _ in range(60):
    DEEP = [DEEP]
HOSTILE_NETS: dict[str, tuple[Any, str]] = {
    "a Lambda": (net(CONV, LAMBDA, FLAT, DENSE), "a layer of the kind 'Lambda'"),
    "a layer of its own": (net(layer("EvilLayer", "evil"), FLAT, DENSE), "a layer of the kind 'EvilLayer'"),
    "a layer from elsewhere": (net(_with(CONV, module="os"), FLAT, DENSE), "from 'os', which is not Keras"),
    "a registered layer": (net(_with(CONV, registered_name="Evil>Conv2D"), FLAT, DENSE), "registered object"),
    "a registered model": (_with(PLAIN, registered_name="Evil>Model"), "registered object"),
    "a model from elsewhere": (_with(PLAIN, module="subprocess"), "from 'subprocess'"),
    "a model of its own": (_with(PLAIN, class_name="EvilModel"), "it is a 'EvilModel'"),
    "a net inside the net": (net(_with(PLAIN, config={"name": "inner", "layers": []})), "kind 'Sequential'"),
    "a wrapper": (net(layer("TimeDistributed", "t", layer=LAMBDA), FLAT, DENSE), "kind 'TimeDistributed'"),
    "a function as activation": (_set(activation=CUSTOM), "names the object 'function'"),
    "an activation of its own": (_set(activation="evil>relu"), "'evil>relu' is not one of"),
    "an initializer of its own": (_set(kernel_initializer={"class_name": "Evil", "config": {}}), "object 'Evil'"),
    "an initializer from elsewhere": (
        _set(kernel_initializer={"module": "evil", "class_name": "Zeros", "config": {}}), "from 'evil'"),
    "an object deep inside": (_set(seed=[{"a": {"class_name": "Popen"}}]), "object 'Popen'"),
    "an object without a class": (_set(seed={"module": "os"}), "without a class"),
    "a setting that is not known": (_set(lora_rank=4), "sets 'lora_rank'"),
    "half numbers": (_set(dtype="float16"), "not in float32"),
    "channels first": (_set(data_format="channels_first"), "is not one of channels_last"),
    "a nest of lists": (_set(seed=DEEP), "nested too deep"),
    "a huge dense": (net(FLAT, layer("Dense", "d", units=16_384), layer("Dense", "e", units=16_384)), "parameters"),
    "an endless dense": (net(FLAT, layer("Dense", "d", units=10**12)), "no whole number from 1 to 16,384"),
    "a widening": (net(layer("ZeroPadding2D", "z", padding=128), layer("Conv2D", "c", filters=512, kernel_size=1)),
                   "numbers of a patch, more than"),
    "endless work": (net(layer("Conv2D", "c0", filters=256, kernel_size=1, padding="same"),
                         *(layer("Conv2D", f"c{k}", filters=256, kernel_size=9, padding="same") for k in range(1, 4)),
                         patch_px=128), "multiplications a patch, more than"),
    "a thousand layers": (net(*(layer("ReLU", f"r{k}") for k in range(1_000))), "1,001 layers"),
    "a huge input": (net(FLAT, DENSE, patch_px=100_000), "no whole number"),
    "bands without number": (net(FLAT, DENSE, bands=0), "no whole number"),
    "a window that does not fit": (_set(kernel_size=[9, 9]), "does not fit in 8 px"),
    "a stride of nothing": (_set(strides=[0, 0]), "no whole number"),
    "no input": ({"class_name": "Sequential", "config": {"layers": [CONV]}}, "not with an input"),
    "one name twice": (net(CONV, CONV, FLAT, DENSE), "one name"),
    "no layers": ({"class_name": "Sequential", "config": {"name": "x"}}, "lacks 'layers'"),
    "a number": (7, "described by a int"),
    "true as a number": (_set(filters=True), "no whole number"),
    "infinity": (net(layer("Rescaling", "r", scale=float("inf")), FLAT, DENSE), "no finite number"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NETS)
def test_a_net_that_is_not_plain_is_refused(name: str, tmp_path: Path) -> None:
    config, said = HOSTILE_NETS[name]
    for path in (write_h5(tmp_path / "net.h5", config), write_keras(tmp_path / "net.keras", config)):
        with pytest.raises(ModelError) as refused:
            inspect(path, PATCH_PX)
        assert said in refused.value.found
        assert refused.value.expected
        assert refused.value.remedy


def test_a_description_that_is_endless_or_no_json_is_refused() -> None:
    for text in ("[" * 100_000, "{", "", "\x00", "null", " " * (architecture.MOST_TEXT + 1)):
        with pytest.raises(ModelError, match="the net cannot be used"):
            read_architecture(text, PATCH_PX)


def test_what_training_left_in_a_file_is_passed_over(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        file.attrs["training_config"] = json.dumps({"loss": {"class_name": "function", "config": "evil"}})
        file["optimizer_weights/Adam/iter:0"] = np.int64(3)
    assert inspect(path, PATCH_PX).parameters == PARAMETERS


def _soft_link(file: Any) -> None:
    file["model_weights/elsewhere"] = h5py.SoftLink("/model_weights/dense")


def _external_link(file: Any) -> None:
    file["model_weights/elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")


def _external_array(file: Any) -> None:
    file["model_weights"].create_dataset("elsewhere", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def _virtual_array(file: Any) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", shape=(4,))  # noqa: S108  never opened
    file["model_weights"].create_virtual_dataset("elsewhere", layout)


def _text_array(file: Any) -> None:
    file["model_weights/elsewhere"] = np.array([b"cos\nsystem\n(S'id'\ntR."])


def _opaque_array(file: Any) -> None:
    file["model_weights/elsewhere"] = np.array([b"x"], dtype="V8")


def _deep_groups(file: Any) -> None:
    file.create_group("a/" * 40 + "b")


def _circle(file: Any) -> None:
    for number in range(30):
        file[f"model_weights/circle{number}"] = file["model_weights"]


def _bomb(file: Any) -> None:
    file["model_weights"].create_dataset("bomb", (4_000_000_000,), "f4", chunks=(1_000_000,), compression="gzip")


def _typed(file: Any) -> None:
    file["model_weights/type"] = np.dtype("f4")


HOSTILE_TREES: dict[str, tuple[Callable[[Any], None], str]] = {
    "a soft link": (_soft_link, "the link 'elsewhere'"),
    "an external link": (_external_link, "the link 'elsewhere'"),
    "an array in another file": (_external_array, "lie in another file"),
    "a virtual array": (_virtual_array, "lie in another file"),
    "a pickle in an array": (_text_array, "no array of numbers"),
    "opaque values": (_opaque_array, "no array of numbers"),
    "a type": (_typed, "no array of numbers"),
    "forty groups deep": (_deep_groups, "nested too deep"),
    "groups in a circle": (_circle, "nested too deep"),
    "an array that expands to 16 GB": (_bomb, "expands to more than"),
}


@pytest.mark.parametrize("name", HOSTILE_TREES)
def test_an_hdf5_tree_that_is_more_than_numbers_is_refused(name: str, tmp_path: Path) -> None:
    change, said = HOSTILE_TREES[name]
    path = write_h5(tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        change(file)
    inside = tmp_path / "inside.h5"
    inside.write_bytes(weights_h5())
    with h5py.File(inside, "a") as file:
        file.require_group("model_weights")
        file["model_weights/dense/x"] = np.zeros(2, np.float32)
        change(file)
    for hostile in (path, write_keras(tmp_path / "net.keras", model_weights_h5=inside.read_bytes())):
        with pytest.raises(ModelError) as refused:
            inspect(hostile, PATCH_PX)
        assert said in refused.value.found


def _more() -> dict[str, Any]:
    return {**weights(), "other": [np.zeros(5, np.float32)]}


def _holed(value: float) -> dict[str, Any]:
    given = weights()
    given["dense"][0][3] = value
    return given


@pytest.mark.parametrize(
    ("given_weights", "said"),
    [
        (_holed(np.nan), "not finite"),
        (_holed(np.inf), "not finite"),
        (_more(), "holds more weights where its layers need 129"),
        ({"conv": weights()["conv"]}, "holds 56 weights where its layers need 129"),
        ({}, "holds 0 weights"),
    ],
)
def test_weights_that_are_not_the_layers_or_no_numbers_are_refused(
    given_weights: Any, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=said):
        inspect(write_h5(tmp_path / "net.h5", values=given_weights), PATCH_PX)


def test_weights_in_an_archive_are_checked_the_same(tmp_path: Path) -> None:
    path = write_keras(tmp_path / "net.keras", model_weights_h5=weights_h5(_holed(np.nan)))
    with pytest.raises(ModelError, match=r"net\.keras holds weights in .*dense.* that are not finite"):
        inspect(path, PATCH_PX)


def _renamed(path: Path, name: str, content: bytes = b"x") -> Path:
    write_keras(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../../evil.py", "the path '../../evil.py'"),
        ("/etc/cron.d/evil", "the path '/etc/cron.d/evil'"),
        ("assets/evil.pkl", "holds 'assets/evil.pkl'"),
        ("evil.py", "holds 'evil.py'"),
        ("variables/config.json", "holds 'variables/config.json'"),
        ("CONFIG.JSON", "twice"),
    ],
)
def test_an_archive_with_anything_else_in_it_is_refused(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refused:
        inspect(_renamed(tmp_path / "net.keras", name), PATCH_PX)
    assert said in refused.value.found
    assert [path.name for path in tmp_path.iterdir()] == ["net.keras"]


@pytest.mark.parametrize("left_out", ["metadata_json", "config_json", "model_weights_h5"])
def test_an_archive_that_lacks_a_part_is_refused(left_out: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lacks '"):
        inspect(write_keras(tmp_path / "net.keras", **{left_out: None}), PATCH_PX)


def test_a_zip_bomb_is_refused_without_unpacking_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_files, "MOST_EXPANDED_MB", 1)
    path = write_keras(tmp_path / "net.keras", config_json=b" " * 20_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(ModelError, match="expands to more than 1 MB"):
        inspect(path, PATCH_PX)


def test_an_archive_of_thousands_of_entries_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(2_000):
            archive.writestr(f"{number}.json", b"")
    with pytest.raises(ModelError, match="more than 8 entries"):
        inspect(path, PATCH_PX)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", pickle.dumps({"model": [1]}), b"\x08\x01saved_model.pb" * 10],
)
def test_what_is_no_keras_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"net\.h5 "):
        inspect(path, PATCH_PX)


def test_weights_without_layers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    path.write_bytes(weights_h5())
    with pytest.raises(ModelError, match="without the layers"):
        inspect(path, PATCH_PX)


def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_files, "MOST_BYTES", 1_000)
    with pytest.raises(ModelError, match="more than 1,000"):
        inspect(write_h5(tmp_path / "net.h5"), PATCH_PX)


WORDS = st.sampled_from(["class_name", "config", "layers", "name", "module"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner),
)


@given(data=st.data())
def test_a_damaged_archive_is_read_or_refused_and_never_anything_else(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "net"
    whole = write_keras(path).read_bytes()
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    for _ in range(data.draw(st.integers(0, 8))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(damaged))
    with contextlib.suppress(ModelError):
        assert inspect(path, PATCH_PX).parameters == PARAMETERS


@given(text=ANYTHING)
def test_any_description_is_read_or_refused(text: Any) -> None:
    for config in (text, {"class_name": "Sequential", "config": text}, net(text) if isinstance(text, dict) else text):
        with contextlib.suppress(ModelError):
            assert described(config).layers
