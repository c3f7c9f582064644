"""The verbs of minedisc without a browser.

Start-up stays light: each command imports what it needs when it runs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from minedisc_core.cli.options import DONE, FAILED, WRONG_USE
from minedisc_core.errors import MinediscError, UsageError

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. A failure is one line on stderr, its traceback is in the log."""
    from minedisc_core.cli.commands import app

    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a name that the terminal cannot show is no failure
    try:
        app(args=given, prog_name="minedisc")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DONE
    except MinediscError as error:
        _open_log(given)
        _log.info("minedisc %s", " ".join(given), exc_info=True)
        _tell(str(error))
        return WRONG_USE if isinstance(error, UsageError) else FAILED
    except Exception as error:  # noqa: BLE001 - the last resort: the log has the traceback, the user one line
        log = _open_log(given)
        _log.exception("minedisc %s", " ".join(given))
        _tell(f"something unexpected went wrong: {type(error).__name__}: {error}" + (f" (see {log})" if log else ""))
        return FAILED
    return DONE


def _tell(text: str) -> None:
    from minedisc_core.cli.output import say

    say(f"minedisc: {' '.join(text.split())}")


def _open_log(given: list[str]) -> Path | None:
    """The log of the home that was named, if there is such a home; the log's path."""
    from minedisc_core.log import open_log
    from minedisc_core.settings import load_settings

    _log.addHandler(logging.NullHandler())  # without a log, the traceback must not reach the terminal
    try:
        settings = load_settings(home=_home(given))
    except MinediscError:
        return None
    if not settings.home.is_dir():
        return None
    open_log(settings)
    return settings.log


def _home(given: list[str]) -> Path | None:
    """The folder after --home, as far as it was given."""
    for word, following in zip(given, [*given[1:], ""], strict=True):
        if word == "--home" and following:
            return Path(following)
        if word.startswith("--home="):
            return Path(word.removeprefix("--home="))
    return None
