"""Who may work on a run, without a cluster: versions, the address, a worker that was given nothing."""

from __future__ import annotations

import dataclasses
import socket
import threading
from types import SimpleNamespace

import pytest

from minedisc_core import cli
from minedisc_core.engine_record import EngineRecord
from minedisc_core.errors import RunError
from minedisc_core.grid import Tile
from minedisc_core.jobs import orders
from minedisc_core.jobs.places import Folder
from minedisc_core.jobs.reach import reach
from minedisc_core.jobs.tiles import TileFiles
from minedisc_core.jobs.versions import check_facts, check_versions


def told(python="3.11.7.final.0", distributed="2026.8.0"):
    return {"packages": {"python": python, "dask": "2026.8.0", "distributed": distributed}}


def test_a_cluster_of_the_same_versions_is_taken():
    check_versions({"client": told(), "scheduler": told("3.11.9.final.0"), "workers": {"tcp://a:1": told()}})
    check_facts({"tcp://a:1": orders.facts()})


@pytest.mark.parametrize(
    ("scheduler", "worker", "named"),
    [
        (told(distributed="2025.1.0"), told(), "scheduler (distributed 2025.1.0)"),
        (told(), told("3.12.1.final.0"), "tcp://a:1 (python 3.12)"),
    ],
)
def test_other_versions_are_named(scheduler, worker, named):
    with pytest.raises(RunError) as error:
        check_versions({"client": told(), "scheduler": scheduler, "workers": {"tcp://a:1": worker}})
    assert named in str(error.value)


def test_workers_without_this_very_minedisc_are_named_but_not_all_of_many():
    other = dataclasses.replace(orders.facts(), code="other")
    with pytest.raises(RunError, match=r"minedisc cannot be imported there \(ModuleNotFoundError"):
        check_facts({"tcp://a:1": ModuleNotFoundError("No module named 'minedisc_core'")})
    with pytest.raises(RunError, match=r"of other code.* and 4 more"):
        check_facts({f"tcp://a:{port}": other for port in range(9)})


def test_an_address_at_which_nobody_or_somebody_else_listens_is_refused():
    with pytest.raises(RunError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 "):
        reach("tcp://127.0.0.1:1", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RunError, match="timed out"):
            reach(address, 0.1)
        threading.Thread(target=lambda: silent.accept() and silent.accept()[0].close(), daemon=True).start()
        with pytest.raises(RunError, match="it hangs up"):
            reach(address, 30)


def test_a_worker_that_was_not_given_the_run_says_so():
    with pytest.raises(orders.TileFailed, match=r"this worker was not given the run.*\(worker on "):
        orders.work("no such order", Tile(0, 1, 0, 1))


def test_a_worker_that_comes_late_with_another_minedisc_takes_no_tile(tmp_path):
    mosaic = SimpleNamespace(paths=(), close=lambda: None)
    files = TileFiles(Folder(tmp_path))
    order = orders.Order(
        "late", "another code", (), "", EngineRecord(), None, mosaic, None, (), files, probe=b"probe"
    )  # fmt: skip
    files.place.write(orders.PROBE, order.probe)
    orders.receive(order, 1)
    try:
        assert "this worker has another minedisc than the run" in orders.ready("late").problem
        with pytest.raises(orders.TileFailed, match="another minedisc"):
            orders.work("late", Tile(0, 1, 0, 1))
    finally:
        orders.forget("late")
    assert orders.ready("late").problem.startswith("this worker was not given the run")
    assert [path.name for path in tmp_path.iterdir()] == [orders.PROBE]


@pytest.mark.parametrize(
    "words",
    [
        ["--workers", "2", "--scheduler", "tcp://127.0.0.1:8786"],
        ["--scheduler", "127.0.0.1:8786"],
        ["--results", "s3://key:secret@bucket/x"],
    ],
)
def test_a_scan_with_a_wrong_word_on_workers_is_refused_as_wrong_use(words, tmp_path, write_raster, capsys):
    run = ["scan", "--mosaic", "nowhere.tif", "--model", "demo-l1c", "--run", str(tmp_path / "run")]
    assert cli.main([*run, *words, "--home", str(tmp_path / "home")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("minedisc: ")
    assert "secret" not in said
