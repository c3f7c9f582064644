"""One training: epochs over windows in memory, with validation, early stopping, and a state that can be kept.

The state after an epoch (weights, Adam's moments, the best weights, what each epoch showed) is all that is needed to
go on: orders, symmetries and dropout follow from the seed and the numbers of epoch and step, so a training that was
interrupted ends with the weights it would have had.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.networks import MINE, NetKind, Tensors, get_tensors, set_tensors
from minedisc_core.errors import Cancelled, ModelError, UsageError
from minedisc_core.learning.batches import Batches, Windows
from minedisc_core.learning.evaluation import softmax
from minedisc_core.learning.folds import Split
from minedisc_core.learning.logistic import fit_head
from minedisc_core.learning.precision import Policy
from minedisc_core.learning.recipes import Recipe
from minedisc_core.learning.soundness import StepGuard
from minedisc_core.learning.splits import balanced_order
from minedisc_core.learning.spread_heads import spread_tensors, standing_out, steadied
from minedisc_core.learning.step import Settled, TrainingGraph, needed_px

WARM_WINDOWS = 20_000
"""Windows that a fresh spread head is fitted on at most."""
Epoch = Mapping[str, float]
"""What one epoch showed: `loss` and `accuracy` while learning (with dropout), `seconds`, `waited_s` for batches, and
`validation_loss`, `validation_accuracy` where there is a validation part."""


@dataclass(frozen=True)
class FitPlan:
    """What is trained and how."""

    net: NetKind
    recipe: Recipe
    mean: tuple[float, ...]
    std: tuple[float, ...]
    policy: Policy = "float32"
    seed: int = 0
    rate: float | None = None
    """Adam's; None: the recipe's."""
    start: Tensors | None = None
    """Weights to go on from."""
    is_ready: bool = False
    """The windows are normalised already (`step.ready_windows`)."""
    dark: tuple[float, ...] = ()
    """Per band, for the spread head; empty for the paper's."""


@dataclass
class FitState:
    """How far a training is."""

    epoch: int = 0
    history: list[Epoch] = field(default_factory=list)
    best_loss: float = math.inf
    best_epoch: int = 0
    left_out: int = 0
    """Steps whose loss or gradients were no numbers."""
    best: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """Weights of the best epoch, by tensor name; empty where the recipe keeps the last ones."""


class Fit:
    """A training that runs to its end, or stops after an epoch and goes on from its state."""

    def __init__(self, plan: FitPlan, windows: Windows, labels: NDArray[np.int32], split: Split) -> None:
        self.plan, self.split, self.labels = plan, split, labels
        side = windows.shape[1] if plan.net == "impact" else needed_px(windows.shape[1])
        recipe = plan.recipe
        weights = class_weights(labels[split.training]) if recipe.balance == "weights" else None
        rate = plan.rate or recipe.rate(plan.net, plan.start is not None)
        self.graph = TrainingGraph(
            Settled(
                plan.net,
                recipe,
                rate,
                plan.mean,
                plan.std,
                side,
                plan.policy,
                plan.seed,
                weights,
                plan.dark,
                plan.is_ready,
            )
        )
        if plan.start is not None:
            set_tensors(self.graph.network, plan.start)
        self.batches = Batches(windows, labels, side, recipe.batch, recipe.symmetries, plan.seed)
        self.guard = StepGuard(plan.policy)
        self.state = FitState()

    def run(
        self,
        epochs: int,
        on_epoch: Callable[[FitState], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> FitState:
        """All epochs that are left; the net then has the weights that the recipe keeps.

        Args:
            epochs: how many in all, those of the state included.
            on_epoch: called after each epoch.
            should_stop: asked before each batch.

        Raises:
            Cancelled: `should_stop` said so; the state is that of the last whole epoch.
            MinediscError: losses or weights came to no finite number.
        """
        if self.needs_warming:
            self.warm(should_stop)
        while self.state.epoch < epochs and not self._is_over():
            self.advance(self.state.epoch + 1, should_stop)
            if on_epoch:
                on_epoch(self.state)
        self._settle(epochs)
        return self.state

    @property
    def needs_warming(self) -> bool:
        """Whether there is a spread head that has seen nothing yet."""
        return self.graph.ground is not None and not self.state.epoch and self.plan.start is None

    def warm(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Fit the spread head on how the ground stands out; this is epoch 0, which stays if no later one is better.

        Raises:
            Cancelled: `should_stop` said so.
        """
        chosen, parts = self._for_warming(), []
        for pixels in self.batches.plain(chosen):
            if should_stop():
                raise Cancelled("the training was cancelled", remedy="resume it")
            parts.append(self.graph.numbers(pixels).numpy())
        numbers = np.concatenate(parts)
        bands = len(self.plan.mean)
        head = steadied(fit_head(numbers, self.labels[chosen] == MINE, standing_out(bands)), bands)
        set_tensors(self.graph.network, {**self.tensors(), **spread_tensors(head)})
        if self.plan.recipe.keep == "best":
            self.state.best_loss, self.state.best = self._validate().get("validation_loss", 0.0), self.tensors()

    def _for_warming(self) -> NDArray[np.intp]:
        """Windows of each class, equally many at most."""
        training = np.random.default_rng(self.plan.seed).permutation(self.split.training)
        classes = [training[self.labels[training] == label] for label in np.unique(self.labels[training])]
        return np.concatenate([members[: WARM_WINDOWS // len(classes)] for members in classes])

    def _is_over(self) -> bool:
        patience = self.plan.recipe.patience
        if patience is None or not len(self.split.validation):
            return False
        return self.state.epoch - self.state.best_epoch >= patience

    def advance(self, number: int, should_stop: Callable[[], bool] = lambda: False) -> None:
        """One epoch, the one of that number; errors as in `run`."""
        started, waited = time.perf_counter(), self.batches.waited_s
        order = self._order(number)
        learned = self._learn(order, number, should_stop)
        learning_s = time.perf_counter() - started
        shown = {**learned, **self._validate()}
        times = {"learning_s": learning_s, "waited_s": self.batches.waited_s - waited}
        times["seconds"] = time.perf_counter() - started
        self._note(number, {**shown, **{name: round(value, 3) for name, value in times.items()}})

    def _order(self, number: int) -> NDArray[np.intp]:
        random = np.random.default_rng([self.plan.seed, number])
        if self.plan.recipe.balance == "draws":
            return balanced_order(self.labels, self.split.training, random)
        return random.permutation(self.split.training)

    def _learn(self, order: NDArray[np.intp], number: int, should_stop: Callable[[], bool]) -> dict[str, float]:
        losses, right, seen = [], 0, 0
        first = (number - 1) * (-(-len(order) // self.plan.recipe.batch))
        with closing(self.batches.epoch(order, number)) as batches:
            for step, (pixels, targets) in enumerate(batches, first):
                if should_stop():
                    raise Cancelled("the training was cancelled", remedy="resume it")
                loss, hits, is_sound = self.graph.step(pixels, targets, step)
                if self.guard.heed(bool(is_sound)):
                    losses.append(float(loss))
                    right, seen = right + int(hits), seen + len(targets)
        return {"loss": float(np.mean(losses)) if losses else math.nan, "accuracy": right / max(seen, 1)}

    def _validate(self) -> dict[str, float]:
        chosen = self.split.validation
        if not len(chosen):
            return {}
        scores, targets = softmax(self.logits(chosen)), self.labels[chosen]
        of_truth = np.maximum(scores[np.arange(len(targets)), targets], 1e-12)
        accuracy = float((scores.argmax(axis=1) == targets).mean())
        return {"validation_loss": float(-np.log(of_truth).mean()), "validation_accuracy": accuracy}

    def _note(self, number: int, shown: Epoch) -> None:
        state = self.state
        state.epoch, state.left_out = number, self.guard.left_out
        state.history.append(shown)
        score = shown.get("validation_loss", -number)
        if math.isfinite(shown["loss"]) and score < state.best_loss:
            state.best_loss, state.best_epoch = score, number
            if self.plan.recipe.keep == "best":
                state.best = get_tensors(self.graph.network)

    def _settle(self, epochs: int) -> None:
        if epochs and math.isinf(self.state.best_loss):
            raise self.guard.hopeless("the loss of every epoch")
        if self.plan.recipe.keep == "best" and self.state.best:
            set_tensors(self.graph.network, self.state.best)
        self.guard.check_weights(self.tensors())

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The net's weights, by tensor name."""
        return get_tensors(self.graph.network)

    def logits(self, chosen: NDArray[np.intp]) -> NDArray[np.float32]:
        """Logits of the middle cell of windows, (n, classes)."""
        parts = [self.graph.logits(pixels).numpy() for pixels in self.batches.plain(chosen)]
        return np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, 2), np.float32)

    def pack(self) -> bytes:
        """The state as a safetensors file: numbers and a text, nothing that could run."""
        from safetensors.numpy import save

        state = self.state
        words: dict[str, Any] = {"epoch": state.epoch, "best_loss": state.best_loss, "best_epoch": state.best_epoch}
        words |= {"left_out": state.left_out, "history": [dict(each) for each in state.history]}
        moments = {f"adam/{n}": np.asarray(v.value) for n, v in enumerate(self.graph.optimizer.variables)}
        best = {f"best/{name}": values for name, values in state.best.items()}
        tensors = {f"net/{name}": values for name, values in self.tensors().items()}
        everything = {**moments, **best, **tensors}
        packed = {name: np.ascontiguousarray(values).reshape(values.shape) for name, values in everything.items()}
        return bytes(save(packed, metadata={"state": json.dumps(words)}))

    def unpack(self, content: bytes) -> None:
        """Go on from a state that `pack` gave.

        Raises:
            UsageError: it is none, or it belongs to another training; this one can then not be used any more.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            found = load(content)
            words = json.loads(_metadata(content)["state"])
            state = FitState(
                words["epoch"], words["history"], words["best_loss"], words["best_epoch"], words["left_out"],
                _under("best/", found),
            )  # fmt: skip
            self._put_moments(_under("adam/", found))
            set_tensors(self.graph.network, _under("net/", found))
        except (SafetensorError, ModelError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"the kept state cannot be used: {error}", "a state of this training") from error
        self.state = state
        self.guard.left_out = state.left_out

    def _put_moments(self, moments: Mapping[str, NDArray[Any]]) -> None:
        variables = self.graph.optimizer.variables
        if len(moments) != len(variables):
            raise ValueError(f"it holds {len(moments)} numbers of Adam's, not {len(variables)}")
        for number, variable in enumerate(variables):
            if moments[str(number)].shape != tuple(variable.shape):
                raise ValueError(f"{moments[str(number)].shape} is no {tuple(variable.shape)}")
            variable.assign(moments[str(number)])


def _under(prefix: str, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in tensors.items() if name.startswith(prefix)}


def _metadata(content: bytes) -> dict[str, str]:
    """The texts in a safetensors file: its header is JSON behind eight bytes that give its length."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    found: dict[str, str] = header["__metadata__"]
    return found


def class_weights(labels: NDArray[np.integer]) -> tuple[float, ...]:
    """A weight for each class such that all classes count alike and the mean weight is 1."""
    counts = np.bincount(labels)
    return tuple((len(labels) / (len(counts) * np.maximum(counts, 1))).tolist())
