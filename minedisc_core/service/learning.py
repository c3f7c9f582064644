"""Verbs of the loop: begin a retraining, look at it, promote, roll back. Each may be repeated."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from minedisc_core.detection.models import Model, list_models, load_model, model_identity
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import MinediscError, ModelError, RunError, StoreError, UsageError
from minedisc_core.jobs.request import new_run_id
from minedisc_core.jobs.retraining_request import RetrainingOptions, begin_retraining
from minedisc_core.jobs.retraining_result import RetrainingFolder, compare_retraining, list_retrainings, retraining_of
from minedisc_core.learning.comparison import MODELS, Comparison, Outcome
from minedisc_core.runs import REQUEST, RESULT, read_json
from minedisc_core.service.records import plain
from minedisc_core.settings import Settings
from minedisc_core.store import ChampionAction, ChampionEvent, Store
from minedisc_core.store.champions import utc_now

SHORTEST_REASON = 10
"""Letters of a typed reason at least."""


def retrain_begin(
    store: Store,
    settings: Settings,
    champion: str | None = None,
    out: str | None = None,
    retraining_id: str | None = None,
    level: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    without_own_dataset: bool = False,
    own_dataset: str | None = None,
) -> dict[str, Any]:
    """Decide what a retraining learns from and what it is judged by; a process of its own works on it afterwards.

    Args:
        store: the store.
        settings: names the home.
        champion: model to start from; None: the champion of the level.
        out: name of the challenger; None: the champion's name with the next free number.
        retraining_id: made by the caller, so that a repeated call changes nothing.
        level: L1C or L2A, where no champion is named.
        epochs: how often the head sees the samples.
        seed: of all that is drawn.
        without_own_dataset: leave the champion's own dataset out.
        own_dataset: folder of the champion's own dataset, if not where its card says.

    Raises:
        RunError: another retraining is running.
        UsageError: something is missing before it can start; says what.
    """
    model = _start_from(store, settings, champion, level)
    options = RetrainingOptions(seed=seed, without_own=without_own_dataset, own_folder=own_dataset)
    if epochs is not None:
        if not 1 <= epochs <= 1000:
            raise UsageError(f"{epochs} epochs", "1 to 1000")
        options = replace(options, epochs=epochs)
    name = out or next_name(settings, model.name)
    folder = begin_retraining(store, settings, model, name, retraining_id or new_run_id(), options)
    request = read_json(folder / REQUEST)
    return {
        "retraining_id": folder.name,
        "folder": str(folder),
        "champion": request["champion"],
        "out": request["out"],
        "places": request["places"],
        "remarks": request["remarks"],
    }


def _start_from(store: Store, settings: Settings, champion: str | None, level: str | None) -> Model:
    if champion:
        return load_model(champion, settings)
    levels = [level] if level else sorted(map(str, levels_of_verdicts(store)))
    if len(levels) != 1:
        raise UsageError(
            f"candidates of {', '.join(levels) or 'no product'}", "one product level", "choose --champion or --level"
        )
    return champion_model(store, settings, levels[0])


def levels_of_verdicts(store: Store) -> set[ProductLevel]:
    """Products of the scans in which something was confirmed or rejected."""
    return {run.summary.level for run in store.runs() if run.confirmed or run.rejected}


def champion_model(store: Store, settings: Settings, level: str, bands: Sequence[str] | None = None) -> Model:
    """The champion of a level (and its bands): the last promoted one that is still there, else the shipped model.

    Raises:
        ModelError: there is no model of this level, or none with these bands.
    """
    for event in store.champion_events(level, bands):
        if event.folder.is_dir():
            return load_model(event.folder, settings)
    fit = [
        model
        for model in list_models(settings)
        if model.discovery.level == level and (bands is None or {*bands} == {*model.discovery.bands})
    ]
    if not fit:
        raise ModelError(f"there is no model for {level}", "a model", "train or add one: `minedisc models list`")
    return fit[0]


def next_name(settings: Settings, champion: str) -> str:
    """The champion's name with the next free number: `demo-l1c-r1`, `demo-l1c-r2`."""
    stem, _, number = champion.rpartition("-r")
    first, at = (stem, int(number) + 1) if stem and number.isdecimal() else (champion, 1)
    names = {model.name for model in list_models(settings)} | {r.out for r in list_retrainings(settings)}
    while f"{first}-r{at}" in names:
        at += 1
    return f"{first}-r{at}"


def retrain_show(store: Store, settings: Settings, retraining_id: str) -> dict[str, Any]:
    """A finished retraining: both models side by side, what changed, and whether the rule allows the promotion.

    Verdicts that were taken back since count for nothing.

    Raises:
        RunError: there is no such retraining, or it is not finished.
    """
    folder = next((r for r in list_retrainings(settings) if r.retraining_id == retraining_id), None)
    if folder is None or not (folder.path / RESULT).is_file():
        raise RunError(f"retraining {retraining_id} is not finished", "a finished one", "minedisc retrain --resume")
    _note_dataset(store, folder)
    found = comparison(store, folder)
    return comparison_record(found) | {
        "refusals": [*_stale(store, settings, folder), *found.decision.missing, *found.decision.failures],
        "retraining_id": retraining_id,
        "champion": folder.champion,
        "challenger": folder.out,
    }


def _note_dataset(store: Store, folder: RetrainingFolder) -> None:
    """List the version that the retraining made among the dataset versions, once."""
    result, request = read_json(folder.path / RESULT), read_json(folder.path / REQUEST)
    version = str(result["dataset"]["version"])
    if version not in {row.version for row in store.datasets()}:
        ids = [row["sample_id"] for row in request["samples"]]
        store.add_dataset(version, Path(result["dataset"]["folder"]), ids)


def comparison(store: Store, folder: RetrainingFolder) -> Comparison:
    """Both models of a finished retraining, judged by the verdicts that are in force now."""
    gone = {row.sample_id for row in store.sample_queue(include_withdrawn=True) if row.withdrawn}
    return compare_retraining(folder.path, gone)


def comparison_record(found: Comparison) -> dict[str, Any]:
    """A comparison as plain JSON."""
    decision = found.decision
    return {
        "is_allowed": decision.is_allowed,
        "missing": list(decision.missing),
        "failures": list(decision.failures),
        "sites": plain(decision.sites),
        "samples": plain(decision.samples),
        "figures": plain(dict(found.figures)),
        "changed": [outcome_record(outcome) for outcome in found.changed],
        "problems": list(found.problems),
    }


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """One held-out candidate as plain JSON; a score that there is none of is null."""
    judged = outcome.judged
    scores = {f"{which}{kind}": getattr(outcome, f"{which}{kind}") for which in MODELS for kind in ("", "_site")}
    return {
        "candidate_id": judged.candidate_id, "run_id": judged.run_id, "place": judged.place,
        "is_mine": judged.is_mine, "reason": judged.reason, "lon": judged.lon, "lat": judged.lat,
        **{name: None if score != score else score for name, score in scores.items()},
    }  # fmt: skip


def models_champion(store: Store, settings: Settings) -> dict[str, Any]:
    """The champion of each product level and its bands, and how it became that; newest first in `history`."""
    kinds = {(str(m.discovery.level), tuple(sorted(m.discovery.bands))) for m in list_models(settings)}
    kinds |= {(event.level, event.bands) for event in store.champion_events() if event.folder.is_dir()}
    found = [
        {"level": level, "bands": list(bands), "champion": champion_model(store, settings, level, bands).name}
        for level, bands in sorted(kinds)
    ]
    return {"champions": found, "history": [plain(event) for event in store.champion_events()]}


def models_promote(
    store: Store,
    settings: Settings,
    name: str,
    analyst: str = "",
    override: str | None = None,
    event_id: str | None = None,
) -> dict[str, Any]:
    """Make a challenger champion, if the rule allows it, or with a typed reason that is kept.

    Args:
        store: the store.
        settings: names the home.
        name: of the model.
        analyst: who promotes; needed with a reason.
        override: why, although the rule refuses.
        event_id: UUID made by the caller, so that a repeated call changes nothing.

    Raises:
        RunError: refused; the text has the numbers.
        UsageError: a reason without a name, or one that says nothing.
    """
    model = load_model(name, settings)
    level, bands = str(model.discovery.level), model.discovery.bands
    before = champion_model(store, settings, level, bands)
    standing = store.champion(level, bands)
    identity, earlier = model_identity(model), standing.model_identity if standing else model_identity(before)
    if standing and identity == earlier:
        return {"champion": model.name, "level": level, "changed": False}
    problem, report, retraining = _verdict_of_rule(store, settings, model)
    if problem and override is None:
        raise RunError(f"{model.name} is not promoted: {problem}", "what the rule asks for", _OVERRIDE)
    action = ChampionAction.OVERRIDDEN if problem else ChampionAction.PROMOTED
    reason = _typed(override, analyst) if problem else ""
    report = {**report, "refused_because": problem} if problem else report
    event = ChampionEvent(
        event_id or str(uuid.uuid4()), utc_now(), action, level, bands, model.name, model.folder, identity,
        before.name, before.folder, earlier, retraining, analyst, reason, report,
    )  # fmt: skip
    store.add_champion_event(event)
    return {"champion": model.name, "level": level, "changed": True, "action": str(action), "reason": reason}


_OVERRIDE = "retrain with more verdicts, or promote it with a reason: --override REASON --analyst NAME"


def _typed(override: str | None, analyst: str) -> str:
    """The reason, if it says something and somebody stands for it."""
    reason = " ".join((override or "").split())
    if len(reason) < SHORTEST_REASON:
        raise UsageError(f"the reason is {reason!r}", f"at least {SHORTEST_REASON} letters that say why")
    if not analyst.strip():
        raise UsageError("nobody is named", "who promotes it", "give your name: --analyst NAME")
    return reason


def _verdict_of_rule(store: Store, settings: Settings, model: Model) -> tuple[str, dict[str, Any], str]:
    """Why the rule refuses (empty: it allows), the figures, and the retraining that they are of."""
    folder = retraining_of(settings, model.name)
    if folder is None:
        return "no retraining has compared it with the champion", {}, ""
    found = comparison(store, folder)
    record = {key: value for key, value in comparison_record(found).items() if key != "changed"}
    refusals = [*_stale(store, settings, folder), *found.decision.missing, *found.decision.failures]
    return "; ".join(refusals), record, folder.retraining_id


def _stale(store: Store, settings: Settings, folder: RetrainingFolder) -> list[str]:
    """Why the figures of a retraining are no longer those of the two models."""
    result, request = read_json(folder.path / RESULT), read_json(folder.path / REQUEST)
    try:
        model = load_model(result["challenger_folder"], settings)
    except ModelError:
        return [f"the model {folder.out} is gone"]
    told = []
    if result["challenger_identity"] != model_identity(model):
        told.append("its files were changed after it was judged")
    standing = store.champion(str(model.discovery.level), model.discovery.bands)
    if standing and standing.model_identity == model_identity(model):
        return told
    champion = champion_model(store, settings, str(model.discovery.level), model.discovery.bands)
    if request["champion_identity"] != (standing.model_identity if standing else model_identity(champion)):
        told.append(f"it was judged against {folder.champion}, which is not the champion")
    return told


def models_rollback(
    store: Store, settings: Settings, level: str | None = None, analyst: str = "", event_id: str | None = None
) -> dict[str, Any]:
    """Bring the champion back that was there before the last promotion.

    Raises:
        UsageError: several levels have a promotion to take back, and none was chosen.
        StoreError: there is no promotion to take back, or the model before it is gone.
    """
    known = [event for event in store.champion_events() if event.event_id == event_id]
    if known:
        return {"champion": known[0].model, "level": known[0].level, "changed": False}
    last = _to_take_back(store, level)
    before = _as_it_was(settings, last)
    event = ChampionEvent(
        event_id or str(uuid.uuid4()), utc_now(), ChampionAction.ROLLED_BACK, last.level, last.bands, before.name,
        before.folder, model_identity(before), last.model, last.folder, last.model_identity, "", analyst, "", {},
    )  # fmt: skip
    store.add_champion_event(event)
    return {"champion": before.name, "level": last.level, "changed": True}


def _to_take_back(store: Store, level: str | None) -> ChampionEvent:
    """The promotion in force of the level: the last one that no rollback has taken back."""
    standing: dict[str, list[ChampionEvent]] = {}
    for event in reversed(store.champion_events(level)):
        stack = standing.setdefault(event.level, [])
        if event.action is not ChampionAction.ROLLED_BACK:
            stack.append(event)
        elif stack:
            stack.pop()
    open_levels = sorted(name for name, stack in standing.items() if stack)
    if not open_levels:
        raise StoreError("there is no promotion to take back", "a promotion", "`minedisc models champion` shows them")
    if len(open_levels) > 1:
        raise UsageError(f"promotions of {' and '.join(open_levels)} are in force", "one level", "choose --level")
    return standing[open_levels[0]][-1]


def _as_it_was(settings: Settings, event: ChampionEvent) -> Model:
    try:
        model = load_model(event.previous_folder, settings)
    except MinediscError as error:
        raise StoreError(f"{event.previous} cannot be brought back: {error}", remedy="put its folder back") from error
    if model_identity(model) != event.previous_identity:
        raise StoreError(f"{event.previous} was changed since", "the model as it was", "put its files back")
    return model


def retrainings(_store: Store, settings: Settings) -> list[dict[str, Any]]:
    """All retrainings of the home, newest first."""
    return [plain(asdict(each)) for each in list_retrainings(settings)]


def held_out_positions(store: Store, settings: Settings) -> dict[str, Any]:  # noqa: ARG001 - as every verb
    """Longitude and latitude of every sample that a retraining of this home holds out."""
    return {"positions": [[spot.lon, spot.lat] for spot in store.spots(is_held_out=True)]}


LEARNING_VERBS: Mapping[str, Any] = {
    verb.__name__: verb
    for verb in (
        retrain_begin,
        retrain_show,
        retrainings,
        models_champion,
        models_promote,
        models_rollback,
        held_out_positions,
    )
}
"""Every verb of the loop by its name."""
