"""`minedisc bench review`: how long an analyst waits for the review page, measured in a real browser.

The app runs as it always does, on homes of three sizes; Chromium opens its review page and presses keys.
The three sizes and a plain Streamlit page with the same chips (`review_plain_page`) take turns, block by
block, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from shapely.geometry import mapping

from minedisc_core.bench.made_up import RUN_ID
from minedisc_core.bench.report import Figure, figure, report
from minedisc_core.bench.review_browser import PACE_MS, TimedPage, Times, chromium, serving
from minedisc_core.bench.review_home import POOL, make_homes
from minedisc_core.errors import UsageError
from minedisc_core.runs import CHIPS, read_sites
from minedisc_core.settings import PROJECT_ROOT, Settings
from minedisc_core.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_ROUNDS = 5
"""Blocks of presses that each size and the plain page take in turns."""
_OPENINGS = 3
"""An absolute time counts as the best of three."""
_PLAIN_SITES = 2_000


@dataclass
class _Screen:
    """The review page on one home."""

    page: TimedPage
    address: str
    opened_ms: list[float]
    """Navigation to ready, each time with an empty cache; the first one right after the server's start."""
    times: Times = field(default_factory=Times)
    waited_ms: list[float] = field(default_factory=list)
    """Key press to painted where each press waited for the one before, as beside the plain page."""


def bench_review(candidates: int = 10_000, presses: int = 200) -> dict[str, Any]:
    """Times of the review page with `candidates` candidates, and with a tenth and ten times as many.

    Args:
        candidates: of the home whose times have goals; at least twenty for each press.
        presses: timed key presses per size; half as many beside the plain page.

    Raises:
        UsageError: too few candidates for so many presses.
        MinediscError: there is no browser to measure in.
    """
    if candidates < 20 * presses or presses < 2 * _ROUNDS:
        raise UsageError(
            f"{candidates} candidates and {presses} presses",
            f"at least {2 * _ROUNDS} presses and 20 candidates for each",
        )
    sizes = (candidates // 10, candidates, candidates * 10)
    with chromium() as browser, tempfile.TemporaryDirectory(prefix="minedisc-bench-") as name:
        homes = make_homes(Path(name), sizes)
        screens, plain_ms = _measure(browser, Path(name), homes, presses)
        figures = [
            *_waits(screens[1], plain_ms),
            *_flatness(screens, sizes),
            *_views(screens[-1], sizes[-1]),
            _stored(homes, screens),
        ]
        return report(
            "review", figures, candidates=candidates, presses=presses, pace_ms=PACE_MS, chromium=browser.version,
            chips=f"rendered at {POOL} places, shared by all sites as hard links", load_average=list(os.getloadavg()),
            opened_ms={size: screen.opened_ms for size, screen in zip(sizes, screens, strict=True)},
            tiles_fetched={size: screen.page.tiles_fetched for size, screen in zip(sizes, screens, strict=True)},
        )  # fmt: skip


def _measure(
    browser: Browser, folder: Path, homes: Sequence[Settings], presses: int
) -> tuple[list[_Screen], list[float]]:
    """All screens with their times, and the plain page's times to painted chips; the servers are stopped again."""
    with ExitStack() as servers:
        screens = [servers.enter_context(_screen(browser, home)) for home in homes]
        plain = servers.enter_context(_plain_page(browser, folder, homes[0], screens[0]))
        plain_ms: list[float] = []
        for _ in range(_ROUNDS):
            for screen in screens:
                screen.times.add(screen.page.press_at_pace(presses // _ROUNDS))
            screens[1].waited_ms += screens[1].page.press_and_wait(presses // (2 * _ROUNDS)).painted
            plain_ms += plain.press_and_wait(presses // (2 * _ROUNDS)).painted
        for screen in screens:
            screen.page.close()
    return screens, plain_ms


@contextmanager
def _screen(browser: Browser, home: Settings) -> Iterator[_Screen]:
    """The app on a home, its review page opened three times; the last one stays open."""
    with serving(PROJECT_ROOT / "app.py", home.home, {"MINEDISC_HOME": str(home.home)}) as address:
        opened: list[float] = []
        for left in reversed(range(_OPENINGS)):
            page = TimedPage(browser, f"{address}/review")
            opened.append(page.ready_ms)
            if left:
                page.close()
        yield _Screen(page, address, opened)


@contextmanager
def _plain_page(browser: Browser, folder: Path, home: Settings, screen: _Screen) -> Iterator[TimedPage]:
    """The plain page on the sites of a home, with the kinds of chip that our page shows."""
    chips = home.runs / RUN_ID / CHIPS
    sites = read_sites(home.runs / RUN_ID)[:_PLAIN_SITES]
    endings = screen.page.chip_endings()
    places = {
        "tiles": f"{screen.address}{screen.page.tile_address()}",
        "vendor": f"{screen.address}/minedisc/vendor",
        "sites": [
            {"id": s.site_id, "lat": s.peak_lat, "lon": s.peak_lon, "polygon": mapping(s.polygon),
             "chips": [str(chips / f"{s.site_id}{ending}") for ending in endings]}
            for s in sites
        ],
    }  # fmt: skip
    told = folder / "plain_page.json"
    told.write_text(json.dumps(places), "utf-8")
    script = Path(__file__).with_name("review_plain_page.py")
    with serving(script, folder, {"MINEDISC_PLAIN_PAGE": str(told)}) as address:
        page = TimedPage(browser, address)
        yield page
        page.close()


def _waits(screen: _Screen, plain_ms: list[float]) -> Iterator[Figure]:
    """What the analyst waits for with `candidates` candidates."""
    for name, times, bound in (
        ("key press to next chips painted", screen.times.painted, 80),
        ("key press to the map's tiles loaded", screen.times.tiles, 400),
        ("key press to verdict stored on disk", screen.times.durable, 400),
    ):
        yield figure(f"{name}, p95", float(np.percentile(times, 95)), "ms", f"< {bound}")
        yield figure(f"{name}, p50", median(times), "ms")
    yield figure("page ready, best of three", min(screen.opened_ms) / 1000, "s", "< 4")
    yield figure("page ready, the first after the server's start", screen.opened_ms[0] / 1000, "s")
    ours, theirs = median(screen.waited_ms), median(plain_ms)
    told = f"plain page of st.image, st_folium, st.button: {theirs:.0f} ms against {ours:.0f} ms, in turns"
    yield figure("chips painted, faster than a plain page, medians", theirs / ours, "x", ">= 4", told)


def _flatness(screens: Sequence[_Screen], sizes: Sequence[int]) -> Iterator[Figure]:
    """The largest size against the smallest."""
    small, large = screens[0], screens[-1]
    told = f"{sizes[-1]:,} candidates against {sizes[0]:,}, in turns"
    for name, of_small, of_large in (
        ("chips painted", median(small.times.painted), median(large.times.painted)),
        ("map's tiles loaded", median(small.times.tiles), median(large.times.tiles)),
        ("verdict stored", median(small.times.durable), median(large.times.durable)),
        ("page ready, best of three", min(small.opened_ms), min(large.opened_ms)),
    ):
        yield figure(f"{name}, growth", of_large / of_small, "ratio", "<= 1.2", f"{told}; {of_small:.0f} ms")


def _views(screen: _Screen, candidates: int) -> Iterator[Figure]:
    """What the map asks for where it stands still: sites of its view, or clusters; small homes have one layer."""
    if screen.page.view_requests:
        waited, sizes = zip(*screen.page.view_requests, strict=True)
        told = f"{len(waited)} views of {candidates:,} candidates"
        yield figure(
            "sites or clusters of the map's view, request, p95", float(np.percentile(waited, 95)), "ms", "", told
        )
        yield figure("sites or clusters of the map's view, largest answer", max(sizes) / 1e3, "kB", "", told)


def _stored(homes: Sequence[Settings], screens: Sequence[_Screen]) -> Figure:
    """Verdicts in the databases, read after the servers stopped, against keys pressed."""
    pressed = sum(len(screen.times.painted) + len(screen.waited_ms) for screen in screens)
    decided = 0
    for home in homes:
        with Store.open(home.database) as store:
            decided += store.counters().decided
    return figure("verdicts stored of key presses", decided / pressed, "ratio", "== 1", f"{pressed} key presses")
