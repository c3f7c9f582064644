"""From finished runs to verdicts and exports: take-in, candidates, verdict, undo, summary, export."""

from __future__ import annotations

import getpass
import json
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from minedisc_core.cli.options import AsJson, Home, RunId, file_to_write, run_verb, run_verb_on_existing, settings_of
from minedisc_core.cli.output import clean, print_json, print_table, say
from minedisc_core.errors import UsageError

VerdictWord = Literal["confirmed", "rejected", "unsure"]
ImpactWord = Literal["high", "low", "no_ore", "unknown"]
STATUS_WORDS = "undecided, confirmed, rejected, unsure"
REGISTER_WORDS = "registered, title_without_extraction_right, nothing_found, not_checked"
CHANGE_WORDS = "new, grown, unchanged, gone"
ReasonWord = Literal[
    "irrigation_dam",
    "river_bank",
    "natural_lake",
    "bare_field",
    "urban",
    "road_airstrip",
    "rock_outcrop",
    "burn",
    "cloud_shadow",
    "landslide",
    "solar_greenhouse",
    "other",
]
REASON_HELP = f"Why it is rejected: {', '.join(get_args(ReasonWord))}. Left out: other."
REASONS_HELP = "Why it was rejected; repeatable."
_GEOJSON_MAX_BYTES = 5_000_000
FormatWord = Literal["csv", "kml", "kmz", "gpkg", "parquet"]
OrderWord = Literal["score", "uncertainty", "oldest", "place", "priority", "disagreement"]
Analyst = Annotated[str | None, typer.Option("--analyst", help="Who decides (default: your login name).")]


def reason_code(text: str) -> str:
    """The code of a reason; blanks and hyphens are taken for underscores."""
    code = "_".join(text.casefold().replace("-", " ").replace("_", " ").split())
    if code not in get_args(ReasonWord):
        raise typer.BadParameter(f"{text!r} is no reason: {', '.join(get_args(ReasonWord))}")
    return code


def take_in(
    run_dir: Annotated[Path, typer.Argument(help="Folder that `minedisc scan` wrote.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Read a finished run into the database and match it with the registers. Twice changes nothing."""
    taken = run_verb(settings_of(home), "take_in", run_dir=str(run_dir.resolve()))
    if as_json:
        print_json(taken)
        return
    if taken["already_taken_in"]:
        print(f"run {taken['run_id']} was taken in before: nothing changed")
        return
    coverage = taken["coverage"]
    print(f"run {taken['run_id']} ({taken['state']}): {taken['new']} candidates, {taken['discarded']} of them hidden")
    print(f"seen: {coverage['seen_km2']:,.1f} of {coverage['asked_km2']:,.1f} km2 ({coverage['fraction']:.1%})")
    print("registers: " + (", ".join(f"{n} {word}" for word, n in taken["register_status"].items()) or "no site"))
    if taken["by_change"]:
        print("other dates: " + ", ".join(f"{n} {word}" for word, n in taken["by_change"].items()))
    if taken["carried_over"]:
        print(f"{taken['carried_over']} verdicts carried over from the same places in the same imagery")


def candidates(
    home: Home = None,
    as_json: AsJson = False,
    run_id: RunId = None,
    status: Annotated[list[str] | None, typer.Option(help=f"{STATUS_WORDS}; repeatable.")] = None,
    impact: Annotated[list[str] | None, typer.Option(help="high, low, no_ore, unknown; repeatable.")] = None,
    register_status: Annotated[list[str] | None, typer.Option(help=f"{REGISTER_WORDS}; repeatable.")] = None,
    reason: Annotated[list[str] | None, typer.Option(metavar="REASON", parser=reason_code, help=REASONS_HELP)] = None,
    change: Annotated[list[str] | None, typer.Option(help=f"{CHANGE_WORDS}, between dates; repeatable.")] = None,
    analyst: Annotated[list[str] | None, typer.Option(help="Who gave the verdict in force; repeatable.")] = None,
    land: Annotated[list[str] | None, typer.Option(help="Name of a protected land it meets; repeatable.")] = None,
    score_min: Annotated[float | None, typer.Option(min=0, max=1, help="Lowest score.")] = None,
    score_max: Annotated[float | None, typer.Option(min=0, max=1, help="Highest score.")] = None,
    box: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(metavar="WEST SOUTH EAST NORTH", help="Only in this box, degrees."),
    ] = None,
    seen: Annotated[bool | None, typer.Option("--seen/--unseen", help="Whether anybody has looked at it.")] = None,
    history: Annotated[bool, typer.Option("--history", help="JSON: also all verdicts and undos of each.")] = False,
    discarded: Annotated[bool, typer.Option("--discarded", help='Text: also those hidden as "no ore".')] = False,
    order: Annotated[OrderWord, typer.Option(help="Which come first.")] = "score",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
) -> None:
    """List candidates. With --json all of them, `discarded` says which are hidden in the app."""
    found = run_verb_on_existing(
        settings_of(home),
        "candidates",
        run_id=run_id,
        statuses=status or [],
        impacts=impact or [],
        register_statuses=register_status or [],
        reasons=reason or [],
        changes=change or [],
        analysts=analyst or [],
        lands=land or [],
        score_min=score_min,
        score_max=score_max,
        box=box,
        seen=seen,
        with_history=history and as_json,
        include_discarded=as_json or discarded,
        order=order,
        limit=limit,
    )
    if as_json:
        print_json(found)
        return
    head = ("candidate", "score", "impact", "status", "register", "lon", "lat", "cells ha", "change", "2nd model")
    print_table(head, [_candidate_row(candidate) for candidate in found])
    say(f"{len(found)} candidates" + ("" if discarded else ' (--discarded lists those hidden as "no ore" too)'))


def _candidate_row(found: dict[str, Any]) -> list[object]:
    place = [f"{found[axis]:.5f}" for axis in ("lon", "lat")]
    words = [found["impact"], found["status"], found["register_status"]]
    second = "" if found["second_score"] is None else f"{found['second_score']:.3f}"
    size = [f"{found['area_cells_ha']:,.1f}", found["change"] or "", second]
    return [found["candidate_id"], found["score"], *words, *place, *size]


def verdict(
    candidate_id: Annotated[str, typer.Argument(show_default=False)],
    decision: Annotated[VerdictWord, typer.Argument(metavar="confirmed|rejected|unsure", show_default=False)],
    reason: Annotated[str | None, typer.Option(metavar="REASON", parser=reason_code, help=REASON_HELP)] = None,
    analyst: Analyst = None,
    notes: Annotated[str, typer.Option(help="Anything worth keeping.")] = "",
    impact: Annotated[ImpactWord | None, typer.Option(help="Corrected class, with a confirmation.")] = None,
    moved: Annotated[
        tuple[float, float] | None, typer.Option("--move-to", metavar="LON LAT", help="Where the mine really is.")
    ] = None,
    footprint: Annotated[
        Path | None, typer.Option(metavar="FILE.geojson", help="Outline of the mine: polygons, longitude, latitude.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Decide on a candidate. A rejection without a reason counts as "other"."""
    settings = settings_of(home)
    decided = run_verb_on_existing(
        settings,
        "verdict",
        candidate_id=candidate_id,
        verdict=decision,
        analyst=analyst or getpass.getuser(),
        reason=reason,
        notes=notes,
        impact=impact,
        moved=moved,
        footprint=None if footprint is None else _geojson(footprint),
        event_id=str(uuid.uuid4()),
    )
    run_verb(settings, "cut_samples")
    _print_decided(decided, as_json)


def _geojson(path: Path) -> object:
    """What a GeoJSON file holds.

    Raises:
        UsageError: it is too large, cannot be read, or is no JSON.
    """
    try:
        if path.stat().st_size > _GEOJSON_MAX_BYTES:
            raise UsageError(f"{path} is too large", f"at most {_GEOJSON_MAX_BYTES:,} bytes", "simplify the outline")
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", "a GeoJSON file") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}", "a GeoJSON file in UTF-8") from error


def undo(
    candidate_id: Annotated[str | None, typer.Argument(help="Default: your last verdict.", show_default=False)] = None,
    analyst: Analyst = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take back your last verdict (verdicts given in one gesture go together); again, the one before."""
    arguments = {"candidate_id": candidate_id, "analyst": analyst or getpass.getuser(), "event_id": str(uuid.uuid4())}
    undone = run_verb_on_existing(settings_of(home), "undo", **arguments)
    if undone is None and not as_json:
        print("nothing to undo")
        return
    _print_decided(undone, as_json)
    if undone is not None and not as_json:
        for candidate in undone["undone"][1:]:
            print(f"{candidate}: undone with it")


def _print_decided(candidate: dict[str, Any] | None, as_json: bool) -> None:
    if as_json or candidate is None:
        print_json(candidate)
        return
    reason = f" ({candidate['reason']})" if candidate["reason"] else ""
    by = f" by {clean(candidate['verdict_by'])}" if candidate["verdict_by"] else ""
    print(f"{candidate['candidate_id']}: {candidate['status']}{reason}{by}")


def summary(home: Home = None, as_json: AsJson = False, run_id: RunId = None) -> None:
    """The tally: km2 seen, sites, confirmed, unregistered, by impact class and protected land."""
    found = run_verb_on_existing(settings_of(home), "summary", run_id=run_id)
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' ')}: {_in_words(value)}")


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{clean(name)} {_in_words(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(_in_words(part) for part in value) or "none"
    return f"{value:,.1f}" if isinstance(value, float) else clean("-" if value is None else value)


def export(
    file_format: Annotated[FormatWord, typer.Option("--format", help="What to write.", show_default=False)],
    out: Annotated[Path, typer.Option(help="File to write.", show_default=False)],
    include_all: Annotated[bool, typer.Option("--all", help="Every candidate that is not hidden.")] = False,
    run_id: RunId = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write confirmed candidates that no register knows."""
    settings = settings_of(home)
    target = str(file_to_write(out, settings))
    choices = {"format": file_format, "include_all": include_all, "run_id": run_id}
    written = run_verb_on_existing(settings, "export", out=target, **choices)
    if as_json:
        print_json(written)
        return
    print(f"{written['path']}: {written['rows']} candidates")
    for word, count in written["by_register_status"].items():
        print(f"  {word}: {count}")
    if written["repeats_left_out"]:
        print(f"  repeats of these places in older runs, left out: {written['repeats_left_out']}")
