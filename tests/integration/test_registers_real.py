"""The real registers through the same doors."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import shapely

from minedisc_core.domain import RegisterKind, RegisterStatus
from minedisc_core.grid import square_around
from minedisc_core.registers.active import load_active
from minedisc_core.registers.matching import match_polygons
from minedisc_core.registers.readers import read_register
from minedisc_core.registers.sentences import describe
from minedisc_core.registers.snapshots import add_snapshot
from minedisc_core.registers.states import ABROAD, possible_states
from minedisc_core.settings import Settings

pytestmark = pytest.mark.trial


def test_all_909_dams_of_sigbm_load(trial_data: Path, settings: Settings) -> None:
    table = read_register(RegisterKind.SIGBM, trial_data / "registers" / "sigbm_dams.csv", settings)
    assert len(table.frame) == 909
    assert table.problems == ()
    assert (table.frame["state"] == "MG").sum() == 350
    assert "Dique Petrobrás" in set(table.frame["name"])
    assert not any("aplica" in ore for ore in table.frame["ore"])


def test_the_state_of_every_dam_is_one_that_the_outlines_allow(trial_data: Path, settings: Settings) -> None:
    frame = read_register(RegisterKind.SIGBM, trial_data / "registers" / "sigbm_dams.csv", settings).frame
    found = possible_states(list(frame.geometry))
    assert all(state in states for state, states in zip(frame["state"], found, strict=True))
    assert np.mean([len(states) == 1 for states in found]) > 0.75


def test_indigenous_territories_load_with_and_without_names(trial_data: Path, settings: Settings) -> None:
    path = trial_data / "lands" / "indigenous_territories.geojson"
    table = read_register(RegisterKind.LANDS, path, settings)
    assert len(table.frame) == 237
    assert (table.frame["name"] == "unnamed").sum() == 6
    kinds = dict(zip(table.frame["name"], table.frame["kind"], strict=True))
    assert kinds["Apyterewa"] == "Indigenous land (Regularizada)"
    assert table.frame.geometry.is_valid.all()


def test_lands_of_other_countries_are_not_taken_for_brazil(trial_data: Path, settings: Settings) -> None:
    frame = read_register(RegisterKind.LANDS, trial_data / "lands" / "indigenous_territories.geojson", settings).frame
    west_of_brazil = frame[frame.geometry.bounds["maxx"] < -74.5]
    assert len(west_of_brazil) > 50
    assert all(ABROAD in states for states in possible_states(list(west_of_brazil.geometry)))


def test_other_peoples_points_and_outlines_load(trial_data: Path, settings: Settings) -> None:
    airstrips = trial_data / "lands" / "Illegal-Airstrips-NYT-Intercept-Public.csv"
    assert len(read_register(RegisterKind.POINTS, airstrips, settings).frame) == 1269
    detections = trial_data / "detections" / "mining_202400_simplified.geojson"
    assert len(read_register(RegisterKind.POLYGONS, detections, settings).frame) > 5000


def test_real_dams_and_lands_are_found_from_a_site(trial_data: Path, settings: Settings) -> None:
    sigbm = trial_data / "registers" / "sigbm_dams.csv"
    add_snapshot(settings, RegisterKind.SIGBM, sigbm, as_of=date(2026, 1, 1))
    add_snapshot(settings, RegisterKind.LANDS, trial_data / "lands" / "indigenous_territories.geojson")
    active = load_active(settings)
    apyterewa = next(i for i in range(len(active.lands)) if active.lands.value("name", i) == "Apyterewa")
    inside = shapely.point_on_surface(active.lands.geometry[apyterewa])
    at_a_dam = active.points.geometry[0]
    near, remote = match_polygons([square_around(p.x, p.y, 540) for p in (at_a_dam, inside)], active)
    assert near.status is RegisterStatus.REGISTERED
    assert near.nearest_dam is not None
    assert near.nearest_dam.distance_m == 0
    assert remote.status is RegisterStatus.NOT_CHECKED
    assert remote.lands[0].name == "Apyterewa"
    assert any("title register (SIGMINE): none is loaded" in text for text in describe(remote))
