"""What a training leaves in words and numbers: the cards of its nets, and the report of all folds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from minedisc_core.detection.cards import ORES, PAPER_FIGURES, ModelCard
from minedisc_core.jobs.train_request import ReadyTraining
from minedisc_core.learning.code_version import code_version
from minedisc_core.learning.study import HALF, classes_of

NO_LICENCE = "not stated: ask who trained it, and see the licence of the samples' imagery"
INTENDED_USE = {
    "discovery": "Points at 270 m cells of Sentinel-2 mosaics of the stated level and bands that may hold a surface "
    "mine or a tailings dam, for people who look at each and decide.",
    "impact": "Names the likely class of impact (high, low, no ore) of a 210 m patch at a site that the discovery net "
    "has found.",
}
LIMITS = {
    "discovery": "A score is no probability and a hit is no finding: it says nothing of titles or permits. Judged on "
    "windows like those it was trained on; elsewhere, in other seasons and on other products it may fail. Look-alikes "
    "(irrigation dams, river banks, bare fields, quarries without a register) are its usual false alarms.",
    "impact": "Gold cannot be told from sand and gravel at 10 m. The class follows the ores of the registers, not a "
    "measured impact. Judged on patches like those it was trained on.",
}


def fold_card(ready: ReadyTraining, record: Mapping[str, Any]) -> ModelCard:
    """The card of one fold's net."""
    facts = {key: record[key] for key in ("number", "epochs", "best_epoch", "training", "validation")}
    return _card(ready, f"fold-{record['number']:02}", record, {**how(ready), **facts}, HALF)


def model_card(
    ready: ReadyTraining, folder_name: str, record: Mapping[str, Any], report: Mapping[str, Any]
) -> ModelCard:
    """The card of the model that the training gives.

    Args:
        ready: the training.
        folder_name: name of the model where the request gives none.
        record: of the net that was kept: its normalisation.
        report: as `finished_report` gives it; all but the folds' histories goes into the card.
    """
    folds = [
        {name: fold[name] for name in ("number", "epochs", "best_epoch", "training", "validation")}
        for fold in report["folds"]
    ]
    training = {**{key: value for key, value in report.items() if key != "paper"}, "folds": folds}
    name = ready.request.name or folder_name
    return _card(ready, name, record, training, float(report.get("threshold", HALF)))


def _card(
    ready: ReadyTraining, name: str, record: Mapping[str, Any], training: Mapping[str, Any], threshold: float
) -> ModelCard:
    net = ready.request.net
    dark = tuple(record.get("dark", ()))  # of folds that an older version trained there is none
    head = "spread" if dark else "context"
    own: dict[str, Any] = {"threshold": min(max(threshold, 0.01), 0.99), "head": head, "dark": dark}
    if net == "impact":
        own = {"classes": classes_of(net), "ores": dict(ORES)}
    return ModelCard(
        name, "1", net, ready.level, ready.bands, tuple(record["mean"]), tuple(record["std"]),
        **own,
        is_demonstration=ready.request.is_demonstration,
        description=ready.request.description,
        window_px=min(ready.dataset.window_px, ready.recipe.window_px or ready.dataset.window_px),
        licence=ready.request.licence or NO_LICENCE,
        intended_use=INTENDED_USE[net],
        limits=LIMITS[net],
        training=training,
        paper=PAPER_FIGURES[net],
    )  # fmt: skip


def how(ready: ReadyTraining) -> dict[str, Any]:
    """Dataset, recipe and code of a training, as plain values."""
    request, dataset, examples = ready.request, ready.dataset, ready.examples
    classes = classes_of(request.net)
    counts = Counter(classes[label] for label in examples.labels)
    return {
        "dataset": {
            "version": dataset.version,
            "hash": dataset.hash,
            "samples": len(examples.labels),
            "held_out": examples.held_out,
            "by_label": {name: counts[name] for name in classes},
            "places": len(set(examples.places.tolist())),
            "window_px": dataset.window_px,
        },
        "recipe": dataclasses.asdict(ready.recipe),
        "mode": request.mode,
        "start_from": request.start_from,
        "epochs_at_most": ready.epochs,
        "seed": request.seed,
        "policy": ready.policy,
        "code_version": code_version(),
    }


def finished_report(
    ready: ReadyTraining,
    records: Sequence[Mapping[str, Any]],
    figures: Mapping[str, Any],
    final: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What `training.json` holds.

    Args:
        ready: the training.
        records: of each fold (`study.fold_record`).
        figures: of all folds together (`study.study_figures`).
        final: record of the net of all samples, if there is one.
    """
    kept = ("number", "epochs", "best_epoch", "seconds", "steps_left_out", "training", "validation")
    which = "of all samples" if final else "of the one division" if len(records) == 1 else "none: only folds"
    return {
        "net": ready.request.net,
        "level": str(ready.level),
        "bands": list(ready.bands),
        "classes": list(classes_of(ready.request.net)),
        "divided": divided(ready),
        **how(ready),
        **figures,
        "model": which,
        "model_epochs": (final or records[0])["epochs"],
        "folds": [{name: record[name] for name in kept} for record in records],
        "seconds": round(sum(record["seconds"] for record in [*records, *([final] if final else [])]), 1),
        "finished_at_utc": datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
    }


def divided(ready: ReadyTraining) -> str:
    """How the samples were divided, in words."""
    unit = "samples" if ready.recipe.split == "samples" else "places (5 km)"
    request = ready.request
    if request.resamplings:
        return f"{request.resamplings} resamplings of {unit}, a fifth to validate"
    return f"{request.folds} folds of {unit}" if request.folds > 1 else f"one division of {unit}"
