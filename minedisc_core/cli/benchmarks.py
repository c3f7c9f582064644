"""Benchmarks: figures with their goals and baselines, measured here and now."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from minedisc_core.cli.options import AsJson
from minedisc_core.cli.output import print_json, print_table, say
from minedisc_core.errors import UsageError

BenchWord = Literal[
    "demo",
    "scan",
    "store",
    "export",
    "tailings",
    "review",
    "mosaic",
    "paper",
    "train",
    "loop",
    "workers",
    "sites",
    "start",
]
_FOR_ALL = ("name", "size", "as_json")
"""Options that every benchmark has."""


def bench(
    ctx: typer.Context,
    name: Annotated[
        BenchWord,
        typer.Argument(metavar="|".join(get_args(BenchWord)), show_default=False),
    ],
    size: Annotated[
        int | None,
        typer.Option("--size", "--candidates", min=1, help="Other than the stated size (px, rows, or candidates)."),
    ] = None,
    presses: Annotated[int | None, typer.Option(min=1, help="Key presses per size (review).")] = None,
    net: Annotated[Literal["discovery", "impact", "both"] | None, typer.Option(help="Which net (paper).")] = None,
    resamplings: Annotated[int | None, typer.Option(min=1, help="Trainings of each net (paper).")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of each training (paper, train).")] = None,
    policy: Annotated[
        Literal["auto", "float32", "mixed_bfloat16"] | None, typer.Option(help="Precision (paper).")
    ] = None,
    recipe: Annotated[Literal["paper", "default"] | None, typer.Option(help="Another recipe (paper).")] = None,
    work: Annotated[Path | None, typer.Option(help="Folder that keeps what is done (paper, train).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what the work folder holds (paper).")] = False,
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
    others = {option: ctx.params[option] or None for option in ctx.params if option not in _FOR_ALL}
    found = measure(**_size_argument(measure, size), **_arguments(measure, others), **_listener(measure))
    if as_json:
        print_json(found)
        return
    head = ("figure", "value", "unit", "goal", "holds", "compared with")
    names = ("name", "value", "unit", "goal", "holds", "baseline")
    print_table(head, [[figure[name] for name in names] for figure in found["figures"]])
    if "beside" in found:
        rows = [list(row.values()) for row in found["beside"]]
        print_table([name.replace("_", " ") for name in found["beside"][0]], rows)
    if "note" in found:
        print(found["note"])
    machine = found["machine"]
    say(f"{machine['processor']}, {machine['cores']} cores, load {machine['load_average']}")


def _size_argument(measure: Callable[..., Any], size: int | None) -> dict[str, int]:
    """The size under the name that this benchmark gives it: its first whole-number argument that is no seed.

    Raises:
        UsageError: it has no size.
    """
    if size is None:
        return {}
    for parameter in inspect.signature(measure).parameters.values():
        is_number = isinstance(parameter.default, int) and not isinstance(parameter.default, bool)
        if (is_number and parameter.name != "seed") or parameter.name == "samples":
            return {parameter.name: size}
    raise UsageError("this benchmark has no size", remedy="leave --size out")


def _arguments(measure: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The other options that were given.

    Raises:
        UsageError: this benchmark does not take one of them.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    foreign = [name for name in chosen if name not in inspect.signature(measure).parameters]
    if foreign:
        raise UsageError(f"this benchmark has no --{foreign[0].replace('_', '-')}", remedy="leave it out")
    return chosen


def _listener(measure: Callable[..., Any]) -> dict[str, Callable[[str], None]]:
    """Long benchmarks tell how far they are, on stderr."""
    return {"on_progress": say} if "on_progress" in inspect.signature(measure).parameters else {}
