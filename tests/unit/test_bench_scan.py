"""The figures of `bench scan`, reckoned from made-up times."""

from __future__ import annotations

import pytest

from minedisc_core.bench.rivals import DETECTOR
from minedisc_core.bench.scan_figures import figures_of, flop_per_px
from minedisc_core.bench.scan_ways import Taken

SECONDS = {
    "file to candidates": 2.0,
    "scoring, centred float32 in memory": 1.0,
    "scoring, DN in memory": 1.25,
    "trunk alone, DN in memory": 1.0,
    "reading alone": 1.0,
    "bare network, whole part": 3.5,
    "bare network, slices": 4.0,
    "single windows": 200.0,
    "the paper's way": 10.0,
}


def found(has_bf16: bool = True, **more: float) -> dict[str, object]:
    times = {name: [Taken(s, 2 * s, 20.0), Taken(s, 2 * s, 20.0)] for name, s in {**SECONDS, **more}.items()}
    rates = {"float32": 200e9, **({"bfloat16": 2_000e9} if has_bf16 else {})}
    return {figure.name: figure for figure in figures_of(times, rates, has_bf16)}


def test_the_discovery_net_needs_12469_operations_a_pixel() -> None:
    assert flop_per_px() == pytest.approx(12_469, abs=1)


def test_every_ratio_has_its_goal_and_says_whether_it_holds() -> None:
    figures = found()
    expected = {
        "scoring / tf.function, both from float32 in memory": (3.5, ">= 3.0", True),
        "file to candidates / trunk alone, time for as many pixels": (2.0, "<= 2.2", True),
        "file to candidates / bare network": (1.75, ">= 0.6", True),
        "rate / one call per 201 px window": (100, ">= 80", True),
        "rate / the paper's way, file to classes": (5, ">= 3", True),
    }
    for name, (value, goal, holds) in expected.items():
        assert (figures[name].value, figures[name].goal, figures[name].holds) == (pytest.approx(value), goal, holds)
    slow = found(**{"file to candidates": 4.5})["file to candidates / trunk alone, time for as many pixels"]
    assert slow.holds is False


def test_without_bf16_less_is_asked_of_the_scoring() -> None:
    name = "scoring / tf.function, both from float32 in memory"
    assert found(has_bf16=False)[name].goal == ">= 1.25"


def test_the_other_detector_is_named_only_where_its_file_is() -> None:
    name = "rate / Amazon Mining Watch's detector"
    assert name not in found()
    assert found(**{DETECTOR: 40.0})[name].value == pytest.approx(20)


def test_the_roofline_tells_shares_of_the_measured_rates() -> None:
    figures = found()
    share = figures["share of the bfloat16 matrix rate, scoring from float32 in memory"]
    assert share.value == pytest.approx(20e6 * flop_per_px() / 2_000e9, rel=1e-4)
    assert figures["share of the scan's processor time spent reading and decoding"].value == pytest.approx(0.5)
