"""Samples for training: cut at the points of a register, or from generated scenes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from minedisc_core.cli.imagery import DnOffset, Level, LevelWord, split_names
from minedisc_core.cli.options import AsJson, Home, file_to_write, run_verb, run_verb_on_existing, settings_of
from minedisc_core.cli.output import SECONDS_BETWEEN_LINES, clean, print_json, print_table, say
from minedisc_core.cli.scanning import spread
from minedisc_core.errors import UsageError

if TYPE_CHECKING:
    from minedisc_core.imagery.geotiff import Mosaic
    from minedisc_core.learning.datasets import Dataset
    from minedisc_core.learning.register_samples import People
    from minedisc_core.learning.windows import LeftOut
    from minedisc_core.settings import Settings

LEFT_OUT_SHOWN = 20


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
    points: Annotated[
        str | None,
        typer.Option(help="Register: CSV, shapefile (also zipped), GeoPackage, GeoJSON, or the id of a loaded one."),
    ] = None,
    mosaic: Annotated[list[Path] | None, typer.Option(help="GeoTIFF or VRT; several may follow.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the windows: 255, 201 (discovery) or 21 px (impact).")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column of classes or ores (discovery without it: all are mines).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the dataset version to write; must be new.")] = None,
    backgrounds: Annotated[
        int | None, typer.Option(min=0, help="Backgrounds to draw (default: as many as mines; with 21 px: none).")
    ] = None,
    look_alike_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of them from land cover and rejected verdicts.")
    ] = 0.5,
    apart_m: Annotated[float, typer.Option(min=0, help="No background is nearer to a known mine (metres).")] = 2000,
    known: Annotated[
        list[Path] | None, typer.Option(help="Further register of mines to keep away from; may be repeated.")
    ] = None,
    land_cover: Annotated[Path | None, typer.Option(help="Raster of classes to draw look-alikes from.")] = None,
    land_cover_classes: Annotated[str | None, typer.Option(help="Its classes that look like mines: 50,60,80.")] = None,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Draw look-alikes from the rejected candidates of the home.")
    ] = False,
    corrections: Annotated[
        bool, typer.Option("--corrections", help="Use the corrections of the points that the home holds.")
    ] = False,
    validation_fraction: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the places that is for validation.")
    ] = 0.0,
    model: Annotated[str | None, typer.Option(help="Cut the bands of this model, of its product level.")] = None,
    demo: Annotated[
        Literal["discovery", "impact"] | None, typer.Option(help="Cut from generated scenes: which net they are for.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=2, help="Demo: number of samples (default: the paper's).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Other draws, other generated scenes.")] = 0,
    level: Level = None,
    dn_offset: DnOffset = None,
    file_bands: Annotated[str | None, typer.Option(help="Bands of the files in order, if they name none.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Cut samples at the points of a register and write them as an immutable dataset version.

    Backgrounds are drawn to them. What gives no sample is listed with the reason, here and in the manifest.
    """
    if ctx.invoked_subcommand:
        return
    if out is None:
        raise UsageError("--out is missing", "a new folder for the dataset version")
    if demo:
        tell(from_demo(out, demo, count, seed, level or "L1C", size), as_json)
        return
    if points is None or not mosaic or size is None:
        raise UsageError("--points, --mosaic and --size go together", "all three, or --demo discovery|impact")
    from_register(ctx.params, out, settings_of(home), as_json)


def from_register(asked: Mapping[str, Any], out: Path, settings: Settings, as_json: bool) -> None:
    """Cut a dataset at the points of a register."""
    from minedisc_core.learning.register_samples import SampleRequest, make_register_dataset
    from minedisc_core.learning.sample_inputs import class_numbers, model_bands

    same = ("points", "label_column", "backgrounds", "look_alike_share", "apart_m", "land_cover", "seed")
    request = SampleRequest(
        **{name: asked[name] for name in same},
        window_px=asked["size"],
        known=tuple(asked["known"] or ()),
        land_cover_classes=class_numbers(asked["land_cover_classes"]),
        validation_fraction=asked["validation_fraction"],
    )
    people = _people(asked, settings)
    with ExitStack() as stack:
        mosaics = [stack.enter_context(_opened(path, asked)) for path in asked["mosaic"]]
        bands = model_bands(asked["model"], request.window_px, mosaics, settings)
        made, left_out = make_register_dataset(
            request, out, mosaics, settings, bands=bands, people=people, on_progress=telling()
        )
    tell(made, as_json, left_out)


def _named(points: str) -> str:
    """A file by its whole path (another process may answer); the id of a snapshot as it is."""
    return str(Path(points).resolve()) if Path(points).exists() else points


def _opened(path: Path, asked: Mapping[str, Any]) -> Mosaic:
    from minedisc_core.domain import ProductLevel
    from minedisc_core.imagery.geotiff import open_mosaic

    level = ProductLevel(asked["level"]) if asked["level"] else None
    return open_mosaic([path], level=level, bands=split_names(asked["file_bands"]), dn_offset=asked["dn_offset"])


def _people(asked: Mapping[str, Any], settings: Settings) -> People:
    """Rejected and confirmed candidates and corrected points of the home, as far as they were asked for."""
    from minedisc_core.learning.sample_inputs import DECIDED, people_of

    found = run_verb_on_existing(settings, "candidates", statuses=list(DECIDED)) if asked["rejected"] else []
    corrected = (
        run_verb_on_existing(settings, "corrections", points=_named(asked["points"])) if asked["corrections"] else []
    )
    return people_of(found, corrected)


def from_demo(
    out: Path, kind: Literal["discovery", "impact"], count: int | None, seed: int, level: LevelWord, size: int | None
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


Points = Annotated[str, typer.Option("--points", help="The register: a file, or the id of a loaded one.")]
Analyst = Annotated[str, typer.Option(help="Who decides.")]


@app.command()
def correct(
    points: Points,
    line: Annotated[int, typer.Option(help="Line of the CSV, or number of the record.")],
    analyst: Analyst = "command line",
    move_to: Annotated[
        tuple[float, float] | None, typer.Option(metavar="LON LAT", help="Where the mine is (EPSG:4326).")
    ] = None,
    not_a_mine: Annotated[bool, typer.Option("--not-a-mine", help="There is no mine.")] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Leave it out for now.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Keep a correction of one point; the register itself stays as it is."""
    chosen = [name for name, is_so in (("moved", move_to), ("not_a_mine", not_a_mine), ("skipped", skip)) if is_so]
    if len(chosen) != 1:
        raise UsageError("a point is moved, no mine, or skipped", "one of --move-to, --not-a-mine, --skip")
    done = run_verb(
        settings_of(home), "correct_point", points=_named(points), line=line, action=chosen[0], analyst=analyst,
        move_to=move_to,
    )  # fmt: skip
    print_json(done) if as_json else print(f"line {line} of {clean(done['source'])}: {chosen[0].replace('_', ' ')}")


@app.command()
def undo(points: Points, analyst: Analyst = "command line", home: Home = None, as_json: AsJson = False) -> None:
    """Undo the analyst's last decision about a point of this register."""
    done = run_verb_on_existing(settings_of(home), "undo_correction", points=_named(points), analyst=analyst)
    if as_json:
        print_json(done)
    else:
        print(f"undone: line {done['line']} of {clean(done['source'])}" if done else "there is nothing to undo")


@app.command()
def corrections(
    points: Annotated[str | None, typer.Option("--points", help="Only of this register: a file or an id.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="CSV to write: where points were, where they are, who, when.")
    ] = None,
    with_history: Annotated[bool, typer.Option("--all", help="All decisions and undos, not only the last.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What people decided about points of registers; as CSV with --out."""
    settings = settings_of(home)
    target = str(file_to_write(out, settings)) if out else None
    found = run_verb_on_existing(
        settings, "corrections", points=_named(points) if points else None, with_history=with_history, out=target
    )
    if as_json:
        print_json(found)
        return
    names = ("source", "line", "action", "lon", "lat", "new_lon", "new_lat", "analyst", "given_at_utc")
    print_table(names, [[each[name] for name in names] for each in found])
    if out:
        print(f"{len(found)} rows in {out}")


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


def tell(dataset: Dataset, as_json: bool, left_out: Sequence[LeftOut] = ()) -> None:
    """Print what was made, and what was left out."""
    facts = facts_of(dataset)
    if as_json:
        print_json(facts | {"left_out": [asdict(each) for each in left_out]})
        return
    print(f"dataset {facts['folder']}: {facts['samples']:,} samples of {facts['window_px']} px, {facts['level']}")
    for name in ("by_label", "by_reason", "by_split"):
        if facts[name]:
            print(
                f"{name.removeprefix('by_')}: " + ", ".join(f"{key} {number:,}" for key, number in facts[name].items())
            )
    print(f"places: {facts['places']:,}")
    print(f"hash: {facts['hash']}")
    for each in left_out[:LEFT_OUT_SHOWN]:
        where = f"line {each.line} of {each.source}" if each.line else each.source
        print(f"  {clean(where)} left out: {clean(each.reason)}")
    if len(left_out) > LEFT_OUT_SHOWN:
        print(f"  ... and {len(left_out) - LEFT_OUT_SHOWN} more: {dataset.folder / 'manifest.json'} lists all")
