"""What a Keras file says of its layers, read without Keras and checked against a list of plain ones.

The text is only read: each layer becomes a name, a kind and settings that `plain_layers` has checked. `build` then
makes the net anew from these. A Lambda, a layer or function of somebody's own, a registered object, a net too large:
all are refused here, before TensorFlow is even imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from minedisc_core.detection.networks import keras
from minedisc_core.detection.plain_layers import LAYERS, NOT_USED, Shape, Sized, whole
from minedisc_core.errors import ModelError

MOST_LAYERS = 300
MOST_PARAMETERS = 50_000_000
MOST_VALUES = 8_000_000
"""Numbers that one layer makes of one patch."""
MOST_MULTIPLY_ADDS = 20_000_000_000
"""For one patch: some hundred times a usual net."""
MOST_PATCH_PX = 512
MOST_BANDS = 64
MOST_TEXT = 4_000_000
_MOST_DEPTH = 40
_MODELS = ("Sequential", "Functional", "Model")
_PLAIN_OBJECTS = frozenset(
    {
        "DTypePolicy", "__keras_tensor__", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform",
        "LecunNormal", "Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal",
        "VarianceScaling", "Orthogonal", "Identity", "L1", "L2", "L1L2", "MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm",
    }
)  # fmt: skip
"""Objects that a layer's text may name beside it; none of them is made."""
_MODULES = ("keras", "keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints",
            "keras.src.models.functional", "keras.src.models.sequential", "keras.models")  # fmt: skip
_FLOAT32 = (None, "float32", {"class_name": "DTypePolicy", "config": {"name": "float32"}})


@dataclass(frozen=True)
class Layer:
    """One layer, checked."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    inputs: tuple[str, ...]
    """Names of the layers that it takes from."""
    sized: Sized


@dataclass(frozen=True)
class Architecture:
    """A net for one patch size."""

    given: str
    """Name of the input."""
    input_shape: tuple[int, int, int]
    """Rows, columns, bands."""
    layers: tuple[Layer, ...]
    """In an order in which each finds its inputs made."""
    result: str
    """Name of the layer whose output counts."""

    @property
    def output_shape(self) -> Shape:
        """Of one patch."""
        return self[self.result].sized.shape

    @property
    def parameters(self) -> int:
        """Numbers that the weights must hold."""
        return sum(layer.sized.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiplications for one patch."""
        return sum(layer.sized.multiply_adds for layer in self.layers)

    @property
    def is_chain(self) -> bool:
        """Whether each layer takes only from the one before it, and the last one counts."""
        names = [self.given, *(layer.name for layer in self.layers)]
        follows = all(layer.inputs == (before,) for layer, before in zip(self.layers, names, strict=False))
        return follows and names[-1] == self.result

    def __getitem__(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)


def read_architecture(text: str, patch_px: int) -> Architecture:
    """The net that a Keras file describes, for patches of `patch_px` where it leaves the size open.

    Args:
        text: the JSON of `config.json` or of the attribute `model_config`.
        patch_px: side of the patches.

    Raises:
        ModelError: it holds anything but plain layers, is too large, or makes no sense.
    """
    content = _parsed(text)
    try:
        if content.get("class_name") not in _MODELS:
            raise ValueError(f"it is a {_cut(content.get('class_name'))}, not {' or '.join(_MODELS)}")
        _check_origin(content, _MODELS)
        config = content["config"]
        # The first nets of Keras 2 were a bare list of layers.
        listed = config if isinstance(config, list) else config["layers"]
        rows = [_row(entry) for entry in _list(listed)]
        is_sequence = content["class_name"] == "Sequential"
        links = _in_sequence(rows) if is_sequence else _linked(listed, rows)
        result = rows[-1][0] if is_sequence else _single(config["output_layers"])
        return _assembled(rows, links, result, patch_px)
    except KeyError as error:
        raise _refused(f"lacks {_cut(error.args[0])}") from error
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise _refused(str(error)[:300]) from error


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > MOST_TEXT:
        raise _refused(f"is described in {len(text):,} characters")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(f"is described by a text that is no JSON ({str(error)[:100]})") from error
    if not isinstance(content, dict):
        raise _refused(f"is described by a {type(content).__name__}")
    return content


def _refused(held: str) -> ModelError:
    return ModelError(
        f"the net cannot be used: {held}",
        "a Sequential or Functional classifier of Keras' own plain layers",
        "export the net without Lambda, custom or registered layers",
    )


def _row(entry: Any) -> tuple[str, str, dict[str, Any]]:
    """Name, kind and raw settings of a layer's entry."""
    kind = entry["class_name"]
    if kind != "InputLayer" and (not isinstance(kind, str) or kind not in LAYERS):
        raise ValueError(f"it holds a layer of the kind {_cut(kind)}")
    _check_origin(entry, (kind,))
    config = entry["config"]
    for found in _objects(config, 0):
        _check_origin(found, tuple(_PLAIN_OBJECTS))
    if config.get("dtype") not in _FLOAT32 and _policy(config["dtype"]) != "float32":
        raise ValueError(f"layer {_cut(config.get('name'))} counts in {_cut(config['dtype'])}, not in float32")
    return _name(config["name"]), kind, config


def _policy(dtype: Any) -> object:
    return dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype


def _check_origin(entry: Mapping[str, Any], kinds: tuple[str, ...]) -> None:
    """Refuse what does not come from Keras itself."""
    kind, module, registered = entry["class_name"], entry.get("module"), entry.get("registered_name")
    if kind not in kinds:
        raise ValueError(f"it names the object {_cut(kind)}")
    if module is not None and module not in _MODULES:
        raise ValueError(f"it takes {_cut(kind)} from {_cut(module)}, which is not Keras")
    if registered is not None and registered != kind:
        raise ValueError(f"it names the registered object {_cut(registered)}")


def _objects(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """All objects that a layer's settings name, however deep."""
    if depth > _MOST_DEPTH:
        raise ValueError("its settings are nested too deep")
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        elif {"module", "registered_name"} & value.keys():
            raise ValueError("it names an object without a class")
        for part in value.values():
            yield from _objects(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part, depth + 1)


def _in_sequence(rows: list[tuple[str, str, dict[str, Any]]]) -> list[tuple[str, ...]]:
    names = [name for name, _, _ in rows]
    if rows[0][1] != "InputLayer":
        raise ValueError(f"it begins with {rows[0][1]}, not with an input of a stated shape")
    return [(), *((before,) for before in names[:-1])]


def _linked(listed: list[Any], rows: list[tuple[str, str, dict[str, Any]]]) -> list[tuple[str, ...]]:
    """Names of the inputs of each layer of a Functional net, in either layout of `inbound_nodes`."""
    links: list[tuple[str, ...]] = []
    for entry, (name, kind, _) in zip(listed, rows, strict=True):
        nodes = _list(entry.get("inbound_nodes", []))
        if len(nodes) != (0 if kind == "InputLayer" else 1):
            raise ValueError(f"layer {_cut(name)} is used {len(nodes)} times")
        links.append(tuple(_sources(nodes[0])) if nodes else ())
    return links


def _sources(node: Any) -> Iterator[str]:
    if isinstance(node, dict):  # Keras 3
        if any(value not in (None, False) for value in node.get("kwargs", {}).values()):
            raise ValueError(f"a layer is called with {_cut(node['kwargs'])}")
        args = node["args"][0] if len(node["args"]) == 1 and isinstance(node["args"][0], list) else node["args"]
        for tensor in args:
            _check_origin(tensor, ("__keras_tensor__",))
            yield _source(tensor["config"]["keras_history"])
    else:  # Keras 2: [[name, node, tensor, settings], ...]
        for history in node:
            if len(history) > 3 and history[3]:
                raise ValueError(f"a layer is called with {_cut(history[3])}")
            yield _source(history[:3])


def _source(history: Any) -> str:
    name, node, tensor = history
    if (node, tensor) != (0, 0):
        raise ValueError(f"layer {_cut(name)} is used more than once")
    return _name(name)


def _single(listed: Any) -> str:
    entries = listed if listed and isinstance(listed[0], list) else [listed]
    if len(entries) != 1:
        raise ValueError(f"it has {len(entries)} outputs, not one")
    return _source(entries[0])


def _assembled(
    rows: list[tuple[str, str, dict[str, Any]]], links: list[tuple[str, ...]], result: str, patch_px: int
) -> Architecture:
    if len(rows) > MOST_LAYERS:
        raise ValueError(f"it has {len(rows):,} layers, more than {MOST_LAYERS}")
    if len({name for name, _, _ in rows}) != len(rows):
        raise ValueError("two of its layers have one name")
    inputs = [(name, config) for name, kind, config in rows if kind == "InputLayer"]
    if len(inputs) != 1:
        raise ValueError(f"it has {len(inputs)} inputs, not one")
    given, input_shape = inputs[0][0], _input_shape(inputs[0][1], patch_px)
    shapes: dict[str, Shape] = {given: input_shape}
    layers = []
    for (name, kind, config), sources in zip(rows, links, strict=True):
        if kind != "InputLayer":
            layers.append(_layer(name, kind, config, sources, shapes))
            shapes[name] = layers[-1].sized.shape
    if result not in shapes or result == given:
        raise ValueError(f"its output {_cut(result)} is no layer")
    found = Architecture(given, input_shape, tuple(layers), result)
    _check_size(found)
    return found


def _check_size(found: Architecture) -> None:
    if found.parameters > MOST_PARAMETERS:
        raise ValueError(f"it has {found.parameters:,} parameters, more than {MOST_PARAMETERS:,}")
    if found.multiply_adds > MOST_MULTIPLY_ADDS:
        raise ValueError(f"it takes {found.multiply_adds:,} multiplications a patch, more than {MOST_MULTIPLY_ADDS:,}")


def _input_shape(config: Mapping[str, Any], patch_px: int) -> tuple[int, int, int]:
    shape = config.get("batch_shape") or config["batch_input_shape"]
    if len(shape) != 4:
        raise ValueError(f"its input is {_cut(shape)}, not patches of rows, columns and bands")
    _, rows, cols, bands = (value if value is None else whole(MOST_PATCH_PX)(value) for value in shape)
    if bands is None or bands > MOST_BANDS:
        raise ValueError(f"its input has {bands} bands")
    return rows or patch_px, cols or patch_px, bands


def _layer(
    name: str, kind: str, config: Mapping[str, Any], sources: tuple[str, ...], shapes: Mapping[str, Shape]
) -> Layer:
    plain = LAYERS[kind]
    missing = [source for source in sources if source not in shapes]
    if missing or not plain.inputs[0] <= len(sources) <= plain.inputs[1]:
        raise ValueError(f"layer {_cut(name)} takes from {_cut(missing or sources)}")
    try:
        settings = {key: plain.settings[key](value) for key, value in config.items() if key in plain.settings}
        sized = plain.sized(settings, [shapes[source] for source in sources])
    except ValueError as error:
        raise ValueError(f"layer {_cut(name)} ({kind}): {error}") from error
    unknown = [key for key, value in config.items()
               if key not in plain.settings and key not in NOT_USED and value not in (None, False)]  # fmt: skip
    if unknown:
        raise ValueError(f"layer {_cut(name)} ({kind}) sets {_cut(unknown[0])}, which is not known here")
    values = 1
    for side in sized.shape:
        values *= side
    if values > MOST_VALUES:
        raise ValueError(f"layer {_cut(name)} makes {values:,} numbers of a patch, more than {MOST_VALUES:,}")
    return Layer(name, kind, settings, sources, sized)


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise ValueError(f"{_cut(value)} is no name of a layer")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{_cut(value)} is no list")
    return value


def _cut(value: object) -> str:
    return repr(value)[:80]


def own_name(number: int) -> str:
    """Name of a layer in the net that `build` makes; the file's own names are not handed to Keras."""
    return f"layer_{number}"


def build(architecture: Architecture) -> Any:
    """The net as a Keras model of float32, its weights not yet set; imports TensorFlow."""
    module = keras()
    given = module.Input(architecture.input_shape)
    made = {architecture.given: given}
    for number, layer in enumerate(architecture.layers):
        settings = dict(layer.settings)
        if layer.kind == "LeakyReLU" and "alpha" in settings:  # its name in Keras 2
            settings["negative_slope"] = settings.pop("alpha")
        new = getattr(module.layers, layer.kind)(**settings, dtype="float32", name=own_name(number))
        inputs = [made[name] for name in layer.inputs]
        made[layer.name] = new(inputs if LAYERS[layer.kind].inputs[1] > 1 else inputs[0])
    return module.Model(given, made[architecture.result])
