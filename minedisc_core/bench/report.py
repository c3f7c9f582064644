"""What every benchmark prints: figures with their goal and baseline, and the machine they were taken on."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: str
    goal: str
    """`>= 0.95`, `< 60`, ...; empty for a figure that has no goal."""
    holds: bool | None
    """Computed from the measurement; None where there is no goal."""
    baseline: str
    """What it was compared with in the same run; empty for an absolute figure."""


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "==": lambda a, b: a == b,
}


def figure(name: str, value: float, unit: str, goal: str = "", baseline: str = "") -> Figure:
    """A figure whose `holds` follows from `value` and `goal` (an operator, a blank, a number)."""
    holds = None
    if goal:
        operator, bound = goal.split()
        holds = _COMPARE[operator](value, float(bound))
    return Figure(name, round(float(value), 6), unit, goal, holds, baseline)


def report(bench: str, figures: Sequence[Figure], **facts: object) -> dict[str, Any]:
    """The object that `minedisc bench NAME --json` prints."""
    return {"bench": bench, "machine": machine(), "figures": [asdict(f) for f in figures], **facts}


def machine() -> dict[str, Any]:
    """Processor, cores, memory, load and versions of this machine."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
