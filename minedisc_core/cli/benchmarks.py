"""Benchmarks: figures with their goals and baselines, measured here and now."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from minedisc_core.cli.options import AsJson
from minedisc_core.cli.output import print_json, print_table, say
from minedisc_core.errors import UsageError

BenchWord = Literal["demo", "scan", "store", "export", "tailings", "review", "mosaic"]


def bench(
    name: Annotated[
        BenchWord, typer.Argument(metavar="demo|scan|store|export|tailings|review|mosaic", show_default=False)
    ],
    size: Annotated[
        int | None,
        typer.Option("--size", "--candidates", min=1, help="Other than the stated size (px, rows, or candidates)."),
    ] = None,
    presses: Annotated[int | None, typer.Option(min=1, help="Key presses per size (review).")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with frames and masks (tailings).")] = None,
    test: Annotated[Path | None, typer.Option(help="A second such folder: train on --data, judge this.")] = None,
    mine_free: Annotated[
        list[Path] | None, typer.Option(help="Folder with real scenes without a mine (tailings); may be repeated.")
    ] = None,
    sites: Annotated[
        bool, typer.Option("--sites", help="Also scan every frame, match with the register, write KML (tailings).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure, and compare each figure with its goal. Takes minutes."""
    measure: Callable[..., dict[str, Any]] = getattr(
        importlib.import_module(f"minedisc_core.bench.{name}"), f"bench_{name}"
    )
    given = {"data": data, "test": test, "mine_free": mine_free, "sites": sites or None}
    found = measure(**_size_argument(measure, size), **_presses_argument(measure, presses), **_taken(measure, given))
    if as_json:
        print_json(found)
        return
    head = ("figure", "value", "unit", "goal", "holds", "compared with")
    names = ("name", "value", "unit", "goal", "holds", "baseline")
    print_table(head, [[figure[name] for name in names] for figure in found["figures"]])
    machine = found["machine"]
    say(f"{machine['processor']}, {machine['cores']} cores, load {machine['load_average']}")


def _size_argument(measure: Callable[..., Any], size: int | None) -> dict[str, int]:
    """The size under the name that this benchmark gives it: its first whole-number argument.

    Raises:
        UsageError: it has no size.
    """
    if size is None:
        return {}
    for parameter in inspect.signature(measure).parameters.values():
        if isinstance(parameter.default, int) and not isinstance(parameter.default, bool):
            return {parameter.name: size}
    raise UsageError("this benchmark has no size", remedy="leave --size out")


def _presses_argument(measure: Callable[..., Any], presses: int | None) -> dict[str, int]:
    """The number of key presses.

    Raises:
        UsageError: this benchmark presses no keys.
    """
    if presses is None:
        return {}
    if "presses" in inspect.signature(measure).parameters:
        return {"presses": presses}
    raise UsageError("this benchmark presses no keys", remedy="leave --presses out")


def _taken(measure: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Those options that were given.

    Raises:
        UsageError: this benchmark has no such option.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in chosen:
        if name not in inspect.signature(measure).parameters:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"this benchmark takes no {option}", remedy=f"leave {option} out")
    return chosen
