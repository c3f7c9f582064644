"""Whether a cluster runs what this process runs: tiles of one run are scored by one code only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minedisc_core.errors import RunError
from minedisc_core.jobs.orders import Facts, facts

_TOLD = 5
"""Workers that are named in a refusal."""


def check_versions(found: Mapping[str, Any]) -> None:
    """Look whether scheduler and workers run this process's Python (major and minor version) and Dask.

    Args:
        found: what Dask's client says of the versions of `client`, `scheduler` and `workers`.

    Raises:
        RunError: they do not; those that differ are named.
    """
    wanted = _relevant(found["client"])
    others = {"scheduler": found["scheduler"], **found["workers"]}
    odd = {name: _difference(_relevant(each), wanted) for name, each in others.items()}
    odd = {name: difference for name, difference in odd.items() if difference}
    if odd:
        raise RunError(
            f"the cluster has other versions than this process: {some(odd)}",
            f"everywhere Python {wanted['python']} and distributed {wanted['distributed']}",
            "install the same requirements.txt on scheduler and workers, or start minedisc with theirs",
        )


def _relevant(told: Mapping[str, Any]) -> dict[str, str]:
    packages = told["packages"]
    python = ".".join(str(packages.get("python", "")).split(".")[:2])
    return {"python": python, **{name: str(packages.get(name)) for name in ("dask", "distributed")}}


def _difference(found: dict[str, str], wanted: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in found.items() if value != wanted[name])


def check_facts(told: Mapping[str, Facts | Exception]) -> None:
    """Look whether all workers hold this very minedisc.

    Raises:
        RunError: they do not; those that differ are named.
    """
    mine = facts()
    odd: dict[str, str] = {}
    for worker, each in told.items():
        if isinstance(each, Exception):
            odd[worker] = f"minedisc cannot be imported there ({type(each).__name__}: {str(each)[:100]})"
        elif (each.minedisc, each.code) != (mine.minedisc, mine.code):
            has = f"minedisc {each.minedisc}" + (" of other code" if each.minedisc == mine.minedisc else "")
            odd[worker] = f"on {each.host}: {has}"
    if odd:
        raise RunError(
            f"workers have another minedisc than this process: {some(odd)}",
            f"minedisc {mine.minedisc}, the same code everywhere",
            "install the same version on all workers and start them again",
        )


def some(told: Mapping[str, str]) -> str:
    """The first of what is told of workers, each with its address."""
    named = "; ".join(f"{name} ({what})" for name, what in list(told.items())[:_TOLD])
    return named + (f" and {len(told) - _TOLD} more" if len(told) > _TOLD else "")
