"""Figures of a classifier on labelled windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10
"""Of a reliability curve."""


def classification_figures(
    targets: NDArray[np.integer], predicted: NDArray[np.integer], classes: int = 2
) -> dict[str, Any]:
    """Accuracy, confusion and per-class precision, recall and F1.

    Args:
        targets: true classes, (n,).
        predicted: predicted classes, (n,).
        classes: least number of classes.

    Returns:
        `samples`, `accuracy`, `f1`, `precision`, `recall` (of class 1 where there are two classes, else
        means over the classes) and `confusion` (rows = true class). Only `samples` when n is 0.
    """
    if not len(targets):
        return {"samples": 0}
    classes = max(int(targets.max()) + 1, int(predicted.max()) + 1, classes)
    confusion = np.bincount(targets * classes + predicted, minlength=classes**2).reshape(classes, classes)
    hits = confusion.diagonal()
    precision, recall = _ratio(hits, confusion.sum(axis=0)), _ratio(hits, confusion.sum(axis=1))
    f1 = _ratio(2 * precision * recall, precision + recall)
    pick = (lambda values: values[1]) if classes == 2 else np.mean
    return {
        "samples": len(targets),
        "accuracy": round(float(hits.sum() / len(targets)), 6),
        "f1": round(float(pick(f1)), 6),
        "precision": round(float(pick(precision)), 6),
        "recall": round(float(pick(recall)), 6),
        "confusion": confusion.tolist(),
    }


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return ratio


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scores (n, classes), each row summing to 1, of logits."""
    wide = np.asarray(logits, np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    scores: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return scores


def best_threshold(is_mine: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """The threshold, above which a score is a hit, with the highest F1; the middle of the best gap between scores.

    Args:
        is_mine: truth, (n,), with at least one of each.
        scores: 0..1, (n,), of windows that the net has not learned from.

    Returns:
        A number between 0.01 and 0.99.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, truth = np.asarray(scores, np.float64)[order], is_mine[order]
    found = np.cumsum(truth)
    f1 = 2 * found / (np.arange(1, len(truth) + 1) + truth.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # no threshold lies between equal scores
    last = int(np.argmax(f1))
    below = ranked[last + 1] if last + 1 < len(ranked) else 0.0
    return float(np.clip((ranked[last] + below) / 2, 0.01, 0.99))


def reliability(right: NDArray[np.bool_], confidence: NDArray[np.floating], bins: int = BINS) -> dict[str, Any]:
    """How often the net is right where it says that it is.

    Args:
        right: discovery: whether the sample is a mine; impact: whether the likeliest class is the true one.
        confidence: 0..1, the score of that.
        bins: equal parts of 0..1.

    Returns:
        `ece` (mean gap between confidence and frequency, weighted by samples) and `bins`: a row `from`, `to`,
        `samples`, `mean_score`, `frequency` for each part that holds a sample.
    """
    part = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    rows, gap = [], 0.0
    for index in range(bins):
        chosen = part == index
        count = int(chosen.sum())
        if count:
            mean, frequency = float(confidence[chosen].mean()), float(right[chosen].mean())
            gap += count * abs(mean - frequency)
            edges = {"from": index / bins, "to": (index + 1) / bins, "samples": count}
            rows.append({**edges, "mean_score": round(mean, 4), "frequency": round(frequency, 4)})
    return {"ece": round(gap / max(len(right), 1), 4), "bins": rows}


def false_alarms_by_reason(
    reasons: Sequence[str | None], is_background: NDArray[np.bool_], is_hit: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """For each reason (or stratum) why a sample is background: `samples`, `false_alarms`, `rate`."""
    names = np.array([reason or "no reason given" for reason in reasons], object)
    found = {}
    for name in sorted(set(names[is_background])):
        chosen = is_background & (names == name)
        samples, alarms = int(chosen.sum()), int((chosen & is_hit).sum())
        found[str(name)] = {"samples": samples, "false_alarms": alarms, "rate": round(alarms / samples, 4)}
    return found


def mean_and_deviation(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over folds of each figure, and the mean confusion matrix.

    Args:
        rows: `classification_figures` of each fold; empty ones are left out.

    Returns:
        For each of accuracy, f1, precision, recall `{"mean": ..., "deviation": ...}`, and `confusion`.
    """
    held = [row for row in rows if row.get("samples")]
    if not held:
        return {}
    names = ("accuracy", "f1", "precision", "recall")
    numbers = {name: np.array([row[name] for row in held], float) for name in names}
    spread = {
        name: {"mean": round(float(values.mean()), 6), "deviation": round(float(values.std()), 6)}
        for name, values in numbers.items()
    }
    return {**spread, "confusion": np.mean([row["confusion"] for row in held], axis=0).round(3).tolist()}
