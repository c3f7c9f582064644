"""What is held out: whole places, for ever, and never anything that a model has learned from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.learning.holding_out import HELD_OUT, TRAINING, NewSample, hold_out
from minedisc_core.store import Spot

KM = 1 / 111.32
"""Degrees of latitude."""
points = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 4), st.booleans()), min_size=1, max_size=40, unique_by=lambda p: p[:2]
)


def sample(place: int, number: int = 0, is_mine: bool = True, split: str = "") -> NewSample:
    """Places lie 20 km apart, samples of a place 300 m."""
    return NewSample(f"s{place}-{number}", -44.0, -20 + (20 * place + 0.3 * number) * KM, is_mine, split)


def spot(place: int, number: int = 0, is_held_out: bool = True) -> Spot:
    there = sample(place, number)
    return Spot(f"old-{place}-{number}", there.lon, there.lat, "", is_held_out)


def many(places: int, each: int = 8) -> list[NewSample]:
    return [sample(p, n, is_mine=n % 2 == 0) for p in range(places) for n in range(each)]


def test_whole_places_are_held_out_until_the_rule_has_enough_and_never_more_than_half() -> None:
    _, places = hold_out(many(10), [], [])
    held = [place for place in places if place.split == HELD_OUT]
    assert len(held) == 5
    _, places = hold_out(many(30, 20), [], [])
    held = [place for place in places if place.split == HELD_OUT]
    assert len(held) == 9
    assert sum(place.mines for place in held) == 90


def test_a_single_place_is_learned_from_not_held_out() -> None:
    sides, _ = hold_out(many(1), [], [])
    assert {split for _, split in sides.values()} == {TRAINING}


@given(points, st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)), st.integers(0, 3))
def test_places_are_never_parted_and_the_past_is_never_undone(
    drawn: list[tuple[int, int, bool]], held: set[int], learned: set[int], seed: int
) -> None:
    samples = [sample(p, n, is_mine) for p, n, is_mine in drawn]
    given = [spot(p) for p in held], [spot(p, 0, False) for p in learned - held]
    sides, places = hold_out(samples, *given, seed)
    assert sides.keys() == {s.sample_id for s in samples}
    for p in {p for p, _, _ in drawn}:
        splits = {sides[s.sample_id][1] for s in samples if s.sample_id.startswith(f"s{p}-")}
        assert len(splits) == 1
        if p in held:
            assert splits == {HELD_OUT}
        elif p in learned:
            assert HELD_OUT not in splits
    assert (sides, places) == hold_out(list(reversed(samples)), *given, seed)


def test_a_chain_that_grows_to_a_held_out_place_is_held_out_with_it() -> None:
    chain = [NewSample(f"c{k}", -44.0, -20 + 4.5 * k * KM, is_mine=True) for k in range(1, 5)]
    sides, places = hold_out(chain, [spot(0)], [])
    assert {split for _, split in sides.values()} == {HELD_OUT}
    assert len(places) == 1
    apart = [NewSample(f"c{k}", -44.0, -20 + (5.5 + 4.5 * k) * KM, is_mine=True) for k in range(1, 5)]
    sides, _ = hold_out(apart, [spot(0)], [])
    assert HELD_OUT not in {split for _, split in sides.values()}


def test_what_a_model_learned_from_and_what_was_held_out_grow_together_to_held_out() -> None:
    bridge = NewSample("bridge", -44.0, -20 + 4 * KM, is_mine=False)
    learned = Spot("learned", -44.0, -20 + 8 * KM, "", False)
    sides, _ = hold_out([bridge], [spot(0)], [learned])
    assert sides["bridge"][1] == HELD_OUT


def test_the_champions_dataset_keeps_its_held_out_places() -> None:
    own = [sample(0, 0, split=HELD_OUT), sample(1, 0, split=TRAINING)]
    sides, _ = hold_out([*own, *many(6)], [], [])
    assert sides["s0-0"][1] == HELD_OUT
    assert sides["s0-3"][1] == HELD_OUT
    assert sides["s1-0"][1] != HELD_OUT


def test_nothing_gives_nothing() -> None:
    assert hold_out([], [], []) == ({}, ())
