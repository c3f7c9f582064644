"""Sites of a resumed run keep their numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.detection.sites import Hits, SiteGroups, group_sites
from minedisc_core.errors import RunError
from minedisc_core.grid import RasterGrid
from minedisc_core.jobs.numbering import keep_numbers, numbered, numbered_before
from minedisc_core.runs import SITES, SITES_BEFORE, write_sites

GRID = RasterGrid(2_000, 2_000, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
RUN = "20260101-000000-aaaa"
Cell = tuple[int, int]


def found(cells: list[Cell], scores: list[float] | None = None) -> SiteGroups:
    where = np.array(sorted(cells), np.int64).reshape(-1, 2)
    given = np.array(scores or [0.9] * len(where), np.float32)
    return group_sites(RUN, GRID, Hits(where, given, np.zeros(len(where), np.float32)))


def ids_by_cell(groups: SiteGroups) -> dict[Cell, str]:
    pairs = zip(groups.sites, groups.cells, strict=True)
    return {(int(row), int(col)): site.site_id for site, cells in pairs for row, col in cells}


def test_the_first_attempt_numbers_by_falling_score() -> None:
    groups = found([(0, 0), (5, 5)], [0.7, 0.8])
    assert numbered(RUN, groups, []) is groups


def test_a_new_site_with_a_higher_score_does_not_take_another_number() -> None:
    first = found([(0, 0), (5, 5)], [0.7, 0.8])
    again = numbered(RUN, found([(0, 0), (5, 5), (9, 9)], [0.7, 0.8, 0.99]), first.sites)
    assert ids_by_cell(again) == ids_by_cell(first) | {(9, 9): f"{RUN}-0003"}
    assert [site.score for site in again.sites] == sorted((site.score for site in again.sites), reverse=True)


def test_of_two_sites_that_grew_together_one_number_stays_and_the_other_is_not_used_again(tmp_path: Path) -> None:
    first = found([(0, 0), (0, 1), (0, 3)])
    write_sites(tmp_path, first.sites)
    keep_numbers(tmp_path, SITES)
    second = numbered(RUN, found([(0, 0), (0, 1), (0, 2), (0, 3)]), numbered_before(tmp_path))
    [kept] = second.sites
    assert kept.site_id == ids_by_cell(first)[0, 0]
    write_sites(tmp_path, second.sites)
    keep_numbers(tmp_path, SITES)
    third = numbered(RUN, found([(0, 0), (0, 1), (0, 2), (0, 3), (7, 7)]), numbered_before(tmp_path))
    assert ids_by_cell(third)[7, 7] == f"{RUN}-0003"


def test_an_attempt_that_left_no_sites_changes_no_number(tmp_path: Path) -> None:
    first = found([(0, 0), (5, 5)])
    write_sites(tmp_path, first.sites)
    keep_numbers(tmp_path, SITES)
    (tmp_path / SITES).unlink()
    keep_numbers(tmp_path, SITES)
    assert {site.site_id for site in numbered_before(tmp_path)} == {site.site_id for site in first.sites}
    assert numbered_before(tmp_path / "new") == []


def test_numbers_that_cannot_be_read_are_not_given_anew(tmp_path: Path) -> None:
    (tmp_path / SITES_BEFORE).write_bytes(b"not parquet")
    with pytest.raises(RunError, match="cannot be read"):
        numbered_before(tmp_path)


cells = st.sets(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40)


@given(cells, cells)
def test_no_number_is_given_twice_and_a_place_that_did_not_change_keeps_its_own(
    some: set[Cell], more: set[Cell]
) -> None:
    first = found(list(some))
    again = numbered(RUN, found(list(some | more)), first.sites)
    ids = [site.site_id for site in again.sites]
    assert len(set(ids)) == len(ids)
    before, after = ids_by_cell(first), ids_by_cell(again)
    for site, own in zip(first.sites, first.cells, strict=True):
        places = {tuple(map(int, cell)) for cell in own}
        grown = {cell for cell, name in after.items() if name == after[next(iter(places))]}
        if grown == places:
            assert after[next(iter(places))] == site.site_id
    known = set(before.values())
    assert all(name in known or int(name[-4:]) > len(known) for name in ids)


def test_everything_else_of_a_site_is_as_it_was_found() -> None:
    first, second = found([(0, 0)]), found([(0, 0), (0, 1), (8, 8)], [0.95, 0.9, 0.8])
    again = numbered(RUN, second, first.sites)
    for site, own in zip(again.sites, second.sites, strict=True):
        assert dataclasses.replace(site, site_id=own.site_id) == own
