"""Keras files made by hand, plain and hostile, without TensorFlow."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

BANDS, PATCH_PX, STRIDE_PX = ("B2", "B3", "B4"), 8, 4
Weights = Mapping[str, Sequence[NDArray[np.floating]]]


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


def net(*layers: dict[str, Any], bands: int = len(BANDS), patch_px: int | None = PATCH_PX) -> dict[str, Any]:
    """A Sequential net of these layers behind an input."""
    given = layer("InputLayer", "given", batch_input_shape=[None, patch_px, patch_px, bands])
    return {"class_name": "Sequential", "config": {"name": "net", "layers": [given, *layers]}}


CONV = layer("Conv2D", "conv", filters=2, kernel_size=[3, 3], padding="valid", activation="relu")
FLAT = layer("Flatten", "flat")
DENSE = layer("Dense", "dense", units=1, activation="sigmoid")
PLAIN = net(CONV, FLAT, DENSE)
PARAMETERS = 27 * 2 + 2 + 72 + 1


def weights(seed: int = 0) -> dict[str, list[NDArray[np.floating]]]:
    """Of PLAIN."""
    random = np.random.default_rng(seed)
    shapes = {"conv": [(3, 3, 3, 2), (2,)], "dense": [(72, 1), (1,)]}
    return {name: [random.normal(0, 0.3, shape).astype(np.float32) for shape in each] for name, each in shapes.items()}


def write_h5(path: Path, config: Any = PLAIN, values: Weights | None = None) -> Path:
    """A legacy file."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        group = file.create_group("model_weights")
        given = weights() if values is None else values
        group.attrs["layer_names"] = [name.encode() for name in given]
        for name, arrays in given.items():
            inside = group.create_group(name)
            names = [f"{name}/{part}:0" for part, _ in zip(("kernel", "bias", "c", "d"), arrays, strict=False)]
            inside.attrs["weight_names"] = [each.encode() for each in names]
            for each, array in zip(names, arrays, strict=True):
                inside[each] = array
    return path


def weights_h5(values: Weights | None = None) -> bytes:
    """What `model.weights.h5` of PLAIN holds."""
    content = io.BytesIO()
    kinds = {"conv": "conv2d", "dense": "dense", "flat": "flatten"}
    with h5py.File(content, "w") as file:
        for name, arrays in {"flat": [], **(weights() if values is None else values)}.items():
            for number, array in enumerate(arrays):
                file[f"layers/{kinds[name]}/vars/{number}"] = array
            file.require_group(f"layers/{kinds[name]}/vars")
    return content.getvalue()


def write_keras(path: Path, config: Any = PLAIN, **changes: bytes | None) -> Path:
    """A Keras 3 archive; `changes` replace entries (`config_json=...`), None leaves one out."""
    entries: dict[str, bytes | None] = {
        "metadata_json": b'{"keras_version": "3.15.1"}',
        "config_json": json.dumps(config).encode(),
        "model_weights_h5": weights_h5(),
        **changes,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            if content is not None:
                head, _, tail = name.rpartition("_")
                archive.writestr(f"{head.replace('model_weights', 'model.weights')}.{tail}", content)
    return path


def card(**changes: Any) -> dict[str, Any]:
    """The card that a person would write for PLAIN."""
    return {
        "name": "Plain net",
        "version": "1",
        "level": "L1C",
        "bands": list(BANDS),
        "scaling": "reflectance",
        "patch_px": PATCH_PX,
        "stride_px": STRIDE_PX,
        "threshold": 0.5,
        "licence": "CC0",
        "source": "made by a test",
        **changes,
    }


def write_card(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(card(**changes)))
    return path
