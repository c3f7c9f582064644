from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from minedisc_core import log
from minedisc_core.settings import Settings


@pytest.fixture(autouse=True)
def _handlers_are_put_back() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def test_records_and_tracebacks_go_to_the_homes_log(settings: Settings) -> None:
    log.open_log(settings)
    try:
        raise ValueError("seven")
    except ValueError:
        logging.getLogger("somewhere").exception("it happened")
    text = settings.log.read_text("utf-8")
    assert "ERROR somewhere: it happened" in text
    assert "ValueError: seven" in text


def test_opening_twice_writes_each_record_once(settings: Settings) -> None:
    log.open_log(settings)
    log.open_log(settings)
    logging.getLogger("somewhere").warning("only once")
    assert settings.log.read_text("utf-8").count("only once") == 1


def test_a_large_log_is_set_aside(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LARGEST_BYTES", 10)
    settings.log.write_text("old and long enough")
    log.open_log(settings)
    logging.getLogger("somewhere").warning("new")
    assert "old" not in settings.log.read_text("utf-8")
    assert "old" in settings.log.with_name("minedisc.log.1").read_text("utf-8")


def test_a_log_that_cannot_be_written_stops_nothing(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log.open_log(replace(settings, home=tmp_path / "file"))
    logging.getLogger("somewhere").info("still alive")
