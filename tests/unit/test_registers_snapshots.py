"""Snapshots: dated, whole or absent, the same file once."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from minedisc_core import cli, service
from minedisc_core.domain import RegisterKind
from minedisc_core.errors import RegisterError, UsageError
from minedisc_core.registers import snapshots
from minedisc_core.registers.active import load_active
from minedisc_core.registers.snapshots import (
    add_snapshot,
    get_snapshot,
    label,
    list_snapshots,
    problems,
    read_coverage,
    read_rows,
    retire_snapshot,
)
from minedisc_core.settings import Settings, load_settings
from minedisc_core.store import Store

AREA = shapely.box(-44.1, -20.3, -43.1, -19.3)


def dams(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["Nome;UF;lat;lon", *rows]), encoding="utf-8")
    return path


def test_a_load_is_dated_counted_and_read_back(tmp_path: Path, settings: Settings) -> None:
    path = dams(tmp_path / "d.csv", "A & <B>;MG;-20;-43", "C;PA;-5;-50", "bad;MG;x;-43")
    snapshot, table = add_snapshot(settings, RegisterKind.SIGBM, path, as_of=date(2026, 10, 30))
    assert (snapshot.rows, snapshot.problems, snapshot.coverage) == (2, 1, "MG,PA")
    assert snapshot.as_of == date(2026, 10, 30)
    assert label(snapshot) == "sigbm 2026-10-30"
    assert list_snapshots(settings) == [snapshot]
    assert get_snapshot(settings, snapshot.snapshot_id) == snapshot
    assert problems(settings, snapshot.snapshot_id) == table.problems
    rows = read_rows(settings, snapshot)
    assert list(rows["name"]) == ["A & <B>", "C"]
    assert rows.crs == "EPSG:4326"
    assert rows.geometry.geom_equals(table.frame.geometry).all()


def test_without_a_date_the_register_is_from_today(tmp_path: Path, settings: Settings) -> None:
    before = datetime.now(UTC).date()
    snapshot, _ = add_snapshot(settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "A;MG;-20;-43"))
    assert before <= snapshot.as_of <= datetime.now(UTC).date()


def test_a_date_in_the_future_is_an_error(tmp_path: Path, settings: Settings) -> None:
    path = dams(tmp_path / "d.csv", "A;MG;-20;-43")
    with pytest.raises(UsageError, match="future"):
        add_snapshot(settings, RegisterKind.SIGBM, path, as_of=datetime.now(UTC).date() + timedelta(days=5))
    assert list_snapshots(settings) == []


def test_the_same_content_is_the_same_snapshot_and_keeps_what_was_stated(tmp_path: Path, settings: Settings) -> None:
    first, _ = add_snapshot(
        settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "A;MG;-20;-43"), as_of=date(2026, 1, 2), coverage="BR"
    )
    again, _ = add_snapshot(settings, RegisterKind.SIGBM, dams(tmp_path / "copy.csv", "A;MG;-20;-43"))
    assert again == dataclasses.replace(first, name="copy.csv")
    assert len(list_snapshots(settings)) == 1
    restated, _ = add_snapshot(settings, RegisterKind.SIGBM, tmp_path / "d.csv", coverage_polygon=AREA)
    assert (restated.snapshot_id, restated.coverage, restated.as_of) == (first.snapshot_id, "polygon", first.as_of)
    stated = read_coverage(settings, first.snapshot_id).polygon
    assert stated is not None
    assert stated.equals_exact(AREA, 0)


def test_newer_content_stands_beside_the_older_until_that_is_retired(tmp_path: Path, settings: Settings) -> None:
    old, _ = add_snapshot(
        settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "A;MG;-20;-43"), as_of=date(2025, 1, 1)
    )
    new, _ = add_snapshot(
        settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "B;MG;-20;-43"), as_of=date(2026, 1, 1)
    )
    assert list_snapshots(settings) == [new, old]
    retired = retire_snapshot(settings, old.snapshot_id)
    assert not retired.active
    assert list_snapshots(settings) == [new]
    assert list_snapshots(settings, include_retired=True) == [new, retired]
    back, _ = add_snapshot(settings, RegisterKind.SIGBM, dams(tmp_path / "e.csv", "A;MG;-20;-43"))
    assert back.active
    assert len(list_snapshots(settings)) == 2


def load(store: Store, settings: Settings, kind: str, path: Path, as_of: str = "2025-01-02") -> list[tuple[str, str]]:
    """File and notice of what the answer says is also in force."""
    added = service.registers_add(store, settings, kind, str(path), as_of=as_of)
    return [(other["name"], other["notice"]) for other in added["also_in_force"]]


def test_a_newer_dam_register_says_that_the_older_stays_in_force(tmp_path: Path, settings: Settings) -> None:
    old, new = dams(tmp_path / "old.csv", "A;MG;-20;-43"), dams(tmp_path / "new.csv", "B;MG;-20;-43")
    sentence = "sigbm 2025-01-02 (old.csv) is still in force beside it: retire it if the new file replaces it"
    with Store.in_memory() as store:
        assert load(store, settings, "sigbm", old) == []
        assert load(store, settings, "points", dams(tmp_path / "p.csv", "A;MG;-20;-43")) == []
        assert load(store, settings, "sigbm", new, "2026-01-02") == [("old.csv", sentence)]
        first = next(snapshot for snapshot in list_snapshots(settings) if snapshot.name == "old.csv")
        service.registers_retire(store, settings, first.snapshot_id)
        assert load(store, settings, "sigbm", dams(tmp_path / "c.csv", "C;MG;-20;-43"))[0][0] == "new.csv"
        assert {name for name, _ in load(store, settings, "sigbm", old)} == {"new.csv", "c.csv"}


def test_a_file_that_is_in_force_already_replaces_nothing(tmp_path: Path, settings: Settings) -> None:
    with Store.in_memory() as store:
        load(store, settings, "sigbm", dams(tmp_path / "a.csv", "A;MG;-20;-43"))
        assert load(store, settings, "sigbm", dams(tmp_path / "copy.csv", "A;MG;-20;-43")) == []
        load(store, settings, "sigbm", dams(tmp_path / "b.csv", "B;MG;-20;-43"))
        assert load(store, settings, "sigbm", tmp_path / "a.csv") == []


def test_of_kinds_with_many_files_only_one_of_the_same_name_is_told(tmp_path: Path, settings: Settings) -> None:
    with Store.in_memory() as store:
        assert load(store, settings, "points", dams(tmp_path / "mine.csv", "A;MG;-20;-43")) == []
        assert load(store, settings, "points", dams(tmp_path / "other.csv", "B;MG;-20;-43")) == []
        found = load(store, settings, "points", dams(tmp_path / "mine.csv", "C;MG;-20;-43"))
    assert [name for name, _ in found] == ["mine.csv"]


def test_the_command_line_names_the_older_snapshot_and_how_to_retire_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ["registers", "add", "sigbm", "--home", str(tmp_path / "home")]
    old, new = dams(tmp_path / "old.csv", "A;MG;-20;-43"), dams(tmp_path / "new.csv", "B;MG;-20;-43")
    assert cli.main([*add, str(old), "--as-of", "2025-01-02"]) == cli.DONE
    assert "still in force" not in capsys.readouterr().out
    assert cli.main([*add, str(new)]) == cli.DONE
    first = list_snapshots(load_settings({}, tmp_path / "home"))[1]
    told = "sigbm 2025-01-02 (old.csv) is still in force beside it: retire it if the new file replaces it: "
    assert f"{told}minedisc registers retire {first.snapshot_id}\n" in capsys.readouterr().out


def test_the_registers_in_force_follow_every_change(tmp_path: Path, settings: Settings) -> None:
    assert load_active(settings).as_of == ""
    snapshot, _ = add_snapshot(
        settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "A;MG;-20;-43"), as_of=date(2026, 1, 1), coverage="MG"
    )
    active = load_active(settings)
    assert load_active(settings) is active
    assert active.as_of == "sigbm 2026-01-01"
    assert [active.points.value(name, 0) for name in ("name", "owner", "nothing")] == ["A", "", ""]
    add_snapshot(settings, RegisterKind.SIGBM, tmp_path / "d.csv", coverage="BR")
    assert load_active(settings).coverage[RegisterKind.SIGBM][0].text == "BR"
    retire_snapshot(settings, snapshot.snapshot_id)
    assert len(load_active(settings).points) == 0


def test_points_and_dams_are_matched_together(tmp_path: Path, settings: Settings) -> None:
    add_snapshot(settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "A;MG;-20;-43"), as_of=date(2026, 1, 1))
    add_snapshot(settings, RegisterKind.POINTS, dams(tmp_path / "m.csv", "B;;1;2"), as_of=date(2026, 1, 2))
    active = load_active(settings)
    assert active.points.labels == ["sigbm 2026-01-01", "points m.csv 2026-01-02"]


@pytest.mark.parametrize("snapshot_id", ["", "sigbm-0", "../../etc/passwd", "sigbm-0123456789abcdef"])
def test_an_unknown_snapshot_is_an_error(snapshot_id: str, settings: Settings) -> None:
    for verb in (get_snapshot, retire_snapshot, problems):
        with pytest.raises(RegisterError, match="no register snapshot"):
            verb(settings, snapshot_id)


def test_a_file_that_cannot_be_used_leaves_nothing_behind(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(RegisterError):
        add_snapshot(settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "bad;MG;x;y"))
    with pytest.raises(UsageError):
        add_snapshot(settings, RegisterKind.SIGBM, dams(tmp_path / "e.csv", "A;MG;-20;-43"), coverage="nowhere")
    assert list_snapshots(settings, include_retired=True) == []


def test_a_load_that_stops_before_its_last_file_is_no_snapshot(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshots, "_write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        add_snapshot(settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "A;MG;-20;-43"))
    assert list_snapshots(settings, include_retired=True) == []
    assert load_active(settings).snapshots == ()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kind": "sigbm"}'])
def test_a_damaged_snapshot_is_an_error_that_names_the_file(content: str, tmp_path: Path, settings: Settings) -> None:
    snapshot, _ = add_snapshot(settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "A;MG;-20;-43"))
    (settings.registers / f"{snapshot.snapshot_id}.json").write_text(content)
    with pytest.raises(RegisterError, match=snapshot.snapshot_id):
        list_snapshots(settings)


def test_rows_that_are_gone_are_an_error(tmp_path: Path, settings: Settings) -> None:
    snapshot, _ = add_snapshot(settings, RegisterKind.SIGBM, dams(tmp_path / "d.csv", "A;MG;-20;-43"))
    (settings.registers / f"{snapshot.snapshot_id}.parquet").write_bytes(b"junk")
    with pytest.raises(RegisterError, match="load the register again"):
        load_active(settings)


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=12)


@hypothesis_settings(max_examples=12)
@given(st.lists(st.tuples(names, st.floats(-33, 5), st.floats(-73, -35)), min_size=1, max_size=8))
def test_rows_come_back_from_a_snapshot_as_they_were_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float, float]]
) -> None:
    folder = tmp_path_factory.mktemp("home")
    settings = load_settings({}, folder / "home")
    quoted = [f'"{name.replace(chr(34), chr(34) * 2)}";MG;{lat!r};{lon!r}' for name, lat, lon in rows]
    snapshot, table = add_snapshot(settings, RegisterKind.SIGBM, dams(folder / "d.csv", *quoted))
    stored = read_rows(settings, snapshot)
    assert stored.drop(columns="geometry").equals(table.frame.drop(columns="geometry"))
    assert stored.geometry.geom_equals(table.frame.geometry).all()
    assert [(p.y, p.x) for p in stored.geometry] == [(lat, lon) for _, lat, lon in rows]
