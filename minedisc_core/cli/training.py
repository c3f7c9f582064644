"""Training of a net on a dataset version, folds and all, with a line for each epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from minedisc_core.cli.imagery import split_names
from minedisc_core.cli.options import AsJson, Home, run_verb, settings_of
from minedisc_core.cli.output import library_notes_into, print_json, print_table, say

if TYPE_CHECKING:
    from minedisc_core.jobs.train_progress import TrainProgress
    from minedisc_core.jobs.train_request import TrainRequest
    from minedisc_core.settings import Settings

NetWord = Literal["discovery", "impact"]
RecipeWord = Literal["default", "paper"]
PolicyChoice = Literal["auto", "float32", "mixed_bfloat16"]


def train(
    net: Annotated[NetWord, typer.Option(help="Which of the two nets.", show_default=False)],
    dataset: Annotated[Path, typer.Option(help="Folder of a dataset version.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the model: new, or begun.", show_default=False)],
    bands: Annotated[str | None, typer.Option(help="Bands in order (B2,B3,B4); default: all of the dataset.")] = None,
    mode: Annotated[Literal["scratch", "fine-tune"], typer.Option(help="From nothing, or from a model.")] = "scratch",
    start_from: Annotated[str | None, typer.Option("--from", help="Model that fine-tuning starts from.")] = None,
    beside: Annotated[str | None, typer.Option(help="Model whose other net makes the new one whole.")] = None,
    recipe: Annotated[RecipeWord, typer.Option(help="How to train; the paper's, or better.")] = "default",
    folds: Annotated[int, typer.Option(min=1, help="2 or more, then a model of all; 1: one division.")] = 5,
    resamplings: Annotated[int, typer.Option(min=0, help="Instead of folds: draws of a fifth to validate.")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, data and code give the same weights.")] = 0,
    policy: Annotated[PolicyChoice, typer.Option(help="auto: bfloat16 where the processor has it.")] = "auto",
    name: Annotated[str, typer.Option(help="Of the model; default: the folder's.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the weights, for the card.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier training stopped.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Train a net and judge it on samples that it has not seen. The folder is a model with its card.

    Ctrl-C stops it; the same command with --resume goes on behind the last kept epoch.
    """
    from minedisc_core.jobs.train_request import TrainRequest

    request = TrainRequest(
        net=net,
        dataset=str(dataset.resolve()),
        bands=split_names(bands) or (),
        mode=mode,
        start_from=start_from,
        beside=beside,
        recipe=recipe,
        folds=folds,
        resamplings=resamplings,
        epochs=epochs,
        seed=seed,
        policy=policy,
        name=name,
        licence=licence,
        held_out=held_out_by(settings_of(home), out, resume=resume),
    )
    if request.held_out:
        say("train: samples at the places that this home holds out take no part")
    tell(train_to_end(request, out.resolve(), resume=resume, home=home), out, as_json)


def held_out_by(settings: Settings, out: Path, *, resume: bool) -> tuple[tuple[float, float], ...]:
    """Positions that the home holds out; of a training that is resumed those that it began with."""
    from minedisc_core.jobs.train_request import read_train_request
    from minedisc_core.runs import REQUEST

    if resume and (out / REQUEST).is_file():
        return read_train_request(out).held_out
    if not settings.database.exists():
        return ()
    found = run_verb(settings, "held_out_positions")["positions"]
    return tuple((float(lon), float(lat)) for lon, lat in found)


def train_to_end(request: TrainRequest, out: Path, *, resume: bool, home: Path | None = None) -> dict[str, Any]:
    """Train in this process, a line on stderr for each epoch; Ctrl-C stops it within two seconds.

    Raises:
        Cancelled: Ctrl-C; what was trained is kept.
        MinediscError: the request cannot be met.
    """
    import tempfile

    from minedisc_core.cli.scanning import stopping_on_signals
    from minedisc_core.jobs.training import run_training

    with tempfile.TemporaryDirectory() as folder, library_notes_into(Path(folder) / "notes"), stopping_on_signals(out):
        return run_training(request, out, resume=resume, on_progress=_Teller(), settings=settings_of(home))


class _Teller:
    """Says each sentence once."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, progress: TrainProgress) -> None:
        sentence = progress.sentence
        if sentence != self._last:
            say(f"train: {sentence}")
        self._last = sentence


def tell(report: dict[str, Any], out: Path, as_json: bool) -> None:
    """Print what the training showed."""
    if as_json:
        print_json(report | {"folder": str(out)})
        return
    head = ("", "accuracy", "+-", "F1", "+-", "precision", "recall")
    rows = []
    for part in ("training", "validation"):
        of = report[part]
        if of:
            pairs = [of[name] for name in ("accuracy", "f1")]
            spread = [number for pair in pairs for number in (pair["mean"], pair["deviation"])]
            rows.append([part, *spread, of["precision"]["mean"], of["recall"]["mean"]])
    print(f"{report['net']} net, {report['divided']}, {report['seconds']:,.0f} s, model: {report['model']}, in {out}")
    print_table(head, rows)
    if "threshold" in report:
        print(f"threshold {report['threshold']:.2f}, ECE {report['reliability']['ece']:.3f}")
        reasons = [(name, *row.values()) for name, row in report["false_alarms_by_reason"].items()]
        print_table(("background", "samples", "false alarms", "rate"), reasons)
