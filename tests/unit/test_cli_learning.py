"""The loop as it is typed: exit codes, what is printed, refusals with their numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minedisc_core.cli import main
from minedisc_core.settings import Settings
from tests.loop_home import begin, make_loop_home
from tests.made_up_retraining import finish_by_hand


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two places, a finished retraining of `bright`."""
    folder = tmp_path_factory.mktemp("loop") / "home"
    folder.mkdir()
    settings = Settings(folder)
    make_loop_home(settings, places=2)
    finish_by_hand(begin(settings), settings, misses=1)
    return settings


def run(home: Settings, *words: str) -> int:
    return main([*words, "--home", str(home.home)])


def test_a_promotion_is_refused_in_one_line_with_the_numbers(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, "models", "promote", "bright-r1") == 1
    told = capsys.readouterr().err
    assert len(told.strip().splitlines()) == 1
    assert "4 held-out confirmed mines on the whole scenes, 30 are needed: 26 more" in told
    assert "--override REASON --analyst NAME" in told


def test_an_override_without_a_name_is_wrong_use(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, "models", "promote", "bright-r1", "--override", "we have seen it in the field") == 2
    assert "nobody is named" in capsys.readouterr().err


def test_promote_champion_and_rollback_as_they_are_typed(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    why = ["--override", "we have seen it in the field", "--analyst", "Ana"]
    assert run(home, "models", "promote", "bright-r1", *why) == 0
    assert "bright-r1 is champion of L1C (overridden)" in capsys.readouterr().out
    assert run(home, "models", "promote", "bright-r1") == 0
    assert "already" in capsys.readouterr().out
    assert run(home, "models", "champion") == 0
    told = capsys.readouterr().out
    assert "overridden bright-r1 for demo-l1c by Ana: we have seen it in the field" in told
    assert run(home, "models", "champion", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["champions"]
    assert {row["level"]: row["champion"] for row in rows} == {"L1C": "bright-r1", "L2A": "demo-l2a"}
    assert run(home, "models", "rollback") == 0
    assert "demo-l1c is champion of L1C again" in capsys.readouterr().out
    assert run(home, "models", "rollback") == 1
    assert "no promotion to take back" in capsys.readouterr().err


def test_nothing_to_resume_is_told(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, "retrain", "--resume") == 1
    assert "no retraining has stopped" in capsys.readouterr().err


def test_without_a_database_there_is_nothing_to_retrain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Settings(tmp_path), "retrain") == 1
    assert "holds no database" in capsys.readouterr().err


def test_a_retraining_without_any_verdict_says_what_to_do(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.loop_home import opened

    with opened(settings):
        pass
    assert run(settings, "retrain") == 2
    assert "choose --champion or --level" in capsys.readouterr().err
    assert run(settings, "retrain", "--champion", "demo-l1c") == 2
    assert "no confirmed or rejected candidate outside the held-out places" in capsys.readouterr().err
