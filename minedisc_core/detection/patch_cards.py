"""Cards of patch models: nets of other people that say of one patch at a time whether it shows a mine."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from minedisc_core.detection.architecture import MOST_BANDS, MOST_PATCH_PX
from minedisc_core.detection.card_values import broken_card, listed, number, read_object, text
from minedisc_core.detection.cards import FORMAT, ModelCard
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ModelError
from minedisc_core.grid import CellGeometry
from minedisc_core.runs import write_json

CARD = "patch.json"
"""The card in a model folder; with it the folder is a patch model's."""
KIND = "patch classifier"
Scaling = Literal["z-score", "reflectance"]
"""How DN become the net's numbers: (DN - mean) / deviation by band, or DN / 10,000 clipped to 0..1."""
_HASH = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"model\.(keras|h5)")
_LONGEST_LICENCE = 200


@dataclass(frozen=True)
class PatchCard(ModelCard):
    """What a patch model is and needs. `mean` and `std` are empty where the scaling is by reflectance."""

    scaling: Scaling = "reflectance"
    patch_px: int = 0
    """Side of a patch, pixels of the mosaic."""
    stride_px: int = 0
    """From one patch to the next; at most `patch_px`, so that no ground is left out."""
    mine_output: int | None = None
    """Which of the net's outputs is the score, from 0 on; of a single one it need not be stated."""
    licence: str = ""
    source: str = ""
    """Who made it, and where it comes from."""
    file: str = ""
    """Name of the net's file in the folder: `model.h5` or `model.keras`."""
    sha256: str = ""
    """Of that file; compared each time it is loaded."""
    outputs: int = 0
    """How many numbers the net gives a patch."""
    parameters: int = 0
    multiply_adds: int = 0
    """Multiplications for one patch."""
    scored_by: str = ""
    """`whole tiles` where that provably gives the same scores, else `patches`."""

    @property
    def geometry(self) -> CellGeometry:
        """One cell a patch."""
        return CellGeometry.of_patches(self.patch_px, self.stride_px)


def write_patch_card(path: Path, card: PatchCard) -> None:
    """Write a card as JSON, whole or not at all."""
    write_json(path, {"format": FORMAT, "kind": KIND, **dataclasses.asdict(card)})


def read_patch_card(path: Path, *, is_stored: bool) -> PatchCard:
    """Read and check a card.

    Args:
        path: of the JSON file.
        is_stored: it lies in a model folder, so it must name the net's file and its hash; else it is a card that
            a person wrote, which need not.

    Raises:
        ModelError: missing, too large, no JSON object, a key missing, or a value that cannot be.
    """
    return patch_card_of(read_object(path), path, is_stored=is_stored)


def patch_card_of(content: Mapping[str, Any], path: Path, *, is_stored: bool) -> PatchCard:
    """The card in a JSON object; `path` names it in errors.

    Raises:
        ModelError: as `read_patch_card`.
    """
    try:
        if content.get("format", FORMAT) != FORMAT or content.get("kind", KIND) != KIND:
            raise ValueError(f"is of the kind {str(content.get('kind'))[:40]!r}, not {KIND!r} in format {FORMAT}")
        card = _checked(_card(content))
        if is_stored:
            _check_stored(card)
        return card
    except KeyError as error:
        raise _broken(path, f"has no {error.args[0]!r}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _broken(path, f"cannot be used: {str(error)[:300]}") from error


def _broken(path: Path, held: str) -> ModelError:
    return broken_card(path, held, "a card of a patch model: name, level, bands, scaling, patch_px, stride_px, ...")


def _card(content: Mapping[str, Any]) -> PatchCard:
    return PatchCard(
        name=text(content["name"]),
        version=text(content.get("version", "")),
        net="discovery",
        level=ProductLevel(content["level"]),
        bands=tuple(text(band) for band in listed(content["bands"])),
        mean=tuple(number(value) for value in listed(content.get("mean", []))),
        std=tuple(number(value) for value in listed(content.get("std", []))),
        threshold=number(content["threshold"]),
        is_demonstration=content.get("is_demonstration", False) is True,
        description=text(content.get("description", "")),
        training=dict(content.get("training", {})),
        scaling=content["scaling"],
        patch_px=_count(content["patch_px"]),
        stride_px=_count(content["stride_px"]),
        mine_output=None if content.get("mine_output") is None else _count(content["mine_output"]),
        licence=text(content["licence"]),
        source=text(content["source"]),
        file=text(content.get("file", "")),
        sha256=text(content.get("sha256", "")),
        outputs=_count(content.get("outputs", 0)),
        parameters=_count(content.get("parameters", 0)),
        multiply_adds=_count(content.get("multiply_adds", 0)),
        scored_by=text(content.get("scored_by", "")),
    )


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{str(value)[:40]!r} is no whole number from 0 on")
    return value


def _checked(card: PatchCard) -> PatchCard:
    count = len(card.bands)
    normalised = count if card.scaling == "z-score" else 0
    problems = {
        "it has no name": not card.name.strip(),
        f"it names {count} bands": not 1 <= count <= MOST_BANDS,
        "a band is named twice or not at all": len({*card.bands}) != count or "" in card.bands,
        f"the scaling is {str(card.scaling)[:40]!r}, not {' or '.join(get_args(Scaling))}": (
            card.scaling not in get_args(Scaling)
        ),
        f"{len(card.mean)} means and {len(card.std)} deviations where the scaling needs {normalised}": not (
            len(card.mean) == len(card.std) == normalised
        ),
        "a standard deviation is not above 0": any(value <= 0 for value in card.std),
        f"the threshold is {card.threshold}": not 0 < card.threshold < 1,
        f"the patch is {card.patch_px} px": not 4 <= card.patch_px <= MOST_PATCH_PX,
        f"the stride is {card.stride_px} px, the patch {card.patch_px}": not 0 < card.stride_px <= card.patch_px,
        "no licence is stated": not 0 < len(card.licence.strip()) <= _LONGEST_LICENCE,
        "no source is stated": not card.source.strip(),
    }
    for problem, is_wrong in problems.items():
        if is_wrong:
            raise ValueError(problem)
    return card


def _check_stored(card: PatchCard) -> None:
    if not _FILE.fullmatch(card.file):
        raise ValueError(f"the file is {card.file[:40]!r}, not model.keras or model.h5")
    if not _HASH.fullmatch(card.sha256):
        raise ValueError("it does not tell the SHA-256 of the net's file")


def file_hash(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", "the net's file", "add the model again") from error
