"""Figures of a classifier on labelled windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def classification_figures(targets: NDArray[np.integer], predicted: NDArray[np.integer]) -> dict[str, Any]:
    """Accuracy, confusion and per-class precision, recall and F1.

    Args:
        targets: true classes, (n,).
        predicted: predicted classes, (n,).

    Returns:
        `samples`, `accuracy`, `f1`, `precision`, `recall` (of class 1 where there are two classes, else
        means over the classes) and `confusion` (rows = true class). Only `samples` when n is 0.
    """
    if not len(targets):
        return {"samples": 0}
    classes = max(int(targets.max()), int(predicted.max()), 1) + 1
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
