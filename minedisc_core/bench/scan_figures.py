"""The figures of `bench scan`, with their goals, and how near the processor's own limit the scan comes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from math import prod

from minedisc_core.bench.report import Figure, figure
from minedisc_core.bench.rivals import DETECTOR, DETECTOR_PX, IMPACT_CALLS, SLICE_PX, WINDOWS
from minedisc_core.bench.scan_ways import PART_PX, Taken
from minedisc_core.detection.networks import HEAD_LAYERS, TRUNK_LAYERS, tensor_shapes

_SCAN, _READING = "file to candidates", "reading alone"
_CENTRED, _DN, _TRUNK = "scoring, centred float32 in memory", "scoring, DN in memory", "trunk alone, DN in memory"
_WHOLE, _SLICES = "bare network, whole part", "bare network, slices"

Times = Mapping[str, Sequence[Taken]]


def figures_of(times: Times, rates: Mapping[str, float], has_bf16: bool) -> list[Figure]:
    """All figures of the interleaved ways; `rates` are the processor's matrix rates in FLOP/s."""
    rate = partial(_rate, times)
    best = max(rate(_WHOLE), rate(_SLICES))
    return [
        figure("file to candidates", rate(_SCAN), "Mpx/s (x100 = km2/s)", "", _cpu(times, _SCAN)),
        *_scoring(times, has_bf16),
        figure(
            "file to candidates / trunk alone, time for as many pixels", rate(_TRUNK) / rate(_SCAN), "ratio", "<= 2.2",
            f"the same tiles from DN in memory, same engine and cores: {rate(_TRUNK):.2f} Mpx/s; {_cpu(times, _TRUNK)}",
        ),
        figure(
            "file to candidates / bare network", rate(_SCAN) / rate(_WHOLE), "ratio", ">= 0.6",
            f"tf.function, float32 in memory: whole part {rate(_WHOLE):.2f} Mpx/s, slices of {SLICE_PX} px {best:.2f}",
        ),
        *_beside(times),
        *_roofline(times, rates),
    ]  # fmt: skip


def _rate(times: Times, name: str) -> float:
    return statistics.median(one.mpx / one.seconds for one in times[name])


def _cpu(times: Times, name: str) -> str:
    return f"{statistics.median(one.mpx / one.cpu_s for one in times[name]):.2f} Mpx a processor second"


def _scoring(times: Times, has_bf16: bool) -> list[Figure]:
    rate = partial(_rate, times)
    told = f"tf.function on float32 in memory, {PART_PX} px at most: {rate(_WHOLE):.2f} Mpx/s; {_cpu(times, _WHOLE)}"
    goal = ">= 3.0" if has_bf16 else ">= 1.25"
    return [
        figure(
            "scoring / tf.function, both from float32 in memory", rate(_CENTRED) / rate(_WHOLE), "ratio", goal, told
        ),
        figure("scoring from DN / tf.function from float32", rate(_DN) / rate(_WHOLE), "ratio", "", told),
        figure("scoring from float32 in memory", rate(_CENTRED), "Mpx/s", "", _cpu(times, _CENTRED)),
        figure("scoring from DN in memory", rate(_DN), "Mpx/s", "", _cpu(times, _DN)),
    ]


def _beside(times: Times) -> list[Figure]:
    ours = _rate(times, _SCAN)
    rivals = {
        "single windows": ("rate / one call per 201 px window", ">= 80", f"tf.function, {WINDOWS} windows in memory"),
        "the paper's way": (
            "rate / the paper's way, file to classes", ">= 3",
            f"rasterio read, float32, z-score, model.predict on one of its slices (at most {PART_PX} px), "
            f"coordinates and an impact call for each hit ({IMPACT_CALLS} timed, the others reckoned)",
        ),
        DETECTOR: (
            "rate / Amazon Mining Watch's detector", ">= 15",
            f"another model: 48 px patches at stride 24, model.predict, on {DETECTOR_PX} px at most of the file",
        ),
    }  # fmt: skip
    found = []
    for way, (name, goal, told) in rivals.items():
        if way in times:
            theirs = f"{told}: {_rate(times, way):.3f} Mpx/s; {_cpu(times, way)}"
            found.append(figure(name, ours / _rate(times, way), "ratio", goal, theirs))
    return found


def flop_per_px(bands: int = 12) -> float:
    """Floating-point operations of the discovery net for each pixel: 12,469 at 12 bands."""
    shapes = tensor_shapes("discovery", bands)
    per_output = {name: 2.0 * prod(shapes[f"{name}/kernel"]) for name in (*TRUNK_LAYERS, *HEAD_LAYERS["context"])}
    shares = dict(zip(per_output, (1, 9, 81, 729, 729), strict=True))
    return sum(work / shares[name] for name, work in per_output.items())


def _roofline(times: Times, rates: Mapping[str, float]) -> list[Figure]:
    flop = flop_per_px()
    found = [figure("floating-point operations a pixel", flop, "FLOP")]
    for kind, rate in rates.items():
        told = (
            f"{rate / 1e9:,.0f} GFLOP/s in a product of 2,048 x 2,048 matrices, {rate / flop / 1e6:.1f} Mpx/s at most"
        )
        for name, way in (("scoring from float32 in memory", _CENTRED), ("file to candidates", _SCAN)):
            share = _rate(times, way) * 1e6 * flop / rate
            found.append(figure(f"share of the {kind} matrix rate, {name}", share, "share", "", told))
    reading, scanning = (statistics.median(one.cpu_s / one.mpx for one in times[name]) for name in (_READING, _SCAN))
    told = f"reading alone, one thread: {_rate(times, _READING):.2f} Mpx/s; {_cpu(times, _READING)}"
    return [
        *found,
        figure("share of the scan's processor time spent reading and decoding", reading / scanning, "share", "", told),
    ]
