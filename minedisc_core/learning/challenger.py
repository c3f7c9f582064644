"""A challenger: the champion's trunk with a head that has learned from a dataset version, its cut-off and its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.models import Model, load_tensors, save_model
from minedisc_core.detection.networks import Tensors
from minedisc_core.detection.scorer import DiscoveryNet
from minedisc_core.domain import Reason
from minedisc_core.grid import CONTEXT_PX, HEAD_FEATURES
from minedisc_core.learning.cut_off import choose_cut_off
from minedisc_core.learning.datasets import Dataset, read_windows
from minedisc_core.learning.evaluation import classification_figures
from minedisc_core.learning.features import MIDDLE, SYMMETRIES, window_features
from minedisc_core.learning.fine_tuning import FineTuningOptions, HeadExamples, State, fine_tune
from minedisc_core.learning.holding_out import HELD_OUT, TRAINING, VALIDATION
from minedisc_core.learning.loop_dataset import QUEUE

_REASONS = frozenset(map(str, Reason))
_MINE, _REJECTED, _OTHER = 0, 1, 2
FOLDS = 4
"""Parts of the places that are learned from; each is left out once, to choose the cut-off."""


@dataclass(frozen=True)
class Learned:
    """What came of a fine-tuning."""

    tensors: Tensors
    threshold: float
    scores: Mapping[str, Mapping[str, float]]
    """Of each held-out sample by its id: the scores of `champion` and `challenger`."""
    figures: Mapping[str, Any]
    """For the card."""

    def save(self, folder: Path, name: str, champion: Model, facts: Mapping[str, Any]) -> None:
        """Write the challenger's model folder; the champion's impact net comes along as it is.

        Raises:
            ModelError: the champion's impact net cannot be read.
        """
        before = champion.discovery
        card = replace(
            before,
            name=name,
            version=f"{before.version}.1",
            threshold=self.threshold,
            training={**self.figures, **facts},
            description=f"{before.description} Fine-tuned from {before.name} with people's verdicts.".strip(),
        )
        impact = None
        if champion.impact is not None:
            impact = (replace(champion.impact, name=name), load_tensors(champion, "impact"))
        save_model(folder, (card, self.tensors), impact)


class Challenger:
    """Learns on a dataset version whose samples stand on their sides."""

    def __init__(self, champion: ModelCard, tensors: Tensors, dataset: Dataset) -> None:
        self.card, self.tensors, self.dataset = champion, tensors, dataset
        self.labels = np.array([entry.label == "mine" for entry in dataset.samples], np.int32)
        self.splits = np.array([entry.split for entry in dataset.samples])

    def features(self, threads: int, on_window: Callable[[int], None]) -> NDArray[np.float32]:
        """Features of all samples from the champion's trunk, (n, 8, 9, 9, channels); turned where they teach."""
        net = DiscoveryNet(self.card, self.tensors, 1)
        turns = np.where(self.splits == TRAINING, SYMMETRIES, 1).tolist()
        return window_features(net, self._window, turns, threads=threads, on_window=on_window)

    def _window(self, number: int) -> NDArray[np.uint16]:
        window: NDArray[np.uint16] = read_windows(self.dataset, self.card.bands, [number])[0]
        return window

    def learn(self, features: NDArray[np.float32], options: FineTuningOptions, state: State | None) -> Learned:
        """Fine-tune the head, choose the cut-off on samples that were not learned from, score the held-out part.

        Raises:
            UsageError: the training part holds one class only.
            MinediscError: losses or weights came to no finite number.
        """
        training, validation, held = (np.flatnonzero(self.splits == side) for side in (TRAINING, VALIDATION, HELD_OUT))
        examples = HeadExamples(features, self.labels, self._groups(), self.dataset.window_px != CONTEXT_PX)
        tensors, epoch = fine_tune(self.tensors, examples, training, validation, options, state)
        scores = {
            which: self._scores(features, weights)
            for which, weights in (("champion", self.tensors), ("challenger", tensors))
        }
        threshold = self._cut_off(features, examples, scores, replace(options, epochs=max(1, epoch), on_epoch=None))
        figures = {
            "fine_tuned": "head", "epochs": options.epochs, "best_epoch": epoch, "seed": options.seed,
            "learning_rate": options.learning_rate, "samples": len(self.labels),
            **{side: self._figures(scores["challenger"], part, threshold)
               for side, part in (("training", training), ("validation", validation), ("held_out", held))},
        }  # fmt: skip
        ids = [entry.sample_id for entry in self.dataset.samples]
        told = {ids[n]: {which: float(values[n]) for which, values in scores.items()} for n in held.tolist()}
        return Learned(tensors, threshold, told, figures)

    def _cut_off(
        self, features: NDArray[np.float32], examples: HeadExamples, scores: Mapping[str, NDArray[np.float32]],
        options: FineTuningOptions,
    ) -> float:  # fmt: skip
        """The cut-off, from samples that people decided on and that are not held out.

        They lie on a site's peak, which is what finds a mine in a scan; windows of a dataset lie anywhere on a mine.
        The challenger has learned from most of them: these are scored by twins that did without their places.
        """
        judged = np.array([entry.facts.get("origin") == QUEUE for entry in self.dataset.samples], bool)
        training, validation = (np.flatnonzero(self.splits == side) for side in (TRAINING, VALIDATION))
        unseen, chosen = scores["challenger"].copy(), judged & (self.splits == VALIDATION)
        for out in self._folds(np.flatnonzero(judged & (self.splits == TRAINING))):
            left = np.setdiff1d(training, out)
            if set(self.labels[left].tolist()) == {0, 1}:
                twin, _ = fine_tune(self.tensors, examples, left, validation, options)
                unseen[out] = self._scores(features[out], twin)
                chosen[out] = True
        return choose_cut_off(unseen[chosen], scores["champion"][chosen], self.labels[chosen], self.card.threshold)

    def _folds(self, samples: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """The samples in parts of whole places."""
        places = np.array([self.dataset.samples[n].place for n in samples.tolist()])
        names, number = np.unique(places, return_inverse=True)
        return [samples[number % FOLDS == fold] for fold in range(min(FOLDS, len(names)))]

    def _groups(self) -> NDArray[np.int32]:
        """Mines, candidates that people rejected, and all other background."""
        groups = [
            _MINE if entry.label == "mine" else _REJECTED if entry.reason in _REASONS else _OTHER
            for entry in self.dataset.samples
        ]
        return np.array(groups, np.int32)

    def _scores(self, features: NDArray[np.float32], tensors: Tensors) -> NDArray[np.float32]:
        net = DiscoveryNet(self.card, tensors, 1)
        middle = slice(MIDDLE, MIDDLE + HEAD_FEATURES)
        return np.array([net.head(part[0][middle, middle])[0, 0] for part in features], np.float32)

    def _figures(self, scores: NDArray[np.float32], part: NDArray[np.intp], threshold: float) -> dict[str, Any]:
        return classification_figures(self.labels[part], (scores[part] > threshold).astype(np.int64))
