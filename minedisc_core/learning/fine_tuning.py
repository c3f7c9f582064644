"""Fine-tuning: the head of a discovery net learns from new samples beside old ones; the trunk stays as it is.

The head (`learning.heads`; the paper's has 200,834 of 260,000 parameters) is trained over features that are computed
once (`learning.features`). Each epoch draws as many mines as rejected candidates and as other background. The state
after each epoch (weights, Adam, random numbers by epoch) is handed out, so that a killed training goes on as if
it had never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.networks import Tensors, keras, tensorflow
from minedisc_core.errors import UsageError
from minedisc_core.grid import HEAD_FEATURES
from minedisc_core.learning.features import MIDDLE, SIDE, cells_at
from minedisc_core.learning.heads import head_of
from minedisc_core.learning.soundness import StepGuard, clipped_adam, only_finite
from minedisc_core.learning.splits import balanced_order

State = Mapping[str, NDArray[Any]]
"""What a fine-tuning needs to go on: `epoch`, `best`, `best_loss`, and tensors named `now/`, `best/` and `adam/`."""


@dataclass(frozen=True)
class FineTuningOptions:
    """How to fine-tune."""

    epochs: int = 60
    batch: int = 32
    learning_rate: float = 1e-3
    seed: int = 0
    on_epoch: Callable[[int, Mapping[str, float], State], None] | None = None
    """Called after each epoch with its number (from 1), its figures and the state to go on from; may raise to stop."""


@dataclass(frozen=True)
class HeadExamples:
    """Features and labels of the samples."""

    features: NDArray[np.float32]
    """(n, 8, 9, 9, channels); the first symmetry is the window as it is, the others are those of training samples."""
    labels: NDArray[np.int32]
    """1 mine, 0 background."""
    groups: NDArray[np.int32]
    """Samples of one group are drawn equally often as those of another: mines, rejected, other background."""
    is_single: bool = False
    """The windows hold one cell each (201 px)."""


@dataclass
class _Progress:
    epoch: int = 0
    best_loss: float = np.inf
    best_epoch: int = 0
    best: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def fine_tune(
    tensors: Tensors,
    examples: HeadExamples,
    training: NDArray[np.intp],
    validation: NDArray[np.intp],
    options: FineTuningOptions,
    state: State | None = None,
) -> tuple[dict[str, NDArray[np.float32]], int]:
    """All tensors after fine-tuning, and the epoch they are of (best validation loss; the last without validation).

    Args:
        tensors: the champion's.
        examples: features from the champion's own trunk.
        training: numbers of the samples to learn from.
        validation: numbers of samples of other places.
        options: see FineTuningOptions.
        state: to go on from; what `on_epoch` was handed.

    Raises:
        UsageError: the training part lacks mines or background.
        MinediscError: losses or weights came to no finite number.
    """
    if set(np.unique(examples.labels[training]).tolist()) != {0, 1}:
        raise UsageError("the training part holds one class only", "mines and background", "review more candidates")
    fit = _HeadFit(tensors, examples, options)
    done = fit.restore(state) if state else _Progress(best=fit.weights())
    for epoch in range(done.epoch + 1, options.epochs + 1):
        figures = {"loss": fit.epoch(epoch, training), **fit.validate(validation)}
        done.epoch, score = epoch, figures.get("validation_loss", -epoch)
        if score < done.best_loss:
            done.best_loss, done.best_epoch, done.best = score, epoch, fit.weights()
        if options.on_epoch:
            options.on_epoch(epoch, figures, fit.state(done))
    fit.guard.check_weights(done.best)
    return {**{name: np.asarray(values, np.float32) for name, values in tensors.items()}, **done.best}, done.best_epoch


class _HeadFit:
    """The head over what goes into it, and its optimizer."""

    def __init__(self, tensors: Tensors, examples: HeadExamples, options: FineTuningOptions) -> None:
        self.examples, self.options = examples, options
        self.tf = tf = tensorflow()
        self.head = head_of(tensors)
        self.shapes = {name: np.shape(tensors[name]) for name in self.head.names}
        self.variables = [
            keras().Variable(_flat(np.asarray(tensors[name], np.float32)), name=name.replace("/", "_"))
            for name in self.head.names
        ]
        self.optimizer = clipped_adam(options.learning_rate)
        self.optimizer.build(self.variables)
        self.guard = StepGuard("float32")
        inputs, mask = (tf.TensorSpec((None, n)) for n in (self.variables[0].shape[0], self.head.hidden))
        kinds = [inputs, tf.TensorSpec((None,), tf.int32), mask]
        self._step = tf.function(self._step_eager, input_signature=kinds, autograph=False)

    def _logits(self, inputs: Any, mask: Any = 1.0) -> Any:
        return self.head.logits([variable.value for variable in self.variables], inputs, mask)

    def _step_eager(self, inputs: Any, targets: Any, mask: Any) -> Any:
        tf = self.tf
        values = [variable.value for variable in self.variables]
        with tf.GradientTape() as tape:
            logits = self._logits(inputs, mask)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        gradients, is_sound = only_finite(loss, tape.gradient(loss, values))
        self.optimizer.apply(gradients, self.variables)
        return loss, is_sound

    def epoch(self, epoch: int, training: NDArray[np.intp]) -> float:
        """One pass; the mean loss. Its random numbers depend on the seed and its number alone."""
        random = np.random.default_rng((self.options.seed, epoch))
        order = balanced_order(self.examples.groups, training, random)
        losses = []
        for start in range(0, len(order), self.options.batch):
            chosen = order[start : start + self.options.batch]
            turns = random.integers(0, self.examples.features.shape[1], len(chosen))
            kept = random.random((len(chosen), self.head.hidden)) < self.head.kept
            mask = kept.astype(np.float32) / self.head.kept
            inputs = self._inputs(chosen, turns, random)
            loss, is_sound = self._step(inputs, self.examples.labels[chosen], mask)
            if self.guard.heed(bool(is_sound)):
                losses.append(float(loss))
        return float(np.mean(losses)) if losses else float("nan")

    def _inputs(self, chosen: NDArray[np.intp], turns: NDArray[np.int64], random: np.random.Generator) -> Any:
        """Of a mine its middle cell; of a background, which is one all over, any of its 3 x 3 cells."""
        examples = self.examples
        places = random.integers(0, SIDE - HEAD_FEATURES + 1, (2, len(chosen)))
        is_middle = (examples.labels[chosen] == 1) | examples.is_single
        rows, cols = np.where(is_middle, MIDDLE, places)
        return self.head.inputs(cells_at(examples.features[chosen, turns], rows, cols))

    def validate(self, validation: NDArray[np.intp]) -> dict[str, float]:
        """Mean loss over the two classes alike, and accuracy; nothing without validation samples."""
        if not len(validation):
            return {}
        middle = np.full(len(validation), MIDDLE)
        features = cells_at(self.examples.features[validation, 0], middle, middle)
        logits = self._logits(self.head.inputs(features)).numpy()
        targets = self.examples.labels[validation]
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(targets)), targets]
        each = [float(losses[targets == label].mean()) for label in np.unique(targets)]
        return {
            "validation_loss": float(np.mean(each)),
            "validation_accuracy": float((logits.argmax(axis=1) == targets).mean()),
        }

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The head's tensors in the shapes of the net."""
        pairs = zip(self.shapes.items(), self.variables, strict=True)
        return {name: np.array(variable.numpy(), np.float32).reshape(shape) for (name, shape), variable in pairs}

    def state(self, done: _Progress) -> dict[str, NDArray[Any]]:
        """All that is needed to go on after this epoch."""
        adam = {f"adam/{k}": np.asarray(value.numpy()) for k, value in enumerate(self.optimizer.variables)}
        best = {f"best/{name}": values for name, values in done.best.items()}
        now = {f"now/{name}": values for name, values in self.weights().items()}
        numbers = {"epoch": done.epoch, "best_epoch": done.best_epoch, "best_loss": done.best_loss}
        return {**adam, **best, **now, **{name: np.array(value) for name, value in numbers.items()}}

    def restore(self, state: State) -> _Progress:
        """Go on from a state."""
        for name, variable in zip(self.head.names, self.variables, strict=True):
            variable.assign(_flat(state[f"now/{name}"]))
        for k, variable in enumerate(self.optimizer.variables):
            variable.assign(state[f"adam/{k}"])
        best = {name: np.array(state[f"best/{name}"], np.float32) for name in self.head.names}
        return _Progress(int(state["epoch"]), float(state["best_loss"]), int(state["best_epoch"]), best)


def _flat(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A kernel as a matrix (inputs, outputs); a bias as it is."""
    return values if values.ndim == 1 else values.reshape(-1, values.shape[-1])
