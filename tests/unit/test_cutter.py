"""Samples are cut when verdicts pause, all of them, and never by two threads at once."""

from __future__ import annotations

import threading
import time

from pages.cutter import Cutter


class Cuts:
    """Notes when it is called; its first call can be held up."""

    def __init__(self) -> None:
        self.moments: list[float] = []
        self.running = self.most = 0
        self.go = threading.Event()
        self.go.set()

    def __call__(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.moments.append(time.monotonic())
        self.go.wait(10)
        self.running -= 1

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 10
        while len(self.moments) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(self.moments) >= count


def test_verdicts_in_a_row_are_cut_once_after_the_last() -> None:
    cuts = Cuts()
    cutter = Cutter(cuts, pause_s=0.3)
    for _ in range(4):
        cutter.soon()
        time.sleep(0.05)
    last = time.monotonic()
    cuts.wait_for(1)
    time.sleep(0.4)
    assert len(cuts.moments) == 1
    assert cuts.moments[0] > last
    cutter.soon()
    cuts.wait_for(2)


def test_verdicts_without_an_end_are_cut_all_the_same() -> None:
    cuts = Cuts()
    cutter = Cutter(cuts, pause_s=5, longest_s=0.2)
    cutter.soon()
    cuts.wait_for(1)


def test_what_comes_while_others_are_cut_is_cut_afterwards_and_not_beside_them() -> None:
    cuts = Cuts()
    cuts.go.clear()
    cutter = Cutter(cuts, pause_s=0.01)
    cutter.soon()
    cuts.wait_for(1)
    cutter.soon()
    cuts.go.set()
    cuts.wait_for(2)
    assert cuts.most == 1


def test_nothing_is_cut_once_it_is_stopped() -> None:
    cuts = Cuts()
    cutter = Cutter(cuts, pause_s=0.2)
    cutter.soon()
    cutter.stop()
    time.sleep(0.4)
    assert cuts.moments == []
