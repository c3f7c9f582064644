"""`minedisc bench mosaic` in small: every way gives the same composite, and the README's figures are there."""

from __future__ import annotations

from typing import Any

import pytest

from minedisc_core.bench.mosaic import bench_mosaic
from minedisc_core.bench.mosaic_ways import WAYS

LOOKS_IN_PROOF, BLOCKS_IN_PROOF = 4, (1, 2)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return bench_mosaic(384, repeats=1, scenes=5, tile_px=256, proof_looks=LOOKS_IN_PROOF, proof_blocks=BLOCKS_IN_PROOF)


def value(found: dict[str, Any], name: str) -> float:
    (figure,) = [figure for figure in found["figures"] if figure["name"] == name]
    return float(figure["value"])


@pytest.mark.parametrize("way", WAYS)
def test_where_three_looks_are_clear_every_way_is_within_1_dn_of_the_generated_ground(
    found: dict[str, Any], way: str
) -> None:
    assert value(found, f"{way}, largest error where 3 looks are clear") <= 1


def test_our_values_are_those_of_odc_stac(found: dict[str, Any]) -> None:
    assert value(found, "values that differ between StacSource and odc-stac") == 0


@pytest.mark.parametrize("way", WAYS)
def test_each_way_tells_its_seconds_cpu_memory_and_bytes(found: dict[str, Any], way: str) -> None:
    for cost in ("seconds", "CPU seconds", "peak memory", "bytes read / wanted tiles"):
        assert value(found, f"{way}, {cost}") > 0
    assert len(found["runs"][way]) == 1


def test_no_way_reads_less_than_the_tiles_that_meet_the_area(found: dict[str, Any]) -> None:
    for way in WAYS:
        assert value(found, f"{way}, bytes read / wanted tiles") >= 0.99


def test_the_proof_of_memory_tells_a_peak_for_each_number_of_blocks(found: dict[str, Any]) -> None:
    names = [figure["name"] for figure in found["figures"] if " blocks" in figure["name"]]
    assert len(names) == len(BLOCKS_IN_PROOF) + 1
