"""Which heads score the samples that a challenger's cut-off is chosen by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minedisc_core.detection.cards import ModelCard
from minedisc_core.domain import ProductLevel
from minedisc_core.learning import challenger
from minedisc_core.learning.challenger import FOLDS, Challenger
from minedisc_core.learning.fine_tuning import FineTuningOptions
from minedisc_core.learning.holding_out import HELD_OUT, TRAINING, VALIDATION

CARD = ModelCard("t", "1", "discovery", ProductLevel.L1C, ("B2",), (1000.0,), (500.0,), threshold=0.6)


def entry(number: int, place: str, split: str, is_mine: bool, origin: str) -> SimpleNamespace:
    label = "mine" if is_mine else "background"
    return SimpleNamespace(
        sample_id=str(number), place=place, split=split, label=label, reason="", facts={"origin": origin}
    )


def dataset() -> SimpleNamespace:
    """Six places that are learned from, one that validates, one held out, ten verdicts each; 20 samples of its own."""
    sides = {**{f"p{k}": TRAINING for k in range(6)}, "v": VALIDATION, "h": HELD_OUT}
    rows = [(place, split, k % 2 == 0, "queue") for place, split in sides.items() for k in range(10)]
    rows += [("generated", TRAINING, k % 2 == 0, "own") for k in range(20)]
    return SimpleNamespace(samples=[entry(n, *row) for n, row in enumerate(rows)], window_px=255)


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> tuple[Challenger, list[set[str]], dict[str, Any]]:
    """A challenger whose heads score nothing but remember whom they learned from; what the cut-off was chosen by."""
    made = dataset()
    seen: list[set[str]] = []
    chosen: dict[str, Any] = {}

    def fine_tune(_tensors: Any, _examples: Any, training: Any, _validation: Any, _options: Any, _state: Any = None):
        seen.append({made.samples[n].place for n in training.tolist()})
        return {"head": np.array(len(seen))}, 7

    def scores(_self: Challenger, features: Any, tensors: Any) -> Any:
        return np.full(len(features), float(tensors.get("head", 0)), np.float32)

    def choose(found: Any, champion: Any, labels: Any, stored: float) -> float:
        chosen.update(found=found, champion=champion, labels=labels, stored=stored)
        return 0.5

    monkeypatch.setattr(challenger, "fine_tune", fine_tune)
    monkeypatch.setattr(challenger, "choose_cut_off", choose)
    monkeypatch.setattr(Challenger, "_scores", scores)
    return Challenger(CARD, {}, made), seen, chosen


def test_a_cut_off_is_chosen_by_samples_that_their_head_did_not_learn_from(learned: Any) -> None:
    found, seen, chosen = learned
    features = np.zeros((len(found.labels), 1), np.float32)
    told = found.learn(features, FineTuningOptions(epochs=3), None)
    assert told.threshold == 0.5
    assert len(seen) == 1 + FOLDS
    assert seen[0] == {"p0", "p1", "p2", "p3", "p4", "p5", "generated"}
    assert len(chosen["found"]) == 70  # every verdict that is not held out
    places = [sample.place for sample in found.dataset.samples if sample.place[0] in "pv"]
    for place, head in zip(places, chosen["found"].astype(int).tolist(), strict=True):
        assert place not in seen[head - 1]
        assert (head == 1) is (place == "v")
    assert all("generated" in places for places in seen)


def test_a_single_place_is_left_out_alone_and_one_class_teaches_no_twin(learned: Any) -> None:
    found, seen, chosen = learned
    for sample in found.dataset.samples:
        if sample.place == "generated" or sample.place in {"p1", "p2", "p3", "p4", "p5"}:
            sample.split = HELD_OUT
    again = Challenger(CARD, {}, found.dataset)
    again.learn(np.zeros((len(found.labels), 1), np.float32), FineTuningOptions(epochs=3), None)
    assert len(seen) == 1
    assert len(chosen["found"]) == 10
