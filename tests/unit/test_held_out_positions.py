"""What a home holds out takes part in no training of that home, from the command line either."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minedisc_core.cli import training
from minedisc_core.errors import RunError
from minedisc_core.jobs.train_request import TrainRequest, enter_training, prepare, read_train_request
from minedisc_core.learning.datasets import Dataset, SampleEntry, write_dataset
from minedisc_core.learning.study import examples_of
from minedisc_core.settings import Settings
from minedisc_core.store import Spot, Store
from tests.training_sets import small_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return small_dataset(tmp_path / "set", count=30)


def positions(dataset: Dataset, *numbers: int) -> tuple[tuple[float, float], ...]:
    return tuple((dataset.samples[n].lon, dataset.samples[n].lat) for n in numbers)


def test_samples_at_a_held_out_place_take_no_part(dataset: Dataset) -> None:
    whole = examples_of(dataset, "impact")
    near = [(lon + 0.03, lat) for lon, lat in positions(dataset, 4)]  # 3 km away: the same place
    found = examples_of(dataset, "impact", [*near, (20.0, 50.0)])
    assert set(whole.names) - set(found.names) == {"s004"}
    assert found.held_out == 1


def test_a_held_out_place_is_a_chain_of_samples(tmp_path: Path) -> None:
    east = [*np.arange(6) * 0.04, *(5 + np.arange(6) * 0.2)]  # six 4 km apart, then six that are alone
    samples = [
        (
            SampleEntry(f"s{k:02}", ("high", "low", "no_ore")[k % 3], -60 + shift, -10),
            np.full((21, 21, 3), 900, np.uint16),
        )
        for k, shift in enumerate(east)
    ]
    made = write_dataset(tmp_path / "chain", samples, bands=("B2", "B3", "B4"), level=None, window_px=21)
    found = examples_of(made, "impact", positions(made, 0))
    assert found.names == tuple(f"s{k:02}" for k in range(6, 12))


def test_generated_samples_lie_at_no_place(tmp_path: Path) -> None:
    plain = small_dataset(tmp_path / "set", count=30)
    entries = [dataclasses.replace(entry, place=f"generated {entry.sample_id}") for entry in plain.samples]
    generated = dataclasses.replace(plain, samples=tuple(entries))
    assert examples_of(generated, "impact", positions(plain, 1, 2)).held_out == 0


def test_a_request_keeps_what_was_held_out_and_reads_those_from_before(dataset: Dataset, tmp_path: Path) -> None:
    request = TrainRequest("impact", str(dataset.folder), held_out=positions(dataset, 3), folds=2)
    assert TrainRequest.from_json(request.to_json()) == request
    older = {name: value for name, value in request.to_json().items() if name != "held_out"}
    assert TrainRequest.from_json(older).held_out == ()
    with pytest.raises(RunError, match="cannot be read"):
        TrainRequest.from_json({**request.to_json(), "held_out": ["north"]})


def test_a_resumed_training_keeps_the_places_it_began_with(
    dataset: Dataset, settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    request = TrainRequest("impact", str(dataset.folder), held_out=positions(dataset, 3), folds=2)
    enter_training(prepare(request, settings), out, resume=False)
    assert training.held_out_by(settings, out, resume=True) == request.held_out
    assert read_train_request(out) == request
    other = dataclasses.replace(request, held_out=positions(dataset, 5))
    with pytest.raises(RunError, match="another held out"):
        enter_training(prepare(other, settings), out, resume=True)


def test_the_command_line_asks_the_home(dataset: Dataset, settings: Settings, tmp_path: Path, monkeypatch: Any) -> None:
    assert training.held_out_by(settings, tmp_path / "out", resume=False) == ()
    with Store.open(settings.database):
        pass
    spots = [Spot("a", -60.0, -10.0, "x", True)]
    monkeypatch.setattr(Store, "spots", lambda _self, *, is_held_out: spots if is_held_out else [])
    assert training.held_out_by(settings, tmp_path / "out", resume=False) == ((-60.0, -10.0),)
