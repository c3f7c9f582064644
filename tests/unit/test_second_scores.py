"""A second model over the same mosaic: whose score stands beside a candidate, and where the models disagree."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from minedisc_core import cli
from minedisc_core.bench.made_up import made_up_matches, made_up_summary
from minedisc_core.domain import SecondScore
from minedisc_core.grid import CellGeometry, RasterGrid
from minedisc_core.imagery.cell_scores import greatest_scores
from minedisc_core.settings import Settings
from minedisc_core.store import CandidateFilter, Store
from tests.unit.test_store_changes import site

GRID = RasterGrid(700, 700, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
PATCHES = GRID.for_cells(CellGeometry.of_patches(48, 24))
DATES = made_up_summary(0, "x").imagery_start, made_up_summary(0, "x").imagery_end
Cell = tuple[int, int]


def write_scores(folder: Path, grid: RasterGrid, scores: np.ndarray) -> Path:
    rows, cols = grid.cells
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "float32", "nodata": np.nan}
    path = folder / "scores.tif"
    with rasterio.open(path, "w", crs=grid.crs, transform=grid.cell_transform, **profile) as raster:
        raster.write(scores.astype(np.float32), 1)
    return path


def scores_of(grid: RasterGrid, given: Mapping[Cell, float], elsewhere: float = 0.1) -> np.ndarray:
    scores = np.full(grid.cells, elsewhere, np.float32)
    for cell, score in given.items():
        scores[cell] = score
    return scores


class Runs:
    """Finished runs in a folder, taken in one after the other; the first is the oldest."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store, self.clock = folder, store, datetime(2026, 1, 1)

    def take_in(
        self,
        name: str,
        model: str,
        cells: Mapping[Cell, float],
        scores: Mapping[Cell, float] | None = None,
        *,
        mosaic: str = "mosaic-1",
        identity: str | None = None,
        grid: RasterGrid = GRID,
        threshold: float = 0.6,
        elsewhere: float = 0.1,
    ) -> None:
        """Sites of one cell each, with their scores; `scores` are those of other cells."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        told = {"model_identity": f"sha-{model}" if identity is None else identity, "mosaic_identity": mosaic}
        (folder / "request.json").write_text(json.dumps(told), "utf-8")
        write_scores(folder, grid, scores_of(grid, {**cells, **(scores or {})}, elsewhere))
        sites = [
            dataclasses.replace(site(f"{name}-{number:04d}", [cell], grid), score=score)
            for number, (cell, score) in enumerate(cells.items(), 1)
        ]
        self.clock += timedelta(hours=1)
        summary = dataclasses.replace(
            made_up_summary(len(sites), name), model=model, threshold=threshold, finished_at_utc=self.clock
        )
        self.store.take_in(summary, folder, sites, made_up_matches(len(sites)))

    def second(self, candidate_id: str) -> SecondScore | None:
        return self.store.candidate(candidate_id).second


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with Store.in_memory() as store:
        yield Runs(tmp_path, store)


@pytest.mark.parametrize("second_first", [False, True])
def test_each_run_gets_the_other_models_score_whichever_comes_in_first(runs: Runs, second_first: bool) -> None:
    asked = [("a", "paper", {(2, 2): 0.9, (9, 9): 0.8}, {(5, 5): 0.3}), ("b", "other", {(5, 5): 0.7}, {(2, 2): 0.55})]
    for each in reversed(asked) if second_first else asked:
        runs.take_in(*each)
    first = runs.second("a-0001")
    assert first is not None
    assert (first.run_id, first.model, first.threshold, first.is_hit) == ("b", "other", 0.6, False)
    assert first.score == pytest.approx(0.55)
    found = [runs.second(name) for name in ("a-0002", "b-0001")]
    assert [each and round(each.score, 4) for each in found] == [0.1, 0.3]


def test_models_that_disagree_most_come_first_and_those_without_a_second_score_last(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = {(1, 1): 0.95, (5, 5): 0.95, (9, 9): 0.65, (12, 12): 0.9}
    seconds = {(1, 1): 0.9, (5, 5): 0.0, (9, 9): 0.5, (12, 12): np.nan}
    runs.take_in("a", "paper", cells)
    runs.take_in("b", "other", {}, seconds, elsewhere=np.nan)
    ordered = runs.store.candidates(CandidateFilter(order="disagreement"))
    assert [each.candidate_id for each in ordered] == ["a-0002", "a-0003", "a-0001", "a-0004"]
    apart = [each.second and round(each.second.disagreement, 3) for each in ordered]
    assert apart == [1.875, 0.292, 0.125, None]


def test_scores_are_taken_against_each_models_own_cut_off(runs: Runs) -> None:
    runs.take_in("a", "paper", {(1, 1): 0.8}, threshold=0.6)
    runs.take_in("b", "other", {}, {(1, 1): 0.95}, threshold=0.9)
    second = runs.second("a-0001")
    assert second is not None
    assert second.is_hit
    assert second.disagreement == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{"mosaic": "mosaic-2"}, {"mosaic": ""}, {"identity": "sha-paper"}, {"identity": ""}],
    ids=["another mosaic", "an unknown mosaic", "the same model", "an unknown model"],
)
def test_runs_that_are_not_two_models_over_one_mosaic_are_not_set_beside(runs: Runs, changes: dict[str, str]) -> None:
    runs.take_in("a", "paper", {(1, 1): 0.9})
    runs.take_in("b", "other", {(1, 1): 0.9}, **changes)  # type: ignore[arg-type]  # names of two keyword arguments
    assert [runs.second(name) for name in ("a-0001", "b-0001")] == [None, None]


def test_of_several_models_the_one_that_finished_last_counts(runs: Runs) -> None:
    runs.take_in("a", "paper", {(1, 1): 0.9})
    runs.take_in("b", "other", {}, {(1, 1): 0.2})
    runs.take_in("c", "third", {}, {(1, 1): 0.4})
    found = runs.second("a-0001")
    assert found is not None
    assert (found.run_id, round(found.score, 4)) == ("c", 0.4)
    runs.take_in("c", "third", {}, {(1, 1): 0.5}, mosaic="mosaic-2")  # the same sites: nothing is taken in anew
    runs.clock += timedelta(days=1)
    runs.take_in("d", "paper", {(1, 1): 0.9})
    assert runs.second("d-0001") is not None


def test_a_run_whose_scores_cannot_be_read_is_passed_over_for_the_next(runs: Runs) -> None:
    runs.take_in("a", "paper", {(1, 1): 0.9})
    runs.take_in("b", "other", {(1, 1): 0.9})
    (runs.folder / "b" / "scores.tif").write_bytes(b"broken")
    runs.take_in("c", "third", {(2, 2): 0.9}, {(1, 1): 0.3})
    found = runs.second("c-0001")
    assert found is not None
    assert (found.run_id, round(found.score, 4)) == ("a", 0.1)
    (runs.folder / "a" / "scores.tif").unlink()
    runs.take_in("d", "fourth", {(2, 2): 0.9})
    for each in "abc":
        runs.second(f"{each}-0001")
    assert (runs.second("d-0001") or found).run_id == "c"


def test_where_the_newest_run_did_not_look_an_older_one_counts(runs: Runs) -> None:
    runs.take_in("a", "paper", {(1, 1): 0.9, (5, 5): 0.9})
    runs.take_in("b", "other", {}, {(1, 1): 0.2, (5, 5): 0.3}, threshold=0.25)
    runs.take_in("c", "third", {}, {(1, 1): 0.4}, elsewhere=np.nan)
    found = [runs.second(name) for name in ("a-0001", "a-0002")]
    assert [(each.run_id, each.model, each.is_hit) for each in found if each] == [
        ("c", "third", False),
        ("b", "other", True),
    ]


def test_a_run_that_is_taken_in_anew_is_set_beside_anew(runs: Runs) -> None:
    runs.take_in("a", "paper", {(1, 1): 0.9})
    runs.take_in("b", "other", {}, {(1, 1): 0.2})
    runs.take_in("b", "other", {(3, 3): 0.9}, {(1, 1): 0.7})
    found = runs.second("a-0001")
    assert found is not None
    assert found.score == pytest.approx(0.7)


def test_a_patch_models_finer_cells_are_all_looked_at(tmp_path: Path) -> None:
    place = GRID.cell_polygons(np.array([[3, 3]]))
    middle = (
        3 * 27 + 100.5
    ) / 24 - 0.5  # the paper's cell is 270 m wide, a patch's 240 m, and its centres lie elsewhere
    inside, beyond = int(middle), int(middle) + 3
    scores = scores_of(PATCHES, {(inside, inside): 0.8, (beyond, beyond): 0.99})
    found = greatest_scores(write_scores(tmp_path, PATCHES, scores), place)
    assert found is not None
    assert found.tolist() == [pytest.approx(0.8)]


def test_a_cell_that_only_touches_a_place_does_not_count(tmp_path: Path) -> None:
    scores = scores_of(GRID, {(3, 3): 0.2, (3, 4): 0.99, (2, 3): 0.99, (4, 4): 0.99})
    found = greatest_scores(write_scores(tmp_path, GRID, scores), GRID.cell_polygons(np.array([[3, 3]])))
    assert found is not None
    assert found[0] == pytest.approx(0.2)


def test_places_outside_or_unseen_have_no_score(tmp_path: Path) -> None:
    path = write_scores(tmp_path, GRID, np.full(GRID.cells, np.nan))
    places = np.array([GRID.cell_polygons(np.array([[0, 0]]))[0], shapely.box(10, 10, 11, 11)], object)
    found = greatest_scores(path, places)
    assert found is not None
    assert np.isnan(found).all()
    assert greatest_scores(tmp_path / "missing.tif", places) is None
    nothing = greatest_scores(path, np.zeros(0, object))
    assert nothing is not None
    assert len(nothing) == 0


def test_the_command_lists_candidates_by_disagreement(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(settings.database) as store:
        runs = Runs(tmp_path, store)
        runs.take_in("a", "paper", {(1, 1): 0.95, (5, 5): 0.9})
        runs.take_in("b", "other", {}, {(1, 1): 0.9, (5, 5): 0.05})
    words = ["candidates", "--home", str(settings.home), "--order", "disagreement"]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ["2nd", "model"]
    assert [(line.split()[0], line.split()[-1]) for line in lines[1:3]] == [("a-0002", "0.050"), ("a-0001", "0.900")]
    assert cli.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["second_model"], each["second_run_id"]) for each in told] == [("other", "b")] * 2
