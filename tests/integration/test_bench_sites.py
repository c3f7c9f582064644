"""`bench sites` and `bench store` on small homes: all their figures are there; how fast they are, is no test."""

from __future__ import annotations

import math

from minedisc_core.bench.sites import bench_sites
from minedisc_core.bench.store import bench_store


def test_a_small_bench_of_sites_agrees_with_the_plain_way() -> None:
    found = bench_sites(20_000, 1)
    figures = {figure["name"]: figure for figure in found["figures"]}
    assert figures["meetings with titles and lands that the plain way counts otherwise"]["holds"]
    assert {figure["goal"] for figure in figures.values()} == {"< 10", ">= 1", "== 0", ""}
    assert all(math.isfinite(figure["value"]) and figure["value"] >= 0 for figure in figures.values())
    assert (found["titles"], found["lands"]) == (5_000, 20)
    assert found["sites"] > 1_000


def test_a_small_bench_of_the_store_times_every_order_and_the_opening_of_a_queue() -> None:
    found = bench_store(1_000, repeats=2)
    names = [figure["name"] for figure in found["figures"]]
    for order in ("score", "uncertainty", "oldest", "place", "priority", "disagreement"):
        assert f"first 50 undecided by {order}, p95" in names
        assert f"queue and first window by {order}, p95" in names
    assert all(figure["value"] > 0 for figure in found["figures"])
    assert {figure["goal"] for figure in found["figures"]} == {"< 60", "< 150", "< 30", ""}
