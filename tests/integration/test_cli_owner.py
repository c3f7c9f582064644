"""The command line with the database's owner up, down and just killed; same output, same exit code."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from minedisc_core import cli, owner
from minedisc_core.domain import Site
from minedisc_core.settings import Settings

OWNING = Path(__file__).parent / "owning_process.py"


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class CommandLine:
    """The command line in this process: the same function as the script's, without its start-up time."""

    def __init__(self, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        self.settings, self.capsys = settings, capsys

    def __call__(self, *words: str) -> Done:
        code = cli.main([*words, "--home", str(self.settings.home)])
        return Done(code, *self.capsys.readouterr())

    def json(self, *words: str) -> Any:
        done = self(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def minedisc(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    root = logging.getLogger()
    before = list(root.handlers)
    yield CommandLine(settings, capsys)
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()


@contextmanager
def owning_process(settings: Settings, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(OWNING), str(settings.home), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def run_dir(make_site: Callable[..., Site], write_run: Callable[..., Path]) -> Path:
    return write_run([make_site(1), make_site(2), make_site(3, discarded=True)])


def test_a_whole_review_is_the_same_with_the_owner_up_and_down(
    minedisc: CommandLine, settings: Settings, run_dir: Path, tmp_path: Path
) -> None:
    assert minedisc.json("take-in", str(run_dir))["new"] == 3
    alone = minedisc.json("candidates")
    assert [candidate["discarded"] for candidate in alone] == [False, False, True]
    first, second = (candidate["candidate_id"] for candidate in alone[:2])
    with owning_process(settings):
        assert minedisc.json("candidates") == alone
        assert minedisc.json("take-in", str(run_dir))["already_taken_in"]
        decided = minedisc.json("verdict", first, "confirmed", "--analyst", "ana")
        assert (decided["status"], decided["verdict_by"]) == ("confirmed", "ana")
        text_up, list_up = minedisc("candidates"), minedisc.json("candidates")
        tally_up = minedisc.json("summary")
        assert minedisc.json("export", "--all", "--format", "csv", "--out", str(tmp_path / "up.csv"))["rows"] == 2
    assert minedisc("candidates").stdout == text_up.stdout
    assert minedisc.json("candidates") == list_up
    assert minedisc.json("summary") == tally_up
    minedisc.json("export", "--all", "--format", "csv", "--out", str(tmp_path / "down.csv"))
    assert (tmp_path / "up.csv").read_bytes() == (tmp_path / "down.csv").read_bytes()
    assert minedisc.json("verdict", second, "rejected", "--reason", "urban")["reason"] == "urban"
    assert minedisc.json("undo")["status"] == "undecided"


def test_errors_and_exit_codes_are_the_same_with_the_owner_up_and_down(
    minedisc: CommandLine, settings: Settings, run_dir: Path
) -> None:
    minedisc.json("take-in", str(run_dir))
    first = minedisc.json("candidates")[0]["candidate_id"]
    calls = [
        ("verdict", "nobody-0001", "confirmed"),
        ("verdict", first, "rejected", "--reason", "boredom"),
        ("verdict", first, "perhaps"),
        ("take-in", str(settings.home)),
        ("candidates", "--status", "done"),
        ("export", "--format", "csv", "--out", str(settings.home)),
        ("registers", "add", "sigbm", str(settings.home / "nothing.csv")),
    ]
    down = [minedisc(*words) for words in calls]
    with owning_process(settings):
        up = [minedisc(*words) for words in calls]
    assert [done.returncode for done in down] == [1, 2, 2, 1, 2, 2, 1]
    assert [(d.returncode, d.stdout, d.stderr) for d in up] == [(d.returncode, d.stdout, d.stderr) for d in down]


def test_after_kill_9_the_stale_announcement_is_seen_through(
    minedisc: CommandLine, settings: Settings, run_dir: Path
) -> None:
    with owning_process(settings) as process:
        assert minedisc.json("take-in", str(run_dir))["new"] == 3
        first = minedisc.json("candidates")[0]["candidate_id"]
        minedisc.json("verdict", first, "confirmed", "--analyst", "ana")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (settings.home / owner.SERVER_FILE).exists()
        found = minedisc.json("candidates")
    assert [candidate["status"] for candidate in found] == ["confirmed", "undecided", "undecided"]


def test_an_owner_that_stops_in_order_leaves_no_announcement(settings: Settings) -> None:
    with owning_process(settings) as process:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert not (settings.home / owner.SERVER_FILE).exists()


def test_a_command_waits_for_another_one_that_has_the_file(
    minedisc: CommandLine, settings: Settings, run_dir: Path
) -> None:
    minedisc.json("take-in", str(run_dir))
    with owning_process(settings, "--silent") as process:
        script = str(Path(sys.executable).parent / "minedisc")
        command = [script, "candidates", "--json", "--home", str(settings.home)]
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(4)
        process.kill()
        out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert len(json.loads(out)) == 3


def test_a_token_of_an_earlier_owner_does_not_open_the_door(
    minedisc: CommandLine, settings: Settings, run_dir: Path
) -> None:
    with owning_process(settings):
        found = owner.find_owner(settings)
        assert found is not None
        with pytest.raises(owner.OwnerGone):
            owner.send(owner.Owner(found.port, "guessed", found.pid, found.started), "candidates", {})
        assert minedisc.json("take-in", str(run_dir))["new"] == 3
