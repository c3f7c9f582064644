"""Models as folders: a discovery net and, optionally, an impact net, each a card and a weights file.

    discovery.json  discovery.safetensors  [impact.json  impact.safetensors]
    patch.json  model.keras | model.h5      (a net of other people: see `patch_cards`)

A card names everything needed to use the net honestly (bands, product level, normalisation, threshold,
how it was trained); a weights file holds named float tensors and nothing that could run. Files are
checked before they are believed: size, names, shapes, types, finite numbers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.cards import ModelCard, read_card, write_card
from minedisc_core.detection.networks import NetKind, Tensors, parameter_count, tensor_shapes
from minedisc_core.detection.patch_cards import CARD as PATCH_CARD
from minedisc_core.detection.patch_cards import PatchCard, file_hash, read_patch_card
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import MinediscError, ModelError, UsageError
from minedisc_core.grid import CellGeometry
from minedisc_core.runs import is_training, write_atomically
from minedisc_core.settings import Settings

_NAME = re.compile(r"[^/\\\x00._][^/\\\x00]{0,99}")
"""A folder's name that `list_models` shows: no path."""
_HEADER_MAX_BYTES = 100_000
CARDS = ("discovery.json", PATCH_CARD)
"""Cards of nets that find mines; a model folder holds one of them."""
_DTYPES = ("F16", "F32")


@dataclass(frozen=True)
class Model:
    """A model folder whose cards have been read; the weights are read by `load_tensors`."""

    folder: Path
    name: str
    """The folder's name: what `--model` takes."""
    discovery: ModelCard
    impact: ModelCard | None

    @property
    def geometry(self) -> CellGeometry:
        """How its cells lie over a mosaic's pixels."""
        return self.discovery.geometry


@dataclass(frozen=True)
class BrokenModel:
    """A folder among the models that cannot be used."""

    folder: Path
    name: str
    problem: str
    """Found, expected and remedy in one text."""


def load_model(name_or_dir: str | Path, settings: Settings) -> Model:
    """Read and check the cards of a model, by name or by folder. No TensorFlow is imported.

    A name is looked up among the added models first, then among the shipped ones.

    Raises:
        ModelError: there is no such model, or a card is broken, or the two cards do not belong together.
    """
    folder = _folder_of(str(name_or_dir), settings)
    if (folder / PATCH_CARD).exists():
        return _load_patch_model(folder)
    discovery = read_card(folder / "discovery.json", "discovery")
    impact = read_card(folder / "impact.json", "impact") if (folder / "impact.json").exists() else None
    if impact and impact.level != discovery.level:
        raise ModelError(
            f"{folder}: the discovery net is for {discovery.level}, the impact net for {impact.level}",
            "two nets of one product level",
            "take the impact net out of the folder or train one for the same level",
        )
    for card in (discovery, impact):
        if card:
            _check_weights_file(weights_path(folder, card.net), card)
    return Model(folder, folder.name, discovery, impact)


def _load_patch_model(folder: Path) -> Model:
    if (folder / "discovery.json").exists():
        raise ModelError(f"{folder} holds two kinds of models", "one card of a net that finds mines", "take one out")
    card = read_patch_card(folder / PATCH_CARD, is_stored=True)
    if not (folder / card.file).is_file():
        raise ModelError(f"{folder / card.file} is missing", "the net's file beside the card", "add the model again")
    return Model(folder, folder.name, card, None)


def weights_path(folder: Path, net: NetKind) -> Path:
    """Weights file of a net in a model folder."""
    return folder / f"{net}.safetensors"


def _folder_of(text: str, settings: Settings) -> Path:
    if _NAME.fullmatch(text):
        for parent in (settings.models, settings.shipped_models):
            if _holds_card(str(parent / text)):
                return parent / text
    if not _holds_card(text):
        known = ", ".join(model.name for model in list_models(settings)) or "none"
        raise ModelError(
            f"there is no model {text[:200]!r}",
            f"a folder with a discovery.json, or one of: {known}",
            "look at `minedisc models list`",
        )
    return Path(text).expanduser().resolve()


def _holds_card(text: str) -> bool:
    try:
        return any((Path(text).expanduser() / name).exists() for name in CARDS)
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, an unknown home
        return False


def list_models(settings: Settings) -> list[Model]:
    """All usable models, the shipped ones first; an added model hides a shipped one of its name."""
    return [found for found in _all_folders(settings) if isinstance(found, Model)]


def broken_models(settings: Settings) -> list[BrokenModel]:
    """All folders among the models that cannot be used, each with its problem."""
    return [found for found in _all_folders(settings) if isinstance(found, BrokenModel)]


def _all_folders(settings: Settings) -> list[Model | BrokenModel]:
    found: dict[str, Model | BrokenModel] = {}
    for parent in (settings.shipped_models, settings.models):
        folders = sorted(parent.iterdir()) if parent.is_dir() else []
        for folder in folders:
            if folder.is_dir() and not folder.name.startswith((".", "_")) and not is_half_trained(folder):
                found[folder.name] = _try_load(folder, settings)
    return list(found.values())


def is_half_trained(folder: Path) -> bool:
    """Whether a folder is that of a training that has left no net that finds mines: not yet, or it never will.

    It is no broken model: the training is running, can go on, or was of the impact net alone.
    """
    return not _holds_card(str(folder)) and is_training(folder)


def _try_load(folder: Path, settings: Settings) -> Model | BrokenModel:
    try:
        if not _holds_card(str(folder)):
            raise ModelError(f"{folder.name} holds no discovery.json", "a model folder", "complete it or take it away")
        return load_model(folder.resolve(), settings)
    except MinediscError as error:
        return BrokenModel(folder, folder.name, str(error))


def fits(model: Model, mosaic_bands: Sequence[str], mosaic_level: ProductLevel | None) -> str | None:
    """None if the model can be used on such a mosaic, else one sentence why not."""
    card = model.discovery
    if mosaic_level is None:
        return f"The mosaic does not say its product level; {model.name} needs {card.level}: state the mosaic's level."
    if mosaic_level != card.level:
        return f"{model.name} needs {card.level} and the mosaic is {mosaic_level}: choose a model for {mosaic_level}."
    needed = [*card.bands, *(model.impact.bands if model.impact else ())]
    missing = list(dict.fromkeys(band for band in needed if band not in mosaic_bands))
    if missing:
        held = ", ".join(mosaic_bands) or "none that is named"
        return f"{model.name} needs {', '.join(missing)}, which the mosaic does not have (it has {held})."
    return None


def load_tensors(model: Model, net: NetKind) -> dict[str, NDArray[np.float32]]:
    """The weights of one net of a model, float32, by tensor name.

    Raises:
        ModelError: the file is missing, broken, of the wrong shapes or types, or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    card = model.discovery if net == "discovery" else model.impact
    if card is None:
        raise ModelError(f"{model.name} has no impact net", remedy="choose a model with one")
    if isinstance(card, PatchCard):
        raise ModelError(
            f"{model.name} is a patch model: its net is not the paper's",
            "a model that was trained here",
            "scan with it; for training and fine-tuning choose another",
        )
    path = weights_path(model.folder, net)
    _check_weights_file(path, card)
    try:
        tensors = load(path.read_bytes())
    except (SafetensorError, OSError, ValueError) as error:
        raise _broken_weights(path, f"cannot be read ({error})") from error
    _check_finite(path, tensors)
    return {name: np.asarray(tensors[name], np.float32) for name in tensor_shapes(net, len(card.bands), card.head)}


def _check_weights_file(path: Path, card: ModelCard) -> None:
    if not path.is_file():
        raise ModelError(f"{path} is missing", "the weights beside the card", "copy the whole model folder")
    most = 4 * parameter_count(card.net, len(card.bands), card.head) + _HEADER_MAX_BYTES
    if path.stat().st_size > most:
        raise _broken_weights(path, f"is {path.stat().st_size:,} bytes large", f"at most {most:,} bytes")
    found = _header(path)
    expected = tensor_shapes(card.net, len(card.bands), card.head)
    if {name: shape for name, (_, shape) in found.items()} != expected:
        wrong = [name for name in {*found, *expected} if found.get(name, ("", None))[1] != expected.get(name)]
        name = min(wrong)
        held = f"holds {name} {list(found[name][1])}" if name in found else f"lacks {name}"
        raise _broken_weights(path, held[:200], f"{list(expected[name])}" if name in expected else "no such tensor")
    odd = sorted({dtype for dtype, _ in found.values()} - set(_DTYPES))
    if odd:
        raise _broken_weights(path, f"holds numbers of type {odd[0]}", " or ".join(_DTYPES))


def _header(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  safe_open is no mapping
            return {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise _broken_weights(path, f"cannot be read ({error})") from error


def _check_finite(path: Path, tensors: Tensors) -> None:
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise _broken_weights(path, f"holds numbers in {name} that are not finite", "finite weights")


def _broken_weights(path: Path, held: str, expected: str = "a safetensors file of this net's tensors") -> ModelError:
    return ModelError(f"{path} {held}", expected, "get the model again, or train it again")


def save_model(
    folder: Path, discovery: tuple[ModelCard, Tensors], impact: tuple[ModelCard, Tensors] | None = None
) -> None:
    """Write a model folder; weights first, each file whole or not at all. An impact net left out is taken away.

    Float16 tensors stay float16, all others are written as float32.

    Raises:
        ModelError: tensors and card do not belong together, or a number is not finite.
        UsageError: the card is for the other net.
    """
    for net, pair in (("discovery", discovery), ("impact", impact)):
        if pair and pair[0].net != net:
            raise UsageError(f"the card {pair[0].name} is for the {pair[0].net} net", f"a card of the {net} net")
    folder.mkdir(parents=True, exist_ok=True)
    if impact is None:
        (folder / "impact.json").unlink(missing_ok=True)
        weights_path(folder, "impact").unlink(missing_ok=True)
    for card, tensors in filter(None, (discovery, impact)):
        save_net(folder, card, tensors)


def save_net(folder: Path, card: ModelCard, tensors: Tensors) -> None:
    """Write one net of a model folder; weights first, each file whole or not at all.

    Raises:
        ModelError: tensors and card do not belong together, or a number is not finite.
    """
    from safetensors.numpy import save

    path = weights_path(folder, card.net)
    expected = tensor_shapes(card.net, len(card.bands), card.head)
    if {name: values.shape for name, values in tensors.items()} != expected:
        raise ModelError(
            f"the tensors for {path} do not fit the {card.net} net of {len(card.bands)} bands with the {card.head} head"
        )
    _check_finite(path, tensors)
    write_atomically(path, save({name: _storable(tensors[name]) for name in expected}))
    write_card(folder / f"{card.net}.json", card)


def _storable(values: NDArray[np.floating]) -> NDArray[np.floating]:
    kept = values if values.dtype == np.float16 else values.astype(np.float32)
    return np.ascontiguousarray(kept)


def model_identity(model: Model) -> str:
    """SHA-256 over the cards and weights: two folders with one identity give the same scores."""
    digest = hashlib.sha256()
    if isinstance(model.discovery, PatchCard):
        for path in (model.folder / PATCH_CARD, model.folder / model.discovery.file):
            digest.update(file_hash(path).encode())
        return digest.hexdigest()
    for card in filter(None, (model.discovery, model.impact)):
        for path in (model.folder / f"{card.net}.json", weights_path(model.folder, card.net)):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
