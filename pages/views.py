"""A view of the review page as an address: every choice of the filter, written to the address bar and read back.

A link is input from outside: what it asks for and the page does not know is left out, and said. The base map of
another host is no part of it: opening a link must not make a browser ask a host that nobody switched on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minedisc_core.domain import Change, Impact, Reason, RegisterStatus, Status
from minedisc_core.store import FilterChoices
from pages.session import SessionKeys

ALL = "all"
"""A choice without limits, where that is not what a view begins with."""
ORDERS = ("priority", "score", "uncertainty", "disagreement", "place", "oldest")
HIDDEN = ("hide", "show", "only")
SEEN = {"": None, "yes": True, "no": False}
EVERY_SCORE = (0.0, 1.0)
GIVEN_MAX = 100
_SCORE = re.compile(r"([01](?:\.\d{1,4})?)-([01](?:\.\d{1,4})?)")
_DEGREES = r"(-?\d{1,3}(?:\.\d{1,7})?)"
BOX = re.compile(",".join([_DEGREES] * 4))


@dataclass(frozen=True, eq=False)
class Field:
    """One choice: its name in the address, its key in the session, and how to read and write it."""

    name: str
    key: str
    default: Any
    read: Callable[[list[str]], tuple[Any, bool]]
    """The value of what an address gives, and whether all of it was understood."""
    write: Callable[[Any], list[str]]
    options: tuple[Any, ...] = ()
    """Values that it can have, where they can be listed."""
    is_always_written: bool = False
    """Also where it is what a view begins with today: another day may begin otherwise."""

    def possible(self, value: Any) -> Any:
        """As much of a value as can be chosen now."""
        if isinstance(value, list):
            return [each for each in value if each in self.options]
        return value if not self.options or value in self.options else self.default


def fields(runs: Sequence[str], choices: FilterChoices) -> list[Field]:
    """All choices of a view, given the runs (newest first), lands and analysts that there are."""
    return [
        _one("run", "review_run_choice", {**{run: run for run in runs}, ALL: ""}, always=True),
        _many("status", "review_status", _codes(Status), (Status.UNDECIDED,), always=True),
        _one("order", "review_order", {order: order for order in ORDERS}, always=True),
        _many("class", "review_impact", _codes(Impact)),
        Field("score", "review_score", EVERY_SCORE, _read_score, lambda value: [f"{value[0]:g}-{value[1]:g}"]),
        _many("registers", "review_register", _codes(RegisterStatus)),
        _many("land", "review_land", _codes(choices.lands)),
        _many("reason", "review_reason", _codes(Reason)),
        _many("change", "review_change", _codes(Change)),
        _many("analyst", "review_analyst", _codes(choices.analysts)),
        _one("seen", "review_seen", {name: name for name in SEEN}),
        _one("no_ore", "review_hidden", {name: name for name in HIDDEN}),
        Field("box", SessionKeys.BOX, None, _read_box, lambda box: [",".join(f"{edge:.5f}" for edge in box)]),
    ]


def read(known: Sequence[Field], given: Mapping[str, list[str]]) -> tuple[dict[str, Any], list[str]]:
    """The values of an address by session key, and the names of what was not all understood."""
    found = {field: field.read(given[field.name][:GIVEN_MAX]) for field in known if given.get(field.name)}
    values = {field.key: found.get(field, (field.default, True))[0] for field in known}
    return values, [field.name for field, (_, is_understood) in found.items() if not is_understood]


def write(known: Sequence[Field], values: Mapping[Any, Any]) -> dict[str, list[str]]:
    """The address of a view."""
    chosen = {field: values.get(field.key, field.default) for field in known}
    return {f.name: f.write(value) for f, value in chosen.items() if f.is_always_written or value != f.default}


def changed(known: Sequence[Field], values: Mapping[Any, Any], keys: Sequence[str]) -> int:
    """How many of the choices `keys` differ from what a view begins with."""
    return sum(values.get(field.key, field.default) != field.default for field in known if field.key in keys)


def _codes(values: Iterable[Any]) -> dict[str, Any]:
    return {str(value): value for value in values}


def _one(name: str, key: str, options: Mapping[str, Any], always: bool = False) -> Field:
    """One of `options` (value by code); the first is what a view begins with."""
    default = next(iter(options.values()))
    codes = {value: code for code, value in options.items()}
    return Field(
        name, key, default, lambda given: (options.get(given[0], default), given[0] in options),
        lambda value: [codes.get(value, codes[default])], tuple(codes), always,
    )  # fmt: skip


def _many(
    name: str, key: str, options: Mapping[str, Any], default: tuple[Any, ...] = (), always: bool = False
) -> Field:
    """Any of `options` (value by code); none of them means no limit."""

    def read_many(given: list[str]) -> tuple[list[Any], bool]:
        if given == [ALL]:
            return [], True
        found = [options[code] for code in dict.fromkeys(given) if code in options]
        return found or list(default), all(code in options for code in given)

    return Field(
        name, key, list(default), read_many, lambda values: [str(value) for value in values] or [ALL],
        tuple(options.values()), always,
    )  # fmt: skip


def _read_score(given: list[str]) -> tuple[tuple[float, float], bool]:
    """`0.6-0.9`; every score where it is no range within 0..1."""
    found = _SCORE.fullmatch(given[0])
    low, high = (float(part) for part in found.groups()) if found else (1.0, 0.0)
    is_range = low <= high <= 1
    return ((low, high) if is_range else EVERY_SCORE), is_range


Box = tuple[float, float, float, float]


def _read_box(given: list[str]) -> tuple[Box | None, bool]:
    """`west,south,east,north` in degrees; None where it is no box on Earth."""
    found = BOX.fullmatch(given[0])
    box = checked_box([float(part) for part in found.groups()]) if found else None
    return box, box is not None


def checked_box(given: object) -> Box | None:
    """West, south, east, north of a box that was drawn; None where it is none."""
    if not isinstance(given, list | tuple) or len(given) != 4:
        return None
    if not all(isinstance(edge, int | float) and not isinstance(edge, bool) for edge in given):
        return None
    west, south, east, north = (float(edge) for edge in given)
    is_box = -180 <= west < east <= 180 and -90 <= south < north <= 90
    return (west, south, east, north) if is_box else None
