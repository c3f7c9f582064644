"""Looking at models, and options that say what files do not."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from minedisc_core.cli.options import AsJson, Home, settings_of
from minedisc_core.cli.output import clean, print_json, print_table, say
from minedisc_core.errors import UsageError

if TYPE_CHECKING:
    from minedisc_core.detection.cards import ModelCard
    from minedisc_core.detection.models import Model

LevelWord = Literal["L1C", "L2A"]
Level = Annotated[LevelWord | None, typer.Option(help="Product level, where the files do not say it.")]
DnOffset = Annotated[
    int | None, typer.Option(help="Added to every DN: 1000 from processing baseline 04.00 on. Never guessed.")
]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the imagery, YYYY-MM-DD.")]

models = typer.Typer(help="Models: the shipped ones and your own.", no_args_is_help=True)


def split_names(text: str | None) -> tuple[str, ...] | None:
    """`B2, B3` as names; None stays None."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else None


@models.command("list")
def list_models(home: Home = None, as_json: AsJson = False) -> None:
    """The models that can be used."""
    from minedisc_core.detection.models import broken_models
    from minedisc_core.detection.models import list_models as known_models

    settings = settings_of(home)
    found = known_models(settings)
    if as_json:
        print_json([_facts(model) for model in found])
    else:
        head = ("model", "level", "bands", "threshold", "impact net", "demonstration", "cell px")
        print_table(head, [_row(model) for model in found])
    for broken in broken_models(settings):
        say(f"{broken.name} cannot be used: {broken.problem}")


def _row(model: Model) -> list[object]:
    card = model.discovery
    return [
        model.name,
        card.level.value,
        " ".join(card.bands),
        card.threshold,
        model.impact is not None,
        card.is_demonstration,
        model.geometry.stride_px,
    ]


@models.command()
def add(
    file: Annotated[
        str, typer.Argument(help="A .keras or .h5 file, or the name of a ready-made card.", show_default=False)
    ],
    card: Annotated[Path | None, typer.Option(help="The file's card (JSON).")] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="Of a ready-made card: the model's file, or its address (http, https).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What --model will take.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Add a model of other people: a Keras classifier of patches. Its file is looked through before anything is kept.

    With --card it is FILE that is added; with --from FILE names a ready-made card.
    """
    from minedisc_core.detection.adding import add_model, add_ready_made

    if (card is None) == (source is None):
        raise UsageError(
            "a model needs either --card or --from", "FILE --card CARD, or the name of a ready-made card --from FILE"
        )
    settings = settings_of(home)
    if card is not None:
        added = add_model(Path(file), card, settings, name)
    else:
        added = add_ready_made(file, str(source), settings, name)
    if as_json:
        print_json(_facts(added))
    else:
        print(f"{added.name} is added: {added.folder}")


@models.command()
def show(
    name: Annotated[str, typer.Argument(help="Name or folder.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The cards of one model."""
    from minedisc_core.detection.models import load_model

    model = load_model(name, settings_of(home))
    if as_json:
        print_json(_facts(model))
        return
    print(f"{model.name} ({model.folder})")
    for net, card in (("discovery", model.discovery), ("impact", model.impact)):
        print(f"{net} net:" if card else f"no {net} net: sites stay of unknown class and none is hidden")
        for line, value in _card_facts(card).items() if card else ():
            print(f"  {line}: {_words(value)}")


def _words(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{clean(key)} {_words(part)}" for key, part in value.items()) or "-"
    if isinstance(value, list):
        return " ".join(map(_words, value)) or "-"
    return f"{value:.4g}" if isinstance(value, float) else clean(value)


def _facts(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "folder": str(model.folder),
        "discovery": _card_facts(model.discovery),
        "impact": _card_facts(model.impact) if model.impact else None,
    }


def _card_facts(card: ModelCard) -> dict[str, Any]:
    from minedisc_core.service.records import plain

    facts: dict[str, Any] = plain(card)
    return facts
