"""The command line as a whole: which commands there are."""

from __future__ import annotations

import typer

from minedisc_core import __version__
from minedisc_core.cli import (
    benchmarks,
    demo,
    imagery,
    learning,
    mosaics,
    planning,
    registers,
    review,
    samples,
    scanning,
    training,
)

app = typer.Typer(
    name="minedisc",
    help="Finds surface mines and tailings dams that nobody registered. It points; people decide.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a failure is one line; the log has the rest
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 failed, 2 wrong use.",
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"minedisc {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("scan", cls=scanning.SeveralMosaics)(scanning.scan)
app.command("take-in")(review.take_in)
app.command("candidates")(review.candidates)
app.command("verdict")(review.verdict)
app.command("undo")(review.undo)
app.command("summary")(review.summary)
app.command("export")(review.export)
app.add_typer(registers.app, name="registers")
app.command("retrain")(learning.retrain)
imagery.models.command("champion")(learning.champion)
imagery.models.command("promote")(learning.promote)
imagery.models.command("rollback")(learning.rollback)
app.add_typer(imagery.models, name="models")
app.add_typer(samples.app, name="samples")
app.command("mosaic")(mosaics.mosaic)
app.command("plan")(planning.plan)
app.command("train")(training.train)
app.command("bench")(benchmarks.bench)
