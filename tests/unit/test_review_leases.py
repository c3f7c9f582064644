"""Who looks at what: leases that end by themselves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from minedisc_core.review import Leases


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(clock: Clock) -> Leases:
    return Leases(minutes=3, now=clock)


def test_the_second_who_looks_is_told_who_was_first(leases: Leases) -> None:
    assert leases.look("c1", "ana", "tab-a") is None
    assert leases.look("c1", "bea", "tab-b") == "ana"
    assert leases.look("c1", "ana", "tab-a") is None
    assert leases.others("tab-b") == {"c1": "ana"}
    assert leases.others("tab-a") == {}


def test_a_lease_ends_after_its_minutes_and_a_look_renews_it(leases: Leases, clock: Clock) -> None:
    leases.look("c1", "ana", "tab-a")
    clock.seconds += 179
    assert leases.look("c1", "ana", "tab-a") is None
    clock.seconds += 179
    assert leases.look("c1", "bea", "tab-b") == "ana"
    clock.seconds += 1
    assert leases.others("tab-b") == {}
    assert leases.look("c1", "bea", "tab-b") is None
    assert leases.look("c1", "ana", "tab-a") == "bea"


def test_moving_on_gives_the_former_lease_up_also_onto_a_held_one(leases: Leases) -> None:
    leases.look("c1", "ana", "tab-a")
    leases.look("c2", "bea", "tab-b")
    assert leases.look("c2", "ana", "tab-a") == "bea"
    assert leases.look("c1", "bea", "tab-b") is None
    assert leases.others("tab-a") == {"c1": "bea"}
    assert leases.look("c2", "ana", "tab-a") is None


def test_leaving_gives_the_lease_up_and_leaving_twice_is_harmless(leases: Leases) -> None:
    leases.look("c1", "ana", "tab-a")
    leases.leave("tab-b")
    assert leases.others("tab-b") == {"c1": "ana"}
    leases.leave("tab-a")
    leases.leave("tab-a")
    assert leases.look("c1", "bea", "tab-b") is None


def test_one_person_with_two_tabs_is_two_clients(leases: Leases) -> None:
    leases.look("c1", "ana", "tab-a")
    assert leases.look("c1", "ana", "tab-b") == "ana"


def test_a_name_is_one_short_line_and_never_empty(leases: Leases) -> None:
    leases.look("c1", "\x00 ", "tab-a")
    leases.look("c2", "Zé\n" + "x" * 500, "tab-b")
    names = leases.others("tab-c")
    assert names["c1"] == "analyst"
    assert names["c2"].startswith("Zé x")
    assert len(names["c2"]) == 80


def test_of_many_who_look_at_once_one_gets_the_lease(leases: Leases) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: leases.look("c1", f"a{number}", f"tab-{number}"), range(200)))
    assert answers.count(None) == 1
    assert len({answer for answer in answers if answer}) == 1


def test_a_look_that_its_own_leave_has_overtaken_takes_no_lease() -> None:
    leases = Leases()
    leases.leave("tab", said_at=20.0)
    assert leases.look("a", "Ana", "tab", said_at=19.0) is None
    assert leases.others("other tab") == {}
    leases.look("a", "Ana", "tab", said_at=21.0)  # the page was loaded again
    assert leases.others("other tab") == {"a": "Ana"}
