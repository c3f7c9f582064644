from __future__ import annotations

from pathlib import Path

import pytest

from minedisc_core.domain import PriorityWeights
from minedisc_core.errors import UsageError
from minedisc_core.settings import PROJECT_ROOT, load_settings

NUMBERS = ["MINEDISC_UPLOAD_MAX_MB", "MINEDISC_ZIP_MAX_ENTRIES", "MINEDISC_ZIP_MAX_EXPANDED_MB", "MINEDISC_THREADS"]


def test_the_home_is_data_beside_the_code_unless_told_otherwise() -> None:
    assert load_settings({}).home == PROJECT_ROOT / "data"
    assert load_settings({"MINEDISC_HOME": ""}).home == PROJECT_ROOT / "data"


def test_a_home_on_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    environment = {"MINEDISC_HOME": str(tmp_path / "environment")}
    assert load_settings(environment).home == tmp_path / "environment"
    assert load_settings(environment, tmp_path / "option").home == tmp_path / "option"


def test_a_relative_home_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({}, Path("here")).home == tmp_path / "here"


def test_a_tilde_is_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings({"MINEDISC_HOME": "~/mines"}).home == tmp_path / "mines"


def test_everything_of_a_home_lies_inside_it(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    inside = [settings.database, settings.runs, settings.registers, settings.samples, settings.models]
    assert all(path.is_relative_to(tmp_path) for path in [*inside, settings.demo, settings.log])
    assert len(set(inside)) == len(inside)


def test_results_may_lie_in_a_home_beside_what_is_kept_there(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert not any(settings.keeps(tmp_path / name) for name in ("mines.csv", "exports/mines.kml"))
    assert not settings.keeps(tmp_path.parent / "mines.csv")
    kept = [settings.database, settings.log, settings.demo / "mosaic.tif", settings.shipped_models / "demo-l1c" / "x"]
    assert all(settings.keeps(path) for path in kept)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "1e3", "²"])
def test_a_number_that_is_no_positive_whole_one_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=name):
        load_settings({name: text})


def test_numbers_are_read_from_the_environment() -> None:
    settings = load_settings({name: str(number) for number, name in enumerate(NUMBERS, 11)})
    found = (settings.upload_max_mb, settings.zip_max_entries, settings.zip_max_expanded_mb, settings.threads)
    assert found == (11, 12, 13, 14)


def test_nothing_is_written_by_reading_the_settings(tmp_path: Path) -> None:
    load_settings({}, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_weights_of_the_priority_are_read_by_name_and_the_others_stay() -> None:
    assert load_settings({}).priority_weights == PriorityWeights(3, 2, 2, 2, 1, 1)
    chosen = load_settings({"MINEDISC_PRIORITY": " land = 4, score=0.5,nearness=0"}).priority_weights
    assert chosen == PriorityWeights(land=4, score=0.5, nearness=0)


@pytest.mark.parametrize("text", ["beauty=1", "land", "land=", "land=-1", "land=nan", "land=inf", "land=1;score=2"])
def test_weights_that_are_none_are_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"MINEDISC_PRIORITY.*register_status, land, impact, score, area, nearness"):
        load_settings({"MINEDISC_PRIORITY": text})


@pytest.mark.parametrize("text", ["tcp://10.0.0.7:8786", "tls://dask.example.org:443", "tcp://[::1]:8786"])
def test_a_scheduler_is_named_by_its_address(text: str) -> None:
    assert load_settings({"MINEDISC_SCHEDULER": f" {text}/ "}).scheduler == text
    assert load_settings({}).scheduler == ""


@pytest.mark.parametrize("text", ["10.0.0.7:8786", "http://host:8786", "tcp://host", "tcp://ana:pw@host:1", "tcp://"])
def test_what_is_no_address_of_a_scheduler_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="the scheduler is"):
        load_settings({"MINEDISC_SCHEDULER": text})
