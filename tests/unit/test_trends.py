"""No figure mixes the scores of two models."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import Reason, Status
from minedisc_core.review import new_verdict
from minedisc_core.store import Store
from minedisc_core.store.progress import agreement_of

RUNS = {"20260101-000000-aaaa": "old", "20260102-000000-bbbb": "new"}


def store_with(tmp_path: Path, models: dict[str, str]) -> Store:
    """Each run has a confirmed candidate above a rejected one; the old model's scores are all below the new one's."""
    store = Store.in_memory()
    for number, (run_id, model) in enumerate(models.items()):
        sites = [
            dataclasses.replace(site, score=0.4 * number + score)
            for site, score in zip(made_up_sites(2, run_id=run_id), (0.3, 0.5), strict=True)
        ]
        folder = tmp_path / f"{run_id}-{model}"
        folder.mkdir()
        summary = dataclasses.replace(made_up_summary(2, run_id), model=model)
        store.take_in(summary, folder, sites, made_up_matches(2))
        store.record([new_verdict(sites[0].site_id, Status.REJECTED, "ana", reason=Reason.BURN)])
        store.record([new_verdict(sites[1].site_id, Status.CONFIRMED, "ana")])
    return store


def test_the_agreement_compares_pairs_of_one_model_only(tmp_path: Path) -> None:
    with store_with(tmp_path, RUNS) as store:
        found = store.progress()
        assert found.agreement == 1.0
        assert found.models == ("new", "old")
    with store_with(tmp_path, dict.fromkeys(RUNS, "same")) as store:
        found = store.progress()
        assert found.agreement == pytest.approx(3 / 4)
        assert found.models == ("same",)


def test_the_agreement_of_parts_weighs_each_by_its_pairs() -> None:
    good, bad = (np.array([0.9, 0.8]), np.array([0.1])), (np.array([0.1]), np.array([0.9]))
    assert agreement_of([good, bad]) == pytest.approx(2 / 3)
    assert agreement_of([(np.array([0.5]), np.array([]))]) is None
    assert agreement_of([]) is None
