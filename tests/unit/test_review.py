from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import Impact, LandMatch, Reason, RegisterStatus, Status
from minedisc_core.errors import StoreError, UsageError
from minedisc_core.review import NOTES_LENGTH, ClassTally, LandTally, new_verdict, summary
from minedisc_core.store import Store

RUN = "20260101-000000-aaaa"


@pytest.mark.parametrize(
    "parts",
    [
        {"verdict": Status.UNDECIDED},
        {"verdict": Status.REJECTED},
        {"verdict": Status.CONFIRMED, "reason": Reason.BURN},
        {"verdict": Status.UNSURE, "impact": Impact.HIGH},
        {"verdict": Status.CONFIRMED, "impact": Impact.UNKNOWN},
        {"verdict": Status.CONFIRMED, "notes": "x" * (NOTES_LENGTH + 1)},
        {"verdict": Status.CONFIRMED, "moved": (float("nan"), 0)},
        {"verdict": Status.CONFIRMED, "moved": (0, 91)},
        {"verdict": Status.CONFIRMED, "event_id": ""},
        {"verdict": Status.CONFIRMED, "event_id": "a\x00b"},
        {"verdict": Status.CONFIRMED, "event_id": "x" * 101},
    ],
    ids=lambda parts: " ".join(str(value)[:12] for value in parts.values()),
)
def test_a_verdict_whose_parts_do_not_fit_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        new_verdict("c", **parts)


def test_a_rejection_without_a_reason_says_which_reasons_there_are() -> None:
    with pytest.raises(UsageError, match="irrigation_dam, river_bank"):
        new_verdict("c", Status.REJECTED, "ana")


def test_nobody_becomes_analyst_and_control_characters_go() -> None:
    assert new_verdict("c", Status.CONFIRMED, " \x00\n ").analyst == "analyst"
    event = new_verdict("c", Status.CONFIRMED, "Zé\x1b[0m\n", notes="first\n\x00second ")
    assert (event.analyst, event.notes) == ("Zé[0m", "first\nsecond")
    assert len(new_verdict("c", Status.CONFIRMED, "x" * 500).analyst) == 80


def test_each_verdict_gets_an_id_of_its_own_and_naive_utc() -> None:
    events = [new_verdict("c", Status.CONFIRMED) for _ in range(2)]
    assert events[0].event_id != events[1].event_id
    assert abs(events[0].at_utc - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)
    brasilia = datetime(2026, 1, 1, 21, tzinfo=timezone(timedelta(hours=-3)))
    assert new_verdict("c", Status.CONFIRMED, at_utc=brasilia).at_utc == datetime(2026, 1, 2, 0)


def test_the_tally_counts_what_was_seen_found_and_stands_nowhere() -> None:
    sites, matches = made_up_sites(100, run_id=RUN), made_up_matches(100)
    park = LandMatch("Parque", "Proteção Integral", 0.5)
    for place, status in enumerate(RegisterStatus):
        matches[place] = dataclasses.replace(matches[place], status=status, lands=(park, park))
    with Store.in_memory() as store:
        store.take_in(made_up_summary(100, RUN), Path("x"), sites, matches)
        store.record([new_verdict(site.site_id, Status.CONFIRMED) for site in sites[:5]])
        store.record([new_verdict(sites[0].site_id, Status.CONFIRMED, impact=Impact.NO_ORE)])
        store.record([new_verdict(sites[6].site_id, Status.REJECTED, reason=Reason.BURN)])
        tally = summary(store)
    assert (tally.runs, tally.km2_seen, tally.sites, tally.discarded) == (1, 160_000, 99, 1)
    assert (tally.confirmed, tally.rejected, tally.unsure, tally.undecided) == (5, 1, 0, 93)
    assert (tally.unregistered, tally.not_checked) == (3, 1)
    assert set(tally.by_impact) == {ClassTally("high", 2, 1), ClassTally("low", 2, 2), ClassTally("no_ore", 1, 0)}
    assert tally.by_land[0] == LandTally("Parque", "Proteção Integral", 4, 2)
    assert tally.by_register_status["registered"] == 1


def test_a_place_confirmed_in_three_runs_counts_once() -> None:
    runs = [RUN, "20260202-000000-bbbb", "20260303-000000-cccc"]
    matches = [dataclasses.replace(m, status=RegisterStatus.NOTHING_FOUND) for m in made_up_matches(3)]
    with Store.in_memory() as store:
        for run_id in runs:
            sites = made_up_sites(3, run_id=run_id)
            store.take_in(made_up_summary(3, run_id), Path(run_id), sites, matches)
            if run_id == RUN:
                store.record([new_verdict(site.site_id, Status.CONFIRMED) for site in sites[:2]])
        every, one = summary(store), summary(store, runs[-1])
    assert (every.confirmed, every.unregistered, every.repeats, every.sites) == (2, 2, 4, 9)
    assert sum(row.confirmed for row in every.by_impact) == 2
    assert every.by_register_status == {"nothing_found": 2}
    assert every.km2_seen == 480_000
    assert (one.confirmed, one.repeats, one.runs) == (2, 0, 1)


def test_the_tally_of_an_empty_store_is_zero_and_of_an_unknown_run_an_error() -> None:
    with Store.in_memory() as store:
        assert (summary(store).sites, summary(store).by_land) == (0, ())
        with pytest.raises(StoreError):
            summary(store, "nothing")
