from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core import cli
from minedisc_core.cli import benchmarks, output, registers, review, scanning
from minedisc_core.cli.scanning import spread
from minedisc_core.domain import VERDICTS, Change, Impact, Reason, RegisterKind, RegisterStatus, Site, Status
from minedisc_core.errors import MinediscError, UsageError
from minedisc_core.exports import FORMATS
from minedisc_core.store import Order

COMMANDS = [
    "demo",
    "scan",
    "take-in",
    "candidates",
    "verdict",
    "undo",
    "summary",
    "export",
    "mosaic",
    "bench",
    "registers",
    "models",
    "samples",
]
SUBCOMMANDS = [
    "registers add", "registers list", "registers retire", "models list", "models show", "samples correct",
    "samples undo", "samples corrections",
]  # fmt: skip


@pytest.fixture
def logging_is_put_back() -> Iterator[None]:
    import logging

    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def run(*words: str) -> int:
    return cli.main(list(words))


@pytest.mark.parametrize("command", [*COMMANDS, *SUBCOMMANDS])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command.split(), "--help") == cli.DONE
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: minedisc {command}")
    assert len(text.splitlines()) > 4


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == cli.DONE
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if not re.search(rf"^  {name} ", text, re.MULTILINE)] == []


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == cli.DONE
    assert re.fullmatch(r"minedisc \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "dance",
        "scan",
        "scan --mosaic a.tif",
        "scan --mosaic a.tif --model m --run r --threshold 2",
        "scan --mosaic a.tif --model m --run r --threshold high",
        "verdict",
        "verdict one",
        "verdict one maybe",
        "verdict one rejected --reason boredom",
        "export --format shp --out x",
        "export --format csv",
        "registers add gold file.csv",
        "candidates --order beauty",
        "candidates --limit 0",
        "demo --size 0",
        "demo --seed -1",
        "bench speed",
        "mosaic --source clouds in --out out",
        "take-in",
        "undo --what",
    ],
)
def test_wrong_use_is_exit_code_2_and_says_so_on_stderr(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words.split()) == cli.WRONG_USE
    told = capsys.readouterr()
    assert told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    "words", ["candidates", "summary", "verdict x confirmed", "undo", "export --format csv --out x.csv"]
)
def test_a_home_without_a_database_is_one_line_and_nothing_is_made(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], logging_is_put_back: None
) -> None:
    assert run(*words.split(), "--home", str(tmp_path / "nowhere")) == cli.FAILED
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("minedisc: ")
    assert told.err.count("\n") == 1
    assert "minedisc demo" in told.err
    assert list(tmp_path.iterdir()) == []


def test_an_unexpected_failure_is_one_line_and_its_traceback_is_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, logging_is_put_back: None
) -> None:
    monkeypatch.setattr("minedisc_core.cli.options.run_verb", lambda *_, **__: 1 / 0)
    (tmp_path / "minedisc.duckdb").touch()
    assert run("candidates", f"--home={tmp_path}") == cli.FAILED
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "ZeroDivisionError" in told
    assert str(tmp_path / "minedisc.log") in told
    assert "Traceback" in (tmp_path / "minedisc.log").read_text()


@pytest.mark.parametrize(("error", "code"), [(MinediscError("no\nway"), cli.FAILED), (UsageError("x"), cli.WRONG_USE)])
def test_the_kind_of_an_error_decides_the_exit_code(
    error: MinediscError,
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    logging_is_put_back: None,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("minedisc_core.cli.options.run_verb", fail)
    (tmp_path / "minedisc.duckdb").touch()
    assert run("candidates", "--home", str(tmp_path)) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_a_broken_setting_is_wrong_use(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MINEDISC_THREADS", "many")
    assert run("candidates") == cli.WRONG_USE
    assert "MINEDISC_THREADS" in capsys.readouterr().err


def test_a_run_folder_that_cannot_be_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        scanning.folder_to_fill(tmp_path / "file")
    with pytest.raises(MinediscError, match="cannot be made"):
        scanning.folder_to_fill(tmp_path / "file" / "run")
    assert scanning.folder_to_fill(tmp_path / "a" / "run") == tmp_path / "a" / "run"
    assert (tmp_path / "a" / "run").is_dir()


@pytest.mark.parametrize("words", ["export --format csv --out", "mosaic --source files nothing --out"])
@pytest.mark.parametrize("name", ["minedisc.duckdb", "minedisc.duckdb.wal", "server.json", "runs/r/scores.tif"])
def test_what_minedisc_keeps_is_never_replaced_by_a_result(
    words: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], logging_is_put_back: None
) -> None:
    kept = tmp_path / name
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("kept")
    assert run(*words.split(), str(kept), "--home", str(tmp_path)) == cli.WRONG_USE
    assert "keeps its own files" in capsys.readouterr().err
    assert kept.read_text() == "kept"


@pytest.mark.parametrize("words", ["export --format csv --out", "mosaic --source files nothing --out"])
def test_a_folder_or_a_device_is_never_replaced_by_a_file(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], logging_is_put_back: None
) -> None:
    (tmp_path / "minedisc.duckdb").touch()
    os.mkfifo(tmp_path / "pipe")
    for there in (tmp_path, tmp_path / "pipe"):
        assert run(*words.split(), str(there), "--home", str(tmp_path)) == cli.WRONG_USE
        assert "no plain file" in capsys.readouterr().err
    assert (tmp_path / "pipe").is_fifo()


def test_an_error_holds_no_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, logging_is_put_back: None
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MinediscError("bad \x1b[2J name")

    monkeypatch.setattr("minedisc_core.cli.options.run_verb", fail)
    (tmp_path / "minedisc.duckdb").touch()
    run("candidates", "--home", str(tmp_path))
    assert "\x1b" not in capsys.readouterr().err


def test_the_words_of_the_command_line_are_those_of_the_domain() -> None:
    assert get_args(review.VerdictWord) == tuple(VERDICTS)
    assert get_args(review.ReasonWord) == tuple(Reason)
    assert [review.reason_code(text) for text in ("irrigation dam", "River-bank")] == ["irrigation_dam", "river_bank"]
    assert get_args(review.ImpactWord) == tuple(Impact)
    assert get_args(review.FormatWord) == FORMATS
    assert get_args(review.OrderWord) == get_args(Order)
    assert get_args(registers.KindWord) == tuple(RegisterKind)
    assert ", ".join(Status) == review.STATUS_WORDS
    assert ", ".join(RegisterStatus) == review.REGISTER_WORDS
    assert ", ".join(Change) == review.CHANGE_WORDS


def test_the_cancel_flag_is_the_one_that_the_scan_looks_for() -> None:
    from minedisc_core import runs

    assert scanning.CANCEL == runs.CANCEL


def test_starting_up_imports_nothing_heavy() -> None:
    code = "import sys, json, minedisc_core.cli.commands; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"tensorflow", "keras", "streamlit", "geopandas", "pandas", "numpy", "duckdb", "rasterio", "shapely"}
    assert heavy & set(json.loads(done.stdout)) == set()


@pytest.mark.parametrize(
    ("given_words", "expected"),
    [
        ("--mosaic a b c --model m", "--mosaic a --mosaic b --mosaic c --model m"),
        ("--model m --mosaic a b", "--model m --mosaic a --mosaic b"),
        ("--mosaic a --mosaic b", "--mosaic a --mosaic b"),
        ("--mosaic=a b --run r", "--mosaic=a --mosaic b --run r"),
        ("--mosaics a b", "--mosaics a b"),
        ("--model m", "--model m"),
        ("--mosaic", "--mosaic"),
        ("--mosaic --model m", "--mosaic --model m"),
        ("", ""),
    ],
)
def test_several_files_may_follow_one_mosaic_option(given_words: str, expected: str) -> None:
    assert list(spread(given_words.split(), "--mosaic")) == expected.split()


PATHS = st.lists(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1), min_size=1, max_size=4).filter(
    lambda names: not any(name.startswith("-") for name in names)
)


@given(PATHS)
def test_no_file_is_lost_or_added_by_spreading(names: list[str]) -> None:
    words = list(spread(["--mosaic", *names, "--resume"], "--mosaic"))
    assert words[:-1:2] == ["--mosaic"] * len(names)
    assert words[1:-1:2] == names


def test_control_characters_of_names_never_reach_the_terminal() -> None:
    assert output.clean("Pit\x1b[2J\r\n\x07 São João") == "Pit [2J    São João"


def test_a_table_is_aligned_and_shows_nothing_as_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("name", "score"), [("a\x1b", 0.5), ("longer", None)])
    assert capsys.readouterr().out == "name    score\na       0.500\nlonger      -\n"


def test_an_empty_table_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("name", "score"), [])
    assert capsys.readouterr().out == "name  score\n"


def test_json_is_ascii_so_that_every_pipe_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"name": "Barragem São João\x1b"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text) == {"name": "Barragem São João\x1b"}


def test_a_size_goes_to_the_first_number_of_a_benchmark() -> None:
    def measure(label: str = "x", fast: bool = False, rows: int = 10, repeats: int = 3) -> dict[str, object]:
        return {}

    assert benchmarks._size_argument(measure, 5) == {"rows": 5}
    assert benchmarks._size_argument(measure, None) == {}
    with pytest.raises(UsageError):
        benchmarks._size_argument(lambda: {}, 5)


def test_folders_go_to_the_benchmark_that_takes_them_and_to_no_other() -> None:
    def measure(steps: int = 3, mine_free: object = ()) -> None:
        """Something with folders."""

    given = {"data": None, "mine_free": ["a"], "sites": None}
    assert benchmarks._arguments(measure, given) == {"mine_free": ["a"]}
    with pytest.raises(UsageError, match="has no --mine-free"):
        benchmarks._arguments(lambda: {}, given)


def test_the_bench_of_real_tailings_has_the_size_of_its_data() -> None:
    from minedisc_core.bench.tailings import bench_tailings

    with pytest.raises(UsageError, match="has no size"):
        benchmarks._size_argument(bench_tailings, 5)


@pytest.mark.parametrize("name", sorted({*get_args(benchmarks.BenchWord)} - {"tailings"}))
def test_every_other_benchmark_has_a_function_with_a_size(name: str) -> None:
    measure = getattr(importlib.import_module(f"minedisc_core.bench.{name}"), f"bench_{name}")
    assert list(benchmarks._size_argument(measure, 5).values()) == [5]


def test_the_installed_script_runs_the_same_program() -> None:
    script = Path(sys.executable).parent / "minedisc"
    done = subprocess.run([str(script), "--version"], capture_output=True, text=True, check=True, cwd=os.sep)
    assert done.stdout.startswith("minedisc ")


@pytest.fixture
def home(tmp_path: Path, make_site: Callable[..., Site], write_run: Callable[..., Path]) -> Path:
    """A home with a run of two candidates."""
    run_dir = write_run([make_site(1), make_site(2)])
    assert run("take-in", str(run_dir), "--home", str(tmp_path / "home")) == cli.DONE
    return tmp_path / "home"


def listed(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run("candidates", "--home", str(home), "--json", *words) == cli.DONE
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


OUTLINE = {"type": "Polygon", "coordinates": [[[-44, -20], [-43.99, -20], [-43.99, -19.99], [-44, -20]]]}


def test_a_verdict_takes_an_outline_and_everything_else_a_person_can_say(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outline = home / "outline.geojson"
    feature = {"type": "Feature", "geometry": OUTLINE, "properties": {}}
    outline.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8-sig")
    name = listed(home, capsys, "--order", "priority", "--unseen")[0]["candidate_id"]
    said = ["--notes", "pit", "--impact", "low", "--move-to", "-43.9", "-20.1", "--footprint", str(outline)]
    assert run("verdict", name, "confirmed", "--analyst", "ana", *said, "--home", str(home)) == cli.DONE
    [found] = listed(home, capsys, "--status", "confirmed", "--analyst", "ana", "--history")
    assert (found["notes"], found["impact"], found["lon"]) == ("pit", "low", -43.9)
    assert found["area_drawn_ha"] == pytest.approx(58, abs=1)
    assert [event["analyst"] for event in found["history"]] == ["ana"]
    assert run("undo", name, "--analyst", "ana", "--home", str(home)) == cli.DONE
    assert listed(home, capsys, "--status", "confirmed") == []


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[1, 2]", '{"type": "Point", "coordinates": [0, 0]}', '{"type": "FeatureCollection"}', "[" * 9_999],
    ids=["missing", "empty", "broken", "a list", "a point", "no features", "deep"],
)
def test_an_outline_file_that_holds_none_is_wrong_use_and_decides_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    outline = home / "outline.geojson"
    if content is not None:
        outline.write_text(content, encoding="utf-8")
    name = listed(home, capsys)[0]["candidate_id"]
    words = ["--analyst", "ana", "--footprint", str(outline), "--home", str(home)]
    assert run("verdict", name, "confirmed", *words) == cli.WRONG_USE
    assert capsys.readouterr().err.count("\n") == 1
    assert listed(home, capsys, "--status", "confirmed") == []


def test_candidates_are_listed_by_place_and_score(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = listed(home, capsys)
    edges = [str(first[name]) for name in ("peak_lon", "peak_lat", "peak_lon", "peak_lat")]
    assert [c["candidate_id"] for c in listed(home, capsys, "--box", *edges)] == [first["candidate_id"]]
    assert len(listed(home, capsys, "--score-max", str(second["score"]), "--run", second["run_id"])) == 1
    assert listed(home, capsys, "--land", "none", "--reason", "bare field", "--seen") == []
    assert run("candidates", "--home", str(home), "--box", "1", "0", "0", "1") == cli.WRONG_USE
