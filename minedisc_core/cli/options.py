"""Options that several commands share, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from minedisc_core.errors import StoreError, UsageError
from minedisc_core.settings import Settings, load_settings

DONE, FAILED, WRONG_USE = 0, 1, 2
"""Exit codes."""

Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of database, runs and registers (default: MINEDISC_HOME, else data/)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
RunId = Annotated[str | None, typer.Option("--run-id", "--run", help="Only this run.")]


def settings_of(home: Path | None) -> Settings:
    """Settings with that home, else the one of the environment."""
    return load_settings(home=home)


def file_to_write(path: Path, settings: Settings) -> Path:
    """The absolute path of a file that will be replaced as a whole.

    Raises:
        UsageError: a folder or a device is there, or something that minedisc keeps: replacing it would do harm.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no plain file", "a file name", "choose another name")
    target = path.resolve()
    if settings.keeps(target):
        raise UsageError(f"{path} is a place where minedisc keeps its own files", "a file elsewhere", "choose another")
    return target


def run_verb(settings: Settings, verb: str, **arguments: Any) -> Any:
    """Run a verb on this home's database, whoever owns it (see `service.door`)."""
    from minedisc_core.service import run_verb

    return run_verb(settings, verb, arguments)


def run_verb_on_existing(settings: Settings, verb: str, **arguments: Any) -> Any:
    """The same, for verbs that make no sense without a database.

    Raises:
        StoreError: the home has none.
    """
    if not settings.database.exists():
        raise StoreError(
            f"{settings.home} holds no database",
            "a home that a run was taken into",
            "check --home, or make one: minedisc demo, or minedisc scan and minedisc take-in",
        )
    return run_verb(settings, verb, **arguments)
