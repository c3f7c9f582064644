"""What a scan would take: tiles, bytes, hours; and `minedisc plan`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.cli import main
from minedisc_core.errors import UsageError
from minedisc_core.jobs.plan import TILE_M, Ground, Storage, ground_of, ground_of_km2, plan
from minedisc_core.jobs.plan_rate import KEPT, Rate
from minedisc_core.jobs.plan_rate import given as stated

RATE = Rate(5.0, 100_000.0, 0.0, 0.0, "OpenVINO 2026.4.1", "demo-l1c", "0", "2026-11-26T12:00:00")
AREA = shapely.box(-44.3, -20.6, -43.1, -19.7)


def test_the_tiles_of_a_square_cover_it_and_no_more_than_a_tile_around_it() -> None:
    ground = ground_of_km2(67_110)
    side_km = 67_110**0.5
    assert (ground.km2, ground.zones, ground.mosaics) == (67_110, (), 9)
    assert 67_110 <= ground.tile_km2.sum() <= (side_km + TILE_M / 1_000) ** 2
    assert ground.tile_km2.max() == pytest.approx((TILE_M / 1_000) ** 2)


@given(st.floats(1, 2_000_000))
def test_tiles_cover_any_area_and_every_mosaic_has_some(km2: float) -> None:
    ground = ground_of_km2(km2)
    assert ground.tile_km2.sum() >= km2 * (1 - 1e-9)
    assert np.array_equal(np.unique(ground.mosaic), np.arange(ground.mosaics))


def test_an_outline_is_counted_zone_by_zone() -> None:
    ground = ground_of(AREA)
    assert ground.zones == ("EPSG:32723",)
    assert ground.km2 <= ground.tile_km2.sum() <= 1.4 * ground.km2
    across = ground_of(shapely.box(-48.5, -20, -47.5, -19))
    assert across.zones == ("EPSG:32722", "EPSG:32723")
    assert across.tile_km2.sum() >= across.km2 * 0.999
    assert np.array_equal(np.unique(across.mosaic), np.arange(across.mosaics))


def test_a_triangle_needs_no_tiles_beside_it() -> None:
    triangle = shapely.Polygon([(-44, -20), (-42, -20), (-44, -18)])
    assert len(ground_of(triangle).tile_km2) < 0.65 * len(ground_of(shapely.box(*triangle.bounds)).tile_km2)


def test_bytes_and_hours_follow_the_rate() -> None:
    ground = Ground(2_000, (), np.full(20, 100.0), np.arange(20) // 10)
    found = plan(ground, RATE, Storage(), [1, 4])
    assert found.gigabytes == pytest.approx(0.2)
    assert found.core_hours == pytest.approx(20 * 100 / 500 / 3600)
    assert found.reading_limits_from_cores == pytest.approx(5_000 / 50)
    assert found.line_limits_from_cores == pytest.approx(5)
    one, four = found.answers
    assert one.schedule.wall_s == pytest.approx(4.0, rel=0.05)
    assert 0.8 < four.efficiency <= 1


def test_a_stated_rate_is_said_to_be_stated() -> None:
    assert (stated(RATE, 2.5).core_mpx_s, stated(RATE, 2.5).measured_at_utc) == (2.5, "")


@pytest.mark.parametrize("km2", [0, -1, float("nan"), float("inf"), 6e8])
def test_no_area_on_earth_is_refused(km2: float) -> None:
    with pytest.raises(UsageError, match="km2"):
        ground_of_km2(km2)


@pytest.mark.parametrize(("cores", "storage"), [([0], Storage()), ([1], Storage(0)), ([1], Storage(1, -3))])
def test_numbers_that_must_be_positive_are_refused(cores: list[int], storage: Storage) -> None:
    with pytest.raises(UsageError, match="more than 0"):
        plan(ground_of_km2(100), RATE, storage, cores)


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rate that is kept already, for the engine that is asked for."""
    from dataclasses import asdict

    from minedisc_core import __version__

    cache = tmp_path / "engines"
    cache.mkdir()
    kept = asdict(RATE) | {"version": __version__}
    (cache / KEPT).write_text(json.dumps(kept), "utf-8")
    monkeypatch.setenv("MINEDISC_ENGINE_CACHE", str(cache))
    return cache


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["plan", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_plans_an_area_from_a_file(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps(shapely.geometry.mapping(AREA)), "utf-8")
    code, out, err = run(capsys, "--aoi", str(path), "--home", str(tmp_path), "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["zones"] == ["EPSG:32723"]
    assert [one["cores"] for one in found["at"]] == [2, 64, 1_000]
    assert found["rate"]["measured_at_utc"] == RATE.measured_at_utc
    assert len(found["how"]) == 4
    assert all(one["wall_s"] > 0 and 0 <= one["waiting_fraction"] <= 1 for one in found["at"])


def test_the_command_tells_hours_and_limits_in_words(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--km2", "8510000", "--rate", "3", "--cores", "8", "--home", str(tmp_path))
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "8,510,000 km2: 900 mosaics of 100 km" in out
    assert "as given" in out
    assert "Reading is the limit from" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no area is given"),
        (("--km2", "5", "--aoi", "x.geojson"), "both --aoi and --km2"),
        (("--aoi", "missing.geojson"), "missing.geojson"),
        (("--km2", "-5"), "km2"),
        (("--km2", "5", "--rate", "0"), "rate of 0"),
        (("--km2", "5", "--cores", "0"), "cores"),
        (("--km2", "5", "--read-mb-s", "0"), "megabytes"),
    ],
)
def test_a_wrong_plan_is_refused_in_one_line(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, out, err = run(capsys, *words, "--home", str(tmp_path))
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_kept_rate_that_is_damaged_is_none(tmp_path: Path) -> None:
    from minedisc_core.jobs.plan_rate import _kept

    (tmp_path / KEPT).write_text("{", "utf-8")
    assert _kept(tmp_path / KEPT) is None
    (tmp_path / KEPT).write_text('{"core_mpx_s": 1}', "utf-8")
    assert _kept(tmp_path / KEPT) is None
