"""The two heads of a discovery net as fine-tuning sees them: which tensors learn, from what, and what they say."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection import spread
from minedisc_core.detection.networks import Tensors, keras, tensorflow


class Head(Protocol):
    """A head that learns over features which are computed once."""

    @property
    def names(self) -> tuple[str, ...]:
        """Tensors that learn, in the order of the variables."""

    def inputs(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """What goes in, (n, k), of the features (n, 7, 7, channels) of n cells."""

    def logits(self, variables: list[Any], inputs: Any, mask: Any) -> Any:
        """In the graph: logits (n, 2); `mask` (n, `hidden`) leaves some numbers out."""

    @property
    def hidden(self) -> int:
        """Numbers before the last layer."""

    @property
    def kept(self) -> float:
        """Share of them that a step keeps."""


def head_of(tensors: Tensors) -> Head:
    """The head that a net's tensors belong to."""
    return SpreadHead(tensors) if "standard/kernel" in tensors else ContextHead(tensors)


class ContextHead:
    """The paper's: 7 x 7, then 1 x 1, as two products of matrices."""

    names = ("context/kernel", "context/bias", "output/kernel", "output/bias")
    kept = 0.5

    def __init__(self, tensors: Tensors) -> None:
        self.hidden = int(tensors["context/bias"].size)

    def inputs(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features in a row."""
        return cells.reshape(len(cells), -1)

    def logits(self, variables: list[Any], inputs: Any, mask: Any) -> Any:
        """Background and mine."""
        tf, (kernel, bias, out_kernel, out_bias) = tensorflow(), variables
        return tf.matmul(tf.nn.relu(tf.matmul(inputs, kernel) + bias) * mask, out_kernel) + out_bias


class SpreadHead:
    """That of `detection.spread`: its weights learn, what it centres and scales by stays."""

    names = ("output/kernel", "output/bias")
    kept = 0.7

    def __init__(self, tensors: Tensors) -> None:
        self._scale = np.asarray(tensors["standard/kernel"], np.float32).ravel()
        self._shift = np.asarray(tensors["standard/bias"], np.float32)
        self.hidden = len(self._shift)

    def inputs(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cell's numbers, each of about mean 0 and deviation 1."""
        numbers = np.asarray(spread.cell_numbers(keras().ops, tensorflow().constant(cells)))[:, 0, 0]
        found: NDArray[np.float32] = numbers * self._scale + self._shift
        return found

    def logits(self, variables: list[Any], inputs: Any, mask: Any) -> Any:
        """Nothing for background, the log odds of the score for a mine."""
        tf, (kernel, bias) = tensorflow(), variables
        odds = spread.joint_odds(keras().ops, tf.matmul(inputs * mask, kernel) + bias)
        return tf.stack([tf.zeros_like(odds), odds], axis=-1)
