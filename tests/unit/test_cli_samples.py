"""minedisc samples and its corrections, as they are typed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minedisc_core import cli
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.learning.datasets import open_dataset

BANDS = ("B2", "B3", "B4")


@pytest.fixture
def mosaic(write_raster: Callable[..., Path]) -> Path:
    rows, cols = np.mgrid[:700, :700]
    pixels = np.stack([(rows * 31 + cols * 7 + band) % 9000 + 1 for band in range(3)], axis=-1)
    return write_raster(pixels.astype(np.uint16), "m.tif", BANDS)


@pytest.fixture
def points(tmp_path: Path, mosaic: Path) -> Path:
    with open_mosaic([mosaic]) as opened:
        lonlat = opened.grid.lonlat(np.array([200.5, 350.5, 500.5]), np.array([200.5, 350.5, 500.5]))
    words = ("Ferro", "Areia", "Granito")
    rows = [f"M{n};{lat};{lon};{word}" for n, ((lon, lat), word) in enumerate(zip(lonlat.tolist(), words, strict=True))]
    path = tmp_path / "mines.csv"
    path.write_text("\n".join(["Nome;Latitude;Longitude;Minério", *rows]), encoding="cp1252")
    return path


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*words: object) -> tuple[int, str, str]:
        code = cli.main(["samples", *map(str, words), "--home", str(tmp_path / "home")])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


Run = Callable[..., tuple[int, str, str]]


def test_a_register_becomes_a_dataset_and_what_was_left_out_is_told(
    run: Run, points: Path, mosaic: Path, tmp_path: Path
) -> None:
    given = ["--points", points, "--mosaic", mosaic, mosaic, "--level", "L1C", "--size", 21]
    code, out, _ = run(*given, "--label-column", "minerio", "--out", tmp_path / "v1")
    assert code == 0
    assert "2 samples of 21 px, L1C" in out
    assert "label: high 1, low 1" in out
    assert "line 4 of mines.csv left out: its label 'Granito' means no class that is known" in out
    code, out, _ = run(*given, "--label-column", "minerio", "--out", tmp_path / "v2", "--json")
    told = json.loads(out)
    assert told["hash"] == open_dataset(tmp_path / "v1").hash
    assert [each["line"] for each in told["left_out"]] == [4]


def test_discovery_takes_every_point_as_a_mine_and_draws_backgrounds(
    run: Run, points: Path, mosaic: Path, tmp_path: Path
) -> None:
    code, out, err = run(
        "--points", points, "--mosaic", mosaic, "--level", "L2A", "--size", 201, "--apart-m", 800, "--backgrounds", 2,
        "--out", tmp_path / "v1",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "label: background 2, mine 3" in out
    assert "reason: random 2" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--size", "21"], "--out is missing"),
        (["--out", "v1"], "go together"),
        (["--out", "v1", "--points", "p.csv", "--mosaic", "m.tif", "--size", "64"], "windows of 64 px|does not exist"),
        (["--out", "v1", "--demo", "impact", "--size", "201"], "impact windows of 201 px"),
        (["correct", "--points", "p.csv", "--line", "2"], "one of --move-to"),
        (["corrections"], "holds no database"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_written(
    run: Run, words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert code in (1, 2)
    assert any(part in err for part in told.split("|"))
    assert (out, list(tmp_path.iterdir())) == ("", [])


def test_corrections_are_kept_undone_exported_and_used(run: Run, points: Path, mosaic: Path, tmp_path: Path) -> None:
    assert run("correct", "--points", points, "--line", 2, "--move-to", -44.04, -19.91, "--analyst", "ana")[0] == 0
    assert run("correct", "--points", points, "--line", 3, "--not-a-mine", "--analyst", "=cmd()")[0] == 0
    assert run("correct", "--points", points, "--line", 4, "--skip", "--analyst", "rui")[0] == 0
    assert "undone: line 4" in run("undo", "--points", points, "--analyst", "rui")[1]
    assert "nothing to undo" in run("undo", "--points", points, "--analyst", "rui")[1]
    code, out, _ = run("corrections", "--points", points, "--out", tmp_path / "c.csv")
    assert (code, "2 rows in" in out) == (0, True)
    rows = list(csv.DictReader((tmp_path / "c.csv").read_text("utf-8-sig").splitlines()))
    assert [(row["line"], row["decision"], row["corrected_lon"], row["analyst"]) for row in rows] == [
        ("2", "moved", "-44.04", "ana"), ("3", "not_a_mine", "", "'=cmd()"),
    ]  # fmt: skip
    assert len(json.loads(run("corrections", "--all", "--json")[1])) == 4
    renamed = points.rename(tmp_path / "renamed.csv")  # the same content is the same register
    code, out, _ = run(
        "--points", renamed, "--mosaic", mosaic, "--level", "L1C", "--size", 21, "--label-column", "Minério",
        "--corrections", "--out", tmp_path / "v1",
    )  # fmt: skip
    assert code == 0
    assert "line 3 of renamed.csv left out: =cmd() marked it as not a mine" in out
    (entry,) = open_dataset(tmp_path / "v1").samples
    assert (entry.lon, entry.lat, entry.facts["moved_by"]) == (-44.04, -19.91, "ana")


def test_a_correction_of_no_point_is_refused(run: Run, points: Path) -> None:
    code, _, err = run("correct", "--points", points, "--line", 9, "--skip")
    assert (code, "no point at line 9" in err) == (2, True)
    code, _, err = run("correct", "--points", points, "--line", 2, "--move-to", -200, 0)
    assert (code, "moved to -200.0" in err) == (1, True)


def test_rejected_candidates_become_look_alikes(
    run: Run, points: Path, mosaic: Path, tmp_path: Path, make_site: Callable, write_run: Callable
) -> None:
    with open_mosaic([mosaic]) as opened:
        lon, lat = opened.grid.lonlat(np.array([500.5]), np.array([150.5]))[0]
    site = make_site(1, lon=float(lon), lat=float(lat), peak_lon=float(lon), peak_lat=float(lat))
    home = ["--home", str(tmp_path / "home")]
    assert cli.main(["take-in", str(write_run([site])), *home]) == 0
    assert cli.main(["verdict", site.site_id, "rejected", "--reason", "river_bank", *home]) == 0
    code, out, _ = run(
        "--points", points, "--mosaic", mosaic, "--level", "L1C", "--size", 201, "--apart-m", 800, "--backgrounds", 2,
        "--rejected", "--out", tmp_path / "v1",
    )  # fmt: skip
    assert code == 0
    assert "random 1, river_bank 1" in out
