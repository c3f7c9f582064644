from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import shapely

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import UsageError
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS
from minedisc_core.imagery.demo import plan_scene
from minedisc_core.learning import demo_samples
from minedisc_core.learning.datasets import open_dataset, read_windows
from minedisc_core.learning.demo_samples import write_demo_dataset


@pytest.fixture(autouse=True)
def small_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_samples, "SIDE_PX", 560)
    monkeypatch.setattr(demo_samples, "_LEAST_PLACES", 2)


def test_discovery_windows_have_the_papers_shares_a_place_a_scene_and_backgrounds_without_mines(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    made = write_demo_dataset(
        tmp_path / "v1", "discovery", count=10, processes=1, on_progress=lambda *n: told.append(n)
    )
    assert Counter(entry.label for entry in made.samples) == {"mine": 5, "background": 5}
    assert {entry.reason for entry in made.samples if entry.label == "background"} <= {"look-alike", "random"}
    assert len({entry.place for entry in made.samples}) >= 2
    assert (made.window_px, made.level, made.bands) == (201, ProductLevel.L1C, L1C_BANDS)
    assert told[-1] == (10, 10)
    assert read_windows(open_dataset(made.folder)).min() > 0
    for entry in made.samples[:6]:
        plan = plan_scene(560, int(entry.place.rsplit(" ", 1)[1]), demo_samples.CROWDING)
        mines = shapely.union_all([feature.polygon for feature in plan.features if feature.is_mine])
        away_m = shapely.distance(shapely.Point(entry.lon, entry.lat), mines) * 104_000  # a degree east, 20 south
        assert away_m < 200 if entry.label == "mine" else away_m > 1_350


def test_the_same_seed_gives_the_same_patches_and_another_seed_others(tmp_path: Path) -> None:
    one, same = (write_demo_dataset(tmp_path / name, "impact", count=12, processes=1) for name in ("one", "same"))
    other = write_demo_dataset(tmp_path / "other", "impact", count=3, seed=1, processes=1, level=ProductLevel.L2A)
    assert one.hash == same.hash != other.hash
    assert Counter(entry.label for entry in one.samples) == {"high": 4, "low": 4, "no_ore": 4}
    assert (one.window_px, other.bands) == (21, L2A_BANDS)
    assert {entry.place for entry in one.samples}.isdisjoint({entry.place for entry in other.samples})
    np.testing.assert_array_equal(read_windows(one), read_windows(same))


@pytest.mark.parametrize(
    ("kind", "more"),
    [("discovery", {"window_px": 21}), ("impact", {"window_px": 201}), ("impact", {"count": 2}),
     ("discovery", {"seed": -1})],
)  # fmt: skip
def test_windows_counts_and_seeds_that_cannot_be_are_refused(tmp_path: Path, kind: str, more: dict) -> None:
    with pytest.raises(UsageError):
        write_demo_dataset(tmp_path / "v1", kind, **more)  # type: ignore[arg-type]  # also wrong ones
    assert list(tmp_path.iterdir()) == []


def test_scenes_made_by_two_processes_give_the_same_dataset(tmp_path: Path) -> None:
    one, two = (write_demo_dataset(tmp_path / str(n), "impact", count=3, processes=n) for n in (1, 2))
    assert one.hash == two.hash
