"""Which library scores: TensorFlow, the reference that is always there, or OpenVINO where it has proved itself.

    auto            OpenVINO in bfloat16 where the processor multiplies it, else in float32; the first that agrees
    openvino-bf16   the one named, if it can be used and agrees; else TensorFlow, with the reason
    openvino
    tensorflow

An engine other than the reference is used for a model only after it has scored the fixed probe as TensorFlow
does (`detection.probe`). That needs TensorFlow once; what came out is kept. In bfloat16 a steep net is off by more than
it may be, and float32 scores then. Cells so near the threshold that rounding could make or hide a hit are scored once
more in float32 (`detection.refine`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Protocol

from minedisc_core.detection import openvino_runtime
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import Model, load_tensors
from minedisc_core.detection.networks import Tensors
from minedisc_core.detection.openvino_nets import FIXED_WIDTHS, OpenVinoDiscovery, OpenVinoImpact
from minedisc_core.detection.openvino_runtime import Precision, Threads
from minedisc_core.detection.patch_cards import PatchCard
from minedisc_core.detection.patch_net import load_patch_net
from minedisc_core.detection.probe import (
    Answers,
    Classifier,
    Proof,
    answers,
    compared,
    keep_proof,
    proof_key,
    stored_proof,
)
from minedisc_core.detection.refine import Doubt
from minedisc_core.detection.scan import Net
from minedisc_core.detection.scorer import DiscoveryNet, ImpactNet
from minedisc_core.engine_record import EngineRecord
from minedisc_core.errors import ModelError

TENSORFLOW = "tensorflow"
ALLOWED = {"f32": 1e-5, "bf16": 5e-3}
"""Most that a score may differ from TensorFlow's."""
NAMES = {"f32": "openvino", "bf16": "openvino-bf16"}

NOT_INSTALLED = "OpenVINO is not installed"
CAUTION = 2.0
"""A score is taken to be off by at most this many times what the probe allows."""
Tell = Callable[[str], None]


class Engine(Protocol):
    """A library that runs a model's nets."""

    @property
    def name(self) -> str:
        """`tensorflow`, `openvino`, `openvino-bf16`."""

    @property
    def identity(self) -> tuple[str, ...]:
        """Name, version of the library, processor: what its answers depend on beside the model."""

    @property
    def allowed(self) -> float:
        """Most that a score may differ from the reference's."""

    @property
    def exact(self) -> Engine | None:
        """What scores the cells that this engine leaves in doubt; None if it rounds nothing."""

    def discovery(self, card: ModelCard, tensors: Tensors) -> Net:
        """The discovery net, safe from several threads at once."""

    def impact(self, card: ModelCard, tensors: Tensors) -> Classifier:
        """The impact net."""


@dataclass(frozen=True)
class TensorFlowEngine:
    """The reference."""

    threads: Threads
    name: str = TENSORFLOW
    allowed: float = 0.0
    exact: Engine | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """Name and version; the processor is not asked, for nothing is proved with it."""
        return self.name, _tensorflow_version(), ""

    def discovery(self, card: ModelCard, tensors: Tensors) -> Net:
        """The discovery net in TensorFlow."""
        return DiscoveryNet(card, tensors, self.threads.each)

    def impact(self, card: ModelCard, tensors: Tensors) -> Classifier:
        """The impact net in TensorFlow."""
        return ImpactNet(card, tensors)


@dataclass(frozen=True)
class OpenVinoEngine:
    """OpenVINO, in float32 or with factors in bfloat16."""

    precision: Precision
    threads: Threads
    fixed_widths: int = FIXED_WIDTHS

    @property
    def name(self) -> str:
        """`openvino` or `openvino-bf16`."""
        return NAMES[self.precision]

    @property
    def allowed(self) -> float:
        """1e-5 in float32, 5e-3 in bfloat16."""
        return ALLOWED[self.precision]

    @property
    def exact(self) -> Engine | None:
        """OpenVINO in float32 for bfloat16; blocks in doubt have any width."""
        return OpenVinoEngine("f32", self.threads, 0) if self.precision == "bf16" else None

    @property
    def identity(self) -> tuple[str, ...]:
        """Name, version of OpenVINO, processor."""
        return self.name, openvino_runtime.version(), openvino_runtime.processor()

    def discovery(self, card: ModelCard, tensors: Tensors) -> Net:
        """The discovery net in OpenVINO."""
        return OpenVinoDiscovery(card, tensors, self.precision, self.threads, self.fixed_widths)

    def impact(self, card: ModelCard, tensors: Tensors) -> Classifier:
        """The impact net in OpenVINO, always in float32."""
        return OpenVinoImpact(card, tensors, self.threads)


@dataclass(frozen=True)
class Exact:
    """The net for cells that the quick one leaves in doubt."""

    discovery: Net
    doubt: Doubt


@dataclass(frozen=True)
class LoadedNets:
    """The nets of a model, ready to score, and who runs them."""

    discovery: Net
    impact: Classifier | None
    engine: EngineRecord
    exact: Exact | None = None
    """For an engine with rounded factors: so that no hit is made or hidden by rounding."""
    proof: Proof | None = None
    """That the engine agrees with the reference, for processes that go on with it elsewhere; None for the reference."""


def load_nets_for(model: Model, asked: str, threads: Threads, cache: Path, tell: Tell = lambda _: None) -> LoadedNets:
    """The nets of a model in the engine that is asked for, or in the reference with the reason.

    Args:
        model: whose nets.
        asked: `auto`, `tensorflow`, `openvino` or `openvino-bf16`.
        threads: how many threads score at once, and how many work for each.
        cache: folder of the proofs.
        tell: told in a few words what takes its time.

    Raises:
        ModelError: the weights cannot be used.
    """
    if isinstance(model.discovery, PatchCard):  # a net of other people has no reference but Keras itself
        net = load_patch_net(model.folder, model.discovery, threads.each)
        return LoadedNets(net, None, _record(TensorFlowEngine(threads), (), None))
    candidates, refused = engines_for(asked, threads)
    return first_that_agrees(model, candidates, TensorFlowEngine(threads), cache, tell, refused)


def engines_for(asked: str, threads: Threads) -> tuple[list[Engine], tuple[str, ...]]:
    """The engines to try in turn before the reference, and why others are left out."""
    if asked == TENSORFLOW:
        return [], ()
    if not openvino_runtime.is_installed():
        return [], (NOT_INSTALLED,)
    wanted: list[Precision] = ["bf16", "f32"] if asked == "auto" else ["f32" if asked == NAMES["f32"] else "bf16"]
    try:
        has_bf16 = openvino_runtime.has_bf16()
    except (ImportError, RuntimeError, OSError) as error:
        return [], (f"OpenVINO does not work here: {str(error)[:200]}",)
    lacks = () if has_bf16 or wanted != ["bf16"] else ("this processor does not multiply in bfloat16",)
    return [OpenVinoEngine(each, threads) for each in wanted if has_bf16 or each == "f32"], lacks


def first_that_agrees(
    model: Model, candidates: Sequence[Engine], reference: Engine, cache: Path, tell: Tell = lambda _: None,
    refused: tuple[str, ...] = (),
) -> LoadedNets:  # fmt: skip
    """The nets in the first candidate that agrees with the reference on the probe, else in the reference.

    An engine that fails is left out this time; one that disagrees is remembered in `cache`.

    Raises:
        ModelError: the weights cannot be used, or the reference itself does not run.
    """
    weights = _Weights(model)
    known = _Reference(weights, reference, tell)
    for engine in candidates:
        try:
            trial = _Trial(weights, engine)
            proof = trial.proof(known, cache)
        except (ModelError, RuntimeError, OSError, ImportError) as error:
            refused = (*refused, f"{engine.name} failed: {str(error)[:200]}")
            continue
        if proof.holds:
            record = _record(engine, refused, proof.largest_difference)
            return LoadedNets(*trial.nets, record, trial.exact(), proof)
        refused = (*refused, f"{engine.name} was refused: {proof}")
    return LoadedNets(*known.nets(), _record(reference, refused, None))


_Nets = tuple[Net, Classifier | None]


class _Weights:
    """A model with its tensors read.

    Raises:
        ModelError: they cannot be used.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.threshold = model.discovery.threshold
        self._discovery = load_tensors(model, "discovery")
        self._impact = load_tensors(model, "impact") if model.impact else {}

    def nets(self, engine: Engine) -> _Nets:
        """Both nets in an engine."""
        discovery = self.discovery(engine)
        return discovery, engine.impact(self.model.impact, self._impact) if self.model.impact else None

    def discovery(self, engine: Engine) -> Net:
        """The discovery net in an engine."""
        return engine.discovery(self.model.discovery, self._discovery)

    def answers(self, nets: _Nets) -> Answers:
        """What the nets make of the probe."""
        return answers(nets[0], self.model.discovery, nets[1], self.model.impact)


class _Reference:
    """The reference's nets and answers, made when they are first needed."""

    def __init__(self, weights: _Weights, engine: Engine, tell: Tell) -> None:
        self.engine = engine
        self._weights, self._tell = weights, tell
        self._nets: _Nets | None = None
        self._answers: Answers | None = None

    def nets(self) -> _Nets:
        """The reference's nets."""
        if self._nets is None:
            self._nets = self._weights.nets(self.engine)
        return self._nets

    def answers(self) -> Answers:
        """The reference's answers to the probe."""
        if self._answers is None:
            self._tell("comparing the engine with TensorFlow (once for each model)")
            self._answers = self._weights.answers(self.nets())
        return self._answers


class _Trial:
    """A candidate with its nets."""

    def __init__(self, weights: _Weights, engine: Engine) -> None:
        self._weights, self._engine = weights, engine
        self.nets = weights.nets(engine)

    def exact(self) -> Exact | None:
        """The net for cells in doubt; None for an engine that rounds nothing."""
        exact = self._engine.exact
        return Exact(self._weights.discovery(exact), Doubt(CAUTION * self._engine.allowed)) if exact else None

    def proof(self, known: _Reference, cache: Path) -> Proof:
        """The proof that was kept, or a new one, which is kept."""
        key = proof_key(self._weights.model, (*self._engine.identity, *known.engine.identity))
        kept = stored_proof(cache, key)
        if kept is not None:
            return kept
        found, reference = self._weights.answers(self.nets), known.answers()
        proof = compared(found, reference, self._weights.threshold, self._engine.allowed, key)
        keep_proof(cache, proof)
        return proof


def _record(engine: Engine, refused: tuple[str, ...], difference: float | None) -> EngineRecord:
    name, library, processor = engine.identity
    return EngineRecord(name, library, processor, difference, refused)


def _tensorflow_version() -> str:
    """Version of the installed TensorFlow, without importing it."""
    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            return package_version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
