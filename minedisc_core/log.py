"""The log file: what people are not shown (tracebacks) and what they are shown, with the time."""

from __future__ import annotations

import logging
import time

from minedisc_core.settings import Settings

LARGEST_BYTES = 10_000_000
"""A log larger than this at the start of a process becomes `minedisc.log.1`."""
_FORMAT = "%(asctime)sZ %(process)d %(levelname)s %(name)s: %(message)s"


def open_log(settings: Settings, level: int = logging.INFO) -> None:
    """Send this process's log records to `HOME/minedisc.log` (times in UTC); a second call changes nothing.

    A log that cannot be written is no reason to stop: records then go to stderr, as without this call.
    """
    root = logging.getLogger()
    if any(isinstance(h, logging.FileHandler) and h.baseFilename == str(settings.log) for h in root.handlers):
        return
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        _set_aside_if_large(settings)
        handler = logging.FileHandler(settings.log, encoding="utf-8")
    except OSError as error:
        logging.getLogger(__name__).warning("%s cannot be written: %s", settings.log, error)
        return
    formatter = logging.Formatter(_FORMAT)
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(min(root.level, level) if root.level else level)


def _set_aside_if_large(settings: Settings) -> None:
    if settings.log.is_file() and settings.log.stat().st_size > LARGEST_BYTES:
        settings.log.replace(settings.log.with_name(settings.log.name + ".1"))
