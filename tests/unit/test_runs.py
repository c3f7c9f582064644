from __future__ import annotations

import json
import math
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, box

from minedisc_core.domain import (
    Coverage,
    Impact,
    ImpactProbabilities,
    ProductLevel,
    RunState,
    RunSummary,
    Site,
)
from minedisc_core.errors import RunError
from minedisc_core.runs import (
    RESULT,
    SITES,
    read_json,
    read_sites,
    read_summary,
    write_atomically,
    write_json,
    write_sites,
    write_summary,
)

SCORES = st.floats(0, 1)


def site(number: int = 1, **changes: object) -> Site:
    known: dict[str, object] = {
        "site_id": f"20260101-000000-abcd-{number:04}",
        "polygon": box(-44, -20, -43.99, -19.99),
        "lon": -43.995,
        "lat": -19.995,
        "peak_lon": -43.996,
        "peak_lat": -19.996,
        "peak_row_px": 127,
        "peak_col_px": 154,
        "score": 0.9,
        "mean_score": 0.8,
        "cells": 3,
        "area_cells_ha": 21.87,
        "impact": Impact.HIGH,
        "impact_probabilities": ImpactProbabilities(0.7, 0.2, 0.1),
        "discarded": False,
    }
    return Site(**(known | changes))  # type: ignore[arg-type]  # a dict of mixed values by design


def summary(**changes: object) -> RunSummary:
    known: dict[str, object] = {
        "run_id": "20260101-000000-abcd",
        "state": RunState.COMPLETE,
        "model": "demo-l1c",
        "level": ProductLevel.L1C,
        "threshold": 0.6,
        "mosaic": ("/a/b.tif", "/a/ç.tif"),
        "imagery_start": date(2020, 1, 1),
        "imagery_end": None,
        "source": "demo",
        "coverage": Coverage(10.0, 9.5, 137, 130, 7, 0, 2),
        "sites": 1,
        "discarded": 0,
        "seconds": 12.5,
        "finished_at_utc": datetime(2026, 1, 1, 12, 30, 5, 123456),
        "problems": ("tile 3 failed: disk full",),
    }
    return RunSummary(**(known | changes))  # type: ignore[arg-type]  # a dict of mixed values by design


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"impact_probabilities": None, "impact": Impact.UNKNOWN},
        {"polygon": MultiPolygon([box(-44, -20, -43.9, -19.9), box(-43, -20, -42.9, -19.9)])},
        {"discarded": True, "flagged_fill": True},
    ],
)
def test_sites_come_back_as_they_were_written(tmp_path: Path, changes: dict[str, object]) -> None:
    written = [site(1, **changes), site(2)]
    write_sites(tmp_path, written)
    assert read_sites(tmp_path) == written


def test_a_run_without_a_site_is_a_valid_result(tmp_path: Path) -> None:
    write_sites(tmp_path, [])
    assert read_sites(tmp_path) == []


def test_sites_that_are_missing_or_broken_are_a_run_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=SITES):
        read_sites(tmp_path)
    (tmp_path / SITES).write_bytes(b"PAR1 no, it is not")
    with pytest.raises(RunError, match=SITES):
        read_sites(tmp_path)


@given(st.sampled_from(RunState), SCORES, st.none() | st.dates(), st.lists(st.text(max_size=20), max_size=3))
def test_a_summary_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, state: RunState, threshold: float, day: date | None, problems: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    written = summary(state=state, threshold=threshold, imagery_start=day, problems=tuple(problems))
    write_summary(folder, written)
    assert read_summary(folder) == written


def test_a_run_without_its_last_file_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="resume"):
        read_summary(tmp_path)


@pytest.mark.parametrize(
    "change", [{"state": "asleep"}, {"level": "L3"}, {"finished_at_utc": "yesterday"}, {"coverage": 5}, {"more": 1}]
)
def test_a_result_that_no_run_wrote_is_a_run_error(tmp_path: Path, change: dict[str, object]) -> None:
    write_summary(tmp_path, summary())
    write_json(tmp_path / RESULT, read_json(tmp_path / RESULT) | change)
    with pytest.raises(RunError, match="summary"):
        read_summary(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "null"])
def test_json_that_is_no_object_is_a_run_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RunError):
        read_json(tmp_path / "x.json")


def test_an_atomic_write_replaces_the_whole_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    write_atomically(target, b"first, longer")
    write_atomically(target, b"second")
    assert target.read_bytes() == b"second"
    assert list(target.parent.iterdir()) == [target]


def test_a_write_that_cannot_be_done_is_a_run_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").write_text("x")
    with pytest.raises(RunError, match="taken"):
        write_atomically(tmp_path / "taken", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_dates_and_paths_are_written_as_text_and_other_objects_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"day": date(2026, 1, 2), "at": datetime(2026, 1, 2, 3), "path": Path("/a")})
    assert json.loads((tmp_path / "x").read_text()) == {"day": "2026-01-02", "at": "2026-01-02T03:00:00", "path": "/a"}
    with pytest.raises(TypeError):
        write_json(tmp_path / "y", {"x": object()})


def test_coverage_of_nothing_asked_is_zero() -> None:
    assert Coverage(0, 0, 0, 0, 0, 0, 0).fraction == 0
    assert math.isclose(Coverage(10, 5, 100, 40, 60, 0, 0).fraction, 0.4)
