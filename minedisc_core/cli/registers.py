"""Registers of known mines, dams, titles, lands and rivers: add, list, retire."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from minedisc_core.cli.options import AsJson, Home, run_verb, settings_of
from minedisc_core.cli.output import clean, print_json, print_table, say

app = typer.Typer(help="Registers of known mines, dams, titles, protected lands and rivers.", no_args_is_help=True)

KindWord = Literal["sigbm", "sigmine", "lands", "points", "polygons", "rivers"]
PROBLEMS_SHOWN = 20


@app.command()
def add(
    kind: Annotated[KindWord, typer.Argument(metavar="sigbm|sigmine|lands|points|polygons|rivers", show_default=False)],
    file: Annotated[Path, typer.Argument(help="CSV, GeoJSON, GeoPackage, shapefile or zip.", show_default=False)],
    home: Home = None,
    as_of: Annotated[str | None, typer.Option(help="Date the register is from, YYYY-MM-DD (default: today).")] = None,
    coverage: Annotated[
        str | None, typer.Option(help="What it covers: BR, states (MG,PA), everywhere or a polygon file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load a register file as a dated snapshot and match every candidate again."""
    if coverage and Path(coverage).is_file():
        coverage = str(Path(coverage).resolve())
    added = run_verb(
        settings_of(home),
        "registers_add",
        kind=kind,
        path=str(file.resolve()),
        as_of=as_of,
        coverage=coverage,
    )
    if as_json:
        print_json(added)
        return
    _print_added(added)


def _print_added(added: dict[str, Any]) -> None:
    snapshot = added["snapshot"]
    print(f"{snapshot['snapshot_id']}: {snapshot['rows']} rows of {clean(snapshot['name'])}, as of {snapshot['as_of']}")
    print(f"covers: {snapshot['coverage']}")
    for other in added["also_in_force"]:
        print(f"{clean(other['notice'])}: minedisc registers retire {other['snapshot_id']}")
    for problem in added["problems"][:PROBLEMS_SHOWN]:
        print(f"  line {problem['line']}{' left out' if problem['left_out'] else ''}: {clean(problem['reason'])}")
    if len(added["problems"]) > PROBLEMS_SHOWN:
        print(f"  ... and {len(added['problems']) - PROBLEMS_SHOWN} more: --json lists all")
    _print_changes(added["changes"])


def _print_changes(changes: list[dict[str, Any]]) -> None:
    print(f"{len(changes)} candidates changed their register status")
    for change in changes[:PROBLEMS_SHOWN]:
        print(f"  {change['candidate_id']}: {change['before']} -> {change['after']}")


@app.command("list")
def list_snapshots(
    home: Home = None,
    retired: Annotated[bool, typer.Option("--retired", help="Also those taken out of use.")] = False,
    as_json: AsJson = False,
) -> None:
    """The loaded snapshots."""
    from minedisc_core.service import registers_list

    found = registers_list(None, settings_of(home), include_retired=retired)  # files only: no database is needed
    if as_json:
        print_json(found)
        return
    head = ("snapshot", "kind", "file", "as of", "rows", "problems", "coverage")
    names = ("snapshot_id", "kind", "name", "as_of", "rows", "problems", "coverage")
    print_table(head, [[snapshot[name] for name in names] for snapshot in found])
    if not found:
        say("no register is loaded: minedisc registers add sigbm FILE")


@app.command()
def retire(
    snapshot_id: Annotated[str, typer.Argument(show_default=False)], home: Home = None, as_json: AsJson = False
) -> None:
    """Take a snapshot out of use and match every candidate again."""
    retired = run_verb(settings_of(home), "registers_retire", snapshot_id=snapshot_id)
    if as_json:
        print_json(retired)
        return
    print(f"{retired['snapshot_id']} is retired")
    _print_changes(retired["changes"])
