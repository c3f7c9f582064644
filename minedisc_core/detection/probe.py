"""The proof that an engine may be used for a model: it scores a fixed probe as TensorFlow does.

The probe is generated from the card's mean and deviation: patches of several sizes, common to all bands
and of each band's own, with noise, gaps and a margin without data; about half of its cells score between
hit and background, where engines differ most. What came out is kept under a hash of everything that
decides it: weights, card, engine, library, processor, and the code that builds the nets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import Model, model_identity
from minedisc_core.detection.scan import Net
from minedisc_core.errors import RunError
from minedisc_core.grid import PATCH_PX
from minedisc_core.runs import write_json

PROBE_PX = (675, 735)
"""Height and width: a strip that is left over, a width of its own, 19 x 21 cells."""
PATCHES = 64
_SEED = 20_201_203
_COMMON, _OWN, _NOISE = ((0.7, 27), (0.5, 75)), ((0.4, 27), (0.3, 3)), 0.2
"""Standard deviations and sides (px) of the probe's patches; the sum has about the card's own spread."""
_MOST_DN = 20_000
_SOURCES = ("centring", "engines", "networks", "openvino_nets", "openvino_runtime", "openvino_spread", "probe",
            "refine", "rounding", "scorer", "spread")  # fmt: skip
"""Modules of this room whose code decides a proof."""


class Classifier(Protocol):
    """An impact net at work."""

    def probabilities(self, patches: NDArray[np.uint16]) -> NDArray[np.float32]:
        """(n, 3): high, low, no ore, for DN patches (n, 21, 21, band); 0 = no data."""


@dataclass(frozen=True)
class Answers:
    """What one engine makes of the probe."""

    scores: NDArray[np.float32]
    """Of the discovery net, (rows, cols), 0..1."""
    probabilities: NDArray[np.float32]
    """Of the impact net, (n, 3); no rows without one."""


@dataclass(frozen=True)
class Proof:
    """How an engine's answers compare with the reference's."""

    key: str
    """Hash of what decides the proof (`proof_key`)."""
    largest_difference: float
    """Between two scores or two probabilities."""
    allowed: float
    changed_hits: int
    """Cells that are a hit for one of the two only, although the reference's score is further from the threshold
    than `allowed`."""

    @property
    def holds(self) -> bool:
        """Whether the engine may be used."""
        return self.largest_difference <= self.allowed and not self.changed_hits

    def __str__(self) -> str:
        sentence = (
            f"its scores differ from TensorFlow's by up to {self.largest_difference:.2g} (at most {self.allowed:g})"
        )
        return f"{sentence}, {self.changed_hits} hits change" if self.changed_hits else sentence


def answers(
    discovery: Net, discovery_card: ModelCard, impact: Classifier | None, impact_card: ModelCard | None
) -> Answers:
    """The probe through both nets.

    Raises:
        ModelError: the engine could not run a net.
    """
    dn = probe_pixels(discovery_card)
    scores = discovery.head(discovery.trunk(dn, dn.min(axis=-1) == 0))
    if impact is None or impact_card is None:
        return Answers(scores, np.zeros((0, 3), np.float32))
    return Answers(scores, impact.probabilities(_patches(probe_pixels(impact_card))))


def compared(found: Answers, reference: Answers, threshold: float, allowed: float, key: str = "") -> Proof:
    """How `found` compares with the reference; a number that is not finite differs without end."""
    pairs = ((found.scores, reference.scores), (found.probabilities, reference.probabilities))
    worst = max((float(np.abs(a - b).max()) for a, b in pairs if a.shape == b.shape and a.size), default=np.inf)
    is_usable = np.isfinite(worst) and all(a.shape == b.shape for a, b in pairs)
    if not is_usable:
        return Proof(key, float("inf"), allowed, 0)
    is_clear = np.abs(reference.scores - threshold) > allowed
    changed = is_clear & ((found.scores > threshold) != (reference.scores > threshold))
    return Proof(key, worst, allowed, int(changed.sum()))


def probe_pixels(card: ModelCard) -> NDArray[np.uint16]:
    """The fixed probe, DN (675, 735, band), for bands of the card's mean and deviation; always the same."""
    random = np.random.default_rng(_SEED)
    bands = len(card.bands)
    z = random.normal(0, _NOISE, (*PROBE_PX, bands))
    for patches, channels in ((_COMMON, 1), (_OWN, bands)):
        for spread, side in patches:
            z += spread * _blocks(random, side, channels)
    dn = np.clip(np.asarray(card.mean) + np.asarray(card.std) * z, 1, _MOST_DN).astype(np.uint16)
    dn[100:160, 200:290] = 0
    dn[:, -9:] = 0
    dn[400:404, 300:480, -1] = 0
    return dn


def _blocks(random: np.random.Generator, side: int, channels: int) -> NDArray[np.float64]:
    rows, cols = (-(-n // side) for n in PROBE_PX)
    coarse = random.normal(size=(rows, cols, channels))
    return coarse.repeat(side, axis=0).repeat(side, axis=1)[: PROBE_PX[0], : PROBE_PX[1]]


def _patches(dn: NDArray[np.uint16]) -> NDArray[np.uint16]:
    corners = [divmod(int(k), PROBE_PX[1] - PATCH_PX) for k in np.linspace(0, 600 * (PROBE_PX[1] - PATCH_PX), PATCHES)]
    return np.stack([dn[row : row + PATCH_PX, col : col + PATCH_PX] for row, col in corners])


def proof_key(model: Model, engine: Sequence[str]) -> str:
    """SHA-256 over weights, cards, the engine (its name, library, processor), and the code that builds the nets."""
    content = json.dumps([model_identity(model), *engine, _code()])
    return hashlib.sha256(content.encode()).hexdigest()


@lru_cache(maxsize=1)
def _code() -> str:
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()


def stored_proof(folder: Path, key: str) -> Proof | None:
    """The proof that was kept under a key; None if there is none, or what lies there is none."""
    try:
        content = json.loads((folder / f"{key}.json").read_text("utf-8"))
        return _proof(content) if content["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _proof(content: Mapping[str, Any]) -> Proof:
    return Proof(
        str(content["key"]),
        float(content["largest_difference"]),
        float(content["allowed"]),
        int(content["changed_hits"]),
    )


def keep_proof(folder: Path, proof: Proof) -> None:
    """Keep a proof; where the folder cannot be written it holds for this process only."""
    try:
        write_json(folder / f"{proof.key}.json", asdict(proof))
    except RunError:
        return
