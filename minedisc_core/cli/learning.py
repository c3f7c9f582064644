"""The loop without a browser: retrain, see who is champion, promote, roll back."""

from __future__ import annotations

import shlex
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from minedisc_core.cli.imagery import Level
from minedisc_core.cli.options import AsJson, Home, run_verb, run_verb_on_existing, settings_of
from minedisc_core.cli.output import library_notes_into, print_json, print_table, progress_bar, say
from minedisc_core.cli.scanning import stopping_on_signals
from minedisc_core.errors import RunError
from minedisc_core.settings import Settings

Analyst = Annotated[str, typer.Option(help="Who does it.")]


def retrain(
    champion: Annotated[str | None, typer.Option(help="Model to start from (default: the champion).")] = None,
    out: Annotated[str | None, typer.Option(help="Name of the new model.")] = None,
    level: Level = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How often the samples are seen.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    without_own_dataset: Annotated[
        bool, typer.Option("--without-own-dataset", help="Learn from the verdicts alone.")
    ] = False,
    own_dataset: Annotated[
        Path | None, typer.Option(help="Folder of the champion's own dataset, if its card's is elsewhere.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last one that stopped.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Retrain the champion with people's verdicts, and compare both on places that no model learned from."""
    settings = settings_of(home)
    if resume:
        folder = _stopped(settings)
    else:
        begun = run_verb_on_existing(
            settings, "retrain_begin", champion=champion, out=out, level=level, epochs=epochs, seed=seed,
            without_own_dataset=without_own_dataset,
            own_dataset=str(own_dataset.resolve()) if own_dataset else None, retraining_id=_new_id(),
        )  # fmt: skip
        folder = Path(begun["folder"])
        for remark in begun["remarks"]:
            say(remark)
    _work(folder, settings)
    shown = run_verb(settings, "retrain_show", retraining_id=folder.name)
    if as_json:
        print_json(shown)
    else:
        _tell(shown)


def _new_id() -> str:
    from minedisc_core.jobs import new_run_id

    return new_run_id()


def _stopped(settings: Settings) -> Path:
    from minedisc_core.jobs.retraining_result import list_retrainings

    found = next((r for r in list_retrainings(settings) if r.can_resume), None)
    if found is None:
        raise RunError("no retraining has stopped", "one that was cancelled or interrupted", "minedisc retrain")
    return found.path


def _work(folder: Path, settings: Settings) -> None:
    """Work in this process, with progress on stderr; Ctrl-C stops it within two seconds."""
    from minedisc_core.jobs.process import LOG
    from minedisc_core.jobs.retraining import work_on_retraining
    from minedisc_core.runs import CANCEL

    (folder / CANCEL).unlink(missing_ok=True)
    with library_notes_into(folder / LOG), stopping_on_signals(folder), progress_bar("retrain") as show:
        work_on_retraining(folder, settings, show)


def _tell(shown: dict[str, Any]) -> None:
    """The comparison as tables, and what the rule says."""
    print(f"retraining {shown['retraining_id']}: {shown['challenger']} beside {shown['champion']}")
    figures = shown["figures"]
    rows: list[list[object]] = [
        [name, figures["champion"][key], figures["challenger"][key]]
        for name, key in (
            ("cut-off", "threshold"), ("recall on held-out mines (samples)", "recall"), ("precision", "precision"),
            ("F1", "f1"), ("calibration error", "calibration_error"), ("held-out mines found (scenes)", "sites_found"),
            ("false sites (scenes)", "sites_false"), ("sites nobody judged (scenes)", "sites_unjudged"),
        )
    ]  # fmt: skip
    print_table(("held-out places", "champion", "challenger"), rows)
    for reason, (false, total) in figures["champion"]["false_by_reason"].items():
        now = figures["challenger"]["false_by_reason"][reason][0]
        print(f"false alarms, {reason}: {false} -> {now} of {total}")
    for outcome in shown["changed"]:
        what = "mine" if outcome["is_mine"] else outcome["reason"]
        print(f"changed: {outcome['candidate_id']} ({what}): {_score(outcome, 'champion')} -> "
              f"{_score(outcome, 'challenger')}")  # fmt: skip
    sites = shown["sites"]
    print(f"recall on scenes, challenger minus champion: {sites['challenger'] - sites['champion']:+.3f} "
          f"(95 % {sites['low']:+.3f} to {sites['high']:+.3f}, drawn by {sites['drawn']})")  # fmt: skip
    for problem in shown["problems"]:
        say(problem)
    if not shown["refusals"]:
        print(f"the rule allows it: minedisc models promote {shlex.quote(shown['challenger'])}")
    else:
        print("the rule refuses it: " + "; ".join(shown["refusals"]))


def _score(outcome: dict[str, Any], which: str) -> str:
    by_site = outcome[f"{which}_site"]
    found = outcome[which] if by_site is None else by_site
    return "-" if found is None else f"{found:.2f}"


def champion(home: Home = None, as_json: AsJson = False) -> None:
    """Which model is champion of which product, and how it became that."""
    found = run_verb_on_existing(settings_of(home), "models_champion")
    if as_json:
        print_json(found)
        return
    print_table(
        ("product", "champion", "bands"),
        [[row["level"], row["champion"], " ".join(row["bands"])] for row in found["champions"]],
    )
    for event in found["history"]:
        why = f": {event['reason']}" if event["reason"] else ""
        who = f" by {event['analyst']}" if event["analyst"] else ""
        print(f"{event['at_utc'][:16]} {event['action']} {event['model']} for {event['previous']}{who}{why}")


def promote(
    name: Annotated[str, typer.Argument(help="The challenger.", show_default=False)],
    override: Annotated[str | None, typer.Option(help="Why, although the rule refuses; it is kept.")] = None,
    analyst: Analyst = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a challenger champion, if it finds no fewer mines and gives fewer false alarms."""
    found = run_verb_on_existing(
        settings_of(home), "models_promote", name=name, analyst=analyst, override=override, event_id=str(uuid.uuid4())
    )
    if as_json:
        print_json(found)
    elif found["changed"]:
        print(f"{found['champion']} is champion of {found['level']} ({found['action']})")
    else:
        print(f"{found['champion']} is champion of {found['level']} already")


def rollback(level: Level = None, analyst: Analyst = "", home: Home = None, as_json: AsJson = False) -> None:
    """Bring back the champion that was there before the last promotion."""
    found = run_verb_on_existing(
        settings_of(home), "models_rollback", level=level, analyst=analyst, event_id=str(uuid.uuid4())
    )
    if as_json:
        print_json(found)
    else:
        print(f"{found['champion']} is champion of {found['level']} again")
