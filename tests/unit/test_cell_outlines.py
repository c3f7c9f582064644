"""Outlines of groups of cells, traced along the grid, beside the union of a library."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from minedisc_core.detection.cell_outlines import outlines
from minedisc_core.grid import CellGeometry, RasterGrid

GRID = RasterGrid(27 * 30, 27 * 30, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723")
PATCHES = RasterGrid(24 * 30, 24 * 30, Affine(10, 0, 600_000, 0, -10, 7_800_000), "EPSG:32723").for_cells(
    CellGeometry.of_patches(48, 24)
)


def grouped(mask: NDArray[np.bool_], seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells of a mask group by group, in any order within a group, and where each group begins."""
    label = ndimage.label(mask, structure=np.ones((3, 3)))[0][mask]
    order = np.lexsort((np.random.default_rng(seed).random(len(label)), label))
    return np.argwhere(mask)[order], np.flatnonzero(np.diff(label[order], prepend=0))


def same_as_a_union(grid: RasterGrid, mask: NDArray[np.bool_], seed: int = 0) -> list[shapely.Geometry]:
    cells, starts = grouped(mask, seed)
    found = outlines(grid, cells, starts)
    parts = np.split(cells, starts[1:]) if len(cells) else []
    unions = [grid.site_polygon(part) for part in parts]
    assert len(found) == len(unions)
    for made, union in zip(found, unions, strict=True):
        assert made.is_valid
        assert made.geom_type == union.geom_type
        assert made.normalize().equals_exact(union.normalize(), 0)
    return list(found)


masks = st.tuples(st.integers(1, 22), st.integers(1, 22), st.floats(0.05, 0.98), st.integers(0, 10_000))


@given(masks)
def test_outlines_are_those_of_a_union_vertex_by_vertex(drawn: tuple[int, int, float, int]) -> None:
    rows, cols, share, seed = drawn
    same_as_a_union(GRID, np.random.default_rng(seed).random((rows, cols)) < share, seed)


@given(masks)
def test_cells_of_patch_models_have_outlines_of_their_own_size(drawn: tuple[int, int, float, int]) -> None:
    rows, cols, share, seed = drawn
    same_as_a_union(PATCHES, np.random.default_rng(seed).random((rows, cols)) < share, seed)


@pytest.mark.parametrize(
    ("picture", "kind", "holes"),
    [
        ("#", "Polygon", 0),
        ("#./.#", "MultiPolygon", 0),  # a corner in common
        ("###/#.#/###", "Polygon", 1),
        (".##/#.#/###", "Polygon", 1),  # the hole touches the outside at a corner
        ("####/#.##/##.#/####", "Polygon", 2),  # two holes touch at a corner
        ("#####/#...#/#.#.#/#...#/#####", "Polygon", 1),  # the cell in the middle is a group of its own
        ("####/#..#/#.#./##.#", "MultiPolygon", 0),  # what is enclosed lies between two parts
    ],
)
def test_holes_and_corners_that_touch(picture: str, kind: str, holes: int) -> None:
    mask = np.array([[letter == "#" for letter in row] for row in picture.split("/")])
    first = same_as_a_union(GRID, mask)[0]
    assert first.geom_type == kind
    assert sum(len(part.interiors) for part in shapely.get_parts(first)) == holes


def test_a_long_winding_group_is_one_ring() -> None:
    mask = np.zeros((24, 24), bool)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    assert len(same_as_a_union(GRID, mask)) == 1


def test_no_cells_have_no_outlines() -> None:
    assert len(outlines(GRID, np.empty((0, 2), np.int64), np.empty(0, np.int64))) == 0


def test_shells_run_against_the_clock_as_in_geojson() -> None:
    assert all(part.exterior.is_ccw for part in same_as_a_union(GRID, np.ones((3, 4), bool)))
