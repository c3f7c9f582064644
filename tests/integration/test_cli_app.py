"""`make run`'s last step and the command line beside it: the app up, stopped in order, and just killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minedisc_core import cli, owner
from minedisc_core.cli.demo import STATE_FILE
from minedisc_core.domain import Site
from minedisc_core.settings import Settings


@pytest.fixture
def home(
    settings: Settings,
    make_site: Callable[..., Site],
    write_run: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> Settings:
    """A home with a run in it whose demo area counts as prepared."""
    settings.demo.mkdir()
    (settings.demo / "mosaic.tif").touch()
    (settings.home / STATE_FILE).write_text('{"size_px": 512, "seed": 0, "run_id": "x", "done": true}')
    assert cli.main(["take-in", str(write_run([make_site(1), make_site(2)])), "--home", str(settings.home)]) == 0
    capsys.readouterr()
    return settings


@contextmanager
def running_app(home: Settings) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of `make run`'s last step and the address that it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "minedisc_core.setup.start", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "MINEDISC_HOME": str(home.home)},
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        address = next((line for line in process.stdout if "the app is at" in line), "")
        yield process, address
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def statuses(home: Settings, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert cli.main(["candidates", "--json", "--home", str(home.home)]) == 0
    return [candidate["status"] for candidate in json.loads(capsys.readouterr().out)]


def test_the_app_prints_its_address_owns_the_database_and_stops_in_order(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_app(home) as (process, address):
        url = next(word for word in address.split() if word.startswith("http://localhost:"))
        with urllib.request.urlopen(f"{url}/_stcore/health") as answer:  # noqa: S310 - http://localhost, see above
            assert answer.status == 200
        assert owner.find_owner(home) is not None
        assert statuses(home, capsys) == ["undecided", "undecided"]
        first = "20260101-000000-abcd-0001"
        assert cli.main(["verdict", first, "confirmed", "--home", str(home.home)]) == 0
        capsys.readouterr()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not (home.home / owner.SERVER_FILE).exists()
    assert statuses(home, capsys) == ["confirmed", "undecided"]
    assert home.log.is_file()


def test_the_command_line_goes_on_by_itself_when_the_app_was_killed(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_app(home) as (process, _):
        found = owner.find_owner(home)
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)
        assert statuses(home, capsys) == ["undecided", "undecided"]
        assert process.wait(30) == 1
        assert (home.home / owner.SERVER_FILE).exists()
    with running_app(home) as (_, address):
        assert address
        assert statuses(home, capsys) == ["undecided", "undecided"]
