"""What a training is asked to do, and the proof that a resumed one is asked the same."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from minedisc_core.detection.models import Model, load_model
from minedisc_core.detection.networks import NetKind
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import RunError, UsageError
from minedisc_core.learning.datasets import Dataset, open_dataset
from minedisc_core.learning.folds import Split
from minedisc_core.learning.precision import Policy, policy_of
from minedisc_core.learning.recipes import Recipe, recipe_named
from minedisc_core.learning.study import Examples, examples_of, splits_of
from minedisc_core.runs import REQUEST, TRAINING, read_json, write_json
from minedisc_core.settings import Settings

Mode = Literal["scratch", "fine-tune"]
_MOST_EPOCHS, _MOST_FOLDS = 10_000, 1_000
_JOB_FILES = {"lock", "worker.json", "worker.log", "cancel", "failed.json"}
"""What a folder may hold before a request is in it."""


@dataclass(frozen=True)
class TrainRequest:
    """One training, as a person asks for it."""

    net: NetKind
    dataset: str
    """Folder of a dataset version."""
    bands: tuple[str, ...] = ()
    """In the order of the net's input; empty: all of the dataset."""
    mode: Mode = "scratch"
    start_from: str | None = None
    """Fine-tuning: name or folder of the model whose weights and normalisation it starts from."""
    beside: str | None = None
    """Name or folder of a model whose other net is put beside the new one, so that both make a whole model."""
    recipe: str = "default"
    folds: int = 5
    """2 or more: as many folds, then a model of all samples. 1: one division, and the model that was judged on it."""
    resamplings: int = 0
    """Instead of folds: so many seeded draws of a fifth to validate."""
    epochs: int | None = None
    """None: the recipe's."""
    seed: int = 0
    policy: str = "auto"
    """`float32`, `mixed_bfloat16`, or `auto`."""
    final: bool = True
    """Train a model on all samples after the folds."""
    name: str = ""
    """Of the model; empty: the folder's name."""
    licence: str = ""
    held_out: tuple[tuple[float, float], ...] = ()
    """Longitude, latitude of samples that the home holds out: nothing of their places takes part."""
    description: str = ""
    is_demonstration: bool = False

    def to_json(self) -> dict[str, Any]:
        """The request as a JSON object."""
        content: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrainRequest:
        """The request that `to_json` wrote.

        Raises:
            RunError: the object is not a request.
        """
        try:
            given = {"held_out": (), **content}  # of requests before places were held out
            found = {field.name: given[field.name] for field in dataclasses.fields(cls)}
            held_out = tuple((float(lon), float(lat)) for lon, lat in found["held_out"])
            return cls(**{**found, "bands": tuple(found["bands"]), "held_out": held_out})
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"the request of the training cannot be read: {error}", remedy="train anew") from error


@dataclass(frozen=True)
class ReadyTraining:
    """A request that was checked, with what it names."""

    request: TrainRequest
    recipe: Recipe
    policy: Policy
    epochs: int
    dataset: Dataset
    level: ProductLevel
    bands: tuple[str, ...]
    examples: Examples
    splits: list[Split]
    start: Model | None
    beside: Model | None

    @property
    def trains_final(self) -> bool:
        """Whether a model of all samples follows the folds; of one division the judged net itself is the model."""
        return self.request.final and len(self.splits) > 1


def prepare(request: TrainRequest, settings: Settings) -> ReadyTraining:
    """Check a request against its dataset and models; reads no pixels.

    Raises:
        UsageError: the request makes no sense, or the dataset is too small for it or of another kind.
        StoreError: the dataset is none.
        ModelError: a model that is named cannot be used or does not fit.
    """
    recipe = recipe_named(request.recipe)
    epochs = recipe.epochs if request.epochs is None else request.epochs
    _check_numbers(request, epochs)
    dataset = open_dataset(Path(request.dataset), check_files=False)
    bands = _bands(request, dataset)
    if dataset.level is None:
        raise UsageError(
            f"{dataset.version} does not say its product level", "samples that are all L1C or all L2A",
            "make a new version from samples of one level",
        )  # fmt: skip
    start = _start(request, settings, bands, dataset.level)
    if request.net == "impact":
        recipe = replace(recipe, head="context")
    elif start is not None:
        recipe = replace(recipe, head=start.discovery.head)
    beside = load_model(request.beside, settings) if request.beside else None
    _check_beside(request, beside, dataset.level)
    examples = examples_of(dataset, request.net, request.held_out)
    splits = splits_of(examples, request.net, recipe, (request.folds, request.resamplings), request.seed)
    policy = policy_of(request.policy)
    return ReadyTraining(
        request, recipe, policy, epochs, dataset, dataset.level, bands, examples, splits, start, beside
    )


def _check_numbers(request: TrainRequest, epochs: int) -> None:
    wrong = {
        f"{epochs} epochs": not 1 <= epochs <= _MOST_EPOCHS,
        f"{request.folds} folds": not 1 <= request.folds <= _MOST_FOLDS,
        f"{request.resamplings} resamplings": not 0 <= request.resamplings <= _MOST_FOLDS,
        f"the seed {request.seed}": not 0 <= request.seed < 2**31,
    }
    for text, is_wrong in wrong.items():
        if is_wrong:
            raise UsageError(f"a training was asked for with {text}", "a sensible number (1 or more; a seed from 0)")
    if (request.mode == "fine-tune") != (request.start_from is not None):
        raise UsageError(
            f"the mode is {request.mode} and {'a' if request.start_from else 'no'} model to start from is named",
            "fine-tune with a model to start from, or scratch without one",
        )


def _bands(request: TrainRequest, dataset: Dataset) -> tuple[str, ...]:
    bands = request.bands or dataset.bands
    missing = [band for band in bands if band not in dataset.bands]
    if missing or len(set(bands)) != len(bands):
        held = ", ".join(dataset.bands)
        fault = f"has no {', '.join(missing)}" if missing else f"is asked for a band twice: {', '.join(bands)}"
        raise UsageError(f"{dataset.version} {fault}", f"bands of {held}", "look at the bands in its manifest")
    return bands


def _start(request: TrainRequest, settings: Settings, bands: tuple[str, ...], level: ProductLevel) -> Model | None:
    if request.start_from is None:
        return None
    model = load_model(request.start_from, settings)
    card = model.discovery if request.net == "discovery" else model.impact
    if card is None:
        raise UsageError(f"{model.name} has no {request.net} net", "a model that has one", "choose another")
    if card.bands != bands or card.level != level:
        raise UsageError(
            f"{model.name} was trained on {card.level}: {', '.join(card.bands)}; this training is on {level}: "
            f"{', '.join(bands)}",
            "the same bands in the same order, and the same product level",
            "name the model's bands with --bands, or train from scratch",
        )
    return model


def _check_beside(request: TrainRequest, beside: Model | None, level: ProductLevel) -> None:
    if beside is None:
        return
    if beside.discovery.level != level:
        raise UsageError(f"{beside.name} is for {beside.discovery.level}, the dataset is {level}", "one product level")
    if request.net == "discovery" and beside.impact is None:
        raise UsageError(f"{beside.name} has no impact net to put beside", "a model that has one", "leave it out")


def enter_training(ready: ReadyTraining, out: Path, *, resume: bool) -> None:
    """Write `request.json` of a new training, or check that what was begun asks the same.

    Raises:
        UsageError: something else lies in the folder, or a file of that name.
        RunError: another training was begun here, this one was begun and not asked to be resumed, or its dataset
            has changed.
    """
    asked = ready.request.to_json()
    facts = {"dataset_hash": ready.dataset.hash, "policy": ready.policy, "head": ready.recipe.head}
    if not (out / REQUEST).is_file():
        _check_new(out)
        now = datetime.now(UTC).replace(tzinfo=None)
        write_json(out / REQUEST, {"kind": TRAINING, "request": asked, **facts, "asked_at_utc": now})
        return
    stored = read_json(out / REQUEST)
    if stored.get("kind") != TRAINING:
        raise RunError(f"{out} holds another job", "a new folder, or that of a training", "choose another name")
    if not resume:
        raise RunError(f"a training was begun in {out}", "a new folder, or --resume", "resume it, or choose a new name")
    _check_same(stored, asked, facts, out)


def _check_same(stored: Mapping[str, Any], asked: Mapping[str, Any], facts: Mapping[str, Any], out: Path) -> None:
    before = {"held_out": [], **(stored.get("request") or {})}
    changed = [
        name.replace("_", " ")
        for name in asked
        if name not in ("dataset", "policy") and before.get(name) != asked[name]
    ]
    known = {"head": "context", **stored}  # of trainings before there was a second head
    changed += [name.replace("_", " ") for name in facts if known.get(name) != facts[name]]
    if changed:
        raise RunError(
            f"the training in {out} was begun with another {', '.join(changed)}",
            "the same request and dataset as when it was begun",
            "undo the change, or choose a new folder",
        )


def _check_new(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "a new folder", "choose another name")
    held = sorted(path.name for path in out.iterdir() if path.name not in _JOB_FILES) if out.exists() else []
    if held:
        raise UsageError(f"{out} holds {held[0]} already", "a new or empty folder", "choose another name")


def read_train_request(folder: Path) -> TrainRequest:
    """The request of a training's folder.

    Raises:
        RunError: the folder holds none, or it is broken.
    """
    found = read_json(folder / REQUEST)
    if found.get("kind") != TRAINING or not isinstance(found.get("request"), dict):
        raise RunError(f"{folder} holds no training", remedy="train into it, or name another folder")
    return TrainRequest.from_json(found["request"])
