"""Samples for training: cut at the points of a register, or from generated scenes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from minedisc_core.cli.options import AsJson
from minedisc_core.cli.output import SECONDS_BETWEEN_LINES, print_json, say
from minedisc_core.cli.scanning import spread
from minedisc_core.errors import UsageError

if TYPE_CHECKING:
    from minedisc_core.learning.datasets import Dataset

LevelName = Literal["L1C", "L2A"]


class Samples(typer.core.TyperGroup):
    """Lets one --mosaic take several files, as `minedisc scan` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its further values."""
        return super().parse_args(ctx, list(spread(args, "--mosaic")))


app = typer.Typer(
    cls=Samples, invoke_without_command=True, help="Samples for training, as an immutable dataset version."
)


@app.callback()
def samples(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Folder of the dataset version to write; must be new.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the windows: 255, 201 or 21 px.")] = None,
    demo: Annotated[
        Literal["discovery", "impact"] | None, typer.Option(help="Cut from generated scenes: which net they are for.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=2, help="Demo: number of samples (default: the paper's).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Other draws, other generated scenes.")] = 0,
    level: Annotated[LevelName | None, typer.Option(help="Product level, where the files do not say it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Cut samples at the points of a register and write them as an immutable dataset version."""
    if ctx.invoked_subcommand:
        return
    if out is None:
        raise UsageError("--out is missing", "a new folder for the dataset version")
    if demo:
        tell(from_demo(out, demo, count, seed, level or "L1C", size), as_json)


def from_demo(
    out: Path, kind: Literal["discovery", "impact"], count: int | None, seed: int, level: LevelName, size: int | None
) -> Dataset:
    """Cut a dataset from generated scenes."""
    from minedisc_core.domain import ProductLevel
    from minedisc_core.learning.demo_samples import write_demo_dataset

    return write_demo_dataset(
        out, kind, count=count, seed=seed, level=ProductLevel(level), window_px=size, on_progress=telling()
    )


def telling() -> Callable[[int, int], None]:
    """Tell the samples done and all, now and then."""
    last = [time.monotonic()]

    def tell_progress(done: int, of: int) -> None:
        if time.monotonic() - last[0] >= SECONDS_BETWEEN_LINES:
            last[0] = time.monotonic()
            say(f"samples: {done:,} of {of:,}")

    return tell_progress


def facts_of(dataset: Dataset) -> dict[str, Any]:
    """What a dataset version is, as plain values."""
    return {
        "folder": str(dataset.folder),
        "version": dataset.version,
        "hash": dataset.hash,
        "window_px": dataset.window_px,
        "level": None if dataset.level is None else str(dataset.level),
        "bands": list(dataset.bands),
        "samples": len(dataset.samples),
        "by_label": dict(sorted(Counter(entry.label for entry in dataset.samples).items())),
        "by_reason": dict(sorted(Counter(entry.reason for entry in dataset.samples if entry.reason).items())),
        "by_split": dict(sorted(Counter(entry.split or "not decided" for entry in dataset.samples).items())),
        "places": len({entry.place for entry in dataset.samples}),
    }


def tell(dataset: Dataset, as_json: bool) -> None:
    """Print what was made."""
    facts = facts_of(dataset)
    if as_json:
        print_json(facts)
        return
    print(f"dataset {facts['folder']}: {facts['samples']:,} samples of {facts['window_px']} px, {facts['level']}")
    for name in ("by_label", "by_reason", "by_split"):
        if facts[name]:
            print(
                f"{name.removeprefix('by_')}: " + ", ".join(f"{key} {number:,}" for key, number in facts[name].items())
            )
    print(f"places: {facts['places']:,}")
    print(f"hash: {facts['hash']}")
