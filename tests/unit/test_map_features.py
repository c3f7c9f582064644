"""Registers on the map: what lies in the view, with a label, and not more than a browser can draw."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from minedisc_core.domain import RegisterKind
from minedisc_core.registers.active import load_active
from minedisc_core.registers.map_features import features_in
from minedisc_core.registers.snapshots import add_snapshot
from minedisc_core.settings import Settings

POINTS = "name;latitude;longitude\nNear;-20.0;-44.0\nAlso near;-20.1;-44.1\nFar;-5.0;-50.0\n"
VIEW = (-44.5, -20.5, -43.5, -19.5)


@pytest.fixture
def loaded(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "points.csv"
    path.write_text(POINTS)
    add_snapshot(settings, RegisterKind.POINTS, path, as_of=date(2026, 1, 2))
    return settings


def test_only_what_meets_the_view_is_shown(loaded: Settings) -> None:
    found = features_in(load_active(loaded), [VIEW], 10)
    assert [feature["properties"]["label"].split(" · ")[0] for feature in found.dams] == ["Near", "Also near"]
    assert (found.titles, found.lands, found.left_out) == ([], [], 0)


def test_what_is_beyond_the_limit_is_counted(loaded: Settings) -> None:
    found = features_in(load_active(loaded), [VIEW], 1)
    assert len(found.dams) == 1
    assert found.left_out == 1


def test_two_views_show_a_place_once(loaded: Settings) -> None:
    assert len(features_in(load_active(loaded), [VIEW, VIEW], 10).dams) == 2


def test_rivers_are_cut_off_at_the_view(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "rios.geojson"
    line = {"type": "LineString", "coordinates": [[-60, -20], [-30, -20]]}
    feature = {"type": "Feature", "properties": {"nome": "Rio Longo"}, "geometry": line}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    add_snapshot(settings, RegisterKind.RIVERS, path, as_of=date(2026, 1, 2))
    (river,) = features_in(load_active(settings), [VIEW], 10).rivers
    assert river["geometry"] == {"type": "LineString", "coordinates": ((-44.5, -20.0), (-43.5, -20.0))}
    assert river["properties"]["label"] == "Rio Longo · rivers rios.geojson 2026-01-02"


def test_no_view_shows_nothing(loaded: Settings) -> None:
    assert features_in(load_active(loaded), [], 10).dams == []


def test_without_registers_nothing_is_shown(settings: Settings) -> None:
    found = features_in(load_active(settings), [VIEW], 10)
    assert (found.dams, found.titles, found.lands) == ([], [], [])
