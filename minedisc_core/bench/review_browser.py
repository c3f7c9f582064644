"""Servers and a real Chromium for `minedisc bench review`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minedisc_core.errors import MinediscError
from minedisc_core.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PACE_MS = (150, 250)
"""A person who knows the keys: between two presses."""
KEYS = ("a", "u")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_CLOCK = Path(__file__).with_name("review_clock.js")
_WAIT_MS = 60_000
_SEEN_CHIPS = "[...document.querySelectorAll('.md-panel img[data-candidate]')].filter((i) => i.getClientRects().length)"
_TILE_ADDRESS = "Object.values(minediscClock.map._layers).find((l) => l._url?.includes('/tiles/'))._url"
_VIEW_REQUESTS = (
    "performance.getEntriesByType('resource').filter((e) => e.name.includes('/review/sites'))"
    ".map((e) => [e.duration, e.encodedBodySize])"
)
SCREEN = {"width": 1280, "height": 800}


@dataclass
class Times:
    """Milliseconds from a key press, one value per press."""

    painted: list[float] = field(default_factory=list)
    tiles: list[float] = field(default_factory=list)
    durable: list[float] = field(default_factory=list)

    def add(self, more: Times) -> None:
        """Put another block's times behind these."""
        self.painted += more.painted
        self.tiles += more.tiles
        self.durable += more.durable


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium without a window.

    Raises:
        MinediscError: Playwright or a Chromium is not on this machine, or a page did not do what was waited for.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise MinediscError("Playwright is not installed", "a browser to measure in", "run: make browser") from error
    program = os.environ.get("MINEDISC_CHROMIUM") or next(filter(None, map(shutil.which, _PROGRAMS)), None)
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        except Error as error:
            raise MinediscError("no Chromium starts on this machine", remedy="run: make browser") from error
        try:
            yield opened
        except Error as error:
            raise MinediscError(f"the browser gave up: {error.message}", remedy="see the app's log") from error
        finally:
            opened.close()


@contextmanager
def serving(script: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """`streamlit run script` on a free port of this machine only; its address once it answers."""
    port, log = _free_port(), folder / "server.out"
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, **environment},
        )  # fmt: skip
    try:
        _wait_until_up(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2)  # noqa: S310 - our own http address
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise MinediscError(f"the server did not start: {log.read_text(errors='replace')[-500:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


class TimedPage:
    """A page with the clock of review_clock.js in it."""

    def __init__(self, browser: Browser, address: str) -> None:
        """Open the address with an empty cache; returns when chips and map are there."""
        self._context = browser.new_context(viewport=SCREEN)  # type: ignore[arg-type]  # a plain dict is a ViewportSize
        self._context.add_init_script(path=_CLOCK)
        self.page: Page = self._context.new_page()
        self._rng = np.random.default_rng(0)
        self._taken = 0
        self.page.goto(address)
        self.page.wait_for_function("minediscClock.ready", timeout=_WAIT_MS)
        self.ready_ms = float(self.ask("minediscClock.ready"))
        self.tiles_fetched = 0
        """Map tiles that key presses took from the server, not from the browser's cache; known once closed."""
        self.view_requests: list[tuple[float, int]] = []
        """Milliseconds and bytes of each time that the map asked for the sites of its view; known once closed."""
        self.ask("minediscClock.counting = true; performance.setResourceTimingBufferSize(20_000)")

    def ask(self, script: str) -> Any:
        """What an expression gives in the page."""
        return self.page.evaluate(script)

    def chip_endings(self) -> list[str]:
        """What follows the site's id in the file names of the chips on the screen: the kinds that are shown."""
        names = self.ask(f"{_SEEN_CHIPS}.map((i) => new URL(i.src).pathname.split('/').pop())")
        return [f"_{name.partition('_')[2]}" for name in names]

    def tile_address(self) -> str:
        """The map's own address of true-colour tiles, with {z}, {x}, {y} and its signature."""
        return str(self.ask(_TILE_ADDRESS))

    def press_at_pace(self, presses: int) -> Times:
        """Press keys as a person does, whatever the page does meanwhile; then wait for all that was timed."""
        self.page.bring_to_front()
        for _ in range(presses):
            self._press()
            self.page.wait_for_timeout(float(self._rng.uniform(*PACE_MS)))
        return self._take("p.painted && p.tiles && p.durable")

    def press_and_wait(self, presses: int) -> Times:
        """Press a key when the chips of the press before are painted and a person's pause is over."""
        self.page.bring_to_front()
        for _ in range(presses):
            self._press()
            self._wait("p.painted")
            self.page.wait_for_timeout(float(self._rng.uniform(*PACE_MS)))
        return self._take("p.painted")

    def _press(self) -> None:
        self.page.keyboard.press(KEYS[int(self._rng.integers(len(KEYS)))])

    def _wait(self, done: str) -> None:
        self.page.wait_for_function(f"minediscClock.presses.every((p) => ({done}) || p.problem)", timeout=_WAIT_MS)

    def _take(self, done: str) -> Times:
        self._wait(done)
        made = self.ask("minediscClock.presses")[self._taken :]
        self._taken += len(made)
        problems = {press["problem"] for press in made if press.get("problem")}
        if problems:
            raise MinediscError(f"chips could not be painted: {', '.join(sorted(problems))}")
        kinds = ("painted", "tiles", "durable")
        return Times(*([press[kind] for press in made if press.get(kind)] for kind in kinds))

    def close(self) -> None:
        """Close the page and forget its cache."""
        self.tiles_fetched = int(self.ask("minediscClock.tilesFetched"))
        self.view_requests = [(float(ms), int(size)) for ms, size in self.ask(_VIEW_REQUESTS)]
        self.page.close(run_before_unload=False)
        self._context.close()
