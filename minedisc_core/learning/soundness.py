"""What both trainings do when a loss or its gradients are no number: seen with bfloat16, which holds 8 bits.

Gradients are clipped, a step whose loss or gradients are not finite teaches nothing and is counted, and a
training in which such steps do not end stops with an error instead of saving weights that are no numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from minedisc_core.detection.networks import keras, tensorflow
from minedisc_core.errors import MinediscError

MOST_IN_A_ROW = 20
"""So many steps in a row that teach nothing end the training: the weights themselves are past mending."""
_CLIP_NORM = 1.0


def clipped_adam(learning_rate: Any) -> Any:
    """Adam whose gradients are clipped to a norm of 1 over all variables."""
    return keras().optimizers.Adam(learning_rate, global_clipnorm=_CLIP_NORM)


def only_finite(loss: Any, gradients: Sequence[Any]) -> tuple[list[Any], Any]:
    """In the graph: the gradients, all zero if one of them or the loss is not finite; and whether they are sound."""
    tf = tensorflow()
    is_sound = tf.math.is_finite(tf.linalg.global_norm(gradients)) & tf.math.is_finite(loss)
    return [tf.where(is_sound, gradient, 0.0) for gradient in gradients], is_sound


class StepGuard:
    """Counts the steps of one training that taught nothing."""

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self.left_out = 0
        """Steps whose loss or gradients were not finite."""
        self._in_a_row = 0

    def heed(self, is_sound: bool) -> bool:
        """Take note of a step; True if its loss counts.

        Raises:
            MinediscError: `MOST_IN_A_ROW` steps in a row taught nothing.
        """
        self._in_a_row = 0 if is_sound else self._in_a_row + 1
        self.left_out += not is_sound
        if self._in_a_row >= MOST_IN_A_ROW:
            raise self.hopeless(f"{self._in_a_row} training steps in a row")
        return is_sound

    def check_weights(self, tensors: Mapping[str, Any]) -> None:
        """Refuse weights that are not all numbers.

        Raises:
            MinediscError: some are not.
        """
        for name, tensor in tensors.items():
            if not math.isfinite(float(abs(tensor).sum())):
                raise self.hopeless(f"the weights {name}")

    def hopeless(self, what: str) -> MinediscError:
        """The error that ends a training; `what` is no number."""
        return MinediscError(
            f"{what} came to no finite number ({self.policy})",
            "a loss and gradients that are numbers",
            "train with policy='float32' or a smaller learning rate, and look for windows with extreme values",
        )
