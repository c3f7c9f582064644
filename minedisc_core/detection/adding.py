"""Adding a model of other people: staged, hashed, looked through in a process of its own, then put in place at once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minedisc_core.detection.fetching import fetch, is_address
from minedisc_core.detection.keras_files import MOST_BYTES, SUFFIXES
from minedisc_core.detection.models import Model, load_model
from minedisc_core.detection.patch_cards import (
    CARD,
    PatchCard,
    file_hash,
    patch_card_of,
    read_patch_card,
    write_patch_card,
)
from minedisc_core.detection.ready_made import READY_MADE
from minedisc_core.errors import ModelError, UsageError
from minedisc_core.settings import PROJECT_ROOT, Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TRIAL_S = 300
"""A net that cannot score four patches in this time is refused."""


def add_model(file: Path, card_file: Path, settings: Settings, name: str | None = None) -> Model:
    """Add a classifier from its file and a card that a person wrote.

    Args:
        file: `.keras` or `.h5`.
        card_file: JSON, see `patch_cards`.
        settings: whose home the model goes to.
        name: what `--model` will take; None: the card's name, in plain letters.

    Raises:
        ModelError: file or card is refused, or they do not belong together. Nothing is left then.
        UsageError: the name cannot be one, or is taken.
    """
    card = read_patch_card(card_file, is_stored=False)
    with _staged(settings) as staging:
        copy = staging / "given"
        _copy(file, copy)
        return _place(staging, copy, card, checked_name(name or _plain(card.name)), settings)


def add_ready_made(known: str, source: str, settings: Settings, name: str | None = None) -> Model:
    """Add a model that `ready_made` has a card for, from its makers' file.

    Args:
        known: its name there.
        source: the file, or its address (http, https).
        settings: whose home the model goes to.
        name: what `--model` will take; None: `known`.

    Raises:
        ModelError: it is not that file, or cannot be had. Nothing is left then.
        UsageError: there is no such ready-made card, or the name cannot be one, or is taken.
    """
    if known not in READY_MADE:
        raise UsageError(f"there is no ready-made card {known[:80]!r}", " or ".join(READY_MADE), "give a --card")
    ready = READY_MADE[known]
    with _staged(settings) as staging:
        copy = staging / "given"
        if is_address(source):
            fetch(source, copy, ready.size_bytes)
        else:
            _copy(Path(source).expanduser(), copy)
        found = file_hash(copy)
        if found != ready.sha256:
            raise ModelError(
                f"the file is not {ready.file_name}: its SHA-256 is {found}",
                f"SHA-256 {ready.sha256}",
                "get the file from its makers again",
            )
        return _place(staging, copy, ready.card, checked_name(name or known), settings)


@contextmanager
def _staged(settings: Settings) -> Iterator[Path]:
    """A folder beside the models, taken away in the end; nobody lists it."""
    try:
        settings.models.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".adding-", dir=settings.models))
    except OSError as error:
        raise ModelError(
            f"{settings.models} cannot be written: {error.strerror}", "a folder with free space"
        ) from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _copy(file: Path, copy: Path) -> None:
    """What is looked through is what is kept: a copy that nobody else changes."""
    try:
        if not file.is_file():
            raise ModelError(f"{file} is missing or no file", f"a file ({', '.join(SUFFIXES)})", "check the path")
        if file.stat().st_size > MOST_BYTES:
            raise ModelError(f"{file.name} is {file.stat().st_size:,} bytes large", f"at most {MOST_BYTES:,} bytes")
        shutil.copyfile(file, copy)
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read ({error})", "a file that can be read", "check the path") from error


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-._").lower()[:64]


def new_model_folder(name: str, settings: Settings) -> Path:
    """The folder of a model that is still to be made.

    Raises:
        UsageError: the name cannot be one, or is taken.
    """
    target = settings.models / checked_name(name)
    if target.exists() or (settings.shipped_models / name).exists():
        raise UsageError(
            f"there is a model {name!r} already", "a new name", "give another --name, or take that folder away first"
        )
    return target


def checked_name(name: str) -> str:
    """The name, if a folder of a model may be called so.

    Raises:
        UsageError: it may not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of a model",
            "letters, digits, dots, hyphens and underscores",
            "give another --name",
        )
    return name


def _place(staging: Path, copy: Path, card: PatchCard, name: str, settings: Settings) -> Model:
    target = new_model_folder(name, settings)
    folder = staging / "model"
    folder.mkdir()
    write_patch_card(staging / "card.json", card)
    done = _tried(copy, staging / "card.json")
    copy.replace(folder / done.file)
    write_patch_card(folder / CARD, done)
    try:
        folder.rename(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror}", "a free name and free space") from error
    return load_model(name, settings)


def _tried(file: Path, card_file: Path) -> PatchCard:
    """What `trial` says of the file, in a process of its own."""
    paths = [str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    command = [sys.executable, "-m", "minedisc_core.detection.trial", str(file), str(card_file)]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_TRIAL_S, env=environment, stdin=subprocess.DEVNULL, check=False
        )
        told = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"the net did not score four patches in {_TRIAL_S} s", "a smaller net") from error
    except ValueError as error:
        raise ModelError(
            f"looking through the file ended without an answer (exit code {done.returncode})",
            "a whole file as Keras saves it, and enough free memory",
            "get the file again",
        ) from error
    if "refused" in told:
        raise ModelError(**told["refused"])
    return patch_card_of(told["card"], file, is_stored=True)
