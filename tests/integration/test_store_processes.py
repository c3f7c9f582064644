from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import Status
from minedisc_core.errors import StoreError, StoreOwned
from minedisc_core.review import new_verdict
from minedisc_core.store import Store, migrations

RUN = "20260101-000000-aaaa"
WRITER = """
import sys
from pathlib import Path
from minedisc_core.domain import Status
from minedisc_core.review import new_verdict
from minedisc_core.store import Store

with Store.open(Path(sys.argv[1])) as store:
    names = store.candidate_ids()
    for turn in range(100_000):
        event = new_verdict(names[turn % len(names)], Status.CONFIRMED, "ana", event_id=f"e{turn}")
        print(*store.record([event]), flush=True)
"""
HOLDER = """
import sys, time
from pathlib import Path
from minedisc_core.store import Store

with Store.open(Path(sys.argv[1])):
    print("open", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "minedisc.duckdb"
    with Store.open(path) as store:
        sites = made_up_sites(50, run_id=RUN)
        store.take_in(made_up_summary(50, RUN), tmp_path, sites, made_up_matches(50))
    return path


def start(program: str, database: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, str(database)], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def holder(database: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(HOLDER, database)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.wait()


def test_no_acknowledged_verdict_is_lost_when_the_writer_is_killed_in_mid_write(database: Path) -> None:
    process = start(WRITER, database)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(200)]
    process.send_signal(signal.SIGKILL)  # it goes on writing, so this hits it in the middle
    rest, _ = process.communicate()
    acknowledged += rest.split("\n")[:-1]
    with Store.open(database) as store:
        kept = {event.event_id for name in store.candidate_ids() for event in store.history(name)}
        assert len(acknowledged) >= 200
        assert set(acknowledged) <= kept
        before = store.candidates()
        assert len(store.sample_queue(include_withdrawn=True)) == len(kept)
        store.rebuild_states()
        assert store.candidates() == before
        store.record([new_verdict(store.candidate_ids()[0], Status.UNSURE, "ana")])


def test_a_second_process_is_told_that_the_file_is_owned(database: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(StoreOwned, match="open in another process"):
        Store.open(database)


def test_the_file_is_free_as_soon_as_its_owner_is_dead(database: Path, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with Store.open(database) as store:
        assert len(store.candidates()) == 50


def test_what_was_taken_in_is_there_after_closing_and_opening(database: Path) -> None:
    with Store.open(database) as store:
        name = store.candidate_ids()[0]
        store.record([new_verdict(name, Status.CONFIRMED, "ana")])
    with Store.open(database) as store:
        assert store.candidate(name).status is Status.CONFIRMED
        assert [row.candidate_id for row in store.sample_queue()] == [name]


@pytest.mark.parametrize(
    "content", [b"", b"SQLite format 3\x00" * 400, b"\x00" * 20_000], ids=["empty", "other", "zero"]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "minedisc.duckdb"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(path)
    assert path.read_bytes() == content


def test_a_database_cut_off_in_the_middle_is_refused(database: Path) -> None:
    content = database.read_bytes()
    database.write_bytes(content[: len(content) // 3])
    with pytest.raises(StoreError), Store.open(database) as store:
        store.candidates()


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Store.open(tmp_path)


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be made"):
        Store.open(tmp_path / "file" / "minedisc.duckdb")


def test_a_file_of_a_newer_minedisc_is_refused_and_left_alone(database: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "INSERT INTO schema_versions VALUES (999, 'migration_999_from_the_future', now()::TIMESTAMP)"
        )
    with pytest.raises(StoreError, match="made by a newer minedisc"):
        Store.open(database)
    with duckdb.connect(str(database)) as connection:  # the refused file was closed again
        assert connection.execute("SELECT count(*) FROM states").fetchall() == [(50,)]


def test_an_interrupted_set_up_is_finished_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "minedisc.duckdb"
    for done in range(len(migrations.MIGRATIONS)):
        with monkeypatch.context() as interrupted:
            interrupted.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:done])
            with Store.open(path):
                pass
    with Store.open(path) as store:
        assert store.sample_queue() == []
        assert store.progress().total == 0


def test_two_stores_of_one_process_share_the_file_and_its_lock(database: Path) -> None:
    with Store.open(database) as one, Store.open(database) as other:
        name = one.candidate_ids()[0]
        one.record([new_verdict(name, Status.UNSURE, "ana")])
        assert other.candidate(name).status is Status.UNSURE


def test_a_verdict_survives_even_if_the_writer_never_closes(database: Path) -> None:
    process = start(WRITER, database)
    assert process.stdout is not None
    first = process.stdout.readline().strip()
    time.sleep(0.05)
    process.kill()
    process.communicate()
    with Store.open(database) as store:
        assert first in {event.event_id for event in store.history(store.candidate_ids()[0])}


def test_closing_while_threads_read_waits_for_them_and_frees_the_file(database: Path) -> None:
    store = Store.open(database)
    reading, problems = threading.Barrier(5), []

    def read() -> None:
        reading.wait()
        try:
            while True:
                assert len(store.candidates()) == 50
        except StoreError as error:
            problems.append(str(error))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    reading.wait()
    store.close()
    for thread in threads:
        thread.join(30)
    assert len(problems) == 4
    assert all("closed" in problem for problem in problems)
    process = start(HOLDER, database)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    process.kill()
    process.wait()
