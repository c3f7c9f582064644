"""The change of a place between two dates, as the store keeps it: who is compared, what counts as seen, how fast."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from scipy import ndimage

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import Candidate, Change, Impact, Site
from minedisc_core.grid import CENTRE_PX, STRIDE_PX, RasterGrid, geodesic_area_ha
from minedisc_core.imagery.seen_cells import read_seen_cells
from minedisc_core.service.verbs import candidates as candidates_verb
from minedisc_core.settings import Settings
from minedisc_core.store import CandidateFilter, Store

GRID = RasterGrid(500, 500, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
SHAPE = GRID.cells
Y2018, Y2020, Y2022, Y2024 = ((date(year, 1, 1), date(year, 12, 31)) for year in (2018, 2020, 2022, 2024))
EVERYTHING = CandidateFilter(include_discarded=True)
Cells = Sequence[tuple[int, int]]


def site(site_id: str, cells: Cells, grid: RasterGrid = GRID, discarded: bool = False) -> Site:
    chosen = np.array(cells)
    polygon = grid.site_polygon(chosen)
    (lon, lat), (peak_lon, peak_lat) = polygon.centroid.coords[0], grid.cell_centres(chosen[:1])[0].tolist()
    row, col = (int(x) * STRIDE_PX + CENTRE_PX for x in cells[0])
    return Site(site_id, polygon, lon, lat, peak_lon, peak_lat, row, col, 0.9, 0.8, len(cells),
                geodesic_area_ha(polygon), Impact.HIGH, None, discarded)  # fmt: skip


class Runs:
    """Finished runs in a folder, taken in one after the other."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store

    def take_in(
        self,
        name: str,
        dates: tuple[date | None, date | None],
        groups: Sequence[Cells],
        *,
        seen: np.ndarray | None = None,
        identity: str = "sha-1",
        model: str = "m",
        threshold: float = 0.6,
        grid: RasterGrid = GRID,
        discarded: bool = False,
    ) -> list[str]:
        """The ids of the sites, one for each group of cells."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "request.json").write_text(json.dumps({"model_identity": identity}), "utf-8")
        write_scores(folder, grid, np.ones(grid.cells, bool) if seen is None else seen)
        sites = [site(f"{name}-{number:04d}", cells, grid, discarded) for number, cells in enumerate(groups, 1)]
        summary = dataclasses.replace(made_up_summary(len(sites), name, dates), model=model, threshold=threshold)
        self.store.take_in(summary, folder, sites, made_up_matches(len(sites)))
        return [found.site_id for found in sites]

    def changes(self) -> dict[str, str | None]:
        """The change of every site by its id."""
        found = self.store.candidates(EVERYTHING)
        return {each.candidate_id: each.change and str(each.change.kind) for each in found}

    def against(self, candidate_id: str) -> str | None:
        change = self.store.candidate(candidate_id).change
        return change and change.run_id


def write_scores(folder: Path, grid: RasterGrid, seen: np.ndarray) -> None:
    rows, cols = grid.cells
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "float32", "nodata": np.nan}
    with rasterio.open(folder / "scores.tif", "w", crs=grid.crs, transform=grid.cell_transform, **profile) as raster:
        raster.write(np.where(seen, 0.1, np.nan).astype(np.float32), 1)


@pytest.fixture
def runs(tmp_path: Path):
    with Store.in_memory() as store:
        yield Runs(tmp_path, store)


def block(row: int, col: int, height: int, width: int) -> list[tuple[int, int]]:
    return [(row + i, col + j) for i in range(height) for j in range(width)]


SMALL, LARGE, SAME, LONELY = block(1, 1, 1, 1), block(1, 1, 2, 2), block(5, 5, 2, 1), block(9, 9, 1, 2)


@pytest.mark.parametrize("later_first", [False, True])
def test_two_dates_say_new_grown_unchanged_and_gone_whichever_comes_in_first(runs: Runs, later_first: bool) -> None:
    asked = [("a", Y2018, [SMALL, SAME, block(9, 1, 1, 1)]), ("b", Y2024, [LARGE, SAME, LONELY])]
    for each in reversed(asked) if later_first else asked:
        runs.take_in(*each)
    assert runs.changes() == {
        "a-0001": "grown", "a-0002": "unchanged", "a-0003": "gone",
        "b-0001": "grown", "b-0002": "unchanged", "b-0003": "new",
    }  # fmt: skip


def test_a_change_names_the_other_scan_its_dates_and_both_areas(runs: Runs) -> None:
    runs.take_in("a", Y2018, [SMALL])
    runs.take_in("b", Y2024, [LARGE])
    early, late = (runs.store.candidate(f"{name}-0001") for name in "ab")
    assert early.change is not None
    assert late.change is not None
    assert (late.change.run_id, late.change.start, late.change.end) == ("a", *Y2018)
    assert (early.change.run_id, early.change.start, early.change.end) == ("b", *Y2024)
    areas = (early.site.area_cells_ha, late.site.area_cells_ha)
    assert (late.change.earlier_ha, late.change.later_ha) == pytest.approx(areas)
    assert (early.change.earlier_ha, early.change.later_ha) == pytest.approx(areas)


def test_an_area_that_was_not_found_is_empty(runs: Runs) -> None:
    runs.take_in("a", Y2018, [SAME])
    runs.take_in("b", Y2024, [LONELY])
    gone, new = (runs.store.candidate(f"{name}-0001").change for name in "ab")
    assert gone is not None
    assert new is not None
    assert (gone.later_ha, new.earlier_ha) == (None, None)
    assert gone.earlier_ha
    assert new.later_ha


@pytest.mark.parametrize(
    "other",
    [
        {"identity": "sha-2"}, {"model": "n"}, {"identity": ""}, {"threshold": 0.7}, {"dates": Y2018},
        {"dates": (date(2018, 12, 31), date(2020, 1, 1))}, {"dates": (None, None)},
    ],
)  # fmt: skip
def test_another_model_cut_off_or_the_same_days_are_never_compared(runs: Runs, other: dict) -> None:
    runs.take_in("a", Y2018, [SMALL, SAME])
    chosen = {"dates": Y2024, **other}
    runs.take_in("b", chosen.pop("dates"), [LARGE, LONELY], **chosen)
    assert set(runs.changes().values()) == {None}


def test_models_without_a_known_identity_are_never_compared(runs: Runs) -> None:
    runs.take_in("a", Y2018, [SAME], identity="")
    runs.take_in("b", Y2024, [SAME], identity="")
    assert set(runs.changes().values()) == {None}


def test_a_place_that_the_other_scan_did_not_see_is_neither_new_nor_gone(runs: Runs) -> None:
    clouded = np.ones(SHAPE, bool)
    clouded[9, 9] = False
    runs.take_in("a", Y2018, [SMALL, SAME, block(11, 2, 1, 1)], seen=clouded)
    runs.take_in("b", Y2024, [LONELY, block(3, 7, 1, 1)], seen=np.arange(SHAPE[1]) > np.full((SHAPE[0], 1), 3))
    assert runs.changes() == {"a-0001": None, "a-0002": "gone", "a-0003": None, "b-0001": None, "b-0002": "new"}


def test_most_of_a_place_must_have_been_seen_not_its_peak_alone(runs: Runs) -> None:
    seen = np.zeros(SHAPE, bool)
    seen[2, 2] = seen[2, 3] = True
    runs.take_in("a", Y2018, [], seen=seen)
    runs.take_in("b", Y2024, [block(2, 2, 2, 3), block(2, 2, 1, 2)][:1])
    assert runs.changes() == {"b-0001": None}
    seen[3, 2] = True
    assert write_scores(runs.folder / "a", GRID, seen) is None
    runs.take_in("b", Y2024, [block(2, 2, 2, 3), block(8, 2, 1, 2)])
    assert runs.changes() == {"b-0001": "new", "b-0002": None}


def test_a_later_scan_without_any_site_makes_places_gone(runs: Runs) -> None:
    runs.take_in("a", Y2018, [SAME])
    runs.take_in("b", Y2024, [])
    assert runs.changes() == {"a-0001": "gone"}


def test_without_its_scores_a_scan_has_seen_nothing_but_its_sites_count(runs: Runs) -> None:
    runs.take_in("a", Y2018, [SAME, SMALL])
    (runs.folder / "a" / "scores.tif").unlink()
    runs.take_in("b", Y2024, [SAME, LONELY])
    assert runs.changes() == {"a-0001": "unchanged", "a-0002": "gone", "b-0001": "unchanged", "b-0002": None}


def test_a_hidden_site_counts_as_found(runs: Runs) -> None:
    runs.take_in("a", Y2018, [SAME], discarded=True)
    runs.take_in("b", Y2024, [SAME])
    assert runs.changes() == {"a-0001": "unchanged", "b-0001": "unchanged"}
    assert runs.store.by_change() == {Change.UNCHANGED: 1}


def test_parts_of_a_site_that_fell_apart_are_one_place(runs: Runs) -> None:
    runs.take_in("a", Y2018, [block(2, 2, 1, 7)])
    runs.take_in("b", Y2024, [block(2, 2, 1, 3), block(2, 6, 1, 3)])
    assert set(runs.changes().values()) == {"unchanged"}
    change = runs.store.candidate("b-0002").change
    assert change is not None
    assert change.later_ha == pytest.approx(sum(c.site.area_cells_ha for c in in_run(runs.store, "b")))


def in_run(store: Store, run_id: str) -> list[Candidate]:
    return store.candidates(CandidateFilter(run_id=run_id, include_discarded=True))


@pytest.mark.parametrize("order", ["abcd", "dcba", "cadb"])
def test_of_more_dates_the_nearest_earlier_one_counts_and_for_the_first_the_next(runs: Runs, order: str) -> None:
    dates = {"a": Y2018, "b": Y2020, "c": Y2022, "d": Y2024}
    for name in order:
        runs.take_in(name, dates[name], [SAME])
    assert [runs.against(f"{name}-0001") for name in "abcd"] == ["b", "a", "b", "c"]


def test_where_the_nearest_date_saw_nothing_the_next_one_counts(runs: Runs) -> None:
    runs.take_in("a", Y2018, [LONELY])
    runs.take_in("b", Y2020, [], seen=np.zeros(SHAPE, bool))
    runs.take_in("c", Y2022, [SAME])
    assert (runs.against("a-0001"), runs.against("c-0001")) == ("c", "a")
    assert runs.changes() == {"a-0001": "gone", "c-0001": "new"}


def test_a_run_that_is_replaced_by_one_of_another_date_is_compared_no_more(runs: Runs) -> None:
    runs.take_in("a", Y2018, [SAME])
    runs.take_in("b", Y2024, [SAME])
    runs.take_in("b", Y2018, [SAME, LONELY])
    assert set(runs.changes().values()) == {None}


def test_a_resumed_run_that_found_no_more_but_saw_more_renews_the_other(runs: Runs) -> None:
    runs.take_in("a", Y2018, [SAME])
    runs.take_in("b", Y2024, [LONELY], seen=np.zeros(SHAPE, bool))
    assert runs.changes()["a-0001"] is None
    write_scores(runs.folder / "b", GRID, np.ones(SHAPE, bool))
    summary = runs.store.run("b").summary
    seen = dataclasses.replace(summary.coverage, seen_km2=1.0)
    runs.store.take_in(
        dataclasses.replace(summary, coverage=seen), runs.folder / "b", runs.store.all_sites("b"), made_up_matches(1)
    )
    assert runs.changes()["a-0001"] == "gone"


def test_a_verdict_leaves_the_change_and_so_does_folding_the_log_again(runs: Runs) -> None:
    runs.take_in("a", Y2018, [SAME])
    runs.take_in("b", Y2024, [SAME])
    before = runs.changes()
    runs.store.rebuild_states()
    assert runs.changes() == before


def test_candidates_can_be_filtered_by_their_change(runs: Runs, tmp_path: Path) -> None:
    runs.take_in("a", Y2018, [SMALL, SAME])
    runs.take_in("b", Y2024, [LARGE, LONELY])
    ids = runs.store.candidate_ids(CandidateFilter(changes=(Change.NEW, Change.GONE)))
    assert sorted(ids) == ["a-0002", "b-0002"]
    [record] = candidates_verb(runs.store, Settings(home=tmp_path), run_id="b", changes=["grown"])
    assert (record["candidate_id"], record["change"], record["change_other_run_id"]) == ("b-0001", "grown", "a")
    assert (record["change_other_start"], record["change_other_end"]) == ("2018-01-01", "2018-12-31")
    assert record["change_earlier_ha"] < record["change_later_ha"]


def test_a_scan_on_another_zones_grid_saw_the_same_places() -> None:
    lon, lat = GRID.lonlat(np.array([250.0]), np.array([250.0]))[0]
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32724", always_xy=True).transform(lon, lat)
    turned = RasterGrid(620, 620, Affine(10, 0, x - 3_103, 0, -10, y + 3_097), "EPSG:32724")
    sites = [site(f"x-{row}{col}", block(row, col, 2, 2)) for row in range(0, 10, 3) for col in range(0, 10, 3)]
    polygons = np.array([each.polygon for each in sites], object)
    peaks = np.array([(each.peak_lon, each.peak_lat) for each in sites])
    with TemporaryDirectory() as folder:
        write_scores(Path(folder), GRID, np.ones(SHAPE, bool))
        own = read_seen_cells(Path(folder) / "scores.tif")
        write_scores(Path(folder), turned, np.ones(turned.cells, bool))
        other = read_seen_cells(Path(folder) / "scores.tif")
    assert own is not None
    assert other is not None
    assert own.saw(polygons, peaks).all()
    inside = np.array([turned.cells_footprint.contains(each.polygon) for each in sites])
    assert inside.any()
    assert other.saw(polygons, peaks)[inside].all()


def groups_of(mask: np.ndarray) -> list[Cells]:
    labels, count = ndimage.label(mask)
    return [[tuple(cell) for cell in np.argwhere(labels == number).tolist()] for number in range(1, count + 1)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["sha-1", "sha-2"]))
def test_whatever_two_scans_found_and_saw_both_agree_and_nothing_is_said_of_what_was_not_seen(
    seed: int, identity: str
) -> None:
    rng = np.random.default_rng(seed)
    found = {name: rng.random(SHAPE) < 0.2 for name in "ab"}
    seen = {name: (rng.random(SHAPE) < 0.6) | found[name] for name in "ab"}
    told: list[dict[str, str | None]] = []
    for order in ("ab", "ba"):
        with TemporaryDirectory() as folder, Store.in_memory() as store:
            runs = Runs(Path(folder), store)
            for name in order:
                runs.take_in(name, {"a": Y2018, "b": Y2024}[name], groups_of(found[name]), seen=seen[name],
                             identity="sha-1" if name == "a" else identity)  # fmt: skip
            told.append(runs.changes())
            every = {each.candidate_id: each for each in store.candidates(EVERYTHING)}
    assert told[0] == told[1]
    if identity != "sha-1":
        assert set(told[0].values()) <= {None}
        return
    for each in every.values():
        check(each, every, seen)


def check(each: Candidate, every: dict[str, Candidate], seen: dict[str, np.ndarray]) -> None:
    others = [
        other for other in every.values()
        if other.run_id != each.run_id and other.site.polygon.intersection(each.site.polygon).area
        >= 0.5 * each.site.polygon.area / each.site.cells
    ]  # fmt: skip
    row, col = ((at - CENTRE_PX) // STRIDE_PX for at in (each.site.peak_row_px, each.site.peak_col_px))
    own = "a" if each.run_id == "a" else "b"
    if others:
        assert each.change is not None
        assert {other.change and other.change.kind for other in others} == {each.change.kind}
        assert each.change.kind in (Change.GROWN, Change.UNCHANGED)
        assert {(o.change.earlier_ha, o.change.later_ha) for o in others if o.change} == {
            (each.change.earlier_ha, each.change.later_ha)
        }
    elif each.change is not None:
        assert each.change.kind is (Change.GONE if own == "a" else Change.NEW)
        assert seen["b" if own == "a" else "a"][row, col]


def test_twenty_thousand_sites_are_compared_with_twenty_thousand_in_seconds(tmp_path: Path) -> None:
    grid = RasterGrid(50_000, 50_000, Affine(10, 0, 280_000, 0, -10, 8_120_000), "EPSG:32723")
    with Store.in_memory() as store:
        spent = []
        for number, (name, dates) in enumerate((("a", Y2018), ("b", Y2024))):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "request.json").write_text('{"model_identity": "sha-1"}', "utf-8")
            write_scores(folder, grid, np.ones(grid.cells, bool))
            sites = made_up_sites(20_000, number, name)
            before = time.process_time()
            store.take_in(made_up_summary(20_000, name, dates), folder, sites, made_up_matches(20_000))
            spent.append(time.process_time() - before)
        assert store.by_change()
    assert spent[1] - spent[0] < 5
