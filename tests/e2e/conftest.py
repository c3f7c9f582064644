"""A real server on a free port with a home of its own, and a browser that may talk to it only."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from shapely.geometry import mapping

from minedisc_core import service
from minedisc_core.detection.models import list_models
from minedisc_core.imagery.demo.files import write_demo
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.settings import PROJECT_ROOT, Settings, load_settings
from minedisc_core.store import Store
from tests.pages.fabricated import make_run, save_bright_model

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
IDLE = "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
PICTURES_VARIABLE = "MINEDISC_PICTURES"
"""Folder for screenshots; unset, none is kept. `tests/e2e/pictures` holds those of the README."""
SIZE_PX, SEED = 1024, 3
FABRICATED_RUN, LONG_RUN = "20260102-030405-abcd", "20260101-010101-beef"
"""Runs whose sites are made up on the demo mosaic, for the net finds few there: 24 sites, and LONG_RUN_SITES."""
LONG_RUN_SITES = 280
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with a small demo area and its registers, a model, and one finished run that nobody took in."""
    settings = load_settings({}, tmp_path_factory.mktemp("home"))
    area = write_demo(settings.demo, SIZE_PX, SEED)
    if not list_models(settings):  # a checkout without the shipped models
        save_bright_model(settings.models / "bright", area.mosaic)
    make_run(settings.runs, area.mosaic, FABRICATED_RUN)
    make_run(settings.runs, area.mosaic, LONG_RUN, LONG_RUN_SITES)
    with open_mosaic([area.mosaic]) as mosaic, Store.open(settings.database) as store:
        covered = mapping(mosaic.grid.footprint)
        for kind, path in (("sigbm", area.sigbm), ("sigmine", area.sigmine), ("lands", area.land)):
            service.VERBS["registers_add"](store, settings, kind, str(path), coverage_polygon=covered)
    return settings


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(home: Settings, port: int, *options: str) -> Iterator[str]:
    """The app as `streamlit run app.py` starts it; its address."""
    process = start(home, port, *options)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def start(home: Settings, port: int, *options: str) -> subprocess.Popen[bytes]:
    """Start the app and wait until it answers."""
    log = home.home / "server.out"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), *options]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "MINEDISC_HOME": str(home.home)},
        )  # fmt: skip
    wait_until_up(process, f"http://127.0.0.1:{port}", log)
    return process


def wait_until_up(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Wait for the server's health answer."""
    for _ in range(480):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2)  # noqa: S310  our own http address
            return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"the server did not come up: {log.read_text()}")


@pytest.fixture(scope="session")
def app(home: Settings) -> Iterator[str]:
    """Address of the app of this session."""
    with serving(home, free_port()) as address:
        yield address


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1,280 x 800 px; the test fails if a request left 127.0.0.1 or a script failed."""
    with watched(browser) as opened:
        yield opened


@pytest.fixture
def second_page(browser: Browser) -> Iterator[Page]:
    """As `page`, in a browser of its own: another person."""
    with watched(browser) as opened:
        yield opened


@contextmanager
def watched(browser: Browser) -> Iterator[Page]:
    """A page in a browser profile of its own; AssertionError at the end if it did what no page may do."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    opened = context.new_page()
    strayed: list[str] = []
    failed: list[str] = []
    opened.on("request", lambda r: strayed.append(r.url) if is_elsewhere(r.url) else None)
    opened.on("pageerror", lambda error: failed.append(str(error)))
    yield opened
    opened.close(run_before_unload=False)
    context.close()
    assert strayed == []
    assert failed == []


def is_elsewhere(address: str) -> bool:
    """Whether a request goes to another host."""
    return address.startswith(("http", "ws")) and "//127.0.0.1:" not in address


def settle(page: Page) -> None:
    """Wait until the page's script has run to its end; what was just pressed may take a moment to start it."""
    page.wait_for_selector(IDLE, timeout=60_000)
    page.wait_for_timeout(150)
    page.wait_for_selector(IDLE, timeout=60_000)


def wants_pictures() -> bool:
    """Whether screenshots are kept."""
    return bool(os.environ.get(PICTURES_VARIABLE))


def picture(page: Page, name: str) -> None:
    """Keep a screenshot as a small WebP where somebody wants it."""
    folder = os.environ.get(PICTURES_VARIABLE, "")
    if wants_pictures():
        Path(folder).mkdir(parents=True, exist_ok=True)
        Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(
            Path(folder) / f"{name}.webp", quality=88, method=6
        )


def command_line(home: Settings, *arguments: str) -> Any:
    """What `minedisc ... --home HOME --json` prints, while the app owns the database."""
    command = [sys.executable, "-m", "minedisc_core.cli", *arguments, "--home", str(home.home), "--json"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
