"""A database of the former version is brought to this one with everything that is in it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
import shapely

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import Reason, RegisterMatch, RegisterStatus, Status
from minedisc_core.review import new_verdict, priority
from minedisc_core.store import CandidateFilter, Store, migrations
from minedisc_core.store.rows import summary_text

RUN = "20260101-000000-aaaa"
IDS = [f"{RUN}-{number:04d}" for number in range(1, 4)]
NOW = datetime(2026, 3, 4, 5, 6, 7)
DAM = json.dumps({"name": "B1", "owner": "Zé", "distance_m": 250.0, "register": "sigbm"})
LANDS = json.dumps([{"name": "Gandarela", "kind": "Parque", "covered_fraction": 0.2}])
WEIGHTS = CandidateFilter().weights


def former_database(path: Path, rows: int = 3) -> None:
    """A file as the former migrations made it: the first site near a dam and in a park, the first one rejected."""
    connection = duckdb.connect(str(path))
    connection.execute("CREATE TABLE schema_versions (version INTEGER PRIMARY KEY, name TEXT, applied_utc TIMESTAMP)")
    for number, step in enumerate(migrations.MIGRATIONS[:3], 1):
        step(connection)
        connection.execute("INSERT INTO schema_versions VALUES (?, ?, ?)", [number, step.__name__, NOW])
    summary = made_up_summary(rows, RUN)
    connection.execute(
        "INSERT INTO runs VALUES (?, 'x', ?, 'digest', '', ?, ?, 'bench', 0.6, ?, ?)",
        [RUN, summary_text(summary), NOW, NOW, summary.imagery_start, summary.imagery_end],
    )
    for number, site in enumerate(made_up_sites(rows, run_id=RUN), 1):
        west, south, east, north = site.polygon.bounds
        connection.execute(
            "INSERT INTO sites VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 100, 100, ?, ?, 4, 29.16, 'high', 0.5, 0.4,"
            " 0.1, false, false)",
            [number, site.site_id, RUN, shapely.to_wkb(site.polygon), west, south, east, north, site.lon, site.lat,
             site.peak_lon + 0.01, site.peak_lat, site.score, site.mean_score],
        )  # fmt: skip
        connection.execute(
            "INSERT INTO matches VALUES (?, 'nothing_found', ?, '[]', NULL, ?, '[]', 'sigbm 2026-01-01')",
            [number, DAM if number == 1 else None, LANDS if number == 1 else "[]"],
        )
        connection.execute(
            "INSERT INTO states (site_no, candidate_id, run_id, score, margin, place_key, discarded, machine_impact,"
            " register_status, status, notes, analyst) VALUES (?, ?, ?, ?, 0.1, ?, false, 'high', 'nothing_found',"
            " 'undecided', '', '')",
            [number, site.site_id, RUN, site.score, number],
        )
    if rows:
        connection.execute(
            "INSERT INTO verdict_events (event_id, candidate_id, verdict, analyst, given_utc, reason, notes)"
            " VALUES ('e1', ?, 'rejected', 'ana', ?, 'burn', 'ash')",
            [IDS[0], NOW],
        )
        connection.execute(
            "UPDATE states SET status = 'rejected', reason = 'burn', notes = 'ash', analyst = 'ana', decided_utc = ?,"
            " event_id = 'e1' WHERE site_no = 1",
            [NOW],
        )
    connection.close()


@pytest.fixture
def former(tmp_path: Path) -> Path:
    path = tmp_path / "minedisc.duckdb"
    former_database(path)
    return path


def test_verdicts_of_a_former_database_are_as_they_were(former: Path) -> None:
    with Store.open(former) as store:
        found = store.candidate(IDS[0])
        assert (found.status, found.reason, found.notes, found.verdict_by) == (
            Status.REJECTED, Reason.BURN, "ash", "ana"
        )  # fmt: skip
        assert (found.footprint, found.area_drawn_ha, found.seen) == (None, None, False)
        [event] = store.history(IDS[0])
        assert (event.event_id, event.footprint, event.batch_id) == ("e1", None, None)
        assert store.rebuild_states() == 1
        assert store.candidate(IDS[0]) == found


def test_a_former_database_can_be_filtered_and_ordered_by_what_is_new(former: Path) -> None:
    with Store.open(former) as store:
        site = store.candidate(IDS[1]).site
        box = (site.peak_lon - 1e-6, site.peak_lat - 1e-6, site.peak_lon + 1e-6, site.peak_lat + 1e-6)
        assert store.candidate_ids(CandidateFilter(box=box)) == [IDS[1]]
        assert store.candidate_ids(CandidateFilter(lands=("Gandarela",))) == [IDS[0]]
        assert store.choices().lands == ("Gandarela",)
        ordered = store.candidates(CandidateFilter(order="priority"))
        assert [c.candidate_id for c in ordered] == [
            c.candidate_id for c in sorted(ordered, key=lambda c: -priority(c, WEIGHTS))
        ]
        assert ordered[0].candidate_id == IDS[0]
        assert store.candidate_ids(CandidateFilter(seen=False)) == IDS


def test_a_former_database_goes_on_being_used(former: Path) -> None:
    with Store.open(former) as store:
        outline = store.candidate(IDS[1]).site.polygon
        store.record([new_verdict(IDS[1], Status.CONFIRMED, "bea", footprint=outline, batch_id="b1")])
        store.mark_seen(IDS, "bea")
        match = RegisterMatch(RegisterStatus.REGISTERED, None, (), None, made_up_matches(1)[0].lands, (), "new")
        assert len(store.rematch(IDS, [match] * 3, "loaded lands")) == 3
    with Store.open(former) as store:
        assert store.candidate(IDS[1]).footprint == outline
        assert store.choices().lands == (match.lands[0].name,)
        assert store.progress().seen == 3


def test_runs_of_a_former_database_are_compared_when_it_is_brought_to_this_version(tmp_path: Path) -> None:
    path = tmp_path / "minedisc.duckdb"
    former_database(path)
    other = "20270101-000000-bbbb"
    with duckdb.connect(str(path)) as connection:
        for name in (RUN, other):
            (tmp_path / name).mkdir()
            (tmp_path / name / "request.json").write_text('{"model_identity": "sha"}', "utf-8")
        connection.execute("UPDATE runs SET run_dir = ?", [str(tmp_path / RUN)])
        connection.execute(
            "INSERT INTO runs SELECT ?, ?, summary, 'other', '', taken_in_utc, finished_utc, model, threshold,"
            " imagery_start + INTERVAL 2 YEAR, imagery_end + INTERVAL 2 YEAR FROM runs", [other, str(tmp_path / other)]
        )  # fmt: skip
        connection.execute(
            "INSERT INTO sites SELECT * REPLACE (site_no + 10 AS site_no, ? AS run_id, cells * 3 AS cells,"
            " replace(candidate_id, ?, ?) AS candidate_id) FROM sites WHERE site_no < 3", [other, RUN, other]
        )  # fmt: skip
        connection.execute(
            "INSERT INTO matches SELECT * REPLACE (site_no + 10 AS site_no) FROM matches WHERE site_no < 3"
        )
        connection.execute(
            "INSERT INTO states SELECT * REPLACE (site_no + 10 AS site_no, ? AS run_id, NULL AS event_id,"
            " replace(candidate_id, ?, ?) AS candidate_id) FROM states WHERE site_no < 3", [other, RUN, other]
        )  # fmt: skip
    with Store.open(path) as store:
        changes = {c.candidate_id: c.change and (str(c.change.kind), c.change.run_id) for c in store.candidates()}
    assert changes == {
        IDS[0]: ("grown", other), IDS[1]: ("grown", other), IDS[2]: None,
        f"{other}-0001": ("grown", RUN), f"{other}-0002": ("grown", RUN),
    }  # fmt: skip


@pytest.mark.parametrize("folder", ["no-such-folder", "broken"])
def test_runs_whose_folder_tells_no_model_are_brought_along_without_a_change(tmp_path: Path, folder: str) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "request.json").write_text("{", "utf-8")
    former_database(tmp_path / "minedisc.duckdb")
    with duckdb.connect(str(tmp_path / "minedisc.duckdb")) as connection:
        connection.execute("UPDATE runs SET run_dir = ?", [str(tmp_path / folder)])
    with Store.open(tmp_path / "minedisc.duckdb") as store:
        assert [c.change for c in store.candidates()] == [None] * 3


def test_an_empty_former_database_is_brought_to_this_version(tmp_path: Path) -> None:
    former_database(tmp_path / "empty.duckdb", rows=0)
    with Store.open(tmp_path / "empty.duckdb") as store:
        assert store.candidates() == []
        assert store.choices() == store.choices(RUN)


def test_a_step_that_fails_leaves_the_former_database_as_it_was(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_cursor: object) -> None:
        raise ValueError("power is gone")

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "_fill_states_004", breaks)
        with pytest.raises(ValueError, match="power is gone"):
            Store.open(former)
    with duckdb.connect(str(former)) as connection:
        assert connection.execute("SELECT max(version) FROM schema_versions").fetchall() == [(3,)]
        assert "footprint" not in {row[0] for row in connection.execute("DESCRIBE states").fetchall()}
    with Store.open(former) as store:
        assert store.candidate(IDS[0]).status is Status.REJECTED


DIES_AFTER_THE_SET_UP = """
import os, sys
from pathlib import Path
from minedisc_core.domain import Status
from minedisc_core.review import new_verdict
from minedisc_core.store import Store
store = Store.open(Path(sys.argv[1]))
outline = store.candidate(sys.argv[2]).site.polygon
store.record([new_verdict(sys.argv[2], Status.CONFIRMED, "bea", footprint=outline)])
store.mark_seen([sys.argv[2]], "bea")
os._exit(9)
"""


def test_a_process_that_dies_right_after_the_set_up_has_lost_nothing(former: Path) -> None:
    died = subprocess.run([sys.executable, "-c", DIES_AFTER_THE_SET_UP, str(former), IDS[1]], check=False)
    assert died.returncode == 9
    with Store.open(former) as store:
        found = store.candidate(IDS[1])
        assert (found.status, found.footprint, found.seen) == (Status.CONFIRMED, found.site.polygon, True)
        assert store.candidate(IDS[0]).status is Status.REJECTED
