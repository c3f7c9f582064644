"""`minedisc bench start`: from the click on "Start the scan" to candidates on the screen, in a real browser.

A generated demo area is scanned whole, by the app as it always runs: a click, a job in a process of its own, map tiles
and chips, the run taken into the store and matched with registers. The engine that is chosen by itself and TensorFlow
take turns, each with a server and a home of its own.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minedisc_core.bench.report import figure, report
from minedisc_core.bench.review_browser import SCREEN, chromium, serving
from minedisc_core.detection.models import list_models
from minedisc_core.errors import MinediscError
from minedisc_core.imagery.demo.files import write_demo
from minedisc_core.jobs import list_runs
from minedisc_core.settings import PROJECT_ROOT, Settings, load_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

GOAL_S = 15
ENGINES = ("auto", "tensorflow")
_SEED = 3
_WAIT_MS = 300_000


def bench_start(size_px: int = 2_000, repeats: int = 3) -> dict[str, Any]:
    """Times from the click to the candidates of a demo area of `size_px` a side (2,000: 20 x 20 km).

    Args:
        size_px: side of the area.
        repeats: clicks with each engine, in turns; medians count.

    Raises:
        MinediscError: there is no browser to measure in, no model, or a scan did not finish.
    """
    clicks: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minedisc-bench-")))
        browser = stack.enter_context(chromium())
        homes = {engine: _home(folder / engine, size_px) for engine in ENGINES}
        addresses = {
            engine: stack.enter_context(
                serving(PROJECT_ROOT / "app.py", folder, {"MINEDISC_HOME": str(home.home), "MINEDISC_ENGINE": engine})
            )
            for engine, home in homes.items()
        }
        for number in range(repeats):
            for engine in ENGINES:
                clicks[engine].append(_click_to_candidates(browser, addresses[engine], number))
        used = {engine: str(_summary(home).engine) for engine, home in homes.items()}
        alone = {engine: _summary(home).seconds for engine, home in homes.items()}
    km2 = size_px**2 / 1e4
    own, other = (statistics.median(clicks[engine]) for engine in ENGINES)
    figures = [
        figure(f"from the click to the candidates of {km2:,.0f} km2", own, "s", f"< {GOAL_S}", used["auto"]),
        figure("the same without OpenVINO", other, "s", "", used["tensorflow"]),
        figure("the scan's own time in it, last run", alone["auto"], "s", "", f"TensorFlow: {alone['tensorflow']:.1f}"),
    ]
    seconds = {engine: [round(each, 2) for each in all_] for engine, all_ in clicks.items()}
    return report("start", figures, size_px=size_px, repeats=repeats, seconds=seconds)


def _home(home: Path, size_px: int) -> Settings:
    """A home with the demo area and a shipped model."""
    settings = load_settings({}, home)
    if not list_models(settings):
        raise MinediscError("there is no model", "a shipped one", "run it from a whole checkout")
    write_demo(settings.demo, size_px, _SEED)
    return settings


def _click_to_candidates(browser: Browser, address: str, scans_before: int) -> float:
    """Seconds from the click to one more run that can be reviewed."""
    context = browser.new_context(viewport=SCREEN)  # type: ignore[arg-type]  # a plain dict is a ViewportSize
    try:
        page = context.new_page()
        page.goto(address)
        start = page.get_by_role("button", name="Start the scan")
        start.wait_for(timeout=_WAIT_MS)
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=_WAIT_MS)
        started = time.perf_counter()
        start.click()
        page.get_by_role("button", name="Review").nth(scans_before).wait_for(timeout=_WAIT_MS)
        return time.perf_counter() - started
    finally:
        context.close()


def _summary(home: Settings) -> Any:
    """Of the newest run.

    Raises:
        MinediscError: it did not finish.
    """
    run = list_runs(home)[0]
    if run.summary is None:
        raise MinediscError(f"the scan ended {run.state}: {run.message}", "a finished one")
    return run.summary
