"""The simulated schedule of a scan on many cores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.jobs.schedule import Site, Work, simulate

FAST = 1e12


def work(seconds: list[float], megabytes: list[float] | None = None, mosaic: list[int] | None = None) -> Work:
    count = len(seconds)
    return Work(
        np.array(seconds, float),
        np.array(megabytes or [0.0] * count),
        np.array(mosaic if mosaic is not None else [0] * count, np.int64),
    )


def test_one_core_that_reads_at_once_takes_the_sum_of_its_tiles() -> None:
    found = simulate(work([1.0, 2.0, 3.0]), Site(1, FAST, FAST, start_s=5.0))
    assert found.wall_s == pytest.approx(11.0)
    assert found.waiting_s == pytest.approx(0.0)


def test_no_tiles_take_no_time() -> None:
    assert simulate(work([]), Site(8, 1.0, 1.0)).wall_s == 0


def test_the_next_tile_is_read_while_the_one_before_is_scored() -> None:
    found = simulate(work([10.0, 10.0], [40.0, 40.0]), Site(1, 10.0, 10.0))
    assert found.wall_s == pytest.approx(4 + 10 + 10)
    assert found.waiting_s == pytest.approx(4.0)


def test_readers_share_the_storage_evenly() -> None:
    found = simulate(work([1.0] * 4, [10.0] * 4), Site(4, 10.0, 10.0))
    assert found.wall_s == pytest.approx(4 + 1)


def test_a_core_reads_no_faster_than_its_line() -> None:
    assert simulate(work([1.0], [10.0]), Site(1, 2.0, FAST)).wall_s == pytest.approx(6.0)


def test_the_driver_hands_out_one_tile_after_the_other_and_finishes_each_mosaic() -> None:
    found = simulate(work([1.0] * 3, mosaic=[0, 0, 1]), Site(3, FAST, FAST, hand_out_s=0.5, finish_s=2.0))
    assert found.driver_s == pytest.approx(3 * 0.5 + 2 * 2.0)
    assert found.wall_s == pytest.approx(1.0 + 1.0 + 2.0 + 2.0)  # the second tile came after 1 s and took 1 s


TILES = st.lists(st.tuples(st.floats(0.01, 50), st.floats(0, 500), st.integers(0, 2)), min_size=1, max_size=40)


@given(TILES, st.integers(1, 60), st.floats(0.5, 100), st.floats(0.5, 1_000))
def test_no_schedule_beats_its_cores_its_lines_its_storage_or_its_driver(
    tiles: list[tuple[float, float, int]], cores: int, line: float, shared: float
) -> None:
    seconds, megabytes, mosaic = (list(column) for column in zip(*tiles, strict=True))
    numbers = np.unique(mosaic, return_inverse=True)[1].tolist()
    given_work = work(seconds, megabytes, numbers)
    found = simulate(given_work, Site(cores, line, shared, start_s=1.0, hand_out_s=0.01, finish_s=0.5))
    longest = max(s + m / min(line, shared) for s, m in zip(seconds, megabytes, strict=True))
    least = max(sum(seconds) / cores, sum(megabytes) / min(shared, line * cores), longest)
    serial = sum(seconds) + sum(megabytes) / min(line, shared) + found.driver_s
    assert 1.0 + least <= found.wall_s * (1 + 1e-9)
    assert found.wall_s <= 1.0 + serial + 1e-6
    assert found.driver_s == pytest.approx(len(tiles) * 0.01 + len(set(numbers)) * 0.5)
    used = min(cores, len(tiles))
    assert 0 <= found.waiting_s <= used * found.wall_s + 1e-6


def test_fifty_thousand_tiles_on_a_thousand_cores_are_limited_by_the_storage() -> None:
    count = 50_000
    found = simulate(Work(np.full(count, 30.0), np.full(count, 20.0), np.arange(count) // 64), Site(1_000, 20.0, 250.0))
    assert found.wall_s == pytest.approx(count * 20.0 / 250.0, rel=0.02)
